//! Apple chips, from `system_profiler -json SPHardwareDataType SPDisplaysDataType`.

use super::bounded;
use ionet_core::catalogue::classify;
use ionet_core::{Chip, ChipKind};
use serde::Deserialize;
use std::process::Command;

/// Why there is no chip.
#[derive(Debug, thiserror::Error)]
pub enum AppleError {
    /// The command did not run.
    #[error("system_profiler: {0}")]
    Io(#[from] std::io::Error),
    /// Its answer has another shape.
    #[error("system_profiler's answer is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// Another field than expected.
    #[error("system_profiler's answer has no {0}")]
    Missing(&'static str),
    /// Not in the catalogue.
    #[error("{0} is in no row of the catalogue")]
    Unknown(String),
}

#[derive(Deserialize)]
struct Report {
    #[serde(rename = "SPHardwareDataType", default)]
    hardware: Vec<Hardware>,
    #[serde(rename = "SPDisplaysDataType", default)]
    displays: Vec<Display>,
}

#[derive(Deserialize)]
struct Hardware {
    chip_type: Option<String>,
    physical_memory: Option<String>,
    #[serde(rename = "platform_UUID")]
    platform_uuid: Option<String>,
}

#[derive(Deserialize)]
struct Display {
    sppci_model: Option<String>,
}

/// Asks the system.
pub(super) fn read() -> Result<Chip, AppleError> {
    let answer = Command::new("system_profiler")
        .args(["-json", "SPHardwareDataType", "SPDisplaysDataType"])
        .output()?;
    parse(&answer.stdout)
}

/// Reads the answer. The chip's memory is the whole machine's: it is unified.
pub fn parse(json: &[u8]) -> Result<Chip, AppleError> {
    let report: Report = serde_json::from_slice(json)?;
    let hardware = report.hardware.first().ok_or(AppleError::Missing("SPHardwareDataType"))?;
    let shown = report.displays.iter().find_map(|d| d.sppci_model.as_ref());
    let model = hardware.chip_type.as_ref().or(shown).ok_or(AppleError::Missing("chip_type"))?;
    let model = bounded(model);
    let class =
        classify(ChipKind::Apple, &model).ok_or_else(|| AppleError::Unknown(model.clone()))?;
    let memory = hardware.physical_memory.as_ref().and_then(|text| memory_bytes(text));
    Ok(Chip {
        class,
        model,
        uuid: hardware.platform_uuid.as_deref().map(bounded),
        memory_bytes: memory.ok_or(AppleError::Missing("physical_memory"))?,
        cdi: None,
    })
}

/// `36 GB`, which Apple means in powers of two.
fn memory_bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let shift = match unit {
        "GB" => 30,
        "TB" => 40,
        "MB" => 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &[u8] = include_bytes!("../../fixtures/system_profiler.json");

    #[test]
    fn a_mac_is_read() {
        let chip = parse(MAC).unwrap();
        assert_eq!((chip.class.as_str(), chip.model.as_str()), ("m3-max", "Apple M3 Max"));
        assert_eq!((chip.memory_bytes, chip.cdi), (36 << 30, None));
    }

    #[test]
    fn other_answers_are_errors() {
        for bad in ["", "[]", "{}", r#"{"SPHardwareDataType":[{}]}"#] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let intel = String::from_utf8_lossy(MAC).replace("Apple M3 Max", "Apple Z9");
        assert!(matches!(parse(intel.as_bytes()), Err(AppleError::Unknown(_))));
        let memory = String::from_utf8_lossy(MAC).replace("36 GB", "99999999999999999999 GB");
        assert!(matches!(parse(memory.as_bytes()), Err(AppleError::Missing(_))));
    }
}
