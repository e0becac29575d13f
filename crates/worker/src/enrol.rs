//! The enrolment on disk: both signatures that make the device its wallet's.

use crate::key::DeviceKey;
use ionet_core::{DeviceId, Enrolment};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const ENROLMENT_FILE: &str = "enrolment.json";
/// An enrolment has some 1,200 bytes.
const ENROLMENT_BYTES_MAX: u64 = 16 * 1024;

/// Why there is no enrolment.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// None was made yet.
    #[error(
        "this device is not enrolled ({0} is missing): run `ionet device request` here and \
         `ionet device grant` where the wallet is"
    )]
    Missing(PathBuf),
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not an enrolment.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// For another device.
    #[error("{path} is for device {named}, but the key here is {own}")]
    OtherDevice {
        /// The file.
        path: PathBuf,
        /// The device in it.
        named: DeviceId,
        /// This device.
        own: DeviceId,
    },
}

/// Reads the enrolment in `state_dir`. Its signatures are the coordinator's to judge.
pub fn load(state_dir: &Path, key: &DeviceKey) -> Result<Enrolment, EnrolError> {
    let path = state_dir.join(ENROLMENT_FILE);
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(EnrolError::Missing(path));
        }
        Err(source) => return Err(EnrolError::Io { path, source }),
    };
    let mut text = Vec::new();
    if let Err(source) = file.take(ENROLMENT_BYTES_MAX).read_to_end(&mut text) {
        return Err(EnrolError::Io { path, source });
    }
    let enrolment: Enrolment = match serde_json::from_slice(&text) {
        Ok(enrolment) => enrolment,
        Err(source) => return Err(EnrolError::Json { path, source }),
    };
    let named = enrolment.request.request.device;
    if named != key.id() {
        return Err(EnrolError::OtherDevice { path, named, own: key.id() });
    }
    Ok(enrolment)
}

/// Writes the enrolment into `state_dir`: whole or not at all.
pub fn save(state_dir: &Path, enrolment: &Enrolment) -> Result<(), EnrolError> {
    let path = state_dir.join(ENROLMENT_FILE);
    let draft = state_dir.join(format!("{ENROLMENT_FILE}.{:08x}", rand::random::<u32>()));
    let text = serde_json::to_vec_pretty(enrolment)
        .map_err(|source| EnrolError::Json { path: path.clone(), source })?;
    let written = std::fs::File::create_new(&draft).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&draft, &path)
    });
    written.map_err(|source| {
        let _ = std::fs::remove_file(&draft);
        EnrolError::Io { path, source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn an_enrolment_is_for_the_key_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = DeviceKey::load_or_create(folder.path()).unwrap();
        assert!(matches!(load(folder.path(), &key), Err(EnrolError::Missing(_))));
        let enrolment = testing::enrolment(&key);
        save(folder.path(), &enrolment).unwrap();
        assert_eq!(load(folder.path(), &key).unwrap(), enrolment);

        let elsewhere = tempfile::tempdir().unwrap();
        let other = DeviceKey::load_or_create(elsewhere.path()).unwrap();
        assert!(matches!(load(folder.path(), &other), Err(EnrolError::OtherDevice { .. })));
        std::fs::write(folder.path().join(ENROLMENT_FILE), "{").unwrap();
        assert!(matches!(load(folder.path(), &key), Err(EnrolError::Json { .. })));
    }
}
