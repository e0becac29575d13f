//! Measures one coordinator's control plane without sockets: the session table, the planner and
//! quotes, with synthetic devices through the code that serves real ones. Prints a table for
//! `docs/benchmarks.md`. Run it with `--release`.

use ionet_api::Quote;
use ionet_coordinator::seal::{SealKey, seal};
use ionet_coordinator::sessions::SessionTable;
use ionet_coordinator::sessions::meter::{LineKey, Metered};
use ionet_core::{
    Amount, Asset, ChainRef, Chip, ChipClass, ClusterId, ClusterSpec, Cpu, DeviceId, Disk, Egress,
    GenesisHash, Inventory, PartId, PartState, PartStatus, ProgramId, Region, Slice, Wallet,
};
use ionet_ledger::{Keypair, KeypairFile};
use ionet_network::{At, DeviceTerms, Event, Facts, Heard, LineRef, ServedMeter, Soft, plan};
use ionet_placement::Asks;
use ionet_units::Bps;
use ionet_wire::frame;
use ionet_wire::message::{Heartbeat, HeartbeatAnswer, SessionName, ToCoordinator, ToDevice};
use std::time::{Duration, Instant};

const NOW: At = At(1_800_000_000_000);
/// Long enough to even out the machine's other work.
const LEAST: Duration = Duration::from_secs(2);

fn device(n: usize) -> DeviceId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(n as u64).to_be_bytes());
    DeviceId(id)
}

fn inventory() -> Inventory {
    let text = |t: &str| t.to_owned();
    Inventory {
        hostname: text("synthetic"),
        os: text("Debian GNU/Linux 12"),
        cpu: Cpu { model: text("synthetic"), threads: 8, architecture: text("x86_64") },
        memory_bytes: 16 << 30,
        disk: Disk { total_bytes: 1 << 40, free_bytes: 1 << 39 },
        network: Vec::new(),
        chips: vec![Chip {
            class: ChipClass::CPU,
            model: text("synthetic"),
            uuid: None,
            memory_bytes: 0,
            cdi: None,
        }],
        slice: Slice { cpu_milli: 8_000, memory_bytes: 16 << 30, scratch_bytes: 1 << 35 },
        region: Region::LOCAL,
        egress: Egress::None,
    }
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * 4_096
}

/// How often `work` is done in a second.
fn per_second(mut work: impl FnMut()) -> f64 {
    let (start, mut count) = (Instant::now(), 0u64);
    while start.elapsed() < LEAST {
        for _ in 0..100 {
            work();
        }
        count += 100;
    }
    count as f64 / start.elapsed().as_secs_f64()
}

/// Everything that the coordinator keeps of idle devices.
fn idle(count: usize) -> (Facts, SessionTable<()>) {
    let (mut facts, mut table) = (Facts::default(), SessionTable::default());
    for n in 0..count {
        let (id, owner) = (device(n), Wallet([1; 32]));
        let terms = DeviceTerms {
            units_total: 1,
            asks: Asks { usdc: Some(50_000 + n as u64), io: None },
            generation: 1,
            accepts_us: true,
            expires_at: At(i64::MAX),
        };
        let inventory = Box::new(inventory());
        facts.fold(NOW, &Event::DeviceEnrolled { device: id, owner, inventory, terms });
        facts.fold(NOW, &Event::SessionOpened { device: id, session: 1, stale: false });
        let name = SessionName { device: id, session: 1 };
        table.admit(NOW, name, &[], ()).expect("the table has room");
    }
    (facts, table)
}

/// One heartbeat's whole way: frame, table, receipts, frame.
struct Beats {
    table: SessionTable<()>,
    parts: Vec<PartStatus>,
    key: Option<KeypairFile>,
    runtime: tokio::runtime::Runtime,
    count: usize,
    seq: u64,
}

