//! Trials of several tasks, chips of a class, and trials that come to nothing.

use crate::device::{Device, Disk_, Others};
use crate::manner::Manner;
use crate::rest::Client;
use crate::several::{FEW, ROUNDS, Way};
use crate::trials::{device, disagreements, records, world};
use crate::world::{Running, World, eventually};
use ionet_api::{DeviceStateName, DeviceVerdict};
use ionet_core::{Chip, ChipClass, DeviceId, Provenance, Task, Tier, Units};
use ionet_trust::classes::Rows;
use ionet_trust::memory::PASSES_MIN;
use ionet_trust::record::{Outcome, Proofs, Record, replay};
use ionet_wire::prove::{CHIP_FEATURE, CHIPS_FEATURE, MATRIX_FEATURE, STREAM_FEATURE};
use serde_json::Value;
use std::sync::{Arc, Mutex};

const MIB: u64 = 1 << 20;

/// A class of a table of these tests, which asks for little but its integer rate (G/s).
fn row(class: &str, integer: u64, spread_permille: u64) -> String {
    format!(
        "[[class]]\nclass = \"{class}\"\npool = \"nvidia\"\nweight = 100\n\
         spread_permille = {spread_permille}\nmemory_gib = 1\n[class.measured]\n\
         integer = {integer}\nmatrix = 1\nstream = 1\nlink = 1\nsource = \"nowhere\"\n"
    )
}

async fn several(world: &World, at: &Running, way: Way, chip: Option<ChipClass>) -> Device {
    with_disk(world, at, disk(way, chip)).await
}

async fn with_disk(world: &World, at: &Running, disk: Disk_) -> Device {
    let keys = world.register(&world.wallet(0).await).await;
    Device::start_with(keys, &at.control.network(), Arc::new(Mutex::new(disk)))
}

fn disk(way: Way, chip: Option<ChipClass>) -> Disk_ {
    let mut disk = Disk_ { manner: Some(Manner::Several(way)), ..Disk_::default() };
    disk.features.push(STREAM_FEATURE);
    if let Some(class) = chip {
        disk.features.push(CHIP_FEATURE);
        disk.features.extend((way == Way::Units).then_some(MATRIX_FEATURE));
        let model = class.as_str().to_owned();
        disk.chips.push(Chip { class, model, uuid: None, memory_bytes: 1 << 30, cdi: None });
    }
    disk
}

/// The first record that names the device, and what came of its tasks there.
async fn outcomes(world: &World, id: DeviceId) -> (Record, Vec<Outcome>) {
    eventually(&format!("{id} is in a record"), || async {
        records(world).into_values().find_map(|(record, _)| {
            let entry = record.entries.iter().find(|e| e.chip.device == id)?;
            let outcomes = entry.answers.iter().map(|a| a.outcome).collect();
            Some((record, outcomes))
        })
    })
    .await
}

async fn verdict(at: &Running, id: DeviceId) -> DeviceVerdict {
    eventually(&format!("{id} is judged"), || async { at.control.device(id)?.verdict }).await
}

