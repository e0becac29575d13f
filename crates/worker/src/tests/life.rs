//! Parts and sessions as they should go, and as they break.

use super::rig::{Rig, welcome};
use crate::host::Look;
use crate::store::{RECEIPTS_SHOWN, Store};
use crate::testing::{lease, receipt_by, signed_receipt};
use crate::worker::{Stop, WorkerError};
use ionet_core::{Egress, Member, PartState, Role, Wallet};
use ionet_wire::message::{CommandBody, Outcome, Refused, RefusedCode, ToCoordinator, ToDevice};

fn ready(state: &PartState) -> bool {
    matches!(state, PartState::Ready { .. })
}

#[tokio::test]
async fn a_part_comes_and_goes() {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let (mut talk, hello) = coordinator.admit(1).await;
    assert_eq!((hello.last_session, hello.boot, hello.draining), (0, 1, false));
    assert!(hello.inventory.is_bounded() && hello.parts.is_empty());
    assert_eq!(hello.enrolment.request.request.device, rig.key.id());
    assert_eq!(ionet_wire::endpoint::remote_device(&talk.connection), rig.key.id());

    let spec = rig.spec(1, 1);
    let id = spec.id;
    assert_eq!(talk.run_part(spec.clone(), 1).await, Outcome::Accepted);
    let running_part = talk.until(id, |s| *s == PartState::Running).await;
    rig.host.inside.lock().unwrap().nodes = Some(1);
    let ready_part = talk.until(id, ready).await;
    assert_eq!(ready_part.state, PartState::Ready { alive_nodes: Some(1) });
    assert_eq!(ready_part.started_at, running_part.started_at);
    assert_eq!(talk.run_part(spec, 1).await, Outcome::Accepted, "repeating changes nothing");
    assert_eq!(rig.host.inside.lock().unwrap().starts, 1);

    // The head no longer answers: no longer ready, still running.
    rig.host.inside.lock().unwrap().nodes = None;
    talk.until(id, |s| *s == PartState::Running).await;

    let stop = CommandBody::StopPart { id, grace_seconds: 1 };
    assert_eq!(talk.command(stop.clone()).await, Outcome::Accepted);
    talk.until(id, |s| *s == PartState::Stopped).await;
    assert_eq!(rig.host.look_at(id), Look::Missing);
    talk.until_empty().await;
    assert_eq!(talk.command(stop).await, Outcome::Accepted, "stopped is stopped");
    let again = talk.run_part(rig.spec(1, 1), 1).await;
    assert_eq!(again, Outcome::StaleGeneration { seen: 1 }, "a stopped generation stays so");
    running.end(Stop::Now).await.unwrap();
}

#[tokio::test]
async fn a_newer_generation_takes_over_and_an_older_is_refused() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    rig.host.inside.lock().unwrap().nodes = Some(1);
    for generation in [3, 5] {
        let spec = rig.spec(1, generation);
        let id = spec.id;
        assert_eq!(talk.run_part(spec, 1).await, Outcome::Accepted);
        talk.until(id, ready).await;
        assert_eq!(rig.host.inside.lock().unwrap().containers.len(), 1);
    }
    let stale = Outcome::StaleGeneration { seen: 5 };
    assert_eq!(talk.run_part(rig.spec(1, 4), 1).await, stale);
    let old = rig.spec(1, 3).id;
    assert_eq!(talk.command(CommandBody::StopPart { id: old, grace_seconds: 0 }).await, stale);
    let membership = rig.spec(1, 4).membership;
    let members = CommandBody::SetMembers { id: rig.spec(1, 4).id, membership };
    assert_eq!(talk.command(members).await, stale);
    talk.until(rig.spec(1, 5).id, ready).await;
}

