//! What a renter asks for.

use crate::{Asset, ChipClass, ImageRef, RegionFilter, Tier};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Limits on a spec, each with its reason.
pub mod limits {
    /// Devices of one cluster. A lease's pages hold 24 lines each: 42 pages.
    pub const DEVICES_MAX: u16 = 1_000;
    /// Chips of one device in one slot: the largest machines sold hold 16.
    pub const CHIPS_PER_DEVICE_MAX: u8 = 16;
    /// Shortest lease: below this the chain's fees outweigh the rent of a small machine.
    pub const TTL_SECONDS_MIN: u64 = 60;
    /// Longest lease: a year, as the network that we follow has it.
    pub const TTL_SECONDS_MAX: u64 = 8_760 * 3_600;
    /// Bytes of a cluster's name.
    pub const NAME_BYTES_MAX: usize = 64;
    /// Bytes of a whole spec as JSON. Checked before parsing.
    pub const SPEC_BYTES_MAX: usize = 16 * 1024;
}

/// What runs on the devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum ClusterKind {
    /// A Ray cluster: one head, the other devices its workers.
    #[default]
    Ray,
}

/// Which part of a cluster a device runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ray's head: the dashboard, the job server, the control store.
    Head,
    /// A Ray worker node.
    Worker,
}

/// What a workload may reach outside its cluster. Ordered: each level allows what those
/// before it allow.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    /// Nothing.
    #[default]
    None,
    /// The package mirrors that the supplier lists.
    Mirrors,
    /// The public internet; never the host or the supplier's own network.
    Open,
}

impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Egress::None => "none",
            Egress::Mirrors => "mirrors",
            Egress::Open => "open",
        })
    }
}

/// No such egress level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown egress; known are: none, mirrors, open")]
pub struct UnknownEgress;

impl FromStr for Egress {
    type Err = UnknownEgress;
    fn from_str(text: &str) -> Result<Self, UnknownEgress> {
        match text {
            "none" => Ok(Egress::None),
            "mirrors" => Ok(Egress::Mirrors),
            "open" => Ok(Egress::Open),
            _ => Err(UnknownEgress),
        }
    }
}

/// Who may vouch for the seconds that a line served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Vouch {
    /// The coordinator only: works while the renter's own machine sleeps.
    Coordinator,
    /// The renter's session key only.
    Session,
    /// Either.
    #[default]
    Either,
}

/// What a renter asks for. Unknown fields are refused: a misspelt ceiling must not be dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    /// What runs on the devices.
    #[serde(default)]
    pub kind: ClusterKind,
    /// How many devices, head included.
    pub devices: u16,
    /// Class of their chips.
    pub chip: ChipClass,
    /// Chips that each device gives.
    #[serde(default = "one")]
    pub chips_per_device: u8,
    /// Where they may stand.
    #[serde(default)]
    pub region: RegionFilter,
    /// How long the lease may last, in seconds. The deposit pays for all of it.
    #[serde(default = "an_hour")]
    pub ttl_seconds: u64,
    /// What the containers run.
    #[serde(default)]
    pub image: ImageRef,
    /// The least that workloads must be able to reach outside.
    #[serde(default)]
    pub egress: Egress,
    /// How far the chips must be known. Left out of the written form where it asks for nothing,
    /// so that the hash of an older spec stays what was signed.
    #[serde(default, skip_serializing_if = "Tier::is_claimed")]
    pub min_tier: Tier,
    /// What the lease is paid in.
    #[serde(default)]
    pub asset: Asset,
    /// Most that one chip may cost per hour, in base units of `asset`; none: the market's price
    /// at the moment of the quote.
    #[serde(default)]
    pub rate_per_chip_max: Option<u64>,
    /// Who may vouch for served time.
    #[serde(default)]
    pub vouch: Vouch,
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
}

fn one() -> u8 {
    1
}

fn an_hour() -> u64 {
    3_600
}

/// Which field of a spec is out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Number of devices.
    #[error("devices must be 1 to {max}, not {0}", max = limits::DEVICES_MAX)]
    Devices(u16),
    /// Chips per device.
    #[error("chips_per_device must be 1 to {max}, not {0}", max = limits::CHIPS_PER_DEVICE_MAX)]
    ChipsPerDevice(u8),
    /// Duration.
    #[error(
        "ttl must be {min} to {max} seconds, not {0}",
        min = limits::TTL_SECONDS_MIN,
        max = limits::TTL_SECONDS_MAX
    )]
    Ttl(u64),
    /// Name.
    #[error("a cluster's name has 1 to {max} printable characters", max = limits::NAME_BYTES_MAX)]
    Name,
    /// Too large to be looked at.
    #[error("a spec has at most {max} bytes, not {0}", max = limits::SPEC_BYTES_MAX)]
    Size(usize),
    /// Not a spec.
    #[error("not a cluster spec: {0}")]
    Json(String),
}

