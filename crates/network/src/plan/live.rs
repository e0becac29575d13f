//! A cluster that runs or shall.

use super::{Plan, Soft, Step, WantedPart};
use crate::decide::would_find;
use crate::limits::{DEPOSIT_LAST_MS, DEPOSIT_LOW_MS, DEPOSIT_LOW_PERCENT, SUBSTITUTE_RETRY_MS};
use crate::{
    At, BindLine, Cluster, ClusterState, Command, DepositLevel, DepositLow, Facts, LeaseClockView,
    LineRef, LineState, PartFact, role_of,
};
use ionet_core::PartId;
use ionet_units::Rate;

impl Plan {
    pub(super) fn live(&mut self, facts: &Facts, soft: &Soft, now: At, cluster: &Cluster) {
        self.end_unseated_lines(cluster);
        self.fill(facts, now, cluster);
        self.bind(facts, cluster);
        self.run_parts(facts, soft, cluster);
        if !is_spent(soft, now, cluster) {
            self.start_lines(cluster);
        }
        self.attest_due(now, cluster);
        self.vouching(soft, now, cluster);
        self.warn(soft, now, cluster);
    }

    /// Lines whose devices sit in no slot any more: they must not earn, and they take a slot of
    /// the lease from their substitutes.
    fn end_unseated_lines(&mut self, cluster: &Cluster) {
        let seated = |line: LineRef| cluster.seats().any(|(_, seat)| seat.line == Some(line));
        let lines: Vec<LineRef> =
            cluster.live_lines().map(|(at, _)| at).filter(|line| !seated(*line)).collect();
        if !lines.is_empty() {
            self.steps.push(Step::EndLines { cluster: cluster.id, lines });
        }
    }

    fn fill(&mut self, facts: &Facts, now: At, cluster: &Cluster) {
        if cluster.vacancies().is_empty() {
            return;
        }
        let looked = cluster.refusal.as_ref().map(|(at, _)| *at);
        let waits = looked.is_some_and(|at| now.ms_since(at) < SUBSTITUTE_RETRY_MS);
        if !waits && would_find(cluster, &facts.candidates(now)) {
            self.record(Command::FillSlots { cluster: cluster.id });
        }
    }

    /// As many as the ceilings hold beside the lines that live still.
    fn bind(&mut self, facts: &Facts, cluster: &Cluster) {
        let Some(terms) = &cluster.terms else { return };
        let gross = |rate: Rate| terms.fee.gross_ceil(rate).unwrap_or(Rate::MAX);
        let add = |sum: Rate, rate: Rate| sum.checked_add(gross(rate)).unwrap_or(Rate::MAX);
        let mut live = cluster.live_lines().count();
        let mut rate = cluster.live_lines().fold(Rate::ZERO, |sum, (_, l)| add(sum, l.rate));
        let mut lines = Vec::new();
        for (slot, seat) in cluster.seats().filter(|(_, seat)| seat.line.is_none()) {
            let with = add(rate, seat.rate);
            let fits = live < usize::from(terms.slots_max) && with <= terms.rate_total_max;
            if fits && facts.is_reachable(seat.device) {
                (live, rate) = (live + 1, with);
                let (device, chips, rate) = (seat.device, seat.chips, seat.rate);
                lines.push(BindLine { slot, device, chips, rate });
            }
        }
        if !lines.is_empty() {
            self.steps.push(Step::BindLines { cluster: cluster.id, lines });
        }
    }

    /// Every bound device runs its part; members that came or went are made known to the rest.
    fn run_parts(&mut self, facts: &Facts, soft: &Soft, cluster: &Cluster) {
        let (id, membership) = (cluster.id, cluster.membership);
        for (slot, seat) in cluster.seats().filter(|(_, seat)| seat.line.is_some()) {
            let (device, generation) = (seat.device, seat.generation);
            let wanted = WantedPart { role: role_of(slot), slot, generation };
            self.parts.insert((id, device), wanted);
            if !facts.is_reachable(device) {
                continue;
            }
            let part = PartId { cluster: id, generation };
            let known = soft
                .heard
                .get(&device)
                .is_some_and(|heard| heard.parts.iter().any(|status| status.id == part));
            let told = soft.told.get(&(id, device)) == Some(&(generation, membership));
            if !known {
                self.steps.push(Step::RunPart {
                    cluster: id,
                    device,
                    slot,
                    generation,
                    membership,
                });
            } else if !told {
                self.steps.push(Step::SetMembers { cluster: id, device, generation, membership });
            }
        }
    }

    /// Meters begin when the head counts everyone that serves: at the first start all of them,
    /// later each substitute as it comes.
    fn start_lines(&mut self, cluster: &Cluster) {
        let serving =
            || cluster.seats().filter(|(_, s)| matches!(s.part, PartFact::Serving { .. }));
        let count = serving().count();
        let head_serves = serving().any(|(slot, _)| slot == 0);
        let alive = cluster.alive_nodes.unwrap_or(0) as usize;
        let first = matches!(cluster.state, ClusterState::Starting { .. });
        if !head_serves || alive < count || first && count < cluster.slots.len() {
            return;
        }
        let bound = |line: &LineRef| {
            matches!(cluster.lines.get(line).map(|l| l.state), Some(LineState::Bound { .. }))
        };
        let lines: Vec<LineRef> = serving().filter_map(|(_, s)| s.line).filter(bound).collect();
        if !lines.is_empty() {
            self.steps.push(Step::StartLines { cluster: cluster.id, lines });
        }
    }

    fn warn(&mut self, soft: &Soft, now: At, cluster: &Cluster) {
        let Some(clock) = soft.leases.get(&cluster.id) else { return };
        let Some(level) = level(clock, now) else { return };
        let (deposit, runs_until) = (clock.deposit, clock.runs_until);
        if cluster.is_news(deposit, level) {
            let stops_at = runs_until.plus_ms(soft.patience.deposit_ms);
            let low = DepositLow { deposit, runs_until, level, stops_at };
            self.record(Command::DepositLow { cluster: cluster.id, low });
        }
    }
}

/// How low a deposit is; none: it is not.
fn level(clock: &LeaseClockView, now: At) -> Option<DepositLevel> {
    let left_ms = clock.runs_until.ms_since(now);
    let left = clock.deposit.saturating_sub(clock.committed).get();
    // Rounded down: the warning comes rather too early than too late.
    let percent = ionet_units::mul_div_floor(left, 100, clock.deposit.get().max(1));
    if left_ms == 0 {
        Some(DepositLevel::Spent)
    } else if left_ms < DEPOSIT_LAST_MS {
        Some(DepositLevel::OneMinute)
    } else if left_ms < DEPOSIT_LOW_MS {
        Some(DepositLevel::FiveMinutes)
    } else {
        let low = percent.is_some_and(|percent| percent < DEPOSIT_LOW_PERCENT);
        low.then_some(DepositLevel::Fifth)
    }
}

/// Whether the lease's clock stands for want of money: nothing can be started.
fn is_spent(soft: &Soft, now: At, cluster: &Cluster) -> bool {
    soft.leases.get(&cluster.id).is_some_and(|clock| now >= clock.runs_until)
}
