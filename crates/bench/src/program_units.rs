//! Compute units of the market program's instructions, as the program tests' own scenes need
//! them, beside an SPL transfer.

use anyhow::{Context as _, ensure};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// What the design asks for, and how to read the table against it.
const AIMS: &str = "\
Aims, whatever the cluster's size: opening a lease below 40,000, binding below 6,000 a line,
attesting below 1,500 a line, withdrawing below 12,000.

Met: opening, also where its address is found late; binding, also a page's first line; attesting,
for calls of three lines or more; a supplier's own withdrawal of one line, from a full page too.

Missed: attesting one or two lines, since a call has a fixed cost (who signs, the lease, the page,
the clock, the event) that other lines share; withdrawing for more than five lines in one call,
since each line is a transfer of its own. Nobody has to call it so: a call for one line stays below
12,000 however large the cluster is. No call of those above, as large as it can be, needs more than
the 200,000 that an instruction gets unasked; the dearest are those that move the clock once a line,
with products beyond 64 bits.

The token transfer is that of p-token, the leaner program which the main network's features put at
SPL Token's address: do not read ratios to it as ratios to the older program.";

/// The section's text: what the program at `path` prints, and the aims.
pub(crate) async fn measure(path: &Path) -> anyhow::Result<String> {
    Ok(format!("{}\n\n{AIMS}\n", printed(path, &[]).await?.trim()))
}

/// What a program of the program's tests prints; it must hold a table.
pub(crate) async fn printed(path: &Path, args: &[String]) -> anyhow::Result<String> {
    let mut command = Command::new(path);
    let output = command.args(args).stdin(Stdio::null()).output().await.with_context(|| {
        format!("no {}: cargo build --release -p ionet-program-tests", path.display())
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", path.display());
    let text = String::from_utf8(output.stdout).context("a table in UTF-8")?;
    ensure!(text.lines().any(|line| line.starts_with('|')), "no table in:\n{text}");
    Ok(text)
}
