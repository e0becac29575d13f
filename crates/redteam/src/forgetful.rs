//! A9: a pass over memory by somebody who loses pages on the way, and opens as well as it can.

use ionet_core::DeviceId;
use ionet_trust::memory::{
    Memory, Opened, Opening, PAGE_WORDS, Page, Pairing, Proof, Trail, hash_page, mix,
};
use ionet_trust::{Beacon, Hash, Tree};

/// Keeps what it really mixed at each pass, so that every honest pair can be shown.
pub struct Forgetful {
    trail: Trail,
    pages: Vec<Page>,
    mixed: Vec<Vec<Page>>,
    trees: Vec<Tree>,
}

impl Forgetful {
    /// All pages grow as they should.
    pub fn start(memory: Memory, beacon: Beacon, device: DeviceId) -> Self {
        let mut trail = Trail::new(memory, beacon, device, 0);
        let pages: Vec<Page> = (0..memory.pages() as u32).map(|i| trail.page(i)).collect();
        let tree = tree(memory, pages.iter().map(hash_page).collect());
        trail.push(tree.root());
        Self { trail, pages, mixed: Vec::new(), trees: vec![tree] }
    }

    /// One pass; each page is lost before it if `lost` says so.
    pub fn pass(&mut self, mut lost: impl FnMut() -> bool) {
        for page in self.pages.iter_mut().filter(|_| lost()) {
            *page = [0; PAGE_WORDS];
        }
        self.mixed.push(self.pages.clone());
        let Some((pairing, key)) = self.trail.pass(self.trail.passes() + 1) else { return };
        for pair in 0..self.pages.len() as u32 / 2 {
            let [a, b] = places(&pairing, pair);
            let (mut first, mut second) = (self.pages[a], self.pages[b]);
            mix(&key, pair, &mut first, &mut second);
            (self.pages[a], self.pages[b]) = (first, second);
        }
        let leaves = 0..self.pages.len() as u32;
        let hashes = leaves.map(|leaf| hash_page(&self.pages[pairing.place(leaf) as usize]));
        let tree = tree(self.trail.memory(), hashes.collect());
        self.trail.push(tree.root());
        self.trees.push(tree);
    }

    /// What is known of its passes.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// What was mixed, with the paths that it would have had.
    pub fn open(&self, asked: &[Opening]) -> Proof {
        let opened = asked.iter().map(|Opening { pass, pair }| {
            let before = *pass as usize - 1;
            let later = self.trail.pass(*pass).expect("the pass was done").0;
            let earlier = self.trail.pass(*pass - 1).map(|(pairing, _)| pairing);
            let places = places(&later, *pair);
            let leaf =
                |place: usize| earlier.map_or(place, |earlier| earlier.leaf(place as u32) as usize);
            Opened {
                pages: places.map(|place| self.mixed[before][place]),
                before: places.map(|place| self.trees[before].path(leaf(place))),
                after: self.trees[before + 1].path(2 * *pair as usize)[1..].to_vec(),
            }
        });
        Proof { roots: self.trail.roots().to_vec(), opened: opened.collect() }
    }
}

fn places(pairing: &Pairing, pair: u32) -> [usize; 2] {
    [2 * pair, 2 * pair + 1].map(|leaf| pairing.place(leaf) as usize)
}

fn tree(memory: Memory, mut leaves: Vec<Hash>) -> Tree {
    leaves.resize(1 << memory.depth(), [0; 32]);
    Tree::new(leaves)
}
