//! The chain of passes: what each pairs follows from what the one before it left.

use super::page::{PAGE_BYTES, Page, PassKey, page_of};
use super::pairing::Pairing;
use super::size::{Memory, PASSES_MAX};
use crate::chain::{Beacon, Commitment};
use crate::challenge::Challenge;
use crate::expand::Seed;
use crate::hash::{Hash, Purpose};
use ionet_core::DeviceId;

/// A pair that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Of which pass, from 1.
    pub pass: u32,
    /// Its number: its pages are the leaves `2 x pair` and the one after.
    pub pair: u32,
}

/// A device's passes, as far as their roots are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    memory: Memory,
    seed: Seed,
    roots: Vec<Hash>,
}

impl Trail {
    /// Of a device that has done nothing yet of its task with this number.
    pub fn new(memory: Memory, beacon: Beacon, device: DeviceId, task: u8) -> Self {
        let bytes = memory.bytes().to_le_bytes();
        let seed = Purpose::Memory.seed(&[&bytes, &beacon.0, &device.0, &[task]]);
        Self { memory, seed, roots: Vec::new() }
    }

    /// How much memory.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// The roots so far: of the pages as they grew, then of each pass.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Passes so far.
    pub fn passes(&self) -> u32 {
        self.roots.len().saturating_sub(1) as u32
    }

    /// From what pages grow: page `i` is the stream of ChaCha with eight rounds, this key, the
    /// nonce `i` (its first word) and the counter from 0.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// A page before all passes.
    pub fn page(&self, place: u32) -> Page {
        let mut bytes = [0; PAGE_BYTES];
        self.seed.stream_of(place, &mut bytes);
        page_of(&bytes)
    }

    /// What a pass pairs and adds; none for pass 0, and unless the root before it is there.
    pub fn pass(&self, pass: u32) -> Option<(Pairing, PassKey)> {
        let before = self.roots.get((pass as usize).checked_sub(1)?)?;
        let pass = pass.to_le_bytes();
        let of = |what: u8| Purpose::Pass.seed(&[&self.seed.0, &pass, before, &[what]]);
        Some((Pairing::new(self.memory, &of(0)), of(1).words()))
    }

    /// Adds a root; false when there are those of [`PASSES_MAX`] passes already.
    pub fn push(&mut self, root: Hash) -> bool {
        let fits = self.roots.len() <= PASSES_MAX as usize;
        if fits {
            self.roots.push(root);
        }
        fits
    }

    /// The commitment to all roots so far. The seed stands for memory, beacon, device and task.
    pub fn commitment(&self) -> Commitment {
        let count = (self.roots.len() as u32).to_le_bytes();
        let mut parts: Vec<&[u8]> = vec![&self.seed.0, &count];
        parts.extend(self.roots.iter().map(|root| &root[..]));
        Commitment(Purpose::Trail.hash(&parts))
    }

    /// What the challenge asks for, drawn with replacement; empty if there are no passes.
    pub fn openings(&self, challenge: &Challenge, count: usize) -> Vec<Opening> {
        let passes = self.passes();
        if passes == 0 {
            return Vec::new();
        }
        let drawn = Purpose::Pairs.seed(&[challenge.bytes(), &self.seed.0, &passes.to_le_bytes()]);
        let pairs = self.memory.pages() as u64 / 2;
        let opening = |n: u64| Opening { pass: 1 + (n / pairs) as u32, pair: (n % pairs) as u32 };
        drawn.indices(count, pairs * u64::from(passes)).into_iter().map(opening).collect()
    }
}

#[cfg(test)]
impl Trail {
    /// With another last root.
    pub(super) fn replace(&mut self, root: Hash) {
        self.roots.pop();
        self.roots.push(root);
    }
}
