//! `ionet cluster`: rent, use and close clusters.

mod check;
mod create;
mod exec;
mod fund;
mod jobs;
mod money;
mod pack;
mod pipe;
mod progress;
mod submit;
mod terms;
mod tunnel;
mod view;
mod vouch;

use crate::context::Context;
use crate::failure::{Failure, Kind, OrFail as _, Result};
use ionet_core::ClusterId;
use std::path::PathBuf;

/// Ends every background process that serves this home's clusters: tunnels, and those that vouch.
pub(crate) async fn stop_tunnels(home: &crate::home::Home) {
    if let Ok(entries) = std::fs::read_dir(home.clusters()) {
        for folder in entries.flatten().map(|e| e.path()) {
            vouch::stop(&folder).await;
        }
    }
    tunnel::stop_all(home).await;
}

/// Rent, use and close clusters.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ClusterCommand {
    /// Rent a cluster: quote, signature, start
    Create(create::CreateArgs),
    /// List your clusters
    List {
        /// Also those that are over.
        #[arg(short, long)]
        all: bool,
    },
    /// Show one
    Show {
        /// The cluster.
        id: ClusterId,
    },
    /// Its time line
    Events {
        /// The cluster.
        id: ClusterId,
        /// Go on with what comes.
        #[arg(short, long)]
        follow: bool,
    },
    /// Run a Python script on it; needs no Ray on this machine
    Submit(submit::SubmitArgs),
    /// The log of its newest job, of a given job, or of a device
    Logs(jobs::LogsArgs),
    /// Its jobs
    Jobs {
        /// The cluster.
        id: ClusterId,
    },
    /// Run a program inside one of its containers
    Exec(exec::ExecArgs),
    /// Look from inside of its containers at what was rented: rate, memory, disk, network
    Check(check::CheckArgs),
    /// Rent like anybody at moments that are drawn, look from inside, give back
    Undercover(check::UndercoverArgs),
    /// Addresses, token and environment for Ray's own tools
    Access {
        /// The cluster.
        id: ClusterId,
    },
    /// Make its dashboard and Ray client reachable on this machine
    Tunnel(tunnel::TunnelArgs),
    /// Look at what you pay for and sign receipts for it; top up, as far as you allowed
    Vouch(vouch::VouchArgs),
    /// Add to the deposit
    TopUp {
        /// The cluster.
        id: ClusterId,
        /// How much, such as 0.5.
        amount: String,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// End it: what cannot be claimed comes back at once
    Close {
        /// The cluster.
        id: ClusterId,
        /// Do not wait until its parts have stopped.
        #[arg(long)]
        no_wait: bool,
    },
}

/// Does it.
pub(crate) async fn run(context: &Context, command: ClusterCommand) -> Result<()> {
    match command {
        ClusterCommand::Create(args) => Box::pin(create::run(context, args)).await,
        ClusterCommand::List { all } => view::list(context, all).await,
        ClusterCommand::Show { id } => view::show(context, id).await,
        ClusterCommand::Events { id, follow } => view::events(context, id, follow).await,
        ClusterCommand::Submit(args) => Box::pin(submit::run(context, args)).await,
        ClusterCommand::Logs(args) => Box::pin(jobs::logs(context, args)).await,
        ClusterCommand::Jobs { id } => Box::pin(jobs::list(context, id)).await,
        ClusterCommand::Exec(args) => Box::pin(exec::run(context, args)).await,
        ClusterCommand::Check(args) => Box::pin(check::run(context, args)).await,
        ClusterCommand::Undercover(args) => Box::pin(check::undercover(context, args)).await,
        ClusterCommand::Access { id } => Box::pin(tunnel::access(context, id)).await,
        ClusterCommand::Tunnel(args) => Box::pin(tunnel::run(context, args)).await,
        ClusterCommand::Vouch(args) => Box::pin(vouch::run(context, args)).await,
        ClusterCommand::TopUp { id, amount, yes } => {
            Box::pin(money::top_up(context, id, &amount, yes)).await
        }
        ClusterCommand::Close { id, no_wait } => Box::pin(money::close(context, id, no_wait)).await,
    }
}

/// What this machine keeps of a cluster.
fn folder(context: &Context, id: ClusterId) -> PathBuf {
    context.home.clusters().join(id.to_string())
}

/// Reads a spec from a file in JSON or TOML.
fn read_spec(path: &std::path::Path) -> Result<ionet_core::ClusterSpec> {
    let bytes = std::fs::read(path).map_err(|e| {
        let kind =
            if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Usage };
        Failure::new(kind, format!("{}: {e}", path.display()))
    })?;
    if bytes.len() > ionet_core::limits::SPEC_BYTES_MAX {
        let error = ionet_core::SpecError::Size(bytes.len());
        return Err(Failure::usage(format!("{}: {error}", path.display())));
    }
    if path.extension().is_some_and(|e| e == "toml") {
        let text = String::from_utf8(bytes).or_fail(Kind::Usage, path.display())?;
        let spec: ionet_core::ClusterSpec =
            toml::from_str(&text).or_fail(Kind::Usage, path.display())?;
        spec.validate().or_fail(Kind::Usage, path.display())?;
        return Ok(spec);
    }
    ionet_core::ClusterSpec::from_json(&bytes).or_fail(Kind::Usage, path.display())
}
