//! What readers see.

use super::{Leader, REFRESH_MS};
use crate::control::ClusterView;
use crate::present::{self, state_name, story};
use crate::sessions::meter::{LineKey, Metered};
use ionet_api::ClusterEvent;
use ionet_core::ClusterId;
use ionet_network::{At, Cluster, ClusterState, Event, Facts, Line, LineRef, Subject};
use std::collections::BTreeMap;

/// Events that one cluster's time line keeps; a cluster whose devices come and go all day has
/// some hundreds. Older ones stay in the log.
const STORY_MAX: usize = 2_000;

/// A cluster's events, told.
#[derive(Default)]
pub(crate) struct Timeline {
    pub(super) events: Vec<ClusterEvent>,
    pub(super) ready_at: Option<At>,
    /// Events that were announced.
    announced: u64,
}

/// Adds an event that was just folded to its cluster's time line.
pub(super) fn note(
    timelines: &mut BTreeMap<ClusterId, Timeline>,
    facts: &Facts,
    at: At,
    seq: u64,
    event: &Event,
    request_id: Option<&str>,
) {
    let Subject::Cluster(id) = event.subject() else { return };
    let Some(cluster) = facts.clusters.get(&id) else {
        timelines.remove(&id);
        return;
    };
    let timeline = timelines.entry(id).or_default();
    if matches!(event, Event::ClusterReady { .. }) {
        timeline.ready_at.get_or_insert(at);
    }
    if timeline.events.len() >= STORY_MAX {
        timeline.events.remove(0);
    }
    timeline.events.push(ClusterEvent {
        seq,
        at_ms: at.0,
        kind: event.kind().to_owned(),
        text: story(event, cluster.quote.asset),
        state: state_name(&cluster.state),
        request_id: request_id.map(str::to_owned),
    });
}

impl Leader {
    /// Served seconds of a line, as far as known here.
    pub(super) fn served(&self, cluster: &Cluster, at: LineRef, line: &Line) -> u64 {
        let key = key_of(cluster, at, line);
        let table = self.sessions.table();
        let metered = table.meter_of(line.device, &key).map_or(0, Metered::served_s);
        metered.max(line.attested_s)
    }

    fn cluster_view(&self, cluster: &Cluster) -> Option<ClusterView> {
        let timeline = self.timelines.get(&cluster.id)?;
        let table_parts = {
            let table = self.sessions.table();
            let parts = |device| Some((device, table.get(device)?.parts().to_vec()));
            cluster.seats().filter_map(|(_, seat)| parts(seat.device)).collect()
        };
        let clock = self.soft.leases.get(&cluster.id);
        let served = |c: &Cluster, at, line: &Line| self.served(c, at, line);
        let soft = present::Soft {
            parts: &table_parts,
            served: &served,
            now: self.clock.now(),
            paid_until: clock.map(|c| c.runs_until.timestamp().0),
        };
        let last = timeline.events.last().map_or(0, |e| e.seq);
        let ready = timeline.ready_at;
        let view = present::cluster(&self.config, &self.facts, cluster, ready, last, &soft);
        let reachable = match cluster.state {
            ClusterState::Ready { .. } | ClusterState::Degraded { .. } => true,
            ClusterState::Starting { .. }
            | ClusterState::Quoted { .. }
            | ClusterState::Funded { .. }
            | ClusterState::Stopping { .. }
            | ClusterState::Closed { .. }
            | ClusterState::Failed { .. } => false,
        };
        let token = self.secrets.get(&cluster.id).filter(|_| reachable);
        Some(ClusterView {
            cluster: view,
            events: timeline.events.clone(),
            served: present::served(cluster),
            ray_token: token.map(|t| t.to_string()),
        })
    }

    /// The published view of one cluster, fresh.
    pub(super) fn publish_cluster(&mut self, id: ClusterId) -> Option<ionet_api::Cluster> {
        let Some(cluster) = self.facts.clusters.get(&id) else {
            self.driver.views.remove_cluster(id);
            return None;
        };
        let view = self.cluster_view(cluster)?;
        let (shown, last) = (view.cluster.clone(), view.cluster.last_event);
        self.driver.views.put_cluster(view);
        let timeline = self.timelines.get_mut(&id)?;
        for event in timeline.events.iter().filter(|e| e.seq > timeline.announced) {
            // Nobody listening is fine.
            let _ = self.driver.announcements.send((id, event.seq));
        }
        timeline.announced = last;
        Some(shown)
    }

    /// The published view of one device, fresh.
    pub(super) fn publish_device(
        &mut self,
        now: At,
        id: ionet_core::DeviceId,
    ) -> Option<ionet_api::Device> {
        let device = self.facts.devices.get(&id)?;
        let seen = self.sessions.table().get(id).map(|s| s.seen);
        let seen = seen.or_else(|| self.soft.heard.get(&id).map(|h| h.at));
        let shown = present::device(device, now, self.facts.proofs_required, seen);
        self.driver.views.put_device(shown.clone());
        Some(shown)
    }

    /// Publishes what changed, and now and then what moves without events.
    pub(super) fn publish(&mut self, now: At) {
        if now >= self.refresh_due {
            self.refresh_due = now.plus_ms(REFRESH_MS);
            let live = self.facts.clusters.values().filter(|c| !c.state.is_over());
            self.changed_clusters.extend(live.map(|c| c.id));
            let connected: Vec<_> = self.sessions.table().iter().map(|(d, _)| d).collect();
            self.changed_devices.extend(connected);
            self.driver.views.set_offers(present::offers(&self.facts, now));
            self.metrics.count(&self.facts, now, self.sessions.table().len());
        }
        for id in std::mem::take(&mut self.changed_clusters) {
            self.publish_cluster(id);
        }
        for id in std::mem::take(&mut self.changed_devices) {
            self.publish_device(now, id);
        }
    }
}

/// A line as receipts name it.
pub(super) fn key_of(cluster: &Cluster, at: LineRef, line: &Line) -> LineKey {
    LineKey { cluster: cluster.id, lease: cluster.lease, line: at, generation: line.generation }
}
