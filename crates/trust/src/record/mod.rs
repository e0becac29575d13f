//! The public record of a trial: what anybody needs to compute its outcome again.
//!
//! A record holds the public marks of a trial (blocks before and after), what was asked, and for
//! each device what it committed to, when that arrived, and what came of it. Proofs lie beside
//! it, bound by their hashes. [`replay`] computes everything again from these bytes alone.
//!
//! Two hashes of a trial stand on the chain: [`Record::entries_root`] in the anchor, before
//! anybody could know what would be opened, with every commitment and the instant of its
//! arrival in it; and [`Record::hash`] in the anchor of the lane's next trial.
//!
//! What a record does not show: whom the coordinator did not ask, and that its clock was right
//! between the marks. A device that keeps its own commitment can show that it is missing.

mod adequacy;
mod encode;
mod proofs;
mod replay;

pub use adequacy::{CERTAIN, OPENINGS_MIN, PAIRS_MIN, is_weak, pieces, slips};
pub use encode::{ASSIGNMENTS_MAX, ENTRIES_MAX, RecordError};
pub use proofs::{PROOF_BYTES_MAX, Proofs, encode_proof};
pub use replay::{Disagreement, Replay, Replayed, SLOT_MS_MAX, replay};

use crate::chain::{Beacon, Commitment};
use crate::challenge::{Challenge, Precommitment, Secret, WrongSecret};
use crate::hash::{Hash, Purpose, Tree};
use crate::memory::{self, Memory};
use crate::proof::Proof;
use crate::shape::{Entries, Shape, ShapeError};
use crate::verify::Hour;
use ionet_core::{ChipId, DeviceId, Quantity, Task, TrialId, Units, Wallet};

/// A block of the chain: a moment that nobody could know before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Its slot.
    pub slot: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Mark {
    /// The beacon that it is, on the chain with this genesis.
    pub fn beacon(&self, genesis: &[u8; 32]) -> Beacon {
        Beacon(Purpose::Block.hash(&[genesis, &self.slot.to_le_bytes(), &self.hash]))
    }
}

/// Where the time of a task begins, for all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Start {
    /// The newest block then, from which the task's beacon is made.
    pub mark: Mark,
    /// Microseconds after the trial's start, by the coordinator's clock; 0 for the first task.
    pub at_us: u64,
}

/// What a trial is for. Each lane has its own line of promised secrets and of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// All idle devices, once a period, at a moment that nobody knows before.
    Period,
    /// Devices that just came, or asked for it: at once.
    Joining,
}

impl Lane {
    /// Its name in anchors.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Joining => "joining",
        }
    }
}

/// What came of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// So many rounds were proven.
    Proven(u32),
    /// The commitment came after its time.
    Late,
    /// No commitment, or no proof of it, came at all.
    Silent,
    /// The device said that it would not. The coordinator's word.
    Declined,
    /// The proof does not hold.
    Rejected,
    /// It had committed, saw what would be opened, and gave no proof. The coordinator's word.
    /// Judged like a wrong answer: who commits to what is not there could else look whether it
    /// would be found.
    Withheld,
}

/// A device's answer to one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What it committed to, and its arrival in microseconds after the task's start; none if
    /// nothing came.
    pub committed: Option<(Commitment, u64)>,
    /// What came of it.
    pub outcome: Outcome,
    /// The hash of its proof's bytes; none if no proof came.
    pub proof: Option<Hash>,
}

/// A chip's part in a trial: of a machine with several, each has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The chip, and its device.
    pub chip: ChipId,
    /// Which of the record's assignments it had.
    pub assignment: u8,
    /// One for each of its tasks.
    pub answers: Vec<Answer>,
}

/// A trial, as anybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub trial: TrialId,
    /// The coordinator's newest trial with a record before this one, of either lane; 0 if none.
    pub before: TrialId,
    /// What it was for.
    pub lane: Lane,
    /// The chain.
    pub genesis: [u8; 32],
    /// Who held it.
    pub coordinator: Wallet,
    /// The hash of the lane's record before; zeros for the first.
    pub previous: Hash,
    /// What was published before the start.
    pub promised: Precommitment,
    /// The transaction that published it: an anchor of the trial before, or a promise alone.
    pub promise: [u8; 64],
    /// The slot in which it landed.
    pub promise_slot: u64,
    /// What had been promised.
    pub secret: Secret,
    /// The first block after the promise: the wait of a period's trial follows from it, and who
    /// made the promise could not know it.
    pub basis: Mark,
    /// Milliseconds of the lane's period; 0 where trials come at once.
    pub period_ms: u32,
    /// The start of each task: of everybody's first, of everybody's second, ..
    pub starts: Vec<Start>,
    /// Slot in which [`Record::entries_root`] landed.
    pub anchor_slot: u64,
    /// The transaction in which it did.
    pub anchor: [u8; 64],
    /// The first block after it.
    pub late: Mark,
    /// Unix milliseconds of the start, by the coordinator's clock.
    pub started_ms: i64,
    /// Microseconds that a commitment may take on its way.
    pub grace_us: u32,
    /// What devices were asked to do: lists of tasks.
    pub assignments: Vec<Vec<Task>>,
    /// The chips, in ascending order.
    pub entries: Vec<Entry>,
}

