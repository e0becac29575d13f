//! Which chips there are.

use super::matrix::{self, MatrixUnits};
use std::fmt;
use wgpu::{Backends, DeviceType, Instance, InstanceDescriptor};

/// A chip that could prove.
#[derive(Debug, Clone)]
pub struct Chip {
    /// As its driver calls it.
    pub name: String,
    /// PCI vendor: 0x10de NVIDIA, 0x1002 AMD, 0x8086 Intel, 0x106b Apple. Of drivers without a
    /// device, Khronos' number, which is above 0xffff.
    pub vendor: u32,
    /// PCI device, where it has one.
    pub device: u32,
    /// Where it is plugged in, as `domain:bus:device.function`; empty where no driver says so.
    pub pci_bus: String,
    /// Whether a processor stands in for it: nothing to be paid for as a GPU.
    pub software: bool,
    /// What its driver says of matrix units that could multiply half bytes exactly, the most
    /// promising first; [`Gpu::open_matrix`](crate::Gpu::open_matrix) finds out whether it is so.
    pub matrix: Vec<MatrixUnits>,
    pub(super) adapter: wgpu::Adapter,
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

const BACKENDS: Backends = Backends::VULKAN.union(Backends::METAL);

/// All chips of this machine, in the order of the system's drivers. Looking takes a fraction of a
/// second: drivers are loaded.
pub fn chips() -> Vec<Chip> {
    let mut descriptor = InstanceDescriptor::new_without_display_handle();
    descriptor.backends = BACKENDS;
    let instance = Instance::new(descriptor);
    let found = end_of(instance.enumerate_adapters(BACKENDS));
    found.into_iter().map(chip).collect()
}

fn chip(adapter: wgpu::Adapter) -> Chip {
    let info = adapter.get_info();
    Chip {
        name: info.name,
        vendor: info.vendor,
        device: info.device,
        pci_bus: info.device_pci_bus_id,
        software: info.device_type == DeviceType::Cpu,
        matrix: matrix::units(&adapter),
        adapter,
    }
}

/// The end of a future that needs nobody to wake it: natively, `wgpu`'s are ready at once.
pub(super) fn end_of<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}
