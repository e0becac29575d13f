//! Trials between a real chain and devices of every manner.

use crate::device::Device;
use crate::manner::{Manner, ROUNDS};
use crate::world::{Running, World, eventually};
use ionet_api::DeviceStateName;
use ionet_coordinator::trial::TrialSettings;
use ionet_core::{DeviceId, Tier};
use ionet_ledger::Signature;
use ionet_trust::record::{
    Disagreement, Lane, Outcome, Proofs, Record, anchor_text, promise_in, promise_text, replay,
};
use std::collections::BTreeMap;

pub(crate) async fn world(period_s: u32) -> World {
    let mut world = World::new().await;
    world.config.proofs_required = true;
    world.config.trials = Some(TrialSettings {
        period_s,
        work_ms: 600,
        side: 64,
        openings: 32,
        grace_ms: 700,
        proof_ms: 2_000,
        duty_per_mille: 1_000,
        keep: 50,
        stream_mib: 0,
        stream_ms: 900,
        stream_openings: 16,
        chip_side: 128,
        matrix_ms: 600,
        rows: None,
    });
    world
}

/// Records and proofs in the coordinator's folder, by number.
pub(crate) fn records(world: &World) -> BTreeMap<u64, (Record, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let folder = world.config.data_dir.join("trials");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "record") {
            let record = Record::decode(&std::fs::read(&path).unwrap()).unwrap();
            let proofs = std::fs::read(path.with_extension("proofs")).unwrap();
            found.insert(record.trial.0, (record, proofs));
        }
    }
    found
}

pub(crate) fn disagreements(record: &Record, proofs: &[u8]) -> Vec<Disagreement> {
    let proofs = Proofs::new(proofs).unwrap();
    replay(record, |device, task| proofs.get(device, task).map(<[u8]>::to_vec)).disagreements
}

/// The first record in which the device has an entry, and what came of it there.
fn first(world: &World, id: DeviceId) -> Option<(u64, Outcome)> {
    records(world).values().find_map(|(record, _)| {
        let entry = record.entries.iter().find(|e| e.chip.device == id)?;
        Some((record.trial.0, entry.answers[0].outcome))
    })
}

