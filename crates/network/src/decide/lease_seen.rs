//! A lease as it stands on the chain: opened, topped up, closed, finalized.

use super::Draft;
use crate::limits::FIRST_DEPOSIT_S_MIN;
use crate::quote::deposit_needed;
use crate::{
    At, Cluster, ClusterState, EndReason, Event, Facts, LeaseMismatch, LeaseStatus, LeaseView,
    Money, Rejection, accept_s_max,
};
use ionet_core::ClusterId;
use ionet_units::{BaseUnits, Seconds};

pub(super) fn lease_seen(
    facts: &Facts,
    at: At,
    id: ClusterId,
    view: &LeaseView,
) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft::new(facts, at, id)?;
    let known = &draft.cluster;
    if view.lease != known.lease || view.coordinator != known.coordinator {
        return Err(Rejection::OtherLease(view.lease));
    }
    match known.money {
        Money::Unfunded => draft.opened(view),
        Money::Open { .. } => draft.topped_up(view),
        Money::Closed { .. } | Money::Finalized { .. } | Money::Reclaimed { .. } => {}
    }
    draft.closed(view);
    draft.settle();
    Ok(draft.events)
}

impl Draft<'_> {
    fn opened(&mut self, view: &LeaseView) {
        let cluster = self.cluster.id;
        let quoted = matches!(self.cluster.state, ClusterState::Quoted { .. });
        self.emit(Event::LeaseOpened { cluster, terms: view.terms.clone() });
        // A lease that comes after its quote's end has no cluster: it is closed and refunded.
        if !quoted || view.status != LeaseStatus::Open {
            return;
        }
        match mismatch(&self.cluster, view, self.at) {
            Some(mismatch) => self.stop(EndReason::LeaseMismatch { mismatch }),
            None => self.place_all(),
        }
    }

    fn topped_up(&mut self, view: &LeaseView) {
        let known = self.cluster.terms.as_ref().map_or(BaseUnits::ZERO, |t| t.deposit);
        if view.terms.deposit > known {
            let (cluster, deposit) = (self.cluster.id, view.terms.deposit);
            self.emit(Event::ToppedUp { cluster, deposit });
        }
    }

    fn closed(&mut self, view: &LeaseView) {
        let cluster = self.cluster.id;
        match (view.status, self.cluster.money) {
            (LeaseStatus::Open, _) => {}
            (LeaseStatus::Closed { closed_at, claims_until, refunded }, Money::Open { .. }) => {
                self.emit(Event::LeaseClosed { cluster, closed_at, claims_until, refunded });
                self.stop_unasked();
            }
            (LeaseStatus::Finalized { refunded }, Money::Open { .. }) => {
                let now = self.at;
                let (closed_at, claims_until) = (now, now);
                self.emit(Event::LeaseClosed { cluster, closed_at, claims_until, refunded });
                self.stop_unasked();
                self.emit(Event::LeaseFinalized { cluster, refunded });
            }
            (LeaseStatus::Finalized { refunded }, Money::Closed { .. }) => {
                self.emit(Event::LeaseFinalized { cluster, refunded });
            }
            (
                LeaseStatus::Closed { .. } | LeaseStatus::Finalized { .. },
                Money::Unfunded
                | Money::Closed { .. }
                | Money::Finalized { .. }
                | Money::Reclaimed { .. },
            ) => {}
        }
    }

    /// The lease closed while the cluster was not ending yet.
    fn stop_unasked(&mut self) {
        match self.cluster.state {
            ClusterState::Stopping { .. }
            | ClusterState::Closed { .. }
            | ClusterState::Failed { .. } => {}
            ClusterState::Quoted { .. }
            | ClusterState::Funded { .. }
            | ClusterState::Starting { .. }
            | ClusterState::Ready { .. }
            | ClusterState::Degraded { .. } => self.stop(EndReason::ClosedOnChain),
        }
    }
}

/// Whether the lease is the one that was quoted. Its ceilings may be lower or higher: they are
/// the renter's own signed word, and placement keeps to them.
fn mismatch(cluster: &Cluster, view: &LeaseView, now: At) -> Option<LeaseMismatch> {
    let (spec, terms) = (&cluster.spec, &view.terms);
    if view.renter != cluster.renter {
        return Some(LeaseMismatch::Renter { renter: view.renter });
    }
    if view.asset != spec.asset {
        return Some(LeaseMismatch::Asset { quoted: spec.asset, found: view.asset });
    }
    if view.policy_hash != spec.policy_hash() {
        return Some(LeaseMismatch::Policy);
    }
    if terms.slots_max != spec.devices {
        return Some(LeaseMismatch::Slots { found: terms.slots_max, needed: spec.devices });
    }
    if terms.vouch != spec.vouch {
        return Some(LeaseMismatch::Vouch);
    }
    let most_s = accept_s_max(view.claim_window_s);
    if terms.accept_s > most_s {
        let (found_s, claim_window_s) = (terms.accept_s, view.claim_window_s);
        return Some(LeaseMismatch::Acceptance { found_s, most_s, claim_window_s });
    }
    if terms.expires_at <= now {
        return Some(LeaseMismatch::Expired { expires_at: terms.expires_at });
    }
    let rate = terms.rate_total_max.min(cluster.quote.rate_total_max);
    // The rest may be added later: the lease's clock stands when it is not.
    let first = cluster.quote.ttl.min(Seconds(FIRST_DEPOSIT_S_MIN));
    let needed = deposit_needed(spec.devices, rate, first).unwrap_or(BaseUnits::MAX);
    (terms.deposit < needed).then_some(LeaseMismatch::Deposit { found: terms.deposit, needed })
}
