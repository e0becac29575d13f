//! Devices prove their chips before they get work, and anybody computes it again.

use crate::harness::{said, turn, until};
use ionet_trust::record::Record;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// `ionet` on another machine: another home, no coordinator, no chain.
fn elsewhere(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ionet"))
        .args(args)
        .env("IONET_HOME", home)
        .env("IONET_COORDINATOR", "http://127.0.0.1:9")
        .env("IONET_RPC", "http://127.0.0.1:9")
        .output()
        .unwrap()
}

#[test]
fn every_device_has_proven_its_chip_and_every_trial_replays() {
    let net = turn();
    let devices = net.ok(&["device", "list"]);
    let devices = devices.as_array().unwrap();
    assert!(!devices.is_empty());
    for device in devices {
        let id = device["id"].as_str().unwrap();
        let shown = net.ok(&["device", "show", id]);
        assert_eq!(shown["verdict"]["tier"], "proven", "{shown}");
        let figure = &shown["verdict"]["figures"][0];
        assert_eq!(figure["known"], "proven", "{shown}");
        assert!(figure["value"].as_u64().unwrap() > 0 && figure["trial"].as_u64().unwrap() > 0);
        let figures = shown["verdict"]["figures"].as_array().unwrap();
        let trip = figures.iter().find(|f| f["name"] == "round_trip_us").expect("an echo");
        assert_eq!(trip["known"], "measured", "{shown}");
    }
    // They prove anew each period, without anybody's doing.
    until("a trial of all idle devices", || {
        let trials = net.ok(&["verify", "list"]);
        trials.as_array().unwrap().iter().any(|t| t["lane"] == "period" && t["devices"] != 0)
    });
    // Other tests stop the chain: what came to nothing meanwhile is listed, and has no record.
    let trials = net.ok(&["verify", "list"]);
    let (void, held): (Vec<_>, Vec<_>) =
        trials.as_array().unwrap().iter().partition(|t| t["void"].is_string());
    for trial in void.into_iter().take(1) {
        let refused = net.run(&["verify", "replay", &trial["trial"].to_string()]);
        assert!(said(&refused).contains("came to nothing"), "{}", said(&refused));
    }
    assert!(!held.is_empty());
    for trial in held.iter().take(3) {
        let report = net.ok(&["verify", "replay", &trial["trial"].to_string()]);
        assert_eq!(report["wrong"], Value::Array(vec![]), "{report}");
        assert_eq!(report["chain"], "as the record says");
        assert_eq!(report["tasks"].as_array().unwrap().len() as u64, trial["tasks"]);
    }

    let folder = tempfile::tempdir().unwrap();
    let first = held.last().unwrap()["trial"].to_string();
    let into = folder.path().to_str().unwrap();
    let kept = net.ok(&["verify", "fetch", &first, "--dir", into]);
    let record = kept["record"].as_str().unwrap();
    let again = elsewhere(folder.path(), &["verify", "replay", record, "--offline"]);
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("everything follows"), "{}", said(&again));
    // A proof that was changed on the way, and a start that was.
    let proofs = kept["proofs"].as_str().unwrap();
    let right = std::fs::read(proofs).unwrap();
    let mut wrong = right.clone();
    *wrong.last_mut().unwrap() ^= 1;
    std::fs::write(proofs, wrong).unwrap();
    let refused = elsewhere(folder.path(), &["verify", "replay", record, "--offline"]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    std::fs::write(proofs, right).unwrap();
    let mut changed = Record::decode(&std::fs::read(record).unwrap()).unwrap();
    changed.started_ms += 1;
    std::fs::write(record, changed.encode()).unwrap();
    let refused = net.run(&["verify", "replay", record]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("anchor"), "{}", said(&refused));
}

#[test]
fn a_wallet_asks_a_device_for_a_proof_within_its_duty() {
    let net = turn();
    let devices = net.ok(&["device", "list"]);
    let id = devices[0]["id"].as_str().unwrap();
    let trial = |shown: &Value| shown["verdict"]["figures"][0]["trial"].as_u64().unwrap();
    let before = trial(&net.ok(&["device", "show", id]));
    // A trial of all may have used up its time: then it says until when, as after this one.
    let mut asked = net.run(&["verify", id]);
    if asked.status.success() {
        assert!(trial(&net.ok(&["device", "show", id])) > before);
        asked = net.run(&["verify", id]);
    }
    assert_eq!(asked.status.code(), Some(4), "{}", said(&asked));
    assert!(said(&asked).contains("its share of time for proofs is used up until"));
}
