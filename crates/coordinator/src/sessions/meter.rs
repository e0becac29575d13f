//! The meter of one line, and the receipts that it is worth.

use crate::market::ReceiptSigner;
use ionet_core::{ClusterId, PartId, PartStatus, Wallet};
use ionet_network::{At, LineRef, ServedMeter};
use ionet_wire::message::SignedReceipt;

/// A line as receipts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineKey {
    /// The cluster, for people and logs.
    pub cluster: ClusterId,
    /// The lease.
    pub lease: Wallet,
    /// The line.
    pub line: LineRef,
    /// The device's generation at binding.
    pub generation: u64,
}

/// A line whose served seconds are counted.
#[derive(Debug, Clone)]
pub struct Metered {
    /// Which line.
    pub key: LineKey,
    /// The part that it pays for.
    pub part: PartId,
    /// Whether that part is the cluster's head.
    pub head: bool,
    /// Whether it earns: its line runs and its device sits in a slot.
    pub running: bool,
    /// It ran before this process began: what its device shows at its hello counts.
    pub awaits_hello: bool,
    /// When it was started, by the chain's clock.
    pub started: At,
    /// Up to when the deposit lasts, by the chain's clock.
    pub runs_until: At,
    /// The count.
    pub meter: ServedMeter,
}

impl Metered {
    /// What the line's own clock shows while the chain's shows `clock`, in seconds.
    pub fn clock_s(&self, clock: At) -> u64 {
        clock.min(self.runs_until).ms_since(self.started) / 1_000
    }

    /// A heartbeat says whether the part serves.
    pub fn beat(&mut self, now: At, clock: At, serves: bool) {
        if serves && self.running && !self.awaits_hello {
            let clock_s = self.clock_s(clock);
            self.meter.beat(now, clock_s);
        } else {
            self.meter.pause();
        }
    }
}

/// A receipt over `served_s` of a line.
pub fn receipt(signer: &ReceiptSigner, key: &LineKey, served_s: u64) -> SignedReceipt {
    signer.sign(key.cluster, key.lease, key.line, key.generation, served_s)
}

/// The most that valid receipts among `shown` say of a line.
pub fn newest(signer: &ReceiptSigner, key: &LineKey, shown: &[SignedReceipt]) -> Option<u64> {
    let about = |r: &&SignedReceipt| {
        r.lease == key.lease
            && (r.page, r.line) == (key.line.page, key.line.index)
            && r.generation == key.generation
    };
    let mut claims: Vec<_> = shown.iter().filter(about).collect();
    claims.sort_by_key(|r| std::cmp::Reverse(r.served_s));
    // A device that shows more than a few bad ones gets what is known here.
    claims.iter().take(4).find(|r| signer.is_ours(r)).map(|r| r.served_s)
}

/// Whether a part ran on since before `since` without a break.
pub fn ran_on(parts: &[PartStatus], part: PartId, since: At) -> bool {
    let same = |p: &&PartStatus| p.id == part && p.state.is_serving();
    let started = parts.iter().find(same).and_then(|p| p.started_at);
    started.is_some_and(|at| At::from_seconds(at) <= since)
}
