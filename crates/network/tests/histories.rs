//! Random histories: any commands in any order at any time keep every invariant, and the log
//! replays to the same facts. Steps of the plan are carried out late, twice, or never.

mod common;

use common::*;
use ionet_core::{PartId, PartState, PartStatus, Tier, Wallet};
use ionet_network::*;
use ionet_units::{BaseUnits, Rate};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DEVICES: u8 = 6;
const CLUSTERS: u8 = 4;

/// The chain as far as it binds: units of devices, slots of leases.
#[derive(Default)]
struct Chain {
    lines: BTreeMap<u8, Vec<(u8, u8, bool)>>,
    closed: BTreeMap<u8, At>,
}

struct History {
    w: World,
    chain: Chain,
    pending: Vec<Step>,
}

impl History {
    fn tell(&mut self, command: Command) {
        // A refusal changes nothing; `try_tell` checks the invariants after what is taken.
        let events = self.w.try_tell(command).unwrap_or_default();
        for event in &events {
            if let Event::Placed { cluster, seats, .. } = event {
                self.only_proven_are_placed(*cluster, seats);
            }
        }
        self.w.text.clear();
    }

    fn only_proven_are_placed(&self, cluster: ionet_core::ClusterId, seats: &[Placement]) {
        let facts = &self.w.facts;
        for seat in seats {
            let device = &facts.devices[&seat.device];
            assert!(!facts.proofs_required || !device.owes_proof(self.w.now));
            assert!(device.tier(self.w.now) >= facts.clusters[&cluster].spec.min_tier);
        }
    }

    fn units_bound(&self, device: u8) -> u8 {
        let open = self.chain.lines.iter().filter(|(c, _)| !self.chain.closed.contains_key(c));
        let live = open.flat_map(|(_, lines)| lines).filter(|(d, _, live)| *d == device && *live);
        live.map(|(_, chips, _)| chips).sum()
    }

    fn bind(&mut self, c: u8, lines: Vec<BindLine>) {
        let slots = self.w.facts.clusters[&cluster_id(c)].spec.devices;
        for line in lines {
            let n = line.device.0[0];
            let total = self.w.facts.devices[&line.device].chips_sold_max;
            let here = self.chain.lines.entry(c).or_default();
            let live = here.iter().filter(|(_, _, live)| *live).count();
            let fits = !self.chain.closed.contains_key(&c)
                && live < usize::from(slots)
                && self.units_bound(n) + line.chips <= total;
            let cluster = cluster_id(c);
            if !fits {
                let reason = "refused".to_owned();
                self.tell(Command::BindFailed { cluster, device: line.device, reason });
                continue;
            }
            let here = self.chain.lines.entry(c).or_default();
            let bound = BoundLine {
                line: LineRef { page: 0, index: here.len() as u8 },
                device: line.device,
                chips: line.chips,
                rate: line.rate,
                generation: here.len() as u64,
            };
            here.push((n, line.chips, true));
            self.tell(Command::LinesBound { cluster, lines: vec![bound] });
        }
    }

    fn end(&mut self, c: u8, lines: &[LineRef]) {
        for line in lines {
            if let Some(l) = self.chain.lines.entry(c).or_default().get_mut(line.index as usize) {
                l.2 = false;
            }
        }
        self.tell(Command::LinesEnded { cluster: cluster_id(c), lines: lines.to_vec() });
    }

    fn see_lease(&mut self, c: u8, edit: u8) {
        let Some(cluster) = self.w.facts.clusters.get(&cluster_id(c)) else { return };
        let mut view = lease_view(self.w.now, cluster);
        match edit {
            0 => view.terms.rate_per_slot_max = Rate(view.terms.rate_per_slot_max.0 / 2),
            1 => view.terms.deposit = BaseUnits(1),
            2 => view.policy_hash[0] ^= 1,
            3 => view.terms.rate_total_max = Rate(view.terms.rate_total_max.0 * 2 / 3),
            4 => view.terms.deposit = BaseUnits(view.terms.deposit.0 * 2),
            _ => {}
        }
        if let Some(closed_at) = self.chain.closed.get(&c) {
            let claims_until = closed_at.plus_ms(60_000);
            let refunded = BaseUnits(5);
            view.status = LeaseStatus::Closed { closed_at: *closed_at, claims_until, refunded };
            if self.w.now > claims_until {
                view.status = LeaseStatus::Finalized { refunded };
            }
        }
        self.tell(Command::LeaseSeen { cluster: cluster_id(c), view: Box::new(view) });
    }

