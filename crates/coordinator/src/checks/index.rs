//! Which checks are kept, in memory, and which give way.

use super::Kept;
use ionet_core::{ClusterId, DeviceId, Wallet};
use ionet_trust::inside::{PaperId, Word};
use std::collections::{BTreeMap, BTreeSet};

/// Checks of one cluster. A renter who looks every hour speaks by its newest.
pub(super) const CLUSTER_MAX: usize = 4;
/// Checks of one renter: nobody pushes others' out with many short leases.
pub(super) const RENTER_MAX: usize = 32;
/// Checks that speak of one device. Of more, the oldest of whoever has the most gives way.
pub(super) const DEVICE_MAX: usize = 64;
/// Checks in all: some 16 MiB of memory.
pub(super) const ALL_MAX: usize = 4_096;
/// Bytes of all evidence.
pub(super) const BYTES_MAX: u64 = 1 << 30;
/// Milliseconds that evidence is kept: 30 days. It counts for seven.
pub(super) const KEEP_MS: i64 = 30 * 86_400_000;

/// When it came, then its name: an order of age.
type Age = (i64, [u8; 32]);

#[derive(Debug, Default)]
pub(super) struct Index {
    kept: BTreeMap<Age, Kept>,
    ages: BTreeMap<[u8; 32], i64>,
    draws: BTreeSet<(ClusterId, [u8; 32])>,
    devices: BTreeMap<DeviceId, BTreeSet<Age>>,
    bytes: u64,
}

impl Index {
    pub(super) fn has(&self, id: &PaperId) -> bool {
        self.ages.contains_key(&id.0)
    }

    pub(super) fn knows(&self, id: &PaperId, cluster: ClusterId, seed: &Word) -> bool {
        self.has(id) || self.draws.contains(&(cluster, seed.0))
    }

    pub(super) fn add(&mut self, kept: Kept) {
        self.remove(&kept.id);
        let age = (kept.received_ms, kept.id.0);
        self.ages.insert(kept.id.0, kept.received_ms);
        self.draws.insert((kept.cluster, kept.seed.0));
        for looked in &kept.looked {
            self.devices.entry(looked.device).or_default().insert(age);
        }
        self.bytes += kept.bytes;
        self.kept.insert(age, kept);
    }

    pub(super) fn remove(&mut self, id: &PaperId) {
        let Some(received_ms) = self.ages.remove(&id.0) else { return };
        let age = (received_ms, id.0);
        let Some(kept) = self.kept.remove(&age) else { return };
        self.draws.remove(&(kept.cluster, kept.seed.0));
        self.bytes -= kept.bytes;
        for looked in &kept.looked {
            if let Some(ages) = self.devices.get_mut(&looked.device) {
                ages.remove(&age);
                if ages.is_empty() {
                    self.devices.remove(&looked.device);
                }
            }
        }
    }

    /// Those that speak of a device, the newest first.
    pub(super) fn of(&self, device: &DeviceId) -> impl Iterator<Item = &Kept> {
        let ages = self.devices.get(device).into_iter().flatten();
        ages.rev().filter_map(|age| self.kept.get(age))
    }

    /// What gives way at `now_ms`, after one was added.
    pub(super) fn surplus(&self, now_ms: i64) -> Vec<PaperId> {
        let mut gone: BTreeSet<Age> = BTreeSet::new();
        let old = |age: &&Age| now_ms.saturating_sub(age.0) >= KEEP_MS;
        gone.extend(self.kept.keys().take_while(old));
        let Some(newest) = self.kept.values().next_back() else { return Vec::new() };
        let same = |of: &dyn Fn(&Kept) -> bool, max: usize| -> Vec<Age> {
            let mine = self.kept.iter().rev().filter(|(_, k)| of(k)).map(|(age, _)| *age);
            mine.skip(max).collect()
        };
        gone.extend(same(&|k| k.cluster == newest.cluster, CLUSTER_MAX));
        gone.extend(same(&|k| k.renter == newest.renter, RENTER_MAX));
        for looked in &newest.looked {
            gone.extend(self.crowd(&looked.device, &gone));
        }
        let (mut count, mut bytes) = (self.kept.len(), self.bytes);
        for age in &gone {
            count -= 1;
            bytes -= self.kept[age].bytes;
        }
        for (age, kept) in &self.kept {
            if count <= ALL_MAX && bytes <= BYTES_MAX {
                break;
            }
            if gone.insert(*age) {
                count -= 1;
                bytes -= kept.bytes;
            }
        }
        gone.into_iter().map(|(_, id)| Word(id)).collect()
    }

    /// Beyond a device's share: the oldest of the renter with the most.
    fn crowd(&self, device: &DeviceId, gone: &BTreeSet<Age>) -> Option<Age> {
        let left = || self.devices.get(device).into_iter().flatten().filter(|a| !gone.contains(*a));
        if left().count() <= DEVICE_MAX {
            return None;
        }
        let mut by_renter: BTreeMap<Wallet, (usize, Age)> = BTreeMap::new();
        for age in left() {
            let of = by_renter.entry(self.kept[age].renter).or_insert((0, *age));
            of.0 += 1;
        }
        let most = by_renter.values().max_by_key(|(count, age)| (*count, std::cmp::Reverse(*age)));
        most.map(|(_, age)| *age)
    }
}
