use crate::Money;
use ionet_core::{DeviceId, Inventory, Provenance, Tier, Wallet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a device is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceStateName {
    /// Known, never seen.
    Enrolled,
    /// Connected; proves its chips before it gets work.
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

/// A figure, how it is known and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceFigure {
    /// What of, with its unit last: `integer_multiply_adds_per_s`, `matrix_multiply_adds_per_s`,
    /// `memory_bytes_per_s`, `memory_bytes`, `round_trip_us`, `network_bytes_per_s`,
    /// `disk_bytes_per_s`.
    pub name: String,
    /// How much.
    pub value: u64,
    /// `claimed`, `measured` or `proven`.
    #[schema(value_type = String)]
    pub known: Provenance,
    /// Unix milliseconds since when it is known.
    pub at_ms: i64,
    /// The trial whose public record shows it.
    pub trial: Option<u64>,
}

/// Something that was seen and that no proof shows: it lowers nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceSignal {
    /// For programs, such as `vgpu-profile`.
    pub code: String,
    /// For people.
    pub text: String,
    /// Unix milliseconds.
    pub at_ms: i64,
}

/// What is known of a device's chips, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceVerdict {
    /// How far the chips are known now: `claimed`, `measured` or `proven`.
    #[schema(value_type = String)]
    pub tier: Tier,
    /// Thousandths of what a chip of the class does, the least of all kinds. Shrinks with age.
    pub score: u16,
    /// The same when it was judged.
    pub score_judged: u16,
    /// The class that the evidence bears out.
    pub class: Option<String>,
    /// The figures that it follows from.
    pub figures: Vec<DeviceFigure>,
    /// What was seen besides.
    pub signals: Vec<DeviceSignal>,
    /// Why it is not better, and what would make it so.
    pub reason: Option<String>,
    /// Unix milliseconds of the newest trial.
    pub at_ms: i64,
    /// Unix milliseconds from which on it counts for nothing.
    pub expires_at_ms: i64,
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
    /// What is known of its chips; none: it was never judged.
    pub verdict: Option<DeviceVerdict>,
    /// Unix milliseconds of its next trial, where one is planned.
    pub next_trial_ms: Option<i64>,
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
