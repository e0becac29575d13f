//! What a device tells of itself, in bounds, and everything that follows from it.

use super::{
    ChipFacts, Duplicates, Fingerprint, HostFacts, Hosting, Measured, PRINTS_MAX, rule_out, seen,
};
use ionet_core::{
    CHIPS_PER_DEVICE_MAX, DeviceId, Measure, Provenance, Quantity, Region, SIGNALS_MAX, Signal,
    Verdict,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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
}

/// What is seen of a device that is online.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// The device.
    pub device: DeviceId,
    /// The region that it claims.
    pub region: Region,
    /// What it tells of its parts; none: it tells nothing.
    pub report: Option<&'a Report>,
    /// Where it connects from, as its connection shows it.
    pub addresses: &'a [IpAddr],
    /// Round trips between landmarks and it.
    pub trips: &'a [Measured],
}

impl Sighting<'_> {
    /// Everything that follows: of each kind one signal, at most [`SIGNALS_MAX`]. `known` has
    /// what all devices have that are online. A report out of bounds, and landmarks that are
    /// nowhere, say nothing.
    pub fn signals(&self, hosting: &Hosting, known: &Duplicates, at_ms: i64) -> Vec<Signal> {
        let mut all = known.signals(&self.device, at_ms);
        all.extend(self.addresses.iter().find_map(|address| hosting.seen(*address, at_ms)));
        let ruling = rule_out(self.region, self.trips, at_ms).ok();
        all.extend(ruling.and_then(|ruling| ruling.contradicted));
        if let Some(report) = self.report.filter(|report| report.check().is_ok()) {
            let chips = report.chips.iter();
            all.extend(chips.flat_map(|chip| seen(chip, &report.host, &[], at_ms)));
        }
        // Eight cards of one model say the same eight times.
        let mut codes = BTreeSet::new();
        all.retain(|signal| codes.insert(signal.code.clone()));
        all.truncate(SIGNALS_MAX);
        all
    }
}

/// The same signals; those of a kind that was there before keep the instant since when it is.
pub fn since(mut signals: Vec<Signal>, before: &[Signal]) -> Vec<Signal> {
    for signal in &mut signals {
        let same = before.iter().find(|b| b.code == signal.code);
        signal.at_ms = same.map_or(signal.at_ms, |b| b.at_ms.min(signal.at_ms));
    }
    signals
}

/// Puts signals beside a verdict, and the round trip, in microseconds, among its evidence as
/// *measured*: an answer may be as late as it likes, so it shows "no longer than" alone. Tier,
/// score and life stay as they were judged.
pub fn beside(verdict: &mut Verdict, signals: Vec<Signal>, trip_us: Option<u32>, at_ms: i64) {
    verdict.signals = signals;
    verdict.evidence.retain(|measure| measure.quantity != Quantity::RoundTrip);
    verdict.evidence.extend(trip_us.map(|us| Measure {
        quantity: Quantity::RoundTrip,
        value: u64::from(us),
        provenance: Provenance::Measured,
        at_ms,
        trial: None,
    }));
    verdict.evidence.sort_by_key(|measure| measure.quantity);
}
