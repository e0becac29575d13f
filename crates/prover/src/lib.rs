//! A device's side of proving: does rounds, commits to them, opens what is asked for.
//!
//! [`Prover`] is the same for every chip; a [`Kernel`] multiplies. [`Cpu`] is the one that every
//! machine has, and the reference that others must equal bit by bit. [`Gpu`] is that of every chip
//! that [`chips`] finds.
//!
//! Of each round only the upper part of its tree is kept. What is opened is computed again: a
//! leaf costs one row of A, so a few dozen of them are nothing beside a round.
//!
//! [`Passes`] does the same with memory in place of arithmetic: a [`Streamer`] holds it, and
//! [`Ram`] is the one that every machine has, [`Vram`] a chip's own.

mod cpu;
mod either;
mod gpu;
mod memory;
mod pace;

pub use cpu::Cpu;
pub use either::{AnyKernel, AnyStreamer, StreamerError};
pub use gpu::{Chip, Gpu, GpuError, MatrixEntry, MatrixUnits, Vram, chips};
pub use memory::{OpenPairError, Passes, Ram, RamError, Streamer};
pub use pace::until;

use ionet_core::DeviceId;
use ionet_trust::{
    Beacon, Chain, Commitment, Hash, Opened, Opening, Place, Proof, Seed, Shape, Tree, Trunk, leaf,
    shared_seed,
};

/// Multiplies exactly.
pub trait Kernel {
    /// Why it could not.
    type Error;

    /// Takes B, row by row: it stays the same for an hour.
    fn load(&mut self, shape: Shape, b: &[i8]) -> Result<(), Self::Error>;

    /// The same with the B that grows from a seed.
    fn begin(&mut self, shape: Shape, seed: &Seed) -> Result<(), Self::Error> {
        self.load(shape, &seed.matrix(shape))
    }

    /// The whole of a round, with the B that was loaded and the A that grows from `seed`: the
    /// hashes at `height` of its tree. None of a kernel that only multiplies: the host does the
    /// rest.
    fn round(
        &mut self,
        _seed: &Seed,
        _round: u32,
        _height: usize,
    ) -> Result<Option<Vec<Hash>>, Self::Error> {
        Ok(None)
    }

    /// Threads of the processor for what is done beside the product: expanding and hashing.
    fn threads(&self) -> usize {
        1
    }

    /// The product of `rows` of A, any number of them, with the B that was loaded.
    fn product(&mut self, rows: &[i8], into: &mut [i32]) -> Result<(), Self::Error>;
}

/// Least height of the trees' lower part that is not kept: 32 leaves each.
const CUT: usize = 5;
/// Levels of a trunk below its root, at the most: 512 KiB a round, and what the host hashes of a
/// chip's round takes it a millisecond or so.
const TRUNK_DEPTH: usize = 13;

/// Height of the part that is not kept.
fn cut(shape: Shape) -> usize {
    shape.depth().saturating_sub(TRUNK_DEPTH).max(CUT).min(shape.depth())
}

/// Why a leaf was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError<E> {
    /// The kernel could not multiply.
    Kernel(E),
    /// Such a leaf was never made: its round was not done, or its place is outside of the product.
    Unknown(Opening),
}

/// Rounds that were done, and whose kernel was given back: what is opened of them any kernel
/// computes again.
pub struct Rounds {
    chain: Chain,
    trunks: Vec<Trunk>,
}

impl Rounds {
    /// What was sent before the deadline.
    pub fn commitment(&self) -> Commitment {
        self.chain.commitment()
    }

    /// Takes them up again.
    pub fn with<K: Kernel>(self, mut kernel: K) -> Result<Prover<K>, K::Error> {
        let Self { chain, trunks } = self;
        let shape = chain.shape();
        kernel.begin(shape, &shared_seed(&chain.beacon(), shape))?;
        Ok(Prover { kernel, chain, trunks, product: Vec::new() })
    }
}

/// One device in one hour.
pub struct Prover<K: Kernel> {
    kernel: K,
    chain: Chain,
    trunks: Vec<Trunk>,
    /// Of a kernel that only multiplies.
    product: Vec<i32>,
}

impl<K: Kernel> Prover<K> {
    /// Starts an hour: the beacon has come.
    pub fn start(
        kernel: K,
        shape: Shape,
        beacon: Beacon,
        device: DeviceId,
    ) -> Result<Self, K::Error> {
        let chain = Chain::new(shape, beacon, device);
        Rounds { chain, trunks: Vec::new() }.with(kernel)
    }

    /// Gives the kernel back, with all memory that it holds.
    pub fn set_aside(self) -> Rounds {
        Rounds { chain: self.chain, trunks: self.trunks }
    }

