//! The processor or a chip, by what a device is.

use crate::{Cpu, Gpu, GpuError, Kernel, Ram, RamError, Streamer, Vram};
use ionet_trust::memory::{Page, Pairing, PassKey, Trail};
use ionet_trust::{Hash, Seed, Shape};

/// A processor's kernel or a chip's.
pub enum AnyKernel {
    /// Threads of the processor.
    Cpu(Cpu),
    /// A chip.
    Gpu(Box<Gpu>),
}

impl Kernel for AnyKernel {
    type Error = GpuError;

    fn load(&mut self, shape: Shape, b: &[i8]) -> Result<(), GpuError> {
        match self {
            Self::Cpu(cpu) => cpu.load(shape, b).map_err(|never| match never {}),
            Self::Gpu(gpu) => gpu.load(shape, b),
        }
    }

    fn begin(&mut self, shape: Shape, seed: &Seed) -> Result<(), GpuError> {
        match self {
            Self::Cpu(cpu) => cpu.begin(shape, seed).map_err(|never| match never {}),
            Self::Gpu(gpu) => gpu.begin(shape, seed),
        }
    }

    fn round(
        &mut self,
        seed: &Seed,
        round: u32,
        height: usize,
    ) -> Result<Option<Vec<Hash>>, GpuError> {
        match self {
            Self::Cpu(cpu) => cpu.round(seed, round, height).map_err(|never| match never {}),
            Self::Gpu(gpu) => gpu.round(seed, round, height),
        }
    }

    fn threads(&self) -> usize {
        match self {
            Self::Cpu(cpu) => cpu.threads(),
            Self::Gpu(gpu) => gpu.threads(),
        }
    }

    fn product(&mut self, rows: &[i8], into: &mut [i32]) -> Result<(), GpuError> {
        match self {
            Self::Cpu(cpu) => cpu.product(rows, into).map_err(|never| match never {}),
            Self::Gpu(gpu) => gpu.product(rows, into),
        }
    }
}

/// The machine's memory or a chip's.
pub enum AnyStreamer {
    /// The machine's.
    Ram(Ram),
    /// A chip's.
    Vram(Box<Vram>),
}

/// Why either could not stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamerError {
    /// The machine's memory.
    #[error(transparent)]
    Ram(#[from] RamError),
    /// A chip's.
    #[error(transparent)]
    Vram(#[from] GpuError),
}

impl Streamer for AnyStreamer {
    type Error = StreamerError;

    fn grow(&mut self, trail: &Trail, height: usize) -> Result<Vec<Hash>, StreamerError> {
        match self {
            Self::Ram(ram) => Ok(ram.grow(trail, height)?),
            Self::Vram(vram) => Ok(vram.grow(trail, height)?),
        }
    }

    fn pass(&mut self, pairing: &Pairing, key: &PassKey) -> Result<Vec<Hash>, StreamerError> {
        match self {
            Self::Ram(ram) => Ok(ram.pass(pairing, key)?),
            Self::Vram(vram) => Ok(vram.pass(pairing, key)?),
        }
    }

    fn back(&mut self, pairing: &Pairing, key: &PassKey) -> Result<(), StreamerError> {
        match self {
            Self::Ram(ram) => Ok(ram.back(pairing, key)?),
            Self::Vram(vram) => Ok(vram.back(pairing, key)?),
        }
    }

    fn read(&mut self, places: &[u32]) -> Result<Vec<Page>, StreamerError> {
        match self {
            Self::Ram(ram) => Ok(ram.read(places)?),
            Self::Vram(vram) => Ok(vram.read(places)?),
        }
    }
}
