//! What is known of a device.

use crate::At;
use crate::limits::BIND_FAILED_REST_MS;
use ionet_core::{ClusterId, DeviceId, Inventory, Slice, Tier, Verdict, Wallet};
use ionet_placement::{Asks, Availability, Candidate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the chain's record of a device says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceTerms {
    /// Units that can be bound: chips.
    pub units_total: u16,
    /// Least rate per unit and hour.
    pub asks: Asks,
    /// Generation of the record; grows with every binding.
    pub generation: u64,
    /// Whether this coordinator may bind it.
    pub accepts_us: bool,
    /// From then on it cannot be bound.
    pub expires_at: At,
}

/// Whether a device is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "presence", rename_all = "kebab-case")]
pub enum Presence {
    /// It never had a session.
    Enrolled {
        /// Since when it is known.
        at: At,
    },
    /// It has a session and answers.
    Online {
        /// Since when.
        since: At,
    },
    /// It was silent for a few heartbeats.
    Suspect {
        /// When it was last heard.
        silent_since: At,
    },
    /// It is gone.
    Offline {
        /// Since when.
        since: At,
    },
}

/// What a device gives to one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Chips.
    pub chips: u8,
    /// Whether its meter runs.
    pub earning: bool,
}

/// A device's state as people see it; derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceState {
    /// Known, never connected.
    Enrolled,
    /// Connected; its chips are not proven, or were too long ago.
    Proving,
    /// Connected and free.
    Idle,
    /// A cluster holds it; its meter does not run yet.
    Bound,
    /// Its meter runs.
    Hired,
    /// Its owner wants it back.
    Draining,
    /// It was silent for a few heartbeats.
    Suspect,
    /// It is gone.
    Offline,
    /// Two machines show its key.
    Cloned,
    /// The chain holds no record of it any more.
    Retired,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its key.
    pub id: DeviceId,
    /// Who owns it.
    pub owner: Wallet,
    /// What it says it is made of.
    pub inventory: Inventory,
    /// What the chain says of it.
    pub terms: DeviceTerms,
    /// When it enrolled.
    pub enrolled_at: At,
    /// Number of its newest session; 0 before the first.
    pub session: u64,
    /// Sessions in a row that began with an old number.
    pub stale_hellos: u8,
    /// Whether it is there.
    pub presence: Presence,
    /// Since when its owner wants it back.
    pub draining: Option<At>,
    /// Since when two machines show its key.
    pub cloned: Option<At>,
    /// Since when the chain holds no record of it.
    pub retired: Option<At>,
    /// When binding it last failed.
    pub bind_failed: Option<At>,
    /// Which clusters hold how much of it.
    pub holds: BTreeMap<ClusterId, Hold>,
    /// The most chips that could be leased at once since it enrolled.
    pub chips_sold_max: u8,
    /// What is known of its chips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

impl Device {
    /// Chips that can be leased: what the chain's record sells of what is there.
    pub fn chips_total(&self) -> u8 {
        let there = u8::try_from(self.inventory.chips.len()).unwrap_or(u8::MAX);
        u8::try_from(self.terms.units_total).unwrap_or(u8::MAX).min(there)
    }

    /// Chips that no cluster holds.
    pub fn chips_free(&self) -> u8 {
        self.chips_total().saturating_sub(self.chips_held())
    }

    /// Chips that clusters hold. Saturates.
    pub fn chips_held(&self) -> u8 {
        self.holds.values().fold(0, |sum, hold| sum.saturating_add(hold.chips))
    }

    /// Whether any cluster holds it: it sends heartbeats at the shorter interval.
    pub fn is_hired(&self) -> bool {
        !self.holds.is_empty()
    }

    /// How far its chips are known at `at`.
    pub fn tier(&self, at: At) -> Tier {
        self.verdict.as_ref().map_or(Tier::Claimed, |verdict| verdict.tier_at(at.0))
    }

    /// Whether it must prove its chips before it gets more work, where proofs are required.
    /// What it serves it goes on serving.
    pub fn owes_proof(&self, at: At) -> bool {
        !self.verdict.as_ref().is_some_and(|verdict| verdict.counts_at(at.0))
    }

    /// Its state in one word at `at`. `proofs`: whether proofs are required.
    pub fn state(&self, at: At, proofs: bool) -> DeviceState {
        if self.retired.is_some() {
            return DeviceState::Retired;
        }
        if self.cloned.is_some() {
            return DeviceState::Cloned;
        }
        match self.presence {
            Presence::Enrolled { .. } => DeviceState::Enrolled,
            Presence::Suspect { .. } => DeviceState::Suspect,
            Presence::Offline { .. } => DeviceState::Offline,
            Presence::Online { .. } if self.draining.is_some() => DeviceState::Draining,
            Presence::Online { .. } if self.holds.values().any(|h| h.earning) => DeviceState::Hired,
            Presence::Online { .. } if self.is_hired() => DeviceState::Bound,
            Presence::Online { .. } if proofs && self.owes_proof(at) => DeviceState::Proving,
            Presence::Online { .. } => DeviceState::Idle,
        }
    }

    /// Whether it can take work at `at`. `proofs`: whether proofs are required.
    pub fn availability(&self, at: At, proofs: bool) -> Availability {
        let resting = self.bind_failed.is_some_and(|t| at.ms_since(t) < BIND_FAILED_REST_MS);
        let sellable = self.terms.accepts_us && at < self.terms.expires_at;
        if self.retired.is_some() || self.cloned.is_some() || resting || !sellable {
            return Availability::Withheld;
        }
        match self.presence {
            Presence::Enrolled { .. } | Presence::Offline { .. } => Availability::Offline,
            Presence::Suspect { .. } => Availability::Suspect,
            Presence::Online { .. } if self.draining.is_some() => Availability::Draining,
            Presence::Online { .. } if proofs && self.owes_proof(at) => Availability::Proving,
            Presence::Online { .. } => Availability::Available,
        }
    }

    /// The device as placement sees it. `proofs`: whether proofs are required.
    pub fn candidate(&self, at: At, proofs: bool) -> Candidate {
        Candidate {
            device: self.id,
            supplier: self.owner,
            chip: self.inventory.chip_class(),
            chips_total: self.chips_total(),
            chips_free: self.chips_free(),
            region: self.inventory.region,
            egress: self.inventory.egress,
            asks: self.terms.asks,
            memory_bytes: self.inventory.slice.memory_bytes,
            tier: self.tier(at),
            availability: self.availability(at, proofs),
        }
    }

    /// What a part with `chips` chips gets of the machine: its share, rounded down, so that all
    /// parts together never exceed the slice.
    pub fn slice_for(&self, chips: u8) -> Slice {
        let (part, all) = (u64::from(chips), self.inventory.chips.len().max(1) as u64);
        let share = |whole: u64| ionet_units::mul_div_floor(whole, part.min(all), all).unwrap_or(0);
        let whole = self.inventory.slice;
        Slice {
            cpu_milli: share(u64::from(whole.cpu_milli)) as u32,
            memory_bytes: share(whole.memory_bytes),
            scratch_bytes: share(whole.scratch_bytes),
        }
    }
}
