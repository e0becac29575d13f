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
const KNOWN: [MatrixUnits; 3] = [
    MatrixUnits { side: 16, entry: MatrixEntry::Half },
    MatrixUnits { side: 8, entry: MatrixEntry::Half },
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

/// A chip with a program for its matrix units, if it finds the processor's bits, also in sums of so
/// many products.
fn compared(device: Device, units: MatrixUnits, text: String, depth: u32) -> Result<Gpu, GpuError> {
    let allowed = device.device.limits().max_compute_workgroup_storage_size;
    let needed = units.workgroup_bytes();
    if needed > allowed {
        return Err(GpuError::Limit { needed: needed.into(), allowed: allowed.into() });
    }
    let gpu = Gpu::build(device, &units.program(text))?;
    compare_largest(&gpu, depth)?;
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
        let device = Device::open_with(chip, units.features())?;
        let lanes = lanes(&device)?;
        compared(device, units, units.text(lanes), SIDE_MAX)
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

/// Sums as large as a depth makes them, with small ones on top: whoever adds up in fewer bits than
/// both have together, 23 for the largest side, loses the small ones.
fn compare_largest(gpu: &Gpu, depth: u32) -> Result<(), GpuError> {
    let Ok(shape) = Shape::new(Entries::Nibble, 64, 64) else { return Ok(()) };
    let (a, b) = (Seed([0x5a; 32]).matrix(shape), Seed([0xa5; 32]).matrix(shape));
    let mut cpu = Cpu::new(1);
    let Ok(()) = cpu.load(shape, &b);
    let mut expected = vec![0; 64 * 64];
    let Ok(()) = cpu.product(&a, &mut expected);
    // All the depth before these 64 is the least entry times itself.
    let before = depth as usize - 64;
    for sum in &mut expected {
        *sum += 64 * before as i32;
    }
    let deep = |entry: &dyn Fn(usize, usize) -> i8| {
        packed(64, depth as usize, |k, j| k.checked_sub(before).map_or(-8, |k| entry(k, j)))
    };
    let left = gpu.device().filled(&deep(&|k, i| a[i * 64 + k]), BufferUsages::STORAGE);
    let right = gpu.device().filled(&deep(&|k, j| b[k * 64 + j]), BufferUsages::STORAGE);
    if gpu.deep(&left, &right, 64, depth)? != expected {
        return Err(GpuError::Wrong("largest sums"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Prover, chips};
    use ionet_core::DeviceId;
    use ionet_trust::Beacon;

    /// Lanes of what stands in for a subgroup.
    const LANES: u32 = 32;
    /// Depth of large sums: software Vulkan gives up a shader after some 2^16 turns of its loops.
    const DEPTH: u32 = 1_024;

    /// The kernel with plain loops in place of the units: everything but the units themselves, on
    /// chips that have none. Nothing outside of tests can open it.
    ///
    /// A tile of A or B becomes the place where it is staged; of a tile of sums a lane holds every
    /// `LANES`th; subgroups are neighbouring invocations.
    fn emulated(units: MatrixUnits) -> String {
        let half = if units.entry == MatrixEntry::Half { "enable f16;\n" } else { "" };
        let mut text = TEXT.to_owned();
        for (from, to) in [
            ("alias Left = TILE_OF<Entry, A>;", ""),
            ("alias Right = TILE_OF<Entry, B>;", ""),
            ("alias Sum = TILE_OF<f32, C>;", include_str!("emulated.wgsl")),
            ("    @builtin(subgroup_id) subgroup: u32,\n", ""),
            ("let own = subgroup % 4u;", "let own = local / LANES; lane = local % LANES;"),
            ("coopLoadT<Left>(&staged[", "left_tile("),
            ("coopLoad<Right>(&staged[", "right_tile("),
            ("coopLoadT<Sum>(&sums[", "sum_tile("),
            ("coopMultiplyAdd(", "multiplied("),
            ("coopStoreT(", "stored("),
            ("], PITCH)", ")"),
            ("], SIDE)", ")"),
            ("&sums[", ""),
        ] {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        assert!(!text.contains("coop"), "something is left to the units");
        format!("{half}{}{text}", units.constants(LANES))
    }

    fn open_emulated(chip: &Chip, units: MatrixUnits, text: String) -> Result<Gpu, GpuError> {
        let half = units.features() & Features::SHADER_F16;
        compared(Device::open_with(chip, half)?, units, text, DEPTH)
    }

    /// As in `tests/gpu.rs`: none at all is a failure, unless it is asked for.
    fn ways() -> Vec<(Chip, MatrixUnits)> {
        let found = chips();
        let skipped = std::env::var_os("IONET_NO_GPU_TESTS").is_some();
        assert!(skipped || !found.is_empty(), "no chip: scripts/setup.sh installs software Vulkan");
        let half = |chip: &Chip| chip.adapter.features().contains(Features::SHADER_F16);
        let of = |chip: Chip| KNOWN.map(|units| (chip.clone(), units));
        let all = found.into_iter().flat_map(of);
        all.filter(|(chip, units)| units.entry == MatrixEntry::Single || half(chip)).collect()
    }

    /// No chip is asked: this is what is known of ways that no driver here has.
    #[test]
    fn the_text_of_every_way_is_valid() {
        use wgpu::naga::front::wgsl::{Frontend, Options};
        use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
        for units in KNOWN {
            for lanes in [8, 16, 32, 64] {
                let text = units.text(lanes) + &super::super::product::TEXT.concat();
                let capabilities = Capabilities::COOPERATIVE_MATRIX
                    | Capabilities::SUBGROUP
                    | Capabilities::SHADER_FLOAT16
                    | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
                let options = Options { capabilities, ..Options::new() };
                let module = Frontend::new_with_options(options).parse(&text);
                let module = module.unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
                let valid = Validator::new(ValidationFlags::all(), capabilities).validate(&module);
                assert!(valid.is_ok(), "{units}: {valid:?}");
            }
        }
    }

    #[test]
    fn whatever_surrounds_the_units_makes_the_processors_rounds() {
        for (chip, units) in ways() {
            let shape = Shape::new(Entries::Nibble, 512, 64).unwrap();
            let (beacon, device) = (Beacon([1; 32]), DeviceId([2; 32]));
            let gpu = open_emulated(&chip, units, emulated(units)).unwrap();
            let mut found = Prover::start(gpu, shape, beacon, device).unwrap();
            let mut cpus = Prover::start(Cpu::new(1), shape, beacon, device).unwrap();
            assert!(found.round().unwrap() && cpus.round().unwrap());
            assert_eq!(found.commitment(), cpus.commitment(), "{chip}, {units}");
        }
    }

    #[test]
    fn units_that_lose_the_last_bits_of_large_sums_are_not_used() {
        for (chip, units) in ways() {
            let text = emulated(units);
            // As if a sum had 14 bits: enough for the sides that are compared otherwise.
            let short = "c.entries[i] = bitcast<f32>(bitcast<u32>(sum) & 0xfffffc00u);";
            let short = text.replace("c.entries[i] = sum;", short);
            assert_ne!(short, text);
            let other = open_emulated(&chip, units, short).err();
            assert_eq!(other, Some(GpuError::Wrong("largest sums")), "{chip}, {units}");
        }
    }

    #[test]
    fn a_chip_whose_units_find_other_bits_is_not_used() {
        for (chip, units) in ways() {
            let wrong = emulated(units).replace("settle(2u, 3u", "settle(3u, 2u");
            let other = open_emulated(&chip, units, wrong).err();
            assert_eq!(other, Some(GpuError::Wrong("products")), "{chip}, {units}");
        }
    }
}
