//! How much memory, and how many passes.

use super::page::PAGE_BYTES;

/// Fewest pages: a pairing needs room to be irregular in.
pub const PAGES_MIN: u64 = 64;
/// Most pages: their numbers stay words of 32 bits. A tebibyte.
pub const PAGES_MAX: u64 = 1 << 31;
/// Pages are a power of two times at most so many: steps of an eighth or less, so that a card of
/// 12 GB is told from one of 10.
pub const STEPS: u64 = 15;
/// Most passes in one proof. 64 passes over 24 GB last three seconds at 1 TB/s.
pub const PASSES_MAX: u32 = 64;
/// Fewest passes that show that memory was held: see the module's account of rebuilding.
pub const PASSES_MIN: u32 = 12;

/// Bytes that a device holds at once: `steps x 2^bits` pages, `steps` odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Memory {
    steps: u32,
    bits: u32,
}

/// There is no pass over such memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No whole number of pages, or too few or many.
    #[error("{0} bytes are not {PAGES_MIN} to {PAGES_MAX} pages of {PAGE_BYTES} bytes")]
    Bytes(u64),
    /// Not a power of two times a small number.
    #[error("{0} pages are not a power of two times at most {STEPS}")]
    Steps(u64),
}

impl Memory {
    /// Of so many bytes.
    pub const fn new(bytes: u64) -> Result<Self, SizeError> {
        let page = PAGE_BYTES as u64;
        let pages = bytes / page;
        if !bytes.is_multiple_of(page) || pages < PAGES_MIN || pages > PAGES_MAX {
            return Err(SizeError::Bytes(bytes));
        }
        let bits = pages.trailing_zeros();
        if pages >> bits > STEPS {
            return Err(SizeError::Steps(pages));
        }
        Ok(Self { steps: (pages >> bits) as u32, bits })
    }

    /// The most that fits into so many bytes; none if that is below [`PAGES_MIN`] pages.
    pub fn within(bytes: u64) -> Option<Self> {
        let pages = (bytes / PAGE_BYTES as u64).min(PAGES_MAX);
        // The four highest bits: at most 15 times a power of two.
        let low = pages.checked_ilog2()?.saturating_sub(3);
        Self::new(((pages >> low) << low) * PAGE_BYTES as u64).ok()
    }

    /// Number of pages.
    pub const fn pages(self) -> usize {
        (self.steps as usize) << self.bits
    }

    /// Number of bytes.
    pub const fn bytes(self) -> u64 {
        self.pages() as u64 * PAGE_BYTES as u64
    }

    /// Hashes on the way from a page to the root. Leaves after the last page are zeros.
    pub const fn depth(self) -> usize {
        self.pages().next_power_of_two().trailing_zeros() as usize
    }

    /// Whether so many passes show that the memory was held at once, and not made again.
    pub const fn counts(self, passes: u32) -> bool {
        passes >= PASSES_MIN
    }

    pub(super) const fn steps(self) -> u32 {
        self.steps
    }

    /// The pages are so many bits' worth, times a small odd number: every run of `2^bits` leaves
    /// that begins at a multiple of that has a page at each.
    pub const fn bits(self) -> u32 {
        self.bits
    }
}

/// Bytes read and written a second; rounded down, against the device. None without time.
pub fn rate(memory: Memory, passes: u32, micros: u64) -> Option<u64> {
    let moved = 2 * u128::from(memory.bytes()) * u128::from(passes) * 1_000_000;
    moved.checked_div(micros.into()).and_then(|rate| u64::try_from(rate).ok())
}
