//! Everything that is known: events, folded.

use crate::limits::REPLACEMENTS_PER_MINUTE_MAX;
use crate::{At, Cluster, Device, DeviceState, Hold, LineState};
use ionet_core::{ClusterId, DeviceId, Wallet};
use ionet_placement::Candidate;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;

/// Everything that is known. The same events give the same facts, always.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Facts {
    /// Every device that enrolled.
    pub devices: BTreeMap<DeviceId, Device>,
    /// Every cluster that is not forgotten.
    pub clusters: BTreeMap<ClusterId, Cluster>,
    /// When hired devices were last declared lost; as many as the cap per minute.
    pub losses: VecDeque<At>,
    /// Whether devices must prove their chips before they get work.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub proofs_required: bool,
}

impl Facts {
    /// Every device as placement sees it at `at`.
    pub fn candidates(&self, at: At) -> Vec<Candidate> {
        let proofs = self.proofs_required;
        self.devices.values().map(|device| device.candidate(at, proofs)).collect()
    }

    /// A device's state as people see it at `at`. None: no such device.
    pub fn state_of(&self, device: DeviceId, at: At) -> Option<DeviceState> {
        Some(self.devices.get(&device)?.state(at, self.proofs_required))
    }

    /// Clusters of a renter, the newest last.
    pub fn clusters_of(&self, renter: Wallet) -> Vec<&Cluster> {
        let mut all: Vec<_> = self.clusters.values().filter(|c| c.renter == renter).collect();
        all.sort_by_key(|c| (c.requested_at, c.id));
        all
    }

    /// Hired devices that were declared lost in the minute before `at`.
    pub fn losses_within_a_minute(&self, at: At) -> usize {
        self.losses.iter().filter(|loss| at.ms_since(**loss) < 60_000).count()
    }

    /// Private networks in use.
    pub(crate) fn subnets(&self) -> BTreeSet<Ipv4Addr> {
        let used = |c: &&Cluster| !c.state.is_over();
        self.clusters.values().filter(used).filter_map(|c| c.subnet).collect()
    }

    pub(crate) fn note_loss(&mut self, at: At) {
        self.losses.push_back(at);
        if self.losses.len() > REPLACEMENTS_PER_MINUTE_MAX {
            self.losses.pop_front();
        }
    }

    /// Brings the devices' holds in line with what a cluster holds of them.
    pub(crate) fn recount(&mut self, id: ClusterId, before: BTreeMap<DeviceId, Hold>) {
        let after = self.clusters.get(&id).map(holds_of).unwrap_or_default();
        for device in before.keys().filter(|d| !after.contains_key(d)) {
            if let Some(device) = self.devices.get_mut(device) {
                device.holds.remove(&id);
            }
        }
        for (device, hold) in after {
            if let Some(device) = self.devices.get_mut(&device) {
                device.holds.insert(id, hold);
            }
        }
    }
}

/// What a cluster holds of each device: what sits in a slot, what is on its way out, and what
/// a live line binds on the chain.
pub(crate) fn holds_of(cluster: &Cluster) -> BTreeMap<DeviceId, Hold> {
    let mut holds = BTreeMap::new();
    let mut add = |device: DeviceId, chips: u8, earning: bool| {
        let hold = holds.entry(device).or_insert(Hold { chips, earning });
        hold.chips = hold.chips.max(chips);
        hold.earning |= earning;
    };
    for (_, seat) in cluster.seats() {
        add(seat.device, seat.chips, false);
    }
    for (device, leaving) in &cluster.leaving {
        add(*device, leaving.chips, false);
    }
    for (_, line) in cluster.live_lines() {
        add(line.device, line.chips, matches!(line.state, LineState::Started { .. }));
    }
    holds
}
