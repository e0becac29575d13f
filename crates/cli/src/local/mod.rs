//! The local network: a chain, a coordinator and workers on this machine.

mod down;
mod image;
mod install;
pub(crate) mod network;
mod services;
mod status;
mod supervisor;
mod up;

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::home::Home;
use crate::process::{Process, this_program};
use std::path::PathBuf;

pub(crate) use down::down;
pub(crate) use up::up;

/// Podman's settings for our own service, as they stand in the source tree.
pub(crate) const CONTAINERS_CONF: &str = include_str!("../../../../scripts/containers.conf");

/// Options of `up`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct UpArgs {
    /// How many workers, each a device of its own [default: 4, or as many as there are]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: Option<u16>,
    /// What each worker asks per hour, in USDC and IO [default: 0.05, or as it is]
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) ask: Option<String>,
    /// What workloads may reach outside: none, mirrors, open [default: none, or as it is]
    #[arg(long)]
    pub(crate) egress: Option<ionet_core::Egress>,
    /// Do not build the Ray image (clusters cannot start without it)
    #[arg(long)]
    pub(crate) no_image: bool,
    /// Go on although checks failed
    #[arg(long)]
    pub(crate) force: bool,
}

/// Options of `down`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DownArgs {
    /// Also remove chain, wallets made by `up`, image and link: leave the machine as it was
    #[arg(long)]
    pub(crate) purge: bool,
    /// With --purge: keep the renter's wallet even if `up` made it
    #[arg(long, requires = "purge")]
    pub(crate) keep_wallet: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// The local network's own processes.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum LocalCommand {
    /// Start and restart the processes of the local network (`ionet up` runs this)
    #[command(hide = true)]
    Run,
    /// Which processes run, since when, how often they were restarted
    Status,
}

/// Does it.
pub(crate) async fn run(context: &Context, command: LocalCommand) -> Result<()> {
    match command {
        LocalCommand::Run => supervisor::run(&context.home).await,
        LocalCommand::Status => status::show(context),
    }
}

/// Containers' networks need root: the same command again, through sudo. Returns only if that
/// cannot be had.
fn as_root(context: &Context, name: &str) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    context.out.say("containers' networks need root: going on with sudo");
    let mut command = std::process::Command::new("sudo");
    command.arg("--preserve-env=IONET_LOG,NO_COLOR,PATH").arg("env");
    command.arg(format!("IONET_HOME={}", context.home.path().display()));
    command.arg(this_program()?).args(std::env::args_os().skip(1));
    let error = command.exec();
    Err(Failure::refused(format!("sudo: {error}")).hint(format!("run `ionet {name}` as root")))
}

/// Where a process of the local network keeps its pid.
pub(crate) fn pid_file(home: &Home, name: &str) -> PathBuf {
    home.local().join("run").join(format!("{name}.pid"))
}

/// Whether the local network of this home runs.
pub(crate) fn is_running(home: &Home) -> bool {
    Process::from_file(&pid_file(home, "supervisor")).is_some()
}

/// Returns at Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = match signal(SignalKind::terminate()) {
        Ok(term) => term,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        _ = term.recv() => (),
    }
}
