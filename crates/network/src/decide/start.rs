//! Lines that started, ended, or were refused by the renter.

use super::Draft;
use crate::{At, Cluster, Event, Facts, LineRef, LineState, Rejection, VacatedWhy};
use ionet_core::{ClusterId, DeviceId};

fn check_known(cluster: &Cluster, lines: &[LineRef]) -> Result<(), Rejection> {
    match lines.iter().find(|line| !cluster.lines.contains_key(line)) {
        Some(line) => Err(Rejection::UnknownLine { cluster: cluster.id, line: *line }),
        None => Ok(()),
    }
}

fn device_in(cluster: &Cluster, line: LineRef) -> Option<DeviceId> {
    cluster.seats().find(|(_, seat)| seat.line == Some(line)).map(|(_, seat)| seat.device)
}

pub(super) fn started(
    facts: &Facts,
    at: At,
    id: ClusterId,
    lines: &[LineRef],
    started_at: At,
) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    check_known(&draft.cluster, lines)?;
    let bound =
        |line: &&LineRef| matches!(draft.cluster.lines[*line].state, LineState::Bound { .. });
    let lines: Vec<LineRef> = lines.iter().filter(bound).copied().collect();
    if !lines.is_empty() {
        draft.emit(Event::LinesStarted { cluster: id, lines, started_at });
        draft.settle();
    }
    Ok(draft.events)
}

pub(super) fn ended(
    facts: &Facts,
    at: At,
    id: ClusterId,
    lines: &[LineRef],
) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    check_known(&draft.cluster, lines)?;
    let live = |line: &&LineRef| draft.cluster.lines[*line].state.is_live();
    let lines: Vec<LineRef> = lines.iter().filter(live).copied().collect();
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    draft.emit(Event::LinesEnded { cluster: id, lines: lines.clone() });
    // Supplier or renter may end the line of a device that still sits in its slot.
    let seated: Vec<_> = lines.iter().filter_map(|l| device_in(&draft.cluster, *l)).collect();
    for device in &seated {
        draft.vacate(*device, VacatedWhy::LineEnded);
    }
    if !seated.is_empty() {
        draft.refill();
    }
    draft.settle();
    Ok(draft.events)
}

pub(super) fn rejected(
    facts: &Facts,
    at: At,
    id: ClusterId,
    line: LineRef,
) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    check_known(&draft.cluster, &[line])?;
    if !draft.cluster.lines[&line].state.is_live() {
        return Ok(Vec::new());
    }
    draft.emit(Event::LineRejected { cluster: id, line });
    if let Some(device) = device_in(&draft.cluster, line) {
        draft.vacate(device, VacatedWhy::Rejected);
        draft.refill();
    }
    draft.settle();
    Ok(draft.events)
}
