//! Frames: a length, big-endian in four bytes, and so many bytes of CBOR.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest frame. The largest message is a hello or a run-part with 1,000 members (about 100
/// bytes each).
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Deepest nesting of a message. CBOR may nest; the limit keeps a hostile frame from exhausting
/// the stack. The deepest message nests six times.
const NESTING_MAX: usize = 32;

/// Why a frame was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other end went away.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The stream ended between two frames.
    #[error("the other side ended the stream")]
    Closed,
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes is over the limit of {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// Not the message that was expected here.
    #[error("malformed message: {0}")]
    Malformed(String),
}

/// Writes one message.
pub async fn write<M: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &M,
) -> Result<(), FrameError> {
    let mut bytes = vec![0u8; 4];
    ciborium::into_writer(message, &mut bytes).map_err(|e| FrameError::Malformed(e.to_string()))?;
    let length = bytes.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(length));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

/// Reads one message. Not safe to cancel: a reader that is dropped half-way has lost its place.
pub async fn read<M: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<M, FrameError> {
    let mut length = [0u8; 4];
    match stream.read_exact(&mut length).await {
        Ok(_) => (),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Err(FrameError::Closed),
        Err(e) => return Err(e.into()),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(length));
    }
    let mut bytes = vec![0u8; length];
    stream.read_exact(&mut bytes).await?;
    decode(&bytes)
}

/// Reads one message from the bytes of a frame, without its length. What that takes of memory is
/// bounded by what is there, not by what it says.
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, FrameError> {
    if !ionet_core::lengths_hold(bytes) {
        return Err(FrameError::Malformed("a length that its frame does not hold".to_owned()));
    }
    let mut rest = bytes;
    let message = ciborium::de::from_reader_with_recursion_limit(&mut rest, NESTING_MAX)
        .map_err(|e| FrameError::Malformed(e.to_string()))?;
    if rest.is_empty() {
        Ok(message)
    } else {
        Err(FrameError::Malformed(format!("{} bytes after the message", rest.len())))
    }
}
