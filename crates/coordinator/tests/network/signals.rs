//! What is seen of devices and no proof shows: real connections, and reports of every manner.

use crate::device::{Device, DeviceKeys, Disk_, was_refused};
use crate::manner::Manner;
use crate::trials::world;
use crate::world::{Running, World, eventually};
use ionet_api::{DeviceStateName, DeviceVerdict};
use ionet_core::{DeviceId, Provenance, Tier, Wallet};
use ionet_trust::signals::{
    ChipFacts, Fingerprint, HostFacts, Hypervisor, Landmark, Purpose, Report, Salt,
};
use ionet_wire::message::{Echo, RefusedCode};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

fn print(salt: Salt, purpose: Purpose, raw: &str) -> Fingerprint {
    salt.print(purpose, raw).expect("it identifies something")
}

/// A processor on a board that others have too, under Windows' Linux.
fn shared_board(salt: Salt) -> Vec<Report> {
    let host = HostFacts { hypervisor: Hypervisor::Wsl2 };
    vec![Report { host, chips: vec![], prints: vec![print(salt, Purpose::Board, "PF3ABCDE")] }]
}

/// A slice whose driver's name would command a terminal.
fn slice(salt: Salt) -> Vec<Report> {
    let model = "\u{1b}]0;owned\u{7}\0\nNVIDIA A40-12Q".to_owned();
    let chip = ChipFacts { model, vgpu: true, ..ChipFacts::default() };
    let prints = vec![print(salt, Purpose::Uuid, "GPU-6f1d2c3b-0001")];
    vec![Report { chips: vec![chip], prints, ..Report::default() }]
}

fn thousands(salt: Salt) -> Vec<Report> {
    let board = |i: u32| print(salt, Purpose::Board, &format!("board-{i}"));
    vec![Report { prints: (0..3_000).map(board).collect(), ..Report::default() }]
}

/// Another chip each time.
fn fickle(salt: Salt) -> Vec<Report> {
    let chip = |i: u32| print(salt, Purpose::Uuid, &format!("GPU-abcd{i:04}"));
    (0..20).map(|i| Report { prints: vec![chip(i)], ..Report::default() }).collect()
}

fn first_of_fickle(salt: Salt) -> Vec<Report> {
    vec![fickle(salt).swap_remove(0)]
}

fn last_of_fickle(salt: Salt) -> Vec<Report> {
    vec![fickle(salt).swap_remove(19)]
}

async fn start(world: &World, at: &Running, edit: impl FnOnce(&mut Disk_)) -> Device {
    let keys = world.register(&world.wallet(0).await).await;
    start_as(at, keys, edit)
}

fn start_as(at: &Running, keys: DeviceKeys, edit: impl FnOnce(&mut Disk_)) -> Device {
    let mut disk = Disk_ { manner: Some(Manner::Honest), ..Disk_::default() };
    edit(&mut disk);
    Device::start_with(keys, &at.control.network(), Arc::new(Mutex::new(disk)))
}

fn verdict(at: &Running, id: DeviceId) -> Option<DeviceVerdict> {
    at.control.device(id)?.verdict
}

fn codes(verdict: &DeviceVerdict) -> Vec<&str> {
    verdict.signals.iter().map(|signal| signal.code.as_str()).collect()
}

