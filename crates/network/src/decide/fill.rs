//! Choosing devices for vacant slots.

use super::Draft;
use crate::limits::SUBSTITUTE_RETRY_MS;
use crate::{At, Cluster, ClusterState, EndReason, Event, Facts, Placement, Rejection, subnet};
use ionet_core::{ClusterId, DeviceId};
use ionet_placement::{Candidate, Choice, Placer, Refusal, Request, Scan};
use ionet_units::Rate;
use std::collections::BTreeSet;

/// The planner asks to look for substitutes again.
pub(super) fn fill_slots(facts: &Facts, at: At, id: ClusterId) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    if matches!(draft.cluster.state, ClusterState::Funded { .. }) {
        draft.place_all();
        return Ok(draft.events);
    }
    let vacant = draft.cluster.vacancies().len();
    if !draft.cluster.state.is_live() || vacant == 0 {
        return Ok(Vec::new());
    }
    if let Some((looked, _)) = &draft.cluster.refusal
        && at.ms_since(*looked) < SUBSTITUTE_RETRY_MS
    {
        return Err(Rejection::TooEarly("substitutes were looked for a moment ago"));
    }
    match find(&draft.cluster, &draft.candidates(), vacant as u16) {
        (Some(choice), _) => draft.take_seats(choice),
        (None, Some(refusal)) => return Err(Rejection::NoCapacity(Box::new(refusal))),
        (None, None) => {}
    }
    draft.settle();
    Ok(draft.events)
}

impl Draft<'_> {
    /// The first placement of a funded cluster: all or nothing.
    pub(super) fn place_all(&mut self) {
        let want = self.cluster.spec.devices;
        match search(&self.cluster, &self.candidates(), want) {
            Ok(choice) => self.take_seats(choice),
            Err(refusal) => self.stop(EndReason::NoCapacity { refusal }),
        }
    }

    /// Looks for substitutes at once after a loss. A cluster that never was ready ends when
    /// there are none: waiting would lock the renter's money for nothing.
    pub(super) fn refill(&mut self) {
        let vacant = self.cluster.vacancies().len() as u16;
        if vacant == 0 || !self.cluster.state.is_live() {
            return;
        }
        let (found, refusal) = find(&self.cluster, &self.candidates(), vacant);
        let cluster = self.cluster.id;
        if let Some(refusal) = refusal {
            if matches!(self.cluster.state, ClusterState::Starting { .. }) {
                return self.stop(EndReason::NoCapacity { refusal });
            }
            self.emit(Event::CapacityMissing { cluster, refusal });
        }
        if let Some(choice) = found {
            self.take_seats(choice);
        }
    }

    fn take_seats(&mut self, choice: Choice) {
        let vacant: Vec<u16> = if self.cluster.slots.is_empty() {
            (0..self.cluster.spec.devices).collect()
        } else {
            self.cluster.vacancies()
        };
        let seats = vacant
            .into_iter()
            .zip(choice.members)
            .map(|(slot, m)| Placement {
                slot,
                device: m.device,
                chips: m.chips,
                rate: Rate(m.rate),
                reason: m.reason,
            })
            .collect();
        let cluster = self.cluster.id;
        let subnet =
            self.cluster.subnet.unwrap_or_else(|| subnet::choose(cluster, &self.facts.subnets()));
        let generation = self.next_generation();
        self.emit(Event::Placed { cluster, generation, subnet, seats });
    }
}

/// As many substitutes as there are, up to `want`; and a refusal if there are fewer.
fn find(
    cluster: &Cluster,
    candidates: &[Candidate],
    want: u16,
) -> (Option<Choice>, Option<Refusal>) {
    let refusal = match search(cluster, candidates, want) {
        Ok(choice) => return (Some(choice), None),
        Err(refusal) => refusal,
    };
    let fewer = u16::try_from(refusal.fit).unwrap_or(u16::MAX).min(want - 1);
    let some = (1..=fewer).rev().find_map(|n| search(cluster, candidates, n).ok());
    (some, Some(refusal))
}

/// Whether a look for substitutes would find any now: the planner's question.
pub(crate) fn would_find(cluster: &Cluster, candidates: &[Candidate]) -> bool {
    let vacant = cluster.vacancies().len() as u16;
    vacant > 0 && find(cluster, candidates, vacant).0.is_some()
}

/// Asks placement for `want` devices within what the lease's ceilings leave.
fn search(cluster: &Cluster, candidates: &[Candidate], want: u16) -> Result<Choice, Refusal> {
    let mut exclude: BTreeSet<DeviceId> = cluster.excluded.clone();
    exclude.extend(cluster.seats().map(|(_, seat)| seat.device));
    exclude.extend(cluster.leaving.keys());
    exclude.extend(cluster.live_lines().map(|(_, line)| line.device));
    let near = cluster.seats().find_map(|(_, seat)| {
        candidates.iter().find(|c| c.device == seat.device).map(|c| c.region)
    });
    let terms = cluster.terms.as_ref();
    let fee = terms.map_or(cluster.quote.fee, |t| t.fee);
    let per_slot = terms.map_or(cluster.quote.rate_per_slot_max, |t| t.rate_per_slot_max);
    let total = terms.map_or(cluster.quote.rate_total_max, |t| t.rate_total_max);
    let seated = cluster.seats().fold(Rate::ZERO, |sum, (_, seat)| {
        let gross = fee.gross_ceil(seat.rate).unwrap_or(Rate::MAX);
        sum.checked_add(gross).unwrap_or(Rate::MAX)
    });
    let request = Request {
        spec: &cluster.spec,
        want,
        // Rounded down: all chips of a slot together must stay within its ceiling.
        rate_per_chip_max: Some(per_slot.0 / u64::from(cluster.spec.chips_per_device)),
        rate_total_max: Some(total.saturating_sub(seated)),
        fee,
        exclude: &exclude,
        near,
    };
    Scan(candidates).place(&request)
}
