//! What the loop publishes for readers. Readers never wait for a decision.

use ionet_api::{Cluster, ClusterEvent, Device, Network, Offer};
use ionet_core::{ChipClass, ClusterId, DeviceId, Wallet};
use ionet_trust::inside::Served;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A cluster as it is published.
#[derive(Clone)]
pub struct ClusterView {
    /// What its owner sees.
    pub cluster: Cluster,
    /// Its time line, in order.
    pub events: Vec<ClusterEvent>,
    /// Which devices served it when.
    pub served: Vec<Served>,
    /// Ray's token while the cluster has a Ray to reach.
    pub ray_token: Option<String>,
}

impl ClusterView {
    /// Events with a number above `after`.
    pub fn events_after(&self, after: u64) -> Vec<ClusterEvent> {
        let from = self.events.partition_point(|e| e.seq <= after);
        self.events[from..].to_vec()
    }
}

struct State {
    network: Network,
    leading: bool,
    clusters: BTreeMap<ClusterId, ClusterView>,
    by_renter: BTreeMap<Wallet, Vec<ClusterId>>,
    devices: BTreeMap<DeviceId, Device>,
    /// Unix milliseconds of devices' next trials.
    trials: BTreeMap<DeviceId, i64>,
    offers: Vec<Offer>,
}

impl State {
    fn with_trial(&self, device: &Device) -> Device {
        let next_trial_ms = self.trials.get(&device.id).copied();
        Device { next_trial_ms, ..device.clone() }
    }
}

/// The published state. Cheap to clone: all clones see the same.
#[derive(Clone)]
pub struct Views {
    state: Arc<RwLock<State>>,
}

impl Views {
    pub(crate) fn new(network: Network) -> Self {
        let state = State {
            network,
            leading: true,
            clusters: BTreeMap::new(),
            by_renter: BTreeMap::new(),
            devices: BTreeMap::new(),
            trials: BTreeMap::new(),
            offers: Vec::new(),
        };
        Self { state: Arc::new(RwLock::new(state)) }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // Writers replace whole values, so a poisoned lock still guards a consistent state.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what clients must know of the network.
    pub fn set_network(&self, network: Network) {
        self.write().network = network;
    }

    /// Publishes whether this process may act.
    pub fn set_leading(&self, leading: bool) {
        self.write().leading = leading;
    }

    /// Publishes a cluster.
    pub fn put_cluster(&self, view: ClusterView) {
        let (id, renter) = (view.cluster.id, view.cluster.renter);
        let mut state = self.write();
        if state.clusters.insert(id, view).is_none() {
            state.by_renter.entry(renter).or_default().push(id);
        }
    }

    /// Forgets a cluster.
    pub fn remove_cluster(&self, id: ClusterId) {
        let mut state = self.write();
        let Some(gone) = state.clusters.remove(&id) else { return };
        if let Some(ids) = state.by_renter.get_mut(&gone.cluster.renter) {
            ids.retain(|known| *known != id);
        }
    }

    /// Publishes a device, inventory included.
    pub fn put_device(&self, device: Device) {
        self.write().devices.insert(device.id, device);
    }

    /// Publishes when which device is asked to prove its chips, all of them at once.
    pub fn set_next_trials(&self, trials: BTreeMap<DeviceId, i64>) {
        self.write().trials = trials;
    }

    /// Publishes what the market has.
    pub fn set_offers(&self, offers: Vec<Offer>) {
        self.write().offers = offers;
    }

    pub(crate) fn network(&self) -> Network {
        self.read().network.clone()
    }

    pub(crate) fn is_leading(&self) -> bool {
        self.read().leading
    }

    pub(crate) fn cluster<T>(
        &self,
        id: ClusterId,
        read: impl FnOnce(&ClusterView) -> T,
    ) -> Option<T> {
        self.read().clusters.get(&id).map(read)
    }

    pub(crate) fn clusters_of(&self, renter: Wallet) -> Vec<Cluster> {
        let state = self.read();
        let ids = state.by_renter.get(&renter).map_or(&[][..], |ids| ids);
        let mut all: Vec<_> =
            ids.iter().filter_map(|id| Some(state.clusters.get(id)?.cluster.clone())).collect();
        all.sort_by_key(|c| (std::cmp::Reverse(c.created_at_ms), c.id));
        all
    }

    pub(crate) fn devices(&self) -> Vec<Device> {
        let state = self.read();
        let shown = |d: &Device| Device { inventory: None, ..state.with_trial(d) };
        state.devices.values().map(shown).collect()
    }

    pub(crate) fn device(&self, id: DeviceId) -> Option<Device> {
        let state = self.read();
        state.devices.get(&id).map(|d| state.with_trial(d))
    }

    pub(crate) fn offers(&self, chip: Option<ChipClass>) -> Vec<Offer> {
        let wanted = |o: &&Offer| chip.is_none_or(|c| c.as_str() == o.chip);
        self.read().offers.iter().filter(wanted).cloned().collect()
    }
}
