//! What a device is asked to prove, and what came of it: the words that worker, coordinator and
//! verifier share. The arithmetic is in `ionet-trust`.

use crate::{ChipClass, DeviceId, Provenance};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One occasion to prove: an hour's, which all idle devices share, or one for devices that just
/// came. A coordinator numbers its own, upwards from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrialId(pub u64);

impl fmt::Display for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One chip of a device. Of a machine with several, each proves for itself, all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChipId {
    /// The device.
    pub device: DeviceId,
    /// Which of its chips, from 0, as its drivers count; 0 for a processor.
    pub number: u8,
}

impl From<DeviceId> for ChipId {
    /// The first chip, or the only one.
    fn from(device: DeviceId) -> Self {
        Self { device, number: 0 }
    }
}

impl fmt::Display for ChipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => self.device.fmt(f),
            number => write!(f, "{}/{number}", self.device),
        }
    }
}

/// Work that a device does in a trial. A device does its tasks one after the other, each from a
/// beacon of its own on, and commits to each when it is done: what arrives when is the measured
/// time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub enum Task {
    /// Rounds of matrix products of small integers, as many as the time allows.
    Multiply {
        /// Which units of the chip it is for, by the size of the entries.
        units: Units,
        /// Rows and columns, a power of two.
        side: u32,
        /// Entries of a product in one leaf, a power of two.
        width: u32,
        /// Leaves to open afterwards.
        openings: u16,
        /// Milliseconds of work.
        time_ms: u32,
    },
    /// Passes over memory, each of which needs the whole one before, as many as the time allows.
    Stream {
        /// Bytes: a number of pages that `trust::memory` has a size for.
        bytes: u64,
        /// Pairs of pages to open afterwards.
        openings: u16,
        /// Milliseconds of work.
        time_ms: u32,
    },
}

impl Task {
    /// Milliseconds of work.
    pub const fn time_ms(&self) -> u32 {
        match self {
            Self::Multiply { time_ms, .. } | Self::Stream { time_ms, .. } => *time_ms,
        }
    }
}

/// Which of a chip's units multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Units {
    /// Integer units: entries of a byte.
    Integer,
    /// Matrix units: entries of half a byte, exact in fp16 and bf16.
    Matrix,
}

/// Most tasks of one trial: both kinds of units and the memory.
pub const TASKS_MAX: usize = 3;

/// How far a device's chips are known. Placement filters by it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The device says so.
    #[default]
    Claimed,
    /// It proved some work, but not all that its class is told apart by.
    Measured,
    /// It proved every rate and the memory of its class.
    Proven,
}

impl Tier {
    /// Every tier, the least known first.
    pub const ALL: [Self; 3] = [Self::Claimed, Self::Measured, Self::Proven];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Measured => "measured",
            Self::Proven => "proven",
        }
    }

    /// Whether it asks for nothing.
    pub fn is_claimed(&self) -> bool {
        *self == Self::Claimed
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such tier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown tier; known are: claimed, measured, proven")]
pub struct UnknownTier;

impl FromStr for Tier {
    type Err = UnknownTier;
    fn from_str(text: &str) -> Result<Self, UnknownTier> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == text).ok_or(UnknownTier)
    }
}

/// What a figure is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Exact multiply-adds of bytes a second.
    IntegerRate,
    /// Exact multiply-adds of half bytes a second, on matrix units where there are some.
    MatrixRate,
    /// Bytes read and written a second, over the whole claimed memory.
    MemoryRate,
    /// Bytes of memory that were held at once.
    MemoryBytes,
    /// Microseconds from the coordinator to the device and back.
    RoundTrip,
    /// Bytes a second between members of a cluster.
    NetworkRate,
    /// Bytes a second written to the disk that workloads use.
    DiskRate,
}

/// A figure, how it is known and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// What of.
    pub quantity: Quantity,
    /// How much, in the unit that [`Quantity`] names.
    pub value: u64,
    /// How it is known.
    pub provenance: Provenance,
    /// Unix milliseconds: its age is the reader's to compute.
    pub at_ms: i64,
    /// The trial whose public record shows it.
    pub trial: Option<TrialId>,
}

/// What is known of a device's chips, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// How far its chips are known.
    pub tier: Tier,
    /// Thousandths of the rate that its class is expected to have, the least of all measured
    /// kinds; at most [`SCORE_MAX`].
    pub score: u16,
    /// The class that the evidence bears out; none yet if nothing was proven.
    pub class: Option<ChipClass>,
    /// The figures that it follows from, one a quantity.
    pub evidence: Vec<Measure>,
    /// Remarks that do not follow from a proof: duplicates, hosting ranges, signs of a slice.
    pub signals: Vec<Signal>,
    /// Why it is not better, and what would make it so, in words.
    pub reason: Option<String>,
    /// Unix milliseconds of the trial.
    pub at_ms: i64,
    /// Unix milliseconds from which on it counts for nothing.
    pub expires_at_ms: i64,
}

impl Verdict {
    /// Whether it counts at `now_ms`, in unix milliseconds.
    pub const fn counts_at(&self, now_ms: i64) -> bool {
        now_ms < self.expires_at_ms
    }

    /// What it is worth at `now_ms`: one that has expired shows nothing.
    pub const fn tier_at(&self, now_ms: i64) -> Tier {
        if self.counts_at(now_ms) { self.tier } else { Tier::Claimed }
    }

    /// Whether it keeps to every limit of this module.
    pub fn is_bounded(&self) -> bool {
        let twice = |(i, figure): (usize, &Measure)| {
            self.evidence[..i].iter().any(|earlier| earlier.quantity == figure.quantity)
        };
        let fits = |s: &Signal| s.code.len() <= CODE_BYTES_MAX && s.text.len() <= TEXT_BYTES_MAX;
        self.score <= SCORE_MAX
            && self.evidence.len() <= EVIDENCE_MAX
            && !self.evidence.iter().enumerate().any(twice)
            && self.signals.len() <= SIGNALS_MAX
            && self.signals.iter().all(fits)
            && self.reason.as_ref().is_none_or(|r| r.len() <= TEXT_BYTES_MAX)
    }
}

/// The score of a chip that does all that is expected of its class.
pub const SCORE_MAX: u16 = 1_000;
/// Most figures of one verdict: one a [`Quantity`].
pub const EVIDENCE_MAX: usize = 7;
/// Bytes of a reason or of a remark's text: a few lines of a terminal.
pub const TEXT_BYTES_MAX: usize = 512;
/// Bytes of a remark's code.
pub const CODE_BYTES_MAX: usize = 64;
/// Most remarks of one verdict.
pub const SIGNALS_MAX: usize = 16;

/// Something that was seen and that no proof shows: it lowers nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// For programs, such as `vgpu-profile`.
    pub code: String,
    /// For people.
    pub text: String,
    /// Unix milliseconds.
    pub at_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_ordered_and_read_as_they_are_written() {
        assert!(Tier::ALL.is_sorted() && Tier::ALL[0].is_claimed());
        for tier in Tier::ALL {
            assert_eq!(tier.to_string().parse(), Ok(tier));
            assert_eq!(serde_json::to_string(&tier).unwrap(), format!("\"{tier}\""));
        }
        assert_eq!("gold".parse::<Tier>(), Err(UnknownTier));
    }
}
