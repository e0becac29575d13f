//! A part: what one device runs of one cluster.

use crate::{ClusterId, DeviceId, Egress, ImageRef, Role, Slice};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// Addresses as text in every format. Left to itself, serde writes them as bytes into a binary
/// format and then expects text inside a tagged enum.
mod ip_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::borrow::Cow;
    use std::net::Ipv4Addr;

    pub(super) fn serialize<S: Serializer>(ip: &Ipv4Addr, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(ip)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Ipv4Addr, D::Error> {
        let text = Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One member of a cluster's private network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The device.
    pub device: DeviceId,
    /// Its address inside the cluster.
    #[serde(with = "ip_text")]
    pub ip: Ipv4Addr,
    /// What it runs.
    pub role: Role,
}

/// A cluster's private network as one of its members must see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// First address of the subnet.
    #[serde(with = "ip_text")]
    pub subnet: Ipv4Addr,
    /// Prefix length of the subnet.
    pub prefix: u8,
    /// Everyone in it, this device included.
    pub members: Vec<Member>,
}

impl Membership {
    /// The member that runs the head.
    pub fn head(&self) -> Option<&Member> {
        self.members.iter().find(|m| m.role == Role::Head)
    }
}

/// Names a part in every command and report. A device obeys the newest generation that it
/// has seen of a cluster and refuses older ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartId {
    /// The cluster.
    pub cluster: ClusterId,
    /// Raised each time that this device's part of the cluster must be made anew.
    pub generation: u32,
}

/// What a device shall run. Holds no secret: those travel beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSpec {
    /// Which part.
    pub id: PartId,
    /// Which device runs it.
    pub device: DeviceId,
    /// Head or worker.
    pub role: Role,
    /// What the container runs.
    pub image: ImageRef,
    /// The private network.
    pub membership: Membership,
    /// Chips of the device that it gets.
    pub chips: u8,
    /// What of the machine it gets.
    pub slice: Slice,
    /// What it may reach outside, never more than the supplier set.
    pub egress: Egress,
}

/// How far a part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum PartState {
    /// The image is on its way.
    Pulling {
        /// Bytes here.
        done_bytes: u64,
        /// Bytes in all, where known.
        total_bytes: Option<u64>,
    },
    /// The container is made.
    Starting,
    /// The container runs; Ray on it may still be looking for its head.
    Running,
    /// The device's own probe finds the part alive: for a head, that Ray answers.
    Ready {
        /// For a head: how many Ray nodes it counts as alive.
        alive_nodes: Option<u32>,
    },
    /// It ended by itself.
    Exited {
        /// Exit code, where there is one.
        code: Option<i64>,
        /// The last lines of its log, bounded.
        tail: String,
    },
    /// It could not be made or kept.
    Failed {
        /// Why, in words for the renter.
        reason: String,
    },
    /// It was told to stop and did.
    Stopped,
}

impl PartState {
    /// Whether the part serves its cluster.
    pub fn is_serving(&self) -> bool {
        match self {
            PartState::Running | PartState::Ready { .. } => true,
            PartState::Pulling { .. }
            | PartState::Starting
            | PartState::Exited { .. }
            | PartState::Failed { .. }
            | PartState::Stopped => false,
        }
    }
}

/// What a device reports of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartStatus {
    /// Which part.
    pub id: PartId,
    /// How far it is.
    #[serde(flatten)]
    pub state: PartState,
    /// Unix seconds when its container started, where it did: the same value before and after
    /// an outage shows that the part ran on without a break.
    pub started_at: Option<i64>,
}
