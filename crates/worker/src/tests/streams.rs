//! Streams of the coordinator: ports, logs, commands.

use super::rig::{DEADLINE, Rig, Talk};
use ionet_core::{PartId, PartState};
use ionet_wire::endpoint::RecvStream;
use ionet_wire::frame;
use ionet_wire::message::{EXEC_ARG_BYTES_MAX, EXEC_ARGS_MAX, ExecFrame, Opened, Outcome, Purpose};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

async fn with_part() -> (Rig, super::rig::Running, super::rig::Coordinator, Talk, PartId) {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    let spec = rig.spec(1, 2);
    assert_eq!(talk.run_part(spec.clone(), 1).await, Outcome::Accepted);
    talk.until(spec.id, |s| *s == PartState::Running).await;
    (rig, running, coordinator, talk, spec.id)
}

async fn all(mut receive: RecvStream) -> String {
    let mut words = String::new();
    let read = AsyncReadExt::read_to_string(&mut receive, &mut words);
    timeout(DEADLINE, read).await.expect("no end").unwrap();
    words
}

#[tokio::test]
async fn offered_ports_are_dialled_and_others_are_not() {
    let (_rig, _running, _coordinator, talk, part) = with_part().await;
    let (mut send, receive, opened) = talk.open(part, Purpose::Dial { port: 8265 }).await;
    assert_eq!(opened, Opened::Ok);
    send.write_all(b"hello").await.unwrap();
    AsyncWriteExt::shutdown(&mut send).await.unwrap();
    assert_eq!(all(receive).await, "8265:hello");
    for port in [22, 6379, 0, 65_535] {
        let (_, _, opened) = talk.open(part, Purpose::Dial { port }).await;
        let Opened::Refused { reason } = opened else { panic!("port {port} was dialled") };
        assert!(reason.contains("not offered"), "{reason}");
    }
}

#[tokio::test]
async fn a_stream_names_a_part_that_runs_and_a_leader_that_leads() {
    let (rig, _running, _coordinator, mut talk, part) = with_part().await;
    let dial = Purpose::Dial { port: 8265 };
    for generation in [1, 3] {
        let other = PartId { generation, ..part };
        let (_, _, opened) = talk.open(other, dial.clone()).await;
        assert!(matches!(opened, Opened::Refused { .. }), "{generation}");
    }
    let (_, _, opened) = talk.open(rig.spec(2, 1).id, dial.clone()).await;
    assert!(matches!(opened, Opened::Refused { .. }));
    talk.epoch = 0;
    let (_, _, opened) = talk.open(part, dial.clone()).await;
    assert!(matches!(opened, Opened::Refused { reason } if reason.contains("leader")));
    // A newer leader's stream is as good as its command: the older one is fenced from then on.
    talk.epoch = 9;
    assert_eq!(talk.open(part, dial).await.2, Opened::Ok);
    talk.epoch = 1;
    let outcome = talk.run_part(rig.spec(1, 2), 1).await;
    assert_eq!(outcome, Outcome::StaleLeader { seen: 9 });
}

#[tokio::test]
async fn a_dead_port_is_refused_in_words() {
    let (rig, _running, _coordinator, talk, part) = with_part().await;
    rig.host.inside.lock().unwrap().away = true;
    let (_, _, opened) = talk.open(part, Purpose::Dial { port: 8265 }).await;
    assert!(matches!(opened, Opened::Refused { reason } if reason.contains("nobody home")));
}

#[tokio::test]
async fn logs_end_or_follow_until_the_reader_goes() {
    let (_rig, _running, _coordinator, mut talk, part) = with_part().await;
    let (_, receive, opened) = talk.open(part, Purpose::Logs { follow: false, tail: 5 }).await;
    assert_eq!(opened, Opened::Ok);
    assert_eq!(all(receive).await, "last 5 lines\n");
    let follow = Purpose::Logs { follow: true, tail: 5 };
    let (send, mut receive, _) = talk.open(part, follow).await;
    let mut line = [0u8; 13];
    AsyncReadExt::read_exact(&mut receive, &mut line).await.unwrap();
    drop(send);
    assert_eq!(all(receive).await, "", "it ended because its reader did");
    talk.beat(vec![]).await;
}

#[tokio::test]
async fn a_command_talks_and_ends() {
    let (_rig, _running, _coordinator, talk, part) = with_part().await;
    let argv = vec!["cat".to_owned(), "-".to_owned()];
    let (mut send, mut receive, opened) = talk.open(part, Purpose::Exec { argv, tty: false }).await;
    assert_eq!(opened, Opened::Ok);
    let long = vec![b'x'; 100_000];
    frame::write(&mut send, &ExecFrame::Stdin { bytes: long.clone() }).await.unwrap();
    frame::write(&mut send, &ExecFrame::Stdin { bytes: vec![] }).await.unwrap();
    let (mut out, mut err) = (vec![], vec![]);
    let work = async {
        loop {
            match frame::read(&mut receive).await.unwrap() {
                ExecFrame::Stdout { bytes } => out.extend(bytes),
                ExecFrame::Stderr { bytes } => err.extend(bytes),
                ExecFrame::Exit { code } => break code,
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(timeout(DEADLINE, work).await.unwrap(), 2);
    assert_eq!((out, err), (long, b"done".to_vec()));
}

#[tokio::test]
async fn a_command_over_its_limits_is_refused() {
    let (_rig, _running, _coordinator, talk, part) = with_part().await;
    for argv in [
        vec![],
        vec!["a".to_owned(); EXEC_ARGS_MAX + 1],
        vec!["a".repeat(EXEC_ARG_BYTES_MAX + 1)],
        vec!["a\0b".to_owned()],
    ] {
        let (_, _, opened) = talk.open(part, Purpose::Exec { argv, tty: false }).await;
        assert!(matches!(opened, Opened::Refused { reason } if reason.contains("words")));
    }
    let (_, _, opened) = talk.open(part, Purpose::Unknown).await;
    assert!(matches!(opened, Opened::Refused { .. }));
}
