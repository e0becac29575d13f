//! The committed corpus: for each target a folder with seeds, and with what fuzzing found.

use crate::Target;
use std::io;
use std::path::{Path, PathBuf};

const SEED: &str = "seed-";

/// A target's folder.
pub fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// The name of a seed.
pub fn seed_name(number: usize) -> String {
    format!("{SEED}{number:02}")
}

/// Whether a file is a seed, and no finding.
pub fn is_seed(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEED))
}

/// All files of a target, in the order of their names.
pub fn files(target: &Target) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder(target))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
