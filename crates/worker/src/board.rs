//! What the parts of this device are doing: written by their tasks, read by the session.

use ionet_core::{ClusterId, PartId, PartState, PartStatus};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The newest status of each part. One part per cluster.
pub(crate) struct Board {
    parts: Mutex<BTreeMap<ClusterId, PartStatus>>,
    version: watch::Sender<u64>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { parts: Mutex::default(), version: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ClusterId, PartStatus>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a part's status. One of an older generation than what is there changes nothing.
    pub(crate) fn set(&self, status: PartStatus) {
        let changed = {
            let mut parts = self.lock();
            let old = parts.get(&status.id.cluster);
            let stale = old.is_some_and(|o| o.id.generation > status.id.generation);
            let changed = !stale && old != Some(&status);
            if changed {
                parts.insert(status.id.cluster, status);
            }
            changed
        };
        if changed {
            self.version.send_modify(|v| *v += 1);
        }
    }

    /// Takes a part off, unless a newer generation is there.
    pub(crate) fn remove(&self, id: PartId) {
        let removed = {
            let mut parts = self.lock();
            let there = parts.get(&id.cluster).is_some_and(|p| p.id == id);
            there && parts.remove(&id.cluster).is_some()
        };
        if removed {
            self.version.send_modify(|v| *v += 1);
        }
    }

    pub(crate) fn get(&self, id: PartId) -> Option<PartStatus> {
        self.lock().get(&id.cluster).filter(|p| p.id == id).cloned()
    }

    /// Every part, in order of its cluster.
    pub(crate) fn all(&self) -> Vec<PartStatus> {
        self.lock().values().cloned().collect()
    }

    /// Changes with every change.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// How many parts are in each state, for metrics.
    pub(crate) fn count(&self) -> BTreeMap<&'static str, i64> {
        let mut counts: BTreeMap<_, _> = STATES.iter().map(|s| (*s, 0)).collect();
        for part in self.lock().values() {
            *counts.entry(state_name(&part.state)).or_default() += 1;
        }
        counts
    }
}

const STATES: [&str; 7] =
    ["pulling", "starting", "running", "ready", "exited", "failed", "stopped"];

fn state_name(state: &PartState) -> &'static str {
    match state {
        PartState::Pulling { .. } => "pulling",
        PartState::Starting => "starting",
        PartState::Running => "running",
        PartState::Ready { .. } => "ready",
        PartState::Exited { .. } => "exited",
        PartState::Failed { .. } => "failed",
        PartState::Stopped => "stopped",
    }
}
