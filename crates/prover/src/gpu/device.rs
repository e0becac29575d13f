//! An opened chip: buffers, shaders, work, and what goes wrong with them.

use super::chip::{Chip, end_of};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use wgpu::{
    BindGroupEntry, Buffer, BufferDescriptor, BufferUsages, CommandEncoder, ComputePipeline,
    ComputePipelineDescriptor, DeviceDescriptor, ExperimentalFeatures, Features, MapMode,
    PipelineCompilationOptions, PollType, ShaderModule, ShaderModuleDescriptor, ShaderSource,
};

/// Why a chip did not prove.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// The driver did not open it.
    #[error("the chip could not be opened: {0}")]
    Open(String),
    /// It has not so much memory left.
    #[error("the chip is out of memory")]
    Memory,
    /// One of its limits is below what the work needs.
    #[error("the chip allows {allowed} bytes in a binding, and {needed} are needed")]
    Limit {
        /// What is needed.
        needed: u64,
        /// What it allows.
        allowed: u64,
    },
    /// Its driver shows no matrix units, or none that multiply half bytes exactly.
    #[error("the chip's driver shows no matrix units for half bytes")]
    NoMatrixUnits,
    /// Matrix units were given whole bytes.
    #[error("matrix units multiply half bytes alone")]
    Entries,
    /// It was unplugged or reset, or did not answer in time.
    #[error("the chip is lost: {0}")]
    Lost(String),
    /// The driver refused some of the work.
    #[error("the driver refused the work: {0}")]
    Driver(String),
    /// It finds other bits than the processor: it is not used.
    #[error("the chip finds other bits than the processor in its {0}")]
    Wrong(&'static str),
}

/// Longest wait for one submission; what takes longer hangs.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Invocations in a workgroup of all kernels that do not share memory.
pub(super) const GROUP: u32 = 64;
/// Workgroups along one dimension, which every chip allows.
const ACROSS_MAX: u32 = 1 << 15;

pub(super) struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    wrong: Arc<Mutex<Wrong>>,
}

/// What the driver said went wrong.
#[derive(Default)]
struct Wrong {
    /// First since it was last asked.
    first: Option<GpuError>,
    /// Why the chip is lost: it does not come back.
    lost: Option<String>,
}

