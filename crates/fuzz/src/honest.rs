//! What honest ends send, at the smallest sizes that have everything: the seeds of the corpus, and
//! what targets compare with. All of it follows from fixed keys, so it is the same each time.

use ed25519_dalek::{Signer, SigningKey};
use ionet_core::{
    ChainRef, ChipId, DeviceId, GenesisHash, ProgramId, SignatureBytes, Task, TrialId, Units,
    Wallet,
};
use ionet_prover::{Cpu, Prover};
use ionet_trust::memory::{self, Memory, PAGE_BYTES, PAGES_MIN, Plain};
use ionet_trust::record::{
    Answer, Entry, Lane, Mark, Outcome, Question, Record, Start, encode_proof, proof_hash, shape_of,
};
use ionet_trust::{Beacon, Challenge, Commitment, Entries, Hour, Secret, Shape, proving_key};
use std::sync::LazyLock;

/// Leaves and pairs that a proof of these opens.
pub const OPENINGS: u16 = 4;
/// Passes of a proof of memory that counts.
pub const PASSES: u32 = memory::PASSES_MIN;
/// The instant of all statements, in unix seconds.
pub const NOW: i64 = 1_800_000_000;

/// The device of all single proofs.
pub const DEVICE: DeviceId = DeviceId([3; 32]);

/// A proof as its device sends it, and what it committed to before.
pub struct Proven {
    /// What it committed to.
    pub commitment: Commitment,
    /// The proof.
    pub bytes: Vec<u8>,
}

/// Products of matrices with so large entries.
pub fn shape(entries: Entries) -> Shape {
    Shape::new(entries, 64, 16).expect("the smallest side")
}

/// The least memory.
pub fn memory() -> Memory {
    Memory::new(PAGES_MIN * PAGE_BYTES as u64).expect("the least memory")
}

/// The start of the single proofs.
pub const START: Beacon = Beacon([1; 32]);

/// Their question.
pub fn challenge() -> Challenge {
    let (late, secret) = (Beacon([2; 32]), Secret([4; 32]));
    Challenge::new(&START, &late, &secret, &secret.precommitment()).expect("its own promise")
}

/// Rounds of products for any question.
pub fn rounds(hour: &Hour, beacon: Beacon, device: DeviceId, rounds: u32) -> Proven {
    let Ok(mut prover) = Prover::start(Cpu::new(1), hour.shape(), beacon, device);
    for _ in 0..rounds {
        assert_eq!(prover.round(), Ok(true));
    }
    let proof = prover.open(&hour.asks(device, rounds)).expect("its own rounds");
    Proven { commitment: prover.commitment(), bytes: proof.encode() }
}

/// Passes over [`memory`] for any question.
pub fn passes(challenge: &Challenge, beacon: Beacon, device: DeviceId, task: u8) -> Proven {
    let mut plain = Plain::start(memory(), beacon, device, task);
    for _ in 0..PASSES {
        assert!(plain.pass());
    }
    let commitment = plain.commitment();
    let asked = plain.trail().openings(challenge, OPENINGS.into());
    Proven { commitment, bytes: plain.open(&asked).encode() }
}

/// A trial's record and its proofs.
pub struct Trial {
    /// The record.
    pub record: Record,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The bytes of its proofs' file.
    pub proofs: Vec<u8>,
}

/// Three tasks of a chip, and the first of them for a processor.
fn assignments() -> Vec<Vec<Task>> {
    let multiply =
        |units| Task::Multiply { units, side: 64, width: 16, openings: OPENINGS, time_ms: 1_000 };
    let stream = Task::Stream { bytes: memory().bytes(), openings: OPENINGS, time_ms: 1_000 };
    let all = vec![multiply(Units::Integer), multiply(Units::Matrix), stream];
    vec![all.clone(), all[..1].to_vec()]
}

fn empty_record() -> Record {
    let secret = Secret([9; 32]);
    let mark = |slot: u64| Mark { slot, hash: [slot as u8; 32] };
    let start = |n: u64| Start { mark: mark(20 + n), at_us: n * 2_000_000 };
    Record {
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
        starts: (0..3).map(start).collect(),
        anchor_slot: 25,
        anchor: [7; 64],
        late: mark(26),
        started_ms: 1_700_000_000_000,
        grace_us: 500_000,
        assignments: assignments(),
        entries: vec![],
    }
}

/// A device of the trial. One byte is all that two of them differ by: a mutation that makes one of
/// the other is near.
pub fn device(n: u8) -> DeviceId {
    let mut key = [0; 32];
    key[31] = n;
    DeviceId(key)
}

/// What a device of the trial does about one task.
fn answer(record: &Record, device: DeviceId, number: usize, task: &Task) -> (Answer, Vec<u8>) {
    let challenge = record.challenge().expect("its own promise");
    let beacon = record.beacon(number).expect("a start of each task");
    let mut proven = match shape_of(task) {
        Some(shape) => {
            let shape = shape.expect("a shape");
            let hour = Hour::new(shape, beacon, challenge, OPENINGS.into());
            rounds(&hour, beacon, device, 1 + number as u32)
        }
        None => passes(&challenge, beacon, device, number as u8),
    };
    // The second device's last proof is damaged.
    if device == self::device(2) && number == 2 {
        proven.bytes[40] ^= 1;
    }
    let question = Question::new(task, beacon, challenge).expect("a task");
    let outcome = question.outcome(device, number as u8, &proven.commitment, &proven.bytes);
    let committed = Some((proven.commitment, 900_000));
    (Answer { committed, outcome, proof: Some(proof_hash(&proven.bytes)) }, proven.bytes)
}

/// An honest device, one with a damaged proof, and of those with one task one of each manner:
/// honest, late, silent, declined, withheld.
pub static TRIAL: LazyLock<Trial> = LazyLock::new(|| {
    let mut record = empty_record();
    let mut proofs = Vec::new();
    for n in 1..=7u8 {
        // The fourth device has two chips.
        let chip = match n {
            5 => ChipId { device: DeviceId([4; 32]), number: 1 },
            _ => DeviceId([n; 32]).into(),
        };
        let device = proving_key(chip);
        let assignment = u8::from(n > 2);
        let mut answers = Vec::new();
        let tasks = record.assignments[usize::from(assignment)].clone();
        for (number, task) in tasks.iter().enumerate() {
            let (mut answer, proof) = answer(&record, device, number, task);
            let committed = answer.committed;
            let without = |committed, outcome| Answer { committed, outcome, proof: None };
            match n {
                4 => {
                    let late = committed.map(|(hash, _)| (hash, 1_500_001));
                    answer = without(late, Outcome::Late);
                }
                5 => answer = without(None, Outcome::Silent),
                6 => answer = without(None, Outcome::Declined),
                7 => answer = without(committed, Outcome::Withheld),
                _ => proofs.extend(encode_proof(&device, number as u8, &proof)),
            }
            answers.push(answer);
        }
        record.entries.push(Entry { chip, assignment, answers });
    }
    Trial { bytes: record.encode(), record, proofs }
});

/// The chain of all statements.
pub const CHAIN: ChainRef = ChainRef { genesis: GenesisHash([1; 32]), program: ProgramId([2; 32]) };

/// Somebody's key.
pub fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

/// Its wallet.
pub fn wallet(n: u8) -> Wallet {
    Wallet(key(n).verifying_key().to_bytes())
}

/// Its signature.
pub fn sign(n: u8, message: &[u8]) -> SignatureBytes {
    SignatureBytes(key(n).sign(message).to_bytes())
}
