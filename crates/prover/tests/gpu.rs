//! Chips find the processor's bits. Without any chip these tests fail, unless `IONET_NO_GPU_TESTS`
//! is set: software Vulkan (Debian's `mesa-vulkan-drivers`) is chip enough.

use ionet_core::DeviceId;
use ionet_prover::{
    Chip, Cpu, Gpu, GpuError, Kernel, MatrixUnits, Passes, Prover, Ram, Vram, chips,
};
use ionet_trust::memory::{Memory, PAGE_BYTES, Verifier};
use ionet_trust::{Beacon, Challenge, Entries, Hour, Secret, Seed, Shape};
use std::io::Write;

/// All chips; software ones are enough.
fn found_chips() -> Vec<Chip> {
    let found = chips();
    let skipped = std::env::var_os("IONET_NO_GPU_TESTS").is_some();
    assert!(skipped || !found.is_empty(), "no chip: scripts/setup.sh installs software Vulkan");
    found
}

fn hour(shape: Shape, start: Beacon) -> Hour {
    let (secret, late) = (Secret([4; 32]), Beacon([5; 32]));
    let challenge = Challenge::new(&start, &late, &secret, &secret.precommitment()).unwrap();
    Hour::new(shape, start, challenge, 40)
}

#[test]
fn rounds_of_every_shape_are_the_processors() {
    for chip in found_chips() {
        let (start, device) = (Beacon([9; 32]), DeviceId([3; 32]));
        for (entries, side, width) in [
            (Entries::Byte, 64, 64),
            (Entries::Byte, 64, 1),
            (Entries::Byte, 128, 8),
            (Entries::Nibble, 256, 256),
            (Entries::Nibble, 512, 32),
            (Entries::Byte, 512, 512),
            (Entries::Byte, 1024, 1024),
        ] {
            let shape = Shape::new(entries, side, width).unwrap();
            let mut chips = Prover::start(Gpu::open(&chip).unwrap(), shape, start, device).unwrap();
            let mut cpus = Prover::start(Cpu::new(2), shape, start, device).unwrap();
            for _ in 0..2 {
                assert!(chips.round().unwrap() && cpus.round().unwrap());
            }
            assert_eq!(chips.commitment(), cpus.commitment(), "{chip}: {shape}");
            let hour = hour(shape, start);
            let proof = chips.open(&hour.asks(device, 2)).unwrap();
            assert_eq!(hour.verify(device, &chips.commitment(), &proof), Ok(2), "{chip}: {shape}");
        }
    }
}

/// Every way to multiply on matrix units, of all chips. Often there is none, which is said.
fn matrix_units() -> Vec<(Chip, MatrixUnits)> {
    let mut found = Vec::new();
    for chip in found_chips() {
        found.extend(chip.matrix.iter().map(|units| (chip.clone(), *units)));
    }
    if found.is_empty() {
        // Written, not printed: a test that passes shows nothing of what it prints.
        let told = writeln!(std::io::stderr(), "skipped: no driver here shows matrix units");
        told.unwrap();
    }
    found
}

#[test]
fn rounds_on_matrix_units_are_the_processors() {
    for (chip, units) in matrix_units() {
        let (start, device) = (Beacon([9; 32]), DeviceId([3; 32]));
        for (side, width) in [(64, 64), (64, 1), (128, 8), (256, 256), (512, 32), (1024, 1024)] {
            let shape = Shape::new(Entries::Nibble, side, width).unwrap();
            let gpu = Gpu::open_matrix_with(&chip, units).unwrap();
            let mut chips = Prover::start(gpu, shape, start, device).unwrap();
            let mut cpus = Prover::start(Cpu::new(2), shape, start, device).unwrap();
            for _ in 0..2 {
                assert!(chips.round().unwrap() && cpus.round().unwrap());
            }
            let commitment = chips.commitment();
            assert_eq!(commitment, cpus.commitment(), "{chip}, {units}: {shape}");
            let hour = hour(shape, start);
            let proof = chips.open(&hour.asks(device, 2)).unwrap();
            assert_eq!(hour.verify(device, &commitment, &proof), Ok(2), "{chip}, {units}: {shape}");
        }
    }
}

