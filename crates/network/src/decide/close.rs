//! The end of a cluster.

use super::Draft;
use crate::limits::STOP_MS_MAX;
use crate::{At, ClusterState, EndReason, Event, Facts, Rejection};
use ionet_core::ClusterId;

pub(super) fn close(
    facts: &Facts,
    at: At,
    id: ClusterId,
    reason: EndReason,
) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    match draft.cluster.state {
        ClusterState::Quoted { .. }
        | ClusterState::Funded { .. }
        | ClusterState::Starting { .. }
        | ClusterState::Ready { .. }
        | ClusterState::Degraded { .. } => draft.stop(reason),
        ClusterState::Stopping { .. }
        | ClusterState::Closed { .. }
        | ClusterState::Failed { .. } => {}
    }
    Ok(draft.events)
}

/// Parts that did not stop in their time hold nothing any more. A device that shows one later
/// is told again to stop it.
pub(super) fn give_up(facts: &Facts, at: At, id: ClusterId) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    let overdue = draft.cluster.leaving.iter().filter(|(_, l)| at.ms_since(l.since) >= STOP_MS_MAX);
    let devices: Vec<_> = overdue.map(|(device, _)| *device).collect();
    if !devices.is_empty() {
        draft.emit(Event::PartsStopped { cluster: id, devices, given_up: true });
        draft.settle();
    }
    Ok(draft.events)
}
