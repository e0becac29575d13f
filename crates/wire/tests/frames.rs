//! Frames and messages against whatever comes.

use ionet_core::*;
use ionet_trust::signals::{ChipFacts, Link, Purpose as PrintOf, Report, Salt};
use ionet_wire::frame::{self, FRAME_BYTES_MAX, FrameError};
use ionet_wire::message::*;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

fn cbor(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).unwrap();
    bytes
}

fn cluster() -> ClusterId {
    ClusterId::of_lease(&Wallet([7; 32]))
}

fn part(generation: u32) -> PartId {
    PartId { cluster: cluster(), generation }
}

fn spec(members: usize) -> PartSpec {
    let member = |i: usize| Member {
        device: DeviceId([i as u8; 32]),
        ip: std::net::Ipv4Addr::from(0x0a82_0002 + i as u32),
        role: if i == 0 { Role::Head } else { Role::Worker },
    };
    PartSpec {
        id: part(3),
        device: DeviceId([0; 32]),
        role: Role::Head,
        image: ImageRef::default(),
        membership: Membership {
            subnet: [10, 130, 0, 0].into(),
            prefix: 16,
            members: (0..members).map(member).collect(),
        },
        chips: 1,
        slice: Slice { cpu_milli: 1, memory_bytes: u64::MAX, scratch_bytes: 0 },
        egress: Egress::Open,
    }
}

fn run_part(members: usize) -> ToDevice {
    let body = CommandBody::RunPart {
        spec: Box::new(spec(members)),
        lease: Wallet([7; 32]),
        vouchers: vec![Wallet([8; 32]); ionet_wire::message::VOUCHERS_MAX],
        secrets: PartSecrets { ray_token: "ab".repeat(32) },
    };
    let request_id = "req".to_owned();
    ToDevice::Command(Box::new(Command { leader_epoch: u64::MAX, number: 1, request_id, body }))
}

fn receipt() -> SignedReceipt {
    SignedReceipt {
        cluster: cluster(),
        lease: Wallet([7; 32]),
        page: u16::MAX,
        line: u8::MAX,
        generation: u64::MAX,
        served_s: u64::MAX,
        signer: Wallet([1; 32]),
        signature: SignatureBytes([3; 64]),
    }
}

fn states() -> Vec<PartState> {
    vec![
        PartState::Pulling { done_bytes: 1, total_bytes: None },
        PartState::Starting,
        PartState::Running,
        PartState::Ready { alive_nodes: Some(3) },
        PartState::Exited { code: Some(-1), tail: "ä\n".into() },
        PartState::Failed { reason: "no".into() },
        PartState::Stopped,
    ]
}

fn report() -> Report {
    let link = Link { width: 4, generation: 3 };
    let chip = ChipFacts { model: "NVIDIA A40".into(), link: Some(link), ..ChipFacts::default() };
    let salt = Salt::new(&[1; 32], &GenesisHash([2; 32]), 3);
    let prints = salt.print(PrintOf::Board, "PF3ABCDE").into_iter().collect();
    Report { chips: vec![chip], prints, ..Report::default() }
}

fn statuses() -> Vec<PartStatus> {
    let status = |(i, state)| PartStatus { id: part(i), state, started_at: Some(-5) };
    (0..).zip(states()).map(status).collect()
}

fn to_device() -> Vec<ToDevice> {
    let chain = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };
    let command = |body| {
        let request_id = String::new();
        ToDevice::Command(Box::new(Command { leader_epoch: 0, number: 0, request_id, body }))
    };
    let membership = spec(3).membership;
    vec![
        ToDevice::Welcome(Welcome {
            session: 1,
            leader_epoch: 2,
            chain,
            coordinator: Wallet([5; 32]),
            idle_interval_ms: 20_000,
            hired_interval_ms: 2_000,
            features: vec!["x".into()],
            salt: Some(Salt::new(&[6; 32], &chain.genesis, 7)),
        }),
        ToDevice::Refused(Refused {
            code: RefusedCode::NotRegistered,
            message: "no".into(),
            retry_after_ms: Some(5),
        }),
        ToDevice::HeartbeatAnswer(HeartbeatAnswer { seq: 9, receipts: vec![receipt()] }),
        run_part(3),
        command(CommandBody::StopPart { id: part(1), grace_seconds: 3 }),
        command(CommandBody::SetMembers { id: part(1), membership }),
    ]
}

