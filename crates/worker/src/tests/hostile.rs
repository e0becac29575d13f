//! A coordinator that talks nonsense.

use super::rig::{Rig, welcome};
use crate::worker::Stop;
use ionet_wire::frame::FRAME_BYTES_MAX;
use ionet_wire::message::ToDevice;
use serde::Serialize;

/// Bytes that end a session but not the worker.
async fn survives(bytes: Vec<u8>) {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let (mut talk, _) = coordinator.admit(3).await;
    talk.beat(vec![]).await;
    talk.send.write_all(&bytes).await.unwrap();
    let (mut talk, hello) = coordinator.admit(4).await;
    assert_eq!((hello.last_session, hello.boot), (3, 1));
    talk.beat(vec![]).await;
    running.end(Stop::Now).await.unwrap();
}

#[tokio::test]
async fn an_oversized_frame_ends_the_session_only() {
    survives(((FRAME_BYTES_MAX + 1) as u32).to_be_bytes().to_vec()).await;
    survives(u32::MAX.to_be_bytes().to_vec()).await;
}

#[tokio::test]
async fn garbage_ends_the_session_only() {
    survives([&3u32.to_be_bytes()[..], &[0xff, 0xff, 0xff]].concat()).await;
    // Arrays within arrays, far deeper than any message.
    survives([&2_000u32.to_be_bytes()[..], &[0x81; 2_000]].concat()).await;
    survives(0u32.to_be_bytes().to_vec()).await;
}

#[tokio::test]
async fn an_unknown_message_is_skipped() {
    #[derive(Serialize)]
    struct Newer {
        kind: &'static str,
        what: Vec<u32>,
    }
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let newer = || Newer { kind: "from-the-future", what: vec![1, 2] };
    let (mut talk, _) = coordinator.greet().await;
    ionet_wire::frame::write(&mut talk.send, &newer()).await.unwrap();
    talk.say(ToDevice::Welcome(welcome(1, 1))).await;
    ionet_wire::frame::write(&mut talk.send, &newer()).await.unwrap();
    let first = talk.beat(vec![]).await.seq;
    assert!(talk.beat(vec![]).await.seq > first, "the session goes on");
}

#[tokio::test]
async fn an_older_leader_or_session_is_not_obeyed() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.greet().await;
    talk.say(ToDevice::Welcome(welcome(5, 9))).await;
    talk.beat(vec![]).await;
    talk.connection.close(1u32.into(), b"gone");
    // An older leader's welcome, then an older session's, are left at once.
    for (session, epoch) in [(6, 8), (4, 9)] {
        let (mut talk, hello) = coordinator.greet().await;
        assert_eq!(hello.last_session, 5);
        talk.say(ToDevice::Welcome(welcome(session, epoch))).await;
        talk.connection.closed().await;
    }
    let (mut talk, _) = coordinator.greet().await;
    talk.say(ToDevice::Welcome(welcome(6, 9))).await;
    talk.beat(vec![]).await;
}

#[tokio::test]
async fn a_stream_that_says_nonsense_harms_no_other() {
    let (rig, coordinator) = Rig::new().await;
    let _running = rig.start();
    let (mut talk, _) = coordinator.admit(1).await;
    for bytes in [&[0xff; 8][..], &[0, 0, 0, 1, 0xff], &[0, 0]] {
        let (mut send, mut receive) = talk.connection.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        send.finish().unwrap();
        let mut rest = [0u8; 1];
        let read = tokio::time::timeout(super::rig::DEADLINE, receive.read(&mut rest)).await;
        assert!(!matches!(read.expect("it hangs"), Ok(Some(_))));
    }
    talk.beat(vec![]).await;
}
