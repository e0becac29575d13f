//! Chooses devices for a cluster, and says why when it cannot.
//!
//! The contract: a [`Request`] and candidates in, a [`Choice`] with a reason for each member
//! or a [`Refusal`] out. The refusal is a funnel: for each constraint, in a fixed order, how
//! many devices it removed, and how many would fit if it alone were relaxed.
//!
//! **Invariant:** no I/O, no async, no clock, no entropy: the same request and candidates give
//! the same answer, whatever the candidates' order. Prices are integers.
//!
//! [`Scan`] looks at every candidate. An index for a million chips implements the same
//! [`Placer`].
//!
//! ```
//! use ionet_core::*;
//! use ionet_placement::*;
//! use std::collections::BTreeSet;
//!
//! let spec: ClusterSpec = serde_json::from_str(r#"{"devices": 2, "chip": "cpu"}"#).unwrap();
//! let device = |id: u8, ask: u64| Candidate {
//!     device: DeviceId([id; 32]),
//!     supplier: Wallet([9; 32]),
//!     chip: Some(ChipClass::CPU),
//!     chips_total: 1,
//!     chips_free: 1,
//!     region: Region::LOCAL,
//!     egress: Egress::None,
//!     asks: Asks { usdc: Some(ask), io: None },
//!     memory_bytes: 1 << 30,
//!     tier: Tier::Claimed,
//!     availability: Availability::Available,
//! };
//! let request = Request {
//!     spec: &spec,
//!     want: 2,
//!     rate_per_chip_max: Some(40_000),
//!     rate_total_max: None,
//!     fee: ionet_units::Bps(200),
//!     exclude: &BTreeSet::new(),
//!     near: None,
//! };
//! let refusal = Scan(&[device(1, 30_000), device(2, 50_000)]).place(&request).unwrap_err();
//! assert_eq!(
//!     refusal.to_string(),
//!     "2 devices wanted, 1 fits: of 2 devices 0 lack chip cpu, 0 are outside region any, \
//!      1 asks more than 0.040000 USDC per chip-hour (nearest: 0.050000 USDC)"
//! );
//! let choice = Scan(&[device(1, 30_000), device(2, 40_000)]).place(&request).unwrap();
//! assert_eq!(choice.members[1].rate, 40_000);
//! ```

mod candidate;
mod refusal;
mod scan;

pub use candidate::{Asks, Availability, Candidate};
pub use refusal::{Constraint, Cut, Refusal};
pub use scan::Scan;

use ionet_core::{ClusterSpec, DeviceId, Region};
use ionet_units::{Bps, Rate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The renter's spec: chip, chips per device, region, egress and asset are read from it.
    pub spec: &'a ClusterSpec,
    /// How many devices: all of the cluster's at first, the missing ones at recovery.
    pub want: u16,
    /// Most base units of the spec's asset per chip and hour; none: no ceiling.
    pub rate_per_chip_max: Option<u64>,
    /// Most base units per hour for all wanted devices together, fees included as the chain
    /// counts it: each rounded up by itself. None: no ceiling.
    pub rate_total_max: Option<Rate>,
    /// The fee on top of each device's rate.
    pub fee: Bps,
    /// Devices that must not be taken: they failed this cluster, or are in it already.
    pub exclude: &'a BTreeSet<DeviceId>,
    /// Region to prefer: where the rest of the cluster stands.
    pub near: Option<Region>,
}

/// Chooses devices. Implementations hold the candidates in whatever form suits them.
pub trait Placer {
    /// The best `want` devices, or why there are not enough.
    fn place(&self, request: &Request<'_>) -> Result<Choice, Refusal>;
}

/// Devices that fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// As many as wanted. The first has the most memory: it is the one to make the head.
    pub members: Vec<Chosen>,
}

impl Choice {
    /// Base units per hour of all members. Saturates.
    pub fn rate_total(&self) -> u64 {
        self.members.iter().fold(0, |sum, m| sum.saturating_add(m.rate))
    }
}

/// One chosen device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The device.
    pub device: DeviceId,
    /// Chips that it gives.
    pub chips: u8,
    /// Base units per hour for all its chips: its ask times the chips.
    pub rate: u64,
    /// Where it stands.
    pub region: Region,
    /// Why this one, for people.
    pub reason: String,
}
