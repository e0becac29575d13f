//! Fingerprints of chips and boards as salted hashes.
//!
//! A raw serial number never leaves the device. The salt is made from a secret of the
//! coordinator's, its epoch and the chain: two networks cannot compare notes, and after an epoch
//! nobody's old books tell anything.
//!
//! A salt hides nothing from whoever has it. Numbers are few: all network cards of one maker are
//! tried in seconds, a board's serial in hours, and only a chip's unique id is too long to guess.
//! The coordinator has salt and hashes, so to it these are the numbers themselves. Every device is
//! given the salt for its own hashes, so every *supplier* has it too, and learns nothing, as long
//! as no hash of another device is ever shown: signals name devices, never hashes.
//!
//! And a hash proves nothing: a device may send any.

use ionet_core::GenesisHash;
use serde::{Deserialize, Serialize};

/// Fingerprints of one device: those of sixteen chips and of its machine.
pub const PRINTS_MAX: usize = 32;
/// Bytes of a raw id.
const RAW_BYTES_MAX: usize = 128;
/// Fewer letters and digits identify nothing.
const RAW_BYTES_MIN: usize = 6;

/// What a fingerprint is of. Each has hashes of its own: a board's number is never taken for a
/// card's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A chip's unique id.
    Uuid,
    /// Vendor, model and slot of a chip: alike in many machines.
    Pci,
    /// Driver and firmware: alike in many machines.
    Driver,
    /// The main board's serial number or id.
    Board,
    /// The address of a network card.
    Network,
}

impl Purpose {
    fn context(self) -> &'static str {
        match self {
            Self::Uuid => "ionet 2026-11 fingerprint chip uuid",
            Self::Pci => "ionet 2026-11 fingerprint pci",
            Self::Driver => "ionet 2026-11 fingerprint driver",
            Self::Board => "ionet 2026-11 fingerprint board",
            Self::Network => "ionet 2026-11 fingerprint network card",
        }
    }

    /// Whether no two devices have the same, unless something is wrong.
    pub fn is_unique(self) -> bool {
        match self {
            Self::Uuid | Self::Board | Self::Network => true,
            Self::Pci | Self::Driver => false,
        }
    }
}

/// What hashes of one network and epoch begin with.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt([u8; 32]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl Salt {
    /// Of a chain and an epoch, from the coordinator's secret.
    pub fn new(secret: &[u8; 32], genesis: &GenesisHash, epoch: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("ionet 2026-11 fingerprint salt");
        hasher.update(secret).update(&genesis.0).update(&epoch.to_le_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// The fingerprint of a raw id; none of text that identifies nothing.
    pub fn print(&self, purpose: Purpose, raw: &str) -> Option<Fingerprint> {
        let plain = plain(raw)?;
        if purpose == Purpose::Network && is_made_up(&plain) {
            return None;
        }
        let key = blake3::derive_key(purpose.context(), &self.0);
        let hash = *blake3::keyed_hash(&key, plain.as_bytes()).as_bytes();
        Some(Fingerprint { purpose, hash })
    }
}

/// Letters and digits in lower case: the same card is written in several ways. Nothing of what
/// vendors leave in place of a number.
fn plain(raw: &str) -> Option<String> {
    const FILLERS: [&str; 8] = [
        "tobefilledbyoem",
        "defaultstring",
        "notspecified",
        "notapplicable",
        "systemserialnumber",
        "baseboardserialnumber",
        "123456789",
        "0123456789",
    ];
    if raw.len() > RAW_BYTES_MAX {
        return None;
    }
    let kept = raw.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = kept.map(|c| c.to_ascii_lowercase()).collect();
    let digits = plain.strip_prefix("gpu").unwrap_or(&plain);
    let first = digits.bytes().next()?;
    let one_sign = digits.bytes().all(|b| b == first);
    let identifies =
        plain.len() >= RAW_BYTES_MIN && !one_sign && !FILLERS.contains(&plain.as_str());
    identifies.then_some(plain)
}

/// Whether an address of a network card is one that no maker gave it (the second-lowest bit of its
/// first byte, IEEE 802): machines of one hypervisor, or of one image, have the same.
fn is_made_up(address: &str) -> bool {
    let first = address.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    address.len() != 12 || first.is_none_or(|byte| byte & 0b11 != 0)
}

/// A salted hash of something that a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Of what.
    pub purpose: Purpose,
    /// The hash.
    pub hash: [u8; 32],
}
