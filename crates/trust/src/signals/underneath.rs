//! What a chip runs on, from what its driver says: is it a slice that somebody rents, or a whole
//! chip that is at home in a virtual machine?
//!
//! A hypervisor is no sign of anything: WSL2 is how Windows users run Linux, and passing a card
//! through to a virtual machine is common at home. Signs of a slice are names that vendors give to
//! slices alone, and another tenant's footprint in the times of rounds. A narrow link is a remark
//! for renters (external cases, risers and second slots have one) and no sign of a slice.

use super::{shown, signal};
use ionet_core::Signal;
use serde::{Deserialize, Serialize};

/// Characters of a driver's text that a signal shows.
pub const TEXT_SHOWN_MAX: usize = 64;
/// Bytes of a driver's text that are looked at.
const TEXT_BYTES_MAX: usize = 256;
/// Fewer rounds show no contention.
pub const ROUNDS_MIN: usize = 16;
/// Rounds that are looked at.
const ROUNDS_MAX: usize = 4_096;
/// Half of all steps from one round's time to the next are larger than a median round's time over
/// this. One tenant's rounds differ by a few percent; heat changes them slowly.
const CONTENTION: u64 = 8;

/// What the machine runs under, as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hypervisor {
    /// None that shows itself.
    #[default]
    None,
    /// Windows' own Linux.
    Wsl2,
    /// KVM, with or without QEMU.
    Kvm,
    /// Hyper-V beside WSL2.
    HyperV,
    /// VMware.
    Vmware,
    /// Xen.
    Xen,
    /// Another one.
    Other,
}

/// About the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostFacts {
    /// What it runs under. Said for the record; nothing follows from it.
    pub hypervisor: Hypervisor,
}

/// A PCIe link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Lanes.
    pub width: u8,
    /// PCIe generation.
    pub generation: u8,
}

/// About one chip, from its driver.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChipFacts {
    /// Name as the driver gives it.
    pub model: String,
    /// Unique id as the driver gives it.
    pub uuid: Option<String>,
    /// The driver says that this is a vGPU guest (NVML's virtualization mode).
    pub vgpu: bool,
    /// The chip is split by MIG.
    pub mig: bool,
    /// The link now, *under load*: idle chips slow theirs down.
    pub link: Option<Link>,
    /// The widest and fastest that the chip itself can.
    pub link_best: Option<Link>,
}

/// Everything that is seen of a chip. `rounds_us` are the times of a trial's rounds in order, in
/// microseconds, none if there was no trial.
pub fn seen(chip: &ChipFacts, _host: &HostFacts, rounds_us: &[u32], at_ms: i64) -> Vec<Signal> {
    let mut signals = Vec::new();
    let model = shown(&chip.model, TEXT_SHOWN_MAX);
    let uuid = chip.uuid.as_deref().unwrap_or("");
    match profile(&chip.model) {
        Some(Profile::Vgpu) => signals.push(signal(
            "vgpu-profile",
            format!("the driver calls the chip `{model}`, the name of a vGPU profile"),
            at_ms,
        )),
        Some(Profile::Mig) => signals.push(mig(&model, at_ms)),
        None if chip.vgpu => {
            let text = format!("the driver says that `{model}` is a vGPU guest");
            signals.push(signal("vgpu-profile", text, at_ms));
        }
        None if chip.mig || uuid.starts_with("MIG-") => signals.push(mig(&model, at_ms)),
        None => (),
    }
    if let (Some(now), Some(best)) = (chip.link, chip.link_best)
        && is_narrow(now, best)
    {
        let text = format!(
            "PCIe x{} of generation {} under load, where the chip has x{} of generation {}: an \
             external case, a riser or a shared slot",
            now.width, now.generation, best.width, best.generation
        );
        signals.push(signal("pcie-narrow", text, at_ms));
    }
    if let Some(permille) = contention(rounds_us) {
        let text = format!(
            "the times of a trial's rounds jump by {}.{} % from one to the next: somebody else \
             uses the chip",
            permille / 10,
            permille % 10
        );
        signals.push(signal("contention", text, at_ms));
    }
    signals
}

