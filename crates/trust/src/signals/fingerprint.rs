//! Fingerprints of chips and boards as salted hashes, and the duplicates among them.
//!
//! A raw serial number never leaves the device. The salt is made from a secret of the
//! coordinator's, its epoch and the chain: whoever does not have it cannot try serial numbers one
//! after the other (there are few enough), two networks cannot compare notes, and after an epoch
//! not even the coordinator's old books tell anything. Devices are given the salt of the epoch
//! for their own hashes, so a *supplier* could try numbers during that epoch: what they would
//! learn is that somebody has that chip.
//!
//! Two devices with one chip are sold twice or have one copied id. Which of the two is the copy
//! does not show: both get the signal, and nothing is taken from either.

use super::signal;
use ionet_core::{DeviceId, GenesisHash, Signal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Fingerprints of one device: those of sixteen chips and of its machine.
pub const PRINTS_MAX: usize = 32;
/// Bytes of a raw id.
const RAW_BYTES_MAX: usize = 128;
/// Fewer letters and digits identify nothing.
const RAW_BYTES_MIN: usize = 6;
/// Devices that are named beside one fingerprint.
const NAMED_MAX: usize = 4;

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

    fn words(self) -> &'static str {
        match self {
            Self::Uuid => "chip id",
            Self::Pci => "PCI place",
            Self::Driver => "driver",
            Self::Board => "board id",
            Self::Network => "network card",
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

/// A salted hash of something that a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Of what.
    pub purpose: Purpose,
    /// The hash.
    pub hash: [u8; 32],
}

/// Who has which fingerprints, of the devices that are online. A new epoch begins with a new one.
#[derive(Debug, Default)]
pub struct Duplicates {
    having: BTreeMap<Fingerprint, BTreeSet<DeviceId>>,
    of: BTreeMap<DeviceId, BTreeSet<Fingerprint>>,
}

impl Duplicates {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A device shows its fingerprints, in place of those it had; more than [`PRINTS_MAX`] are
    /// not looked at.
    pub fn online(&mut self, device: DeviceId, prints: &[Fingerprint]) {
        self.offline(&device);
        let unique = prints.iter().take(PRINTS_MAX).filter(|print| print.purpose.is_unique());
        let prints: BTreeSet<Fingerprint> = unique.copied().collect();
        for print in &prints {
            self.having.entry(*print).or_default().insert(device);
        }
        self.of.insert(device, prints);
    }

    /// A device is gone: nobody's duplicate any more.
    pub fn offline(&mut self, device: &DeviceId) {
        for print in self.of.remove(device).unwrap_or_default() {
            if let Some(devices) = self.having.get_mut(&print) {
                devices.remove(device);
                if devices.is_empty() {
                    self.having.remove(&print);
                }
            }
        }
    }

    /// Signals of a device that shares something unique with others: one for each kind.
    pub fn signals(&self, device: &DeviceId, at_ms: i64) -> Vec<Signal> {
        let mut others: BTreeMap<Purpose, BTreeSet<DeviceId>> = BTreeMap::new();
        for print in self.of.get(device).into_iter().flatten() {
            let devices = self.having.get(print).into_iter().flatten();
            let beside = devices.filter(|other| *other != device).take(NAMED_MAX);
            others.entry(print.purpose).or_default().extend(beside.copied());
        }
        let said = others.into_iter().filter(|(_, devices)| !devices.is_empty());
        let text = |purpose: Purpose, devices: BTreeSet<DeviceId>| {
            let names: Vec<String> =
                devices.iter().take(NAMED_MAX).map(ToString::to_string).collect();
            format!("{device} has the same {} as {}", purpose.words(), names.join(", "))
        };
        said.map(|(purpose, devices)| {
            let code = match purpose {
                Purpose::Uuid => "duplicate-uuid",
                Purpose::Board => "duplicate-board",
                Purpose::Network => "duplicate-network-card",
                Purpose::Pci => "duplicate-pci",
                Purpose::Driver => "duplicate-driver",
            };
            signal(code, text(purpose, devices), at_ms)
        })
        .collect()
    }
}
