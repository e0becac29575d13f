//! `ionet` on the PATH.

use crate::failure::{OrFail as _, Result};
use std::path::{Path, PathBuf};

/// Makes `ionet` found by shells, unless it is. Returns the link that was made.
pub(crate) fn link(program: &Path) -> Result<Option<PathBuf>> {
    if found().is_some() {
        return Ok(None);
    }
    let link = Path::new("/usr/local/bin/ionet").to_owned();
    match std::fs::read_link(&link) {
        // Ours of an earlier place, or broken: it may be replaced. A file is somebody else's.
        Ok(_) => std::fs::remove_file(&link).or_internal(link.display())?,
        Err(_) if link.exists() => return Ok(None),
        Err(_) => (),
    }
    std::os::unix::fs::symlink(program, &link).or_internal(link.display())?;
    Ok(Some(link))
}

/// Removes the link if it still is one.
pub(crate) fn unlink(link: &Path) {
    if link.is_symlink() {
        let _ = std::fs::remove_file(link);
    }
}

/// The `ionet` that a shell would run.
pub(crate) fn found() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|f| f.join("ionet")).find(|p| p.is_file())
}
