//! A device's side of the pass over memory: `ionet_trust::memory` says what and why.
//!
//! [`Passes`] is the same for every memory; a [`Streamer`] holds the pages. [`Ram`] is the
//! machine's own, and the reference that others must equal bit by bit.
//!
//! Of each tree only the trunk is kept. To open, the pages are walked back pass by pass, without a
//! hash; what is asked for is read on the way, with the pages that lie beside it in its low tree.

mod ram;
#[cfg(test)]
mod tests;

pub use ram::{Ram, RamError};

use ionet_core::DeviceId;
use ionet_trust::memory::{
    Memory, Opened, Opening, PASSES_MAX, Page, Pairing, PassKey, Proof, Trail, hash_page,
};
use ionet_trust::{Beacon, Commitment, Hash, Tree, Trunk, node};

/// Holds pages, and passes over all of them. Pages are numbered by place, leaves by the pairing of
/// the last pass; before any pass a page's leaf is its place.
///
/// What it answers to [`Self::grow`] and [`Self::pass`] are the hashes at `height` of the tree, as
/// many as there are pages above whole runs of `2^height` leaves: `pages >> height`.
pub trait Streamer {
    /// Why it could not.
    type Error;

    /// Takes memory, and fills it with the pages of the trail's seed. `height` is at most the
    /// memory's [`Memory::bits`], and stays for all passes.
    fn grow(&mut self, trail: &Trail, height: usize) -> Result<Vec<Hash>, Self::Error>;

    /// Mixes all pairs in place.
    fn pass(&mut self, pairing: &Pairing, key: &PassKey) -> Result<Vec<Hash>, Self::Error>;

    /// Undoes the last pass that is not undone.
    fn back(&mut self, pairing: &Pairing, key: &PassKey) -> Result<(), Self::Error>;

    /// The pages at these places.
    fn read(&mut self, places: &[u32]) -> Result<Vec<Page>, Self::Error>;
}

/// Levels of a trunk below its root, at the most: the host hashes 2^13 nodes a pass, in a
/// millisecond or so, and keeps 512 KiB of each.
const TRUNK_DEPTH: usize = 13;

/// Height of the trees' lower part that is not kept.
fn cut(memory: Memory) -> usize {
    // A run of leaves in a low tree has a page at each.
    memory.depth().saturating_sub(TRUNK_DEPTH).min(memory.bits() as usize)
}

/// Why a pair was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenPairError<E> {
    /// The pages could not be walked back or read.
    Streamer(E),
    /// Such a pair was never mixed: its pass was not done, or the memory has no such pair.
    Unknown(Opening),
}

impl<E> From<E> for OpenPairError<E> {
    fn from(error: E) -> Self {
        Self::Streamer(error)
    }
}

/// One device in one trial's task.
pub struct Passes<S: Streamer> {
    streamer: S,
    trail: Trail,
    height: usize,
    /// Of the pages as they grew, then of each pass.
    trunks: Vec<Trunk>,
}

impl<S: Streamer> Passes<S> {
    /// Fills the memory: the beacon has come. `task` is the task's number in its trial.
    pub fn start(
        mut streamer: S,
        memory: Memory,
        beacon: Beacon,
        device: DeviceId,
        task: u8,
    ) -> Result<Self, S::Error> {
        let trail = Trail::new(memory, beacon, device, task);
        let height = cut(memory);
        let hashes = streamer.grow(&trail, height)?;
        let mut begun = Self { streamer, trail, height, trunks: Vec::new() };
        begun.push(hashes);
        Ok(begun)
    }

    /// Does the next pass; false when a proof holds no more of them.
    pub fn pass(&mut self) -> Result<bool, S::Error> {
        let done = self.trail.passes();
        let Some((pairing, key)) = self.trail.pass(done + 1).filter(|_| done < PASSES_MAX) else {
            return Ok(false);
        };
        let hashes = self.streamer.pass(&pairing, &key)?;
        self.push(hashes);
        Ok(true)
    }

