//! Computing a record again, offline, from its bytes and its proofs alone.

use super::{
    Answer, Entry, Lane, Outcome, Question, Record, due_us, figures, proof_hash, shape_of,
};
use crate::chain::proving_key;
use crate::challenge::Challenge;
use crate::record::wait_ms;
use ionet_core::{ChipId, DeviceId, Task, TrialId};

/// Something in a record that does not follow from what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// The secret is not the one that was promised.
    #[error("the secret is not the one that was promised before the trial")]
    Secret,
    /// Marks are not in order: promise, the block after it, the start of each task, anchor, the
    /// block after it.
    #[error("the blocks of promise, basis, starts, anchor and end are not in this order")]
    Marks,
    /// It names a trial before it that did not come before it.
    #[error("trial {0} is not before this one")]
    Before(TrialId),
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
    #[error("task {task} of {chip}: the record says {said:?}, and {found:?} follows")]
    Outcome {
        /// Whose.
        chip: ChipId,
        /// The task's number.
        task: usize,
        /// What the record says.
        said: Outcome,
        /// What follows.
        found: Outcome,
    },
    /// The proof is not there.
    #[error("task {task} of {chip}: its proof is missing")]
    Missing {
        /// Whose.
        chip: ChipId,
        /// The task's number.
        task: usize,
    },
    /// The proof is another one than the record names.
    #[error("task {task} of {chip}: the proof beside the record is another one")]
    Other {
        /// Whose.
        chip: ChipId,
        /// The task's number.
        task: usize,
    },
    /// A commitment came when the next task had begun: nothing of it is waited for then.
    #[error("task {task} of {chip} arrived after the next one had begun")]
    Arrival {
        /// Whose.
        chip: ChipId,
        /// The task's number.
        task: usize,
    },
}

/// A task that was computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Whose.
    pub chip: ChipId,
    /// Its number.
    pub number: usize,
    /// The task.
    pub task: Task,
    /// What follows.
    pub outcome: Outcome,
    /// What follows from its own start and its arrival: multiply-adds a second, or bytes a second
    /// of a pass over memory; 0 where nothing was proven.
    pub rate: u64,
    /// The least that follows from the chain's marks alone, had every slot from the task's start
    /// to the next mark taken the longest: no coordinator's clock is in it.
    pub rate_by_slots: u64,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Each task of each chip, in the record's order.
    pub tasks: Vec<Replayed>,
    /// What does not follow; none: the record is right.
    pub disagreements: Vec<Disagreement>,
    /// Milliseconds after its basis at which the trial had to start.
    pub wait_ms: u32,
    /// Trials of this coordinator since the one with the record before that came to nothing.
    pub voided: u64,
}

/// Most numbers that all tasks of a record share between proofs, 512 MiB of them: thirty times what
/// a trial with a task for each kind of unit takes. A record that asks for more is made to exhaust
/// whoever reads it.
const SHARED_MAX: usize = 1 << 26;

/// Longest slot that is reckoned with, in milliseconds: Solana's aim is 400.
pub const SLOT_MS_MAX: u64 = 800;

/// Computes everything again. `proof` gives the bytes of a proof, by the key under which its chip
/// proves ([`proving_key`]) and the task's number, or none.
/// One proof is in memory at a time.
pub fn replay(
    record: &Record,
    mut proof: impl FnMut(&DeviceId, usize) -> Option<Vec<u8>>,
) -> Replay {
    let mut found = Replay {
        tasks: Vec::new(),
        disagreements: Vec::new(),
        wait_ms: wait_ms(&record.secret, &record.basis, &record.genesis, record.period_ms),
        voided: record.trial.0.saturating_sub(record.before.0).saturating_sub(1),
    };
    if !in_order(record) {
        found.disagreements.push(Disagreement::Marks);
    }
    if record.before >= record.trial {
        found.disagreements.push(Disagreement::Before(record.before));
    }
    if (record.lane == Lane::Period) != (record.period_ms > 0) {
        found.disagreements.push(Disagreement::Period);
    }
    let Ok(challenge) = record.challenge() else {
        found.disagreements.push(Disagreement::Secret);
        return found;
    };
    let questions = questions(record, challenge, &mut found.disagreements);
    for entry in &record.entries {
        let group = usize::from(entry.assignment);
        replay_entry(record, entry, &questions[group], &mut proof, &mut found);
    }
    found
}

