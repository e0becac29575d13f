//! The disk where a workload works: written, brought to the disk, read back.

use ionet_trust::inside::{PIECE_BYTES, pour};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;

/// A file that is on the disk and has no name any more: it goes when it is dropped.
pub(crate) struct Written {
    file: File,
    bytes: u64,
}

/// Writes it into `folder`.
pub(crate) fn write(folder: &Path, key: &[u8; 32], bytes: u64) -> std::io::Result<Written> {
    let name = folder.join(format!(".ionet-{}", hex::encode(&key[..8])));
    let mut file = File::options().read(true).write(true).create_new(true).open(&name)?;
    std::fs::remove_file(&name)?;
    pour(key, bytes, &mut file)?;
    file.sync_all()?;
    Ok(Written { file, bytes })
}

impl Written {
    /// Reads it back.
    pub(crate) fn digest(mut self, salt: &[u8; 32]) -> std::io::Result<[u8; 32]> {
        forget(&self.file);
        self.file.rewind()?;
        let mut hasher = blake3::Hasher::new_keyed(salt);
        let (mut piece, mut read) = (vec![0u8; PIECE_BYTES], 0);
        while read < self.bytes {
            let n = self.file.read(&mut piece)?;
            if n == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(&piece[..n]);
            read += n as u64;
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

/// Asks for the file to be dropped from the cache of the kernel, so that it is read from the disk.
fn forget(file: &File) {
    // SAFETY: the call takes a descriptor that is open and three integers.
    #[cfg(target_os = "linux")]
    unsafe {
        let drop = nix::libc::POSIX_FADV_DONTNEED;
        nix::libc::posix_fadvise(file.as_raw_fd(), 0, 0, drop);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file.as_raw_fd();
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_trust::inside::digest_of;

    #[test]
    fn what_was_written_is_read_back_and_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("ionet-inside-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (key, salt) = ([3; 32], [4; 32]);
        for bytes in [0, 1, PIECE_BYTES as u64 + 5] {
            let written = write(&folder, &key, bytes).unwrap();
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
            assert_eq!(written.digest(&salt).unwrap(), digest_of(&key, bytes, &salt));
        }
        let other = write(&folder, &[5; 32], 100).unwrap();
        assert_ne!(other.digest(&salt).unwrap(), digest_of(&key, 100, &salt));
        std::fs::remove_dir(&folder).unwrap();
        assert!(write(&folder, &key, 1).is_err());
    }
}
