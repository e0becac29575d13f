//! Makes instructions wrong: another account, a signature that is missing, other bytes.

use super::driver::Driver;
use crate::model::{Key, Part, Record};
use ionet_market_interface::build::Ix;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};

impl Driver<'_> {
    pub(super) fn spoil(&mut self, parts: &mut Vec<Part>) {
        if parts.len() > 1 && self.chance(15) {
            parts.shuffle(&mut self.rng);
            return;
        }
        let at = self.rng.random_range(0..parts.len());
        if parts.len() > 1 && self.chance(8) {
            // The statement is missing, or stands twice.
            if self.chance(50) {
                parts.remove(at);
            } else {
                parts.insert(at, parts[at].clone());
            }
            return;
        }
        if let Some(Part::Market(ix)) =
            parts.iter_mut().rev().find(|p| matches!(p, Part::Market(_)))
        {
            self.spoil_instruction(ix);
        }
    }

    fn spoil_instruction(&mut self, ix: &mut Ix) {
        let place = self.rng.random_range(0..ix.accounts.len());
        match self.rng.random_range(0..100) {
            0..55 => self.swap(ix, place),
            55..65 => ix.accounts[place].signer = false,
            65..72 => ix.accounts[place].writable = false,
            72..77 => ix.accounts.truncate(place),
            77..82 => {
                let more = ix.accounts[place];
                ix.accounts.push(more);
            }
            82..84 => ix.data.truncate(self.rng.random_range(0..=ix.data.len())),
            84..86 => ix.data.push(self.rng.random()),
            _ => {
                let byte = self.rng.random_range(0..ix.data.len());
                ix.data[byte] ^= 1 << self.rng.random_range(0..8);
            }
        }
    }

    /// Another account in this place: often of the same kind, sometimes any, sometimes one that
    /// the instruction names elsewhere.
    fn swap(&mut self, ix: &mut Ix, place: usize) {
        if ix.accounts[place].signer {
            ix.accounts[place].address = self.anyone();
            return;
        }
        let accounts = &self.world.chain.accounts;
        let kind = |record: &Record| std::mem::discriminant(record);
        let mine = kind(&self.world.chain.at(&ix.accounts[place].address).record);
        let same = self.chance(70);
        let fit = accounts.iter().filter(|(_, a)| !same || kind(&a.record) == mine);
        let mut all: Vec<Key> = fit.map(|(at, _)| *at).collect();
        if self.chance(15) {
            all = ix.accounts.iter().map(|meta| meta.address).collect();
        }
        let Some(other) = all.choose(&mut self.rng) else { return };
        let meta = &mut ix.accounts[place];
        meta.address = *other;
        // Programs and what the runtime itself keeps are never writable.
        if self.world.chain.at(other).record == Record::Alien {
            meta.writable = false;
        }
    }
}