#[test]
fn any_rows_of_half_bytes_are_multiplied_on_matrix_units() {
    for (chip, units) in matrix_units() {
        let mut gpu = Gpu::open_matrix_with(&chip, units).unwrap();
        for side in [64, 256, 2048] {
            let shape = Shape::new(Entries::Nibble, side, 64).unwrap();
            for b in [Seed([1; 32]).matrix(shape), vec![-8; (side * side) as usize]] {
                let mut cpu = Cpu::new(1);
                cpu.load(shape, &b).unwrap();
                gpu.load(shape, &b).unwrap();
                for rows in [1, 3, 4, 63] {
                    let a = &Seed([rows; 32]).matrix(shape)[..usize::from(rows) * side as usize];
                    let (mut found, mut expected) = (vec![7; a.len()], vec![8; a.len()]);
                    gpu.product(a, &mut found).unwrap();
                    cpu.product(a, &mut expected).unwrap();
                    assert_eq!(found, expected, "{chip}, {units}: {shape}, {rows} rows");
                }
            }
        }
    }
}

#[test]
fn matrix_units_take_half_bytes_and_nothing_else() {
    for chip in found_chips() {
        let shape = Shape::new(Entries::Byte, 64, 64).unwrap();
        match Gpu::open_matrix(&chip) {
            Ok(mut gpu) => {
                assert!(!chip.matrix.is_empty(), "{chip}");
                let begun = gpu.begin(shape, &Seed([1; 32]));
                assert_eq!(begun, Err(GpuError::Entries), "{chip}");
            }
            // Nothing stands in for units that are not there.
            Err(error) => assert_eq!((error, chip.matrix.len()), (GpuError::NoMatrixUnits, 0)),
        }
    }
}

#[test]
fn any_rows_with_any_b_are_multiplied() {
    for chip in found_chips() {
        let mut gpu = Gpu::open(&chip).unwrap();
        for (entries, side) in [(Entries::Byte, 64), (Entries::Nibble, 256)] {
            let shape = Shape::new(entries, side, 64).unwrap();
            for b in [Seed([1; 32]).matrix(shape), vec![i8::MIN; (side * side) as usize]] {
                let mut cpu = Cpu::new(1);
                cpu.load(shape, &b).unwrap();
                gpu.load(shape, &b).unwrap();
                for rows in [1, 3, 4, 63] {
                    let a = &Seed([rows; 32]).matrix(shape)[..usize::from(rows) * side as usize];
                    let (mut found, mut expected) = (vec![7; a.len()], vec![8; a.len()]);
                    gpu.product(a, &mut found).unwrap();
                    cpu.product(a, &mut expected).unwrap();
                    assert_eq!(found, expected, "{chip}: {shape}, {rows} rows");
                }
            }
        }
    }
}

#[test]
fn passes_over_any_memory_in_any_chunks_are_proven() {
    for chip in found_chips() {
        for (pages, chunk) in [(64, 1), (72, 1 << 40), (240, 100), (3 << 15, 40_000)] {
            let memory = Memory::new(pages * PAGE_BYTES as u64).unwrap();
            // A page a chunk would be more bindings than some chips have.
            let chunk = chunk.max(pages.div_ceil(4));
            let (beacon, device) = (Beacon([1; 32]), DeviceId([3; 32]));
            let vram = Vram::open_with(&chip, chunk).unwrap();
            let mut chips = Passes::start(vram, memory, beacon, device, 2).unwrap();
            let mut cpus = Passes::start(Ram::new(2), memory, beacon, device, 2).unwrap();
            for _ in 0..3 {
                assert!(chips.pass().unwrap() && cpus.pass().unwrap());
            }
            let commitment = chips.commitment();
            assert_eq!(commitment, cpus.commitment(), "{chip}: {pages} pages");
            let (secret, late) = (Secret([4; 32]), Beacon([5; 32]));
            let challenge = Challenge::new(&beacon, &late, &secret, &secret.precommitment());
            let asked = chips.trail().openings(&challenge.unwrap(), 16);
            let proof = chips.open(&asked).unwrap();
            let verifier = Verifier::new(memory, beacon, challenge.unwrap(), 16);
            assert_eq!(verifier.verify(device, 2, &commitment, &proof), Ok(3), "{chip}: {pages}");
        }
    }
}

#[test]
fn memory_that_a_chip_has_not_is_an_error() {
    for chip in found_chips() {
        let memory = Memory::new(1 << 40).unwrap();
        let vram = Vram::open_with(&chip, 1 << 11).unwrap();
        let allowed = vram.bytes_max();
        let found = Passes::start(vram, memory, Beacon([1; 32]), DeviceId([3; 32]), 2).err();
        assert_eq!(found, Some(GpuError::Limit { needed: 1 << 40, allowed }), "{chip}");
    }
}