    fn push(&mut self, mut hashes: Vec<Hash>) {
        let memory = self.trail.memory();
        assert_eq!(hashes.len(), memory.pages() >> self.height, "as the trait says");
        // Leaves after the last page are zeros, and what stands above them follows.
        let nothing = (0..self.height).fold([0; 32], |below, _| node(&below, &below));
        hashes.resize(1 << (memory.depth() - self.height), nothing);
        let trunk = Trunk::over(self.height, hashes);
        self.trail.push(trunk.root());
        self.trunks.push(trunk);
    }

    /// Passes so far.
    pub fn passes(&self) -> u32 {
        self.trail.passes()
    }

    /// The passes' roots, and what a challenge asks of them.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// What to send before the deadline.
    pub fn commitment(&self) -> Commitment {
        self.trail.commitment()
    }

    /// What to send after it. The memory is given back: its pages are no longer those of the last
    /// pass.
    pub fn open(mut self, asked: &[Opening]) -> Result<Proof, OpenPairError<S::Error>> {
        let (passes, pairs) = (self.trail.passes(), self.trail.memory().pages() / 2);
        let known = |o: &Opening| (1..=passes).contains(&o.pass) && (o.pair as usize) < pairs;
        if let Some(unknown) = asked.iter().find(|opening| !known(opening)) {
            return Err(OpenPairError::Unknown(*unknown));
        }
        let first = asked.iter().map(|opening| opening.pass).min().unwrap_or(passes + 1);
        let mut found = vec![None; asked.len()];
        for pass in (first..=passes).rev() {
            self.open_pass(pass, asked, &mut found)?;
        }
        let opened = found.into_iter().flatten().collect();
        Ok(Proof { roots: self.trail.roots().to_vec(), opened })
    }

    /// Opens what is asked for of a pass, while the pages are as it left them; undoes it.
    fn open_pass(
        &mut self,
        pass: u32,
        asked: &[Opening],
        found: &mut [Option<Opened>],
    ) -> Result<(), S::Error> {
        let Some((pairing, key)) = self.trail.pass(pass) else { return Ok(()) };
        let earlier = self.trail.pass(pass - 1).map(|(pairing, _)| pairing);
        let mine = || asked.iter().enumerate().filter(|(_, opening)| opening.pass == pass);
        let mut after = Vec::new();
        for (_, opening) in mine() {
            let (_, mut path) = self.leaf(pass, Some(&pairing), 2 * opening.pair)?;
            // Both results are known, so the path begins above them.
            path.remove(0);
            after.push(path);
        }
        self.streamer.back(&pairing, &key)?;
        for ((number, opening), after) in mine().zip(after) {
            let mut side = |side| {
                let place = pairing.place(2 * opening.pair + side);
                let leaf = earlier.map_or(place, |earlier| earlier.leaf(place));
                self.leaf(pass - 1, earlier.as_ref(), leaf)
            };
            let ((first, left), (second, right)) = (side(0)?, side(1)?);
            let opened = Opened { pages: [first, second], before: [left, right], after };
            found[number] = Some(opened);
        }
        Ok(())
    }

    /// The page of a leaf, while the pages are as `pass` left them, with its path.
    fn leaf(
        &mut self,
        pass: u32,
        pairing: Option<&Pairing>,
        leaf: u32,
    ) -> Result<(Page, Vec<Hash>), S::Error> {
        let run = 1 << self.height;
        let first = leaf - leaf % run;
        let place = |leaf| pairing.map_or(leaf, |pairing| pairing.place(leaf));
        let places: Vec<u32> = (first..first + run).map(place).collect();
        let pages = self.streamer.read(&places)?;
        let low = Tree::new(pages.iter().map(hash_page).collect());
        let mut path = low.path((leaf - first) as usize);
        path.extend(self.trunks[pass as usize].path(leaf as usize));
        Ok((pages[(leaf - first) as usize], path))
    }
}
