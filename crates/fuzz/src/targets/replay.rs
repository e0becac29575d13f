//! A record and proofs from anybody, computed again.

use crate::honest::TRIAL;
use ionet_core::{ChipId, DeviceId, Task};
use ionet_trust::record::{
    Outcome, Proofs, Record, Replay, Replayed, encode_proof, proof_hash, replay as again,
};
use ionet_trust::{ROUNDS_MAX, memory::PASSES_MAX, proving_key};

/// What is computed in a fraction of a second: bounds of a record's own reader are larger.
const SIDE_MAX: u32 = 128;
const OPENINGS_MAX: u16 = 16;
const TASKS_MAX: usize = 64;

/// One byte, the length of a record in two, the record, the rest proofs. If the first byte is odd
/// the record names whatever proofs lie beside it, as one who wrote both would: so that damaged
/// proofs are looked at.
///
/// The honest trial agrees with itself. In any other, an agreeing outcome is the one that the
/// record says; and as long as everything is as it was anchored, nobody has proven more than in
/// the honest one, nor by another proof.
pub(crate) fn replay(bytes: &[u8]) {
    let Some((&[names, low, high], rest)) = bytes.split_first_chunk::<3>() else { return };
    let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
    let (first, second) = rest.split_at(length);
    let (Ok(mut record), Ok(proofs)) = (Record::decode(first), Proofs::new(second)) else { return };
    if !is_quick(&record) {
        return;
    }
    if names & 1 == 1 {
        name(&mut record, &proofs);
    }
    let found = again(&record, |device, task| proofs.get(device, task).map(<[u8]>::to_vec));
    let honest = &*TRIAL;
    if record == honest.record && second == honest.proofs {
        assert_eq!(found.disagreements, []);
    }
    let tasks: usize = record.entries.iter().map(|entry| entry.answers.len()).sum();
    assert!(found.tasks.len() <= tasks);
    if found.disagreements.is_empty() {
        assert_eq!(found.tasks.len(), tasks);
    }
    let same = record.entries_root() == honest.record.entries_root()
        && (record.late, record.genesis) == (honest.record.late, honest.record.genesis);
    for task in &found.tasks {
        agrees(&record, &found, task);
        let proven = matches!(task.outcome, Outcome::Proven(_));
        if same && proven {
            assert_eq!(outcome(&honest.record, task.chip, task.number), task.outcome);
        }
    }
}

fn is_quick(record: &Record) -> bool {
    let small = |task: &Task| match *task {
        Task::Multiply { side, openings, .. } => side <= SIDE_MAX && openings <= OPENINGS_MAX,
        Task::Stream { openings, .. } => openings <= OPENINGS_MAX,
    };
    let all = || record.assignments.iter().flatten();
    all().all(small) && all().count() <= TASKS_MAX && record.entries.len() <= TASKS_MAX
}

fn name(record: &mut Record, proofs: &Proofs<'_>) {
    for entry in &mut record.entries {
        let key = proving_key(entry.chip);
        for (task, answer) in entry.answers.iter_mut().enumerate() {
            let beside = proofs.get(&key, task).filter(|_| answer.proof.is_some());
            answer.proof = beside.map(proof_hash).or(answer.proof);
        }
    }
}

fn outcome(record: &Record, chip: ChipId, task: usize) -> Outcome {
    let entry = record.entries.iter().find(|entry| entry.chip == chip);
    entry.expect("a chip of the record").answers[task].outcome
}

fn agrees(record: &Record, found: &Replay, task: &Replayed) {
    if found.disagreements.is_empty() {
        assert_eq!(outcome(record, task.chip, task.number), task.outcome);
    }
    match task.outcome {
        Outcome::Proven(rounds) => {
            let most = match task.task {
                Task::Multiply { .. } => ROUNDS_MAX,
                Task::Stream { .. } => PASSES_MAX,
            };
            assert!((1..=most).contains(&rounds));
        }
        _ => assert_eq!((task.rate, task.rate_by_slots), (0, 0), "a rate of nothing"),
    }
}

fn joined(names: u8, record: &[u8], proofs: &[u8]) -> Vec<u8> {
    let length = (record.len() as u16).to_le_bytes();
    [&[names], &length[..], record, proofs].concat()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let honest = &*TRIAL;
    // One device with one task is quicker to mutate than all of them.
    let mut one = honest.record.clone();
    let device = DeviceId([3; 32]);
    one.entries.retain(|entry| entry.chip.device == device);
    let proofs = Proofs::new(&honest.proofs).expect("an honest file");
    let proof = proofs.get(&device, 0).expect("an honest proof");
    let proof = encode_proof(&device, 0, proof);
    vec![
        joined(0, &honest.bytes, &honest.proofs),
        joined(1, &honest.bytes, &honest.proofs),
        joined(1, &one.encode(), &proof),
    ]
}
