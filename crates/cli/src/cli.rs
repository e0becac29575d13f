//! Every command, as clap sees it, and who runs it.

use crate::context::{Context, GlobalArgs};
use crate::failure::{EXIT_CODES, Result};
use crate::{chain, cluster, coordinator, device, doctor, lease, local, verify, wallet, worker};
use clap::{CommandFactory as _, Parser, Subcommand};

/// Rent clusters with a wallet and nothing else; supply devices; run the whole network here.
#[derive(Debug, Parser)]
#[command(name = "ionet", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Args {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a whole network on this machine: chain, coordinator, workers
    Up(local::UpArgs),
    /// Stop it; with --purge leave the machine as it was
    Down(local::DownArgs),
    /// Check whether this machine can run ionet, and say what to do
    Doctor(doctor::DoctorArgs),
    /// Rent, use and close clusters
    #[command(subcommand)]
    Cluster(Box<cluster::ClusterCommand>),
    /// Enrol devices and look at them
    #[command(subcommand)]
    Device(Box<device::DeviceCommand>),
    /// Ask a device to prove its chips, and compute again what others proved
    Verify(Box<verify::VerifyArgs>),
    /// The money of leases, from the chain alone: needs no coordinator
    Lease(Box<lease::LeaseArgs>),
    /// Keys and balances
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Run or look at a supplier's worker
    #[command(subcommand)]
    Worker(worker::WorkerCommand),
    /// Run or look at the embedded chain
    #[command(subcommand)]
    Chain(chain::ChainCommand),
    /// Run a coordinator
    #[command(subcommand)]
    Coordinator(coordinator::CoordinatorCommand),
    /// The local network's own processes
    #[command(subcommand)]
    Local(local::LocalCommand),
    /// Print a completion script for a shell
    Completions {
        /// For which shell.
        #[arg(value_parser = clap::value_parser!(clap_complete::Shell))]
        shell: clap_complete::Shell,
    },
}

/// Does it.
pub(crate) async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Up(args) => Box::pin(local::up(context, args)).await,
        Command::Down(args) => Box::pin(local::down(context, args)).await,
        Command::Doctor(args) => Box::pin(doctor::run(context, args)).await,
        Command::Cluster(command) => Box::pin(cluster::run(context, *command)).await,
        Command::Device(command) => Box::pin(device::run(context, *command)).await,
        Command::Verify(args) => Box::pin(verify::run(context, *args)).await,
        Command::Lease(args) => Box::pin(lease::run(context, *args)).await,
        Command::Wallet(command) => Box::pin(wallet::run(context, command)).await,
        Command::Worker(command) => Box::pin(worker::run(context, command)).await,
        Command::Chain(command) => Box::pin(chain::run(context, command)).await,
        Command::Coordinator(command) => Box::pin(coordinator::run(context, command)).await,
        Command::Local(command) => Box::pin(local::run(context, command)).await,
        Command::Completions { shell } => completions(context, shell),
    }
}

fn completions(context: &Context, shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ionet", &mut script);
    context.out.raw(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_commands_of_the_readme_parse() {
        for line in [
            "ionet cluster create --devices 3 --chip cpu --region any --ttl 1h",
            "ionet cluster submit clu_aaaaaaaaaaaaaaaa examples/digits_search.py",
            "ionet cluster submit clu_aaaaaaaaaaaaaaaa a.py --follow -- --darts 5",
            "ionet cluster logs clu_aaaaaaaaaaaaaaaa -f",
            "ionet cluster show clu_aaaaaaaaaaaaaaaa --json",
            "ionet cluster close clu_aaaaaaaaaaaaaaaa",
            "ionet cluster exec clu_aaaaaaaaaaaaaaaa -- ray status",
            "ionet wallet show",
            "ionet verify replay 1",
            "ionet verify replay trial-1.record --offline",
            "ionet verify fetch 1 --dir records",
            "ionet verify list --json",
            "ionet lease list --supplier",
            "ionet lease claim --receipts receipts.json --yes",
            "ionet lease settle --all --rpc http://127.0.0.1:8899",
            "ionet up --workers 2",
            "ionet down --purge --yes",
            "ionet device grant blob --ask 0.05",
        ] {
            Args::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for line in [
            "ionet cluster create --devices 0 --chip cpu",
            "ionet cluster create --devices 3 --chip warp-drive",
            "ionet cluster create --devices 3 --chip cpu --region mars",
            "ionet cluster create --devices 3 --chip cpu --ttl 1s",
            "ionet cluster show nonsense",
            "ionet up --workers 0",
            "ionet --request-id a\u{1}b wallet show",
        ] {
            let error = Args::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
