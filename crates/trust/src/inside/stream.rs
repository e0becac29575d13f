//! Bytes that grow from a key and fit no memory but the reader's, and digests of them.

use std::io::Write;

/// Bytes that are made, written and hashed at once.
pub const PIECE_BYTES: usize = 1 << 20;

/// A key for one purpose, member and place, from a check's seed.
pub fn key_of(seed: &[u8; 32], purpose: &str, number: u32) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(seed);
    hasher.update(purpose.as_bytes()).update(&number.to_le_bytes());
    *hasher.finalize().as_bytes()
}

/// Writes `bytes` bytes of the key's stream.
pub fn pour(key: &[u8; 32], bytes: u64, into: &mut impl Write) -> std::io::Result<()> {
    let mut stream = blake3::Hasher::new_keyed(key).finalize_xof();
    let mut piece = vec![0u8; PIECE_BYTES];
    let mut left = bytes;
    while left > 0 {
        let n = left.min(PIECE_BYTES as u64) as usize;
        stream.fill(&mut piece[..n]);
        into.write_all(&piece[..n])?;
        left -= n as u64;
    }
    Ok(())
}

/// The salted digest of `bytes` bytes of the key's stream: what a reader of them must say.
pub fn digest_of(key: &[u8; 32], bytes: u64, salt: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(salt);
    pour(key, bytes, &mut hasher).expect("a hasher takes everything");
    *hasher.finalize().as_bytes()
}
