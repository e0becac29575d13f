//! `ionet worker`: the supplier's agent as a process.

use crate::context::Context;
use crate::failure::{Failure, Kind, OrFail as _, Result};
use ionet_worker::{DeviceKey, Receipts, ReceiptsError, Worker, WorkerConfig, WorkerError};
use std::path::{Path, PathBuf};

/// Run or look at a supplier's worker.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WorkerCommand {
    /// Run it here until Ctrl-C (which waits for clusters to end; twice: at once)
    Start(ConfigArgs),
    /// What the coordinator knows of the worker with these settings
    Status(ConfigArgs),
    /// The receipts that it keeps: what it is paid for, with or without a coordinator
    #[command(subcommand)]
    Receipts(ReceiptsCommand),
}

/// The receipts that a worker keeps.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ReceiptsCommand {
    /// Write them into a file for `ionet lease claim`; the worker may run meanwhile
    Export {
        /// Which worker.
        #[command(flatten)]
        config: ConfigArgs,
        /// Its state folder, where its settings are lost.
        #[arg(long, value_name = "DIR", conflicts_with = "config")]
        state_dir: Option<PathBuf>,
        /// Into which file [default: stdout]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
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
        WorkerCommand::Receipts(ReceiptsCommand::Export { config, state_dir, out }) => {
            let folder = match state_dir {
                Some(folder) => folder,
                None => config.load(context)?.state_dir,
            };
            export(context, &folder, out)
        }
    }
}

fn export(context: &Context, state_dir: &Path, out: Option<PathBuf>) -> Result<()> {
    let kept = Receipts::of_worker(state_dir).map_err(receipts_failure)?;
    if kept.unreadable > 0 {
        context.out.say(format!("{} receipts in the store cannot be read", kept.unreadable));
    }
    let text = serde_json::to_vec_pretty(&kept).or_internal("receipts")?;
    let Some(path) = out else { return context.out.raw(&[&text[..], b"\n"].concat()) };
    crate::home::write_atomic(&path, &text, 0o644)?;
    let count = kept.receipts.len();
    let answer = serde_json::json!({ "receipts": count, "path": path });
    let text = format!("{} in {}", crate::lease::counted(count), path.display());
    context.out.answer(&answer, || text)
}

/// Why receipts cannot be had, in the words of the command line.
pub(crate) fn receipts_failure(error: ReceiptsError) -> Failure {
    let message = error.to_string();
    match error {
        ReceiptsError::Missing(_) => Failure::not_found(message)
            .hint("name a worker's state folder, or a file of `ionet worker receipts export`"),
        ReceiptsError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            Failure::not_found(message)
        }
        ReceiptsError::Io { source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Failure::usage(message).hint("run this as the user who runs the worker")
        }
        ReceiptsError::Json { .. } => Failure::usage(message)
            .hint("export it again with `ionet worker receipts export`, and copy all of it"),
        ReceiptsError::Size(_) | ReceiptsError::Format { .. } | ReceiptsError::Io { .. } => {
            Failure::usage(message)
        }
        ReceiptsError::Partial(_) => {
            Failure::usage(message).hint("copy the worker's whole folder, or export its receipts")
        }
        ReceiptsError::Store(_) => Failure::new(Kind::Internal, message).hint(
            "run this as the user who runs the worker, or on a copy of its whole folder that you \
             can write to",
        ),
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
