//! What a device tells of itself, in bounds, and everything that follows from it.

use super::{ChipFacts, Duplicates, Fingerprint, HostFacts, Hosting, PRINTS_MAX, seen};
use ionet_core::{CHIPS_PER_DEVICE_MAX, DeviceId, SIGNALS_MAX, Signal};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Bytes of a name or an id: what an inventory may have.
const TEXT_BYTES_MAX: usize = 256;

/// A device's own word about its parts. Fields that a newer device adds are skipped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The machine.
    pub host: HostFacts,
    /// Its chips.
    pub chips: Vec<ChipFacts>,
    /// Salted hashes of its numbers.
    pub prints: Vec<Fingerprint>,
}

/// A report that is larger than any honest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a report of more than {CHIPS_PER_DEVICE_MAX} chips or {PRINTS_MAX} numbers, or too long")]
pub struct Unbounded;

impl Report {
    /// Whether it may be looked at.
    pub fn check(&self) -> Result<(), Unbounded> {
        let short = |text: &String| text.len() <= TEXT_BYTES_MAX;
        let chip = |chip: &ChipFacts| short(&chip.model) && chip.uuid.iter().all(short);
        let fits = self.chips.len() <= CHIPS_PER_DEVICE_MAX && self.prints.len() <= PRINTS_MAX;
        if fits && self.chips.iter().all(chip) { Ok(()) } else { Err(Unbounded) }
    }

    /// Every signal of a device that connects from `address`: of each kind one, at most
    /// [`SIGNALS_MAX`]. `known` has the fingerprints of all devices that are online.
    pub fn signals(
        &self,
        device: &DeviceId,
        address: IpAddr,
        hosting: &Hosting,
        known: &Duplicates,
        at_ms: i64,
    ) -> Result<Vec<Signal>, Unbounded> {
        self.check()?;
        let mut all = known.signals(device, at_ms);
        all.extend(hosting.seen(address, at_ms));
        all.extend(self.chips.iter().flat_map(|chip| seen(chip, &self.host, &[], at_ms)));
        // Eight cards of one model say the same eight times.
        let mut codes = std::collections::BTreeSet::new();
        all.retain(|signal| codes.insert(signal.code.clone()));
        all.truncate(SIGNALS_MAX);
        Ok(all)
    }
}
