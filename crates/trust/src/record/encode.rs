//! A record as bytes: fixed order, little-endian, one form for each record.

use super::{Answer, Entry, Lane, Mark, Outcome, Record, Start};
use crate::chain::{Commitment, ROUNDS_MAX};
use crate::challenge::{Precommitment, Secret};
use ionet_core::{CHIPS_PER_DEVICE_MAX, ChipId, DeviceId, TASKS_MAX, Task, TrialId, Units, Wallet};

/// Most chips in one record: more are shared out over several trials of the same beacon.
pub const ENTRIES_MAX: usize = 1 << 20;
/// Most lists of tasks: one a kind of chip.
pub const ASSIGNMENTS_MAX: usize = 32;
const MAGIC: &[u8; 8] = b"ionetrc4";

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It ends before it is whole.
    #[error("the record ends in the middle")]
    Short,
    /// It does not begin as one.
    #[error("this is no record of a trial, or one of another version")]
    Version,
    /// Bytes are left over.
    #[error("{0} bytes stand after the record's end")]
    Trailing(usize),
    /// A field has a value that no record has.
    #[error("the record's {0} is out of its bounds")]
    Field(&'static str),
    /// Chips are not in ascending order, or one stands twice.
    #[error("entry {0} of the record is out of order")]
    Order(usize),
}

impl Record {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = MAGIC.to_vec();
        to.extend(self.trial.0.to_le_bytes());
        to.extend(self.before.0.to_le_bytes());
        to.push(match self.lane {
            Lane::Period => 0,
            Lane::Joining => 1,
        });
        to.extend(self.genesis);
        to.extend(self.coordinator.0);
        to.extend(self.previous);
        to.extend(self.promised.0);
        to.extend(self.promise);
        to.extend(self.promise_slot.to_le_bytes());
        to.extend(self.secret.0);
        mark(&mut to, &self.basis);
        to.extend(self.period_ms.to_le_bytes());
        to.push(self.starts.len() as u8);
        for start in &self.starts {
            mark(&mut to, &start.mark);
            to.extend(start.at_us.to_le_bytes());
        }
        to.extend(self.anchor_slot.to_le_bytes());
        to.extend(self.anchor);
        mark(&mut to, &self.late);
        to.extend(self.started_ms.to_le_bytes());
        to.extend(self.grace_us.to_le_bytes());
        to.push(self.assignments.len() as u8);
        for tasks in &self.assignments {
            to.push(tasks.len() as u8);
            tasks.iter().for_each(|t| task(&mut to, t));
        }
        to.extend((self.entries.len() as u32).to_le_bytes());
        for entry in &self.entries {
            to.extend(entry.chip.device.0);
            to.extend([entry.chip.number, entry.assignment]);
            entry.answers.iter().for_each(|a| answer(&mut to, a));
        }
        to
    }

    /// What is fixed before anybody knows what will be opened: what was asked, by whom, of how
    /// many, from which block on.
    pub(super) fn encode_head(&self) -> Vec<u8> {
        let head = Self {
            secret: Secret([0; 32]),
            anchor_slot: 0,
            anchor: [0; 64],
            late: Mark::default(),
            starts: self.starts.clone(),
            assignments: self.assignments.clone(),
            entries: Vec::new(),
            ..*self
        };
        let mut bytes = head.encode();
        bytes.extend((self.entries.len() as u64).to_le_bytes());
        bytes
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut from = Reader(bytes);
        if &from.take::<8>()? != MAGIC {
            return Err(RecordError::Version);
        }
        let (trial, before) = (TrialId(from.u64()?), TrialId(from.u64()?));
        let lane = match from.u8()? {
            0 => Lane::Period,
            1 => Lane::Joining,
            _ => return Err(RecordError::Field("lane")),
        };
        let mut record = Self {
            trial,
            before,
            lane,
            genesis: from.take()?,
            coordinator: Wallet(from.take()?),
            previous: from.take()?,
            promised: Precommitment(from.take()?),
            promise: from.take()?,
            promise_slot: from.u64()?,
            secret: Secret(from.take()?),
            basis: from.mark()?,
            period_ms: from.u32()?,
            starts: from.starts()?,
            anchor_slot: from.u64()?,
            anchor: from.take()?,
            late: from.mark()?,
            started_ms: from.u64()? as i64,
            grace_us: from.u32()?,
            assignments: Vec::new(),
            entries: Vec::new(),
        };
        let assignments = usize::from(from.u8()?);
        if assignments > ASSIGNMENTS_MAX {
            return Err(RecordError::Field("number of assignments"));
        }
        for _ in 0..assignments {
            let tasks = usize::from(from.u8()?);
            if !(1..=record.starts.len()).contains(&tasks) {
                return Err(RecordError::Field("number of tasks"));
            }
            let tasks = (0..tasks).map(|_| from.task()).collect::<Result<_, _>>()?;
            record.assignments.push(tasks);
        }
        let entries = from.u32()? as usize;
        // Each takes 34 bytes at least: a number that the rest cannot hold takes no memory.
        if entries > ENTRIES_MAX || entries > from.0.len() / 34 {
            return Err(RecordError::Field("number of entries"));
        }
        record.entries.reserve(entries);
        for number in 0..entries {
            let entry = from.entry(&record.assignments)?;
            if record.entries.last().is_some_and(|last| last.chip >= entry.chip) {
                return Err(RecordError::Order(number));
            }
            record.entries.push(entry);
        }
        match from.0.len() {
            0 => Ok(record),
            left => Err(RecordError::Trailing(left)),
        }
    }
}

