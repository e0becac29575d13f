//! `ionet lease`: the money of a lease, from the chain alone. No coordinator is asked anything:
//! these commands are for the day when there is none any more.

mod act;
mod book;
mod claim;
mod lines;
mod list;
mod market;
mod plan;
mod receipt;
mod run;
mod show;
mod show_text;
mod source;
mod steps;
#[cfg(test)]
mod tests;

use crate::context::Context;
use crate::failure::Result;
use ionet_core::ClusterId;
use ionet_ledger::Address;
use run::How;
pub(crate) use source::counted;
use std::str::FromStr;

/// Options of every lease command.
#[derive(Debug, clap::Args)]
pub(crate) struct LeaseArgs {
    /// The market program [default: `program` in config.toml, else this release's own]
    #[arg(long, global = true, value_name = "ADDRESS")]
    program: Option<String>,
    /// What to do.
    #[command(subcommand)]
    command: LeaseCommand,
}

/// A lease by its address, or by the cluster that it pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseName {
    /// Its address.
    Address(Address),
    /// Its cluster: looked for among the wallet's leases.
    Cluster(ClusterId),
}

impl FromStr for LeaseName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("clu_") {
            return text.parse().map(Self::Cluster).map_err(|e| format!("{e}"));
        }
        let wrong = |_| "neither an address nor a cluster's id (clu_...)".to_owned();
        text.parse().map(Self::Address).map_err(wrong)
    }
}

/// `PAGE/INDEX`, as `lease show` prints lines.
fn line_name(text: &str) -> Result<(u16, u8), String> {
    let parsed = text
        .split_once('/')
        .and_then(|(page, index)| Some((page.parse().ok()?, index.parse().ok()?)));
    parsed.ok_or_else(|| "write a line as `lease show` does: PAGE/INDEX, such as 0/3".to_owned())
}

/// The money of leases, from the chain alone: needs no coordinator.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum LeaseCommand {
    /// List your leases: those you rent with; --supplier: those that pay you
    List(list::ListArgs),
    /// What a lease holds, who can draw what and when, and which command does it
    Show {
        /// Address, or id of its cluster.
        lease: LeaseName,
    },
    /// Supplier: cash the receipts that your worker keeps, and draw what they bring
    Claim(claim::ClaimArgs),
    /// Renter: close it; what no line can claim comes back at once
    Close(OneArgs),
    /// Renter: refuse lines in their acceptance window; they owe nothing then
    Reject(LinesArgs),
    /// Renter or supplier: stop lines and free their devices
    End(LinesArgs),
    /// Pay out what your lines have earned
    Withdraw(steps::WithdrawArgs),
    /// Pay the renter the refund that closing could not
    Refund(OneArgs),
    /// After the claim window: pay the renter what nobody claimed
    Finalize(OneArgs),
    /// Pay the network's fee
    SweepFees(OneArgs),
    /// Remove a finalized lease; rents go back to whoever paid them
    Reclaim(OneArgs),
    /// Do all that can be done now, and say what waits until when; can be repeated
    Settle(steps::SettleArgs),
    /// Add to the deposit
    TopUp(steps::TopUpArgs),
}

/// One lease.
#[derive(Debug, clap::Args)]
pub(crate) struct OneArgs {
    /// Address, or id of its cluster.
    lease: LeaseName,
    #[command(flatten)]
    how: How,
}

/// Lines of one lease.
#[derive(Debug, clap::Args)]
pub(crate) struct LinesArgs {
    /// Address, or id of its cluster.
    lease: LeaseName,
    /// Which, as PAGE/INDEX; can be repeated
    #[arg(long = "line", required = true, value_name = "PAGE/INDEX", value_parser = line_name)]
    lines: Vec<(u16, u8)>,
    #[command(flatten)]
    how: How,
}

/// What of [`OneArgs`]' commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Close,
    Refund,
    Finalize,
    SweepFees,
    Reclaim,
}

/// Leases at once: an `--all` of more is repeated.
const LEASES_MAX: usize = 256;

/// Does it.
pub(crate) async fn run(context: &Context, args: LeaseArgs) -> Result<()> {
    let program = args.program.as_deref();
    match args.command {
        LeaseCommand::List(args) => list::run(context, program, args).await,
        LeaseCommand::Show { lease } => show::run(context, program, lease).await,
        LeaseCommand::Claim(args) => claim::run(context, program, args).await,
        LeaseCommand::Close(args) => steps::one(context, program, args, Step::Close).await,
        LeaseCommand::Refund(args) => steps::one(context, program, args, Step::Refund).await,
        LeaseCommand::Finalize(args) => steps::one(context, program, args, Step::Finalize).await,
        LeaseCommand::SweepFees(args) => steps::one(context, program, args, Step::SweepFees).await,
        LeaseCommand::Reclaim(args) => steps::one(context, program, args, Step::Reclaim).await,
        LeaseCommand::Reject(args) => steps::lines(context, program, args, true).await,
        LeaseCommand::End(args) => steps::lines(context, program, args, false).await,
        LeaseCommand::Withdraw(args) => steps::withdraw(context, program, args).await,
        LeaseCommand::Settle(args) => steps::settle(context, program, args).await,
        LeaseCommand::TopUp(args) => steps::top_up(context, program, args).await,
    }
}
