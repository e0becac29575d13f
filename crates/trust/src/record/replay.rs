//! Computing a record again, offline, from its bytes and its proofs alone.

use super::{Answer, Entry, Lane, Outcome, Record, due_us, outcome_of, proof_hash, rate, shape_of};
use crate::challenge::Challenge;
use crate::record::wait_ms;
use crate::verify::Hour;
use ionet_core::{DeviceId, Task};

/// Something in a record that does not follow from what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// The secret is not the one that was promised.
    #[error("the secret is not the one that was promised before the trial")]
    Secret,
    /// Marks are not in order: promise, the block after it, start, anchor, the block after it.
    #[error("the blocks of promise, basis, start, anchor and end are not in this order")]
    Marks,
    /// A trial of a period has no period, or another has one.
    #[error("the lane and its period do not fit")]
    Period,
    /// A task has sizes that no task has, opens nothing, or is too large to be computed again.
    #[error("task {task} of assignment {assignment} is none that can be checked")]
    Task {
        /// The assignment.
        assignment: usize,
        /// The task's number in it.
        task: usize,
    },
    /// Another outcome follows.
    #[error("task {task} of {device}: the record says {said:?}, and {found:?} follows")]
    Outcome {
        /// Whose.
        device: DeviceId,
        /// The task's number.
        task: usize,
        /// What the record says.
        said: Outcome,
        /// What follows.
        found: Outcome,
    },
    /// The proof is not there.
    #[error("task {task} of {device}: its proof is missing")]
    Missing {
        /// Whose.
        device: DeviceId,
        /// The task's number.
        task: usize,
    },
    /// The proof is another one than the record names.
    #[error("task {task} of {device}: the proof beside the record is another one")]
    Other {
        /// Whose.
        device: DeviceId,
        /// The task's number.
        task: usize,
    },
    /// Commitments of one device did not come one after the other.
    #[error("task {task} of {device} arrived before the one before it")]
    Arrival {
        /// Whose.
        device: DeviceId,
        /// The task's number.
        task: usize,
    },
}

/// A task that was computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Whose.
    pub device: DeviceId,
    /// The task.
    pub task: Task,
    /// What follows.
    pub outcome: Outcome,
    /// Multiply-adds a second from the trial's start on; 0 where nothing was proven. Of a later
    /// task this is a lower bound: its work may have begun with the beacon, whatever came first.
    pub rate: u64,
    /// The least that follows from the chain's marks alone, had every slot between start and
    /// anchor taken the longest: no coordinator's clock is in it.
    pub rate_by_slots: u64,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Each task of each device, in the record's order.
    pub tasks: Vec<Replayed>,
    /// What does not follow; none: the record is right.
    pub disagreements: Vec<Disagreement>,
    /// Milliseconds after its basis at which the trial had to start.
    pub wait_ms: u32,
}

/// Most numbers that all tasks of a record share between proofs, 512 MiB of them: thirty times what
/// a trial with a task for each kind of unit takes. A record that asks for more is made to exhaust
/// whoever reads it.
const SHARED_MAX: usize = 1 << 26;

/// Longest slot that is reckoned with, in milliseconds: Solana's aim is 400.
pub const SLOT_MS_MAX: u64 = 800;

/// Computes everything again. `proof` gives the bytes of a device's proof for a task, or none.
/// One proof is in memory at a time.
pub fn replay(
    record: &Record,
    mut proof: impl FnMut(&DeviceId, usize) -> Option<Vec<u8>>,
) -> Replay {
    let mut found = Replay {
        tasks: Vec::new(),
        disagreements: Vec::new(),
        wait_ms: wait_ms(&record.secret, &record.basis, &record.genesis, record.period_ms),
    };
    let (start, anchor, late) = (record.start.slot, record.anchor_slot, record.late.slot);
    let promised = record.promise_slot < record.basis.slot && record.basis.slot <= start;
    if !promised || start >= anchor || anchor >= late {
        found.disagreements.push(Disagreement::Marks);
    }
    if (record.lane == Lane::Period) != (record.period_ms > 0) {
        found.disagreements.push(Disagreement::Period);
    }
    let Ok(challenge) = record.challenge() else {
        found.disagreements.push(Disagreement::Secret);
        return found;
    };
    let hours = hours(record, challenge, &mut found.disagreements);
    for entry in &record.entries {
        let group = usize::from(entry.assignment);
        let (tasks, hours) = (&record.assignments[group], &hours[group]);
        replay_entry(record, entry, tasks, hours, &mut proof, &mut found);
    }
    found
}

