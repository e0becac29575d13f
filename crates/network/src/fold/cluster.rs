//! Events about clusters.

use crate::limits::RESTARTS_FORGIVEN_MS;
use crate::{
    At, BoundLine, Cluster, ClusterState, Event, Leaving, Line, LineRef, LineState, Money,
    NewCluster, PartEnd, PartFact, Placement, Seat, Slot, VacatedWhy,
};
use ionet_core::DeviceId;
use std::collections::{BTreeMap, BTreeSet};

impl Cluster {
    pub(crate) fn requested(at: At, new: &NewCluster, until: At) -> Self {
        Self {
            id: new.cluster,
            renter: new.renter,
            session_key: new.session_key,
            coordinator: new.coordinator,
            spec: new.spec.clone(),
            lease: new.lease,
            quote: new.quote.clone(),
            request_id: new.request_id.clone(),
            requested_at: at,
            state: ClusterState::Quoted { until },
            money: Money::Unfunded,
            terms: None,
            subnet: None,
            generation: 0,
            membership: 0,
            slots: Vec::new(),
            leaving: BTreeMap::new(),
            lines: BTreeMap::new(),
            excluded: BTreeSet::new(),
            alive_nodes: None,
            refusal: None,
            start_failures: 0,
            attested: BTreeMap::new(),
            low_warned: None,
            vouch_silent: None,
        }
    }

    pub(crate) fn fold(&mut self, at: At, event: &Event) {
        match event {
            Event::QuoteExpired { .. } => {
                self.state = ClusterState::Closed { at, reason: crate::EndReason::QuoteExpired };
            }
            Event::LeaseOpened { terms, .. } => {
                self.terms = Some(terms.clone());
                self.money = Money::Open { since: at };
                if matches!(self.state, ClusterState::Quoted { .. }) {
                    self.state = ClusterState::Funded { at };
                }
            }
            Event::Placed { generation, subnet, seats, .. } => {
                self.subnet = Some(*subnet);
                self.seat(at, *generation, seats);
            }
            Event::CapacityMissing { refusal, .. } => self.refusal = Some((at, refusal.clone())),
            Event::SlotVacated { slot, device, why, .. } => self.vacate(at, *slot, *device, why),
            Event::HeadMoved { from, generation, .. } => self.move_head(at, *from, *generation),
            Event::LinesBound { lines, .. } => self.bind(at, lines),
            Event::PartServing { device, .. } => {
                if let Some(seat) = self.seat_mut(*device) {
                    seat.part = PartFact::Serving { since: at };
                }
            }
            Event::PartEnded { device, end, .. } => self.part_ended(at, *device, end),
            Event::PartsRestarted { slots, generation, .. } => {
                self.restart(at, slots, *generation);
            }
            Event::PartsStopped { devices, .. } => {
                self.leaving.retain(|device, _| !devices.contains(device));
            }
            Event::NodesAlive { alive, .. } => self.alive_nodes = Some(*alive),
            Event::LinesStarted { lines, started_at, .. } => {
                self.each_line(lines, |line| line.state = LineState::Started { at: *started_at });
            }
            Event::LinesEnded { lines, .. } => self.each_line(lines, |line| line.end(at)),
            Event::LineRejected { line, .. } => {
                self.each_line(&[*line], |line| line.state = LineState::Rejected { at });
            }
            Event::ClusterReady { .. } => self.state = ClusterState::Ready { since: at },
            Event::ClusterDegraded { reason, .. } => {
                self.state = ClusterState::Degraded { since: at, reason: reason.clone() };
            }
            Event::ClusterStopping { reason, .. } => {
                self.empty_slots(at);
                self.state = ClusterState::Stopping { since: at, reason: reason.clone() };
            }
            Event::ClusterClosed { reason, .. } => {
                self.state = ClusterState::Closed { at, reason: reason.clone() };
            }
            Event::ClusterFailed { reason, .. } => {
                self.state = ClusterState::Failed { at, reason: reason.clone() };
            }
            other => self.fold_money(at, other),
        }
    }

    fn fold_money(&mut self, at: At, event: &Event) {
        match event {
            Event::ToppedUp { deposit, .. } => {
                if let Some(terms) = &mut self.terms {
                    terms.deposit = *deposit;
                }
            }
            Event::DepositLow { deposit, level, .. } => {
                self.low_warned = Some((*deposit, *level));
            }
            Event::VouchSilent { since, .. } => self.vouch_silent = Some(*since),
            Event::VouchHeard { .. } => self.vouch_silent = None,
            Event::LeaseClosed { closed_at, claims_until, refunded, .. } => {
                self.lines.values_mut().for_each(|line| line.end(*closed_at));
                self.money = Money::Closed {
                    closed_at: *closed_at,
                    claims_until: *claims_until,
                    refunded: *refunded,
                };
            }
            Event::Attested { page, lines, last, .. } => {
                self.attested.insert(*page, (at, *last));
                for attested in lines {
                    let name = LineRef { page: *page, index: attested.index };
                    if let Some(line) = self.lines.get_mut(&name) {
                        line.attested_s = line.attested_s.max(attested.served_s);
                        line.withdrawn = false;
                    }
                }
            }
            Event::Withdrawn { lines, .. } => self.each_line(lines, |line| line.withdrawn = true),
            Event::LeaseFinalized { refunded, .. } => {
                self.money = Money::Finalized { at, refunded: *refunded };
            }
            Event::LeaseReclaimed { .. } => {
                let refunded = match self.money {
                    Money::Unfunded | Money::Open { .. } => Default::default(),
                    Money::Closed { refunded, .. }
                    | Money::Finalized { refunded, .. }
                    | Money::Reclaimed { refunded, .. } => refunded,
                };
                self.money = Money::Reclaimed { at, refunded };
            }
            // Made and unmade by the facts; the rest is about devices.
            other => debug_assert!(false, "not about a known cluster: {other:?}"),
        }
    }

