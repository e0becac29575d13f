//! A world for tests: the core with its log, soft state and a clock that only tests move.
#![allow(dead_code, unreachable_pub)]

use ionet_core::{
    Asset, Chip, ChipClass, ClusterId, ClusterSpec, Cpu, DeviceId, Disk, Egress, Inventory,
    Measure, PartId, PartState, PartStatus, Provenance, Quantity, Region, Slice, Tier, TrialId,
    Verdict, Wallet,
};
use ionet_network::*;
use ionet_placement::Asks;
use ionet_units::{BaseUnits, Bps, Rate};

pub const FEE: Bps = Bps(200);
/// The claim window of leases.
pub const CLAIM_WINDOW_S: u64 = 120;
pub const COORDINATOR: Wallet = Wallet([0xc0; 32]);

pub fn device_id(n: u8) -> DeviceId {
    DeviceId([n; 32])
}

pub fn renter(n: u8) -> Wallet {
    Wallet([0xa0u8.wrapping_add(n); 32])
}

pub fn inventory(chips: usize) -> Inventory {
    let chip =
        Chip { class: ChipClass::CPU, model: "cpu".into(), uuid: None, memory_bytes: 0, cdi: None };
    Inventory {
        hostname: "host".into(),
        os: "linux".into(),
        cpu: Cpu { model: "cpu".into(), threads: 4, architecture: "x86_64".into() },
        memory_bytes: 8 << 30,
        disk: Disk { total_bytes: 1 << 40, free_bytes: 1 << 39 },
        network: Vec::new(),
        chips: vec![chip; chips],
        slice: Slice { cpu_milli: 2_000, memory_bytes: 4 << 30, scratch_bytes: 1 << 30 },
        region: Region::LOCAL,
        egress: Egress::None,
    }
}

pub fn device_terms(units: u16, ask: u64) -> DeviceTerms {
    DeviceTerms {
        units_total: units,
        asks: Asks { usdc: Some(ask), io: Some(ask) },
        generation: 1,
        accepts_us: true,
        expires_at: At(i64::MAX),
    }
}

