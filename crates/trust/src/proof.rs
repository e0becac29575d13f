//! What a device sends after the deadline, as bytes.
//!
//! `version u8 || rounds u16 || roots || (entries i32 || path) for each opening`, little-endian.
//! Which leaves are opened is not said: the verifier knows. So the length follows from shape,
//! rounds and openings, every byte string of that length means exactly one proof, and no proof
//! has two encodings.

use crate::chain::ROUNDS_MAX;
use crate::hash::Hash;
use crate::shape::Shape;

/// A leaf with its way to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The leaf's entries of C.
    pub values: Vec<i32>,
    /// The hashes beside its way to the root.
    pub path: Vec<Hash>,
}

/// The roots of all rounds, and the leaves that were asked for, in the order of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Of each round.
    pub roots: Vec<Hash>,
    /// Leaf by leaf.
    pub opened: Vec<Opened>,
}

/// The first byte of every proof.
pub const VERSION: u8 = 1;
const HEAD: usize = 3;

/// Why bytes are no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It ends before its number of rounds.
    #[error("{0} bytes are no proof")]
    Short(usize),
    /// Another version.
    #[error("version {0} of proofs is not known here")]
    Version(u8),
    /// None, or more than [`ROUNDS_MAX`].
    #[error("{0} rounds are not between 1 and {ROUNDS_MAX}")]
    Rounds(u16),
    /// Another length than its shape, rounds and openings have.
    #[error("a proof of this shape and these rounds has {expected} bytes, not {found}")]
    Length {
        /// What it should have.
        expected: usize,
        /// What it has.
        found: usize,
    },
}

/// Bytes of a proof.
pub const fn length(shape: Shape, rounds: usize, openings: usize) -> usize {
    HEAD + rounds * 32 + openings * (shape.width() * 4 + shape.depth() * 32)
}

impl Proof {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend((self.roots.len() as u16).to_le_bytes());
        bytes.extend(self.roots.iter().flatten());
        for opened in &self.opened {
            bytes.extend(opened.values.iter().flat_map(|v| v.to_le_bytes()));
            bytes.extend(opened.path.iter().flatten());
        }
        bytes
    }

    /// From bytes, of a device that was asked for `openings` leaves of rounds of `shape`.
    pub fn decode(shape: Shape, openings: usize, bytes: &[u8]) -> Result<Self, ProofError> {
        let Some((head, body)) = bytes.split_first_chunk::<HEAD>() else {
            return Err(ProofError::Short(bytes.len()));
        };
        if head[0] != VERSION {
            return Err(ProofError::Version(head[0]));
        }
        let rounds = u16::from_le_bytes([head[1], head[2]]);
        if rounds == 0 || u32::from(rounds) > ROUNDS_MAX {
            return Err(ProofError::Rounds(rounds));
        }
        let expected = length(shape, rounds.into(), openings);
        if bytes.len() != expected {
            return Err(ProofError::Length { expected, found: bytes.len() });
        }
        let (roots, leaves) = body.split_at(usize::from(rounds) * 32);
        let each = shape.width() * 4 + shape.depth() * 32;
        let opened = leaves.chunks_exact(each).map(|leaf| {
            let (values, path) = leaf.split_at(shape.width() * 4);
            Opened { values: words(values), path: hashes(path) }
        });
        Ok(Self { roots: hashes(roots), opened: opened.collect() })
    }
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.to_vec()
}

fn words(bytes: &[u8]) -> Vec<i32> {
    bytes.as_chunks::<4>().0.iter().map(|word| i32::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Entries;
    use proptest::prelude::*;

    fn shape() -> Shape {
        Shape::new(Entries::Byte, 64, 16).unwrap()
    }

    proptest! {
        #[test]
        fn bytes_are_one_proof_or_none(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            if let Ok(proof) = Proof::decode(shape(), 2, &bytes) {
                prop_assert_eq!(proof.encode(), bytes);
            }
        }

        #[test]
        fn a_proof_is_read_as_it_was_written(
            rounds in 1..=ROUNDS_MAX as usize,
            fill in any::<u8>(),
            cut in 1..100usize,
        ) {
            let leaf = Opened { values: vec![i32::from(fill); 16], path: vec![[fill; 32]; 8] };
            let proof = Proof { roots: vec![[fill; 32]; rounds], opened: vec![leaf; 2] };
            let mut bytes = proof.encode();
            prop_assert_eq!(bytes.len(), length(shape(), rounds, 2));
            prop_assert_eq!(Proof::decode(shape(), 2, &bytes), Ok(proof));
            for other in [0, 1, 3] {
                prop_assert!(Proof::decode(shape(), other, &bytes).is_err());
            }
            bytes.push(0);
            prop_assert!(Proof::decode(shape(), 2, &bytes).is_err());
            bytes.truncate(bytes.len() - 1 - cut);
            prop_assert!(Proof::decode(shape(), 2, &bytes).is_err());
        }
    }

    #[test]
    fn what_the_head_says_is_checked() {
        let decode = |bytes: &[u8]| Proof::decode(shape(), 1, bytes);
        assert_eq!(decode(&[]), Err(ProofError::Short(0)));
        assert_eq!(decode(&[2, 1, 0]), Err(ProofError::Version(2)));
        assert_eq!(decode(&[1, 0, 0]), Err(ProofError::Rounds(0)));
        assert_eq!(decode(&[1, 255, 255]), Err(ProofError::Rounds(u16::MAX)));
        let expected = length(shape(), 1, 1);
        assert_eq!(decode(&[1, 1, 0]), Err(ProofError::Length { expected, found: 3 }));
    }
}
