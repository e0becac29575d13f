//! Matrices and numbers from a seed: a stream cipher, so that a verifier reads any row without
//! those before it, and no entry follows from others by algebra.
//!
//! ChaCha with eight rounds: the best published attack reaches seven, and here a shortcut would
//! have to relate *products* of the stream. Row `i` of a matrix with `n` columns is the stream's
//! bytes from `i x n` on, one byte an entry.

use crate::field::{Element, P};
use crate::shape::Shape;
use chacha20::ChaCha8;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};

/// 32 bytes from which a stream grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    fn stream(&self, at: u64) -> ChaCha8 {
        let mut stream = ChaCha8::new((&self.0).into(), &Default::default());
        // A matrix has at most 2^32 bytes, far below the stream's 2^38.
        stream.seek(at);
        stream
    }

    /// The first bytes of the stream with this number: its nonce.
    pub(crate) fn stream_of(&self, number: u32, into: &mut [u8]) {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&number.to_le_bytes());
        into.fill(0);
        ChaCha8::new((&self.0).into(), (&nonce).into()).apply_keystream(into);
    }

    /// The first words of the stream.
    pub(crate) fn words<const N: usize>(&self) -> [u32; N] {
        let mut stream = self.stream(0);
        std::array::from_fn(|_| {
            let mut word = [0; 4];
            stream.apply_keystream(&mut word);
            u32::from_le_bytes(word)
        })
    }

    /// Row `row` of the matrix of `shape` that grows from this seed. `into` is a row long.
    pub fn row(&self, shape: Shape, row: usize, into: &mut [i8]) {
        assert!(row < shape.side() && into.len() == shape.side());
        let mut bytes = [0; BLOCK];
        let mut stream = self.stream((row * shape.side()) as u64);
        for chunk in into.chunks_mut(BLOCK) {
            let bytes = &mut bytes[..chunk.len()];
            bytes.fill(0);
            stream.apply_keystream(bytes);
            for (entry, byte) in chunk.iter_mut().zip(bytes) {
                *entry = shape.entries().entry(*byte);
            }
        }
    }

    /// The whole matrix, row by row.
    pub fn matrix(&self, shape: Shape) -> Vec<i8> {
        let mut all = vec![0; shape.side() * shape.side()];
        for (row, into) in all.chunks_mut(shape.side()).enumerate() {
            self.row(shape, row, into);
        }
        all
    }

    /// `count` numbers of the field, uniform: 61 bits that are no element are drawn again.
    pub fn elements(&self, count: usize) -> Vec<Element> {
        let mut words = Words::new(self);
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            found.extend(Element::new(words.draw() & P));
        }
        found
    }

    /// `count` numbers below `bound`, uniform: a word from the last, incomplete multiple of the
    /// bound is drawn again. The bound is not zero.
    pub fn indices(&self, count: usize, bound: u64) -> Vec<u64> {
        let mut words = Words::new(self);
        let whole = u64::MAX - u64::MAX % bound;
        let mut found = Vec::with_capacity(count);
        while found.len() < count {
            let word = words.draw();
            if word < whole {
                found.push(word % bound);
            }
        }
        found
    }
}

/// Bytes of the stream made at once.
const BLOCK: usize = 1024;

/// The stream as words.
struct Words(ChaCha8);

impl Words {
    fn new(seed: &Seed) -> Self {
        Self(seed.stream(0))
    }

    fn draw(&mut self) -> u64 {
        let mut word = [0; 8];
        self.0.apply_keystream(&mut word);
        u64::from_le_bytes(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Entries;

    #[test]
    fn a_row_is_the_same_alone_and_in_the_matrix() {
        for entries in [Entries::Byte, Entries::Nibble] {
            let shape = Shape::new(entries, 128, 32).unwrap();
            let seed = Seed([7; 32]);
            let all = seed.matrix(shape);
            let mut row = vec![0; 128];
            for i in [0, 1, 63, 127] {
                seed.row(shape, i, &mut row);
                assert_eq!(row, all[i * 128..(i + 1) * 128]);
            }
        }
    }

    #[test]
    fn entries_are_spread_evenly() {
        let shape = Shape::new(Entries::Nibble, 1024, 32).unwrap();
        let mut counts = [0u32; 16];
        for entry in Seed([3; 32]).matrix(shape) {
            counts[(entry + 8) as usize] += 1;
        }
        // 2^20 draws of 16 values: 65,536 each, with a deviation of 248.
        assert!(counts.iter().all(|c| c.abs_diff(65_536) < 6 * 248), "{counts:?}");
    }

    #[test]
    fn indices_stay_below_their_bound_and_reach_it() {
        let drawn = Seed([9; 32]).indices(10_000, 7);
        assert!((0..7).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| *n < 7));
        let huge = Seed([9; 32]).indices(100, u64::MAX / 2 + 2);
        assert!(huge.iter().all(|n| *n < u64::MAX / 2 + 2));
    }
}