    fn carry_out(&mut self, step: Step) {
        let number = |id: ionet_core::ClusterId| {
            (0..CLUSTERS).find(|c| cluster_id(*c) == id).expect("a cluster of this history")
        };
        match step {
            Step::Record(command) => self.tell(*command),
            Step::BindLines { cluster, lines } => self.bind(number(cluster), lines),
            Step::EndLines { cluster, lines } => self.end(number(cluster), &lines),
            Step::StartLines { cluster, lines } => {
                let here = self.chain.lines.entry(number(cluster)).or_default();
                let live = |l: &LineRef| here.get(l.index as usize).is_some_and(|l| l.2);
                let lines = lines.into_iter().filter(live).collect();
                let started_at = self.w.now;
                self.tell(Command::LinesStarted { cluster, lines, started_at });
            }
            Step::CloseLease { cluster, .. } => {
                let c = number(cluster);
                self.chain.closed.entry(c).or_insert(self.w.now);
                self.see_lease(c, 9);
            }
            Step::Finalize { cluster, .. } => self.see_lease(number(cluster), 9),
            Step::Attest { cluster, page, lines, last } => {
                let served = |l: &LineRef| AttestedLine { index: l.index, served_s: 1 };
                let lines = lines.iter().map(served).collect();
                self.tell(Command::Attested { cluster, page, lines, last });
            }
            Step::Withdraw { cluster, lines } => self.tell(Command::Withdrawn { cluster, lines }),
            Step::Reclaim { cluster } => self.tell(Command::Reclaimed { cluster }),
            Step::RunPart { cluster, device, generation, membership, .. }
            | Step::SetMembers { cluster, device, generation, membership } => {
                self.w.soft.told.insert((cluster, device), (generation, membership));
            }
            Step::StopPart { .. } => {}
        }
    }

    fn report(&mut self, n: u8, how: u8) {
        let device = device_id(n);
        let Some(known) = self.w.facts.devices.get(&device) else { return };
        let session = known.session;
        let state = match how % 8 {
            0 => PartState::Starting,
            1 | 2 => PartState::Running,
            3..=5 => PartState::Ready { alive_nodes: Some(u32::from(how / 8)) },
            6 => PartState::Exited { code: Some(1), tail: "é".repeat(2_000) },
            _ => PartState::Failed { reason: "no image".into() },
        };
        let part = |cluster: &Cluster| {
            let (_, seat) = cluster.seat_of(device)?;
            // Now and then an older generation still runs.
            let generation = seat.generation.saturating_sub(u32::from(how > 250));
            let id = PartId { cluster: cluster.id, generation };
            Some(PartStatus { id, state: state.clone(), started_at: None })
        };
        let parts: Vec<_> = self.w.facts.clusters.values().filter_map(part).collect();
        let parts = if how == 0 { Vec::new() } else { parts };
        self.w.soft.heard.insert(device, Heard { at: self.w.now, parts: parts.clone() });
        self.tell(Command::DeviceReport { device, session, parts });
    }

    fn join(&mut self, n: u8, x: u8) {
        let chips = 1 + u16::from(x % 3);
        let (device, owner) = (device_id(n), Wallet([0x50 + n; 32]));
        let inventory = Box::new(inventory(usize::from(chips)));
        let terms = device_terms(chips, 10_000 + u64::from(x / 16) * 5_000);
        self.tell(Command::EnrolDevice { device, owner, inventory: inventory.clone(), terms });
        let last = self.w.facts.devices.get(&device).map_or(0, |d| d.session);
        let last_session = if x > 240 { last.saturating_sub(1) } else { last };
        self.tell(Command::OpenSession { device, last_session, inventory });
        if x == 7 {
            self.tell(Command::ClearClone { device });
        }
    }

    fn request(&mut self, c: u8, x: u8) {
        let mut wanted = spec(1 + u16::from(x % 4));
        wanted.chips_per_device = 1 + x / 128;
        wanted.min_tier =
            Tier::ALL[usize::from(x.is_multiple_of(11)) + usize::from(x.is_multiple_of(22))];
        wanted.rate_per_chip_max = x.is_multiple_of(3).then_some(40_000);
        let candidates = self.w.facts.candidates(self.w.now);
        if let Ok(quote) = quote(&wanted, &candidates, self.w.now, FEE) {
            let new = new_cluster(c, wanted, quote.terms);
            self.tell(Command::RequestCluster(Box::new(new)));
        }
    }

    /// Everyone does as told for a while.
    fn calm(&mut self, b: u8) {
        for _ in 0..=b % 4 {
            self.w.now = self.w.now.plus_ms(2_000);
            for n in 1..=DEVICES {
                self.report(n, 8 * 8 + 3);
            }
            for step in plan(&self.w.facts, &self.w.soft, self.w.now).steps {
                self.carry_out(step);
            }
        }
    }

