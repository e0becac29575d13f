//! `ionet cluster vouch`: the renter's side of a lease while it runs. It looks by itself at what
//! is paid for, signs receipts for the seconds that it saw served, and adds to the deposit within
//! the renter's cap.
//!
//! A process in the background does it, as for tunnels; it ends with its cluster.

mod chain;
mod count;
pub(crate) mod key;
mod look;
mod top_up;
mod watch;

pub(crate) use chain::tidy;
pub(crate) use key::SESSION_LAMPORTS;

use super::folder;
use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use crate::home::private_folder;
use crate::process::{Process, spawn_detached, this_program};
use ionet_core::ClusterId;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A new process needs a sign-in and a look at the chain.
const START: Duration = Duration::from_secs(20);
/// How long it may take to look once more, sign and send when it is told to end.
const GRACE: Duration = Duration::from_secs(30);
/// Between two looks whether it runs.
const POLL: Duration = Duration::from_millis(50);

/// Options of `cluster vouch`.
#[derive(Debug, clap::Args)]
pub(crate) struct VouchArgs {
    /// The cluster
    id: ClusterId,
    /// Stay in front; without it a process in the background does it
    #[arg(long)]
    foreground: bool,
    /// End it: its last receipts are sent first
    #[arg(long, conflicts_with = "foreground")]
    stop: bool,
}

/// `ionet cluster vouch`.
pub(crate) async fn run(context: &Context, args: VouchArgs) -> Result<()> {
    let id = args.id;
    if args.stop {
        stop(&folder(context, id)).await;
        let answer = serde_json::json!({ "id": id, "running": false });
        return context.out.answer(&answer, || "nobody on this machine vouches any more".into());
    }
    if args.foreground {
        return watch::serve(context, id).await;
    }
    start(context, id).await?;
    let answer = serde_json::json!({ "id": id, "running": true });
    context.out.answer(&answer, || {
        format!("a process in the background vouches for {id}; keep this machine on")
    })
}

fn state_file(folder: &Path) -> PathBuf {
    folder.join("vouch.json")
}

fn running(folder: &Path) -> Option<Process> {
    Process::from_file(&state_file(folder))
}

/// Starts it if it does not run.
pub(crate) async fn start(context: &Context, id: ClusterId) -> Result<()> {
    let folder = folder(context, id);
    private_folder(&folder)?;
    if running(&folder).is_some() {
        return Ok(());
    }
    let mut command = std::process::Command::new(this_program()?);
    command
        .args(["cluster", "vouch", "--foreground", &id.to_string()])
        .env("IONET_HOME", context.home.path())
        .env("IONET_COORDINATOR", context.coordinator_url())
        .env("IONET_RPC", context.rpc_url())
        .env("IONET_WALLET", context.wallet_path())
        .current_dir("/");
    let log = folder.join("vouch.log");
    let process = spawn_detached(&mut command, &log)?;
    let deadline = tokio::time::Instant::now() + START;
    while running(&folder).is_none() {
        if !process.is_alive() || tokio::time::Instant::now() > deadline {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last = said.lines().last().unwrap_or("it said nothing").to_owned();
            let message = format!("nobody vouches: the process did not start: {last}");
            return Err(Failure::new(Kind::Unreachable, message)
                .hint(format!("try it in front: ionet cluster vouch --foreground {id}")));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Ends it, if it runs: it looks, signs and sends once more.
pub(crate) async fn stop(folder: &Path) {
    if let Some(process) = running(folder) {
        process.end(GRACE, true).await;
    }
    let _ = std::fs::remove_file(state_file(folder));
}
