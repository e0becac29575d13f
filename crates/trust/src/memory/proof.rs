//! What a device sends after the deadline, as bytes.
//!
//! `version u8 || passes u16 || roots, one more than passes || for each opening: first page ||
//! second page || path of the first || of the second || of both results`, little-endian. Which
//! pairs are opened is not said: the verifier knows. The length follows from memory, passes and
//! openings, and no proof has two encodings.

use super::page::{PAGE_BYTES, Page, bytes_of, page_of};
use super::size::{Memory, PASSES_MAX};
use crate::hash::Hash;

/// A pair before its pass, and where it and its results stand in their trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The two pages before the pass.
    pub pages: [Page; 2],
    /// Their paths to the root of the pass before.
    pub before: [Vec<Hash>; 2],
    /// The path of the node above both results to the root of the pass.
    pub after: Vec<Hash>,
}

/// All roots, and the pairs that were asked for, in the order of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Of the pages as they grew, then of each pass.
    pub roots: Vec<Hash>,
    /// Pair by pair.
    pub opened: Vec<Opened>,
}

/// The first byte of every proof.
pub const VERSION: u8 = 1;
const HEAD: usize = 3;

/// Why bytes are no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It ends before its number of passes.
    #[error("{0} bytes are no proof")]
    Short(usize),
    /// Another version.
    #[error("version {0} of proofs is not known here")]
    Version(u8),
    /// None, or more than [`PASSES_MAX`].
    #[error("{0} passes are not between 1 and {PASSES_MAX}")]
    Passes(u16),
    /// Another length than its memory, passes and openings have.
    #[error("a proof of this memory and these passes has {expected} bytes, not {found}")]
    Length {
        /// What it should have.
        expected: usize,
        /// What it has.
        found: usize,
    },
}

/// Bytes of an opening: 3,680 for 64 GiB.
const fn each(memory: Memory) -> usize {
    2 * PAGE_BYTES + (3 * memory.depth() - 1) * 32
}

/// Bytes of a proof: 16 openings of 64 GiB are below 64 kB.
pub const fn length(memory: Memory, passes: usize, openings: usize) -> usize {
    HEAD + (passes + 1) * 32 + openings * each(memory)
}

impl Proof {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let passes = self.roots.len().saturating_sub(1) as u16;
        let mut bytes = vec![VERSION];
        bytes.extend(passes.to_le_bytes());
        bytes.extend(self.roots.iter().flatten());
        for opened in &self.opened {
            bytes.extend(opened.pages.iter().flat_map(bytes_of));
            bytes.extend(opened.before.iter().flatten().flatten());
            bytes.extend(opened.after.iter().flatten());
        }
        bytes
    }

    /// From bytes, of a device that was asked for `openings` pairs of passes over `memory`.
    pub fn decode(memory: Memory, openings: usize, bytes: &[u8]) -> Result<Self, ProofError> {
        let Some((head, body)) = bytes.split_first_chunk::<HEAD>() else {
            return Err(ProofError::Short(bytes.len()));
        };
        if head[0] != VERSION {
            return Err(ProofError::Version(head[0]));
        }
        let passes = u16::from_le_bytes([head[1], head[2]]);
        if passes == 0 || u32::from(passes) > PASSES_MAX {
            return Err(ProofError::Passes(passes));
        }
        let expected = length(memory, passes.into(), openings);
        if bytes.len() != expected {
            return Err(ProofError::Length { expected, found: bytes.len() });
        }
        let (roots, opened) = body.split_at((usize::from(passes) + 1) * 32);
        let opened = opened.chunks_exact(each(memory)).map(|bytes| {
            let (pages, paths) = bytes.split_at(2 * PAGE_BYTES);
            let pages = pages.as_chunks::<PAGE_BYTES>().0;
            let (before, after) = paths.split_at(2 * memory.depth() * 32);
            let (first, second) = before.split_at(memory.depth() * 32);
            Opened {
                pages: [page_of(&pages[0]), page_of(&pages[1])],
                before: [hashes(first), hashes(second)],
                after: hashes(after),
            }
        });
        Ok(Self { roots: hashes(roots), opened: opened.collect() })
    }
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.to_vec()
}
