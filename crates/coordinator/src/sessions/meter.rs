//! The meter of one line, and the receipts that it is worth.

use ionet_core::{ClusterId, PartId, PartStatus, SignatureBytes, Wallet};
use ionet_ledger::interface::statement::Receipt;
use ionet_ledger::{KeypairFile, Signer as _};
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
        if serves {
            let clock_s = self.clock_s(clock);
            self.meter.beat(now, clock_s);
        } else {
            self.meter.pause();
        }
    }
}

/// Signs receipts of one market with the coordinator's on-chain key.
pub struct Receipts {
    /// Hash of the chain's first block.
    pub genesis: [u8; 32],
    /// The market program.
    pub program: [u8; 32],
    /// The coordinator's on-chain key.
    pub key: KeypairFile,
}

impl Receipts {
    fn statement(&self, key: &LineKey, served_s: u64) -> Vec<u8> {
        let receipt = Receipt {
            lease: key.lease.0,
            page: key.line.page,
            index: key.line.index,
            generation: key.generation,
            served_s,
        };
        receipt.signing_bytes(&self.genesis, &self.program).to_vec()
    }

    /// A receipt over `served_s`. None if the line's generation does not fit the message.
    pub fn sign(&self, key: &LineKey, served_s: u64) -> Option<SignedReceipt> {
        let signature = self.key.sign_now(&self.statement(key, served_s));
        Some(SignedReceipt {
            cluster: key.cluster,
            lease: key.lease,
            page: u32::from(key.line.page),
            line: key.line.index,
            generation: key.generation.try_into().ok()?,
            served_s,
            signer: Wallet(self.key.address().to_bytes()),
            signature: SignatureBytes(*signature.as_array()),
        })
    }

    /// The most that valid receipts among `shown` say of a line.
    pub fn newest(&self, key: &LineKey, shown: &[SignedReceipt]) -> Option<u64> {
        let own = Wallet(self.key.address().to_bytes());
        let about = |r: &&SignedReceipt| {
            r.lease == key.lease
                && r.page == u32::from(key.line.page)
                && r.line == key.line.index
                && u128::from(r.generation) == u128::from(key.generation)
                && r.signer == own
        };
        let mut claims: Vec<_> = shown.iter().filter(about).collect();
        claims.sort_by_key(|r| std::cmp::Reverse(r.served_s));
        let holds = |r: &&&SignedReceipt| {
            ionet_core::verify(&own.0, &self.statement(key, r.served_s), &r.signature).is_ok()
        };
        // A device that shows more than a few bad ones gets what is known here.
        claims.iter().take(4).find(holds).map(|r| r.served_s)
    }
}

/// Whether a part ran on since before `since` without a break.
pub fn ran_on(parts: &[PartStatus], part: PartId, since: At) -> bool {
    let same = |p: &&PartStatus| p.id == part && p.state.is_serving();
    let started = parts.iter().find(same).and_then(|p| p.started_at);
    started.is_some_and(|at| At::from_seconds(at) <= since)
}
