//! The product on matrix units: NVIDIA's tensor cores and AMD's units through Vulkan's cooperative
//! matrices, Apple's simdgroup matrices through Metal. One text for all of them, which differs in
//! the tiles that a chip's units multiply and in the floats that they take.

use super::chip::Chip;
use super::device::{Device, GpuError};
use super::product::{Gpu, Program, packed};
use crate::{Cpu, Kernel};
use ionet_trust::{Entries, SIDE_MAX, Seed, Shape};
use std::fmt;
use wgpu::{BufferUsages, CooperativeScalarType, Features};

const TEXT: &str = include_str!("matrix.wgsl");
/// Asks how many invocations a subgroup has: no driver says it before it compiles.
const PROBE: &str = "
@group(0) @binding(3) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(128)
fn probe(
    @builtin(subgroup_size) size: u32,
    @builtin(local_invocation_index) local: u32,
) {
    if local == 0u {
        words[0] = size;
    }
}
";
/// Largest subgroup of any chip that is known.
const LANES_MAX: u32 = 128;

/// What matrix units multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatrixEntry {
    /// Floats of 16 bits, summed in 32.
    Half,
    /// Floats of 32 bits.
    Single,
}

/// One way to multiply on a chip's matrix units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixUnits {
    /// Rows and columns of a tile: 8 or 16.
    pub side: u32,
    /// What entries become.
    pub entry: MatrixEntry,
}

impl fmt::Display for MatrixUnits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.entry {
            MatrixEntry::Half => "f16",
            MatrixEntry::Single => "f32",
        };
        write!(f, "{0}x{0} {kind}", self.side)
    }
}

/// What `matrix.wgsl` is written for, the most promising first.
const KNOWN: [MatrixUnits; 4] = [
    MatrixUnits { side: 16, entry: MatrixEntry::Half },
    MatrixUnits { side: 8, entry: MatrixEntry::Half },
    MatrixUnits { side: 16, entry: MatrixEntry::Single },
    MatrixUnits { side: 8, entry: MatrixEntry::Single },
];

impl MatrixUnits {
    fn features(self) -> Features {
        let units = Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SUBGROUP;
        match self.entry {
            MatrixEntry::Half => units | Features::SHADER_F16,
            MatrixEntry::Single => units,
        }
    }

    /// Rows and columns of a workgroup, as in the shader.
    const fn tile(self) -> u32 {
        8 * self.side
    }

    /// Entries from a row to the next in a workgroup's memory: 32, and 16 bytes more.
    const fn pitch(self) -> u32 {
        match self.entry {
            MatrixEntry::Half => 40,
            MatrixEntry::Single => 36,
        }
    }

    /// Bytes of a workgroup's memory.
    const fn workgroup_bytes(self) -> u32 {
        let entry = match self.entry {
            MatrixEntry::Half => 2,
            MatrixEntry::Single => 4,
        };
        2 * self.tile() * self.pitch() * entry + 4 * self.side * self.side * 4
    }

    /// What stands before the shader's text, after what it enables.
    ///
    /// `apart` makes floats of a word's four half bytes without a conversion, of which chips do few
    /// at once: -8 to 7 are 0 to 15 above -8, and those are the last bits of a float that is 2^10,
    /// or 2^23. The order within the word is of no account: A and B have the same.
    fn constants(self, lanes: u32) -> String {
        let Self { side, .. } = self;
        let pitch = self.pitch();
        let entry = match self.entry {
            MatrixEntry::Half => {
                "alias Entry = f16;
fn apart(word: u32) -> vec4<f16> {
    let even = (word & 0x000f000fu) ^ 0x64086408u;
    let odd = ((word >> 8u) & 0x000f000fu) ^ 0x64086408u;
    let floats = vec4(unpack2x16float(even), unpack2x16float(odd));
    return vec4<f16>(floats) - vec4<f16>(1032.0h);
}
"
            }
            MatrixEntry::Single => {
                "alias Entry = f32;
fn apart(word: u32) -> vec4<f32> {
    let nibbles = (vec4(word) >> vec4(0u, 8u, 16u, 24u)) & vec4(15u);
    return bitcast<vec4<f32>>(nibbles ^ vec4(0x4b000008u)) - vec4(8388616.0);
}
"
            }
        };
        format!("const SIDE = {side}u;\nconst LANES = {lanes}u;\nconst PITCH = {pitch}u;\n{entry}")
    }

    fn text(self, lanes: u32) -> String {
        let half = if self.entry == MatrixEntry::Half { "enable f16;\n" } else { "" };
        let tile = format!("coop_mat{0}x{0}", self.side);
        let text = TEXT.replace("TILE_OF", &tile);
        format!("{half}enable wgpu_cooperative_matrix;\n{}{text}", self.constants(lanes))
    }

