//! The renter's client while no coordinator answers: it tops up and vouches on the chain alone.

use crate::world::{Person, SOL, Terms, USDC, World, earned};
use ionet_core::{ClusterId, Wallet};
use ionet_ledger::interface::account::{LeaseState, SessionRights};
use ionet_ledger::token::{approve, associated_account, transfer_lamports};
use ionet_ledger::{Address, KeypairFile, Signer as _};
use std::path::PathBuf;
use std::process::{Child, Command};

/// A started `cluster vouch`.
struct Client(Child);

impl Client {
    fn start(w: &World, who: &Person, id: &str) -> Self {
        let args = ["cluster", "vouch", "--foreground", id];
        Self(w.command(who, &args).spawn().unwrap())
    }

    /// Ends it as `--stop` does; it has its last round.
    fn end(mut self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

fn folder(w: &World, id: ClusterId) -> PathBuf {
    w.home.path().join("empty/clusters").join(id.to_string())
}

/// Looks until `done`, on the chain's clock.
fn until(w: &World, what: &str, done: impl Fn() -> bool) {
    let late = w.now() + 120;
    while !done() {
        assert!(w.now() < late, "not in time: {what}");
        w.until(w.now() + 1);
    }
}

#[test]
fn without_a_coordinator_the_client_tops_up_and_attests_what_it_saw() {
    let w = World::new(600, 600);
    let (renter, supplier) = (w.person("renter", 100 * USDC), w.person("supplier", 0));
    // The session key lies in the cluster's folder, which its lease's address names.
    let draft = w.home.path().join("session.json");
    let session = KeypairFile::create(&draft).unwrap().address();
    let (chain, wallet) = (w.ledger.connection(), renter.address());
    let account = associated_account(&wallet, &w.mints.usdc);
    let cap = USDC;
    let gifts = [
        transfer_lamports(&wallet, &session, SOL / 200),
        approve(&account, &session, &wallet, cap),
    ];
    w.wait(chain.send(&gifts, &[&renter.key])).unwrap();
    let first = earned(500);
    let terms =
        Terms { deposit: first, session: Some((session, SessionRights::NONE)), ..Terms::PLAIN };
    let lease = w.lease(&renter, &[w.device(&supplier)], terms);
    let id = ClusterId::of_lease(&Wallet(lease.address.to_bytes()));
    let here = folder(&w, id);
    std::fs::create_dir_all(&here).unwrap();
    std::fs::rename(&draft, here.join("session.json")).unwrap();
    // An earlier run saw three seconds; a day that no clock shows is not signed for.
    let at = &lease.address;
    let line = || w.wait(w.ledger.lines(at, &w.record(at))).unwrap().remove(0).line;
    let seen = |served_s: u64| {
        let generation = line().generation;
        let row = serde_json::json!(
            [{ "page": 0, "index": 0, "generation": generation, "served_s": served_s }]);
        std::fs::write(here.join("vouched.json"), row.to_string()).unwrap();
    };
    seen(3);
    w.until(lease.started + 6);

    let client = Client::start(&w, &renter, &id.to_string());
    until(&w, "a top-up by the session key", || w.record(at).deposit.get() > first);
    let leave = || {
        let found = w.wait(w.ledger.token_account(&account)).unwrap().unwrap();
        found.delegate.filter(|(key, _): &(Address, u64)| *key == session).map(|(_, left)| left)
    };
    let added = w.record(at).deposit.get() - first;
    assert_eq!(leave(), Some(cap - added));
    assert_eq!(w.usdc(&wallet), 100 * USDC - first - added);
    client.end();
    assert_eq!(line().served.0, 3, "what was seen before is vouched for; what was not, is not");
    seen(86_400);
    let before = line().served.0;
    let client = Client::start(&w, &renter, &id.to_string());
    until(&w, "the client runs", || here.join("vouch.json").exists());
    client.end();
    let v = w.record(at).v_at(ionet_ledger::interface::Timestamp(w.now()));
    let (after, most) = (line().served.0, line().served_max(v).0);
    assert!(after > before && after < most, "{before} {after} {most}");

    // Closing needs no coordinator either, and takes back what the session key has.
    w.ok(&renter, &["cluster", "close", &id.to_string()]);
    assert_eq!(w.record(at).state, LeaseState::Closed);
    assert_eq!((leave(), w.lamports(&session)), (None, 0));
}

#[test]
fn somebody_elses_lease_and_no_lease_are_refused() {
    let w = World::new(600, 600);
    let (renter, supplier) = (w.person("renter", 100 * USDC), w.person("supplier", 0));
    let stranger = w.person("stranger", 0);
    let lease = w.lease(&renter, &[w.device(&supplier)], Terms::PLAIN);
    let id = ClusterId::of_lease(&Wallet(lease.address.to_bytes())).to_string();
    let args = ["cluster", "vouch", "--foreground", &id];
    let theirs = w.fails(&stranger, 3, &args);
    assert!(theirs["message"].as_str().unwrap().contains("no lease"), "{theirs}");
    w.fails(&renter, 3, &["cluster", "vouch", "--foreground", "clu_aaaaaaaaaaaaaaaa"]);
}
