//! What a renter's client sees from inside its containers, and what it sends back.

use crate::harness::{Cluster, Holdings, Network, create_args, turn, until};
use ionet_ledger::interface::account::LineState;
use serde_json::Value;
use std::path::PathBuf;

fn findings(checked: &Value) -> Vec<(String, String, u64)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let found = checked["findings"].as_array().unwrap();
    found
        .iter()
        .map(|f| (text(&f["quantity"]), text(&f["outcome"]), f["value"].as_u64().unwrap_or(0)))
        .collect()
}

/// Who has what when no lease locks anything any more: those of tests before come back late.
fn settled(net: &Network) -> Holdings {
    until("nothing is locked", || net.usdc(&[]).vaults == 0);
    net.usdc(&[])
}

#[test]
fn an_honest_cluster_is_accepted_and_its_evidence_is_computed_again() {
    let net = turn();
    net.fails(2, &[&create_args("1")[..], &["--check", "--no-wait"]].concat());
    // Demands that any machine meets, so that every figure has something to be compared with.
    let demands = ["--min-rate", "1M", "--min-disk", "1k", "--min-network", "1k"];
    let made = net.ok(&[&create_args("2")[..], &["--check"], &demands].concat());
    let cluster = Cluster::of(&made);
    let checked = &made["check"];
    assert_eq!(checked["fine"], true, "{checked}");
    let found = findings(checked);
    assert_eq!(found.len(), 8, "four figures of two members: {checked}");
    assert!(found.iter().all(|(_, outcome, value)| outcome == "fine" && *value > 0), "{checked}");

    // Nothing of it is left inside.
    let left = net.run(&["cluster", "exec", &cluster.id, "--", "find", "/tmp", "-maxdepth", "1"]);
    let left = String::from_utf8(left.stdout).unwrap();
    assert!(!left.contains("/tmp/."), "{left}");

    // The same findings from the file alone; another figure is not the renter's word.
    let file = PathBuf::from(checked["evidence"].as_str().unwrap());
    let replay = |path: &str| net.run(&["cluster", "check", "--replay", path]);
    let again: Value = serde_json::from_slice(&replay(file.to_str().unwrap()).stdout).unwrap();
    assert_eq!(again["findings"], checked["findings"]);
    let text = std::fs::read_to_string(&file).unwrap();
    let forged = file.with_extension("forged");
    std::fs::write(&forged, text.replacen("\"elapsed_us\":", "\"elapsed_us\":1", 1)).unwrap();
    net.fails(8, &["cluster", "check", "--replay", forged.to_str().unwrap()]);
    std::fs::write(&forged, &text[..text.len() / 2]).unwrap();
    net.fails(2, &["cluster", "check", "--replay", forged.to_str().unwrap()]);

    // Others can compute it again, under its name, and see it with its devices.
    let shared = checked["shared"].as_str().unwrap_or_else(|| panic!("{checked}"));
    let theirs = net.ok(&["cluster", "check", "--replay", shared]);
    assert_eq!(theirs["findings"], checked["findings"]);
    let device = checked["findings"][0]["device"].as_str().unwrap();
    let seen = net.ok(&["device", "show", device]);
    let signals = seen["verdict"]["signals"].as_array().unwrap_or_else(|| panic!("{seen}"));
    let mine = |s: &&Value| s["code"] == "renter-check";
    let text = signals.iter().find(mine).unwrap_or_else(|| panic!("{seen}"))["text"].to_string();
    assert!(text.contains("1 renter looked from inside"), "{text}");

    // At any time, beside a workload, kept to oneself; and more than there is is not what was sold.
    let light = net.ok(&["cluster", "check", &cluster.id, "--light", "--no-share"]);
    assert!(light["shared"].is_null() && light["not_shared_because"].is_null(), "{light}");
    assert_eq!((light["fine"].as_bool(), findings(&light).len()), (Some(true), 2), "{light}");
    let args = ["cluster", "check", &cluster.id, "--only", "proof", "--min-rate", "1000T"];
    let error = net.fails(4, &args);
    let short = findings(&error["detail"]);
    assert!(short.iter().all(|(_, outcome, value)| outcome == "short" && *value > 0), "{error}");
    assert_eq!(net.show(&cluster.id)["state"], "ready", "a check alone ends nothing");
    net.close(&cluster.id);
}

