//! A record of a real trial replays, and no byte of it can be changed unseen.

use ionet_core::{DeviceId, Task, TrialId, Units, Wallet};
use ionet_prover::{Cpu, Prover};
use ionet_trust::record::*;
use ionet_trust::{Challenge, Hour, Secret};

const GRACE_US: u32 = 500_000;
const TASK: Task =
    Task::Multiply { units: Units::Integer, side: 64, width: 16, openings: 8, time_ms: 1_000 };

type Proofs = Vec<(DeviceId, Vec<u8>)>;

/// One honest device, one late, one silent, one that declined, one with garbage.
fn trial() -> (Record, Proofs) {
    let secret = Secret([9; 32]);
    let mark = |slot: u64| Mark { slot, hash: [slot as u8; 32] };
    let mut record = Record {
        trial: TrialId(5),
        before: TrialId(2),
        lane: Lane::Period,
        genesis: [1; 32],
        coordinator: Wallet([2; 32]),
        previous: [3; 32],
        promised: secret.precommitment(),
        promise: [6; 64],
        promise_slot: 9,
        secret,
        basis: mark(10),
        period_ms: 60_000,
        starts: vec![Start { mark: mark(20), at_us: 0 }],
        anchor_slot: 25,
        anchor: [7; 64],
        late: mark(26),
        started_ms: 1_700_000_000_000,
        grace_us: GRACE_US,
        assignments: vec![vec![TASK]],
        entries: vec![],
    };
    let shape = shape_of(&TASK).unwrap().unwrap();
    let beacon = record.beacon(0).unwrap();
    let late = record.late.beacon(&record.genesis);
    let challenge = Challenge::new(&beacon, &late, &secret, &record.promised).unwrap();
    let hour = Hour::new(shape, beacon, challenge, 8);
    let question = Question::new(&TASK, beacon, challenge).unwrap();
    let mut proofs = Vec::new();
    for n in 1..=5u8 {
        let device = DeviceId([n; 32]);
        let mut prover = Prover::start(Cpu::new(1), shape, beacon, device).unwrap();
        (0..n).for_each(|_| assert!(prover.round().unwrap()));
        let commitment = prover.commitment();
        let mut bytes = prover.open(&hour.asks(device, n.into())).unwrap().encode();
        let arrived = if n == 2 { 2_000_000 } else { 900_000 + u64::from(n) };
        let answer = match n {
            3 => Answer { committed: None, outcome: Outcome::Silent, proof: None },
            4 => Answer { committed: None, outcome: Outcome::Declined, proof: None },
            2 => Answer {
                committed: Some((commitment, arrived)),
                outcome: Outcome::Late,
                proof: None,
            },
            _ => {
                if n == 5 {
                    bytes[40] ^= 1;
                }
                let outcome = question.outcome(device, 0, &commitment, &bytes);
                let proof = Some(proof_hash(&bytes));
                proofs.push((device, bytes));
                Answer { committed: Some((commitment, arrived)), outcome, proof }
            }
        };
        record.entries.push(Entry { chip: device.into(), assignment: 0, answers: vec![answer] });
    }
    (record, proofs)
}

fn again(record: &Record, proofs: &Proofs) -> Replay {
    replay(record, |device, _| proofs.iter().find(|p| p.0 == *device).map(|p| p.1.clone()))
}

#[test]
fn a_trial_replays_with_all_its_outcomes() {
    let (record, proofs) = trial();
    let found = again(&record, &proofs);
    assert_eq!(found.disagreements, vec![]);
    let outcomes: Vec<_> = found.tasks.iter().map(|t| t.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Proven(1), Outcome::Late, Outcome::Silent, Outcome::Declined, Outcome::Rejected]
    );
    // A round of 64^3 in 0.9 s, and in at least the five slots of the chain.
    assert_eq!(found.tasks[0].rate, 64u64.pow(3) * 1_000_000 / 900_001);
    assert_eq!(found.tasks[0].rate_by_slots, 64u64.pow(3) * 1_000 / (5 * SLOT_MS_MAX));
    assert!(found.wait_ms < 60_000);
    assert_eq!(found.voided, 2, "numbers 3 and 4");
    let bytes = record.encode();
    assert_eq!(Record::decode(&bytes).unwrap(), record);
}

