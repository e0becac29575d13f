//! Money that was seen to move.

use super::cluster_of;
use crate::{At, AttestedLine, DepositLow, Event, Facts, LineRef, Money, Rejection};
use ionet_core::ClusterId;

/// One warning for each deposit and level.
pub(super) fn deposit_low(
    facts: &Facts,
    cluster: ClusterId,
    low: DepositLow,
) -> Result<Vec<Event>, Rejection> {
    let known = cluster_of(facts, cluster)?;
    let new = known.state.is_live() && known.is_news(low.deposit, low.level);
    let DepositLow { deposit, runs_until, level, stops_at } = low;
    let stops_at = Some(stops_at);
    let event = Event::DepositLow { cluster, deposit, runs_until, level, stops_at };
    Ok(new.then_some(event).into_iter().collect())
}

pub(super) fn vouch_silent(
    facts: &Facts,
    cluster: ClusterId,
    since: At,
    until: At,
) -> Result<Vec<Event>, Rejection> {
    let known = cluster_of(facts, cluster)?;
    let new = known.state.is_live() && known.vouch_silent.is_none();
    Ok(new.then_some(Event::VouchSilent { cluster, since, until }).into_iter().collect())
}

pub(super) fn vouch_heard(facts: &Facts, cluster: ClusterId) -> Result<Vec<Event>, Rejection> {
    let known = cluster_of(facts, cluster)?;
    let new = known.vouch_silent.is_some();
    Ok(new.then_some(Event::VouchHeard { cluster }).into_iter().collect())
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
