//! Events into facts. Nothing here decides and nothing fails: an event was checked when it was
//! made. An event about something unknown (forgotten in the meantime) changes nothing.

mod cluster;
mod device;

use crate::facts::holds_of;
use crate::{At, Cluster, Event, Facts, Subject};

impl Facts {
    /// Takes `event`, which happened at `at`, into account.
    pub fn fold(&mut self, at: At, event: &Event) {
        match event.subject() {
            Subject::Network => {
                if let Event::ProofsRequired { required } = event {
                    self.proofs_required = *required;
                }
            }
            Subject::Device(id) => self.fold_device(at, id, event),
            Subject::Cluster(id) => {
                let before = self.clusters.get(&id).map(holds_of).unwrap_or_default();
                match event {
                    Event::ClusterRequested { new, until } => {
                        self.clusters.insert(id, Cluster::requested(at, new, *until));
                    }
                    Event::ClusterForgotten { .. } => {
                        self.clusters.remove(&id);
                    }
                    other => {
                        if let Some(cluster) = self.clusters.get_mut(&id) {
                            cluster.fold(at, other);
                        }
                        if let Event::SlotVacated { device, why, .. } = other {
                            self.note_bind_failure(at, *device, why);
                        }
                    }
                }
                self.recount(id, before);
            }
        }
    }
}
