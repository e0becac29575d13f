//! Whole exits: of the renter, of a supplier, of both at once.

use crate::world::{SOL, Terms, USDC, World, earned};
use ionet_ledger::interface::account::LeaseState;
use serde_json::Value;

fn steps(answer: &Value) -> Vec<&str> {
    let steps = answer[0]["steps"].as_array().unwrap();
    steps.iter().map(|s| s["what"].as_str().unwrap()).collect()
}

#[test]
fn a_renter_gets_out_alone_and_everybody_is_paid() {
    let w = World::new(2, 600);
    let (renter, supplier) = (w.person("renter", 100 * USDC), w.person("supplier", 0));
    let people = [&renter, &supplier];
    let devices = [w.device(&supplier), w.device(&supplier)];
    let before = w.lamports(&renter.address());
    let lease = w.lease(&renter, &devices, Terms::PLAIN);
    let name = lease.text();
    w.until(lease.started + 3);
    w.vouched(&lease, &[(0, 3), (1, 1)]);

    let listed = w.ok(&renter, &["lease", "list"]);
    assert_eq!(listed[0]["lease"], name);
    assert_eq!(listed[0]["state"], "open");
    let shown = w.ok(&renter, &["lease", "show", listed[0]["cluster"].as_str().unwrap()]);
    assert_eq!(shown["you_are"], serde_json::json!(["renter"]));
    assert_eq!(shown["lines"][0]["owed"], earned(3));
    assert_eq!(shown["lines"][1]["served_s"], 1);
    assert!(shown["clock"]["runs"].as_bool().unwrap());
    assert!(shown["money"]["committed"].as_u64() >= shown["money"]["owed"].as_u64());

    w.ok(&renter, &["lease", "top-up", &name, "--amount", "0.5", "--yes"]);
    let more = w.ok(&renter, &["lease", "show", &name]);
    assert_eq!(more["money"]["deposit"], Terms::PLAIN.deposit + USDC / 2);
    assert!(more["clock"]["money_ends_at"].as_i64() >= shown["clock"]["money_ends_at"].as_i64());

    // Nothing is sent without consent, nor by a dry run.
    let closing = ["lease", "close", &name];
    w.fails(&renter, 2, &closing);
    let dry = w.ok(&renter, &["lease", "close", &name, "--dry-run"]);
    assert!(dry[0]["steps"][0]["transaction"]["bytes"].as_u64().unwrap() <= 1_232);
    assert_eq!(w.record(&lease.address).state, LeaseState::Open);

    w.ok(&renter, &["lease", "close", &name, "--yes"]);
    let closed = w.record(&lease.address);
    assert_eq!(closed.state, LeaseState::Closed);
    assert!(closed.refunded.get() > 0, "what no line can claim comes back at once");
    assert_eq!(w.sum(&people, &[&lease]), 100 * USDC);
    let again = w.fails(&renter, 4, &["lease", "close", &name, "--yes"]);
    assert!(again["message"].as_str().unwrap().contains("already"), "{again}");

    w.until(closed.claims_until().0 + 1);
    let settled = w.ok(&renter, &["lease", "settle", &name, "--yes"]);
    assert!(steps(&settled).iter().any(|s| s.starts_with("finalize")), "{settled}");
    assert!(w.is_gone(&lease.address));
    assert_eq!(w.usdc(&supplier.address()), earned(3) + earned(1));
    assert_eq!(w.sum(&people, &[]), 100 * USDC);
    // Fees of the chain and the supplier's new token account, but no rent of the lease: that
    // came back. The renter's counter stays for good.
    let spent = before - w.lamports(&renter.address());
    assert!(spent < SOL / 100, "{spent} lamports");
    let gone = w.fails(&renter, 3, &["lease", "settle", &name, "--yes"]);
    assert!(gone["message"].as_str().unwrap().contains("reclaimed"), "{gone}");
    assert_eq!(w.ok(&renter, &["lease", "settle", "--all", "--yes"]), serde_json::json!([]));
}