    fn act(&mut self, (what, a, b): (u8, u8, u8)) {
        let (n, c) = (1 + a % DEVICES, a % CLUSTERS);
        let (device, cluster) = (device_id(n), cluster_id(c));
        let silent_since = self.w.now;
        match what {
            0..=3 => self.join(n, b),
            4..=6 => self.request(c, b),
            7..=9 => self.see_lease(c, b),
            10..=15 => self.report(n, b),
            16..=24 => {
                let mut steps = plan(&self.w.facts, &self.w.soft, self.w.now).steps;
                assert_eq!(steps, plan(&self.w.facts, &self.w.soft, self.w.now).steps);
                self.pending.append(&mut steps);
                for _ in 0..=b % 16 {
                    if self.pending.is_empty() {
                        break;
                    }
                    let step = self.pending.remove(usize::from(a) % self.pending.len());
                    if b > 200 {
                        self.carry_out(step.clone());
                    }
                    self.carry_out(step);
                }
            }
            36..=41 => self.calm(b),
            42 | 43 => {
                // Now and then from a trial of before.
                let at = At(self.w.now.0 - i64::from(b / 8) * 1_000);
                let verdict = Box::new(verdict(at, Tier::ALL[usize::from(b % 3)]));
                self.tell(Command::JudgeDevice { device, verdict });
            }
            44 => self.tell(Command::RequireProofs { required: b % 2 == 0 }),
            25 => self.w.now = self.w.now.plus_ms(u64::from(b) * 10),
            26 => self.w.now = self.w.now.plus_ms(u64::from(b) * 1_000),
            27 if b % 3 == 0 => self.tell(Command::DeviceLost { device, silent_since }),
            28 => self.tell(Command::DeviceSilent { device, silent_since }),
            29 => self.tell(Command::Drain { device, drain: b % 2 == 0 }),
            30 => {
                let session = self.w.facts.devices.get(&device).map_or(0, |d| d.session);
                self.tell(Command::SessionClosed { device, session, silent_since });
            }
            31 => {
                let line = LineRef { page: 0, index: b % 6 };
                if let Some(l) = self.chain.lines.entry(c).or_default().get_mut(line.index as usize)
                {
                    l.2 = false;
                    self.tell(Command::LineRejected { cluster, line });
                }
            }
            32 if b % 4 == 0 => {
                self.tell(Command::CloseRequested { cluster, reason: EndReason::Renter });
            }
            33 if b % 4 == 0 => {
                self.chain.closed.entry(c).or_insert(self.w.now);
                self.see_lease(c, 9);
            }
            34 => {
                let terms = (b % 8 != 0).then(|| device_terms(1 + u16::from(b % 3), 20_000));
                self.tell(Command::UpdateTerms { device, terms });
            }
            _ => self.end(c, &[LineRef { page: 0, index: b % 6 }]),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_history_keeps_the_invariants_and_replays(
        actions in proptest::collection::vec((0u8..45, any::<u8>(), any::<u8>()), 20..250),
    ) {
        let w = World::new();
        let mut history = History { w, chain: Chain::default(), pending: Vec::new() };
        for n in 1..=DEVICES {
            history.join(n, n);
        }
        for action in actions {
            history.act(action);
        }
        let w = history.w;
        let (mut replayed, mut as_text) = (Facts::default(), Facts::default());
        for record in &w.log {
            replayed.fold(record.at, &record.event);
            let line = serde_json::to_string(record).unwrap();
            let read = Record::from_json(&line).unwrap();
            prop_assert_eq!(&read, record);
            as_text.fold(read.at, &read.event);
        }
        prop_assert_eq!(&replayed, &w.facts);
        prop_assert_eq!(&as_text, &w.facts);
    }

    /// Left alone with devices that do as told, every funded cluster comes to its end, all its
    /// money is drawn, and no device is held.
    #[test]
    fn every_cluster_comes_to_its_end(
        actions in proptest::collection::vec((0u8..45, any::<u8>(), any::<u8>()), 20..150),
    ) {
        let w = World::new();
        let mut history = History { w, chain: Chain::default(), pending: Vec::new() };
        for n in 1..=DEVICES {
            history.join(n, n);
        }
        for action in actions {
            history.act(action);
        }
        for _ in 0..40 {
            history.w.now = history.w.now.plus_ms(400_000);
            for step in plan(&history.w.facts, &history.w.soft, history.w.now).steps {
                history.carry_out(step);
            }
        }
        for cluster in history.w.facts.clusters.values() {
            prop_assert!(cluster.state.is_over(), "{:?}", cluster.state);
            let done = matches!(cluster.money, Money::Unfunded | Money::Reclaimed { .. });
            prop_assert!(done, "{:?}", cluster.money);
        }
        prop_assert!(history.w.facts.devices.values().all(|d| d.holds.is_empty()));
    }
}