#[tokio::test]
async fn members_change_without_a_restart() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    rig.host.inside.lock().unwrap().nodes = Some(1);
    let spec = rig.spec(1, 1);
    talk.run_part(spec.clone(), 1).await;
    let before = talk.until(spec.id, ready).await;
    let mut membership = spec.membership.clone();
    let device = ionet_core::DeviceId([8; 32]);
    membership.members.push(Member { device, ip: [10, 130, 1, 3].into(), role: Role::Worker });
    rig.host.inside.lock().unwrap().nodes = Some(2);
    let networks = rig.host.inside.lock().unwrap().networks;
    let members = CommandBody::SetMembers { id: spec.id, membership };
    assert_eq!(talk.command(members).await, Outcome::Accepted);
    let two = |s: &PartState| *s == PartState::Ready { alive_nodes: Some(2) };
    let after = talk.until(spec.id, two).await;
    assert_eq!(after.started_at, before.started_at);
    let inside = rig.host.inside.lock().unwrap();
    assert!(inside.networks > networks);
    assert_eq!(inside.starts, 1);
}

#[tokio::test]
async fn an_ended_container_is_reported_and_not_restarted() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    let spec = rig.spec(1, 1);
    talk.run_part(spec.clone(), 1).await;
    talk.until(spec.id, |s| *s == PartState::Running).await;
    let exited = Look::Exited { started_at: Some(1_001), code: Some(137), tail: "Killed\n".into() };
    rig.host.inside.lock().unwrap().containers.insert(spec.id, exited);
    let status = talk.until(spec.id, |s| matches!(s, PartState::Exited { .. })).await;
    assert_eq!(status.state, PartState::Exited { code: Some(137), tail: "Killed\n".into() });
    assert_eq!(rig.host.inside.lock().unwrap().starts, 1);
    // The planner decides: a new generation starts anew.
    talk.run_part(rig.spec(1, 2), 1).await;
    talk.until(rig.spec(1, 2).id, |s| *s == PartState::Running).await;

    rig.host.inside.lock().unwrap().refuses = Some("no such image".into());
    talk.run_part(rig.spec(1, 3), 1).await;
    let failed = talk.until(rig.spec(1, 3).id, |s| matches!(s, PartState::Failed { .. })).await;
    assert_eq!(failed.state, PartState::Failed { reason: "no such image".into() });
}

#[tokio::test]
async fn an_engine_that_is_away_fails_nothing() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    {
        let mut inside = rig.host.inside.lock().unwrap();
        (inside.away, inside.nodes) = (true, Some(1));
    }
    let spec = rig.spec(1, 1);
    assert_eq!(talk.run_part(spec.clone(), 1).await, Outcome::Accepted);
    talk.until(spec.id, |s| *s == PartState::Starting).await;
    rig.host.inside.lock().unwrap().away = false;
    talk.until(spec.id, ready).await;
    // Away while it runs: what nobody can see is not called ready.
    rig.host.inside.lock().unwrap().away = true;
    talk.until(spec.id, |s| *s == PartState::Running).await;
    rig.host.inside.lock().unwrap().away = false;
    let back = talk.until(spec.id, ready).await;
    assert_eq!(back.started_at, Some(1_001), "it is the same container");
}

#[tokio::test]
async fn a_vanished_coordinator_is_found_again_and_containers_stay() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(7).await;
    rig.host.inside.lock().unwrap().nodes = Some(1);
    let spec = rig.spec(1, 1);
    talk.run_part(spec.clone(), 1).await;
    let before = talk.until(spec.id, ready).await;
    talk.connection.close(1u32.into(), b"gone");
    drop(talk);
    let coordinator = coordinator.come_back().await;
    let (mut talk, hello) = coordinator.admit(8).await;
    assert_eq!((hello.last_session, hello.boot), (7, 1));
    assert_eq!(hello.parts, std::slice::from_ref(&before));
    assert_eq!(talk.until(spec.id, ready).await, before);
    assert_eq!(rig.host.inside.lock().unwrap().starts, 1);
}

