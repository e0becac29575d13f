//! The repository's files, and what is found in them.

use anyhow::Context;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the repository.
pub(crate) struct File {
    /// From the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All text files that git does not ignore.
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<File>,
}

/// Something to put right.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    text: String,
}

impl Finding {
    /// `line` counts from one; zero: the whole file.
    pub(crate) fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

impl Tree {
    pub(crate) fn of_this_repository() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let mut paths = listed_by_git(&root).unwrap_or_else(|| walked(&root));
        paths.sort();
        // What is not UTF-8 (bytecode, archives) is not text.
        let read = |path: String| {
            let text = std::fs::read_to_string(root.join(&path)).ok()?;
            Some(File { path, text })
        };
        let files = paths.into_iter().filter_map(read).collect();
        Ok(Self { root, files })
    }

    pub(crate) fn get(&self, path: &str) -> anyhow::Result<&str> {
        let file = self.files.iter().find(|f| f.path == path);
        file.map(|f| f.text.as_str()).with_context(|| format!("{path} is missing"))
    }

    pub(crate) fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a File> {
        self.files
            .iter()
            .filter(move |f| f.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    }
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<_> = text.split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

/// For a tree that was unpacked rather than cloned.
fn walked(root: &Path) -> Vec<String> {
    let own = |e: &walkdir::DirEntry| e.file_name() != "target" && e.file_name() != ".git";
    let entries = walkdir::WalkDir::new(root).into_iter().filter_entry(own).flatten();
    let files = entries.filter(|e| e.file_type().is_file());
    let name =
        |e: walkdir::DirEntry| Some(e.path().strip_prefix(root).ok()?.to_str()?.replace('\\', "/"));
    files.filter_map(name).collect()
}
