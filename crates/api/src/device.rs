use crate::Money;
use ionet_core::{DeviceId, Inventory, Wallet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a device is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceStateName {
    /// Known, never seen.
    Enrolled,
    /// Being challenged.
    Proving,
    /// Free.
    Idle,
    /// Promised to a cluster.
    Bound,
    /// Serving a cluster.
    Hired,
    /// Finishing what it has; takes nothing new.
    Draining,
    /// Not connected.
    Offline,
    /// Connected, with a doubt about it.
    Suspect,
}

/// A device as anyone may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// The device.
    #[schema(value_type = String)]
    pub id: DeviceId,
    /// Who owns it.
    #[schema(value_type = String)]
    pub supplier: Wallet,
    /// Where it is in its life.
    pub state: DeviceStateName,
    /// Why it is suspect, offline or waiting.
    pub reason: Option<String>,
    /// Class of its chips.
    pub chip: String,
    /// Chips in all.
    pub chips: u8,
    /// Chips that are free.
    pub chips_free: u8,
    /// Where it stands, as its owner says.
    pub region: String,
    /// What workloads may reach outside.
    pub egress: String,
    /// What it asks per chip and hour.
    pub asks: Vec<Money>,
    /// Unix milliseconds of the last heartbeat.
    pub last_seen_ms: Option<i64>,
    /// Clusters that it serves. Only its supplier sees them.
    pub clusters: Vec<String>,
    /// Everything that it claims of itself. Only in the answer for one device.
    #[schema(value_type = Option<Object>)]
    pub inventory: Option<Inventory>,
}

/// Stop or resume taking new parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// True: take nothing new. False: take work again.
    pub drain: bool,
}

/// What the market has of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Class of chip.
    pub chip: String,
    /// Region.
    pub region: String,
    /// Devices connected.
    pub devices: u32,
    /// Chips free now.
    pub chips_free: u32,
    /// Lowest ask per chip and hour among the free, for each asset.
    pub lowest: Vec<Money>,
}