fn locked(wrong: &Mutex<Wrong>) -> MutexGuard<'_, Wrong> {
    // Nothing panics while it is held; and if so, what was noted still counts.
    wrong.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Device {
    pub(super) fn open(chip: &Chip) -> Result<Self, GpuError> {
        Self::open_with(chip, Features::empty())
    }

    /// With features that the chip says it has.
    pub(super) fn open_with(chip: &Chip, features: Features) -> Result<Self, GpuError> {
        let experimental = if features.intersects(Features::all_experimental_mask()) {
            // SAFETY: the call acknowledges that `wgpu` checks less of what such a feature does.
            // Of those only cooperative matrices are used, by one shader, whose loads and stores
            // stay within fixed arrays of a workgroup's own memory.
            unsafe { ExperimentalFeatures::enabled() }
        } else {
            ExperimentalFeatures::disabled()
        };
        let descriptor = DeviceDescriptor {
            required_features: features,
            experimental_features: experimental,
            // All that the chip has: sizes are checked here, before anything is allocated.
            required_limits: chip.adapter.limits(),
            ..DeviceDescriptor::default()
        };
        let opened = end_of(chip.adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|error| GpuError::Open(error.to_string()))?;
        let wrong = Arc::new(Mutex::new(Wrong::default()));
        let noted = wrong.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            let error = match error {
                wgpu::Error::OutOfMemory { .. } => GpuError::Memory,
                other => GpuError::Driver(other.to_string()),
            };
            locked(&noted).first.get_or_insert(error);
        }));
        let noted = wrong.clone();
        device.set_device_lost_callback(move |_, why| locked(&noted).lost = Some(why));
        Ok(Self { device, queue, wrong })
    }

    /// What went wrong meanwhile.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        let first = locked(&self.wrong).first.take();
        if first.is_some() {
            // On a lost chip everything else goes wrong too; the driver says so when it is asked.
            let _ = self.device.poll(PollType::Poll);
        }
        match locked(&self.wrong).lost.clone() {
            Some(why) => Err(GpuError::Lost(why)),
            None => first.map_or(Ok(()), Err),
        }
    }

    pub(super) fn shader(&self, text: &str) -> ShaderModule {
        let source = ShaderSource::Wgsl(text.into());
        self.device.create_shader_module(ShaderModuleDescriptor { label: None, source })
    }

    pub(super) fn pipeline(&self, module: &ShaderModule, entry: &str) -> ComputePipeline {
        self.device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module,
            entry_point: Some(entry),
            compilation_options: PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..PipelineCompilationOptions::default()
            },
            cache: None,
        })
    }

    /// Memory on the chip. At least a few words, since an empty buffer cannot be bound.
    pub(super) fn buffer(&self, bytes: u64) -> Result<Buffer, GpuError> {
        let limits = self.device.limits();
        let allowed = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        if bytes > allowed {
            return Err(GpuError::Limit { needed: bytes, allowed });
        }
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let size = bytes.max(64);
        let descriptor = BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        let buffer = self.device.create_buffer(&descriptor);
        self.check().map(|()| buffer)
    }

    /// A buffer that is read only, with these words in it.
    pub(super) fn filled(&self, words: &[u32], usage: BufferUsages) -> Buffer {
        let contents: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let (size, usage) = (contents.len() as u64, usage | BufferUsages::COPY_DST);
        let descriptor = BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        // Not made with its contents: that panics when the chip is lost.
        let buffer = self.device.create_buffer(&descriptor);
        self.queue.write_buffer(&buffer, 0, &contents);
        buffer
    }

    /// One kernel over so many workgroups of one dimension, spread over two.
    pub(super) fn run(
        &self,
        encoder: &mut CommandEncoder,
        pipeline: &ComputePipeline,
        bound: &[(u32, &Buffer)],
        groups: u32,
    ) {
        let across = groups.min(ACROSS_MAX);
        self.run_grid(encoder, pipeline, bound, [across, groups.div_ceil(across.max(1))]);
    }

    pub(super) fn run_grid(
        &self,
        encoder: &mut CommandEncoder,
        pipeline: &ComputePipeline,
        bound: &[(u32, &Buffer)],
        [x, y]: [u32; 2],
    ) {
        let mut entries = Vec::with_capacity(bound.len());
        for (binding, buffer) in bound {
            let resource = buffer.as_entire_binding();
            entries.push(BindGroupEntry { binding: *binding, resource });
        }
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(x, y, 1);
    }

    pub(super) fn encoder(&self) -> CommandEncoder {
        self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }

    /// Does the work, and reads so many bytes of a buffer when it is done.
    pub(super) fn read(
        &self,
        mut encoder: CommandEncoder,
        from: &Buffer,
        bytes: u64,
    ) -> Result<Vec<u8>, GpuError> {
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let staging = self.device.create_buffer(&BufferDescriptor {
            label: None,
            size: bytes,
            usage,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(from, 0, &staging, 0, bytes);
        self.queue.submit([encoder.finish()]);
        let (said, heard) = std::sync::mpsc::sync_channel(1);
        // Nobody listens any more if the wait ended before.
        staging.map_async(MapMode::Read, .., move |mapped| drop(said.send(mapped)));
        self.wait()?;
        let mapped = heard.try_recv().map_err(|_| GpuError::Lost("no answer".to_owned()))?;
        mapped.map_err(|error| GpuError::Lost(error.to_string()))?;
        let lost = |error: wgpu::MapRangeError| GpuError::Lost(error.to_string());
        let found = staging.get_mapped_range(..).map_err(lost)?.to_vec();
        self.check().map(|()| found)
    }

    /// Waits until all work is done.
    pub(super) fn wait(&self) -> Result<(), GpuError> {
        let waited = PollType::Wait { submission_index: None, timeout: Some(WAIT_MAX) };
        let polled = self.device.poll(waited);
        self.check()?;
        polled.map(drop).map_err(|error| GpuError::Lost(error.to_string()))
    }
}

/// 32 bytes as words.
pub(super) fn words(bytes: &[u8; 32]) -> [u32; 8] {
    std::array::from_fn(|n| {
        u32::from_le_bytes([bytes[4 * n], bytes[4 * n + 1], bytes[4 * n + 2], bytes[4 * n + 3]])
    })
}

/// Bytes of hashes as such.
pub(super) fn hashes(bytes: &[u8]) -> Vec<[u8; 32]> {
    bytes.as_chunks::<32>().0.to_vec()
}