impl ClusterSpec {
    /// Reads and checks a spec from JSON.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SpecError> {
        if bytes.len() > limits::SPEC_BYTES_MAX {
            return Err(SpecError::Size(bytes.len()));
        }
        let spec: Self =
            serde_json::from_slice(bytes).map_err(|e| SpecError::Json(e.to_string()))?;
        spec.validate()?;
        Ok(spec)
    }

    /// Whether every field is within its bounds. Classes, regions and images checked
    /// themselves when they were read.
    pub fn validate(&self) -> Result<(), SpecError> {
        if !(1..=limits::DEVICES_MAX).contains(&self.devices) {
            return Err(SpecError::Devices(self.devices));
        }
        if !(1..=limits::CHIPS_PER_DEVICE_MAX).contains(&self.chips_per_device) {
            return Err(SpecError::ChipsPerDevice(self.chips_per_device));
        }
        if !(limits::TTL_SECONDS_MIN..=limits::TTL_SECONDS_MAX).contains(&self.ttl_seconds) {
            return Err(SpecError::Ttl(self.ttl_seconds));
        }
        let printable = |n: &String| {
            !n.is_empty() && n.len() <= limits::NAME_BYTES_MAX && n.chars().all(|c| !c.is_control())
        };
        if !self.name.as_ref().is_none_or(printable) {
            return Err(SpecError::Name);
        }
        Ok(())
    }

    /// The hash that the lease carries on-chain, so that what was signed and what is run are
    /// the same. SHA-256 over a domain and the spec's JSON with its fields in declared order.
    pub fn policy_hash(&self) -> [u8; 32] {
        let json = serde_json::to_vec(self).expect("a spec has no map with odd keys");
        Sha256::new().chain_update(b"ionet:cluster-spec:v1").chain_update(json).finalize().into()
    }

    /// Chips of the whole cluster: what the lease pays for.
    pub fn chips(&self) -> u32 {
        u32::from(self.devices) * u32::from(self.chips_per_device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_bounds() {
        let spec = ClusterSpec::from_json(br#"{"devices":3,"chip":"cpu"}"#).unwrap();
        assert_eq!((spec.ttl_seconds, spec.chips()), (3_600, 3));
        for (bad, why) in [
            (r#"{"devices":0,"chip":"cpu"}"#, "devices"),
            (r#"{"devices":1001,"chip":"cpu"}"#, "devices"),
            (r#"{"devices":1,"chip":"warp-drive"}"#, "unknown chip"),
            (r#"{"devices":1,"chip":"cpu","region":"mars"}"#, "unknown region"),
            (r#"{"devices":1,"chip":"cpu","image":"a b"}"#, "image"),
            (r#"{"devices":1,"chip":"cpu","ttl_seconds":1}"#, "ttl"),
            (r#"{"devices":1,"chip":"cpu","rate_per_chip_maks":1}"#, "unknown field"),
            (r#"{"devices":1,"chip":"cpu","name":""}"#, "name"),
            (r#"{"devices":1,"chip":"cpu","min_tier":"gold"}"#, "`claimed`, `measured`, `proven`"),
        ] {
            let error = ClusterSpec::from_json(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        let huge = vec![b' '; 10 << 20];
        assert_eq!(ClusterSpec::from_json(&huge), Err(SpecError::Size(10 << 20)));
    }

    #[test]
    fn the_policy_hash_covers_every_field() {
        let spec = ClusterSpec::from_json(br#"{"devices":3,"chip":"cpu"}"#).unwrap();
        let mut other = spec.clone();
        other.rate_per_chip_max = Some(1);
        assert_ne!(spec.policy_hash(), other.policy_hash());
        assert_eq!(spec.policy_hash(), spec.policy_hash());
        // What asks for nothing is not written: leases from before there were tiers still match.
        let asked = ClusterSpec { min_tier: Tier::Proven, ..spec.clone() };
        assert_ne!(spec.policy_hash(), asked.policy_hash());
        let written = [&spec, &asked].map(|s| serde_json::to_string(s).unwrap());
        assert!(!written[0].contains("tier") && written[1].contains(r#""min_tier":"proven""#));
        assert_eq!(ClusterSpec::from_json(written[1].as_bytes()).unwrap(), asked);
    }
}
