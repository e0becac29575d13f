//! Which pages meet in a pass.

use super::size::Memory;
use crate::expand::Seed;

/// Rounds of the permutation.
const ROUNDS: usize = 4;

/// What a round adds and multiplies by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Added.
    pub add: u32,
    /// Times the upper digit, added.
    pub tilt: u32,
    /// Odd: multiplied by.
    pub times: u32,
    /// Its inverse modulo 2^32.
    pub back: u32,
}

/// A permutation of the places of all pages: places of leaves `2j` and `2j + 1` are paired. A place
/// has two digits, `upper x 2^bits + lower`. Each round makes a new lower digit of both (an odd
/// multiple, folded), then adds it to the upper. Multiplying carries low bits up, folding high
/// bits down; together they are neither linear over bits nor over numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairing {
    steps: u32,
    bits: u32,
    rounds: [Round; ROUNDS],
}

impl Pairing {
    /// That of a pass, from its seed.
    pub fn new(memory: Memory, seed: &Seed) -> Self {
        let drawn = seed.words::<{ 3 * ROUNDS }>();
        let round = |n: usize| {
            let times = drawn[3 * n + 2] | 1;
            Round { add: drawn[3 * n], tilt: drawn[3 * n + 1], times, back: inverse(times) }
        };
        let rounds = std::array::from_fn(round);
        Self { steps: memory.steps(), bits: memory.bits(), rounds }
    }

    /// What a kernel needs: the number of upper digits, the bits of the lower one, the rounds.
    pub fn parts(&self) -> (u32, u32, &[Round]) {
        (self.steps, self.bits, &self.rounds)
    }

    /// Where the page of a leaf is. `leaf` is below the number of pages.
    pub fn place(&self, leaf: u32) -> u32 {
        let mask = (1 << self.bits) - 1;
        let (mut upper, mut lower) = (leaf >> self.bits, leaf & mask);
        for round in &self.rounds {
            lower = lower.wrapping_add(round.add).wrapping_add(upper.wrapping_mul(round.tilt));
            lower = lower.wrapping_mul(round.times) & mask;
            lower ^= lower >> self.bits.div_ceil(2);
            upper = (upper + lower) % self.steps;
        }
        upper << self.bits | lower
    }

    /// The leaf of a page. `place` is below the number of pages.
    pub fn leaf(&self, place: u32) -> u32 {
        let mask = (1 << self.bits) - 1;
        let (mut upper, mut lower) = (place >> self.bits, place & mask);
        for round in self.rounds.iter().rev() {
            upper = (upper + self.steps - lower % self.steps) % self.steps;
            // Shifted by half its length or more, it undoes itself.
            lower ^= lower >> self.bits.div_ceil(2);
            lower = lower.wrapping_mul(round.back);
            lower = lower.wrapping_sub(round.add).wrapping_sub(upper.wrapping_mul(round.tilt));
            lower &= mask;
        }
        upper << self.bits | lower
    }
}

/// Of an odd number: each step doubles the bits that are right, from the three of the number.
const fn inverse(odd: u32) -> u32 {
    let mut found = odd;
    let mut step = 0;
    while step < 4 {
        found = found.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(found)));
        step += 1;
    }
    found
}
