//! Messages in CBOR: between device and coordinator, and between renter and container.

use crate::heap::bounded;
use ionet_core::{DeviceId, Region, SIGNALS_MAX, TEXT_BYTES_MAX, lengths_hold};
use ionet_inside::frame::{FRAME_BYTES_MAX, Frames, encode};
use ionet_inside::{Answer, Order};
use ionet_trust::signals::{Duplicates, Hosting, Report, Sighting, built_in};
use ionet_wire::frame;
use ionet_wire::message::{ExecFrame, Open, Opened, ToCoordinator, ToDevice};
use ionet_wire::prove::{FromProver, ToProver};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::LazyLock;

mod seeds;

pub(crate) use seeds::{frames_seeds, message_seeds};

/// Memory that a decoder of CBOR may take for each byte, and besides: members of lists are larger
/// than the byte that each is at least.
const TIMES: usize = 512;
const FIXED: usize = 16 << 10;

/// Deeper than any message nests.
const NESTING_MAX: usize = 32;

/// Which message the first byte stands for.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Kind {
    ToCoordinator,
    ToDevice,
    ToProver,
    FromProver,
    Open,
    Opened,
    Exec,
}

const KINDS: [Kind; 7] = [
    Kind::ToCoordinator,
    Kind::ToDevice,
    Kind::ToProver,
    Kind::FromProver,
    Kind::Open,
    Kind::Opened,
    Kind::Exec,
];

/// One byte for the kind, then a message: what is read is what it writes, and what follows from
/// it is in bounds.
pub(crate) fn message(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match KINDS[usize::from(*kind) % KINDS.len()] {
        Kind::ToCoordinator => {
            if let Some(ToCoordinator::Report(report)) = read(bytes) {
                seen(&report);
            }
        }
        Kind::ToDevice => drop(read::<ToDevice>(bytes)),
        Kind::ToProver => drop(read::<ToProver>(bytes)),
        Kind::FromProver => drop(read::<FromProver>(bytes)),
        Kind::Open => drop(read::<Open>(bytes)),
        Kind::Opened => drop(read::<Opened>(bytes)),
        Kind::Exec => drop(read::<ExecFrame>(bytes)),
    }
}

fn read<M: DeserializeOwned + Serialize>(bytes: &[u8]) -> Option<M> {
    let decoded = bounded(bytes.len(), TIMES, FIXED, || frame::decode(bytes));
    // Lengths are looked at beforehand: that refuses nothing that a decoder would have read.
    let mut rest = bytes;
    let plainly: Result<M, _> =
        ciborium::de::from_reader_with_recursion_limit(&mut rest, NESTING_MAX);
    let whole = plainly.is_ok() && rest.is_empty();
    assert!(!whole || lengths_hold(bytes), "what can be read holds its lengths");
    assert_eq!(decoded.is_ok(), whole, "a frame is one message");
    let message: M = decoded.ok()?;
    // CBOR has many forms of one message; ours is the one that we write.
    let written = cbor(&message);
    let again: M = frame::decode(&written).expect("what we write, we read");
    assert_eq!(cbor(&again), written);
    Some(message)
}

fn cbor(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).expect("plain data");
    bytes
}

static HOSTING: LazyLock<Hosting> = LazyLock::new(|| built_in().expect("our own file"));

/// What is told of a device: few remarks, short, and plain.
fn seen(report: &Report) {
    let mut known = Duplicates::new();
    let (device, other) = (DeviceId([1; 32]), DeviceId([2; 32]));
    known.online(device, ionet_core::Wallet([3; 32]), &report.prints);
    known.online(other, ionet_core::Wallet([4; 32]), &report.prints);
    let report = Some(report);
    let region = Region::LOCAL;
    let sighting = Sighting { device, region, report, addresses: &[], trips: &[] };
    let signals = sighting.signals(&HOSTING, &known, 0);
    assert!(signals.len() <= SIGNALS_MAX);
    for signal in signals {
        assert!(signal.text.len() <= TEXT_BYTES_MAX);
        assert!(!signal.text.contains(|c: char| c.is_control()), "{:?}", signal.text);
    }
}

/// One byte for the direction and the size of pieces, then a stream of frames. In whatever pieces
/// it comes, the same is heard; and never is more kept than a frame.
pub(crate) fn frames(bytes: &[u8]) {
    let Some((how, stream)) = bytes.split_first() else { return };
    let piece = 1 + usize::from(how >> 1);
    if how & 1 == 0 {
        heard_alike::<Answer>(stream, piece);
    } else {
        heard_alike::<Order>(stream, piece);
    }
}

fn heard_alike<M: DeserializeOwned + Serialize + PartialEq + Debug>(stream: &[u8], piece: usize) {
    let whole = bounded(stream.len(), TIMES, FIXED, || heard::<M>(stream, stream.len().max(1)));
    assert_eq!(whole, heard::<M>(stream, piece));
    // Frame by frame, with the other room's decoder, which lets messages nest deeper.
    assert!(plainly::<M>(stream).starts_with(&whole.0), "a frame is one message");
    for message in whole.0 {
        let mut frames = Frames::default();
        frames.push(&encode(&message).expect("as short as it came"));
        assert_eq!(frames.take(), Ok(Some(message)));
        assert!(frames.is_empty());
    }
}

fn plainly<M: DeserializeOwned>(mut stream: &[u8]) -> Vec<M> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let Some((body, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else {
            break;
        };
        let Ok(message) = frame::decode(body) else { break };
        messages.push(message);
        stream = rest;
    }
    messages
}

/// The messages, and whether the stream ended in an error.
fn heard<M: DeserializeOwned>(stream: &[u8], piece: usize) -> (Vec<M>, bool) {
    let (mut frames, mut messages) = (Frames::default(), Vec::new());
    for piece in stream.chunks(piece) {
        frames.push(piece);
        loop {
            match frames.take() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
    }
    assert!(stream.len() <= FRAME_BYTES_MAX, "inputs are shorter than a frame");
    (messages, false)
}
