//! Rounds of the product on a chip.

use super::chip::Chip;
use super::device::{Device, GROUP, GpuError, hashes, words};
use crate::{Cpu, Kernel};
use ionet_trust::{Entries, Hash, KERNEL_KEYS, Seed, Shape, Tree};
use wgpu::{Buffer, BufferUsages, CommandEncoder, ComputePipeline};

/// Bytes of the product that exist at once: a round is done in strips of rows, so that the largest
/// side needs no more than B and this. Every chip binds so much.
const STRIP_BYTES: u64 = 64 << 20;
/// The shader, but for what multiplies on matrix units.
pub(super) const TEXT: [&str; 2] = [include_str!("hash.wgsl"), include_str!("product.wgsl")];

/// What one kind of units multiplies with.
pub(super) struct Program {
    /// What stands before the shader: of the integers, nothing.
    pub(super) text: String,
    /// The product's entry point.
    pub(super) multiply: &'static str,
    /// Rows and columns of a workgroup.
    pub(super) tile: u32,
    /// Entries that it multiplies.
    pub(super) takes: &'static [Entries],
}

/// A chip that multiplies, expands and hashes.
pub struct Gpu {
    device: Device,
    kernels: Kernels,
    tile: u32,
    takes: &'static [Entries],
    /// Bytes of the product that exist at once.
    strip: u64,
    loaded: Option<Loaded>,
}

struct Kernels {
    expand_a: ComputePipeline,
    expand_b: ComputePipeline,
    multiply: ComputePipeline,
    leaves: ComputePipeline,
    nodes: ComputePipeline,
}

/// What stays for an hour.
struct Loaded {
    shape: Shape,
    /// Rows of a strip.
    rows: u32,
    b: Buffer,
    a: Buffer,
    product: Buffer,
    /// Hashes of a strip: leaves and nodes in turn.
    levels: [Buffer; 2],
}

/// As the shader has them.
#[derive(Clone, Copy, Default)]
struct Params {
    seed: [u32; 8],
    key: [u32; 8],
    rest: [u32; 8],
}

impl Gpu {
    /// Opens a chip's integer units, and compares what it finds with the processor's.
    pub fn open(chip: &Chip) -> Result<Self, GpuError> {
        Self::open_with(chip, TEXT, STRIP_BYTES)
    }

    fn open_with(chip: &Chip, text: [&str; 2], strip: u64) -> Result<Self, GpuError> {
        let program = Program {
            text: String::new(),
            multiply: "multiply",
            tile: 128,
            takes: &[Entries::Byte, Entries::Nibble],
        };
        Self::build_with(Device::open(chip)?, &program, text, strip)
    }

    /// With a program for other units, which is compared likewise.
    pub(super) fn build(device: Device, program: &Program) -> Result<Self, GpuError> {
        Self::build_with(device, program, TEXT, STRIP_BYTES)
    }