fn mark(to: &mut Vec<u8>, mark: &Mark) {
    to.extend(mark.slot.to_le_bytes());
    to.extend(mark.hash);
}

fn task(to: &mut Vec<u8>, task: &Task) {
    match *task {
        Task::Multiply { units, side, width, openings, time_ms } => {
            to.push(match units {
                Units::Integer => 0,
                Units::Matrix => 1,
            });
            to.extend(side.to_le_bytes());
            to.extend(width.to_le_bytes());
            to.extend(openings.to_le_bytes());
            to.extend(time_ms.to_le_bytes());
        }
        Task::Stream { bytes, openings, time_ms } => {
            to.push(2);
            to.extend(bytes.to_le_bytes());
            to.extend(openings.to_le_bytes());
            to.extend(time_ms.to_le_bytes());
        }
    }
}

const COMMITTED: u8 = 1 << 6;
const WITH_PROOF: u8 = 1 << 7;

fn answer(to: &mut Vec<u8>, answer: &Answer) {
    let (tag, rounds) = match answer.outcome {
        Outcome::Proven(rounds) => (0, Some(rounds)),
        Outcome::Late => (1, None),
        Outcome::Silent => (2, None),
        Outcome::Declined => (3, None),
        Outcome::Rejected => (4, None),
        Outcome::Withheld => (5, None),
    };
    let committed = answer.committed.map_or(0, |_| COMMITTED);
    to.push(tag | committed | answer.proof.map_or(0, |_| WITH_PROOF));
    if let Some((commitment, arrived)) = &answer.committed {
        to.extend(commitment.0);
        to.extend(arrived.to_le_bytes());
    }
    if let Some(proof) = &answer.proof {
        to.extend(proof);
    }
    if let Some(rounds) = rounds {
        to.extend(rounds.to_le_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, RecordError> {
        Ok(self.take::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, RecordError> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    fn u32(&mut self) -> Result<u32, RecordError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn mark(&mut self) -> Result<Mark, RecordError> {
        Ok(Mark { slot: self.u64()?, hash: self.take()? })
    }

    fn starts(&mut self) -> Result<Vec<Start>, RecordError> {
        let starts = usize::from(self.u8()?);
        if !(1..=TASKS_MAX).contains(&starts) {
            return Err(RecordError::Field("number of starts"));
        }
        (0..starts).map(|_| Ok(Start { mark: self.mark()?, at_us: self.u64()? })).collect()
    }

    fn task(&mut self) -> Result<Task, RecordError> {
        let units = match self.u8()? {
            0 => Units::Integer,
            1 => Units::Matrix,
            2 => {
                let (bytes, openings, time_ms) = (self.u64()?, self.u16()?, self.u32()?);
                return Ok(Task::Stream { bytes, openings, time_ms });
            }
            _ => return Err(RecordError::Field("kind of task")),
        };
        let (side, width) = (self.u32()?, self.u32()?);
        let (openings, time_ms) = (self.u16()?, self.u32()?);
        Ok(Task::Multiply { units, side, width, openings, time_ms })
    }

    fn entry(&mut self, assignments: &[Vec<Task>]) -> Result<Entry, RecordError> {
        let chip = ChipId { device: DeviceId(self.take()?), number: self.u8()? };
        if usize::from(chip.number) >= CHIPS_PER_DEVICE_MAX {
            return Err(RecordError::Field("number of a chip"));
        }
        let assignment = self.u8()?;
        let tasks = assignments.get(usize::from(assignment));
        let tasks = tasks.ok_or(RecordError::Field("assignment of an entry"))?;
        let answers = tasks.iter().map(|_| self.answer()).collect::<Result<_, _>>()?;
        Ok(Entry { chip, assignment, answers })
    }

    fn answer(&mut self) -> Result<Answer, RecordError> {
        let head = self.u8()?;
        let committed = match head & COMMITTED {
            0 => None,
            _ => Some((Commitment(self.take()?), self.u64()?)),
        };
        let proof = if head & WITH_PROOF == 0 { None } else { Some(self.take()?) };
        let outcome = match head & !(COMMITTED | WITH_PROOF) {
            0 => Outcome::Proven(self.u32()?),
            1 => Outcome::Late,
            2 => Outcome::Silent,
            3 => Outcome::Declined,
            4 => Outcome::Rejected,
            5 => Outcome::Withheld,
            _ => return Err(RecordError::Field("outcome")),
        };
        // What was proven or rejected is the proof of a commitment.
        let (has, shown) = (committed.is_some(), proof.is_some());
        let fine = match outcome {
            Outcome::Proven(rounds) => has && shown && (1..=ROUNDS_MAX).contains(&rounds),
            Outcome::Rejected => has && shown,
            Outcome::Late | Outcome::Withheld => has && !shown,
            Outcome::Silent | Outcome::Declined => !shown,
        };
        let answer = Answer { committed, outcome, proof };
        fine.then_some(answer).ok_or(RecordError::Field("outcome beside its evidence"))
    }
}
