//! What this machine is made of. All of it is the machine's own word: claimed, not proven.

mod apple;
mod nvidia;
mod system;

pub use apple::{AppleError, parse as parse_apple};
pub use nvidia::{NvidiaError, read as read_nvidia};

use crate::config::WorkerConfig;
use ionet_core::{CHIPS_PER_DEVICE_MAX, Chip, ChipClass, Inventory};
use std::ffi::OsStr;

/// Bytes of a name that is reported: what a coordinator accepts.
const TEXT_BYTES_MAX: usize = 256;

/// Reads everything. A machine without accelerators sells its processor as one chip.
pub fn read(config: &WorkerConfig) -> Inventory {
    let mut inventory = system::read(config);
    inventory.chips = chips(None);
    if inventory.chips.is_empty() {
        inventory.chips.push(Chip {
            class: ChipClass::CPU,
            model: inventory.cpu.model.clone(),
            uuid: None,
            memory_bytes: inventory.memory_bytes,
            cdi: None,
        });
    }
    inventory
}

/// The accelerators. `library` is another NVML than the system's.
fn chips(library: Option<&OsStr>) -> Vec<Chip> {
    let mut chips = match nvidia::read(library) {
        Ok(chips) => chips,
        // The usual case: no driver, so no card that could be sold.
        Err(NvidiaError::NoDriver(reason)) => {
            tracing::debug!(reason, "no NVIDIA driver");
            vec![]
        }
        Err(e) => {
            tracing::warn!(error = %e, "the NVIDIA driver does not answer; its chips are left out");
            vec![]
        }
    };
    if cfg!(target_os = "macos") && chips.is_empty() {
        chips = match apple::read() {
            Ok(chip) => vec![chip],
            Err(e) => {
                tracing::warn!(error = %e, "the chip is left out");
                vec![]
            }
        };
    }
    // Devices are sold with chips of one class: the first class that was found is for sale.
    if let Some(class) = chips.first().map(|c| c.class) {
        chips.retain(|c| c.class == class);
    }
    chips.truncate(CHIPS_PER_DEVICE_MAX);
    chips
}

/// `text` within its limit and without control characters.
pub(crate) fn bounded(text: &str) -> String {
    let mut out: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    while out.len() > TEXT_BYTES_MAX {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_bounded_inventory() {
        let config: WorkerConfig = toml::from_str(crate::config::tests::EXAMPLE).unwrap();
        let inventory = read(&config);
        assert!(inventory.is_bounded(), "{inventory:?}");
        assert!(inventory.cpu.threads > 0 && inventory.memory_bytes > 0);
        assert!(inventory.disk.total_bytes > 0, "{:?}", inventory.disk);
        assert!(inventory.network.iter().all(|card| card.name != "lo"));
        assert!(inventory.chip_class().is_some());
        assert_eq!((inventory.slice, inventory.egress), (config.slice, config.egress));
    }

    #[test]
    fn names_are_cut_to_their_limit() {
        assert_eq!(bounded(" a\u{7}b\n"), "ab");
        assert!(bounded(&"ä".repeat(400)).len() <= TEXT_BYTES_MAX);
    }
}