    /// Does the next round; false when a proof holds no more of them.
    pub fn round(&mut self) -> Result<bool, K::Error> {
        let (shape, round) = (self.chain.shape(), self.chain.rounds());
        let Some(seed) = self.chain.seed(round) else { return Ok(false) };
        if round == ionet_trust::ROUNDS_MAX {
            return Ok(false);
        }
        let trunk = match self.kernel.round(&seed, round, cut(shape))? {
            Some(hashes) => Trunk::over(cut(shape), hashes),
            None => {
                let threads = self.kernel.threads();
                self.product.resize(shape.side() * shape.side(), 0);
                self.kernel.product(&expanded(&seed, shape, threads), &mut self.product)?;
                Tree::new(all_hashes(shape, round, &self.product, threads)).trunk(cut(shape))
            }
        };
        self.chain.push(trunk.root());
        self.trunks.push(trunk);
        Ok(true)
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u32 {
        self.chain.rounds()
    }

    /// What to send before the deadline.
    pub fn commitment(&self) -> Commitment {
        self.chain.commitment()
    }

    /// What to send after it.
    pub fn open(&mut self, asked: &[Opening]) -> Result<Proof, OpenError<K::Error>> {
        let lows: Vec<Low> =
            asked.iter().map(|opening| self.low(*opening)).collect::<Result<_, _>>()?;
        // All rows in one product: B is read once for many of them.
        let side = self.chain.shape().side();
        let rows: usize = lows.iter().map(|low| low.rows.len()).sum();
        let (mut all, mut product) = (Vec::with_capacity(rows), vec![0; rows]);
        lows.iter().for_each(|low| all.extend_from_slice(&low.rows));
        self.kernel.product(&all, &mut product).map_err(OpenError::Kernel)?;
        let mut rest = &product[..];
        let mut opened = Vec::with_capacity(asked.len());
        for low in &lows {
            let (own, after) = rest.split_at(low.rows.len());
            debug_assert!(own.len().is_multiple_of(side));
            opened.push(self.leaf(low, own));
            rest = after;
        }
        Ok(Proof { roots: self.chain.roots().to_vec(), opened })
    }

    /// What a leaf's low tree is computed from.
    fn low(&self, opening: Opening) -> Result<Low, OpenError<K::Error>> {
        let (shape, round) = (self.chain.shape(), opening.round);
        let inside = opening.place.row < shape.side() && opening.place.segment < shape.segments();
        let known = self.trunks.get(round as usize).zip(self.chain.seed(round));
        let Some((trunk, seed)) = known.filter(|_| inside) else {
            return Err(OpenError::Unknown(opening));
        };
        let index = opening.place.index(shape);
        let leaves = 1 << trunk.height();
        let first = index - index % leaves;
        let (top, end) = (first / shape.segments(), (first + leaves).div_ceil(shape.segments()));
        let side = shape.side();
        let mut rows = vec![0; (end - top) * side];
        for (n, row) in rows.chunks_mut(side).enumerate() {
            seed.row(shape, top + n, row);
        }
        Ok(Low { round, index, first, top, rows })
    }

    /// A leaf with its path, from the product of its low tree's rows.
    fn leaf(&self, low: &Low, product: &[i32]) -> Opened {
        let (shape, trunk) = (self.chain.shape(), &self.trunks[low.round as usize]);
        let Low { round, index, first, top, .. } = *low;
        let skip = first - top * shape.segments();
        let entries = &product[skip * shape.width()..][..(1 << trunk.height()) * shape.width()];
        let mut path = Tree::new(hashes(shape, round, first, entries)).path(index - first);
        path.extend(trunk.path(index));
        let values = entries[(index - first) * shape.width()..][..shape.width()].to_vec();
        Opened { values, path }
    }
}

/// The leaves beside one that is opened, up to the part of the tree that was kept.
struct Low {
    round: u32,
    /// The opened leaf's number, and that of the first beside it.
    index: usize,
    first: usize,
    /// The first row of A in question, and all of them.
    top: usize,
    rows: Vec<i8>,
}

/// The hashes of consecutive leaves, the first of which is number `first`.
fn hashes(shape: Shape, round: u32, first: usize, entries: &[i32]) -> Vec<Hash> {
    let leaves = entries.chunks_exact(shape.width()).enumerate();
    leaves.map(|(n, values)| leaf(round, Place::of_index(shape, first + n), values)).collect()
}

/// The matrix of a seed, by some threads.
fn expanded(seed: &Seed, shape: Shape, threads: usize) -> Vec<i8> {
    let side = shape.side();
    let mut all = vec![0; side * side];
    let each = side.div_ceil(threads);
    std::thread::scope(|scope| {
        for (share, rows) in all.chunks_mut(each * side).enumerate() {
            scope.spawn(move || {
                for (n, row) in rows.chunks_exact_mut(side).enumerate() {
                    seed.row(shape, share * each + n, row);
                }
            });
        }
    });
    all
}

/// The hashes of all leaves of a product, by some threads.
fn all_hashes(shape: Shape, round: u32, product: &[i32], threads: usize) -> Vec<Hash> {
    let each = shape.leaves().div_ceil(threads);
    std::thread::scope(|scope| {
        let share =
            |(n, entries): (usize, _)| scope.spawn(move || hashes(shape, round, n * each, entries));
        let shares = product.chunks(each * shape.width()).enumerate();
        let begun: Vec<_> = shares.map(share).collect();
        let ended = begun.into_iter().map(|thread| thread.join().expect("hashing cannot panic"));
        ended.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_trust::{Challenge, Entries, Hour, Secret};

    #[test]
    fn any_number_of_threads_expands_and_hashes_the_same() {
        let shape = Shape::new(Entries::Byte, 64, 16).unwrap();
        let seed = Seed([5; 32]);
        let product: Vec<i32> = (0..64 * 64).collect();
        for threads in [1, 2, 3, 7, 64, 1_000] {
            assert_eq!(expanded(&seed, shape, threads), seed.matrix(shape));
            let found = all_hashes(shape, 3, &product, threads);
            assert_eq!(found, hashes(shape, 3, 0, &product), "{threads}");
        }
    }

    fn hour(shape: Shape, start: Beacon) -> Hour {
        let secret = Secret([4; 32]);
        let late = Beacon([5; 32]);
        let challenge = Challenge::new(&start, &late, &secret, &secret.precommitment()).unwrap();
        Hour::new(shape, start, challenge, 40)
    }

    #[test]
    fn rounds_of_every_shape_are_proven() {
        let device = DeviceId([3; 32]);
        for (entries, side, width) in [
            (Entries::Byte, 64, 64),
            (Entries::Byte, 128, 8),
            (Entries::Nibble, 128, 128),
            (Entries::Nibble, 256, 32),
        ] {
            let shape = Shape::new(entries, side, width).unwrap();
            let start = Beacon([side as u8; 32]);
            let mut prover = Prover::start(Cpu::new(2), shape, start, device).unwrap();
            for _ in 0..3 {
                assert!(prover.round().unwrap());
            }
            let commitment = prover.commitment();
            // Whatever kernel opens them.
            let mut prover = prover.set_aside().with(Cpu::new(1)).unwrap();
            assert_eq!(prover.commitment(), commitment);
            let hour = hour(shape, start);
            let proof = prover.open(&hour.asks(device, 3)).unwrap();
            assert_eq!(hour.verify(device, &commitment, &proof), Ok(3), "{shape}");
        }
    }

    #[test]
    fn leaves_that_were_never_made_are_not_opened() {
        let shape = Shape::new(Entries::Byte, 64, 16).unwrap();
        let device = DeviceId([1; 32]);
        let mut prover = Prover::start(Cpu::new(1), shape, Beacon([1; 32]), device).unwrap();
        prover.round().unwrap();
        let opening = |round, row, segment| Opening { round, place: Place { row, segment } };
        assert!(prover.open(&[opening(0, 63, 3)]).is_ok());
        for wrong in
            [opening(1, 0, 0), opening(u32::MAX, 0, 0), opening(0, 64, 0), opening(0, 0, 4)]
        {
            assert_eq!(prover.open(&[opening(0, 0, 0), wrong]), Err(OpenError::Unknown(wrong)));
        }
    }

    /// A kernel that is wrong in one entry of each product.
    struct Off(Cpu);

    impl Kernel for Off {
        type Error = std::convert::Infallible;

        fn load(&mut self, shape: Shape, b: &[i8]) -> Result<(), Self::Error> {
            self.0.load(shape, b)
        }

        fn product(&mut self, rows: &[i8], into: &mut [i32]) -> Result<(), Self::Error> {
            self.0.product(rows, into)?;
            for row in into.chunks_mut(64) {
                row[0] += 1;
            }
            Ok(())
        }
    }

    #[test]
    fn a_kernel_that_is_off_by_one_proves_nothing() {
        let shape = Shape::new(Entries::Byte, 64, 64).unwrap();
        let (start, device) = (Beacon([1; 32]), DeviceId([1; 32]));
        let mut prover = Prover::start(Off(Cpu::new(1)), shape, start, device).unwrap();
        prover.round().unwrap();
        let hour = hour(shape, start);
        let proof = prover.open(&hour.asks(device, 1)).unwrap();
        assert!(hour.verify(device, &prover.commitment(), &proof).is_err());
    }
}
