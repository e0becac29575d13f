//! Pages in the machine's own memory, passed over by its threads: the reference.

use super::Streamer;
use ionet_trust::memory::{
    Memory, PAGE_BYTES, PAGE_WORDS, Page, Pairing, PassKey, Trail, hash_page, mix, unmix,
};
use ionet_trust::{Hash, Tree};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Pages that are allocated, and filled by one thread, at once: 16 MiB.
const CHUNK: usize = 1 << 15;
/// Pairs that a thread mixes between two looks at what is left.
const PAIRS: usize = 1 << 9;

/// A page that any thread may reach. No two threads ever have the same one in a pass, so the words
/// need no order; plain loads and stores all of them.
struct Shared([AtomicU32; PAGE_WORDS]);

impl Shared {
    fn load(&self) -> Page {
        std::array::from_fn(|n| self.0[n].load(Relaxed))
    }

    fn store(&self, page: &Page) {
        for (into, word) in self.0.iter().zip(page) {
            into.store(*word, Relaxed);
        }
    }
}

/// The machine has not so much memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RamError {
    /// So many bytes could not be allocated. A system that promises more than it has answers this
    /// too late: ask for no more than is free.
    #[error("{0} bytes of memory are not to be had")]
    Memory(u64),
}

/// The machine's memory.
pub struct Ram {
    threads: usize,
    height: usize,
    pages: usize,
    chunks: Vec<Vec<Shared>>,
}

impl Ram {
    /// Passed over by so many threads, at least one. Takes no memory yet.
    pub fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), height: 0, pages: 0, chunks: Vec::new() }
    }

    fn page(&self, place: u32) -> &Shared {
        &self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }

    /// The hashes at the cut of leaves that `both` makes, two at a time: pair by pair.
    fn hashes(&self, both: impl Fn(u32) -> [Hash; 2] + Sync) -> Vec<Hash> {
        let each = PAIRS.max(1 << self.height >> 1);
        let shares: Vec<usize> = (0..self.pages / 2).step_by(each).collect();
        let share = |first: &usize| {
            let pairs = *first..(first + each).min(self.pages / 2);
            let leaves: Vec<Hash> = pairs.flat_map(|pair| both(pair as u32)).collect();
            let low = leaves.chunks_exact(1 << self.height);
            low.map(|leaves| Tree::new(leaves.to_vec()).root()).collect::<Vec<_>>()
        };
        let parts = shares.len().div_ceil(self.threads).max(1);
        std::thread::scope(|scope| {
            let share = &share;
            let part = |part| scope.spawn(move || <[usize]>::iter(part).flat_map(share).collect());
            let begun: Vec<_> = shares.chunks(parts).map(part).collect();
            let ended = begun.into_iter();
            ended.flat_map(|t| -> Vec<Hash> { t.join().expect("mixing cannot panic") }).collect()
        })
    }

    /// Changes a pair in place.
    fn change(
        &self,
        pairing: &Pairing,
        pair: u32,
        how: impl Fn(&mut Page, &mut Page),
    ) -> [Page; 2] {
        let pages = [0, 1].map(|side| self.page(pairing.place(2 * pair + side)));
        let [mut first, mut second] = pages.map(Shared::load);
        how(&mut first, &mut second);
        pages[0].store(&first);
        pages[1].store(&second);
        [first, second]
    }

    fn allocate(&mut self, memory: Memory, trail: &Trail) -> Result<(), RamError> {
        let error = RamError::Memory(memory.bytes());
        self.chunks = Vec::new();
        for first in (0..memory.pages()).step_by(CHUNK) {
            let mut chunk = Vec::new();
            let pages = CHUNK.min(memory.pages() - first);
            chunk.try_reserve_exact(pages).map_err(|_| error)?;
            self.chunks.push(chunk);
        }
        let each = self.chunks.len().div_ceil(self.threads);
        std::thread::scope(|scope| {
            for (n, chunks) in self.chunks.chunks_mut(each).enumerate() {
                scope.spawn(move || {
                    for (m, chunk) in chunks.iter_mut().enumerate() {
                        let first = (n * each + m) * CHUNK;
                        let places = first..(first + CHUNK).min(memory.pages());
                        let page = |place| Shared(trail.page(place as u32).map(AtomicU32::new));
                        chunk.extend(places.map(page));
                    }
                });
            }
        });
        Ok(())
    }
}

impl Streamer for Ram {
    type Error = RamError;

    fn grow(&mut self, trail: &Trail, height: usize) -> Result<Vec<Hash>, RamError> {
        const { assert!(size_of::<Shared>() == PAGE_BYTES) };
        (self.height, self.pages) = (height, trail.memory().pages());
        self.allocate(trail.memory(), trail)?;
        let both = |pair| [2 * pair, 2 * pair + 1].map(|place| hash_page(&self.page(place).load()));
        Ok(self.hashes(both))
    }

    fn pass(&mut self, pairing: &Pairing, key: &PassKey) -> Result<Vec<Hash>, RamError> {
        let mixed =
            |pair| self.change(pairing, pair, |first, second| mix(key, pair, first, second));
        Ok(self.hashes(|pair| mixed(pair).map(|page| hash_page(&page))))
    }

    fn back(&mut self, pairing: &Pairing, key: &PassKey) -> Result<(), RamError> {
        let pairs = self.pages as u32 / 2;
        let each = pairs.div_ceil(self.threads as u32);
        let this = &*self;
        std::thread::scope(|scope| {
            for first in (0..pairs).step_by(each as usize) {
                scope.spawn(move || {
                    for pair in first..(first + each).min(pairs) {
                        this.change(pairing, pair, |a, b| unmix(key, pair, a, b));
                    }
                });
            }
        });
        Ok(())
    }

    fn read(&mut self, places: &[u32]) -> Result<Vec<Page>, RamError> {
        Ok(places.iter().map(|place| self.page(*place).load()).collect())
    }
}
