//! Chips that `wgpu` reaches: NVIDIA, AMD, Intel, Apple, and processors that stand in for one.
//!
//! The whole round happens on the chip: A grows there, is multiplied, and its leaves and the lower
//! part of their tree are hashed there; the host reads back what it keeps. All of it is integers,
//! so every chip finds the same bits; [`Gpu::open`] compares them with the processor's before the
//! chip is used at all.
//!
//! **Not here: matrix units.** What `wgpu` offers of cooperative matrices multiplies single floats
//! eight by eight on Apple's chips and is not found on most others; whoever has them can be
//! measured with shader integers alone, so a matrix rate stays *claimed*. Half bytes are
//! multiplied exactly, by the shader.

mod chip;
mod device;
mod memory;
mod product;

pub use chip::{Chip, chips};
pub use device::GpuError;
pub use memory::Vram;
pub use product::Gpu;