    fn program(self, text: String) -> Program {
        Program { text, multiply: "multiply_tiles", tile: self.tile(), takes: &[Entries::Nibble] }
    }
}

/// Which of the ways that are known a driver says it has.
pub(super) fn units(adapter: &wgpu::Adapter) -> Vec<MatrixUnits> {
    let features = adapter.features();
    let said = adapter.cooperative_matrix_properties();
    let has = |units: &MatrixUnits| {
        let entry = match units.entry {
            MatrixEntry::Half => CooperativeScalarType::F16,
            MatrixEntry::Single => CooperativeScalarType::F32,
        };
        features.contains(units.features())
            && said.iter().any(|p| {
                [p.m_size, p.n_size, p.k_size] == [units.side; 3]
                    && (p.ab_type, p.cr_type) == (entry, CooperativeScalarType::F32)
            })
    };
    KNOWN.into_iter().filter(has).collect()
}

/// Opens a chip for one way, and compares what it finds.
pub(super) fn open_with(
    chip: &Chip,
    units: MatrixUnits,
    text: impl Fn(u32) -> String,
) -> Result<Gpu, GpuError> {
    let device = Device::open_with(chip, units.features())?;
    let allowed = device.device.limits().max_compute_workgroup_storage_size;
    if units.workgroup_bytes() > allowed {
        let needed = units.workgroup_bytes().into();
        return Err(GpuError::Limit { needed, allowed: allowed.into() });
    }
    let lanes = lanes(&device)?;
    let gpu = Gpu::build(device, &units.program(text(lanes)))?;
    compare_largest(&gpu)?;
    Ok(gpu)
}

impl Gpu {
    /// Opens a chip's matrix units in the first way in which they find the processor's bits. What
    /// it returns multiplies half bytes, and nothing else.
    pub fn open_matrix(chip: &Chip) -> Result<Self, GpuError> {
        let mut failed = None;
        for units in &chip.matrix {
            match Self::open_matrix_with(chip, *units) {
                Ok(gpu) => return Ok(gpu),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or(GpuError::NoMatrixUnits))
    }

    /// The same in one way only.
    pub fn open_matrix_with(chip: &Chip, units: MatrixUnits) -> Result<Self, GpuError> {
        if !chip.matrix.contains(&units) {
            return Err(GpuError::NoMatrixUnits);
        }
        open_with(chip, units, |lanes| units.text(lanes))
    }
}

/// Invocations of a subgroup. Should the driver compile the product for others, it finds other
/// bits, and is not used.
fn lanes(device: &Device) -> Result<u32, GpuError> {
    let pipeline = device.pipeline(&device.shader(PROBE), "probe");
    let into = device.buffer(4)?;
    let mut encoder = device.encoder();
    device.run(&mut encoder, &pipeline, &[(3, &into)], 1);
    let found = device.read(encoder, &into, 4)?;
    let lanes = found.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    if lanes.is_power_of_two() && lanes <= LANES_MAX {
        Ok(lanes)
    } else {
        Err(GpuError::Driver(format!("a subgroup of {lanes} invocations")))
    }
}

/// Sums as large as the largest side makes them, with small ones on top: whoever adds up in fewer
/// bits than 23 loses those.
fn compare_largest(gpu: &Gpu) -> Result<(), GpuError> {
    let Ok(shape) = Shape::new(Entries::Nibble, 64, 64) else { return Ok(()) };
    let (a, b) = (Seed([0x5a; 32]).matrix(shape), Seed([0xa5; 32]).matrix(shape));
    let mut cpu = Cpu::new(1);
    let Ok(()) = cpu.load(shape, &b);
    let mut expected = vec![0; 64 * 64];
    let Ok(()) = cpu.product(&a, &mut expected);
    // All the depth before these 64 is the least entry times itself.
    let (depth, before) = (SIDE_MAX as usize, SIDE_MAX as usize - 64);
    for sum in &mut expected {
        *sum += 64 * before as i32;
    }
    let deep = |entry: &dyn Fn(usize, usize) -> i8| {
        packed(64, depth, |k, j| k.checked_sub(before).map_or(-8, |k| entry(k, j)))
    };
    let left = gpu.device().filled(&deep(&|k, i| a[i * 64 + k]), BufferUsages::STORAGE);
    let right = gpu.device().filled(&deep(&|k, j| b[k * 64 + j]), BufferUsages::STORAGE);
    if gpu.deep(&left, &right, 64, SIDE_MAX)? != expected {
        return Err(GpuError::Wrong("largest sums"));
    }
    Ok(())
}
