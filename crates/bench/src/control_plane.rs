//! Heartbeats, quotes and memory of one coordinator, through its own code, without sockets.

use crate::counted::grown;
use crate::fleet::{self, NOW};
use crate::stats::{median, rate, thousands};
use anyhow::{bail, ensure};
use ionet_coordinator::market::ReceiptSigner;
use ionet_coordinator::sessions::SessionTable;
use ionet_coordinator::sessions::meter::{LineKey, receipt};
use ionet_core::{ChainRef, ClusterSpec, DeviceId, GenesisHash, ProgramId};
use ionet_ledger::KeypairFile;
use ionet_network::{Facts, limits, plan, quote};
use ionet_units::Bps;
use ionet_wire::frame;
use ionet_wire::message::{HeartbeatAnswer, SessionName, ToCoordinator, ToDevice};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Sizes of the network.
const SIZES: [usize; 2] = [1_000, 10_000];
/// Timed runs; an earlier one warms up and is not counted.
const RUNS: usize = 7;
/// Heartbeats of each kind in a run, at least: shorter runs jump with the scheduler.
const BEATS_PER_RUN: usize = 20_000;
/// Quotes in a run.
const QUOTES_PER_RUN: usize = 100;
/// Planning rounds in a run.
const PLANS_PER_RUN: usize = 50;
/// What is asked for: a third of the devices are of this class.
const SPEC: &[u8] =
    br#"{"devices": 8, "chip": "h100-sxm-80", "chips_per_device": 8, "ttl_seconds": 3600}"#;
const FEE: Bps = Bps(200);

/// Figures of one size: a second's worth each, except where named otherwise.
#[derive(Default)]
struct Figures {
    idle: Vec<f64>,
    hired: Vec<f64>,
    signed: Vec<f64>,
    map: Vec<f64>,
    quotes: Vec<f64>,
    sorts: Vec<f64>,
    plan_ms: Vec<f64>,
    /// Bytes per idle device.
    facts: i64,
    table: i64,
    heard: i64,
    plain_map: i64,
}

/// The section's text.
pub(crate) async fn measure() -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let key = KeypairFile::create(&folder.path().join("coordinator.json"))?;
    let chain = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };
    let signer = ReceiptSigner::new(Arc::new(key), chain);
    let mut all = Vec::new();
    for n in SIZES {
        println!("control plane: {} devices", thousands(n as u64));
        all.push(at_size(n, &signer).await?);
    }
    Ok(text(&all))
}

async fn at_size(n: usize, signer: &ReceiptSigner) -> anyhow::Result<Figures> {
    // Once uncounted: what is made lazily at a first use belongs to no device.
    fleet::facts(1)?;
    let each = |bytes: i64| bytes / n as i64;
    let (facts, facts_bytes) = grown(|| fleet::facts(n));
    let (idle, table_bytes) = grown(|| fleet::table(n));
    let (soft, heard_bytes) = grown(|| fleet::soft(n));
    let (mut map, map_bytes) = grown(|| {
        let start = Instant::now();
        (0..n).map(|i| (fleet::device(i), start)).collect::<HashMap<_, _>>()
    });
    let (facts, idle) = (facts?, Mutex::new(idle?));
    let mut hired = fleet::table(n)?;
    fleet::hire(&mut hired, n);
    let hired = Mutex::new(hired);
    let mut figures = Figures {
        facts: each(facts_bytes),
        table: each(table_bytes),
        heard: each(heard_bytes),
        plain_map: each(map_bytes),
        ..Figures::default()
    };
    let rounds = BEATS_PER_RUN.div_ceil(n);
    let devices: Vec<_> = (0..n).map(fleet::device).collect();
    let mut prices = prices(&facts);
    for run in 0..=RUNS {
        let first = (run * rounds) as u64 + 1;
        let measured = [
            beats(&idle, n, first, rounds, None).await?,
            beats(&hired, n, first, rounds, Some(signer)).await?,
            signatures(&hired, &devices, signer)?,
            map_updates(&mut map, &devices, rounds),
            quotes(&facts)?,
            sorts(&mut prices),
            plans(&facts, &soft)?,
        ];
        if run > 0 {
            figures.add(measured);
        }
    }
    Ok(figures)
}

