//! Checks that renters handed in: evidence for whoever wants to compute it again, and what
//! follows from it beside devices.
//!
//! Two files each, in `checks/` of the coordinator's folder: `<id>.check`, the two lines as they
//! were signed, and `<id>.json`, what was found when they came. Nothing of it reaches the log or a
//! verdict: a renter's word is no proof (`ionet_trust::inside`).

mod index;

use crate::private::write_private;
use index::Index;
use ionet_core::{ClusterId, DeviceId, Wallet};
use ionet_trust::inside::{Beside, Looked, Paper, PaperId, Word, beside};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A check that is kept, without its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Its name.
    pub(crate) id: PaperId,
    /// What its renter drew for it: one check is not handed in twice under two names.
    pub(crate) seed: Word,
    pub(crate) cluster: ClusterId,
    pub(crate) lease: Wallet,
    pub(crate) renter: Wallet,
    /// Unix milliseconds, by the renter's clock.
    pub(crate) at_ms: i64,
    /// Unix milliseconds of its coming.
    pub(crate) received_ms: i64,
    /// Of its evidence.
    pub(crate) bytes: u64,
    /// What it says of each device.
    pub(crate) looked: Vec<Looked>,
}

/// Why a check is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChecksError {
    /// It is here already.
    #[error("this check was handed in before")]
    Twice,
    /// The folder.
    #[error("the folder of checks: {0}")]
    Io(#[from] io::Error),
}

/// Where they lie. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Checks {
    folder: Arc<PathBuf>,
    index: Arc<Mutex<Index>>,
}

impl Checks {
    /// In the coordinator's folder; made if it is not there.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join("checks");
        std::fs::create_dir_all(&folder)?;
        let checks = Self { folder: Arc::new(folder), index: Arc::default() };
        let mut index = Index::default();
        for entry in std::fs::read_dir(&*checks.folder)? {
            let path = entry?.path();
            let kept = read(&path).filter(|kept| checks.paper_path(&kept.id).exists());
            match (path.extension().and_then(|e| e.to_str()), kept) {
                (Some("json"), Some(kept)) => index.add(kept),
                // Its other half never came, or it is damaged.
                (Some("json" | "new"), _) => std::fs::remove_file(&path)?,
                (Some("check"), _) if !path.with_extension("json").exists() => {
                    std::fs::remove_file(&path)?;
                }
                (_, _) => (),
            }
        }
        *checks.locked() = index;
        Ok(checks)
    }

    fn locked(&self) -> MutexGuard<'_, Index> {
        // Each change of it is one step.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paper_path(&self, id: &PaperId) -> PathBuf {
        self.folder.join(format!("{}.check", hex::encode(id.0)))
    }

    /// Whether a check with this name or these draws is kept.
    pub(crate) fn knows(&self, id: &PaperId, cluster: ClusterId, seed: &Word) -> bool {
        self.locked().knows(id, cluster, seed)
    }

    /// Keeps one; whatever is too old or too many gives way. Blocks for a disk write.
    pub(crate) fn put(&self, kept: Kept, paper: &Paper) -> Result<(), ChecksError> {
        let mut index = self.locked();
        if index.knows(&kept.id, kept.cluster, &kept.seed) {
            return Err(ChecksError::Twice);
        }
        let path = self.paper_path(&kept.id);
        write_private(&path, &paper.text())?;
        let text = serde_json::to_string(&kept).map_err(io::Error::other)?;
        write_private(&path.with_extension("json"), &text)?;
        let now_ms = kept.received_ms;
        index.add(kept);
        for gone in index.surplus(now_ms) {
            let path = self.paper_path(&gone);
            for path in [path.with_extension("json"), path] {
                // The next start finds what is left of it.
                if let Err(error) = std::fs::remove_file(&path) {
                    tracing::warn!(?path, %error, "a check that gives way");
                }
            }
            index.remove(&gone);
        }
        Ok(())
    }

    /// Those that speak of a device, the newest first.
    pub(crate) fn of(&self, device: &DeviceId) -> Vec<Kept> {
        self.locked().of(device).cloned().collect()
    }

    /// What stands beside a device of `supplier`.
    pub(crate) fn beside(&self, device: &DeviceId, supplier: Wallet, now_ms: i64) -> Beside {
        let index = self.locked();
        let about = |kept: &Kept| kept.looked.iter().find(|l| l.device == *device).cloned();
        let looked: Vec<_> = index.of(device).filter_map(about).collect();
        beside(supplier, &looked, now_ms)
    }

    /// The evidence of one; none if it is not kept (any more).
    pub(crate) fn path(&self, id: &PaperId) -> Option<PathBuf> {
        self.locked().has(id).then(|| self.paper_path(id))
    }
}

fn read(path: &Path) -> Option<Kept> {
    let kept: Kept = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let named = path.file_stem()?.to_str()? == hex::encode(kept.id.0);
    named.then_some(kept)
}

#[cfg(test)]
mod tests;
