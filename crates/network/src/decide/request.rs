//! Quotes that renters take, and clusters that are over.

use super::cluster_of;
use crate::limits::{FORGET_MS, FORGET_QUOTE_MS, FUNDING_GRACE_MS, QUOTED_PER_RENTER_MAX};
use crate::{At, ClusterState, Event, Facts, Money, NewCluster, Rejection};
use ionet_core::ClusterId;

pub(super) fn request(
    facts: &Facts,
    at: At,
    new: Box<NewCluster>,
) -> Result<Vec<Event>, Rejection> {
    new.spec.validate()?;
    let id = new.cluster;
    if id != ClusterId::of_lease(&new.lease) {
        return Err(Rejection::WrongId);
    }
    if let Some(known) = facts.clusters.get(&id) {
        let same = known.renter == new.renter
            && known.spec == new.spec
            && known.quote == new.quote
            && known.lease == new.lease;
        return if same { Ok(Vec::new()) } else { Err(Rejection::ClusterExists(id)) };
    }
    let (quote, spec) = (&new.quote, &new.spec);
    let fits =
        quote.asset == spec.asset && quote.slots == spec.devices && quote.ttl.0 == spec.ttl_seconds;
    if !fits {
        return Err(Rejection::QuoteMismatch);
    }
    if at >= quote.until {
        return Err(Rejection::QuoteExpired { until: quote.until });
    }
    let waits = |c: &&crate::Cluster| {
        c.renter == new.renter && matches!(c.state, ClusterState::Quoted { .. })
    };
    let waiting = facts.clusters.values().filter(waits).count();
    if waiting >= QUOTED_PER_RENTER_MAX {
        return Err(Rejection::TooManyQuoted { waiting, max: QUOTED_PER_RENTER_MAX });
    }
    let until = quote.until.plus_ms(FUNDING_GRACE_MS);
    Ok(vec![Event::ClusterRequested { new, until }])
}

pub(super) fn expire(facts: &Facts, at: At, cluster: ClusterId) -> Result<Vec<Event>, Rejection> {
    match cluster_of(facts, cluster)?.state {
        ClusterState::Quoted { until } if at >= until => Ok(vec![Event::QuoteExpired { cluster }]),
        ClusterState::Quoted { .. } => Err(Rejection::TooEarly("the quote is still good")),
        ClusterState::Funded { .. }
        | ClusterState::Starting { .. }
        | ClusterState::Ready { .. }
        | ClusterState::Degraded { .. }
        | ClusterState::Stopping { .. }
        | ClusterState::Closed { .. }
        | ClusterState::Failed { .. } => Ok(Vec::new()),
    }
}

/// When an ended cluster may be forgotten; none: not yet, there is money on its way.
pub(crate) fn forget_at(cluster: &crate::Cluster) -> Option<At> {
    let ended = match cluster.state {
        ClusterState::Closed { at, .. } | ClusterState::Failed { at, .. } => at,
        ClusterState::Quoted { .. }
        | ClusterState::Funded { .. }
        | ClusterState::Starting { .. }
        | ClusterState::Ready { .. }
        | ClusterState::Degraded { .. }
        | ClusterState::Stopping { .. } => return None,
    };
    match cluster.money {
        Money::Unfunded => Some(ended.plus_ms(FORGET_QUOTE_MS)),
        Money::Reclaimed { at, .. } => Some(at.plus_ms(FORGET_MS)),
        Money::Open { .. } | Money::Closed { .. } | Money::Finalized { .. } => None,
    }
}

pub(super) fn forget(facts: &Facts, at: At, cluster: ClusterId) -> Result<Vec<Event>, Rejection> {
    match forget_at(cluster_of(facts, cluster)?) {
        Some(due) if at >= due => Ok(vec![Event::ClusterForgotten { cluster }]),
        Some(_) | None => Err(Rejection::TooEarly("the cluster ended only lately")),
    }
}
