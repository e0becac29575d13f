//! A trial's record, its file of proofs, and promises on the chain: decoding alone.

use crate::heap::bounded;
use crate::honest::{TRIAL, device};
use ionet_core::{TASKS_MAX, TrialId};
use ionet_trust::record::{
    Answer, ENTRIES_MAX, Entry, Lane, Outcome, PROOF_BYTES_MAX, Proofs, Record, anchor_text,
    encode_proof, promise_in, promise_text,
};

/// A record has one form, and everything in it is within its bounds.
pub(crate) fn record(bytes: &[u8]) {
    // An answer of one byte is a hundred in memory.
    let decoded = bounded(bytes.len(), 32, 8 << 10, || Record::decode(bytes));
    let Ok(record) = decoded else { return };
    assert_eq!(record.encode(), bytes, "two encodings of one record");
    assert!((1..=TASKS_MAX).contains(&record.starts.len()));
    assert!(record.entries.len() <= ENTRIES_MAX);
    assert!(record.entries.is_sorted_by(|a, b| a.chip < b.chip), "a chip stands twice");
    let longest = record.starts.len();
    assert!(record.assignments.iter().all(|tasks| (1..=longest).contains(&tasks.len())));
    for Entry { assignment, answers, .. } in &record.entries {
        assert_eq!(answers.len(), record.assignments[usize::from(*assignment)].len());
        assert!(answers.iter().all(is_shown));
    }
    // Whoever shows its place does so from what was decoded.
    let tree = record.entries_tree();
    assert_eq!(tree.root(), record.entries_root());
}

/// Whoever proved or was found wrong had committed to something and showed it.
fn is_shown(answer: &Answer) -> bool {
    let (has, shown) = (answer.committed.is_some(), answer.proof.is_some());
    match answer.outcome {
        Outcome::Proven(_) | Outcome::Rejected => has && shown,
        Outcome::Late | Outcome::Withheld => has && !shown,
        Outcome::Silent | Outcome::Declined => !shown,
    }
}

pub(crate) fn record_seeds() -> Vec<Vec<u8>> {
    let mut joining = TRIAL.record.clone();
    (joining.lane, joining.period_ms) = (Lane::Joining, 0);
    joining.starts.truncate(1);
    joining.assignments.remove(0);
    joining.entries.retain(|entry| entry.assignment == 1);
    joining.entries.iter_mut().for_each(|entry| entry.assignment = 0);
    let mut empty = joining.clone();
    empty.entries.clear();
    vec![TRIAL.bytes.clone(), joining.encode(), empty.encode()]
}

/// Every proof of a file is found again, and nothing else is in it.
pub(crate) fn proofs(bytes: &[u8]) {
    let decoded = bounded(bytes.len(), 32, 8 << 10, || Proofs::new(bytes));
    let Ok(proofs) = decoded else { return };
    assert_eq!(proofs.is_empty(), bytes.is_empty());
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        // The form is simple enough to be read twice.
        let device = ionet_core::DeviceId(*bytes[at..].first_chunk().expect("a heading"));
        let task = bytes[at + 32];
        let found = proofs.get(&device, task.into()).expect("a proof that is in the file");
        assert!(found.len() <= PROOF_BYTES_MAX);
        let entry = encode_proof(&device, task, found);
        assert_eq!(bytes[at..at + entry.len()], entry);
        (at, count) = (at + entry.len(), count + 1);
    }
    assert_eq!(proofs.len(), count);
}

pub(crate) fn proofs_seeds() -> Vec<Vec<u8>> {
    let two = [encode_proof(&device(2), 0, b"bb"), encode_proof(&device(1), 1, b"")].concat();
    let tasks = [encode_proof(&device(1), 1, b"bb"), encode_proof(&device(1), 0, b"")].concat();
    vec![Vec::new(), two, tasks]
}

/// A promise is of one lane, and is in the words in which it would be written.
pub(crate) fn promise(bytes: &[u8]) {
    let Some(text) = super::as_text(bytes) else { return };
    let [period, joining] = [Lane::Period, Lane::Joining].map(|lane| {
        let found = bounded(text.len(), 64, 1 << 10, || promise_in(text, lane));
        found.map(|promise| (lane, promise))
    });
    assert!(period.is_none() || joining.is_none(), "one promise for two lanes");
    let Some((lane, promise)) = period.or(joining) else { return };
    let alone = promise_text(lane, &promise);
    if text != alone {
        let next = alone.rsplit(' ').next().expect("a hash");
        assert!(text.contains(&format!(" {} ", lane.name())) && text.contains(next), "{text}");
    }
}

pub(crate) fn promise_seeds() -> Vec<Vec<u8>> {
    let record = &TRIAL.record;
    let root = record.entries_root();
    let anchor = |lane| anchor_text(lane, TrialId(5), &root, &record.promised, &record.previous);
    let texts = [
        promise_text(Lane::Period, &record.promised),
        promise_text(Lane::Joining, &record.promised),
        anchor(Lane::Period),
        anchor(Lane::Joining),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}