fn hours(
    record: &Record,
    challenge: Challenge,
    disagreements: &mut Vec<Disagreement>,
) -> Vec<Vec<Option<Hour>>> {
    let beacon = record.start.beacon(&record.genesis);
    let mut left = SHARED_MAX;
    let mut of = |assignment: usize, task: usize, asked: &Task| {
        let Task::Multiply { openings, .. } = *asked else { return None };
        // Where nothing is opened, anything would be proven.
        let shape = shape_of(asked)?.ok().filter(|_| openings > 0);
        let rest = shape.and_then(|s| left.checked_sub(s.side() * s.segments()));
        let (Some(shape), Some(rest)) = (shape, rest) else {
            disagreements.push(Disagreement::Task { assignment, task });
            return None;
        };
        left = rest;
        Some(Hour::new(shape, beacon, challenge, openings.into()))
    };
    let groups = record.assignments.iter().enumerate();
    groups
        .map(|(group, tasks)| tasks.iter().enumerate().map(|(n, t)| of(group, n, t)).collect())
        .collect()
}

fn replay_entry(
    record: &Record,
    entry: &Entry,
    tasks: &[Task],
    hours: &[Option<Hour>],
    proof: &mut impl FnMut(&DeviceId, usize) -> Option<Vec<u8>>,
    found: &mut Replay,
) {
    let device = entry.device;
    let mut before = 0;
    for (number, (answer, (asked, hour))) in
        entry.answers.iter().zip(tasks.iter().zip(hours)).enumerate()
    {
        let outcome = match again(record, entry, number, answer, tasks, hour.as_ref(), proof) {
            Ok(outcome) => outcome,
            Err(disagreement) => {
                found.disagreements.push(disagreement);
                continue;
            }
        };
        if outcome != answer.outcome {
            let (task, said) = (number, answer.outcome);
            let wrong = Disagreement::Outcome { device, task, said, found: outcome };
            found.disagreements.push(wrong);
        }
        let arrived = answer.committed.map_or(before, |(_, at)| at);
        if arrived < before {
            found.disagreements.push(Disagreement::Arrival { device, task: number });
        }
        before = arrived;
        let (mut by_clock, mut by_slots) = (0, 0);
        if let (Outcome::Proven(rounds), Some(Ok(shape))) = (outcome, shape_of(asked)) {
            let slots = record.anchor_slot.saturating_sub(record.start.slot);
            // From the start, not from the commitment before: that one may have been held back.
            by_clock = rate(shape, rounds, arrived);
            by_slots = rate(shape, rounds, slots.saturating_mul(SLOT_MS_MAX * 1_000));
        }
        found.tasks.push(Replayed {
            device,
            task: *asked,
            outcome,
            rate: by_clock,
            rate_by_slots: by_slots,
        });
    }
}

/// The outcome that follows for one task.
fn again(
    record: &Record,
    entry: &Entry,
    number: usize,
    answer: &Answer,
    tasks: &[Task],
    hour: Option<&Hour>,
    proof: &mut impl FnMut(&DeviceId, usize) -> Option<Vec<u8>>,
) -> Result<Outcome, Disagreement> {
    let Some((commitment, arrived)) = answer.committed else {
        // That it declined is the coordinator's word; that it said nothing, too.
        let declined = answer.outcome == Outcome::Declined;
        return Ok(if declined { Outcome::Declined } else { Outcome::Silent });
    };
    if arrived > due_us(tasks, number, record.grace_us) {
        return Ok(Outcome::Late);
    }
    let (device, task) = (entry.device, number);
    let Some(named) = answer.proof else {
        let declined = answer.outcome == Outcome::Declined;
        return Ok(if declined { Outcome::Declined } else { Outcome::Silent });
    };
    let bytes = proof(&device, number).ok_or(Disagreement::Missing { device, task })?;
    if proof_hash(&bytes) != named {
        return Err(Disagreement::Other { device, task });
    }
    // A task that cannot be computed again was noted once, and proves nothing.
    let outcome = hour.map(|hour| outcome_of(hour, device, &commitment, &bytes));
    Ok(outcome.unwrap_or(Outcome::Rejected))
}