pub fn spec(devices: u16) -> ClusterSpec {
    let json = format!(r#"{{"devices":{devices},"chip":"cpu"}}"#);
    ClusterSpec::from_json(json.as_bytes()).unwrap()
}

/// How long a verdict of these tests counts.
pub const VERDICT_MS: u64 = 30_000;

/// A verdict of a trial at `at`, which counts for [`VERDICT_MS`].
pub fn verdict(at: At, tier: Tier) -> Verdict {
    Verdict {
        tier,
        score: 900,
        class: Some(ChipClass::CPU),
        evidence: vec![Measure {
            quantity: Quantity::IntegerRate,
            value: 1_000,
            provenance: Provenance::Proven,
            at_ms: at.0,
            trial: Some(TrialId(1)),
        }],
        signals: Vec::new(),
        reason: None,
        at_ms: at.0,
        expires_at_ms: at.plus_ms(VERDICT_MS).0,
    }
}

pub fn lease_of(n: u8) -> Wallet {
    Wallet([n; 32])
}

pub fn cluster_id(n: u8) -> ClusterId {
    ClusterId::of_lease(&lease_of(n))
}

#[derive(Default)]
pub struct World {
    pub facts: Facts,
    pub soft: Soft,
    pub now: At,
    pub log: Vec<Record>,
    /// The story so far.
    pub text: String,
}

impl World {
    pub fn new() -> Self {
        let now = At(1_800_000_000_000);
        Self { soft: Soft { started_at: now, ..Soft::default() }, now, ..Self::default() }
    }

    pub fn say(&mut self, line: &str) {
        self.text += &format!("\n# {line}\n");
    }

    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.text += &format!("  .. {}.{:03} s pass\n", ms / 1_000, ms % 1_000);
    }

    /// Decides, logs, folds, and checks every invariant.
    pub fn try_tell(&mut self, command: Command) -> Result<Vec<Event>, Rejection> {
        self.text += &format!("> {}\n", brief(&command));
        let events = decide(&self.facts, self.now, command).inspect_err(|rejection| {
            self.text += &format!("  refused: {rejection}\n");
        })?;
        for event in &events {
            let seq = self.log.len() as u64 + 1;
            let record = Record::new(seq, self.now, 1, event.clone());
            self.text += &format!("  {}\n", event.to_json());
            self.facts.fold(self.now, event);
            self.log.push(record);
        }
        invariants::all(&self.facts).unwrap();
        Ok(events)
    }

    pub fn tell(&mut self, command: Command) -> Vec<Event> {
        self.try_tell(command).unwrap()
    }

    pub fn plan(&mut self) -> Plan {
        let plan = plan(&self.facts, &self.soft, self.now);
        let text = plan.to_string();
        let text = if text.is_empty() { "nothing\n".to_owned() } else { text };
        for line in text.lines() {
            self.text += &format!("  plan: {line}\n");
        }
        plan
    }

    /// Carries out the plan's records only.
    pub fn records(&mut self) {
        for step in self.plan().steps {
            if let Step::Record(command) = step {
                self.tell(*command);
            }
        }
    }

    pub fn join(&mut self, n: u8, ask: u64) {
        self.join_with(n, inventory(1), device_terms(1, ask));
    }

    pub fn join_with(&mut self, n: u8, inventory: Inventory, terms: DeviceTerms) {
        let (device, owner) = (device_id(n), Wallet([0x50 + n; 32]));
        let inventory = Box::new(inventory);
        self.tell(Command::EnrolDevice { device, owner, inventory: inventory.clone(), terms });
        let last_session = self.facts.devices[&device].session;
        self.tell(Command::OpenSession { device, last_session, inventory });
        self.hear(n, Vec::new());
    }

    /// The device proves as much as `tier` asks for.
    pub fn prove(&mut self, n: u8, tier: Tier) -> Vec<Event> {
        let verdict = Box::new(verdict(self.now, tier));
        self.tell(Command::JudgeDevice { device: device_id(n), verdict })
    }

    pub fn device_state(&self, n: u8) -> DeviceState {
        self.facts.state_of(device_id(n), self.now).unwrap()
    }

    /// A heartbeat with these parts.
    pub fn hear(&mut self, n: u8, parts: Vec<PartStatus>) {
        let device = device_id(n);
        let session = self.facts.devices[&device].session;
        self.soft.heard.insert(device, Heard { at: self.now, parts: parts.clone() });
        self.tell(Command::DeviceReport { device, session, parts });
    }

    /// A heartbeat in which the device's current part of the cluster is in this state.
    pub fn hear_part(&mut self, n: u8, c: u8, state: PartState) {
        let seat = self.facts.clusters[&cluster_id(c)].seat_of(device_id(n)).unwrap().1.clone();
        let id = PartId { cluster: cluster_id(c), generation: seat.generation };
        self.hear(n, vec![PartStatus { id, state, started_at: None }]);
    }

    pub fn request(&mut self, c: u8, spec: ClusterSpec) -> QuoteTerms {
        let quote = quote(&spec, &self.facts.candidates(self.now), self.now, FEE).unwrap().terms;
        self.request_with(c, spec, quote.clone());
        quote
    }

    pub fn request_with(&mut self, c: u8, spec: ClusterSpec, quote: QuoteTerms) {
        self.tell(Command::RequestCluster(Box::new(new_cluster(c, spec, quote))));
    }

    pub fn view(&self, c: u8) -> LeaseView {
        let cluster = &self.facts.clusters[&cluster_id(c)];
        lease_view(self.now, cluster)
    }

    pub fn fund(&mut self, c: u8) -> Vec<Event> {
        let view = Box::new(self.view(c));
        self.tell(Command::LeaseSeen { cluster: cluster_id(c), view })
    }

    /// What the chain does with the plan's `BindLines`.
    pub fn bind(&mut self, c: u8) {
        for step in self.plan().steps {
            if let Step::BindLines { cluster, lines } = step
                && cluster == cluster_id(c)
            {
                let known = self.facts.clusters[&cluster].lines.len() as u8;
                let bound = |(i, l): (u8, BindLine)| BoundLine {
                    line: LineRef { page: 0, index: known + i },
                    device: l.device,
                    chips: l.chips,
                    rate: l.rate,
                    generation: 2,
                };
                let lines = (0u8..).zip(lines).map(bound).collect();
                self.tell(Command::LinesBound { cluster, lines });
            }
        }
    }

    /// What the chain does with the plan's `StartLines` and `EndLines`.
    pub fn start_and_end(&mut self) {
        for step in self.plan().steps {
            match step {
                Step::StartLines { cluster, lines } => {
                    let started_at = At::from(self.now.timestamp());
                    self.tell(Command::LinesStarted { cluster, lines, started_at });
                }
                Step::EndLines { cluster, lines } => {
                    self.tell(Command::LinesEnded { cluster, lines });
                }
                _ => {}
            }
        }
    }

    pub fn close_on_chain(&mut self, c: u8) {
        let mut view = self.view(c);
        view.status = LeaseStatus::Closed {
            closed_at: self.now,
            claims_until: self.now.plus_ms(60_000),
            refunded: BaseUnits(1),
        };
        self.tell(Command::LeaseSeen { cluster: cluster_id(c), view: Box::new(view) });
    }

    /// Seats' devices by slot.
    pub fn seats(&self, c: u8) -> Vec<u8> {
        self.facts.clusters[&cluster_id(c)].seats().map(|(_, seat)| seat.device.0[0]).collect()
    }

    /// Every seated part runs and the head counts all of them.
    pub fn all_serve(&mut self, c: u8) {
        let seats = self.seats(c);
        for n in &seats[1..] {
            self.hear_part(*n, c, PartState::Running);
        }
        let alive_nodes = Some(seats.len() as u32);
        self.hear_part(seats[0], c, PartState::Ready { alive_nodes });
    }

    /// A cluster of `devices`, ready.
    pub fn ready(&mut self, c: u8, devices: u16) {
        self.request(c, spec(devices));
        self.fund(c);
        self.bind(c);
        self.all_serve(c);
        self.start_and_end();
        assert_eq!(self.state(c), "ready");
    }

    pub fn state(&self, c: u8) -> &'static str {
        self.facts.clusters[&cluster_id(c)].state.name()
    }

    /// Compares the story with its golden file; `UPDATE_GOLDEN=1` writes it.
    pub fn golden(&self, name: &str) {
        let path = format!("{}/tests/stories/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &self.text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        for (i, (was, is)) in expected.lines().zip(self.text.lines()).enumerate() {
            assert_eq!(was, is, "{path}:{}", i + 1);
        }
        assert_eq!(expected.lines().count(), self.text.lines().count(), "{path}: length");
    }

    /// The log as lines of JSON.
    pub fn log_text(&self) -> String {
        self.log.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect()
    }
}