/// What was written comes back; `Debug` shows every field that is not a secret.
async fn round_trip<M: Serialize + DeserializeOwned + Debug>(message: &M) {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, message).await.unwrap();
    let mut reader = &bytes[..];
    let back: M = frame::read(&mut reader).await.unwrap();
    assert_eq!(format!("{back:?}"), format!("{message:?}"));
    assert!(matches!(frame::read::<M>(&mut reader).await, Err(FrameError::Closed)));
}

#[tokio::test]
async fn every_message_survives_its_frame() {
    for message in to_device() {
        round_trip(&message).await;
    }
    round_trip(&ToCoordinator::Heartbeat(Heartbeat { seq: 1, parts: statuses() })).await;
    round_trip(&ToCoordinator::Draining).await;
    let echo = Echo { nonce: [7; 16] };
    round_trip(&ToCoordinator::Echo(echo)).await;
    round_trip(&ToDevice::Echo(echo)).await;
    round_trip(&ToCoordinator::Report(Box::new(report()))).await;
    for outcome in [
        Outcome::Accepted,
        Outcome::StaleLeader { seen: 1 },
        Outcome::StaleGeneration { seen: 2 },
        Outcome::Rejected { reason: "why".into() },
    ] {
        round_trip(&ToCoordinator::CommandAnswer(CommandAnswer { number: 1, outcome })).await;
    }
    for purpose in [
        Purpose::Dial { port: 8265 },
        Purpose::Logs { follow: true, tail: 3 },
        Purpose::Exec { argv: vec!["a".into()], tty: true },
    ] {
        let request_id = "r".to_owned();
        round_trip(&Open { leader_epoch: 1, request_id, part: Some(part(1)), purpose }).await;
    }
    round_trip(&Opened::Ok).await;
    round_trip(&Opened::Refused { reason: "no".into() }).await;
    for frame in [
        ExecFrame::Stdin { bytes: vec![0, 255] },
        ExecFrame::Stdout { bytes: vec![] },
        ExecFrame::Stderr { bytes: vec![1; 70_000] },
        ExecFrame::Exit { code: -1 },
    ] {
        round_trip(&frame).await;
    }
}

#[test]
fn bytes_travel_as_bytes_and_secrets_stay_unprinted() {
    let long = ExecFrame::Stdout { bytes: vec![200; 1_000] };
    assert!(cbor(&long).len() < 1_100, "not an array of numbers");
    assert!(!format!("{:?}", run_part(1)).contains("abab"));
}

#[tokio::test]
async fn the_largest_cluster_fits_a_frame() {
    round_trip(&run_part(usize::from(limits::DEVICES_MAX))).await;
}

#[tokio::test]
async fn a_frame_over_the_limit_is_neither_written_nor_read() {
    let frame = ExecFrame::Stdout { bytes: vec![0; FRAME_BYTES_MAX] };
    let mut bytes = Vec::new();
    assert!(matches!(frame::write(&mut bytes, &frame).await, Err(FrameError::TooLong(_))));
    assert!(bytes.is_empty(), "nothing of it was sent");
    for length in [FRAME_BYTES_MAX as u32 + 1, u32::MAX] {
        let head = length.to_be_bytes();
        let result = frame::read::<ToDevice>(&mut &head[..]).await;
        assert!(matches!(result, Err(FrameError::TooLong(n)) if n == length as usize));
    }
}

#[tokio::test]
async fn an_end_between_frames_is_not_an_end_within_one() {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, &ToCoordinator::Draining).await.unwrap();
    assert!(matches!(frame::read::<ToDevice>(&mut &b""[..]).await, Err(FrameError::Closed)));
    for cut in 4..bytes.len() {
        let result = frame::read::<ToCoordinator>(&mut &bytes[..cut]).await;
        assert!(matches!(result, Err(FrameError::Io(_))), "{cut}: {result:?}");
    }
}

