//! Compute units of the market program's instructions, as the program tests' own scenes need
//! them, beside an SPL transfer.

use anyhow::{Context as _, ensure};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// What the design asks for, and how to read the table against it.
const AIMS: &str = "\
Aims: opening a lease below 40,000, binding below 6,000 a line, attesting below 1,500 a line,
withdrawing below 12,000. A call has a fixed cost beside that of its lines: attesting meets its aim
for each further line and for calls of several lines, not for a call with a single one; withdrawing
meets it a line, not for a call that pays eight at once.

The token transfer is that of p-token, the leaner program which the main network's features put at
SPL Token's address: do not read ratios to it as ratios to the older program.";

/// The section's text: what the program at `path` prints, and the aims.
pub(crate) async fn measure(path: &Path) -> anyhow::Result<String> {
    let output = Command::new(path).stdin(Stdio::null()).output().await.with_context(|| {
        format!("no {}: cargo build --release -p ionet-program-tests", path.display())
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", path.display());
    let table = String::from_utf8(output.stdout).context("the table of compute units")?;
    ensure!(table.lines().any(|line| line.starts_with('|')), "no table in:\n{table}");
    Ok(format!("{}\n\n{AIMS}\n", table.trim()))
}
