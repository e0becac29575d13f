//! Honest devices pass; each way to be wrong has its own rejection.

use super::*;
use crate::{Beacon, Challenge, Commitment, Secret};
use ionet_core::DeviceId;
use proptest::prelude::*;
use std::collections::BTreeSet;

const BEACON: Beacon = Beacon([1; 32]);
const DEVICE: DeviceId = DeviceId([3; 32]);
const OPENINGS: usize = 24;

fn memory(pages: u64) -> Memory {
    Memory::new(pages * PAGE_BYTES as u64).unwrap()
}

fn challenge() -> Challenge {
    let secret = Secret([4; 32]);
    Challenge::new(&BEACON, &Beacon([5; 32]), &secret, &secret.precommitment()).unwrap()
}

fn verifier(memory: Memory) -> Verifier {
    Verifier::new(memory, BEACON, challenge(), OPENINGS)
}

/// A device of so many pages and passes, damaged by `harm` before each pass.
fn device(pages: u64, passes: u32, harm: impl Fn(&mut Plain)) -> Plain {
    let mut plain = Plain::start(memory(pages), BEACON, DEVICE, 2);
    for _ in 0..passes {
        harm(&mut plain);
        assert!(plain.pass());
    }
    plain
}

fn proof(plain: Plain) -> (Commitment, Proof) {
    let asked = plain.trail().openings(&challenge(), OPENINGS);
    (plain.commitment(), plain.open(&asked))
}

fn honest() -> (Commitment, Proof) {
    proof(device(192, 3, |_| ()))
}

fn judge(commitment: &Commitment, proof: &Proof) -> Result<u32, Rejection> {
    verifier(memory(192)).verify(DEVICE, 2, commitment, proof)
}

#[test]
fn passes_over_any_size_are_proven() {
    for pages in [64, 72, 192, 208, 240, 256] {
        for passes in [1, 2, 5] {
            let (commitment, proof) = proof(device(pages, passes, |_| ()));
            let bytes = proof.encode();
            assert_eq!(bytes.len(), length(memory(pages), passes as usize, OPENINGS));
            let read = Proof::decode(memory(pages), OPENINGS, &bytes).unwrap();
            assert_eq!(read, proof);
            let found = verifier(memory(pages)).verify(DEVICE, 2, &commitment, &read);
            assert_eq!(found, Ok(passes), "{pages} pages");
        }
    }
}

#[test]
fn a_proof_is_of_one_device_task_beacon_and_size() {
    let (commitment, proof) = honest();
    assert_eq!(judge(&commitment, &proof), Ok(3));
    let wrong = Err(Rejection::Commitment);
    let mine = verifier(memory(192));
    assert_eq!(mine.verify(DeviceId([4; 32]), 2, &commitment, &proof), wrong);
    assert_eq!(mine.verify(DEVICE, 1, &commitment, &proof), wrong);
    let other = Verifier::new(memory(192), Beacon([2; 32]), challenge(), OPENINGS);
    assert_eq!(other.verify(DEVICE, 2, &commitment, &proof), wrong);
    assert_eq!(verifier(memory(208)).verify(DEVICE, 2, &commitment, &proof), wrong);
    let mut fewer = proof;
    fewer.roots.pop();
    assert_eq!(judge(&commitment, &fewer), wrong);
}

