//! Chips that `wgpu` reaches: NVIDIA, AMD, Intel, Apple, and processors that stand in for one.
//!
//! The whole round happens on the chip: A grows there, is multiplied, and its leaves and the lower
//! part of their tree are hashed there; the host reads back what it keeps. All of it is integers,
//! so every chip finds the same bits; [`Gpu::open`] compares them with the processor's before the
//! chip is used at all.
//!
//! [`Gpu::open`] multiplies with the shader's integers, [`Gpu::open_matrix`] with matrix units, for
//! those chips that have them. They are two rates: neither ever stands in for the other.

mod chip;
mod device;
mod matrix;
mod memory;
mod product;

pub use chip::{Chip, chips};
pub use device::GpuError;
pub use matrix::{MatrixEntry, MatrixUnits};
pub use memory::Vram;
pub use product::Gpu;
