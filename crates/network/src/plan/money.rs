//! The money steps of clusters that run or end.

use super::{Plan, Step};
use crate::limits::ATTEST_INTERVAL_MS;
use crate::{At, Cluster, EndReason, LineRef, Money};
use ionet_core::Vouch;
use std::collections::BTreeMap;

/// Lines that ever started, by page.
fn started_pages(cluster: &Cluster) -> BTreeMap<u16, Vec<LineRef>> {
    let mut pages: BTreeMap<u16, Vec<LineRef>> = BTreeMap::new();
    for (at, line) in &cluster.lines {
        if line.state.started().is_some() {
            pages.entry(at.page).or_default().push(*at);
        }
    }
    pages
}

/// Whether the coordinator's word counts for this lease.
fn we_vouch(cluster: &Cluster) -> bool {
    match cluster.terms.as_ref().map(|terms| terms.vouch) {
        Some(Vouch::Coordinator | Vouch::Either) => true,
        Some(Vouch::Session) | None => false,
    }
}

/// Whether the program takes a word about a line: in its acceptance window it does not.
fn is_past_acceptance(cluster: &Cluster, line: LineRef, now: At) -> bool {
    let started = cluster.lines.get(&line).and_then(|line| line.state.started());
    match (started, &cluster.terms) {
        (Some(started), Some(terms)) => now >= terms.vouched_from(started),
        (None, _) | (_, None) => false,
    }
}

fn is_last(cluster: &Cluster, page: u16) -> bool {
    cluster.attested.get(&page).is_some_and(|(_, last)| *last)
}

impl Plan {
    /// Pages of a running cluster that were not attested for a while. The last word about a
    /// lease for which only the renter's side vouches comes at its end, from its receipts: until
    /// then they are the suppliers' own.
    pub(super) fn attest_due(&mut self, now: At, cluster: &Cluster) {
        if !we_vouch(cluster) {
            return;
        }
        for (page, mut lines) in started_pages(cluster) {
            lines.retain(|line| is_past_acceptance(cluster, *line, now));
            let first = lines.iter().filter_map(|l| cluster.lines[l].state.started()).min();
            let since = cluster.attested.get(&page).map(|(at, _)| *at).or(first);
            if since.is_some_and(|since| now.ms_since(since) >= ATTEST_INTERVAL_MS) {
                self.steps.push(Step::Attest { cluster: cluster.id, page, lines, last: false });
            }
        }
    }

    /// What is left to do with the money of a cluster that ends or ended.
    pub(super) fn wind_up(&mut self, now: At, cluster: &Cluster, reason: &EndReason) {
        let id = cluster.id;
        match cluster.money {
            Money::Unfunded | Money::Reclaimed { .. } => {}
            Money::Open { .. } => {
                self.steps.push(Step::CloseLease { cluster: id, reason: reason.clone() });
            }
            Money::Closed { claims_until, .. } => {
                if now >= claims_until {
                    self.steps.push(Step::Finalize { cluster: id, not_before: claims_until });
                } else {
                    self.attest_last(now, cluster);
                }
                self.withdraw(cluster, false);
            }
            Money::Finalized { .. } => {
                if !self.withdraw(cluster, true) {
                    self.steps.push(Step::Reclaim { cluster: id });
                }
            }
        }
    }

    /// Once for each page: not before the last of its lines can be vouched for.
    fn attest_last(&mut self, now: At, cluster: &Cluster) {
        for (page, lines) in started_pages(cluster) {
            let ripe = lines.iter().all(|line| is_past_acceptance(cluster, *line, now));
            if ripe && !is_last(cluster, page) {
                self.steps.push(Step::Attest { cluster: cluster.id, page, lines, last: true });
            }
        }
    }

    /// Draws for the suppliers what is settled: pages that get no more seconds. Returns whether
    /// there was anything.
    fn withdraw(&mut self, cluster: &Cluster, finalized: bool) -> bool {
        let settled = |line: &LineRef| finalized || is_last(cluster, line.page);
        let lines: Vec<LineRef> = started_pages(cluster)
            .into_values()
            .flatten()
            .filter(|line| !cluster.lines[line].withdrawn && settled(line))
            .collect();
        let any = !lines.is_empty();
        if any {
            self.steps.push(Step::Withdraw { cluster: cluster.id, lines });
        }
        any
    }
}
