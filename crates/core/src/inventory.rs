//! What a device says it is made of. Everything here is a claim until a proof backs it.

use crate::{ChipClass, Egress, Region};
use serde::{Deserialize, Serialize};

/// How a figure is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// The device says so.
    Claimed,
    /// Someone else measured it.
    Measured,
    /// It follows from a proof that anyone can check.
    Proven,
}

/// A figure with how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure<T> {
    /// The figure.
    pub value: T,
    /// How it is known.
    pub provenance: Provenance,
}

impl<T> Figure<T> {
    /// A figure that only the device vouches for.
    pub fn claimed(value: T) -> Self {
        Self { value, provenance: Provenance::Claimed }
    }
}

/// The processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// Model name as the system gives it.
    pub model: String,
    /// Hardware threads.
    pub threads: u32,
    /// `x86_64`, `aarch64`, ...
    pub architecture: String,
}

/// One file system that may hold workloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Bytes in all.
    pub total_bytes: u64,
    /// Bytes free now.
    pub free_bytes: u64,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkCard {
    /// Interface name.
    pub name: String,
    /// Link speed in Mb/s, where the driver tells.
    pub speed_mbps: Option<u64>,
}

/// One accelerator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chip {
    /// Row of the catalogue.
    pub class: ChipClass,
    /// Name as the driver gives it.
    pub model: String,
    /// Vendor's unique id, where there is one.
    pub uuid: Option<String>,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Container Device Interface name, such as `nvidia.com/gpu=0`.
    pub cdi: Option<String>,
}

/// The part of the machine that this worker may sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Thousandths of a hardware thread.
    pub cpu_milli: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes of scratch space for a workload.
    pub scratch_bytes: u64,
}

/// Everything that a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Host name, for the owner's eyes.
    pub hostname: String,
    /// Operating system and version.
    pub os: String,
    /// Processor.
    pub cpu: Cpu,
    /// Memory of the whole machine in bytes.
    pub memory_bytes: u64,
    /// Where workloads are stored.
    pub disk: Disk,
    /// Network interfaces that are up, loopback left out.
    pub network: Vec<NetworkCard>,
    /// Accelerators for sale; a machine without any sells its CPU as one chip of class `cpu`.
    pub chips: Vec<Chip>,
    /// What may be used of the machine.
    pub slice: Slice,
    /// Where it stands, as its owner says.
    pub region: Region,
    /// What workloads may reach outside, as its owner set it.
    pub egress: Egress,
}

/// Most chips that one device can hold.
pub const CHIPS_PER_DEVICE_MAX: usize = 16;
const TEXT_BYTES_MAX: usize = 256;
const CARDS_MAX: usize = 64;

impl Inventory {
    /// Whether every text and list is within its limit. What is over it is refused whole.
    pub fn is_bounded(&self) -> bool {
        let texts = [&self.hostname, &self.os, &self.cpu.model, &self.cpu.architecture];
        let chip_fine = |c: &Chip| {
            c.model.len() <= TEXT_BYTES_MAX
                && c.uuid.as_ref().is_none_or(|t| t.len() <= TEXT_BYTES_MAX)
                && c.cdi.as_ref().is_none_or(|t| t.len() <= TEXT_BYTES_MAX)
        };
        texts.iter().all(|t| t.len() <= TEXT_BYTES_MAX)
            && self.network.len() <= CARDS_MAX
            && self.network.iter().all(|n| n.name.len() <= TEXT_BYTES_MAX)
            && (1..=CHIPS_PER_DEVICE_MAX).contains(&self.chips.len())
            && self.chips.iter().all(chip_fine)
    }

    /// The class of this device's chips, if all are of one class: the only devices sold today.
    pub fn chip_class(&self) -> Option<ChipClass> {
        let first = self.chips.first()?.class;
        self.chips.iter().all(|c| c.class == first).then_some(first)
    }
}
