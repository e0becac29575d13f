//! What placement looks at of a device.

use ionet_core::{Asset, ChipClass, DeviceId, Egress, Region, Tier, Wallet};
use serde::{Deserialize, Serialize};

/// What a supplier asks, in base units per chip and hour; none: the asset is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asks {
    /// In USDC.
    #[serde(default)]
    pub usdc: Option<u64>,
    /// In IO.
    #[serde(default)]
    pub io: Option<u64>,
}

impl Asks {
    /// The ask in `asset`.
    pub fn of(&self, asset: Asset) -> Option<u64> {
        match asset {
            Asset::Usdc => self.usdc,
            Asset::Io => self.io,
        }
    }
}

/// Whether a device can take work now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// It can.
    Available,
    /// Its owner wants it back.
    Draining,
    /// It proves its chips first.
    Proving,
    /// It was silent for a few heartbeats.
    Suspect,
    /// It is not connected.
    Offline,
    /// The network holds it back: two machines show its key, the chain holds no valid record
    /// of it, or its last binding failed a moment ago.
    Withheld,
}

/// One device as placement sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The device.
    pub device: DeviceId,
    /// Who owns it.
    pub supplier: Wallet,
    /// Class of its chips; none if they are of several classes.
    pub chip: Option<ChipClass>,
    /// Chips in all.
    pub chips_total: u8,
    /// Chips that no cluster holds.
    pub chips_free: u8,
    /// Where it stands.
    pub region: Region,
    /// What its workloads may reach.
    pub egress: Egress,
    /// What it asks.
    pub asks: Asks,
    /// Memory for workloads, in bytes.
    pub memory_bytes: u64,
    /// How far its chips are known now.
    pub tier: Tier,
    /// Whether it can take work now.
    pub availability: Availability,
}