#[test]
fn what_is_not_what_was_sold_goes_back_and_costs_nothing() {
    let net = turn();
    let before = settled(&net);
    // No processor multiplies as much.
    let args = [&create_args("2")[..], &["--min-rate", "1000T"]].concat();
    let error = net.fails(4, &args);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("integer rate") && message.contains("1000000.00 G/s"), "{message}");
    assert!(error["detail"]["check"]["shared"].is_string(), "sent back, and said: {error}");
    let refused = &error["detail"]["refused"];
    assert_eq!((&refused["rejected"], &refused["late"]), (&2.into(), &0.into()), "{error}");

    let id = error["detail"]["check"]["cluster"].as_str().unwrap();
    let lease: ionet_core::Wallet =
        error["detail"]["check"]["lease"].as_str().unwrap().parse().unwrap();
    let (ledger, asked) = (net.ledger(), crate::harness::runtime());
    let at = ionet_ledger::Address::from(lease.0);
    // Until it is settled, its lines say so on the chain.
    if let Some(lease) = asked.block_on(ledger.lease(&at)).unwrap() {
        let lines = asked.block_on(ledger.lines(&at, &lease)).unwrap();
        assert!(lines.iter().all(|l| l.line.state == LineState::Rejected), "{lines:?}");
    }
    until("the rest of the deposit came back", || {
        asked.block_on(ledger.lease(&at)).is_ok_and(|l| l.is_none())
    });
    let after = settled(&net);
    assert_eq!(after, before, "nobody was paid, nothing was kept");
    assert_eq!(net.show(id)["state"], "closed");
}

#[test]
fn an_undercover_rental_is_paid_for_within_its_budget() {
    let net = turn();
    let before = settled(&net);
    let undercover = |budget: &str, more: &[&str]| {
        let args = ["cluster", "undercover", "--within", "0", "--yes", "--budget", budget];
        net.ok(&[&args[..], more].concat())
    };
    // What it may not lock is not rented.
    let nothing = undercover("0.000001", &[]);
    assert_eq!(nothing["rentals"][0]["outcome"], "not-rented", "{nothing}");
    assert_eq!(nothing["spent"]["base_units"], 0);

    let done = undercover("0.5", &["--chip", "cpu", "--seed", "7"]);
    let rental = &done["rentals"][0];
    assert_eq!(rental["outcome"], "fine", "{done}");
    assert_eq!(rental["devices"].as_array().unwrap().len(), 1, "{done}");
    let spent = rental["spent"].as_u64().unwrap();
    assert!(spent > 0 && spent < 500_000, "{done}");
    net.ok(&["cluster", "check", "--replay", rental["evidence"].as_str().unwrap()]);

    // Who is not what was sold is not paid; the file remembers all of them.
    until("the device is idle again", || net.run(&["cluster", "list"]).status.success());
    let short = undercover("0.5", &["--chip", "cpu", "--min-rate", "1000T"]);
    assert_eq!(short["rentals"][0]["outcome"], "short", "{short}");
    let kept = std::fs::read_to_string(net.home().join("checks/undercover.jsonl")).unwrap();
    let outcome = |line: &str| serde_json::from_str::<Value>(line).unwrap()["outcome"].clone();
    let outcomes: Vec<_> = kept.lines().map(outcome).collect();
    assert_eq!(outcomes, ["not-rented", "fine", "short"]);

    let after = settled(&net);
    assert_eq!(after.sum(), before.sum());
    assert!(after.suppliers > before.suppliers, "what passed is paid for what it served");
    assert!(before.renter - after.renter <= spent, "{spent} {before:?} {after:?}");
}
