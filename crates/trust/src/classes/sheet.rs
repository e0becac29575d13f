//! What a data sheet says of a chip, and which rates follow.

/// Published figures of one chip, and where they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// GB of memory.
    pub memory: u64,
    /// Multiprocessors, or cores of the GPU.
    pub units: u64,
    /// MHz when it boosts.
    pub clock: u64,
    /// Integer multiply-adds of 32 bits of a unit in a clock.
    pub products: u64,
    /// Integer additions of a unit in a clock.
    pub steps: u64,
    /// Billions of operations a second of matrix units: halves, sums of 32 bits, dense.
    pub matrix: u64,
    /// GB/s of the memory.
    pub bandwidth: u64,
    /// GB/s each way of the bus, or of all ports together.
    pub bus: u64,
    /// GB/s of links of its own, both ways together; 0 for none.
    pub links: u64,
    /// When it was read, as `2026-12-01`.
    pub read_on: String,
    /// Where.
    pub source: String,
}

/// Instructions of 32 bits in the time in which a byte moves: see [`crate::memory`].
const STEPS_A_BYTE: u128 = 7;

impl Sheet {
    /// Billions of multiply-adds of bytes a second: half of what the units could do. How near a
    /// whole round comes to the peak, nobody has measured on a card.
    pub fn integer(&self) -> u64 {
        self.a_second(self.products, 2_000)
    }

    /// Billions of multiply-adds of half bytes a second: two operations each, and half of the peak.
    pub fn half_bytes(&self) -> u64 {
        self.matrix / 4
    }

    /// GB/s of the pass over memory: 7 tenths of the bandwidth, or of what the arithmetic of the
    /// pass allows if that is less.
    pub fn stream(&self) -> u64 {
        let arithmetic = self.a_second(self.steps, 1_000 * STEPS_A_BYTE);
        let most = u128::from(self.bandwidth.min(arithmetic));
        (most * 7 / 10) as u64
    }

    /// GB/s each way to other chips at the best; rounded up, in favour of who joins chips.
    pub fn link(&self) -> u64 {
        self.bus.saturating_add(self.links.div_ceil(2))
    }

    /// Billions a second of what each unit does so often in a clock, divided; rounded down.
    fn a_second(&self, in_a_clock: u64, divisor: u128) -> u64 {
        let each = u128::from(self.units) * u128::from(self.clock);
        u64::try_from(each.saturating_mul(in_a_clock.into()) / divisor).unwrap_or(u64::MAX)
    }
}
