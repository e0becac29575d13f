//! NVIDIA cards, as their driver's library (NVML) names them. It is loaded at run time.

use super::bounded;
use ionet_core::catalogue::classify;
use ionet_core::{CHIPS_PER_DEVICE_MAX, Chip, ChipKind};
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use std::ffi::OsStr;

/// Why there are no cards.
#[derive(Debug, thiserror::Error)]
pub enum NvidiaError {
    /// No library, or no driver behind it.
    #[error("no NVIDIA driver: {0}")]
    NoDriver(String),
    /// The driver answers with an error.
    #[error("the NVIDIA driver: {0}")]
    Driver(#[from] NvmlError),
}

/// Every card that the catalogue knows. A card that fails to answer is left out with a warning.
pub fn read(library: Option<&OsStr>) -> Result<Vec<Chip>, NvidiaError> {
    let mut builder = Nvml::builder();
    if let Some(path) = library {
        builder.lib_path(path);
    }
    let nvml = builder.init().map_err(|e| match e {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound | NvmlError::DriverNotLoaded => {
            NvidiaError::NoDriver(e.to_string())
        }
        e => NvidiaError::Driver(e),
    })?;
    let count = nvml.device_count()?.min(CHIPS_PER_DEVICE_MAX as u32);
    let mut chips = Vec::new();
    for index in 0..count {
        match card(&nvml, index) {
            Ok(Some(chip)) => chips.push(chip),
            Ok(None) => (),
            Err(e) => tracing::warn!(index, error = %e, "a card does not answer and is left out"),
        }
    }
    Ok(chips)
}

fn card(nvml: &Nvml, index: u32) -> Result<Option<Chip>, NvmlError> {
    let device = nvml.device_by_index(index)?;
    let model = bounded(&device.name()?);
    let Some(class) = classify(ChipKind::Nvidia, &model) else {
        tracing::warn!(index, model, "this card is in no row of the catalogue and is left out");
        return Ok(None);
    };
    let uuid = device.uuid().ok().map(|uuid| bounded(&uuid));
    let memory_bytes = device.memory_info()?.total;
    // By UUID a container gets the same card after a reboot that renumbers them.
    let name = uuid.clone().unwrap_or_else(|| index.to_string());
    Ok(Some(Chip { class, model, uuid, memory_bytes, cdi: Some(format!("nvidia.com/gpu={name}")) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Two cards that the catalogue knows, one that it does not, one that is broken.
    const FIXTURE: &str = include_str!("../../fixtures/nvml.c");

    #[test]
    fn cards_are_read_through_the_drivers_library() {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("nvml.c"), folder.path().join("libnvml.so"));
        std::fs::write(&source, FIXTURE).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .status()
            .expect("a C compiler, as `make setup` installs it");
        assert!(built.success());

        let chips = read(Some(library.as_os_str())).unwrap();
        let shown: Vec<_> = chips.iter().map(|c| (c.class.as_str(), c.model.as_str())).collect();
        assert_eq!(
            shown,
            [("h100-sxm-80", "NVIDIA H100 80GB HBM3"), ("rtx-4090", "NVIDIA GeForce RTX 4090")]
        );
        assert_eq!(chips[0].memory_bytes, 80 << 30);
        assert_eq!(chips[0].uuid.as_deref(), Some("GPU-00000000-0000-0000-0000-000000000000"));
        assert_eq!(
            chips[0].cdi.as_deref(),
            Some("nvidia.com/gpu=GPU-00000000-0000-0000-0000-000000000000")
        );
        let sold = super::super::chips(Some(library.as_os_str()));
        assert_eq!(sold.len(), 1, "one class of chips is for sale");
    }

    #[test]
    fn without_a_library_there_is_no_driver() {
        let missing = OsStr::new("/nonexistent/libnvidia-ml.so.1");
        assert!(matches!(read(Some(missing)), Err(NvidiaError::NoDriver(_))));
    }
}