    fn build_with(
        device: Device,
        program: &Program,
        text: [&str; 2],
        strip: u64,
    ) -> Result<Self, GpuError> {
        let module = device.shader(&format!("{}{}", program.text, text.concat()));
        let kernels = Kernels {
            expand_a: device.pipeline(&module, "expand_a"),
            expand_b: device.pipeline(&module, "expand_b"),
            multiply: device.pipeline(&module, program.multiply),
            leaves: device.pipeline(&module, "leaves"),
            nodes: device.pipeline(&module, "nodes"),
        };
        device.check()?;
        let (tile, takes) = (program.tile, program.takes);
        let mut gpu = Self { device, kernels, tile, takes, strip, loaded: None };
        gpu.compare()?;
        Ok(gpu)
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// A round of each kind of entries, of more than one tile.
    fn compare(&mut self) -> Result<(), GpuError> {
        for entries in self.takes {
            let Ok(shape) = Shape::new(*entries, 256, 64) else { continue };
            let (shared, own) = (Seed([0x5a; 32]), Seed([0xa5; 32]));
            let mut cpu = Cpu::new(1);
            let Ok(()) = cpu.load(shape, &shared.matrix(shape));
            let mut expected = vec![0; 256 * 256];
            let Ok(()) = cpu.product(&own.matrix(shape), &mut expected);
            self.begin(shape, &shared)?;
            let mut found = vec![0; 256 * 256];
            self.product(&own.matrix(shape), &mut found)?;
            if found != expected {
                return Err(GpuError::Wrong("products"));
            }
            let tree = Tree::new(crate::hashes(shape, 7, 0, &expected));
            if self.round(&own, 7, shape.depth())? != Some(vec![tree.root()]) {
                return Err(GpuError::Wrong("rounds"));
            }
        }
        self.loaded = None;
        Ok(())
    }

    fn allocate(&mut self, shape: Shape) -> Result<(), GpuError> {
        if !self.takes.contains(&shape.entries()) {
            return Err(GpuError::Entries);
        }
        // The old hour's buffers go before the new one's come.
        self.loaded = None;
        let side = shape.side() as u64;
        let rows = (self.strip / 4 / side).min(side);
        let leaves = rows * shape.segments() as u64;
        let device = &self.device;
        self.loaded = Some(Loaded {
            shape,
            rows: rows as u32,
            b: device.buffer(side * side)?,
            a: device.buffer(rows * side)?,
            product: device.buffer(rows * side * 4)?,
            levels: [device.buffer(leaves * 32)?, device.buffer(leaves * 16)?],
        });
        Ok(())
    }

    fn params(&self, params: Params) -> Buffer {
        let words = [params.seed, params.key, params.rest].concat();
        self.device.filled(&words, BufferUsages::UNIFORM)
    }

    fn multiply(
        &self,
        encoder: &mut CommandEncoder,
        params: &Buffer,
        [rows, columns]: [u32; 2],
        [a, b, c]: [&Buffer; 3],
    ) {
        let grid = [columns.div_ceil(self.tile), rows.div_ceil(self.tile)];
        let bound = [(0, params), (1, a), (2, b), (4, c)];
        self.device.run_grid(encoder, &self.kernels.multiply, &bound, grid);
    }

    /// The product of packed matrices, of so many rows and columns and any depth.
    pub(super) fn deep(
        &self,
        a: &Buffer,
        b: &Buffer,
        side: u32,
        depth: u32,
    ) -> Result<Vec<i32>, GpuError> {
        let rest = [side, side, 0, 0, 0, 0, depth, 0];
        let uniform = self.params(Params { rest, ..Params::default() });
        let bytes = u64::from(side * side * 4);
        let c = self.device.buffer(bytes)?;
        let mut encoder = self.device.encoder();
        self.multiply(&mut encoder, &uniform, [side, side], [a, b, &c]);
        Ok(sums(&self.device.read(encoder, &c, bytes)?))
    }

    /// A strip of a round, up to the hashes at `height`, which go to `into` from `at` on.
    fn strip(
        &self,
        loaded: &Loaded,
        base: Params,
        first: u32,
        height: usize,
        into: (&Buffer, u32),
    ) {
        let (device, kernels) = (&self.device, &self.kernels);
        let mut encoder = device.encoder();
        let side = loaded.shape.side() as u32;
        let mut params = base;
        params.rest[2] = first;
        let uniform = self.params(params);
        let blocks = loaded.rows * (side / 64);
        let bound = [(0, &uniform), (3, &loaded.a)];
        device.run(&mut encoder, &kernels.expand_a, &bound, blocks.div_ceil(GROUP));
        let to = [&loaded.a, &loaded.b, &loaded.product];
        self.multiply(&mut encoder, &uniform, [loaded.rows, side], to);
        let mut count = loaded.rows * loaded.shape.segments() as u32;
        for level in 0..=height {
            let last = level == height;
            let to = if last { into.0 } else { &loaded.levels[level % 2] };
            params.key = words(&KERNEL_KEYS[usize::from(level > 0)]);
            params.rest[6..].copy_from_slice(&[count, if last { into.1 } else { 0 }]);
            let uniform = self.params(params);
            let groups = count.div_ceil(GROUP);
            if level == 0 {
                let bound = [(0, &uniform), (5, &loaded.product), (7, to)];
                device.run(&mut encoder, &kernels.leaves, &bound, groups);
            } else {
                let bound = [(0, &uniform), (6, &loaded.levels[(level - 1) % 2]), (7, to)];
                device.run(&mut encoder, &kernels.nodes, &bound, groups);
            }
            count /= 2;
        }
        device.queue.submit([encoder.finish()]);
    }

    fn loaded(&self) -> &Loaded {
        self.loaded.as_ref().expect("B was loaded before")
    }
}

fn base(shape: Shape, seed: &Seed, rows: u32, round: u32) -> Params {
    let nibble = u32::from(shape.entries() == Entries::Nibble);
    let (side, width) = (shape.side() as u32, shape.width() as u32);
    let rest = [side, rows, 0, nibble, width, round, side, 0];
    Params { seed: words(&seed.0), key: [0; 8], rest }
}

/// Packed along the depth: word `q x columns + j` from four entries of each.
pub(super) fn packed(columns: usize, depth: usize, entry: impl Fn(usize, usize) -> i8) -> Vec<u32> {
    let word = |n: usize| {
        let (q, j) = (n / columns, n % columns);
        u32::from_le_bytes(std::array::from_fn(|k| entry(4 * q + k, j) as u8))
    };
    (0..columns * depth / 4).map(word).collect()
}

/// Bytes of a product as its entries.
fn sums(bytes: &[u8]) -> Vec<i32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect()
}

