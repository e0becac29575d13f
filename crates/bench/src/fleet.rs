//! Synthetic devices, enrolled and admitted through the same code as real ones.

use anyhow::Context as _;
use ionet_coordinator::sessions::SessionTable;
use ionet_coordinator::sessions::meter::{LineKey, Metered, Word};
use ionet_core::{ClusterId, DeviceId, Inventory, PartId, PartState, PartStatus, Wallet};
use ionet_network::{
    At, Command, DeviceTerms, Facts, Heard, LineRef, ServedMeter, Soft, decide, limits,
};
use ionet_placement::Asks;
use ionet_wire::message::{Heartbeat, SessionName};

/// When everything happens.
pub(crate) const NOW: At = At(1_800_000_000_000);
/// Session of every device: the first that the coordinator gives.
const SESSION: u64 = 1;
/// Chips of every device.
const CHIPS: u16 = 8;

/// A third of the devices each.
const CLASSES: [&str; 3] = ["h100-sxm-80", "a100-sxm-80", "rtx-4090"];
const REGIONS: [&str; 4] = ["us-east", "us-west", "eu-west", "asia-east"];

/// Device number `i`. Ids are spread like real keys, so that maps are walked out of order.
pub(crate) fn device(i: usize) -> DeviceId {
    let mut bytes = [0; 32];
    for (word, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&mixed((i * 4 + word) as u64).to_le_bytes());
    }
    DeviceId(bytes)
}

/// SplitMix64: the same figures in every run.
fn mixed(i: u64) -> u64 {
    let mut z = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What a machine with eight cards says of itself.
fn inventory(i: usize) -> anyhow::Result<Inventory> {
    let class = CLASSES[i % CLASSES.len()];
    let region = REGIONS[mixed(i as u64) as usize % REGIONS.len()];
    let chips: Vec<_> = (0..CHIPS)
        .map(|chip| {
            serde_json::json!({
                "class": class, "model": "NVIDIA of this class", "memory_bytes": 80u64 << 30,
                "uuid": format!("GPU-{:016x}-{chip}", mixed(i as u64)),
                "cdi": format!("nvidia.com/gpu={chip}"),
            })
        })
        .collect();
    let inventory = serde_json::json!({
        "hostname": format!("rig-{i}"), "os": "Debian GNU/Linux 12 (bookworm)",
        "memory_bytes": 1u64 << 40,
        "cpu": {"model": "AMD EPYC 9554 64-Core", "threads": 128, "architecture": "x86_64"},
        "disk": {"total_bytes": 4u64 << 40, "free_bytes": 3u64 << 40},
        "network": [{"name": "eth0", "speed_mbps": 25_000}],
        "chips": chips,
        "slice": {"cpu_milli": 120_000, "memory_bytes": 900u64 << 30, "scratch_bytes": 2u64 << 40},
        "region": region, "egress": "open",
    });
    serde_json::from_value(inventory).context("the synthetic inventory")
}

/// Facts in which devices 0 to `n` are enrolled and have their first session.
pub(crate) fn facts(n: usize) -> anyhow::Result<Facts> {
    let mut facts = Facts::default();
    for i in 0..n {
        let (device, inventory) = (device(i), Box::new(inventory(i)?));
        let terms = DeviceTerms {
            units_total: CHIPS,
            asks: Asks { usdc: Some(500_000 + mixed(i as u64) % 2_000_000), io: None },
            generation: 1,
            accepts_us: true,
            expires_at: At(i64::MAX),
        };
        let owner = Wallet(owner_of(i));
        let known = inventory.clone();
        for command in [
            Command::EnrolDevice { device, owner, inventory: known, terms },
            Command::OpenSession { device, last_session: 0, inventory },
        ] {
            for event in decide(&facts, NOW, command)? {
                facts.fold(NOW, &event);
            }
        }
    }
    Ok(facts)
}

/// Ten devices belong to one owner.
fn owner_of(i: usize) -> [u8; 32] {
    device(i / 10 + (1 << 32)).0
}

/// What the control loop keeps of the devices' heartbeats.
pub(crate) fn soft(n: usize) -> Soft {
    let heard = (0..n).map(|i| (device(i), Heard { at: NOW, parts: Vec::new() }));
    Soft { started_at: NOW, heard: heard.collect(), ..Soft::default() }
}

/// A table with `n` sessions. Nothing reaches these devices: the link is `()`.
pub(crate) fn table(n: usize) -> anyhow::Result<SessionTable<()>> {
    let mut table = SessionTable::default();
    for i in 0..n {
        table.admit(NOW, session(i), &[], ())?;
    }
    Ok(table)
}

/// Session of device `i`.
pub(crate) fn session(i: usize) -> SessionName {
    SessionName { device: device(i), session: SESSION }
}

/// The line that a hired device `i` serves: its own lease each.
fn line(i: usize) -> LineKey {
    let lease = Wallet(device(i + (1 << 40)).0);
    let cluster = ClusterId::of_lease(&lease);
    LineKey { cluster, lease, line: LineRef { page: 0, index: 0 }, generation: 1 }
}

/// Meters a line of each device.
pub(crate) fn hire(table: &mut SessionTable<()>, n: usize) {
    for i in 0..n {
        let key = line(i);
        let metered = Metered {
            key,
            part: PartId { cluster: key.cluster, generation: 1 },
            head: true,
            running: true,
            awaits_hello: false,
            started: NOW,
            runs_until: At(i64::MAX),
            stood_s: 0,
            word: Word { ours: true, renters: Vec::new() },
            meter: ServedMeter::start(NOW, limits::HIRED_INTERVAL_MS),
            vouched: None,
        };
        table.meter(device(i), metered);
    }
}

/// Heartbeat number `seq` of device `i`.
pub(crate) fn heartbeat(i: usize, seq: u64, hired: bool) -> Heartbeat {
    let part = || PartStatus {
        id: PartId { cluster: line(i).cluster, generation: 1 },
        state: PartState::Ready { alive_nodes: Some(8) },
        started_at: Some(NOW.timestamp().0),
    };
    Heartbeat { seq, parts: hired.then(part).into_iter().collect() }
}
