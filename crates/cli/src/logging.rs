//! Logs on stderr: plain lines for commands, JSON for processes that run long.

use crate::cli::Command;
use crate::{chain, coordinator, local, worker};
use tracing_subscriber::EnvFilter;

/// Starts the log. `IONET_LOG` (as `RUST_LOG`) wins over `-v`.
pub(crate) fn start(command: &Command, verbose: u8) {
    let serves = matches!(
        command,
        Command::Chain(chain::ChainCommand::Start(_))
            | Command::Coordinator(coordinator::CoordinatorCommand::Start(_))
            | Command::Worker(worker::WorkerCommand::Start(_))
            | Command::Local(local::LocalCommand::Run)
    );
    // iroh and hyper tell every packet at debug level.
    let level = match (serves, verbose) {
        (false, 0) => "error",
        (false, 1) => "warn,ionet=info",
        (true, 0) => {
            "warn,ionet=info,ionet_chain=info,ionet_coordinator=info,ionet_worker=info,\
             ionet_runtime=info,ionet_ledger=info,ionet_wire=info"
        }
        (true, 1) => {
            "info,ionet=debug,ionet_chain=debug,ionet_coordinator=debug,\
             ionet_worker=debug,ionet_runtime=debug,ionet_ledger=debug"
        }
        (false, 2) => "info,ionet=debug,ionet_ledger=debug,ionet_worker=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("IONET_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if serves {
        log.json().flatten_event(true).with_current_span(true).init();
    } else {
        log.without_time().compact().init();
    }
}
