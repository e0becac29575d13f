use super::*;
use ionet_trust::memory::{PAGE_BYTES, Plain, Rejection, Verifier, length};
use ionet_trust::{Challenge, Secret};

const BEACON: Beacon = Beacon([1; 32]);
const DEVICE: DeviceId = DeviceId([3; 32]);

fn memory(pages: u64) -> Memory {
    Memory::new(pages * PAGE_BYTES as u64).unwrap()
}

fn challenge() -> Challenge {
    let secret = Secret([4; 32]);
    Challenge::new(&BEACON, &Beacon([5; 32]), &secret, &secret.precommitment()).unwrap()
}

fn passed(threads: usize, pages: u64, passes: u32) -> Passes<Ram> {
    let mut device = Passes::start(Ram::new(threads), memory(pages), BEACON, DEVICE, 2).unwrap();
    (0..passes).for_each(|_| assert!(device.pass().unwrap()));
    device
}

#[test]
fn any_number_of_threads_makes_the_proof_of_the_plain_device() {
    for pages in [64, 72, 208, 240, 4096] {
        let mut plain = Plain::start(memory(pages), BEACON, DEVICE, 2);
        (0..3).for_each(|_| assert!(plain.pass()));
        let asked = plain.trail().openings(&challenge(), 24);
        let commitment = plain.commitment();
        let proof = plain.open(&asked);
        for threads in [1, 2, 3, 100] {
            let device = passed(threads, pages, 3);
            assert_eq!(device.commitment(), commitment, "{pages} pages, {threads} threads");
            assert_eq!(device.open(&asked).unwrap(), proof, "{pages} pages, {threads} threads");
        }
    }
}

#[test]
fn low_trees_that_are_not_kept_are_made_again() {
    // 2^15 x 3 pages: a depth of 17, so the cut is at 4, and a quarter of all leaves are zeros.
    let size = memory(3 << 15);
    assert_eq!(cut(size), 4);
    let device = passed(2, 3 << 15, 2);
    let asked = device.trail().openings(&challenge(), 16);
    let commitment = device.commitment();
    let proof = device.open(&asked).unwrap();
    assert_eq!(proof.encode().len(), length(size, 2, 16));
    let verifier = Verifier::new(size, BEACON, challenge(), 16);
    assert_eq!(verifier.verify(DEVICE, 2, &commitment, &proof), Ok(2));
    let other = verifier.verify(DEVICE, 1, &commitment, &proof);
    assert_eq!(other, Err(Rejection::Commitment));
}

#[test]
fn the_first_and_the_last_pair_of_each_pass_are_opened() {
    let asked: Vec<_> =
        [(3, 0), (1, 0), (2, 35), (1, 35)].map(|(pass, pair)| Opening { pass, pair }).into();
    let proof = passed(2, 72, 3).open(&asked).unwrap();
    let mut plain = Plain::start(memory(72), BEACON, DEVICE, 2);
    (0..3).for_each(|_| assert!(plain.pass()));
    assert_eq!(proof, plain.open(&asked));
    assert!(passed(1, 64, 0).open(&[]).unwrap().opened.is_empty());
}

#[test]
fn pairs_that_were_never_mixed_are_not_opened() {
    for (pass, pair) in [(0, 0), (3, 0), (u32::MAX, 0), (1, 36), (1, u32::MAX)] {
        let unknown = Opening { pass, pair };
        let found = passed(1, 72, 2).open(&[Opening { pass: 1, pair: 0 }, unknown]);
        assert_eq!(found, Err(OpenPairError::Unknown(unknown)));
    }
}

#[test]
fn passes_have_an_end() {
    let mut device = passed(1, 64, PASSES_MAX);
    assert!(!device.pass().unwrap());
    assert_eq!(device.passes(), PASSES_MAX);
}