fn mig(model: &str, at_ms: i64) -> Signal {
    signal("mig-slice", format!("`{model}` is a MIG slice of a larger chip"), at_ms)
}

/// Links that make no sense say nothing.
fn is_narrow(now: Link, best: Link) -> bool {
    let sane = |link: Link| {
        matches!(link.width, 1 | 2 | 4 | 8 | 12 | 16 | 32) && (1..=8).contains(&link.generation)
    };
    // Lanes times transfers: x8 of generation 4 is as good as x16 of generation 3.
    let speed = |link: Link| u32::from(link.width) << link.generation;
    sane(now) && sane(best) && speed(now) < speed(best)
}

/// A slice's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// `NVIDIA A40-48Q`, `GRID T4-2B`, `A100-1-5CME`, AMD's MxGPU.
    Vgpu,
    /// `NVIDIA A100-SXM4-40GB MIG 1g.5gb`.
    Mig,
}

/// Whether a driver's name for a chip is that of a slice.
///
/// NVIDIA names vGPU types chip, dash, gigabytes, and a letter for the licence (A, B, C, Q), with
/// the MIG slices in between where it is made of one, and `ME` for media engines at the end
/// (Virtual GPU Software User Guide, "Virtual GPU Types"). Whole chips end otherwise: `-40GB`.
pub fn profile(model: &str) -> Option<Profile> {
    if model.len() > TEXT_BYTES_MAX {
        return None;
    }
    let words: Vec<&str> = model.split_ascii_whitespace().collect();
    if words.contains(&"MxGPU") {
        return Some(Profile::Vgpu);
    }
    let after_mig = words.iter().skip_while(|word| **word != "MIG").nth(1);
    if after_mig.is_some_and(|word| is_mig(word)) {
        return Some(Profile::Mig);
    }
    words.last().is_some_and(|word| is_vgpu(word)).then_some(Profile::Vgpu)
}

/// `1g.5gb`, `1g.10gb+me`.
fn is_mig(word: &str) -> bool {
    let Some((slices, rest)) = word.split_once("g.") else { return false };
    let memory = rest.split('+').next().unwrap_or("").strip_suffix("gb");
    is_number(slices) && memory.is_some_and(is_number)
}

/// `A40-48Q`, `A100D-1-10CME`.
fn is_vgpu(word: &str) -> bool {
    let mut parts = word.rsplit('-');
    let size = parts.next().unwrap_or("");
    let size = size.strip_suffix("ME").unwrap_or(size);
    // Desktop types come in two kinds: `2B` and `2B4`.
    let size = size.strip_suffix('4').filter(|size| size.ends_with('B')).unwrap_or(size);
    let Some(gigabytes) = size.strip_suffix(['A', 'B', 'C', 'Q']) else { return false };
    // Half a gigabyte is written 0 by the oldest types.
    let Some(chip) = parts.next_back() else { return false };
    is_number(gigabytes) && !chip.is_empty() && parts.all(|p| is_number(p) || is_name(p))
}

fn is_number(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// In between stands a part of the chip's own name: `RTX6000-Ada-48Q`.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// How far the times of rounds jump, in thousandths of the median round, if that is more than one
/// tenant makes. The median of the steps from each round to the next: neither one interruption
/// nor slow throttling moves it. At home a game on the same chip does the same; and a tenant who
/// delays fewer than one round in four is not seen.
pub fn contention(rounds_us: &[u32]) -> Option<u32> {
    let rounds = &rounds_us[..rounds_us.len().min(ROUNDS_MAX)];
    if rounds.len() < ROUNDS_MIN {
        return None;
    }
    let middle = median(rounds.to_vec());
    let step = median(rounds.windows(2).map(|pair| pair[0].abs_diff(pair[1])).collect());
    if middle == 0 || step * CONTENTION <= middle {
        return None;
    }
    // Rounded down; at most four thousand million thousandths of a microsecond.
    Some(u32::try_from(step * 1_000 / middle).unwrap_or(u32::MAX))
}

fn median(mut times: Vec<u32>) -> u64 {
    let middle = times.len() / 2;
    u64::from(*times.select_nth_unstable(middle).1)
}
