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

/// Whose word about a line counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// Whether the coordinator's does.
    pub ours: bool,
    /// Keys of the renter's side whose does.
    pub renters: Vec<Wallet>,
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
    /// Seconds that the lease's clock stood since then, for want of money.
    pub stood_s: u64,
    /// Whose word counts.
    pub word: Word,
    /// The count.
    pub meter: ServedMeter,
    /// The newest receipt of the renter's side, where our own word does not count.
    pub vouched: Option<SignedReceipt>,
}

impl Metered {
    /// What the line's own clock shows while the chain's shows `clock`, in seconds.
    pub fn clock_s(&self, clock: At) -> u64 {
        let passed_s = clock.min(self.runs_until).ms_since(self.started) / 1_000;
        passed_s.saturating_sub(self.stood_s)
    }

    /// Seconds that are vouched for: where our word does not count, what the renter's side says.
    pub fn served_s(&self) -> u64 {
        match &self.vouched {
            _ if self.word.ours => self.meter.served_s(),
            Some(receipt) => receipt.served_s,
            None => 0,
        }
    }

    /// Takes a receipt whose signature was checked, if it says something new within what the
    /// line's clock shows.
    pub fn take(&mut self, receipt: &SignedReceipt, clock: At) -> Result<(), NotTaken> {
        let clock_s = self.clock_s(clock);
        if receipt.served_s > clock_s {
            return Err(NotTaken::PastClock { clock_s });
        }
        if receipt.served_s <= self.served_s() {
            return Err(NotTaken::Known { served_s: self.served_s() });
        }
        if self.word.ours {
            self.meter.at_least(receipt.served_s);
        } else {
            self.vouched = Some(receipt.clone());
        }
        Ok(())
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

/// Why a receipt says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// More than could have been served.
    #[error("the line's clock shows {clock_s} s only")]
    PastClock {
        /// What it shows.
        clock_s: u64,
    },
    /// No more than is known.
    #[error("{served_s} s are vouched for already")]
    Known {
        /// What is known.
        served_s: u64,
    },
}

/// A receipt over `served_s` of a line.
pub fn receipt(signer: &ReceiptSigner, key: &LineKey, served_s: u64) -> SignedReceipt {
    signer.sign(key.cluster, key.lease, key.line, key.generation, served_s)
}

/// The valid receipt among `shown` that says most of a line.
pub fn newest<'a>(
    signer: &ReceiptSigner,
    key: &LineKey,
    word: &Word,
    shown: &'a [SignedReceipt],
) -> Option<&'a SignedReceipt> {
    let about = |r: &&SignedReceipt| {
        r.lease == key.lease
            && (r.page, r.line) == (key.line.page, key.line.index)
            && r.generation == key.generation
    };
    let mut claims: Vec<_> = shown.iter().filter(about).collect();
    claims.sort_by_key(|r| std::cmp::Reverse(r.served_s));
    // A device that shows more than a few bad ones gets what is known here.
    let counts =
        |r: &&SignedReceipt| word.ours && signer.is_ours(r) || signer.is_of(&word.renters, r);
    claims.into_iter().take(4).find(counts)
}

/// Whether a part ran on since before `since` without a break.
pub fn ran_on(parts: &[PartStatus], part: PartId, since: At) -> bool {
    let same = |p: &&PartStatus| p.id == part && p.state.is_serving();
    let started = parts.iter().find(same).and_then(|p| p.started_at);
    started.is_some_and(|at| At::from_seconds(at) <= since)
}