#[test]
fn each_damage_has_its_rejection() {
    let (commitment, good) = honest();
    let damaged = |how: &dyn Fn(&mut Proof)| {
        let mut bad = good.clone();
        how(&mut bad);
        judge(&commitment, &bad).unwrap_err()
    };
    assert_eq!(damaged(&|p| p.roots.clear()), Rejection::Roots(0));
    assert_eq!(damaged(&|p| p.roots.truncate(1)), Rejection::Roots(1));
    assert_eq!(damaged(&|p| p.roots = vec![[0; 32]; 66]), Rejection::Roots(66));
    let (expected, found) = (OPENINGS, OPENINGS - 1);
    assert_eq!(damaged(&|p| p.opened.truncate(23)), Rejection::Openings { expected, found });
    assert_eq!(damaged(&|p| p.opened[4].after.truncate(3)), Rejection::Size(4));
    assert_eq!(damaged(&|p| p.opened[4].before[1].push([0; 32])), Rejection::Size(4));
    assert_eq!(damaged(&|p| p.opened[4].before[1][5][0] ^= 1), Rejection::Before(4));
    assert_eq!(damaged(&|p| p.opened[4].after[0][31] ^= 1), Rejection::After(4));
    for number in 0..OPENINGS {
        for how in [
            (|o: &mut Opened| o.before.swap(0, 1)) as fn(&mut Opened),
            |o| o.pages.swap(0, 1),
            |o| o.pages[1][127] ^= 1 << 31,
        ] {
            let found = damaged(&|p| how(&mut p.opened[number]));
            let expected = [Rejection::Before(number), Rejection::Seed(number)];
            assert!(expected.contains(&found), "{found:?}");
        }
    }
    assert!(matches!(damaged(&|p| p.opened.rotate_left(1)), Rejection::Before(_)));
}

#[test]
fn pages_that_did_not_grow_from_the_seed_are_found() {
    // Somebody's own pages, mixed well: everything fits but the first pass's.
    let mut plain = Plain::start(memory(192), BEACON, DEVICE, 2);
    plain.pages.fill([7; PAGE_WORDS]);
    plain = plain.restarted();
    plain.pass();
    let (commitment, proof) = proof(plain);
    assert_eq!(judge(&commitment, &proof), Err(Rejection::Seed(0)));
}

#[test]
fn a_quarter_of_memory_that_is_not_there_is_found() {
    // Zeros in place of what was lost: the trees are of what the device has.
    let (commitment, bad) = proof(device(192, 4, |plain| plain.pages[..48].fill([0; PAGE_WORDS])));
    let found = judge(&commitment, &bad);
    assert!(matches!(found, Err(Rejection::Before(_) | Rejection::Seed(_))), "{found:?}");
}

#[test]
fn passes_that_were_not_done_are_found() {
    let mut plain = device(192, 3, |_| ());
    plain.claim([9; 32]);
    let (commitment, proof) = proof(plain);
    assert!(matches!(judge(&commitment, &proof), Err(Rejection::After(_))));
}

#[test]
fn a_trail_has_an_end() {
    let mut trail = Trail::new(memory(64), BEACON, DEVICE, 0);
    assert_eq!(trail.pass(0), None);
    assert_eq!(trail.pass(1), None, "the first root is not known");
    assert!(trail.openings(&challenge(), 9).is_empty());
    while trail.push([1; 32]) {}
    assert_eq!(trail.passes(), PASSES_MAX);
}

#[test]
fn sizes_have_few_steps() {
    let page = PAGE_BYTES as u64;
    for pages in [0, 1, 63, PAGES_MAX + 1, u64::MAX / page] {
        assert_eq!(Memory::new(pages * page), Err(SizeError::Bytes(pages * page)));
    }
    assert_eq!(Memory::new(64 * page + 1), Err(SizeError::Bytes(64 * page + 1)));
    assert_eq!(Memory::new(17 * 64 * page), Err(SizeError::Steps(17 * 64)));
    assert_eq!(Memory::within(63 * page), None);
    let gib = 1 << 30;
    assert_eq!(Memory::within(23 * gib).map(Memory::bytes), Some(22 * gib));
    assert_eq!(Memory::within(u64::MAX).map(Memory::pages), Some(PAGES_MAX as usize));
    assert_eq!(rate(memory(64), 3, 2), Some(2 * 64 * 512 * 3 * 500_000));
    assert_eq!(rate(memory(64), 3, 0), None);
    assert!(length(Memory::new(64 * gib).unwrap(), 64, 16) < 64_000);
}