impl Kernel for Gpu {
    type Error = GpuError;

    fn load(&mut self, shape: Shape, b: &[i8]) -> Result<(), GpuError> {
        let side = shape.side();
        assert_eq!(b.len(), side * side);
        self.allocate(shape)?;
        let words = packed(side, side, |k, j| b[k * side + j]);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.device.queue.write_buffer(&self.loaded().b, 0, &bytes);
        self.device.check()
    }

    fn begin(&mut self, shape: Shape, seed: &Seed) -> Result<(), GpuError> {
        self.allocate(shape)?;
        let loaded = self.loaded();
        let uniform = self.params(base(shape, seed, loaded.rows, 0));
        let mut encoder = self.device.encoder();
        let side = shape.side() as u32;
        let groups = (side / 4 * (side / 64)).div_ceil(GROUP);
        let bound = [(0, &uniform), (3, &loaded.b)];
        self.device.run(&mut encoder, &self.kernels.expand_b, &bound, groups);
        self.device.queue.submit([encoder.finish()]);
        self.device.wait()
    }

    fn product(&mut self, rows: &[i8], into: &mut [i32]) -> Result<(), GpuError> {
        assert_eq!(rows.len(), into.len());
        let loaded = self.loaded();
        let side = loaded.shape.side();
        for (rows, into) in rows
            .chunks(loaded.rows as usize * side)
            .zip(into.chunks_mut(loaded.rows as usize * side))
        {
            let count = rows.len() / side;
            // Rows that are missing from the last four are zeros.
            let whole = count.next_multiple_of(4);
            let words = packed(whole, side, |k, i| rows.get(i * side + k).copied().unwrap_or(0));
            let a = self.device.filled(&words, BufferUsages::STORAGE);
            let seed = Seed([0; 32]);
            let uniform = self.params(base(loaded.shape, &seed, whole as u32, 0));
            let mut encoder = self.device.encoder();
            let to = [&a, &loaded.b, &loaded.product];
            self.multiply(&mut encoder, &uniform, [whole as u32, side as u32], to);
            let bytes = self.device.read(encoder, &loaded.product, (rows.len() * 4) as u64)?;
            into.copy_from_slice(&sums(&bytes));
        }
        Ok(())
    }

