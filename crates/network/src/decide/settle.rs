//! Money that was seen to move.

use super::cluster_of;
use crate::{At, AttestedLine, Event, Facts, LineRef, Money, Rejection};
use ionet_core::ClusterId;
use ionet_units::BaseUnits;

pub(super) fn deposit_low(
    facts: &Facts,
    cluster: ClusterId,
    deposit: BaseUnits,
    runs_until: At,
) -> Result<Vec<Event>, Rejection> {
    let known = cluster_of(facts, cluster)?;
    let new = known.state.is_live() && known.low_warned != Some(deposit);
    let event = Event::DepositLow { cluster, deposit, runs_until };
    Ok(new.then_some(event).into_iter().collect())
}

pub(super) fn attested(
    facts: &Facts,
    cluster: ClusterId,
    page: u16,
    lines: Vec<AttestedLine>,
    last: bool,
) -> Result<Vec<Event>, Rejection> {
    let known = cluster_of(facts, cluster)?;
    let name = |attested: &AttestedLine| LineRef { page, index: attested.index };
    if let Some(line) = lines.iter().map(name).find(|line| !known.lines.contains_key(line)) {
        return Err(Rejection::UnknownLine { cluster, line });
    }
    if known.attested.get(&page).is_some_and(|(_, last)| *last) {
        return Ok(Vec::new());
    }
    Ok(vec![Event::Attested { cluster, page, lines, last }])
}

pub(super) fn withdrawn(
    facts: &Facts,
    cluster: ClusterId,
    mut lines: Vec<LineRef>,
) -> Result<Vec<Event>, Rejection> {
    let known = cluster_of(facts, cluster)?;
    if let Some(line) = lines.iter().find(|line| !known.lines.contains_key(line)) {
        return Err(Rejection::UnknownLine { cluster, line: *line });
    }
    lines.retain(|line| !known.lines[line].withdrawn);
    let event = (!lines.is_empty()).then_some(Event::Withdrawn { cluster, lines });
    Ok(event.into_iter().collect())
}

pub(super) fn reclaimed(facts: &Facts, cluster: ClusterId) -> Result<Vec<Event>, Rejection> {
    let known = cluster_of(facts, cluster)?;
    match known.money {
        Money::Finalized { .. } => Ok(vec![Event::LeaseReclaimed { cluster }]),
        Money::Reclaimed { .. } => Ok(Vec::new()),
        Money::Unfunded | Money::Open { .. } | Money::Closed { .. } => Err(Rejection::State {
            cluster,
            state: known.state.name(),
            why: "its lease is not finalized",
        }),
    }
}
