//! Old logs: today's code must read them to the facts that they meant.

mod common;

use common::*;
use ionet_core::{ClusterSpec, Signal, Tier};
use ionet_network::*;

fn fold(text: &str) -> Facts {
    let mut facts = Facts::default();
    for (i, line) in text.lines().enumerate() {
        let record = Record::from_json(line).unwrap_or_else(|e| panic!("line {}: {e}", i + 1));
        assert_eq!(record.seq, i as u64 + 1);
        facts.fold(record.at, &record.event);
    }
    // Invariants hold between decisions, each of which may be several events.
    invariants::all(&facts).unwrap();
    facts
}

/// Compares what a kept log means with what it meant. Written once by `UPDATE_LOGS=1`, which
/// leaves what is there alone: an old file is never written again, a new version gets a new one.
fn means_what_it_meant(name: &str, make: fn() -> World) {
    let path = format!("{}/tests/logs/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let summary_path = path.replace(".jsonl", ".facts.json");
    if std::env::var_os("UPDATE_LOGS").is_some() && !std::path::Path::new(&path).exists() {
        let w = make();
        std::fs::write(&path, w.log_text()).unwrap();
        std::fs::write(&summary_path, serde_json::to_string_pretty(&w.facts).unwrap()).unwrap();
    }
    let facts = fold(&std::fs::read_to_string(&path).unwrap());
    let expected: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&summary_path).unwrap()).unwrap();
    assert_eq!(serde_json::to_value(&facts).unwrap(), expected);
}

/// A log that holds most kinds of event.
#[test]
fn version_1_logs_mean_what_they_meant() {
    means_what_it_meant("v1", eventful);
}

/// The kinds of event that came with proofs.
#[test]
fn logs_with_verdicts_mean_what_they_meant() {
    means_what_it_meant("v1-proofs", proven);
}

/// A lease that was closed because its acceptance window outlived its claim window.
#[test]
fn logs_with_refused_windows_mean_what_they_meant() {
    means_what_it_meant("v1-acceptance", refused);
}

fn refused() -> World {
    let mut w = World::new();
    w.join(1, 40_000);
    w.request(1, spec(1));
    let mut view = w.view(1);
    (view.terms.accept_s, view.claim_window_s) = (120, 60);
    w.tell(Command::LeaseSeen { cluster: cluster_id(1), view: Box::new(view) });
    w
}

fn proven() -> World {
    let mut w = World::new();
    w.tell(Command::RequireProofs { required: true });
    for n in 1..=3 {
        w.join(n, 40_000);
    }
    w.prove(1, Tier::Proven);
    w.prove(2, Tier::Measured);
    w.pass(1_000);
    let mut late = verdict(w.now, Tier::Claimed);
    (late.score, late.class, late.expires_at_ms) = (1, None, w.now.0);
    late.evidence.clear();
    late.reason = Some("in trial 2 it answered too late".to_owned());
    late.signals = vec![Signal { code: "vgpu".into(), text: "a slice".into(), at_ms: 5 }];
    w.tell(Command::JudgeDevice { device: device_id(3), verdict: Box::new(late) });
    w.request(1, ClusterSpec { min_tier: Tier::Proven, ..spec(1) });
    w.fund(1);
    w.join_with(2, inventory(2), device_terms(2, 40_000));
    w
}

fn eventful() -> World {
    let mut w = World::new();
    for n in 1..=5 {
        w.join(n, 40_000 + u64::from(n));
    }
    w.ready(1, 3);
    w.pass(5_000);
    let (cluster, silent_since) = (cluster_id(1), w.now);
    w.tell(Command::DeviceSilent { device: device_id(2), silent_since });
    w.tell(Command::DeviceLost { device: device_id(2), silent_since });
    w.tell(Command::Drain { device: device_id(5), drain: true });
    let line = w.facts.clusters[&cluster].head().unwrap().line.unwrap();
    w.tell(Command::LineRejected { cluster, line });
    w.start_and_end();
    w.bind(1);
    w.request(2, spec(1));
    let reason = EndReason::Renter;
    w.tell(Command::CloseRequested { cluster, reason });
    w.close_on_chain(1);
    let lines = vec![AttestedLine { index: 0, served_s: 4 }];
    w.tell(Command::Attested { cluster, page: 0, lines, last: true });
    w.pass(70_000);
    w.tell(Command::GiveUpParts { cluster });
    w.tell(Command::UpdateTerms { device: device_id(4), terms: None });
    w
}

#[test]
fn unknown_fields_are_ignored_and_newer_forms_refused() {
    let event = Event::DrainChanged { device: device_id(1), draining: true };
    let json = event.to_json().replace('}', r#","shade":"blue"}"#);
    assert_eq!(Event::from_json(1, &json).unwrap(), event);
    let newer = Event::from_json(2, &json).unwrap_err();
    assert!(matches!(newer, RecordError::Newer { version: 2, .. }), "{newer}");
    let unknown = json.replace("drain-changed", "warp-engaged");
    assert!(matches!(Event::from_json(1, &unknown), Err(RecordError::Newer { .. })));
    assert!(matches!(Event::from_json(1, "{"), Err(RecordError::Json(_))));
}

#[test]
fn a_log_replays_to_the_same_facts() {
    let w = eventful();
    assert_eq!(fold(&w.log_text()), w.facts);
}