    fn round(
        &mut self,
        seed: &Seed,
        round: u32,
        height: usize,
    ) -> Result<Option<Vec<Hash>>, GpuError> {
        let loaded = self.loaded();
        let shape = loaded.shape;
        let leaves = loaded.rows as usize * shape.segments();
        // The lower levels strip by strip; a few upper ones of many strips are the host's.
        let low = height.min(leaves.trailing_zeros() as usize);
        let found = self.device.buffer((shape.leaves() >> low) as u64 * 32)?;
        let base = base(shape, seed, loaded.rows, round);
        for (strip, first) in (0..shape.side() as u32).step_by(loaded.rows as usize).enumerate() {
            self.strip(loaded, base, first, low, (&found, (strip * (leaves >> low)) as u32));
        }
        let bytes = (shape.leaves() >> low) as u64 * 32;
        let mut level = hashes(&self.device.read(self.device.encoder(), &found, bytes)?);
        for _ in low..height {
            level = level.chunks_exact(2).map(|two| ionet_trust::node(&two[0], &two[1])).collect();
        }
        Ok(Some(level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Prover, chips};
    use ionet_core::DeviceId;
    use ionet_trust::Beacon;

    /// As in `tests/gpu.rs`: none at all is a failure, unless it is asked for.
    fn found() -> Vec<Chip> {
        let found = chips();
        let skipped = std::env::var_os("IONET_NO_GPU_TESTS").is_some();
        assert!(skipped || !found.is_empty(), "no chip: scripts/setup.sh installs software Vulkan");
        found
    }

    fn commitment(kernel: impl Kernel, shape: Shape) -> Option<ionet_trust::Commitment> {
        let mut prover = Prover::start(kernel, shape, Beacon([1; 32]), DeviceId([2; 32])).ok()?;
        prover.round().ok()?.then(|| prover.commitment())
    }

    #[test]
    fn strips_of_any_height_make_one_round() {
        for chip in found() {
            let shape = Shape::new(Entries::Byte, 256, 32).unwrap();
            let expected = commitment(Cpu::new(1), shape);
            for rows in [4, 64, 128, 256] {
                let gpu = Gpu::open_with(&chip, TEXT, rows * 256 * 4).unwrap();
                assert_eq!(commitment(gpu, shape), expected, "{chip}: {rows} rows");
            }
        }
    }

    #[test]
    fn a_chip_that_finds_other_bits_is_not_used() {
        for chip in found() {
            let [hash, product] = TEXT;
            let wrong = hash.replace("turn(b ^ c, 7u)", "turn(b ^ c, 8u)");
            let other = Gpu::open_with(&chip, [&wrong, product], STRIP_BYTES).err();
            // What B grows from is found wrong before its hash.
            assert_eq!(other, Some(GpuError::Wrong("products")), "{chip}");
            let wrong = hash.replace("turn(b ^ c, 25u)", "turn(b ^ c, 26u)");
            let other = Gpu::open_with(&chip, [&wrong, product], STRIP_BYTES).err();
            assert_eq!(other, Some(GpuError::Wrong("rounds")), "{chip}");
            let other = Gpu::open_with(&chip, [hash, "nonsense"], STRIP_BYTES).err();
            assert!(matches!(other, Some(GpuError::Driver(_))), "{chip}: {other:?}");
        }
    }

    #[test]
    fn a_chip_that_goes_away_is_an_error() {
        for chip in found() {
            let shape = Shape::new(Entries::Byte, 64, 32).unwrap();
            let mut gpu = Gpu::open(&chip).unwrap();
            gpu.begin(shape, &Seed([1; 32])).unwrap();
            gpu.device.device.destroy();
            let found = gpu.round(&Seed([1; 32]), 0, 5).err();
            assert!(matches!(found, Some(GpuError::Lost(_))), "{chip}: {found:?}");
            assert!(gpu.product(&[1; 64], &mut [0; 64]).is_err(), "{chip}");
        }
    }

    #[test]
    fn a_side_that_no_binding_holds_is_an_error() {
        for chip in found() {
            let mut gpu = Gpu::open(&chip).unwrap();
            let allowed = gpu.device.device.limits().max_storage_buffer_binding_size;
            let shape = Shape::new(Entries::Byte, ionet_trust::SIDE_MAX, 64).unwrap();
            if allowed < 1 << 32 {
                let found = gpu.begin(shape, &Seed([1; 32])).err();
                assert!(matches!(found, Some(GpuError::Limit { .. })), "{chip}: {found:?}");
            }
        }
    }
}
