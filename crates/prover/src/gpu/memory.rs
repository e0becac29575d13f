//! The pass over a chip's memory.
//!
//! Pages lie in chunks, each a binding of its own, since no chip binds all of its memory at once
//! (often 2 GiB). What can be bound altogether is [`Vram::bytes_max`]: with 2 GiB and the millions
//! of bindings that NVIDIA's and AMD's drivers allow that is all of an 80 GB card, as far as its
//! memory is free. Apple's chips bind 31 buffers, each as large as half of memory.

use super::chip::Chip;
use super::device::{Device, GROUP, GpuError, hashes, words};
use crate::{Ram, Streamer};
use ionet_core::DeviceId;
use ionet_trust::memory::{Memory, PAGE_BYTES, PAGE_WORDS, Page, Pairing, PassKey, Trail};
use ionet_trust::{Beacon, Hash, KERNEL_KEYS};
use std::fmt::Write;
use wgpu::{Buffer, BufferUsages, ComputePipeline};

/// Bindings besides those of pages.
const BINDINGS: u32 = 5;
/// Most chunks: the driver compiles a branch for each.
const CHUNKS_MAX: u64 = 256;
/// Words of the shader's parameters.
const PARAMS: usize = 60;

/// A chip's memory.
pub struct Vram {
    device: Device,
    /// Pages of a chunk, at the most.
    chunk: u64,
    /// Pairs of a workgroup: as many as its shared memory holds.
    pairs: u32,
    held: Option<Held>,
}

/// What is held for one task.
struct Held {
    memory: Memory,
    height: usize,
    seed: [u32; 8],
    chunks: Vec<Buffer>,
    levels: [Buffer; 2],
    grow: ComputePipeline,
    pass: ComputePipeline,
    back: ComputePipeline,
    gather: ComputePipeline,
    nodes: ComputePipeline,
}

impl Vram {
    /// Opens a chip, and compares what it finds with the processor's. Takes no memory yet.
    pub fn open(chip: &Chip) -> Result<Self, GpuError> {
        Self::open_with(chip, u64::MAX)
    }

    /// The same in chunks of so many pages at the most: for tests of many of them.
    pub fn open_with(chip: &Chip, chunk_pages: u64) -> Result<Self, GpuError> {
        let device = Device::open(chip)?;
        let limits = device.device.limits();
        let bytes = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        let chunk = (bytes / PAGE_BYTES as u64).min(chunk_pages).max(1);
        // Two pages a pair, and the places of both.
        let fits = |pairs: u32| limits.max_compute_workgroup_storage_size >= pairs * (1024 + 8);
        let pairs = if fits(32) { 32 } else { 16 };
        if !fits(pairs) {
            let allowed = limits.max_compute_workgroup_storage_size.into();
            return Err(GpuError::Limit { needed: u64::from(pairs) * 1032, allowed });
        }
        let mut vram = Self { device, chunk, pairs, held: None };
        vram.compare()?;
        Ok(vram)
    }

    /// Bytes that can be bound at once; how many of them are free no driver tells reliably.
    pub fn bytes_max(&self) -> u64 {
        let bindings = self.device.device.limits().max_storage_buffers_per_shader_stage;
        let chunks = u64::from(bindings.saturating_sub(BINDINGS)).min(CHUNKS_MAX);
        chunks.saturating_mul(self.chunk).saturating_mul(PAGE_BYTES as u64)
    }

    /// Grows, passes and goes back over a few pages, beside the machine's own memory.
    fn compare(&mut self) -> Result<(), GpuError> {
        let Ok(memory) = Memory::new(72 * PAGE_BYTES as u64) else { return Ok(()) };
        let mut trail = Trail::new(memory, Beacon([0x5a; 32]), DeviceId([0xa5; 32]), 1);
        let mut ram = Ram::new(1);
        let failed = |_| GpuError::Wrong("comparison");
        for height in [0, 3] {
            let grown = self.grow(&trail, height)?;
            if grown != ram.grow(&trail, height).map_err(failed)? {
                return Err(GpuError::Wrong("pages"));
            }
            trail.push([7; 32]);
            let Some((pairing, key)) = trail.pass(1) else { return Ok(()) };
            if self.pass(&pairing, &key)? != ram.pass(&pairing, &key).map_err(failed)? {
                return Err(GpuError::Wrong("passes"));
            }
            self.back(&pairing, &key)?;
            let places: Vec<u32> = (0..72).collect();
            if !self.read(&places)?.iter().zip(&places).all(|(page, n)| *page == trail.page(*n)) {
                return Err(GpuError::Wrong("ways back"));
            }
        }
        self.held = None;
        Ok(())
    }