    fn seat_mut(&mut self, device: DeviceId) -> Option<&mut Seat> {
        self.slots.iter_mut().find_map(|slot| match slot {
            Slot::Taken(seat) if seat.device == device => Some(seat),
            Slot::Taken(_) | Slot::Vacant { .. } => None,
        })
    }

    fn each_line(&mut self, names: &[LineRef], mut change: impl FnMut(&mut Line)) {
        for name in names {
            if let Some(line) = self.lines.get_mut(name) {
                change(line);
            }
        }
    }

    fn seat(&mut self, at: At, generation: u32, seats: &[Placement]) {
        self.generation = self.generation.max(generation);
        self.membership += 1;
        self.refusal = None;
        if self.slots.is_empty() {
            self.slots = vec![Slot::Vacant { since: at }; usize::from(self.spec.devices)];
        }
        for placed in seats {
            let seat = Seat {
                device: placed.device,
                chips: placed.chips,
                rate: placed.rate,
                generation,
                placed_at: at,
                line: None,
                part: PartFact::Wanted { since: at },
                restarts: 0,
            };
            if let Some(slot) = self.slots.get_mut(usize::from(placed.slot)) {
                *slot = Slot::Taken(seat);
            }
        }
        if matches!(self.state, ClusterState::Funded { .. }) {
            self.state = ClusterState::Starting { since: at };
        }
    }

    fn leave(&mut self, at: At, seat: &Seat) {
        // A part was never told to run before its line was bound.
        if seat.line.is_some() {
            let leaving = Leaving { chips: seat.chips, generation: seat.generation, since: at };
            self.leaving.insert(seat.device, leaving);
        }
    }

    fn vacate(&mut self, at: At, slot: u16, device: DeviceId, why: &VacatedWhy) {
        let place = self.slots.get_mut(usize::from(slot));
        let before = place.map(|place| std::mem::replace(place, Slot::Vacant { since: at }));
        if let Some(Slot::Taken(seat)) = before {
            self.leave(at, &seat);
        }
        self.membership += 1;
        match why {
            // Its owner or its link took it away; nothing speaks against it later.
            VacatedWhy::Lost | VacatedWhy::Drained => {}
            VacatedWhy::PartFailed
            | VacatedWhy::BindFailed { .. }
            | VacatedWhy::Rejected
            | VacatedWhy::LineEnded => {
                self.excluded.insert(device);
            }
        }
    }

    fn empty_slots(&mut self, at: At) {
        for slot in std::mem::take(&mut self.slots) {
            if let Slot::Taken(seat) = slot {
                self.leave(at, &seat);
            }
        }
        self.membership += 1;
        self.alive_nodes = None;
    }

    fn move_head(&mut self, at: At, from: u16, generation: u32) {
        if usize::from(from) < self.slots.len() {
            self.slots.swap(0, usize::from(from));
        }
        let all: Vec<u16> = self.seats().map(|(slot, _)| slot).collect();
        self.membership += 1;
        self.generation = self.generation.max(generation);
        self.alive_nodes = None;
        for slot in all {
            if let Some(Slot::Taken(seat)) = self.slots.get_mut(usize::from(slot)) {
                seat.generation = generation;
                seat.part = PartFact::Wanted { since: at };
            }
        }
    }

    fn restart(&mut self, at: At, slots: &[u16], generation: u32) {
        self.generation = self.generation.max(generation);
        if slots.contains(&0) {
            self.alive_nodes = None;
        }
        for slot in slots {
            if let Some(Slot::Taken(seat)) = self.slots.get_mut(usize::from(*slot)) {
                seat.generation = generation;
                seat.part = PartFact::Wanted { since: at };
            }
        }
    }

    fn part_ended(&mut self, at: At, device: DeviceId, end: &PartEnd) {
        if matches!(end, PartEnd::Failed { .. }) {
            self.start_failures = self.start_failures.saturating_add(1);
        }
        if let Some(seat) = self.seat_mut(device) {
            let served_long = match seat.part {
                PartFact::Serving { since } => at.ms_since(since) >= RESTARTS_FORGIVEN_MS,
                PartFact::Wanted { .. } => false,
            };
            seat.restarts = if served_long { 1 } else { seat.restarts.saturating_add(1) };
            seat.part = PartFact::Wanted { since: at };
        }
    }

    fn bind(&mut self, at: At, lines: &[BoundLine]) {
        for bound in lines {
            let slot = self.seats().find(|(_, seat)| seat.device == bound.device);
            let line = Line {
                device: bound.device,
                slot: slot.map(|(slot, _)| slot),
                chips: bound.chips,
                rate: bound.rate,
                generation: bound.generation,
                state: LineState::Bound { at },
                attested_s: 0,
                withdrawn: false,
            };
            self.lines.insert(bound.line, line);
            if let Some(seat) = self.seat_mut(bound.device) {
                seat.line = seat.line.or(Some(bound.line));
            }
        }
    }
}

impl Line {
    /// Ends it if it is live. One that never started owes nothing.
    fn end(&mut self, at: At) {
        match self.state {
            LineState::Bound { .. } => self.state = LineState::Ended { started: None, at },
            LineState::Started { at: started } => {
                self.state = LineState::Ended { started: Some(started), at };
            }
            LineState::Ended { .. } | LineState::Rejected { .. } => {}
        }
    }
}