/// A figure that was proven.
fn proven(verdict: &DeviceVerdict, name: &str) -> Option<u64> {
    let figures = verdict.figures.iter().filter(|f| f.known == Provenance::Proven);
    figures.filter(|f| f.name == name).map(|f| f.value).next()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_task_has_its_own_beacon_and_time_and_nobody_gains_by_either() {
    let mut world = world(3_600).await;
    world.config.trials.as_mut().unwrap().stream_mib = 1;
    let at = world.start().await;
    let (rounds, passes) = (Outcome::Proven(ROUNDS), Outcome::Proven(PASSES_MIN));
    let ways = [
        (Way::Honest, [rounds, passes]),
        (Way::HoldsBack, [rounds, Outcome::Rejected]),
        (Way::LateSecond, [rounds, Outcome::Late]),
        (Way::OthersPages, [rounds, Outcome::Rejected]),
        (Way::FewPasses, [rounds, Outcome::Proven(FEW)]),
        (Way::Skips, [rounds, Outcome::Declined]),
        (Way::Leaves, [Outcome::Declined; 2]),
        (Way::Balks, [Outcome::Withheld; 2]),
        (Way::HalfProof, [rounds, Outcome::Withheld]),
    ];
    let mut devices = Vec::new();
    for (way, _) in ways {
        devices.push(several(&world, &at, way, None).await);
    }
    // It knows nothing of memory, and is not asked for any.
    let older = device(&world, &at, Manner::Honest).await;
    for (device, (way, expected)) in devices.iter().zip(ways) {
        let (record, found) = outcomes(&world, device.id).await;
        assert_eq!(found, expected, "{way:?}");
        let [first, second] = record.starts[..] else { panic!("{:?}", record.starts) };
        assert!(first.mark.slot < second.mark.slot && first.at_us < second.at_us);
        let entry = record.entries.iter().find(|e| e.chip.device == device.id).unwrap();
        let (_, arrived) = entry.answers[0].committed.unwrap();
        assert!(first.at_us + arrived <= second.at_us, "the second task waits for the first");
        let judged = verdict(&at, device.id).await;
        let shown = (proven(&judged, "memory_bytes"), proven(&judged, "memory_bytes_per_s"));
        if way == Way::Honest {
            assert_eq!(shown.0, Some(MIB));
            assert!(shown.1.is_some_and(|rate| rate > 0), "{judged:?}");
            assert_eq!(judged.tier, Tier::Proven, "{judged:?}");
        } else {
            assert_eq!(shown, (None, None), "{way:?}");
        }
        let wrong = expected.iter().any(|o| matches!(o, Outcome::Rejected | Outcome::Withheld));
        // Whoever is wrong in one task is believed in none.
        assert_eq!(proven(&judged, "integer_multiply_adds_per_s").is_none(), {
            wrong || way == Way::Leaves
        });
        assert_eq!(judged.reason.is_some_and(|r| r.contains("wrong answer")), wrong, "{way:?}");
    }
    let (record, found) = outcomes(&world, older.id).await;
    assert_eq!(found, [rounds]);
    assert!(record.assignments.iter().any(|tasks| tasks.len() == 1));
    for (record, proofs) in records(&world).values() {
        assert_eq!(disagreements(record, proofs), vec![], "trial {}", record.trial);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chip_that_a_worker_drives_is_judged_by_its_class() {
    // Nothing does what the second one says.
    let table = [row("rtx-3060", 1, 999), row("rtx-4090", 900_000_000, 1)].concat();
    let mut world = world(3_600).await;
    let rows: &'static Rows = Box::leak(Box::new(Rows::parse(&table).unwrap()));
    world.config.trials.as_mut().unwrap().rows = Some(rows);
    let at = world.start().await;
    let class = |name: &str| name.parse::<ChipClass>().unwrap();
    // All of them say no to a GiB of memory.
    let fits = several(&world, &at, Way::Skips, Some(class("rtx-3060"))).await;
    let slow = several(&world, &at, Way::Skips, Some(class("rtx-4090"))).await;
    let unknown = several(&world, &at, Way::Skips, Some(class("t4"))).await;
    unknown.with(|disk| disk.manner = Some(Manner::Honest));
    let (record, found) = outcomes(&world, fits.id).await;
    assert_eq!(found, [Outcome::Proven(ROUNDS), Outcome::Declined]);
    let entry = record.entries.iter().find(|e| e.chip.device == fits.id).unwrap();
    let [rounds, pass] = record.assignments[usize::from(entry.assignment)][..] else { panic!() };
    assert!(matches!(rounds, Task::Multiply { side: 128, .. }), "{rounds:?}");
    assert!(matches!(pass, Task::Stream { bytes, .. } if bytes == 1 << 30), "{pass:?}");

    let judged = verdict(&at, fits.id).await;
    assert_eq!((judged.tier, judged.class.as_deref()), (Tier::Measured, Some("rtx-3060")));
    let reason = judged.reason.unwrap();
    assert!(reason.contains("not proven yet: matrix rate"), "{reason}");

    let judged = verdict(&at, slow.id).await;
    assert_eq!((judged.tier, judged.class), (Tier::Claimed, None));
    assert!(judged.reason.unwrap().contains("that every rtx-4090 has"));

    let judged = verdict(&at, unknown.id).await;
    assert_eq!((judged.tier, judged.class), (Tier::Claimed, None));
    assert!(judged.reason.unwrap().contains("what a t4 does is not known"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_chip_of_a_machine_proves_for_itself_and_one_is_not_taken_for_two() {
    let table = row("rtx-3060", 1, 999);
    let mut world = world(3_600).await;
    let rows: &'static Rows = Box::leak(Box::new(Rows::parse(&table).unwrap()));
    world.config.trials.as_mut().unwrap().rows = Some(rows);
    let at = world.start().await;
    let rounds = Outcome::Proven(ROUNDS);
    for (others, expected) in [
        (Others::Themselves, vec![rounds, rounds]),
        (Others::First, vec![rounds, Outcome::Rejected]),
        (Others::Nothing, vec![rounds]),
    ] {
        let mut disk = disk(Way::Skips, Some("rtx-3060".parse().unwrap()));
        disk.features.push(CHIPS_FEATURE);
        disk.chips.push(disk.chips[0].clone());
        disk.others = others;
        let machine = with_disk(&world, &at, disk).await;
        let found = eventually(&format!("two chips: {others:?}"), || async {
            records(&world).into_values().find_map(|(record, proofs)| {
                assert_eq!(disagreements(&record, &proofs), vec![]);
                let own = record.entries.iter().filter(|e| e.chip.device == machine.id);
                let own: Vec<_> = own.map(|e| (e.chip.number, e.answers[0].outcome)).collect();
                (own.len() == expected.len()).then_some(own)
            })
        })
        .await;
        let expected: Vec<_> = (0..).zip(expected.iter().copied()).collect();
        assert_eq!(found, expected, "{others:?}");
        let judged = verdict(&at, machine.id).await;
        let tier = if others == Others::Themselves { Tier::Measured } else { Tier::Claimed };
        assert_eq!(judged.tier, tier, "{others:?}: {judged:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chip_with_matrix_units_proves_their_rate_beside_that_of_its_integers() {
    let table = row("rtx-3060", 1, 999);
    let mut world = world(3_600).await;
    let rows: &'static Rows = Box::leak(Box::new(Rows::parse(&table).unwrap()));
    world.config.trials.as_mut().unwrap().rows = Some(rows);
    let at = world.start().await;
    let class = Some("rtx-3060".parse().unwrap());
    let device = several(&world, &at, Way::Units, class).await;
    let (record, found) = outcomes(&world, device.id).await;
    assert_eq!(found, [Outcome::Proven(ROUNDS), Outcome::Proven(ROUNDS), Outcome::Declined]);
    let entry = record.entries.iter().find(|e| e.chip.device == device.id).unwrap();
    let [integer, matrix, _] = record.assignments[usize::from(entry.assignment)][..] else {
        panic!("{record:?}")
    };
    assert!(matches!(integer, Task::Multiply { units: Units::Integer, side: 128, .. }));
    assert!(matches!(matrix, Task::Multiply { units: Units::Matrix, side: 128, .. }));
    let judged = verdict(&at, device.id).await;
    for name in ["integer_multiply_adds_per_s", "matrix_multiply_adds_per_s"] {
        assert!(proven(&judged, name).is_some_and(|rate| rate > 0), "{name}: {judged:?}");
    }
    // It said no to the pass over memory: that is all that is missing.
    assert_eq!(judged.tier, Tier::Measured);
    let reason = judged.reason.unwrap();
    assert!(reason.contains("memory") && !reason.contains("matrix"), "{reason}");
    for (record, proofs) in records(&world).values() {
        assert_eq!(disagreements(record, proofs), vec![], "trial {}", record.trial);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_came_to_nothing_keeps_its_number_and_says_why() {
    let world = world(3_600).await;
    let at = world.start().await;
    let stalls = device(&world, &at, Manner::Stalls).await;
    let state = world.config.data_dir.join("trials/state.json");
    let begun = || async {
        let state: Value = serde_json::from_str(&std::fs::read_to_string(&state).ok()?).ok()?;
        (state["begun"]["trial"] == 1).then_some(())
    };
    eventually("a trial has begun", begun).await;
    at.crash().await;
    drop(stalls);
    let at = world.start().await;
    let honest = device(&world, &at, Manner::Honest).await;
    world.device_is(&at, honest.id, DeviceStateName::Idle).await;
    let all = records(&world);
    let (record, proofs) = all.values().next().unwrap();
    assert_eq!((record.trial.0, record.before.0), (2, 0));
    let proofs = Proofs::new(proofs).unwrap();
    let found = replay(record, |device, task| proofs.get(device, task).map(<[u8]>::to_vec));
    assert_eq!((found.voided, found.disagreements), (1, vec![]));

    let client = Client::sign_in(&at, &world.wallet(0).await).await;
    let listed: Value = client.get("/v1/trials").await.json().await.unwrap();
    let void = listed.as_array().unwrap().last().unwrap();
    assert_eq!((&void["trial"], &void["record_hash"]), (&1.into(), &Value::Null));
    assert!(void["void"].as_str().unwrap().contains("stopped in the middle"), "{void}");
    // What had been promised for it stands on the chain, and no record names it.
    let promise: ionet_ledger::Signature = void["promise"].as_str().unwrap().parse().unwrap();
    assert!(world.ledger.connection().published(&promise).await.unwrap().is_some());
    assert!(all.values().all(|(record, _)| record.promise != <[u8; 64]>::from(promise)));
    assert_eq!(client.get("/v1/trials/1/record").await.status(), 404);
}
