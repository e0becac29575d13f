//! What is signed off-chain for the program. Each statement begins with its purpose, the chain
//! and the program: none can be used for another purpose or on another chain.

use crate::{Address, Timestamp};

/// Purpose of a device's consent to work for a wallet. The same bytes enrol it with a
/// coordinator, so that a device signs once.
pub const REGISTRATION_DOMAIN: &[u8; 24] = b"ionet:device-request:v1\0";

/// Length of a registration statement.
pub const REGISTRATION_LEN: usize = 24 + 4 * 32 + 8;

/// What a device signs to be registered:
/// `domain || genesis hash || program || device || supplier || expires (i64)`.
pub fn registration(
    genesis_hash: &Address,
    program: &Address,
    device: &Address,
    supplier: &Address,
    expires: Timestamp,
) -> [u8; REGISTRATION_LEN] {
    let mut out = [0; REGISTRATION_LEN];
    out[..24].copy_from_slice(REGISTRATION_DOMAIN);
    out[24..56].copy_from_slice(genesis_hash);
    out[56..88].copy_from_slice(program);
    out[88..120].copy_from_slice(device);
    out[120..152].copy_from_slice(supplier);
    out[152..].copy_from_slice(&expires.0.to_le_bytes());
    out
}

/// Purpose of a receipt.
pub const RECEIPT_DOMAIN: &[u8; 17] = b"ionet:receipt:v1\0";

/// Length of a receipt's signed bytes.
pub const RECEIPT_LEN: usize = 17 + 3 * 32 + 2 + 1 + 8 + 8;

/// A receipt: a line has served this many seconds since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The lease.
    pub lease: Address,
    /// The line's page.
    pub page: u16,
    /// The line's index in the page.
    pub index: u8,
    /// The line's generation.
    pub generation: u64,
    /// Seconds served since the line's start.
    pub served_s: u64,
}

impl Receipt {
    /// What the coordinator or the session key signs: `domain || genesis hash || program ||
    /// lease || page (u16) || index || generation (u64) || served (u64)`.
    pub fn signing_bytes(&self, genesis_hash: &Address, program: &Address) -> [u8; RECEIPT_LEN] {
        let mut out = [0; RECEIPT_LEN];
        out[..17].copy_from_slice(RECEIPT_DOMAIN);
        out[17..49].copy_from_slice(genesis_hash);
        out[49..81].copy_from_slice(program);
        out[81..113].copy_from_slice(&self.lease);
        out[113..115].copy_from_slice(&self.page.to_le_bytes());
        out[115] = self.index;
        out[116..124].copy_from_slice(&self.generation.to_le_bytes());
        out[124..].copy_from_slice(&self.served_s.to_le_bytes());
        out
    }
}

/// Bytes before the signature in the precompile instruction that [`ed25519_instruction`] makes.
pub const ED25519_HEAD: usize = 16;

/// Data of an Ed25519 precompile instruction with one signature, everything inside itself: the
/// only form that the program takes.
#[cfg(feature = "host")]
pub fn ed25519_instruction(
    signer: &Address,
    signature: &[u8; 64],
    message: &[u8],
) -> alloc::vec::Vec<u8> {
    let here = u16::MAX; // "in this very instruction"
    let (key_at, signature_at) = (ED25519_HEAD as u16, ED25519_HEAD as u16 + 32);
    let message_at = signature_at + 64;
    let words = [signature_at, here, key_at, here, message_at, message.len() as u16, here];
    let mut out = alloc::vec![1, 0];
    out.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    out.extend_from_slice(signer);
    out.extend_from_slice(signature);
    out.extend_from_slice(message);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_everything_that_they_are_about() {
        let one = registration(&[1; 32], &[2; 32], &[3; 32], &[4; 32], Timestamp(5));
        assert_eq!(&one[..24], REGISTRATION_DOMAIN);
        assert_eq!(one[24..56], [1; 32]);
        assert_eq!(one[152..], 5i64.to_le_bytes());
        let receipt =
            Receipt { lease: [7; 32], page: 258, index: 9, generation: 3, served_s: 1 << 40 };
        let bytes = receipt.signing_bytes(&[1; 32], &[2; 32]);
        assert_eq!(bytes[113..116], [2, 1, 9]);
        assert_eq!(bytes[124..], (1u64 << 40).to_le_bytes());
    }
}
