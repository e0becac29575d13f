//! The system calls that a container may make.
//!
//! Docker's own filter keeps a container from making namespaces and mounts. Podman's lets it:
//! there, a job could become root of a user namespace and try the kernel's code behind that. So
//! with Podman we bring a filter of our own: Podman's (containers/common, Apache-2.0) without
//! namespaces, mounts, keyrings, io_uring and bpf; `clone3` answers that it does not exist,
//! since a filter cannot see its flags, and the C library falls back to `clone`.

use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};

const FILTER: &str = include_str!("seccomp.json");

/// Puts the filter into a file beside the engine's socket, where the engine reads it, and
/// returns its place. The name holds the content's hash, so what is there is right.
pub(crate) fn file(socket: &Path) -> io::Result<PathBuf> {
    let hash = hex::encode(&Sha256::digest(FILTER)[..4]);
    let folder = socket.parent().unwrap_or(Path::new("/run"));
    let path = folder.join(format!("ionet-seccomp-{hash}.json"));
    if std::fs::read(&path).is_ok_and(|there| there == FILTER.as_bytes()) {
        return Ok(path);
    }
    // Several workers may do this at the same instant: each writes its own file, then renames.
    let own = folder.join(format!("ionet-seccomp-{hash}.{}", std::process::id()));
    std::fs::write(&own, FILTER)?;
    std::fs::rename(&own, &path)?;
    Ok(path)
}
