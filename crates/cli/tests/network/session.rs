//! A lease for which the renter's own client vouches, and whose deposit it fills by itself.

use crate::harness::{Cluster, Network, runtime, turn, until};
use ionet_ledger::interface::account::{Lease, SessionRights, Vouch};
use ionet_ledger::{Address, Ledger, PlacedLine, token::associated_account};

/// Money for five minutes of an hour, up to half a dollar more, and only the session key's word.
const CREATE: [&str; 14] = [
    "cluster",
    "create",
    "--devices",
    "2",
    "--chip",
    "cpu",
    "--ttl",
    "1h",
    "--vouch",
    "session",
    "--fund",
    "5m",
    "--auto-top-up",
    "0.5",
];

async fn on_chain(ledger: &Ledger, at: &Address) -> (Lease, Vec<PlacedLine>) {
    let lease = ledger.lease(at).await.unwrap().expect("the lease is there");
    let lines = ledger.lines(at, &lease).await.unwrap();
    (lease, lines)
}

/// Seconds that are vouched for, by line.
fn served(net: &Network, id: &str) -> Vec<u64> {
    let shown = net.show(id);
    let members = shown["members"].as_array().unwrap();
    members.iter().map(|m| m["served_s"].as_u64().unwrap_or(0)).collect()
}

fn kinds(net: &Network, id: &str) -> Vec<String> {
    let events = net.ok(&["cluster", "events", id]);
    let kind = |e: &serde_json::Value| e["kind"].as_str().unwrap().to_owned();
    events.as_array().unwrap().iter().map(kind).collect()
}

#[test]
fn a_renters_client_vouches_and_fills_the_deposit_while_it_runs() {
    let net = turn();
    let (before, ledger, asked) = (net.usdc(&[]), net.ledger(), runtime());
    let made = net.ok(&[&CREATE[..], &["--yes"]].concat());
    let cluster = Cluster::of(&made);
    let (id, at) = (cluster.id.as_str(), cluster.lease());
    let (lease, _) = asked.block_on(on_chain(&ledger, &at));
    assert_eq!((lease.vouch, lease.session_rights), (Vouch::Session, SessionRights::NONE));
    let session = Address::from(lease.session);
    let mint = Address::from(lease.mint);
    let account = associated_account(&net.renter(), &mint);
    let leave = || {
        let found = asked.block_on(ledger.token_account(&account)).unwrap().unwrap();
        found.delegate.filter(|(key, _)| *key == session).map(|(_, left)| left)
    };

    // The deposit lasts for five minutes: the client adds to it by itself, with its own key.
    until("the session key topped up", || kinds(&net, id).iter().any(|k| k == "topped-up"));
    let (topped, _) = asked.block_on(on_chain(&ledger, &at));
    let added = topped.deposit.0 - lease.deposit.0.min(topped.deposit.0);
    assert!(leave().is_some_and(|left| left < 500_000), "{:?} left, {added} seen", leave());
    // A second automatic top-up would silently end the first.
    let second = ["cluster", "create", "--devices", "1", "--chip", "cpu", "--auto-top-up", "1"];
    let error = net.fails(4, &[&second[..], &["--yes"]].concat());
    assert!(error["message"].as_str().unwrap().contains("one such key"), "{error}");

    // What is shown is what the session key signed; it grows while its client runs.
    until("every line is vouched for", || served(&net, id).iter().all(|s| *s > 5));
    net.ok(&["cluster", "vouch", id, "--stop"]);
    let clock = || asked.block_on(ledger.connection().clock()).unwrap();
    let pass = |seconds: i64| {
        let since = clock();
        until("a while passes on the chain", || clock() > since + seconds);
    };
    // What the coordinator shows is a moment old.
    pass(3);
    let stopped = served(&net, id);
    pass(15);
    assert_eq!(served(&net, id), stopped, "nobody looks, nobody signs");
    net.ok(&["cluster", "vouch", id]);
    until("it vouches again", || served(&net, id).iter().zip(&stopped).all(|(now, s)| now > s));
    // The seconds for which nobody looked are not made up for.
    let (lease, lines) = asked.block_on(on_chain(&ledger, &at));
    let v = lease.v_at(ionet_ledger::interface::Timestamp(clock()));
    for (line, now) in lines.iter().zip(served(&net, id)) {
        assert!(now + 5 < line.line.served_max(v).0, "{now} s of {:?}", line.line.served_max(v));
    }

    net.close(id);
    assert_eq!(leave(), None, "the leave is taken back");
    let lamports = asked.block_on(ledger.connection().lamports(&session)).unwrap();
    assert_eq!(lamports, 0, "the session key is empty");
    until("the lease is settled and its accounts are gone", || {
        asked.block_on(ledger.lease(&at)).is_ok_and(|l| l.is_none())
    });
    let after = net.usdc(&[]);
    assert_eq!(after.sum(), before.sum(), "{before:?} {after:?}");
    assert!(after.suppliers > before.suppliers, "suppliers were paid by its word alone");
    let attested = kinds(&net, id).iter().filter(|k| *k == "attested").count();
    assert_eq!(attested, 1, "the coordinator only cashed the last receipts");
}
