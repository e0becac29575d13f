//! A device's side, as plainly as can be: the reference that kernels must equal bit by bit. It
//! keeps whole trees, and walks back through all passes to open.

use super::page::{Page, hash_page, mix, unmix};
use super::proof::{Opened, Proof};
use super::size::Memory;
use super::trail::{Opening, Trail};
use crate::chain::{Beacon, Commitment};
use crate::hash::{Hash, Tree};
use ionet_core::DeviceId;

/// One device in one trial. Its pages are public: attackers of tests damage them.
#[derive(Debug, Clone)]
pub struct Plain {
    /// The memory, as it is now.
    pub pages: Vec<Page>,
    trail: Trail,
    trees: Vec<Tree>,
}

impl Plain {
    /// Fills the memory: the beacon has come.
    pub fn start(memory: Memory, beacon: Beacon, device: DeviceId, task: u8) -> Self {
        let mut trail = Trail::new(memory, beacon, device, task);
        let pages: Vec<Page> = (0..memory.pages() as u32).map(|i| trail.page(i)).collect();
        let tree = tree(memory, pages.iter());
        trail.push(tree.root());
        Self { pages, trail, trees: vec![tree] }
    }

    /// Does the next pass; false when a proof holds no more of them.
    pub fn pass(&mut self) -> bool {
        let Some((pairing, key)) = self.trail.pass(self.trail.passes() + 1) else { return false };
        if self.trail.passes() == super::PASSES_MAX {
            return false;
        }
        let memory = self.trail.memory();
        for pair in 0..memory.pages() as u32 / 2 {
            let places = [pairing.place(2 * pair), pairing.place(2 * pair + 1)];
            self.change(places, |first, second| mix(&key, pair, first, second));
        }
        let leaves = (0..memory.pages() as u32).map(|leaf| pairing.place(leaf) as usize);
        let tree = tree(memory, leaves.map(|place| &self.pages[place]));
        self.trail.push(tree.root());
        self.trees.push(tree);
        true
    }

    /// The passes so far.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// What to send before the deadline.
    pub fn commitment(&self) -> Commitment {
        self.trail.commitment()
    }

    /// What to send after it: walks all passes back, and so ends with the pages as they grew.
    /// Openings that no pass has are left out.
    pub fn open(mut self, asked: &[Opening]) -> Proof {
        let mut found: Vec<Option<Opened>> = vec![None; asked.len()];
        for pass in (1..=self.trail.passes()).rev() {
            let Some((pairing, key)) = self.trail.pass(pass) else { break };
            for pair in 0..self.pages.len() as u32 / 2 {
                let places = [pairing.place(2 * pair), pairing.place(2 * pair + 1)];
                self.change(places, |first, second| unmix(&key, pair, first, second));
            }
            for (opening, found) in asked.iter().zip(&mut found) {
                if opening.pass == pass && (opening.pair as usize) < self.pages.len() / 2 {
                    *found = Some(self.opened(*opening));
                }
            }
        }
        let opened = found.into_iter().flatten().collect();
        Proof { roots: self.trail.roots().to_vec(), opened }
    }

    /// A pair, while memory is as it was before its pass.
    fn opened(&self, Opening { pass, pair }: Opening) -> Opened {
        let later = self.trail.pass(pass).map(|(pairing, _)| pairing);
        let earlier = self.trail.pass(pass - 1).map(|(pairing, _)| pairing);
        let places = [0, 1].map(|side| {
            let leaf = 2 * pair + side;
            later.map_or(leaf, |pairing| pairing.place(leaf))
        });
        let before = places.map(|place| {
            let leaf = earlier.map_or(place, |pairing| pairing.leaf(place));
            self.trees[pass as usize - 1].path(leaf as usize)
        });
        let after = self.trees[pass as usize].path(2 * pair as usize)[1..].to_vec();
        Opened { pages: places.map(|place| self.pages[place as usize]), before, after }
    }

    fn change(&mut self, [first, second]: [u32; 2], how: impl Fn(&mut Page, &mut Page)) {
        let (mut a, mut b) = (self.pages[first as usize], self.pages[second as usize]);
        how(&mut a, &mut b);
        (self.pages[first as usize], self.pages[second as usize]) = (a, b);
    }
}

/// Leaves after the last page are zeros.
fn tree<'a>(memory: Memory, pages: impl Iterator<Item = &'a Page>) -> Tree {
    let mut leaves: Vec<Hash> = pages.map(hash_page).collect();
    leaves.resize(1 << memory.depth(), [0; 32]);
    Tree::new(leaves)
}

/// What attackers of the tests do beyond damaging pages.
#[cfg(test)]
impl Plain {
    /// Commits to the pages that it has in place of those that grew.
    pub(super) fn restarted(mut self) -> Self {
        let tree = tree(self.trail.memory(), self.pages.iter());
        self.trail.replace(tree.root());
        self.trees = vec![tree];
        self
    }

    /// Claims that the last pass ended with this root.
    pub(super) fn claim(&mut self, root: Hash) {
        self.trail.replace(root);
    }
}
