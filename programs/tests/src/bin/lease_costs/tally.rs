//! What transactions cost: counted from what was really sent.

use ionet_program_tests::{Key, Market};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{VersionedMessage, v0};
use solana_signer::Signer;
use std::collections::{BTreeMap, BTreeSet};

/// What a block charges besides executed units: `block_cost_limits.rs` of the crate
/// `solana-cost-model`, 4.2.2.
const SIGNATURE_COST: u64 = 720;
const WRITE_LOCK_COST: u64 = 300;
const DATA_BYTES_PER_UNIT: u64 = 4;
/// Loaded accounts: 8 units for each 32 KiB begun, with 64 bytes for each account's head.
const LOADED_PAGE_BYTES: u64 = 32 * 1_024;
const LOADED_PAGE_COST: u64 = 8;
const ACCOUNT_HEAD_BYTES: u64 = 64;

/// Sums over transactions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) transactions: u64,
    pub(crate) signatures: u64,
    pub(crate) bytes: u64,
    pub(crate) fees: u64,
    /// Executed.
    pub(crate) units: u64,
    /// As a block counts them.
    pub(crate) block_units: u64,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.transactions += other.transactions;
        self.signatures += other.signatures;
        self.bytes += other.bytes;
        self.fees += other.fees;
        self.units += other.units;
        self.block_units += other.block_units;
    }
}

/// A life's costs, by step and by account.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// In the order of their first use.
    pub(crate) steps: Vec<(&'static str, Sum)>,
    /// Units of blocks in which an account was locked to be written.
    pub(crate) written: BTreeMap<Key, u64>,
}

impl Tally {
    /// All steps together.
    pub(crate) fn whole(&self) -> Sum {
        let mut whole = Sum::default();
        for (_, sum) in &self.steps {
            whole.add(sum);
        }
        whole
    }

    /// One step.
    pub(crate) fn step(&self, name: &str) -> Sum {
        self.steps.iter().find(|step| step.0 == name).map(|step| step.1).unwrap_or_default()
    }

    /// Sends a transaction whose fee `payer` pays, and counts it.
    pub(crate) fn send(
        &mut self,
        market: &mut Market,
        step: &'static str,
        payer: &Keypair,
        instruction: Instruction,
    ) {
        let all = [instruction];
        let message = v0::Message::try_compile(&payer.pubkey(), &all, &[], Default::default())
            .expect("a message");
        let meta =
            market.send_from(payer, &all, &[]).unwrap_or_else(|why| panic!("{step}: {why:?}"));
        let signatures = u64::from(message.header.num_required_signatures);
        let loaded: u64 = message.account_keys.iter().map(|key| loaded(market, key)).sum();
        let data: u64 = message.instructions.iter().map(|ix| ix.data.len() as u64).sum();
        let metas = all[0].accounts.iter().filter(|meta| meta.is_writable);
        let mut written: BTreeSet<Key> = metas.map(|meta| meta.pubkey.to_bytes()).collect();
        written.insert(payer.pubkey().to_bytes());
        let block_units = meta.compute_units_consumed
            + signatures * SIGNATURE_COST
            + written.len() as u64 * WRITE_LOCK_COST
            + data / DATA_BYTES_PER_UNIT
            + loaded.div_ceil(LOADED_PAGE_BYTES) * LOADED_PAGE_COST;
        for key in written {
            *self.written.entry(key).or_default() += block_units;
        }
        let bytes = 1 + 64 * signatures + VersionedMessage::V0(message).serialize().len() as u64;
        let sum = Sum {
            transactions: 1,
            signatures,
            bytes,
            fees: meta.fee,
            units: meta.compute_units_consumed,
            block_units,
        };
        match self.steps.iter_mut().find(|known| known.0 == step) {
            Some(known) => known.1.add(&sum),
            None => self.steps.push((step, sum)),
        }
    }
}

/// Bytes that a transaction loads for an account: a program's are in its data account.
fn loaded(market: &Market, key: &solana_address::Address) -> u64 {
    let size = |key: &Key| market.account(key).map_or(0, |account| account.data.len() as u64);
    let program = if key.to_bytes() == ionet_program_tests::interface::PROGRAM_ID {
        ionet_program_tests::bytecode().len() as u64
    } else {
        0
    };
    ACCOUNT_HEAD_BYTES + size(&key.to_bytes()) + program
}