#[tokio::test]
async fn a_restarted_worker_adopts_what_is_wanted_and_removes_the_rest() {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    rig.host.inside.lock().unwrap().nodes = Some(1);
    let spec = rig.spec(1, 4);
    talk.run_part(spec.clone(), 1).await;
    let before = talk.until(spec.id, ready).await;
    running.end(Stop::Now).await.unwrap();
    assert!(matches!(rig.host.look_at(spec.id), Look::Running { .. }));

    let leftover = rig.spec(9, 1).id;
    let look = Look::Running { started_at: 5 };
    rig.host.inside.lock().unwrap().containers.insert(leftover, look);
    let _running = rig.start();
    let (mut talk, hello) = coordinator.admit(2).await;
    assert_eq!((hello.last_session, hello.boot), (1, 2));
    assert_eq!(talk.until(spec.id, ready).await, before);
    while rig.host.look_at(leftover) != Look::Missing {
        talk.beat(vec![]).await;
    }
    assert_eq!(rig.host.inside.lock().unwrap().starts, 1);
    let old = talk.run_part(rig.spec(1, 3), 1).await;
    assert_eq!(old, Outcome::StaleGeneration { seen: 4 }, "generations survive");
    talk.epoch = 0;
    let stale = talk.run_part(rig.spec(2, 1), 2).await;
    assert_eq!(stale, Outcome::StaleLeader { seen: 1 }, "leader epochs survive");
}

#[tokio::test]
async fn receipts_are_checked_kept_and_shown() {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    talk.run_part(rig.spec(1, 1), 1).await;
    let good = signed_receipt(lease(1), 60);
    let mut forged = signed_receipt(lease(1), 99);
    forged.served_s = 100;
    let smaller = signed_receipt(lease(1), 59);
    let not_ours = signed_receipt(lease(2), 70);
    talk.beat(vec![good.clone()]).await;
    talk.beat(vec![forged, smaller, not_ours]).await;
    // Whatever was sent before this command has been taken when it is answered.
    talk.command(CommandBody::StopPart { id: rig.spec(3, 1).id, grace_seconds: 0 }).await;
    running.end(Stop::Now).await.unwrap();
    let store = Store::open(rig.folder.path()).unwrap();
    assert_eq!(store.receipts(RECEIPTS_SHOWN).unwrap(), std::slice::from_ref(&good));
    drop(store);

    let _running = rig.start();
    let (_, hello) = coordinator.admit(2).await;
    assert_eq!(hello.receipts, [good]);
}

#[tokio::test]
async fn only_those_who_may_vouch_for_a_lease_are_believed_about_it() {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let session = ed25519_dalek::SigningKey::from_bytes(&[77; 32]);
    let voucher = Wallet(session.verifying_key().to_bytes());
    let (mut talk, _) = coordinator.admit(1).await;
    let taken = talk.run_part_vouched_by(rig.spec(1, 1), 1, vec![voucher]).await;
    assert_eq!(taken, Outcome::Accepted);
    let good = receipt_by(&session, lease(1), 60);
    talk.beat(vec![good.clone()]).await;
    // The coordinator's own word does not count for this lease.
    talk.beat(vec![signed_receipt(lease(1), 90)]).await;
    talk.command(CommandBody::StopPart { id: rig.spec(1, 1).id, grace_seconds: 0 }).await;
    talk.until_empty().await;
    // Nor a fourth key's for the next one: a lease has no more than three.
    let many = vec![Wallet([1; 32]), Wallet([2; 32]), Wallet([3; 32]), voucher];
    let taken = talk.run_part_vouched_by(rig.spec(2, 1), 2, many).await;
    assert_eq!(taken, Outcome::Accepted);
    talk.beat(vec![receipt_by(&session, lease(2), 90)]).await;
    talk.command(CommandBody::StopPart { id: rig.spec(4, 1).id, grace_seconds: 0 }).await;
    running.end(Stop::Now).await.unwrap();
    // It is remembered over a restart, too.
    let running = rig.start();
    let (mut talk, hello) = coordinator.admit(2).await;
    assert_eq!(hello.receipts, [good]);
    let newer = receipt_by(&session, lease(1), 61);
    talk.beat(vec![newer.clone(), signed_receipt(lease(1), 95)]).await;
    talk.command(CommandBody::StopPart { id: rig.spec(4, 1).id, grace_seconds: 0 }).await;
    running.end(Stop::Now).await.unwrap();
    let store = Store::open(rig.folder.path()).unwrap();
    assert_eq!(store.receipts(RECEIPTS_SHOWN).unwrap(), [newer]);
}