impl Record {
    /// What the trial's openings follow from.
    pub fn challenge(&self) -> Result<Challenge, WrongSecret> {
        let start = self.beacon(0).unwrap_or(Beacon([0; 32]));
        Challenge::new(&start, &self.late.beacon(&self.genesis), &self.secret, &self.promised)
    }

    /// The beacon of everybody's task with this number; none if nobody had so many.
    ///
    /// It is made of a block, before which nobody knows it, not even the coordinator; and of a veil
    /// from the promised secret, without which nobody knows it before the coordinator tells all.
    /// With the block alone, a device that sees blocks early would begin early.
    pub fn beacon(&self, task: usize) -> Option<Beacon> {
        let block = self.starts.get(task)?.mark.beacon(&self.genesis);
        Some(Beacon(Purpose::Start.hash(&[&block.0, &self.secret.veil(task)])))
    }

    /// The root that is anchored: over what was asked, and each device in order with what it
    /// committed to and when that arrived. It is made before the openings are known, so outcomes,
    /// secret and later marks are not in it: they follow, or stand on the chain themselves.
    pub fn entries_root(&self) -> Hash {
        self.entries_tree().root()
    }

    /// The tree of [`Record::entries_root`]: a device's own path shows that it was counted.
    pub fn entries_tree(&self) -> Tree {
        let mut leaves: Vec<Hash> = self.entries.iter().map(leaf).collect();
        // What was asked, and of how many: padding is no device.
        leaves.push(Purpose::Head.hash(&[&self.encode_head()]));
        leaves.resize(leaves.len().next_power_of_two(), [0; 32]);
        Tree::new(leaves)
    }

    /// The hash of the whole record: of its bytes.
    pub fn hash(&self) -> Hash {
        Purpose::Record.hash(&[&self.encode()])
    }
}

fn leaf(entry: &Entry) -> Hash {
    let mut bytes = entry.chip.device.0.to_vec();
    bytes.push(entry.chip.number);
    bytes.push(entry.assignment);
    for answer in &entry.answers {
        let (commitment, arrived) =
            answer.committed.map_or(([0; 32], u64::MAX), |(c, at)| (c.0, at));
        bytes.extend(commitment);
        bytes.extend(arrived.to_le_bytes());
    }
    Purpose::Entry.hash(&[&bytes])
}

/// The words of an anchor: what stands on the chain in the middle of a trial.
pub fn anchor_text(
    lane: Lane,
    trial: TrialId,
    root: &Hash,
    next: &Precommitment,
    previous: &Hash,
) -> String {
    let (root, next, last) = (Hex(root), Hex(&next.0), Hex(previous));
    format!("ionet trial v1 {} {trial} root {root} next {next} last {last}", lane.name())
}

/// The words of a promise that stands alone: a lane's first, or after a trial that broke off.
pub fn promise_text(lane: Lane, next: &Precommitment) -> String {
    format!("ionet promise v1 {} next {}", lane.name(), Hex(&next.0))
}

/// What an anchor or a promise of this lane promises for the next trial; none if it is neither.
pub fn promise_in(text: &str, lane: Lane) -> Option<Precommitment> {
    let words: Vec<_> = text.split(' ').collect();
    let (of, next) = match words[..] {
        ["ionet", "promise", "v1", of, "next", next] => (of, next),
        ["ionet", "trial", "v1", of, _, "root", root, "next", next, "last", last] => {
            unhex(root).and(unhex(last))?;
            (of, next)
        }
        _ => return None,
    };
    unhex(next).filter(|_| of == lane.name()).map(Precommitment)
}

/// Of its one form: 64 small digits.
fn unhex(word: &str) -> Option<Hash> {
    let digits = word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(word.get(at..at + 2)?, 16).ok()?;
    }
    (digits && word.len() == 64).then_some(hash)
}

struct Hex<'a>(&'a [u8; 32]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Milliseconds that the start of a period's trial waits: below `period_ms`, known to nobody
/// before the basis, and to nobody but the coordinator before the trial. Neither the coordinator,
/// whose promise landed before the basis, nor whoever makes the block chooses it.
pub fn wait_ms(secret: &Secret, basis: &Mark, genesis: &[u8; 32], period_ms: u32) -> u32 {
    let seed = Purpose::Moment.seed(&[&secret.0, &basis.beacon(genesis).0]);
    match period_ms {
        0 => 0,
        period => seed.indices(1, period.into())[0] as u32,
    }
}