pub(crate) async fn device(world: &World, at: &Running, manner: Manner) -> Device {
    let supplier = world.wallet(0).await;
    let keys = world.register(&supplier).await;
    let disk = std::sync::Arc::new(std::sync::Mutex::new(crate::device::Disk_::default()));
    disk.lock().unwrap().manner = Some(manner);
    Device::start_with(keys, &at.control.network(), disk)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_manner_has_its_outcome_and_harms_nobody_else() {
    let world = world(3_600).await;
    let at = world.start().await;
    let manners = [
        (Manner::Honest, Outcome::Proven(ROUNDS)),
        (Manner::Declines, Outcome::Declined),
        (Manner::Stalls, Outcome::Silent),
        (Manner::Dawdles, Outcome::Late),
        (Manner::Disorderly, Outcome::Silent),
        (Manner::Garbles, Outcome::Rejected),
        (Manner::Borrows, Outcome::Rejected),
        (Manner::Truncates, Outcome::Rejected),
        (Manner::Forgets, Outcome::Withheld),
        (Manner::Balks, Outcome::Withheld),
        (Manner::HangsUp, Outcome::Silent),
        (Manner::Babbles, Outcome::Silent),
        (Manner::Repeats, Outcome::Silent),
        (Manner::Recalls, Outcome::Rejected),
        (Manner::Trickles, Outcome::Withheld),
    ];
    let mut devices = Vec::new();
    for (manner, _) in manners {
        devices.push(device(&world, &at, manner).await);
    }
    let refuses = device(&world, &at, Manner::Refuses).await;
    world.device_is(&at, devices[0].id, DeviceStateName::Idle).await;
    let judged = at.control.device(devices[0].id).unwrap().verdict.unwrap();
    assert!(judged.tier >= Tier::Measured, "{judged:?}");
    for (device, (manner, outcome)) in devices.iter().zip(manners) {
        let what = format!("{manner:?} is in a record");
        let (_, found) = eventually(&what, || async { first(&world, device.id) }).await;
        assert_eq!(found, outcome, "{manner:?}");
        if manner != Manner::Honest {
            let shown = at.control.device(device.id).unwrap();
            assert_eq!(shown.state, DeviceStateName::Proving, "{manner:?}");
        }
    }
    assert_eq!(first(&world, refuses.id), None, "who refuses the stream is in no record");
    let all = records(&world);
    for (record, proofs) in all.values() {
        assert_eq!(disagreements(record, proofs), vec![], "trial {}", record.trial);
    }
    // Whoever mends its ways is tried again, and gets its place.
    devices[5].with(|disk| disk.manner = Some(Manner::Honest));
    world.device_is(&at, devices[5].id, DeviceStateName::Idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_period_has_a_trial_that_the_chain_vouches_for() {
    let world = world(4).await;
    let at = world.start().await;
    let _device = device(&world, &at, Manner::Honest).await;
    let two = eventually("two trials of periods", || async {
        let all = records(&world).into_values();
        let period: Vec<_> = all.filter(|(r, _)| r.lane == Lane::Period).collect();
        (period.len() >= 2).then_some(period)
    })
    .await;
    let chain = world.ledger.connection();
    for (record, proofs) in &two {
        assert_eq!(disagreements(record, proofs), vec![]);
        let found = chain.published(&Signature::from(record.anchor)).await.unwrap().unwrap();
        assert_eq!(found.slot, record.anchor_slot);
        assert_eq!(found.payer.to_bytes(), record.coordinator.0);
        for start in &record.starts {
            let block = chain.block_at(start.mark.slot).await.unwrap().unwrap();
            assert_eq!(block.hash, start.mark.hash);
        }
        let late = chain.block_after(record.anchor_slot).await.unwrap().unwrap();
        assert_eq!((late.slot, late.hash), (record.late.slot, record.late.hash));
        let promise = chain.published(&Signature::from(record.promise)).await.unwrap().unwrap();
        assert_eq!(promise.slot, record.promise_slot);
        assert_eq!(promise.payer.to_bytes(), record.coordinator.0);
        assert_eq!(promise_in(&promise.texts[0], record.lane), Some(record.promised));
        let basis = chain.block_after(record.promise_slot).await.unwrap().unwrap();
        assert_eq!((basis.slot, basis.hash), (record.basis.slot, record.basis.hash));
    }
    // Each anchor names the record before it and promises the secret of the next.
    let [(before, _), (after, _), ..] = &two[..] else { unreachable!() };
    assert_eq!(after.previous, before.hash());
    let anchor = chain.published(&Signature::from(before.anchor)).await.unwrap().unwrap();
    let root = before.entries_root();
    let text = anchor_text(Lane::Period, before.trial, &root, &after.promised, &before.previous);
    assert_eq!(anchor.texts, [text]);
    // That anchor is the promise, and the moment follows from the block after it.
    assert_eq!((after.promise, after.promise_slot), (before.anchor, before.anchor_slot));
    assert_eq!(after.basis, before.late);
    // The first promise stands alone.
    let alone = chain.published(&Signature::from(before.promise)).await.unwrap().unwrap();
    assert_eq!(alone.slot, before.promise_slot);
    assert_eq!(alone.texts, [promise_text(Lane::Period, &before.promised)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_a_crash_cut_off_blames_nobody() {
    let world = world(3_600).await;
    let at = world.start().await;
    let stalls = device(&world, &at, Manner::Stalls).await;
    // Its number is on disk, and the secret is given up, before anything of it is said.
    let state = world.config.data_dir.join("trials/state.json");
    let begun = |text: &str| {
        let state: serde_json::Value = serde_json::from_str(text).ok()?;
        (state["newest"] == 1 && state["joining"]["secret"].is_null()).then_some(())
    };
    eventually("a trial has begun", || async { begun(&std::fs::read_to_string(&state).ok()?) })
        .await;
    at.crash().await;
    assert!(records(&world).is_empty(), "it left no record");
    drop(stalls);
    let at = world.start().await;
    let honest = device(&world, &at, Manner::Honest).await;
    world.device_is(&at, honest.id, DeviceStateName::Idle).await;
    let (trial, outcome) = first(&world, honest.id).unwrap();
    assert!(trial > 1, "numbers are not used again");
    assert_eq!(outcome, Outcome::Proven(ROUNDS));
}