#[test]
fn a_beacon_needs_its_block_the_secret_and_the_tasks_number() {
    let (mut record, _) = trial();
    record.starts.push(Start { at_us: 2_000_000, ..record.starts[0] });
    let beacon = record.beacon(0).unwrap();
    assert_ne!(beacon, record.starts[0].mark.beacon(&record.genesis), "seeing blocks is no lead");
    assert_ne!(Some(beacon), record.beacon(1), "of the same block");
    assert_eq!(record.beacon(2), None);
    let other = Record { secret: Secret([1; 32]), ..record.clone() };
    assert_ne!(Some(beacon), other.beacon(0));
    let other = Record { genesis: [9; 32], ..record.clone() };
    assert_ne!(Some(beacon), other.beacon(0));
    record.starts[0].mark.hash[31] ^= 1;
    assert_ne!(Some(beacon), record.beacon(0));
}

#[test]
fn what_a_coordinator_may_want_to_change_is_found() {
    let (right, proofs) = trial();
    type Change = fn(&mut Record);
    let changes: [(&str, Change); 13] = [
        ("another secret", |r| r.secret = Secret([1; 32])),
        ("another promise and secret", |r| {
            r.secret = Secret([1; 32]);
            r.promised = r.secret.precommitment();
        }),
        ("another start", |r| r.starts[0].mark.hash = [0; 32]),
        ("a first task that did not start at the start", |r| r.starts[0].at_us = 1),
        ("a start of a second task in the first one's block", |r| {
            r.starts.push(Start { at_us: 2_000_000, ..r.starts[0] });
        }),
        ("a second task that started while the first one's time ran", |r| {
            let mark = Mark { slot: 21, hash: [1; 32] };
            r.starts.push(Start { mark, at_us: 1_000 });
        }),
        ("another late block", |r| r.late.hash = [0; 32]),
        ("a basis that was known at the promise", |r| r.promise_slot = r.basis.slot),
        ("an anchor before the start", |r| r.anchor_slot = 20),
        ("a late block before the anchor", |r| r.late.slot = 25),
        ("garbage called proven", |r| r.entries[4].answers[0].outcome = Outcome::Proven(5)),
        ("more rounds than were done", |r| r.entries[0].answers[0].outcome = Outcome::Proven(2)),
        ("a late one brought in time", |r| {
            let answer = &mut r.entries[1].answers[0];
            answer.committed = answer.committed.map(|(c, _)| (c, 1));
        }),
    ];
    for (what, change) in changes {
        let mut record = right.clone();
        change(&mut record);
        assert_ne!(again(&record, &proofs).disagreements, vec![], "{what}");
        assert_ne!(record.hash(), right.hash(), "{what}");
    }
    // An honest one's proof taken away, or replaced by another's.
    let mut fewer = proofs.clone();
    fewer.remove(0);
    assert!(matches!(again(&right, &fewer).disagreements[..], [Disagreement::Missing { .. }]));
    let mut swapped = proofs.clone();
    swapped[0].1 = proofs[1].1.clone();
    assert!(matches!(again(&right, &swapped).disagreements[..], [Disagreement::Other { .. }]));
    // The anchored root binds commitments and arrivals, and the number of devices.
    let root = right.entries_root();
    for change in [
        (|r: &mut Record| r.entries[0].answers[0].committed.as_mut().unwrap().1 -= 1) as Change,
        |r| r.entries[1].answers[0].committed = None,
        |r| drop(r.entries.pop()),
        |r| r.trial = TrialId(6),
        |r| r.before = TrialId(4),
        |r| r.starts[0].mark.slot -= 1,
        |r| r.starts[0].at_us += 1,
        |r| r.started_ms += 1,
        |r| r.grace_us += 1,
        |r| r.period_ms += 1,
        |r| r.basis.slot -= 1,
        |r| r.promise[0] ^= 1,
        |r| r.promise_slot -= 1,
        |r| {
            let Task::Multiply { time_ms, .. } = &mut r.assignments[0][0] else { return };
            *time_ms += 1;
        },
    ] {
        let mut record = right.clone();
        change(&mut record);
        assert_ne!(record.entries_root(), root);
    }
}

