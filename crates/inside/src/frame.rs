//! Frames between client and program: a length, big-endian in four bytes, and as much CBOR.
//!
//! [`Frames`] takes bytes as they come, in any pieces, so that it needs no stream of its own. What
//! a container says is hostile: nothing longer than a frame is ever kept.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest frame: a proof of 64 openings has about 70 kB.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of a message; ours nest twice.
const NESTING_MAX: usize = 16;
const HEAD: usize = 4;

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`], or none at all.
    #[error("a frame of {0} bytes is not between 1 and {FRAME_BYTES_MAX}")]
    Length(usize),
    /// Not a message.
    #[error("malformed message: {0}")]
    Malformed(String),
}

/// A message as a frame.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0u8; HEAD];
    ciborium::into_writer(message, &mut bytes).map_err(|e| FrameError::Malformed(e.to_string()))?;
    let length = bytes.len() - HEAD;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::Length(length));
    }
    bytes[..HEAD].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(bytes)
}

/// Puts frames together again.
#[derive(Debug, Default)]
pub struct Frames {
    kept: Vec<u8>,
}

impl Frames {
    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }

    /// Whether bytes of an unfinished frame are kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The next message, once its frame is whole. After an error nothing that follows makes sense.
    ///
    /// To be called until there is none after each [`Frames::push`]: then less than a frame is
    /// kept.
    pub fn take<M: DeserializeOwned>(&mut self) -> Result<Option<M>, FrameError> {
        let Some((head, body)) = self.kept.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length == 0 || length > FRAME_BYTES_MAX {
            return Err(FrameError::Length(length));
        }
        let Some(frame) = body.get(..length) else { return Ok(None) };
        let malformed = |e: String| FrameError::Malformed(e);
        if !ionet_core::lengths_hold(frame) {
            return Err(malformed("a length that its frame does not hold".to_owned()));
        }
        let mut rest = frame;
        let message = ciborium::de::from_reader_with_recursion_limit(&mut rest, NESTING_MAX)
            .map_err(|e| malformed(e.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed(format!("{} bytes after its end", rest.len())));
        }
        self.kept.drain(..HEAD + length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Hold, Multiply, Order};

    #[test]
    fn messages_come_through_in_any_pieces() {
        let said = [Answer::Pong, Answer::Proof { bytes: vec![7; 70_000] }, Answer::Written];
        let bytes: Vec<u8> = said.iter().flat_map(|m| encode(m).unwrap()).collect();
        for size in [1, 3, 4_096, bytes.len()] {
            let (mut frames, mut heard) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.push(piece);
                while let Some(message) = frames.take::<Answer>().unwrap() {
                    heard.push(message);
                }
            }
            assert_eq!(heard, said);
            assert!(frames.is_empty());
        }
    }

    fn both_ways<M: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(message: M) {
        let mut frames = Frames::default();
        frames.push(&encode(&message).unwrap());
        assert_eq!(frames.take::<M>().unwrap(), Some(message));
    }

    #[test]
    fn every_message_is_read_as_it_was_written() {
        let (word, device) = ([9; 32], ionet_core::DeviceId([8; 32]));
        let task = Multiply { side: 64, width: 16, openings: 2, time_ms: 5, threads: 1 };
        let hold = Hold { bytes: 1 << 20, passes: 12, openings: 3 };
        for order in [
            Order::Ping,
            Order::Multiply { beacon: word, device, task },
            Order::Hold { beacon: word, device, task: hold },
            Order::Ask { late: word, secret: word },
            Order::Write { key: word, bytes: u64::MAX },
            Order::Read { salt: word },
            Order::Listen { token: word, salt: word, bytes: 1 },
            Order::Send { to: [10, 0, 0, 1], port: 80, token: word, key: word, bytes: 1 },
        ] {
            both_ways(order);
        }
        let why = || "full".to_owned();
        for answer in [
            Answer::Hello { program: word, threads: 4 },
            Answer::Pong,
            Answer::Commitment { hash: word },
            Answer::Proof { bytes: vec![1, 2] },
            Answer::Written,
            Answer::Digest { hash: word },
            Answer::Listening { port: 1 },
            Answer::Received { hash: word },
            Answer::Deaf { why: why() },
            Answer::Sent,
            Answer::Failed { why: why() },
        ] {
            both_ways(answer);
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let framed = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
        let pong = encode(&Answer::Pong).unwrap();
        let long = [&pong[HEAD..], &[0]].concat();
        let deep = [&[0x81; 200][..], &[0]].concat();
        for wrong in [
            framed(&[]),
            framed(&deep),
            framed(&[0x9b, 0, 0, 0, 255, 255, 255, 255, 255, 0]),
            framed(&long),
            framed(b"sh: 1: not found"),
            encode(&Order::Ping).unwrap(),
            u32::MAX.to_be_bytes().to_vec(),
            b"Traceback (most recent call last):".to_vec(),
        ] {
            let mut frames = Frames::default();
            frames.push(&wrong);
            assert!(frames.take::<Answer>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_frame_that_is_not_whole_is_waited_for() {
        let pong = encode(&Answer::Pong).unwrap();
        for end in 0..pong.len() {
            let mut frames = Frames::default();
            frames.push(&pong[..end]);
            assert_eq!(frames.take::<Answer>(), Ok(None));
        }
    }

    #[test]
    fn too_long_a_message_is_not_sent() {
        let long = Answer::Proof { bytes: vec![0; FRAME_BYTES_MAX] };
        assert!(matches!(encode(&long), Err(FrameError::Length(_))));
    }
}
