//! What a device and a coordinator say to each other, over QUIC.
//!
//! A device dials the coordinator (iroh, ALPN [`ALPN`]); both ends know each other by their
//! ed25519 keys, so no message carries a token. The device opens one control stream: its first
//! byte is [`PROTOCOL_VERSION`], then come frames ([`frame`]) of CBOR. The coordinator opens a
//! further stream for each [`message::Open`]: a dialled port, a log, a command.
//!
//! Maps ignore fields that they do not know, so either end may be newer. A message of an
//! unknown kind is answered or skipped, never fatal.

pub mod endpoint;
pub mod frame;
pub mod message;
pub mod prove;

/// Names the protocol in the QUIC handshake.
pub const ALPN: &[u8] = b"ionet/device/1";
/// The first byte of a control stream.
pub const PROTOCOL_VERSION: u8 = 1;