    /// The shader's text for so many chunks.
    fn text(&self, chunks: usize) -> String {
        let mut text = format!("const PAIRS = {}u;\n", self.pairs);
        let (mut load, mut store) = (String::new(), String::new());
        let at = format!("(place % {0}u) * 32u + quad", self.chunk.min(u32::MAX.into()));
        for n in 0..chunks {
            let binding = BINDINGS as usize + n;
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, read_write> chunk{n}: array<vec4<u32>>;"
            );
            // The last is the default as well: every path returns.
            let case = if n + 1 == chunks { "default".to_owned() } else { format!("case {n}u") };
            let _ = writeln!(load, "{case}: {{ return chunk{n}[{at}]; }}");
            let _ = writeln!(store, "{case}: {{ chunk{n}[{at}] = words; }}");
        }
        let which = format!("switch place / {}u", self.chunk.min(u32::MAX.into()));
        let _ = writeln!(
            text,
            "fn load(place: u32, quad: u32) -> vec4<u32> {{ {which} {{\n{load}}} }}"
        );
        let _ = writeln!(
            text,
            "fn store(place: u32, quad: u32, words: vec4<u32>) {{ {which} {{\n{store}}} }}"
        );
        [include_str!("hash.wgsl"), &text, include_str!("memory.wgsl")].concat()
    }

    fn allocate(&mut self, trail: &Trail, height: usize) -> Result<(), GpuError> {
        self.held = None;
        let memory = trail.memory();
        if memory.bytes() > self.bytes_max() {
            return Err(GpuError::Limit { needed: memory.bytes(), allowed: self.bytes_max() });
        }
        let device = &self.device;
        let mut chunks = Vec::new();
        let mut left = memory.pages() as u64;
        while left > 0 {
            let pages = left.min(self.chunk);
            chunks.push(device.buffer(pages * PAGE_BYTES as u64)?);
            left -= pages;
        }
        let hashes = (memory.pages() >> self.levels(height)) as u64 * 32;
        let module = device.shader(&self.text(chunks.len()));
        self.held = Some(Held {
            memory,
            height,
            seed: words(&trail.seed().0),
            chunks,
            levels: [device.buffer(hashes)?, device.buffer(hashes.div_ceil(2))?],
            grow: device.pipeline(&module, "grow"),
            pass: device.pipeline(&module, "pass_over"),
            back: device.pipeline(&module, "back"),
            gather: device.pipeline(&module, "gather"),
            nodes: device.pipeline(&module, "nodes"),
        });
        device.check()
    }

    /// Levels that a workgroup hashes by itself.
    fn levels(&self, height: usize) -> usize {
        height.min((2 * self.pairs).trailing_zeros() as usize)
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("pages grew before")
    }

    fn params(&self, pass: Option<(&Pairing, &PassKey)>, count: u32, levels: usize) -> Buffer {
        let mut all = [0; PARAMS];
        all[..8].copy_from_slice(&self.held().seed);
        all[8..16].copy_from_slice(&words(&KERNEL_KEYS[2]));
        all[16..24].copy_from_slice(&words(&KERNEL_KEYS[1]));
        if let Some((pairing, key)) = pass {
            all[24..40].copy_from_slice(key);
            let (steps, bits, rounds) = pairing.parts();
            for (into, round) in all[40..56].chunks_mut(4).zip(rounds) {
                into[..3].copy_from_slice(&[round.add, round.tilt, round.times]);
            }
            all[56..58].copy_from_slice(&[steps, bits]);
        }
        all[58..].copy_from_slice(&[count, levels as u32]);
        self.device.filled(&all, BufferUsages::UNIFORM)
    }

    fn bound<'a>(&'a self, others: &[(u32, &'a Buffer)]) -> Vec<(u32, &'a Buffer)> {
        let mut bound = others.to_vec();
        bound.extend((BINDINGS..).zip(&self.held().chunks));
        bound
    }

    /// All pages through a kernel, then up the tree.
    fn over(
        &self,
        kernel: &ComputePipeline,
        pass: Option<(&Pairing, &PassKey)>,
    ) -> Result<Vec<Hash>, GpuError> {
        let (held, device) = (self.held(), &self.device);
        let levels = self.levels(held.height);
        let pages = held.memory.pages() as u32;
        let mut encoder = device.encoder();
        let params = self.params(pass, pages, levels);
        let bound = self.bound(&[(0, &params), (1, &held.levels[0])]);
        device.run(&mut encoder, kernel, &bound, pages.div_ceil(2 * self.pairs));
        let mut count = pages >> levels;
        let mut last = 0;
        for _ in levels..held.height {
            count /= 2;
            let params = self.params(None, count, 0);
            let bound = [(0, &params), (2, &held.levels[last]), (1, &held.levels[1 - last])];
            device.run(&mut encoder, &held.nodes, &bound, count.div_ceil(GROUP));
            last = 1 - last;
        }
        let bytes = u64::from(count) * 32;
        Ok(hashes(&device.read(encoder, &held.levels[last], bytes)?))
    }
}

impl Streamer for Vram {
    type Error = GpuError;

    fn grow(&mut self, trail: &Trail, height: usize) -> Result<Vec<Hash>, GpuError> {
        self.allocate(trail, height)?;
        self.over(&self.held().grow, None)
    }

    fn pass(&mut self, pairing: &Pairing, key: &PassKey) -> Result<Vec<Hash>, GpuError> {
        self.over(&self.held().pass, Some((pairing, key)))
    }

    fn back(&mut self, pairing: &Pairing, key: &PassKey) -> Result<(), GpuError> {
        let pages = self.held().memory.pages() as u32;
        let params = self.params(Some((pairing, key)), pages, 0);
        let mut encoder = self.device.encoder();
        let bound = self.bound(&[(0, &params)]);
        self.device.run(&mut encoder, &self.held().back, &bound, pages.div_ceil(2 * self.pairs));
        self.device.queue.submit([encoder.finish()]);
        self.device.wait()
    }

    fn read(&mut self, places: &[u32]) -> Result<Vec<Page>, GpuError> {
        let bytes = (places.len() * PAGE_BYTES) as u64;
        let asked = self.device.filled(places, BufferUsages::STORAGE);
        let answer = self.device.buffer(bytes)?;
        let params = self.params(None, places.len() as u32, 0);
        let mut encoder = self.device.encoder();
        let bound = self.bound(&[(0, &params), (3, &asked), (4, &answer)]);
        let groups = (places.len() as u32 * 32).div_ceil(GROUP);
        self.device.run(&mut encoder, &self.held().gather, &bound, groups);
        let found = self.device.read(encoder, &answer, bytes)?;
        let word = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let words: Vec<u32> = found.as_chunks::<4>().0.iter().map(word).collect();
        Ok(words.as_chunks::<PAGE_WORDS>().0.to_vec())
    }
}
