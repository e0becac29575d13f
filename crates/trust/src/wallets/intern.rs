//! Names of 32 bytes as numbers: first in order of arrival, in the end in order of the names, so
//! that nothing depends on who was seen first.

use std::hash::{DefaultHasher, Hasher as _};

/// An empty place of the table.
const EMPTY: u32 = u32::MAX;
/// The most names: their numbers, two for one link, and a mark for none fit 32 bits.
pub(super) const NAMES_MAX: usize = 1 << 31;

/// A set of names. Open addressing with linear steps, at most half full.
#[derive(Default)]
pub(super) struct Interner {
    names: Vec<[u8; 32]>,
    table: Vec<u32>,
}

impl Interner {
    /// The number of `name`; a new one if it was not seen before, `None` if there are too many.
    pub(super) fn number(&mut self, name: &[u8; 32]) -> Option<u32> {
        if self.names.len() * 2 >= self.table.len() {
            self.grow();
        }
        let at = self.place(name);
        if self.table[at] != EMPTY {
            return Some(self.table[at]);
        }
        if self.names.len() >= NAMES_MAX {
            return None;
        }
        let number = self.names.len() as u32;
        self.names.push(*name);
        self.table[at] = number;
        Some(number)
    }

    /// Where `name` stands or would stand.
    fn place(&self, name: &[u8; 32]) -> usize {
        let mask = self.table.len() - 1;
        let mut hasher = DefaultHasher::new();
        hasher.write(name);
        let mut at = hasher.finish() as usize & mask;
        while self.table[at] != EMPTY && self.names[self.table[at] as usize] != *name {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let size = (self.table.len() * 2).max(64);
        self.table.clear();
        self.table.resize(size, EMPTY);
        for number in 0..self.names.len() {
            let at = self.place(&self.names[number]);
            self.table[at] = number as u32;
        }
    }

    /// The names in order, and for each old number its place among them.
    pub(super) fn ranked(mut self) -> (Vec<[u8; 32]>, Vec<u32>) {
        self.table = Vec::new();
        let names = self.names;
        // Most names differ in their first eight bytes: the sort seldom looks at the rest.
        let front = |name: &[u8; 32]| {
            u64::from_be_bytes(name[..8].try_into().expect("eight bytes were taken"))
        };
        let mut order: Vec<(u64, u32)> =
            names.iter().zip(0u32..).map(|(name, number)| (front(name), number)).collect();
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| names[a.1 as usize].cmp(&names[b.1 as usize]))
        });
        let mut ranks = vec![0; names.len()];
        for (rank, (_, number)) in (0u32..).zip(&order) {
            ranks[*number as usize] = rank;
        }
        let sorted = order.iter().map(|(_, number)| names[*number as usize]).collect();
        (sorted, ranks)
    }
}
