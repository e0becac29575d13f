//! Heartbeats: what a device says of its parts. Most change nothing and give no event.

use super::{Draft, device_of};
use crate::{At, Cluster, Event, Facts, PartEnd, PartFact, Presence, Rejection, Seat};
use ionet_core::{DeviceId, PartState, PartStatus, Role};

pub(super) fn report(
    facts: &Facts,
    at: At,
    device: DeviceId,
    session: u64,
    parts: &[PartStatus],
) -> Result<Vec<Event>, Rejection> {
    let known = device_of(facts, device)?;
    if session != known.session {
        return Err(Rejection::StaleSession { device, given: session, current: known.session });
    }
    let mut events = Vec::new();
    match known.presence {
        Presence::Online { .. } => {}
        Presence::Enrolled { .. } | Presence::Suspect { .. } | Presence::Offline { .. } => {
            events.push(Event::DeviceBack { device });
        }
    }
    let mut taken = std::collections::BTreeMap::new();
    for id in known.holds.keys() {
        let Some(cluster) = facts.clusters.get(id) else { continue };
        let Some(news) = news_of(cluster, device, parts) else { continue };
        let mut draft = Draft::new(facts, at, *id)?;
        draft.taken = taken;
        draft.take_news(device, news);
        draft.settle();
        taken = draft.taken.clone();
        for (device, chips) in draft.newly_held() {
            *taken.entry(device).or_insert(0) += chips;
        }
        events.append(&mut draft.events);
    }
    Ok(events)
}

/// What a report changes for a cluster.
enum News {
    /// The part serves now; a head tells how many nodes are alive.
    Serving { first: bool, alive: Option<u32> },
    /// The part ended.
    Ended(PartEnd),
    /// A part that was told to stop is gone.
    Stopped,
}

fn news_of(cluster: &Cluster, device: DeviceId, parts: &[PartStatus]) -> Option<News> {
    let here = parts.iter().filter(|p| p.id.cluster == cluster.id);
    if let Some((slot, seat)) = cluster.seat_of(device) {
        let status = here.clone().find(|p| p.id.generation == seat.generation);
        return news_of_seat(cluster, slot, seat, status);
    }
    let leaving = cluster.leaving.get(&device)?;
    let running = here.clone().any(|p| {
        p.id.generation <= leaving.generation
            && match p.state {
                PartState::Pulling { .. }
                | PartState::Starting
                | PartState::Running
                | PartState::Ready { .. } => true,
                PartState::Exited { .. } | PartState::Failed { .. } | PartState::Stopped => false,
            }
    });
    (!running).then_some(News::Stopped)
}

fn news_of_seat(
    cluster: &Cluster,
    slot: u16,
    seat: &Seat,
    status: Option<&PartStatus>,
) -> Option<News> {
    let served = matches!(seat.part, PartFact::Serving { .. });
    let Some(status) = status else {
        return served.then_some(News::Ended(PartEnd::Missing));
    };
    let is_head = crate::role_of(slot) == Role::Head;
    match &status.state {
        PartState::Pulling { .. } | PartState::Starting => None,
        // A head serves once Ray on it answers.
        PartState::Running if is_head => None,
        PartState::Running => (!served).then_some(News::Serving { first: true, alive: None }),
        PartState::Ready { alive_nodes } => {
            let alive = alive_nodes.filter(|n| is_head && cluster.alive_nodes != Some(*n));
            (!served || alive.is_some()).then_some(News::Serving { first: !served, alive })
        }
        PartState::Exited { code, tail } => {
            Some(News::Ended(PartEnd::Exited { code: *code, tail: super::part::cut(tail) }))
        }
        PartState::Failed { reason } => {
            Some(News::Ended(PartEnd::Failed { reason: super::part::cut(reason) }))
        }
        PartState::Stopped => Some(News::Ended(PartEnd::Stopped)),
    }
}

impl Draft<'_> {
    fn take_news(&mut self, device: DeviceId, news: News) {
        let cluster = self.cluster.id;
        match news {
            News::Serving { first, alive } => {
                let Some((_, seat)) = self.cluster.seat_of(device) else { return };
                let generation = seat.generation;
                if first {
                    self.emit(Event::PartServing { cluster, device, generation });
                }
                if let Some(alive) = alive {
                    self.emit(Event::NodesAlive { cluster, alive });
                }
            }
            News::Ended(end) => self.part_ended(device, end),
            News::Stopped => {
                let devices = vec![device];
                self.emit(Event::PartsStopped { cluster, devices, given_up: false });
            }
        }
    }
}
