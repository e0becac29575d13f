//! `ionet coordinator`: the control plane as a process.

use crate::context::Context;
use crate::failure::{Failure, Kind, OrFail as _, Result};
use ionet_coordinator::{Config, Coordinator};
use std::path::PathBuf;

/// Run a coordinator.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CoordinatorCommand {
    /// Run it here until Ctrl-C
    Start(StartArgs),
    /// What it says of itself and its chain
    Status,
}

/// Options of `coordinator start`.
#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// Its settings
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Does it.
pub(crate) async fn run(context: &Context, command: CoordinatorCommand) -> Result<()> {
    match command {
        CoordinatorCommand::Start(StartArgs { config }) => {
            let config = Config::load(&config).map_err(|e| Failure::usage(e.to_string()))?;
            let coordinator =
                Coordinator::open(config).await.or_fail(Kind::Refused, "coordinator")?;
            coordinator.run(crate::local::stop_signal()).await.or_internal("coordinator")
        }
        CoordinatorCommand::Status => {
            let network: ionet_api::Network = context.rest()?.get("/v1/network").await?;
            context.out.answer(&network, || {
                format!(
                    "coordinator  {} (version {})\nkey          {}\ndevices at   {} ({})\n\
                     chain        {}\nfee          {}\nRay          {} on Python {}",
                    context.coordinator_url(),
                    network.version,
                    network.coordinator,
                    network.device_addresses.join(", "),
                    network.device_endpoint,
                    network.rpc_url,
                    ionet_units::Bps(network.fee_bps),
                    network.ray_version,
                    network.python_version,
                )
            })
        }
    }
}
