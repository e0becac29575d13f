//! Proofs of products and of passes over memory: decoding, and checking what decodes.

use super::tagged;
use crate::heap::bounded;
use crate::honest::{self, DEVICE, OPENINGS, PASSES, Proven, START, challenge, shape};
use ionet_trust::memory::{self, Memory, PASSES_MAX, Trail, Verifier};
use ionet_trust::{Chain, Entries, Hour, Proof, ROUNDS_MAX, Seed, Shape, shared_seed};
use std::sync::LazyLock;

/// Rounds of the honest proof: more than are opened, so that some roots are bound by the commitment
/// alone.
const ROUNDS: u32 = 8;

struct Products {
    hour: Hour,
    honest: Proven,
    b: Vec<i8>,
}

static PRODUCTS: LazyLock<Products> = LazyLock::new(|| {
    let shape = shape(Entries::Byte);
    let hour = Hour::new(shape, START, challenge(), OPENINGS.into());
    let honest = honest::rounds(&hour, START, DEVICE, ROUNDS);
    Products { hour, honest, b: shared_seed(&START, shape).matrix(shape) }
});

/// Shapes and openings that are asked for; the first has an honest proof.
fn asked(tag: u8) -> (Shape, usize) {
    let of = |side, width| Shape::new(Entries::Nibble, side, width).expect("powers of two");
    match tag {
        0 => (shape(Entries::Byte), OPENINGS.into()),
        1 => (of(64, 1), 1),
        2 => (of(1 << 16, 1024), 2),
        3 => (of(64, 64), usize::from(u16::MAX)),
        _ => (of(128, 32), usize::from(tag) % 8),
    }
}

/// One byte for what was asked, then a proof. What decodes is written as it came; of what is asked
/// about the honest device's commitment, its own proof alone holds; and with a commitment made to
/// fit, whatever holds are true products.
pub(crate) fn products(bytes: &[u8]) {
    let Some((tag, bytes)) = bytes.split_first() else { return };
    let (shape, openings) = asked(*tag);
    let decoded = bounded(bytes.len(), 4, 1 << 10, || Proof::decode(shape, openings, bytes));
    let Ok(proof) = decoded else { return };
    assert_eq!(proof.encode(), bytes, "two encodings of one proof");
    assert!((1..=ROUNDS_MAX as usize).contains(&proof.roots.len()));
    assert_eq!(proof.opened.len(), openings);
    if *tag != 0 {
        return;
    }
    let Products { hour, honest, b } = &*PRODUCTS;
    let verdict = hour.verify(DEVICE, &honest.commitment, &proof);
    assert_eq!(verdict.is_ok(), bytes == honest.bytes, "{verdict:?}");
    assert!(verdict.is_err() || verdict == Ok(ROUNDS));
    let rounds = proof.roots.len() as u32;
    let chain = Chain::with_roots(shape, START, DEVICE, proof.roots.clone()).expect("few rounds");
    let Ok(shown) = hour.verify(DEVICE, &chain.commitment(), &proof) else { return };
    assert_eq!(shown, rounds);
    for (asked, opened) in hour.asks(DEVICE, rounds).iter().zip(&proof.opened) {
        let seed = chain.seed(asked.round).expect("one of its rounds");
        let columns = asked.place.segment * shape.width();
        assert_eq!(opened.values, product(shape, &seed, b, asked.place.row, columns));
    }
}

/// A leaf by plain multiplication.
fn product(shape: Shape, seed: &Seed, b: &[i8], row: usize, columns: usize) -> Vec<i32> {
    let mut a = vec![0; shape.side()];
    seed.row(shape, row, &mut a);
    let entry = |column| {
        let pairs = a.iter().enumerate();
        pairs.map(|(k, a)| i32::from(*a) * i32::from(b[k * shape.side() + column])).sum()
    };
    (columns..columns + shape.width()).map(entry).collect()
}

pub(crate) fn product_seeds() -> Vec<Vec<u8>> {
    let small = honest::rounds(&PRODUCTS.hour, START, DEVICE, 1);
    let none = vec![0; 3 + 32 + 4 + 32 * 12];
    // As many roots as there may be, and one more.
    let most = |rounds: u32| {
        [&[1, rounds as u8, (rounds >> 8) as u8][..], &vec![5; rounds as usize * 32]].concat()
    };
    tagged([
        (0, PRODUCTS.honest.bytes.clone()),
        (0, small.bytes),
        (8, most(ROUNDS_MAX)),
        (8, most(ROUNDS_MAX + 1)),
        (1, [&[1, 1, 0][..], &none[3..]].concat()),
        (3, vec![1, 0xff, 1]),
    ])
}

struct Passes {
    verifier: Verifier,
    honest: Proven,
}

static PASSES_OVER: LazyLock<Passes> = LazyLock::new(|| Passes {
    verifier: Verifier::new(honest::memory(), START, challenge(), OPENINGS.into()),
    honest: honest::passes(&challenge(), START, DEVICE, 0),
});

/// One byte for the size, then a proof: the same for passes over memory.
pub(crate) fn memory(bytes: &[u8]) {
    let Some((tag, bytes)) = bytes.split_first() else { return };
    let (memory, openings) = match tag {
        0 => (honest::memory(), usize::from(OPENINGS)),
        1 => (Memory::new(1 << 40).expect("a tebibyte"), 1),
        2 => (Memory::new(15 << 12).expect("fifteen steps"), usize::from(u16::MAX)),
        _ => (Memory::new(1 << 16).expect("a power of two"), usize::from(*tag) % 4),
    };
    let decode = || memory::Proof::decode(memory, openings, bytes);
    let Ok(proof) = bounded(bytes.len(), 4, 1 << 10, decode) else { return };
    assert_eq!(proof.encode(), bytes, "two encodings of one proof");
    assert!((2..=PASSES_MAX as usize + 1).contains(&proof.roots.len()));
    assert_eq!(proof.opened.len(), openings);
    if *tag != 0 {
        return;
    }
    let Passes { verifier, honest } = &*PASSES_OVER;
    let verdict = verifier.verify(DEVICE, 0, &honest.commitment, &proof);
    assert_eq!(verdict.is_ok(), bytes == honest.bytes, "{verdict:?}");
    assert!(verdict.is_err() || verdict == Ok(PASSES));
    // Roots of its own choice: what it shows still is under them.
    let mut trail = Trail::new(memory, START, DEVICE, 0);
    let fits = proof.roots.iter().all(|root| trail.push(*root));
    assert!(fits, "a proof has no more roots than a trail");
    if let Ok(passes) = verifier.verify(DEVICE, 0, &trail.commitment(), &proof) {
        assert_eq!(passes as usize + 1, proof.roots.len());
    }
}

pub(crate) fn memory_seeds() -> Vec<Vec<u8>> {
    let most =
        |passes: u32| [&[1, passes as u8, 0][..], &vec![5; (passes as usize + 1) * 32]].concat();
    tagged([
        (0, PASSES_OVER.honest.bytes.clone()),
        (4, most(PASSES_MAX)),
        (4, most(PASSES_MAX + 1)),
        (1, vec![1, 1, 0]),
        (3, [&[1, 2, 0][..], &[7; 3 * 32]].concat()),
    ])
}
