//! Where receipts come from: workers' stores on this machine, or exported files.

use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use crate::worker::receipts_failure;
use ionet_worker::{Receipts, ReceiptsError, WorkerConfig};
use std::path::{Path, PathBuf};

/// Most workers whose stores are read at once: a rig has one, a local network at most 64.
const WORKERS_MAX: usize = 1_024;

/// How many, in words.
pub(crate) fn counted(count: usize) -> String {
    format!("{count} {}", if count == 1 { "receipt" } else { "receipts" })
}

/// Receipts and where they were found.
pub(crate) struct Source {
    /// The folder or file.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) receipts: Receipts,
}

/// Receipts at `named`: a worker's state folder, a folder of such folders, or an exported file.
/// Without a name: this home's worker, and the workers of its local network.
pub(crate) fn find(context: &Context, named: Option<&Path>) -> Result<Vec<Source>> {
    let Some(path) = named else { return find_here(context) };
    if !path.is_dir() {
        return Ok(vec![file(path)?]);
    }
    let all = below(path)?;
    if all.is_empty() {
        return Err(receipts_failure(ReceiptsError::Missing(path.to_owned())));
    }
    Ok(all)
}

fn find_here(context: &Context) -> Result<Vec<Source>> {
    let mut all = Vec::new();
    let settings = context.home.path().join("worker.toml");
    if settings.exists() {
        let config = WorkerConfig::load(&settings).map_err(|e| Failure::usage(e.to_string()))?;
        all.extend(worker(&config.state_dir)?);
    }
    let local = context.home.local().join("workers");
    if local.is_dir() {
        all.extend(below(&local)?);
    }
    if all.is_empty() {
        return Err(Failure::not_found(format!(
            "no worker kept receipts below {}",
            context.home.path().display()
        ))
        .hint(
            "--receipts names a worker's state folder, or a file that `ionet worker receipts \
             export` wrote where the worker is",
        ));
    }
    Ok(all)
}

/// The store in `path` itself, or those in the folders right below it.
fn below(path: &Path) -> Result<Vec<Source>> {
    if let Some(source) = worker(path)? {
        return Ok(vec![source]);
    }
    let unreadable = |e: std::io::Error| {
        Failure::new(Kind::Usage, format!("{}: {e}", path.display()))
            .hint("run this as the user who runs the worker")
    };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let folder = entry.map_err(unreadable)?.path();
        if folder.is_dir() {
            folders.push(folder);
        }
        if folders.len() > WORKERS_MAX {
            let text = format!("{} holds more than {WORKERS_MAX} folders", path.display());
            return Err(Failure::usage(text).hint("name a worker's own state folder"));
        }
    }
    folders.sort();
    let found = folders.iter().map(|folder| worker(folder)).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn worker(state_dir: &Path) -> Result<Option<Source>> {
    match Receipts::of_worker(state_dir) {
        Ok(receipts) => Ok(Some(Source { path: state_dir.to_owned(), receipts })),
        Err(ReceiptsError::Missing(_)) => Ok(None),
        Err(error) => Err(receipts_failure(error)),
    }
}

fn file(path: &Path) -> Result<Source> {
    let receipts = Receipts::load(path).map_err(receipts_failure)?;
    Ok(Source { path: path.to_owned(), receipts })
}
