//! Lines that were bound on the chain, and those that could not be.

use super::Draft;
use crate::{At, BoundLine, Event, Facts, Line, LineState, Money, Rejection, VacatedWhy};
use ionet_core::{ClusterId, DeviceId};

/// The chain's word is taken even for a device that lost its slot meanwhile: the planner then
/// ends the line.
pub(super) fn bound(
    facts: &Facts,
    at: At,
    id: ClusterId,
    mut lines: Vec<BoundLine>,
) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    for bound in &lines {
        if let Some(known) = draft.cluster.lines.get(&bound.line)
            && !is_same(known, bound)
        {
            let why = "another device or rate";
            return Err(Rejection::LineMismatch { line: bound.line, why });
        }
    }
    lines.retain(|bound| !draft.cluster.lines.contains_key(&bound.line));
    // After the lease closed every line has ended; there is nothing to hold.
    if lines.is_empty() || !matches!(draft.cluster.money, Money::Open { .. }) {
        return Ok(Vec::new());
    }
    draft.emit(Event::LinesBound { cluster: id, lines });
    draft.settle();
    Ok(draft.events)
}

fn is_same(known: &Line, told: &BoundLine) -> bool {
    known.device == told.device && known.rate == told.rate && known.generation == told.generation
}

pub(super) fn failed(
    facts: &Facts,
    at: At,
    id: ClusterId,
    device: DeviceId,
    reason: String,
) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    let Some((_, seat)) = draft.cluster.seat_of(device) else { return Ok(Vec::new()) };
    let bound = seat.line.and_then(|line| draft.cluster.lines.get(&line));
    if bound.is_some_and(|line| {
        matches!(line.state, LineState::Bound { .. } | LineState::Started { .. })
    }) {
        let why = "its line is bound already";
        let state = draft.cluster.state.name();
        return Err(Rejection::State { cluster: id, state, why });
    }
    draft.vacate(device, VacatedWhy::BindFailed { reason: super::part::cut(&reason) });
    draft.refill();
    draft.settle();
    Ok(draft.events)
}
