//! Blockhashes: derived from a secret seed and the slot, so that empty blocks need no row.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};
use solana_hash::Hash;

const DOMAIN: &[u8] = b"ionet-chain blockhash v1";

/// Derives the blockhash of any slot of one chain.
///
/// The seed never leaves the store: whoever knew it could sign for blocks to come.
#[derive(Clone)]
pub(crate) struct Blockhashes {
    seed: [u8; 32],
}

impl Blockhashes {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed }
    }

    pub(crate) fn at(&self, slot: u64) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(DOMAIN);
        hasher.update(self.seed);
        hasher.update(slot.to_le_bytes());
        Hash::new_from_array(hasher.finalize().into())
    }
}

/// The blockhashes that a transaction may name now.
pub(crate) struct Window {
    age_max: u64,
    slots: HashMap<Hash, u64>,
    order: VecDeque<(u64, Hash)>,
}

impl Window {
    /// The window while `slot` is open: the hashes of the `age_max` blocks before it.
    pub(crate) fn at(hashes: &Blockhashes, slot: u64, age_max: u64) -> Self {
        let mut window = Self { age_max, slots: HashMap::new(), order: VecDeque::new() };
        for before in slot.saturating_sub(age_max)..slot {
            window.push(before, hashes.at(before));
        }
        window
    }

    /// Takes the hash of the block that has just been closed.
    pub(crate) fn push(&mut self, slot: u64, hash: Hash) {
        self.order.push_back((slot, hash));
        self.slots.insert(hash, slot);
        while self.order.len() as u64 > self.age_max {
            if let Some((_, old)) = self.order.pop_front() {
                self.slots.remove(&old);
            }
        }
    }

    /// The last block's hash and the last block height at which it is usable.
    pub(crate) fn latest(&self) -> (Hash, u64) {
        match self.order.back() {
            Some((slot, hash)) => (*hash, slot.saturating_add(self.age_max)),
            None => (Hash::default(), 0),
        }
    }

    /// The slot of a usable blockhash.
    pub(crate) fn slot_of(&self, hash: &Hash) -> Option<u64> {
        self.slots.get(hash).copied()
    }

    /// Usable hashes, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (u64, &Hash)> {
        self.order.iter().rev().map(|(slot, hash)| (*slot, hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_usable_for_exactly_the_window() {
        let hashes = Blockhashes::new([7; 32]);
        let mut window = Window::at(&hashes, 10, 3);
        assert_eq!(window.latest(), (hashes.at(9), 12));
        for usable in 7..10 {
            assert_eq!(window.slot_of(&hashes.at(usable)), Some(usable));
        }
        assert_eq!(window.slot_of(&hashes.at(6)), None);
        assert_eq!(window.slot_of(&hashes.at(10)), None);
        window.push(10, hashes.at(10));
        assert_eq!(window.slot_of(&hashes.at(7)), None);
        assert_eq!(window.slot_of(&hashes.at(10)), Some(10));
    }

    #[test]
    fn a_rebuilt_window_equals_one_that_grew() {
        let hashes = Blockhashes::new([1; 32]);
        let mut grown = Window::at(&hashes, 1, 150);
        for closed in 1..400 {
            grown.push(closed, hashes.at(closed));
        }
        let rebuilt = Window::at(&hashes, 400, 150);
        assert!(grown.newest_first().eq(rebuilt.newest_first()));
    }

    #[test]
    fn another_seed_gives_other_hashes() {
        assert_ne!(Blockhashes::new([1; 32]).at(5), Blockhashes::new([2; 32]).at(5));
    }
}
