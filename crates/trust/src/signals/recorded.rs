//! Chips as somebody met them and published what the driver said, and how often the signs of a
//! slice are wrong about them.
//!
//! A small sample and no random one: what people file as issues. Its rates are counts, and say
//! nothing of how common each case is. Made-up cases are in `tests/underneath.rs`.

use super::underneath::{ChipFacts, HostFacts, Hypervisor, seen};

/// One chip, as published.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    /// Where, as a GitHub repository and thread.
    pub source: &'static str,
    /// What it ran under.
    pub hypervisor: Hypervisor,
    /// Name as the driver gives it.
    pub model: &'static str,
    /// Begin of its unique id, where it was published.
    pub uuid: &'static str,
    /// Whether it is a slice of a chip.
    pub is_slice: bool,
}

const fn whole(source: &'static str, hypervisor: Hypervisor, model: &'static str) -> Recorded {
    Recorded { source, hypervisor, model, uuid: "GPU-", is_slice: false }
}

const fn slice(source: &'static str, model: &'static str, uuid: &'static str) -> Recorded {
    Recorded { source, hypervisor: Hypervisor::Other, model, uuid, is_slice: true }
}

/// All of them.
pub const RECORDED: [Recorded; 19] = [
    whole("NVIDIA/nvidia-docker#1628", Hypervisor::None, "Tesla T4"),
    whole("DualCoder/vgpu_unlock#30", Hypervisor::None, "Quadro P400"),
    whole("influxdata/telegraf#5812", Hypervisor::None, "NVIDIA A100-SXM4-80GB"),
    whole("canonical/lxd#7524", Hypervisor::Kvm, "GeForce GTX 770"),
    whole(
        "NVIDIA/nvidia-docker#1604",
        Hypervisor::Wsl2,
        "NVIDIA GeForce GTX 1650 Ti with Max-Q Design",
    ),
    whole("AlexsJones/llmfit#52", Hypervisor::Wsl2, "NVIDIA GeForce RTX 5080"),
    whole("microsoft/WSL#9821", Hypervisor::Wsl2, "NVIDIA GeForce RTX 3080 Ti"),
    whole("microsoft/WSL#11277", Hypervisor::Wsl2, "NVIDIA GeForce RTX 4070 SUPER"),
    slice("skypilot-org/skypilot#10468", "NVIDIA A10-24Q", "GPU-"),
    slice("apache/cloudstack#11432", "NVIDIA A10-6Q", "GPU-"),
    slice("DualCoder/vgpu_unlock#30", "GRID P4-1B", "GPU-"),
    slice("DualCoder/vgpu_unlock#30", "GRID P4-2Q", "GPU-"),
    slice("DualCoder/vgpu_unlock#30", "GRID P4-8A", "GPU-"),
    slice("DualCoder/vgpu_unlock#30", "GRID P4-8C", "GPU-"),
    slice("DualCoder/vgpu_unlock#30", "GRID P4-2B4", "GPU-"),
    slice("influxdata/telegraf#5812", "NVIDIA A100-SXM4-80GB MIG 1g.20gb", "MIG-ce861fb0"),
    slice("DataDog/datadog-agent#33120", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", "MIG-feb88891"),
    slice("NVIDIA/go-dcgm#30", "NVIDIA A100 80GB PCIe MIG 2g.20gb", "MIG-a65afc88"),
    slice(
        "NVIDIA/nvidia-container-toolkit#203",
        "NVIDIA A100 80GB PCIe MIG 3g.40gb",
        "MIG-0929581a",
    ),
];

/// How often the signs are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Whole chips.
    pub wholes: usize,
    /// Of these, under a hypervisor.
    pub wholes_virtual: usize,
    /// Whole chips that are taken for slices.
    pub wrong: usize,
    /// Slices.
    pub slices: usize,
    /// Slices that show by their name alone: an id and what NVML says besides are forged.
    pub slices_seen: usize,
}

/// The same for [`RECORDED`].
pub fn rates() -> Rates {
    let taken_for_slice = |chip: &Recorded, uuid: &str| {
        let uuid = Some(uuid.to_owned());
        let facts = ChipFacts { model: chip.model.to_owned(), uuid, ..ChipFacts::default() };
        let host = HostFacts { hypervisor: chip.hypervisor };
        !seen(&facts, &host, &[], 0).is_empty()
    };
    let wholes: Vec<_> = RECORDED.iter().filter(|chip| !chip.is_slice).collect();
    let slices: Vec<_> = RECORDED.iter().filter(|chip| chip.is_slice).collect();
    let is_virtual = |chip: &&&Recorded| chip.hypervisor != Hypervisor::None;
    Rates {
        wholes: wholes.len(),
        wholes_virtual: wholes.iter().filter(is_virtual).count(),
        wrong: wholes.iter().filter(|chip| taken_for_slice(chip, chip.uuid)).count(),
        slices: slices.len(),
        slices_seen: slices.iter().filter(|chip| taken_for_slice(chip, "GPU-")).count(),
    }
}
