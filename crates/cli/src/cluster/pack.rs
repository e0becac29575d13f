//! A working folder as the archive that Ray's jobs API takes.

use crate::failure::{Failure, OrFail as _, Result};
use crate::output::bytes;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::path::Path;

/// Ray's own limit on a package is 500 MiB; it travels through memory here, and code is small.
const FOLDER_BYTES_MAX: u64 = 100 << 20;
/// Files of one package.
const FILES_MAX: usize = 10_000;
/// Folders that hold no code of the job.
const LEFT_OUT: [&str; 6] = [".git", "__pycache__", ".venv", "venv", "node_modules", "target"];

/// An archive and the name under which Ray keeps it.
pub(crate) struct Package {
    /// `_ray_pkg_<hash>.zip`.
    pub(crate) name: String,
    /// The archive.
    pub(crate) zip: Vec<u8>,
}

impl Package {
    /// How jobs name it.
    pub(crate) fn uri(&self) -> String {
        format!("gcs://{}", self.name)
    }
}

/// Packs one file alone.
pub(crate) fn file(path: &Path) -> Result<Package> {
    let name = path.file_name().ok_or_else(|| Failure::usage("the script has no name"))?;
    let size = std::fs::metadata(path).or_internal(path.display())?.len();
    within(size, 1)?;
    let content = std::fs::read(path).or_internal(path.display())?;
    build(vec![(name.to_string_lossy().into_owned(), content)])
}

/// Packs a folder. Links are left out: what they lead to may be anything.
pub(crate) fn folder(root: &Path) -> Result<Package> {
    let mut files = Vec::new();
    let mut total = 0;
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(|e| {
        e.depth() == 0 || !LEFT_OUT.contains(&e.file_name().to_string_lossy().as_ref())
    });
    for entry in walk {
        let entry = entry.or_internal(root.display())?;
        if !entry.file_type().is_file() {
            continue;
        }
        total += entry.metadata().or_internal(entry.path().display())?.len();
        within(total, files.len() + 1)?;
        let name = entry.path().strip_prefix(root).expect("it was found below");
        let content = std::fs::read(entry.path()).or_internal(entry.path().display())?;
        files.push((name.to_string_lossy().into_owned(), content));
    }
    if files.is_empty() {
        return Err(Failure::usage(format!("{} holds no files", root.display())));
    }
    build(files)
}

fn within(size: u64, files: usize) -> Result<()> {
    if size > FOLDER_BYTES_MAX || files > FILES_MAX {
        return Err(Failure::usage(format!(
            "a job's folder holds at most {} in {FILES_MAX} files",
            bytes(FOLDER_BYTES_MAX)
        ))
        .hint("name a smaller one with --working-dir; data does not belong in it"));
    }
    Ok(())
}

fn build(files: Vec<(String, Vec<u8>)>) -> Result<Package> {
    let mut hash = Sha256::new();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .unix_permissions(0o644);
    for (name, content) in files {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(&name);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(&content);
        zip.start_file(name, options).or_internal("archive")?;
        zip.write_all(&content).or_internal("archive")?;
    }
    let zip = zip.finish().or_internal("archive")?.into_inner();
    let name = format!("_ray_pkg_{}.zip", hex::encode(&hash.finalize()[..8]));
    Ok(Package { name, zip })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_folder_is_packed_without_what_is_not_code() {
        let folder_ = tempfile::tempdir().unwrap();
        let root = folder_.path();
        std::fs::create_dir_all(root.join("lib")).unwrap();
        std::fs::create_dir_all(root.join(".git")).unwrap();
        std::fs::write(root.join("job.py"), "print(1)").unwrap();
        std::fs::write(root.join("lib/a.py"), "A = 1").unwrap();
        std::fs::write(root.join(".git/secret"), "s").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
        let package = folder(root).unwrap();
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&package.zip)).unwrap();
        let names: Vec<_> = zip.file_names().map(str::to_owned).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        let mut text = String::new();
        zip.by_name("lib/a.py").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "A = 1");
        assert_eq!(folder(root).unwrap().name, package.name, "same content, same name");
        std::fs::write(root.join("job.py"), "print(2)").unwrap();
        assert_ne!(folder(root).unwrap().name, package.name);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert_eq!(within(FOLDER_BYTES_MAX + 1, 1).unwrap_err().exit_code(), 2);
        assert_eq!(within(1, FILES_MAX + 1).unwrap_err().exit_code(), 2);
    }
}
