//! `ionet worker`: the supplier's agent as a process.

use crate::context::Context;
use crate::failure::{Failure, Kind, OrFail as _, Result};
use ionet_worker::{DeviceKey, Worker, WorkerConfig, WorkerError};
use std::path::PathBuf;

/// Run or look at a supplier's worker.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WorkerCommand {
    /// Run it here until Ctrl-C (which waits for clusters to end; twice: at once)
    Start(ConfigArgs),
    /// What the coordinator knows of the worker with these settings
    Status(ConfigArgs),
}

/// Which worker.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// Its settings [default: $IONET_HOME/worker.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Reads the settings.
    pub(crate) fn load(&self, context: &Context) -> Result<WorkerConfig> {
        let path = self.config.clone().unwrap_or_else(|| context.home.path().join("worker.toml"));
        if !path.exists() {
            return Err(Failure::not_found(format!("no worker settings at {}", path.display()))
                .hint("name them with --config; `ionet up` makes workers of a local network"));
        }
        WorkerConfig::load(&path).map_err(|e| Failure::usage(e.to_string()))
    }
}

/// Does it.
pub(crate) async fn run(context: &Context, command: WorkerCommand) -> Result<()> {
    match command {
        WorkerCommand::Start(args) => {
            let config = args.load(context)?;
            let stop = ionet_worker::signals().or_internal("signals")?;
            Worker::run(config, stop).await.map_err(failure)
        }
        WorkerCommand::Status(args) => {
            let config = args.load(context)?;
            let key = DeviceKey::load(&config.state_dir)
                .map_err(|e| Failure::not_found(e.to_string()))?;
            crate::device::show(context, key.id()).await
        }
    }
}

/// A worker's end in the words of the command line.
pub(crate) fn failure(error: WorkerError) -> Failure {
    let message = error.to_string();
    match error {
        WorkerError::Config(_) | WorkerError::Key(_) => Failure::usage(message),
        WorkerError::Enrol(_) => Failure::not_found(message),
        WorkerError::Engine(_) => Failure::new(Kind::Unreachable, message)
            .hint("`ionet doctor` says what is wrong with the container engine"),
        WorkerError::Refused { .. } => Failure::new(Kind::Auth, message),
        WorkerError::Lock(_) => Failure::refused(message),
        WorkerError::Store(_)
        | WorkerError::Host(_)
        | WorkerError::Endpoint(_)
        | WorkerError::Metrics { .. }
        | WorkerError::Counters(_) => Failure::new(Kind::Internal, message),
    }
}