/// Whether each public mark comes after the one before it, and no task began before the one before
/// it had by the coordinator's clock.
fn in_order(record: &Record) -> bool {
    let promised = record.promise_slot < record.basis.slot;
    let starts: Vec<_> = record.starts.iter().map(|s| s.mark.slot).collect();
    let (first, last) = (starts.first().copied(), starts.last().copied());
    promised
        && first.is_some_and(|first| record.basis.slot <= first)
        && starts.windows(2).all(|two| two[0] < two[1])
        && record.starts.is_sorted_by_key(|s| s.at_us)
        && record.starts.first().is_some_and(|s| s.at_us == 0)
        && last.is_some_and(|last| last < record.anchor_slot)
        && record.anchor_slot < record.late.slot
}

fn questions(
    record: &Record,
    challenge: Challenge,
    disagreements: &mut Vec<Disagreement>,
) -> Vec<Vec<Option<Question>>> {
    let mut left = SHARED_MAX;
    let mut of = |assignment: usize, task: usize, asked: &Task| {
        let shared = match shape_of(asked) {
            Some(Ok(shape)) => shape.side() * shape.segments(),
            Some(Err(_)) => usize::MAX,
            None => 0,
        };
        let rest = left.checked_sub(shared);
        let made = rest
            .zip(record.beacon(task))
            .and_then(|(rest, beacon)| Some((rest, Question::new(asked, beacon, challenge)?)));
        let Some((rest, question)) = made else {
            disagreements.push(Disagreement::Task { assignment, task });
            return None;
        };
        left = rest;
        Some(question)
    };
    let groups = record.assignments.iter().enumerate();
    groups
        .map(|(group, tasks)| tasks.iter().enumerate().map(|(n, t)| of(group, n, t)).collect())
        .collect()
}

fn replay_entry(
    record: &Record,
    entry: &Entry,
    questions: &[Option<Question>],
    proof: &mut impl FnMut(&DeviceId, usize) -> Option<Vec<u8>>,
    found: &mut Replay,
) {
    let (chip, tasks) = (entry.chip, &record.assignments[usize::from(entry.assignment)]);
    for (number, (answer, (asked, question))) in
        entry.answers.iter().zip(tasks.iter().zip(questions)).enumerate()
    {
        let outcome = match again(record, chip, number, answer, asked, question.as_ref(), proof) {
            Ok(outcome) => outcome,
            Err(disagreement) => {
                found.disagreements.push(disagreement);
                continue;
            }
        };
        if outcome != answer.outcome {
            let (task, said) = (number, answer.outcome);
            let wrong = Disagreement::Outcome { chip, task, said, found: outcome };
            found.disagreements.push(wrong);
        }
        let arrived = answer.committed.map_or(0, |(_, at)| at);
        let (start, next) = (record.starts[number], record.starts.get(number + 1));
        if next.is_some_and(|next| start.at_us.saturating_add(arrived) > next.at_us) {
            found.disagreements.push(Disagreement::Arrival { chip, task: number });
        }
        let (mut by_clock, mut by_slots) = (0, 0);
        if let Outcome::Proven(rounds) = outcome {
            let end = next.map_or(record.anchor_slot, |next| next.mark.slot);
            let slots = end.saturating_sub(start.mark.slot);
            let shown = |us| figures(asked, rounds, us).first().map_or(0, |(_, rate)| *rate);
            by_clock = shown(arrived);
            by_slots = shown(slots.saturating_mul(SLOT_MS_MAX * 1_000));
        }
        found.tasks.push(Replayed {
            chip,
            number,
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
    chip: ChipId,
    number: usize,
    answer: &Answer,
    task: &Task,
    question: Option<&Question>,
    proof: &mut impl FnMut(&DeviceId, usize) -> Option<Vec<u8>>,
) -> Result<Outcome, Disagreement> {
    let Some((commitment, arrived)) = answer.committed else {
        // That it declined is the coordinator's word; that it said nothing, too.
        let declined = answer.outcome == Outcome::Declined;
        return Ok(if declined { Outcome::Declined } else { Outcome::Silent });
    };
    if arrived > due_us(task, record.grace_us) {
        return Ok(Outcome::Late);
    }
    let Some(named) = answer.proof else {
        // Whether it ended before the question or after it is the coordinator's word.
        return Ok(match answer.outcome {
            said @ (Outcome::Declined | Outcome::Withheld) => said,
            Outcome::Proven(_) | Outcome::Late | Outcome::Silent | Outcome::Rejected => {
                Outcome::Silent
            }
        });
    };
    let key = proving_key(chip);
    let bytes = proof(&key, number).ok_or(Disagreement::Missing { chip, task: number })?;
    if proof_hash(&bytes) != named {
        return Err(Disagreement::Other { chip, task: number });
    }
    // A task that cannot be computed again was noted once, and proves nothing.
    let outcome = question.map(|q| q.outcome(key, number as u8, &commitment, &bytes));
    Ok(outcome.unwrap_or(Outcome::Rejected))
}