#[test]
fn what_a_newer_version_adds_is_ignored() {
    #[derive(Serialize)]
    struct Newer {
        kind: &'static str,
        seq: u64,
        receipts: Vec<u8>,
        weather: Vec<&'static str>,
    }
    let newer = Newer { kind: "heartbeat-answer", seq: 4, receipts: vec![], weather: vec!["wet"] };
    match frame::decode(&cbor(&newer)).unwrap() {
        ToDevice::HeartbeatAnswer(answer) => assert_eq!(answer.seq, 4),
        other => panic!("{other:?}"),
    }

    #[derive(Serialize)]
    struct Tagged {
        #[serde(rename = "do")]
        body: &'static str,
        kind: &'static str,
        purpose: &'static str,
        outcome: &'static str,
        exec: &'static str,
        more: u32,
    }
    let unheard = "unheard-of";
    let tagged = Tagged {
        body: unheard,
        kind: unheard,
        purpose: unheard,
        outcome: unheard,
        exec: unheard,
        more: 1,
    };
    let bytes = cbor(&tagged);
    assert!(matches!(frame::decode(&bytes), Ok(ToDevice::Unknown)));
    assert!(matches!(frame::decode(&bytes), Ok(ToCoordinator::Unknown)));
    assert!(matches!(frame::decode(&bytes), Ok(CommandBody::Unknown)));
    assert!(matches!(frame::decode(&bytes), Ok(Purpose::Unknown)));
    assert!(matches!(frame::decode(&bytes), Ok(Outcome::Unknown)));
    assert!(matches!(frame::decode(&bytes), Ok(ExecFrame::Unknown)));
    assert!(matches!(frame::decode(&cbor(&unheard)), Ok(RefusedCode::Unknown)));
}

#[test]
fn malformed_messages_are_refused() {
    let good = cbor(&run_part(2));
    assert!(frame::decode::<ToDevice>(&good).is_ok());
    let trailing = [&good[..], &[0]].concat();
    assert!(matches!(frame::decode::<ToDevice>(&trailing), Err(FrameError::Malformed(_))));
    // Arrays in arrays: refused before the stack is at its end.
    // A list of four thousand millions in a frame of a few bytes is not made room for.
    let said = [&[0xa2, 0x64][..], b"kind", &[0x9a, 255, 255, 255, 255]].concat();
    match frame::decode::<ToDevice>(&said) {
        Err(FrameError::Malformed(why)) => assert!(why.contains("does not hold"), "{why}"),
        other => panic!("{other:?}"),
    }
    let deep = vec![0x81; FRAME_BYTES_MAX];
    assert!(matches!(frame::decode::<ToDevice>(&deep), Err(FrameError::Malformed(_))));
    // An array that claims 2^62 entries takes no memory.
    let vast = [0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0];
    assert!(frame::decode::<Vec<SignedReceipt>>(&vast).is_err());
    // A string that claims to be larger than its frame.
    let long = [0x7b, 0, 0, 0, 0x40, 0, 0, 0, 0, b'a'];
    assert!(frame::decode::<String>(&long).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = frame::decode::<ToDevice>(&bytes);
        let _ = frame::decode::<ToCoordinator>(&bytes);
        let _ = frame::decode::<Open>(&bytes);
        let _ = frame::decode::<Opened>(&bytes);
        let _ = frame::decode::<ExecFrame>(&bytes);
    }

    /// One changed byte of a good message: read as something, or refused; never a panic, and
    /// what was read can be written again.
    #[test]
    fn a_bent_message_is_read_or_refused(which in 0usize..6, at in any::<prop::sample::Index>(),
                                         value: u8) {
        let mut bytes = cbor(&to_device()[which]);
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(message) = frame::decode::<ToDevice>(&bytes) {
            prop_assert!(frame::decode::<ToDevice>(&cbor(&message)).is_ok());
        }
    }
}