pub fn new_cluster(c: u8, spec: ClusterSpec, quote: QuoteTerms) -> NewCluster {
    NewCluster {
        cluster: cluster_id(c),
        renter: renter(c),
        session_key: None,
        coordinator: COORDINATOR,
        spec,
        lease: lease_of(c),
        quote,
        request_id: format!("req-{c}"),
    }
}

pub fn lease_view(now: At, cluster: &Cluster) -> LeaseView {
    LeaseView {
        lease: cluster.lease,
        renter: cluster.renter,
        coordinator: COORDINATOR,
        asset: cluster.spec.asset,
        policy_hash: cluster.spec.policy_hash(),
        terms: LeaseTerms {
            deposit: cluster.quote.deposit,
            slots_max: cluster.spec.devices,
            rate_per_slot_max: cluster.quote.rate_per_slot_max,
            rate_total_max: cluster.quote.rate_total_max,
            fee: FEE,
            vouch: cluster.spec.vouch,
            expires_at: now.plus_ms(cluster.spec.ttl_seconds * 1_000),
            session: None,
            accept_s: 0,
        },
        claim_window_s: CLAIM_WINDOW_S,
        status: LeaseStatus::Open,
    }
}

/// A command in one line: its name and what it is about.
fn brief(command: &Command) -> String {
    match command {
        Command::EnrolDevice { device, .. } => format!("EnrolDevice {device}"),
        Command::OpenSession { device, last_session, .. } => {
            format!("OpenSession {device} after {last_session}")
        }
        Command::JudgeDevice { device, verdict } => {
            format!("JudgeDevice {device} {}", verdict.tier)
        }
        Command::RequestCluster(new) => format!("RequestCluster {}", new.cluster),
        Command::LeaseSeen { cluster, view } => format!("LeaseSeen {cluster} {:?}", view.status),
        other => format!("{other:?}"),
    }
}

pub fn usdc(n: u64) -> ionet_core::Amount {
    ionet_core::Amount::new(Asset::Usdc, n)
}

pub fn rate(n: u64) -> Rate {
    Rate(n)
}