#[test]
fn a_supplier_gets_out_alone_with_nothing_but_a_file_of_receipts() {
    let w = World::new(3, 2);
    let (renter, supplier) = (w.person("renter", 10 * USDC), w.person("supplier", 0));
    let people = [&renter, &supplier];
    let devices = [w.device(&supplier), w.device(&supplier)];
    // Lasts ten seconds: 2 x 1.02 dollars an hour.
    let lease = w.lease(&renter, &devices, Terms { deposit: 5_700, ..Terms::PLAIN });
    let name = lease.text();
    w.until(lease.started + 4);
    let newest = [w.receipt(&lease, 0, 4), w.receipt(&lease, 1, 3), w.receipt(&lease, 1, 2)];
    let file = w.file("receipts.json", &w.chain, &newest);
    let file = file.to_str().unwrap();

    let listed = w.ok(&supplier, &["lease", "list", "--supplier"]);
    assert_eq!((&listed[0]["lease"], &listed[0]["lines"]), (&name.clone().into(), &2.into()));
    let claimed =
        w.ok(&supplier, &["lease", "claim", "--receipts", file, "--yes", "--priority-fee", "10"]);
    let notes = claimed[0]["notes"].to_string();
    assert!(notes.contains("0/1 over 2 s: it adds nothing"), "{notes}");
    assert_eq!(w.usdc(&supplier.address()), earned(4) + earned(3));

    // The same again adds nothing, and says why.
    let again = w.ok(&supplier, &["lease", "claim", "--receipts", file, "--yes"]);
    assert_eq!(again[0]["steps"], serde_json::json!([]));
    assert!(again[0]["notes"].to_string().contains("4 s are vouched for already"), "{again}");

    // Its own line ends at its word; the lease closes at anyone's once its money is used up.
    w.ok(&supplier, &["lease", "end", &name, "--line", "0/0", "--yes"]);
    let early = w.ok(&supplier, &["lease", "settle", &name, "--yes"]);
    assert_eq!(w.record(&lease.address).state, LeaseState::Open, "{early}");
    let from = early[0]["waits"][0]["from"].as_i64().unwrap();
    w.until(from);
    w.ok(&supplier, &["lease", "settle", "--all", "--yes"]);
    let closed = w.record(&lease.address);
    assert_ne!(closed.state, LeaseState::Open);
    w.until(closed.claims_until().0 + 1);
    w.ok(&supplier, &["lease", "settle", &name, "--yes"]);
    assert!(w.is_gone(&lease.address));
    assert_eq!(w.usdc(&supplier.address()), earned(4) + earned(3));
    assert_eq!(w.sum(&people, &[]), 10 * USDC);
    for device in devices {
        let record = w.wait(w.ledger.device(&device)).unwrap().unwrap();
        assert_eq!(record.units_bound, 0, "the devices are free");
    }
}

/// The same facts in either order; then both parties at the same moment.
#[test]
fn the_order_of_exits_changes_no_amount() {
    let w = World::new(4, 600);
    let renter = w.person("renter", 100 * USDC);
    let orders = [["claim", "close"], ["close", "claim"]];
    let mut shares = Vec::new();
    let mut people = vec![];
    let mut leases = vec![];
    for (n, order) in orders.iter().enumerate() {
        let supplier = w.person(&format!("supplier-{n}"), 0);
        let lease = w.lease(&renter, &[w.device(&supplier)], Terms::PLAIN);
        w.until(lease.started + 3);
        let file = w.file(&format!("{n}.json"), &w.chain, &[w.receipt(&lease, 0, 3)]);
        for step in order {
            match *step {
                "close" => w.ok(&renter, &["lease", "close", &lease.text(), "--yes"]),
                _ => {
                    let file = file.to_str().unwrap();
                    w.ok(&supplier, &["lease", "claim", "--receipts", file, "--yes"])
                }
            };
        }
        shares.push(w.usdc(&supplier.address()));
        people.push(supplier);
        leases.push(lease);
    }
    // Both at once, as two processes.
    let supplier = w.person("supplier-both", 0);
    let lease = w.lease(&renter, &[w.device(&supplier)], Terms::PLAIN);
    w.until(lease.started + 3);
    let file = w.file("both.json", &w.chain, &[w.receipt(&lease, 0, 3)]);
    let name = lease.text();
    let claim = ["lease", "claim", "--receipts", file.to_str().unwrap(), "--yes"];
    let close = ["lease", "close", &name, "--yes"];
    let mut processes = [w.command(&supplier, &claim), w.command(&renter, &close)].map(|mut c| {
        c.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    });
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    shares.push(w.usdc(&supplier.address()));
    assert_eq!(shares, [earned(3); 3]);
    people.push(supplier);
    leases.push(lease);

    let last = leases.iter().map(|l| w.record(&l.address).claims_until().0).max().unwrap();
    w.until(last + 1);
    w.ok(&renter, &["lease", "settle", "--all", "--yes"]);
    assert!(leases.iter().all(|l| w.is_gone(&l.address)));
    let everyone: Vec<_> = std::iter::once(&renter).chain(&people).collect();
    assert_eq!(w.sum(&everyone, &[]), 100 * USDC);
}