#[tokio::test]
async fn refusals_are_obeyed() {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let refuse = |code, retry_after_ms| {
        ToDevice::Refused(Refused { code, message: "not now".into(), retry_after_ms })
    };
    let (mut talk, _) = coordinator.greet().await;
    talk.say(refuse(RefusedCode::Busy, Some(10))).await;
    let (mut talk, _) = coordinator.admit(1).await;
    talk.beat(vec![]).await;
    talk.say(refuse(RefusedCode::Fenced, None)).await;
    match running.ended().await {
        Err(WorkerError::Refused { code: RefusedCode::Fenced, message }) => {
            assert_eq!(message, "not now");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn draining_serves_what_runs_and_takes_nothing_new() {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    rig.host.inside.lock().unwrap().nodes = Some(1);
    let spec = rig.spec(1, 1);
    talk.run_part(spec.clone(), 1).await;
    talk.until(spec.id, ready).await;
    running.stop.send_replace(Stop::Drain);
    while !matches!(talk.hear().await, ToCoordinator::Draining) {}
    let mut other = rig.spec(2, 1);
    other.slice.memory_bytes = 1 << 28;
    let answer = talk.run_part(other, 2).await;
    assert!(matches!(&answer, Outcome::Rejected { reason } if reason.contains("drain")));
    talk.until(spec.id, ready).await;
    // It also drains when the coordinator is away meanwhile.
    talk.connection.close(1u32.into(), b"gone");
    let (mut talk, hello) = coordinator.admit(2).await;
    assert!(hello.draining);
    talk.command(CommandBody::StopPart { id: spec.id, grace_seconds: 0 }).await;
    talk.until(spec.id, |s| *s == PartState::Stopped).await;
    running.ended().await.unwrap();
}

#[tokio::test]
async fn without_parts_draining_ends_at_once() {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    talk.beat(vec![]).await;
    running.end(Stop::Drain).await.unwrap();
    // Nor does it need a coordinator for that.
    drop(coordinator);
    rig.start().end(Stop::Drain).await.unwrap();
}

#[tokio::test]
async fn what_the_device_cannot_give_is_rejected_with_a_reason() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.greet().await;
    talk.say(ToDevice::Welcome(welcome(1, 1))).await;
    assert_eq!(talk.run_part(rig.spec(1, 1), 1).await, Outcome::Accepted);
    type Change = fn(&mut ionet_core::PartSpec);
    let changes: [(&str, Change); 7] = [
        ("egress", |s| s.egress = Egress::Open),
        ("free here", |s| s.slice.memory_bytes = 2 << 30),
        ("free here", |s| s.slice.cpu_milli = u32::MAX),
        ("chips", |_| ()),
        ("another device", |s| s.device.0[0] ^= 1),
        ("membership", |s| s.membership.members.clear()),
        ("membership", |s| s.role = Role::Worker),
    ];
    for (why, change) in changes {
        let mut spec = rig.spec(2, 1);
        change(&mut spec);
        match talk.run_part(spec, 2).await {
            Outcome::Rejected { reason } => assert!(reason.contains(why), "{why}: {reason}"),
            other => panic!("{why}: {other:?}"),
        }
    }
    let wrong_lease = talk.run_part(rig.spec(2, 1), 3).await;
    assert!(matches!(wrong_lease, Outcome::Rejected { .. }));
    let mut changed = rig.spec(1, 1);
    changed.slice.cpu_milli += 1;
    assert!(matches!(talk.run_part(changed, 1).await, Outcome::Rejected { .. }));
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut rig, coordinator) = Rig::new().await;
    // A port that was free a moment ago; only this test asks for it.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    rig.config.metrics = Some(address);
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    talk.run_part(rig.spec(1, 1), 1).await;
    talk.until(rig.spec(1, 1).id, |s| *s == PartState::Running).await;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    for line in [
        "ionet_worker_connected 1",
        "ionet_worker_sessions_total 1",
        "ionet_worker_parts{state=\"running\"} 1",
        "ionet_worker_parts{state=\"ready\"} 0",
        "ionet_worker_commands_total{outcome=\"accepted\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn two_workers_do_not_share_a_folder() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    assert!(matches!(rig.start().ended().await, Err(WorkerError::Lock(_))));
    talk.beat(vec![]).await;
}