#[test]
fn no_byte_of_a_record_changes_unseen() {
    let (record, _) = trial();
    let bytes = record.encode();
    for at in 0..bytes.len() {
        for bit in [1, 0x40, 0x80] {
            let mut other = bytes.clone();
            other[at] ^= bit;
            if let Ok(read) = Record::decode(&other) {
                assert_eq!(read.encode(), other, "two forms of one record at byte {at}");
                assert_ne!(read.hash(), record.hash());
            }
        }
        assert!(Record::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Record::decode(&longer), Err(RecordError::Trailing(1)));
    let mut unsorted = record.clone();
    unsorted.entries.swap(0, 1);
    assert_eq!(Record::decode(&unsorted.encode()), Err(RecordError::Order(1)));
    let mut twice = record;
    twice.entries[1] = twice.entries[0].clone();
    assert_eq!(Record::decode(&twice.encode()), Err(RecordError::Order(1)));
}

#[test]
fn an_outcome_without_its_evidence_is_no_record() {
    let (right, _) = trial();
    type Change = fn(&mut Answer);
    let changes: [(usize, Change); 7] = [
        (0, |a| a.proof = None),
        (0, |a| a.committed = None),
        (0, |a| a.outcome = Outcome::Proven(0)),
        (0, |a| a.outcome = Outcome::Silent),
        (1, |a| a.committed = None),
        (3, |a| a.proof = Some([1; 32])),
        (4, |a| a.proof = None),
    ];
    for (entry, change) in changes {
        let mut record = right.clone();
        change(&mut record.entries[entry].answers[0]);
        let refused = Record::decode(&record.encode());
        assert!(matches!(refused, Err(RecordError::Field(_))), "{entry}: {refused:?}");
    }
}

#[test]
fn a_task_that_opens_nothing_or_takes_all_memory_proves_nothing() {
    let (right, proofs) = trial();
    let of = |side, width, openings| Task::Multiply {
        units: Units::Integer,
        side,
        width,
        openings,
        time_ms: 1_000,
    };
    // The second needs 32 GiB for what proofs share.
    for task in [of(64, 16, 0), of(65_536, 1, 8), of(63, 16, 8), of(64, 128, 8)] {
        let mut record = right.clone();
        record.assignments = vec![vec![task]];
        let record = Record::decode(&record.encode()).unwrap();
        let found = again(&record, &proofs);
        assert_eq!(found.disagreements[0], Disagreement::Task { assignment: 0, task: 0 });
        assert!(found.tasks.iter().all(|t| t.rate == 0), "{task:?}");
    }
}

#[test]
fn promises_are_read_from_their_own_words_only() {
    let (root, last, next) = ([1; 32], [2; 32], Secret([3; 32]).precommitment());
    let anchor = anchor_text(Lane::Period, TrialId(7), &root, &next, &last);
    let alone = promise_text(Lane::Period, &next);
    for text in [&anchor, &alone] {
        assert_eq!(promise_in(text, Lane::Period), Some(next));
        assert_eq!(promise_in(text, Lane::Joining), None);
        for at in 0..text.len() {
            assert_eq!(promise_in(&text[..at], Lane::Period).filter(|p| *p == next), None);
        }
        assert_eq!(promise_in(&text.to_uppercase(), Lane::Period), None);
        assert_eq!(promise_in(&format!("{text} "), Lane::Period), None);
    }
    let digit = alone.rfind(|c: char| c.is_ascii_digit()).unwrap();
    for other in ["+", "G", "\u{e9}"] {
        let mut text = alone.clone();
        text.replace_range(digit..=digit, other);
        assert_eq!(promise_in(&text, Lane::Period), None, "{text}");
    }
}

#[test]
fn the_moment_of_a_trial_is_nobodys_choice() {
    let (basis, genesis) = (Mark { slot: 4, hash: [4; 32] }, [1; 32]);
    let wait = |secret: u8, basis: &Mark| wait_ms(&Secret([secret; 32]), basis, &genesis, 60_000);
    let other = Mark { slot: 4, hash: [5; 32] };
    assert_ne!(wait(1, &basis), wait(2, &basis));
    assert_ne!(wait(1, &basis), wait(1, &other));
    assert_eq!(wait_ms(&Secret([1; 32]), &basis, &genesis, 0), 0);
    assert!((0..100).all(|n| wait(n, &basis) < 60_000));
}