#[test]
fn a_page_is_made_of_twice_as_many_before() {
    let size = memory(1 << 16);
    let mut trail = Trail::new(size, BEACON, DEVICE, 0);
    (0..9u8).for_each(|root| assert!(trail.push([root; 32])));
    for start in 0..8 {
        let mut cone = BTreeSet::from([start]);
        for pass in (1..=8).rev() {
            let (pairing, _) = trail.pass(pass).unwrap();
            let partner = |place: u32| pairing.place(pairing.leaf(place) ^ 1);
            cone = cone.iter().flat_map(|place| [*place, partner(*place)]).collect();
        }
        assert!(cone.len() > 250, "{} of 256", cone.len());
    }
}

proptest! {
    #[test]
    fn a_pairing_reaches_every_place_once(steps in 1..=15u64, bits in 6..9u32, seed: [u8; 32]) {
        let pages = steps << bits;
        let pairing = Pairing::new(memory(pages), &crate::Seed(seed));
        let mut seen = vec![false; pages as usize];
        for leaf in 0..pages as u32 {
            let place = pairing.place(leaf);
            prop_assert_eq!(pairing.leaf(place), leaf);
            prop_assert!(!std::mem::replace(&mut seen[place as usize], true));
        }
    }

    #[test]
    fn mixing_is_undone(key: [u32; 16], number: u32, x: [u32; 8], y: [u32; 8]) {
        let (x, y): (Page, Page) =
            (std::array::from_fn(|n| x[n % 8]), std::array::from_fn(|n| y[n % 8]));
        let (mut first, mut second) = (x, y);
        mix(&key, number, &mut first, &mut second);
        prop_assert!(first != x && second != y);
        unmix(&key, number, &mut first, &mut second);
        prop_assert_eq!((first, second), (x, y));
    }

    #[test]
    fn one_bit_changes_both_pages(word in 0..112usize, bit in 0..32u32, side in 0..2usize) {
        let page: Page = std::array::from_fn(|n| (n as u32).wrapping_mul(0x9e37_79b9));
        let mixed = |pages: [Page; 2]| {
            let [mut first, mut second] = pages;
            mix(&[5; 16], 1, &mut first, &mut second);
            [first, second]
        };
        let base = mixed([page, page]);
        let mut other = [page, page];
        other[side][word] ^= 1 << bit;
        for (base, other) in base.iter().zip(&mixed(other)) {
            let differ = base[word / 16 * 16 + 16..].iter().zip(&other[word / 16 * 16 + 16..]);
            let bits: u32 = differ.map(|(a, b)| (a ^ b).count_ones()).sum();
            prop_assert!(bits > 100, "{bits} bits of the blocks after it");
        }
    }

    #[test]
    fn bytes_are_one_proof_or_none(
        mut bytes in prop::collection::vec(any::<u8>(), 0..6_000),
        cut in 0..4usize,
    ) {
        let size = memory(64);
        if let Ok(proof) = Proof::decode(size, 2, &bytes) {
            prop_assert_eq!(proof.encode(), &bytes[..]);
        }
        let whole = length(size, 1, 2);
        bytes.resize(whole, 7);
        bytes[..3].copy_from_slice(&[VERSION, 1, 0]);
        let proof = Proof::decode(size, 2, &bytes).unwrap();
        prop_assert_eq!(proof.encode(), &bytes[..]);
        bytes.resize(whole + 2 - cut, 0);
        let found = bytes.len();
        if found != whole {
            let wrong = ProofError::Length { expected: whole, found };
            prop_assert_eq!(Proof::decode(size, 2, &bytes), Err(wrong));
        }
    }
}

#[test]
fn what_the_head_says_is_checked() {
    let decode = |bytes: &[u8]| Proof::decode(memory(64), 1, bytes);
    assert_eq!(decode(&[]), Err(ProofError::Short(0)));
    assert_eq!(decode(&[9, 1, 0]), Err(ProofError::Version(9)));
    assert_eq!(decode(&[1, 0, 0]), Err(ProofError::Passes(0)));
    assert_eq!(decode(&[1, 65, 0]), Err(ProofError::Passes(65)));
    let expected = length(memory(64), 1, 1);
    assert_eq!(decode(&[1, 1, 0]), Err(ProofError::Length { expected, found: 3 }));
}