impl Beats {
    fn one(&mut self) {
        let n = (self.seq as usize) % self.count;
        self.seq += 1;
        let beat = Heartbeat { seq: self.seq, parts: self.parts.clone() };
        let mut bytes = Vec::new();
        let beat = ToCoordinator::Heartbeat(beat);
        let sent = frame::write(&mut bytes, &beat);
        self.runtime.block_on(sent).expect("a small frame");
        let Ok(ToCoordinator::Heartbeat(beat)) = frame::decode(&bytes[4..]) else {
            unreachable!("it was just written")
        };
        let name = SessionName { device: device(n), session: 1 };
        let now = NOW.plus_ms(self.seq);
        let done = self.table.heartbeat(now, now, name, &beat).expect("an honest heartbeat");
        for (line, served_s) in &done.served {
            if let Some(key) = &self.key {
                let text = [&line.lease.0[..], &served_s.to_le_bytes()].concat();
                std::hint::black_box(key.sign_now(&text));
            }
        }
        let answer = HeartbeatAnswer { seq: beat.seq, receipts: Vec::new() };
        let mut bytes = Vec::new();
        let answer = ToDevice::HeartbeatAnswer(answer);
        let sent = frame::write(&mut bytes, &answer);
        self.runtime.block_on(sent).expect("a small frame");
    }
}

fn beats(table: SessionTable<()>, count: usize) -> Beats {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    Beats { table, parts: Vec::new(), key: None, runtime, count, seq: 0 }
}

/// Every device serves one line.
fn hire(mut beats: Beats) -> Beats {
    let lease = Wallet([2; 32]);
    let cluster = ClusterId::of_lease(&lease);
    let part = PartId { cluster, generation: 1 };
    for n in 0..beats.count {
        let line = LineRef { page: (n / 24) as u16, index: (n % 24) as u8 };
        let metered = Metered {
            key: LineKey { cluster, lease, line, generation: 1 },
            part,
            head: false,
            running: true,
            awaits_hello: false,
            started: NOW,
            runs_until: At(i64::MAX),
            meter: ServedMeter::start(NOW, 2_000),
        };
        beats.table.meter(device(n), metered);
    }
    let state = PartState::Ready { alive_nodes: None };
    beats.parts = vec![PartStatus { id: part, state, started_at: Some(0) }];
    beats.key = Some(KeypairFile::in_memory(Keypair::new()));
    beats
}

fn quotes(facts: &Facts) -> f64 {
    let spec = ClusterSpec::from_json(br#"{"devices":8,"chip":"cpu"}"#).expect("a good spec");
    let key = KeypairFile::in_memory(Keypair::new());
    let chain = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };
    per_second(|| {
        let found = ionet_network::quote(&spec, &facts.candidates(NOW), NOW, Bps(200));
        let terms = found.expect("enough devices").terms;
        let money = |units| Amount::new(Asset::Usdc, units).into();
        let quote = Quote {
            spec: spec.clone(),
            devices: Vec::new(),
            rate: money(terms.rate_total_max.0),
            cost_max: money(terms.cost_max.0),
            terms: ionet_api::LeaseTerms {
                coordinator: Wallet([1; 32]),
                asset: Asset::Usdc,
                mint: Wallet([2; 32]),
                slots: 8,
                chips_per_slot: 1,
                rate_per_chip_max: terms.rate_per_slot_max.0,
                rate_total_max: terms.rate_total_max.0,
                deposit: terms.deposit.0,
                expires_at: 0,
                policy_hash: String::new(),
                fee_bps: terms.fee.0,
            },
            expires_at: 0,
            seal: String::new(),
        };
        std::hint::black_box(seal(&SealKey { key: &key, chain }, &quote, &terms));
    })
}

fn main() {
    println!(
        "| devices | bytes per idle device | idle heartbeats/s | hired heartbeats/s | quotes/s | a plan in ms |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for count in [1_000, 10_000] {
        let before = resident();
        let (facts, table) = idle(count);
        let bytes = resident().saturating_sub(before) / count as u64;
        let mut soft = Soft { started_at: NOW, ..Soft::default() };
        for n in 0..count {
            soft.heard.insert(device(n), Heard { at: NOW, parts: Vec::new() });
        }
        let plans = per_second(|| {
            std::hint::black_box(plan(&facts, &soft, NOW));
        });
        let quotes = quotes(&facts);
        let mut idle = beats(table, count);
        let idle_rate = per_second(|| idle.one());
        let mut hired = hire(idle);
        let hired_rate = per_second(|| hired.one());
        let plan_ms = 1_000.0 / plans;
        println!(
            "| {count} | {bytes} | {idle_rate:.0} | {hired_rate:.0} | {quotes:.0} | {plan_ms:.2} |"
        );
    }
    println!(
        "\nOne core, no sockets: frames are encoded and decoded, the session table and the meters \
         are the coordinator's; a hired heartbeat signs one receipt. Bytes are the facts and the \
         session of a device, without its QUIC connection. A quote is for 8 devices, placed and \
         signed."
    );
}