/// The first verdict with these signals and no others.
async fn seen(at: &Running, id: DeviceId, expected: &[&str]) -> DeviceVerdict {
    let what = format!("{id} has {expected:?}");
    let found = || async { verdict(at, id).filter(|verdict| codes(verdict) == expected) };
    eventually(&what, found).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_seen_stands_beside_a_verdict_and_lowers_nothing_of_it() {
    let world = world(3).await;
    let at = world.start().await;
    let plain = start(&world, &at, |_| ()).await;
    let supplier = world.wallet(0).await;
    let neighbours = [world.register(&supplier).await, world.register(&supplier).await];
    let board = |disk: &mut Disk_| disk.reports = Some(shared_board);
    let neighbours = neighbours.map(|keys| start_as(&at, keys, board));
    let rented = start(&world, &at, |disk| disk.reports = Some(slice)).await;

    let of_plain = seen(&at, plain.id, &[]).await;
    for (device, other) in [(&neighbours[0], &neighbours[1]), (&neighbours[1], &neighbours[0])] {
        let beside = seen(&at, device.id, &["same-machine"]).await;
        assert!(beside.signals[0].text.contains(&other.id.to_string()), "{beside:?}");
        assert_eq!((beside.tier, &beside.class), (of_plain.tier, &of_plain.class));
    }
    let slice = seen(&at, rented.id, &["vgpu-profile"]).await;
    assert!(slice.tier >= Tier::Measured && slice.tier == of_plain.tier, "{slice:?}");
    let shown = &slice.signals[0].text;
    assert!(shown.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{shown:?}");
    // The round trip is there for everybody, and says how it is known.
    for verdict in [&of_plain, &slice] {
        let trip = verdict.figures.iter().find(|figure| figure.name == "round_trip_us").unwrap();
        assert_eq!((trip.known, trip.trial), (Provenance::Measured, None));
        assert!((1..10_000_000).contains(&trip.value), "{trip:?}");
    }
    // Gone with the neighbour, and as old as it is while it stays.
    let [left, gone] = neighbours;
    drop(gone);
    seen(&at, left.id, &[]).await;
    let first = slice.signals[0].at_ms;
    let newer = || async { verdict(&at, rented.id).filter(|newer| newer.at_ms > slice.at_ms) };
    let newer = eventually("another verdict", newer).await;
    assert_eq!((codes(&newer), newer.signals[0].at_ms), (vec!["vgpu-profile"], first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_another_device_tells_again_is_a_signal_of_both() {
    let world = world(3).await;
    let at = world.start().await;
    let victim = start(&world, &at, |disk| disk.reports = Some(slice)).await;
    let alone = seen(&at, victim.id, &["vgpu-profile"]).await;
    let thief = start(&world, &at, |disk| disk.reports = Some(slice)).await;
    let both = ["duplicate-uuid", "vgpu-profile"];
    let of_thief = seen(&at, thief.id, &both).await;
    let of_victim = seen(&at, victim.id, &both).await;
    assert!(of_thief.signals[0].text.contains(&victim.id.to_string()));
    assert!(of_victim.signals[0].text.contains(&thief.id.to_string()));
    assert_eq!((of_victim.tier, of_thief.tier), (alone.tier, alone.tier), "nothing is taken");
}

/// Events in the coordinator's log.
fn events(world: &World) -> i64 {
    let log = rusqlite::Connection::open(world.config.data_dir.join("log.sqlite")).unwrap();
    log.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_over_a_limit_end_the_session_and_floods_are_not_looked_at() {
    let world = world(3_600).await;
    let at = world.start().await;
    let huge = start(&world, &at, |disk| disk.reports = Some(thousands)).await;
    let refused =
        || async { huge.with(|disk| was_refused(disk, RefusedCode::Malformed)).then_some(()) };
    eventually("an oversized report is refused", refused).await;
    drop(huge);

    // Twenty chips in a moment: the first one counts, and none goes to the log by itself.
    let before = events(&world);
    let flood = start(&world, &at, |disk| disk.reports = Some(fickle)).await;
    world.device_is(&at, flood.id, DeviceStateName::Idle).await;
    assert!(events(&world) - before <= 6, "{} events more", events(&world) - before);
    assert!(flood.with(|disk| disk.refusals.is_empty() && disk.welcomes.len() == 1));
    let like_first = start(&world, &at, |disk| disk.reports = Some(first_of_fickle)).await;
    let like_last = start(&world, &at, |disk| disk.reports = Some(last_of_fickle)).await;
    seen(&at, like_first.id, &["duplicate-uuid"]).await;
    seen(&at, like_last.id, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_contradicted_by_nearness_alone() {
    let mut world = world(3).await;
    let name = "frankfurt".to_owned();
    world.config.landmark = Some(Landmark { name, latitude: 50_110, longitude: 8_680 });
    let at = world.start().await;
    let claiming =
        |region: &'static str| move |disk: &mut Disk_| disk.region = Some(region.parse().unwrap());
    let liar = start(&world, &at, claiming("oceania")).await;
    let honest = start(&world, &at, claiming("eu-central")).await;
    // One that says nothing, and one that says anything, have no round trip at all.
    let silent = start(&world, &at, |disk| {
        claiming("oceania")(disk);
        disk.echo = Some(|_| None);
    })
    .await;
    let guessing = start(&world, &at, |disk| {
        claiming("oceania")(disk);
        disk.echo = Some(|echo: Echo| Some(Echo { nonce: echo.nonce.map(|byte| !byte) }));
    })
    .await;
    let told = seen(&at, liar.id, &["region-contradicted"]).await;
    assert!(told.signals[0].text.contains("claims oceania, but answers frankfurt"), "{told:?}");
    assert_eq!(seen(&at, honest.id, &[]).await.tier, told.tier);
    for device in [&silent, &guessing] {
        let verdict = seen(&at, device.id, &[]).await;
        assert!(verdict.figures.iter().all(|figure| figure.name != "round_trip_us"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_coordinator_asks_again_under_another_salt() {
    let world = world(3).await;
    let at = world.start().await;
    let supplier = world.wallet(0).await;
    let board = |disk: &mut Disk_| disk.reports = Some(shared_board);
    let mut devices = Vec::new();
    for _ in 0..2 {
        devices.push(start_as(&at, world.register(&supplier).await, board));
    }
    let before = seen(&at, devices[0].id, &["same-machine"]).await;
    at.crash().await;
    let at = world.start().await;
    let newer = || async {
        let verdict = verdict(&at, devices[0].id)?;
        (verdict.at_ms > before.at_ms && codes(&verdict) == ["same-machine"]).then_some(())
    };
    eventually("the new process sees it too", newer).await;
    let salts = devices[0].with(|disk| {
        let prints = |salt| format!("{:?}", shared_board(salt)[0].prints);
        let salts = disk.welcomes.iter().map(|welcome| prints(welcome.salt.unwrap()));
        salts.collect::<BTreeSet<_>>()
    });
    assert_eq!(salts.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_that_share_a_payout_address_or_a_machine_are_told() {
    let world = world(3).await;
    let at = world.start().await;
    let payout = Wallet([77; 32]);
    let board = |disk: &mut Disk_| disk.reports = Some(shared_board);
    let mut devices = Vec::new();
    for _ in 0..2 {
        let supplier = world.wallet(0).await;
        let keys = world.register_paid_to(&supplier, payout).await;
        devices.push(start_as(&at, keys, board));
    }
    // Another's device is paid to its own wallet, and stands elsewhere.
    let other = start(&world, &at, |_| ()).await;
    for device in &devices {
        let verdict = seen(&at, device.id, &["shared-machine", "shared-payout"]).await;
        assert!(verdict.signals[0].text.contains("under 2 wallets"), "{verdict:?}");
        let expected = format!("2 devices of 2 wallets are paid out to {payout}");
        assert_eq!(verdict.signals[1].text, expected);
    }
    seen(&at, other.id, &[]).await;
}
