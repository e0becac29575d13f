//! One worker per state folder: two would fight over sessions and containers.

use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "worker.lock";

/// Why the folder is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process holds it.
    #[error("another worker runs on {0}")]
    Held(PathBuf),
}

/// Takes the folder until the result is dropped, or the process ends in whatever way.
pub(crate) fn take(state_dir: &Path) -> Result<Flock<File>, LockError> {
    let path = state_dir.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|source| LockError::Io { path, source })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| LockError::Held(state_dir.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lock = take(folder.path()).unwrap();
        assert!(matches!(take(folder.path()), Err(LockError::Held(_))));
        drop(lock);
        take(folder.path()).unwrap();
    }
}