impl Figures {
    fn add(&mut self, measured: [f64; 7]) {
        let lists = [
            &mut self.idle,
            &mut self.hired,
            &mut self.signed,
            &mut self.map,
            &mut self.quotes,
            &mut self.sorts,
            &mut self.plan_ms,
        ];
        for (list, figure) in lists.into_iter().zip(measured) {
            list.push(figure);
        }
    }
}

/// `count` things since `start`, per second.
fn per_second(count: usize, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

/// Heartbeats from frame to answered frame: what a session's task does with each.
async fn beats(
    table: &Mutex<SessionTable<()>>,
    n: usize,
    first: u64,
    rounds: usize,
    signer: Option<&ReceiptSigner>,
) -> anyhow::Result<f64> {
    let mut frames: Vec<(u64, SessionName, Vec<u8>)> = Vec::with_capacity(n * rounds);
    for seq in (first..).take(rounds) {
        for i in 0..n {
            let message = ToCoordinator::Heartbeat(fleet::heartbeat(i, seq, signer.is_some()));
            let mut bytes = Vec::new();
            frame::write(&mut bytes, &message).await?;
            frames.push((seq, fleet::session(i), bytes));
        }
    }
    let (mut out, mut signed) = (Vec::new(), 0);
    let start = Instant::now();
    for (seq, name, bytes) in &frames {
        let ToCoordinator::Heartbeat(heartbeat) = frame::read(&mut &bytes[..]).await? else {
            bail!("the frame holds no heartbeat");
        };
        let now = NOW.plus_ms(seq * limits::HIRED_INTERVAL_MS);
        let beat = table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .heartbeat(now, now, *name, &heartbeat)?;
        let sign = |(key, served): &(LineKey, u64)| signer.map(|s| receipt(s, key, *served));
        let receipts: Vec<_> = beat.served.iter().filter_map(sign).collect();
        signed += receipts.len();
        let answer = HeartbeatAnswer { seq: heartbeat.seq, receipts };
        out.clear();
        frame::write(&mut out, &ToDevice::HeartbeatAnswer(answer)).await?;
        black_box(&out);
    }
    let figure = per_second(frames.len(), start);
    let expected = if signer.is_some() { frames.len() } else { 0 };
    ensure!(signed == expected, "{signed} receipts instead of {expected}");
    Ok(figure)
}

/// Receipts alone, for lines that have served.
fn signatures(
    table: &Mutex<SessionTable<()>>,
    devices: &[DeviceId],
    signer: &ReceiptSigner,
) -> anyhow::Result<f64> {
    let table = table.lock().unwrap_or_else(PoisonError::into_inner);
    let lines: Vec<_> = devices
        .iter()
        .flat_map(|device| table.meters(*device))
        .map(|metered| (metered.key, metered.meter.served_s()))
        .collect();
    ensure!(lines.len() == devices.len(), "not every device serves a line");
    ensure!(lines.iter().all(|(_, served)| *served > 0), "heartbeats earned nothing");
    let start = Instant::now();
    for (key, served) in &lines {
        black_box(receipt(signer, key, *served));
    }
    Ok(per_second(lines.len(), start))
}

/// The least that a heartbeat can be: a map takes note of when it came.
fn map_updates(map: &mut HashMap<DeviceId, Instant>, devices: &[DeviceId], rounds: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..rounds {
        // Ours is told the instant, too.
        let now = Instant::now();
        for device in devices {
            map.insert(*device, now);
        }
    }
    black_box(&map);
    per_second(devices.len() * rounds, start)
}

/// From the renter's JSON to terms and expected devices.
fn quotes(facts: &Facts) -> anyhow::Result<f64> {
    let start = Instant::now();
    for _ in 0..QUOTES_PER_RUN {
        let spec = ClusterSpec::from_json(black_box(SPEC))?;
        let offer = quote(&spec, &facts.candidates(NOW), NOW, FEE)?;
        ensure!(offer.expected.members.len() == usize::from(spec.devices), "too few devices");
    }
    Ok(per_second(QUOTES_PER_RUN, start))
}

fn prices(facts: &Facts) -> Vec<(u64, DeviceId)> {
    facts.devices.values().map(|d| (d.terms.asks.usdc.unwrap_or(u64::MAX), d.id)).collect()
}

/// The least that a fair quote can be without an index: every price put in order.
fn sorts(prices: &mut [(u64, DeviceId)]) -> f64 {
    let start = Instant::now();
    for _ in 0..QUOTES_PER_RUN {
        let mut sorted = prices.to_vec();
        sorted.sort_unstable();
        black_box(&sorted);
    }
    per_second(QUOTES_PER_RUN, start)
}

/// Milliseconds of a planning round while all is well.
fn plans(facts: &Facts, soft: &ionet_network::Soft) -> anyhow::Result<f64> {
    let start = Instant::now();
    for _ in 0..PLANS_PER_RUN {
        ensure!(plan(facts, soft, NOW).steps.is_empty(), "idle devices need no steps");
    }
    Ok(1_000.0 / per_second(PLANS_PER_RUN, start))
}

fn text(all: &[Figures]) -> String {
    let mut rows = String::new();
    let mut row = |name: &str, cell: &dyn Fn(&Figures) -> String| {
        let cells: Vec<_> = all.iter().map(cell).collect();
        rows.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    };
    row("heartbeats of idle devices", &|f| rate(&f.idle));
    row("heartbeats of hired devices, a receipt signed for each", &|f| rate(&f.hired));
    row("of that, signing alone: receipts", &|f| rate(&f.signed));
    row("reference: updates of a `HashMap<DeviceId, Instant>`", &|f| rate(&f.map));
    row("time of an idle heartbeat, in updates of the reference", &|f| {
        times(median(&f.map) / median(&f.idle))
    });
    row("quotes", &|f| rate(&f.quotes));
    row("reference: sorts of as many (price, device) pairs", &|f| rate(&f.sorts));
    row("time of a quote, in sorts", &|f| times(median(&f.sorts) / median(&f.quotes)));
    row("a planning round in which nothing is due, in ms", &|f| {
        format!("{:.2}", median(&f.plan_ms))
    });
    row("bytes per idle device: facts", &|f| thousands(f.facts.unsigned_abs()));
    row("bytes per idle device: session table", &|f| thousands(f.table.unsigned_abs()));
    row("bytes per idle device: last heartbeat, for planning", &|f| {
        thousands(f.heard.unsigned_abs())
    });
    row("reference: bytes per device of the `HashMap`", &|f| thousands(f.plain_map.unsigned_abs()));
    let sizes: Vec<_> = SIZES.iter().map(|n| format!("{} devices", thousands(*n as u64))).collect();
    let rule = " --- |".repeat(SIZES.len());
    format!(
        "One coordinator's own code on one thread, with synthetic devices of eight cards each. \
         Per second\nand core unless named otherwise: median (least to most) of {RUNS} runs, \
         references in turn with\nthe rest.\n\n| | {} |\n| --- |{rule}\n{rows}\n{}",
        sizes.join(" | "),
        explained()
    )
}

fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1}") } else { format!("{ratio:.0}") }
}

fn explained() -> String {
    let per_second = |interval_ms: u64| thousands(10_000 * 1_000 / interval_ms);
    format!(
        "A heartbeat is its frame read from memory (CBOR), the locked session table, the meter of \
         a\nhired device's one line, and the answer's frame written to memory. A quote is the \
         renter's JSON\nchecked, every device looked at, and 8 devices of 8 chips chosen from the \
         third that fits.\nBytes are as asked of the allocator, with the maps' own slack, which \
         depends on the size.\n\n\
         **Not in these figures:** QUIC and TLS (a connection's buffers and keys are far more \
         than the\nbytes here, and encryption is part of every real heartbeat), tasks and their \
         channels, HTTP, the\nrate limits, the seal on a quote, the log, what is published to \
         readers, and the chain.\n\
         10,000 devices send {} heartbeats a second while they are idle, {} when all are hired.\n",
        per_second(limits::IDLE_INTERVAL_MS),
        per_second(limits::HIRED_INTERVAL_MS),
    )
}