/// The shape of a task's products; none if it multiplies nothing.
pub fn shape_of(task: &Task) -> Option<Result<Shape, ShapeError>> {
    let Task::Multiply { units, side, width, .. } = *task else { return None };
    let entries = match units {
        Units::Integer => Entries::Byte,
        Units::Matrix => Entries::Nibble,
    };
    Some(Shape::new(entries, side, width))
}

/// Microseconds after its start until which a task's commitment is in time.
pub fn due_us(task: &Task, grace_us: u32) -> u64 {
    u64::from(task.time_ms()) * 1_000 + u64::from(grace_us)
}

/// Multiply-adds a second of so many rounds, rounded down. `took_us` is from the task's start, at
/// least 1.
pub fn rate(shape: Shape, rounds: u32, took_us: u64) -> u64 {
    let operations = u128::from(shape.operations()) * u128::from(rounds) * 1_000_000;
    u64::try_from(operations / u128::from(took_us.max(1))).unwrap_or(u64::MAX)
}

/// What a task is asked for.
pub const fn quantities(task: &Task) -> &'static [Quantity] {
    match task {
        Task::Multiply { units: Units::Integer, .. } => &[Quantity::IntegerRate],
        Task::Multiply { units: Units::Matrix, .. } => &[Quantity::MatrixRate],
        Task::Stream { .. } => &[Quantity::MemoryRate, Quantity::MemoryBytes],
    }
}

/// The figures that so many proven rounds or passes show, `took_us` after the task's start, in the
/// order of [`quantities`]. Too few passes ([`Memory::counts`]) show nothing: neither that the
/// memory was held, nor that anything was read.
pub fn figures(task: &Task, rounds: u32, took_us: u64) -> Vec<(Quantity, u64)> {
    let took_us = took_us.max(1);
    let values = match *task {
        Task::Multiply { .. } => match shape_of(task) {
            Some(Ok(shape)) => vec![rate(shape, rounds, took_us)],
            _ => Vec::new(),
        },
        Task::Stream { bytes, .. } => match Memory::new(bytes) {
            Ok(memory) if memory.counts(rounds) => {
                let moved = memory::rate(memory, rounds, took_us).unwrap_or(u64::MAX);
                vec![moved, memory.bytes()]
            }
            _ => Vec::new(),
        },
    };
    quantities(task).iter().copied().zip(values).collect()
}

/// The hash of a proof's bytes, as records name it.
pub fn proof_hash(bytes: &[u8]) -> Hash {
    Purpose::ProofBytes.hash(&[bytes])
}

/// What is asked about one task, of all devices that did it.
pub struct Question(Kind);

enum Kind {
    Products(Hour),
    Passes { memory: Memory, openings: usize, verifier: memory::Verifier },
}

impl Question {
    /// Computes what all proofs of the task share. None if the task has sizes that no task has,
    /// or opens nothing: then anything would be proven.
    pub fn new(task: &Task, beacon: Beacon, challenge: Challenge) -> Option<Self> {
        match *task {
            Task::Multiply { openings, .. } if openings > 0 => {
                let hour = Hour::new(shape_of(task)?.ok()?, beacon, challenge, openings.into());
                Some(Self(Kind::Products(hour)))
            }
            Task::Stream { bytes, openings, .. } if openings > 0 => {
                let (memory, openings) = (Memory::new(bytes).ok()?, usize::from(openings));
                let verifier = memory::Verifier::new(memory, beacon, challenge, openings);
                Some(Self(Kind::Passes { memory, openings, verifier }))
            }
            Task::Multiply { .. } | Task::Stream { .. } => None,
        }
    }

    /// What comes of a commitment that was in time, given the bytes of its proof: the one rule,
    /// for the coordinator and for whoever replays. `device` is the key under which it was proven
    /// ([`crate::proving_key`]), `task` the task's number.
    pub fn outcome(
        &self,
        device: DeviceId,
        task: u8,
        commitment: &Commitment,
        proof: &[u8],
    ) -> Outcome {
        let proven = match &self.0 {
            Kind::Products(hour) => Proof::decode(hour.shape(), hour.openings(), proof)
                .ok()
                .and_then(|proof| hour.verify(device, commitment, &proof).ok()),
            Kind::Passes { memory, openings, verifier } => {
                memory::Proof::decode(*memory, *openings, proof)
                    .ok()
                    .and_then(|proof| verifier.verify(device, task, commitment, &proof).ok())
            }
        };
        proven.map_or(Outcome::Rejected, Outcome::Proven)
    }
}
