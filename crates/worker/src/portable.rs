//! A worker's receipts outside of its store: read beside a running worker, or years after it,
//! and carried to wherever a wallet is. Receipts are no secret: each pays its line's owner.

use crate::store::{self, StoreError};
use crate::{DeviceKey, enrol};
use ionet_core::{ChainRef, DeviceId};
use ionet_wire::message::SignedReceipt;
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What stands first in a file of receipts.
const FORMAT: &str = "ionet-receipts:v1";
/// Largest file of receipts: twice of what a full store exports.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Receipts with whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipts {
    /// Name and version of this form.
    format: String,
    /// The device that earned them, where its key is known.
    pub device: Option<DeviceId>,
    /// The chain and program that the device was enrolled for, where that is known. For people:
    /// each receipt's signature says for itself which chain it is for.
    pub chain: Option<ChainRef>,
    /// Rows of the store that could not be read.
    #[serde(default)]
    pub unreadable: usize,
    /// The newest receipt of each line.
    pub receipts: Vec<SignedReceipt>,
}

/// Why there are no receipts.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptsError {
    /// No store in the folder.
    #[error("no worker kept its receipts in {0}")]
    Missing(PathBuf),
    /// A copy of the store without what stands beside it.
    #[error("{0} is empty: newest rows stand in the file beside it that ends in -wal")]
    Partial(PathBuf),
    /// The worker's store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Longer than any export.
    #[error("{0} is longer than a file of receipts can be")]
    Size(PathBuf),
    /// Not a file of receipts, or a part of one.
    #[error("{path} is not a whole file of receipts: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Of a newer version of this software, or something else.
    #[error("{path} has the form `{found}`; this software reads `{FORMAT}`")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
}

impl Receipts {
    /// What the worker of `state_dir` keeps. It may run meanwhile, or be gone.
    pub fn of_worker(state_dir: &Path) -> Result<Self, ReceiptsError> {
        let io = |source| ReceiptsError::Io { path: state_dir.to_owned(), source };
        if !store::exists(state_dir).map_err(io)? {
            return Err(ReceiptsError::Missing(state_dir.to_owned()));
        }
        let read = store::read_receipts(state_dir).map_err(|error| match error {
            StoreError::Version { path, found: 0 } => ReceiptsError::Partial(path),
            other => other.into(),
        });
        let (receipts, unreadable) = read?;
        let key = DeviceKey::load(state_dir).ok();
        let enrolment = key.as_ref().and_then(|key| enrol::load(state_dir, key).ok());
        Ok(Self {
            format: FORMAT.to_owned(),
            device: key.map(|key| key.id()),
            chain: enrolment.map(|enrolment| enrolment.request.request.chain),
            unreadable,
            receipts,
        })
    }

    /// Reads a file that was exported.
    pub fn load(path: &Path) -> Result<Self, ReceiptsError> {
        let failed = |source| ReceiptsError::Io { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut text = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(ReceiptsError::Size(path.to_owned()));
        }
        let read: Self = serde_json::from_slice(&text)
            .map_err(|source| ReceiptsError::Json { path: path.to_owned(), source })?;
        if read.format != FORMAT {
            let found = read.format.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(ReceiptsError::Format { path: path.to_owned(), found });
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::testing::{chain, enrolment, lease, signed_receipt};

    #[test]
    fn a_running_workers_receipts_are_read_beside_it_and_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        assert!(matches!(Receipts::of_worker(at), Err(ReceiptsError::Missing(_))));
        let key = DeviceKey::load_or_create(at).unwrap();
        enrol::save(at, &enrolment(&key)).unwrap();
        let store = Store::open(at).unwrap();
        let (one, two) = (signed_receipt(lease(1), 60), signed_receipt(lease(2), 70));
        store.keep_receipt(&one).unwrap();
        store.keep_receipt(&two).unwrap();

        let beside = Receipts::of_worker(at).unwrap();
        assert_eq!(beside.receipts, [two.clone(), one]);
        assert_eq!((beside.device, beside.chain), (Some(key.id()), Some(chain())));
        store.keep_receipt(&signed_receipt(lease(1), 61)).unwrap();
        drop(store);
        let after = Receipts::of_worker(at).unwrap();
        // An older one stays beside the newest.
        let one = signed_receipt(lease(1), 60);
        assert_eq!(after.receipts, [signed_receipt(lease(1), 61), two, one]);

        let file = at.join("receipts.json");
        let text = serde_json::to_vec(&after).unwrap();
        std::fs::write(&file, &text).unwrap();
        assert_eq!(Receipts::load(&file).unwrap(), after);
        std::fs::write(&file, &text[..text.len() / 2]).unwrap();
        assert!(matches!(Receipts::load(&file), Err(ReceiptsError::Json { .. })));
        let newer = String::from_utf8(text).unwrap().replace(FORMAT, "ionet-receipts:v2");
        std::fs::write(&file, newer).unwrap();
        assert!(matches!(Receipts::load(&file), Err(ReceiptsError::Format { .. })));
    }

    #[test]
    fn a_copy_of_half_a_store_is_told_from_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.keep_receipt(&signed_receipt(lease(1), 60)).unwrap();
        let half = tempfile::tempdir().unwrap();
        let name = "worker.sqlite";
        std::fs::copy(folder.path().join(name), half.path().join(name)).unwrap();
        assert!(matches!(Receipts::of_worker(half.path()), Err(ReceiptsError::Partial(_))));
        for name in ["worker.sqlite", "worker.sqlite-wal"] {
            std::fs::copy(folder.path().join(name), half.path().join(name)).unwrap();
        }
        assert_eq!(Receipts::of_worker(half.path()).unwrap().receipts.len(), 1);
    }

    #[test]
    fn one_bad_row_does_not_hide_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.keep_receipt(&signed_receipt(lease(1), 60)).unwrap();
        store.keep_receipt(&signed_receipt(lease(2), 60)).unwrap();
        drop(store);
        let raw = rusqlite::Connection::open(folder.path().join("worker.sqlite")).unwrap();
        raw.execute("UPDATE receipts SET receipt = '{' WHERE touched = 1", []).unwrap();
        drop(raw);
        let read = Receipts::of_worker(folder.path()).unwrap();
        assert_eq!((read.receipts.len(), read.unreadable), (1, 1));
        assert_eq!((read.device, read.chain), (None, None));
    }
}
