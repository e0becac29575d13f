//! Measures ionet beside references in the same run, and writes `docs/benchmarks.md`.
//!
//! These are whole-process figures on whatever machine runs them: medians and ratios are worth
//! quoting, single times are not.

mod by_hand;
mod chips;
mod cluster_start;
mod control_plane;
mod counted;
mod fleet;
mod lease_costs;
mod machine;
mod program_units;
mod proving;
mod report;
mod stats;
mod wallet_graph;

use anyhow::Context as _;
use clap::Parser;
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: counted::Counted = counted::Counted;

/// Measure ionet and write docs/benchmarks.md
#[derive(Debug, Parser)]
struct Args {
    /// The `ionet` binary to measure
    #[arg(long, default_value = "target/release/ionet")]
    ionet: PathBuf,
    /// The program that prints the table of compute units
    #[arg(long, default_value = "target/release/compute_units")]
    compute_units: PathBuf,
    /// The program that lives through leases
    #[arg(long, default_value = "target/release/lease_costs")]
    lease_costs: PathBuf,
    /// Dollars for a SOL
    #[arg(long, default_value_t = 150)]
    sol_dollars: u64,
    /// Where the report goes
    #[arg(long, default_value = "docs/benchmarks.md")]
    out: PathBuf,
    /// Pairs of cluster starts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The calibration data, to which a row is appended for each known card that was measured
    #[arg(long, default_value = "crates/trust/data/calibration.toml")]
    calibration: PathBuf,
    /// Only these sections
    #[arg(long, value_enum)]
    only: Vec<report::Section>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let wanted = |s| args.only.is_empty() || args.only.contains(&s);
    let mut report = report::Report::load(&args.out)?;
    report.machine(&machine::describe()?);
    if wanted(report::Section::ClusterStart) {
        let ionet = std::fs::canonicalize(&args.ionet)
            .with_context(|| format!("no binary at {}: make release", args.ionet.display()))?;
        let text = cluster_start::measure(&ionet, args.runs).await?;
        report.section(report::Section::ClusterStart, &text);
    }
    if wanted(report::Section::ProgramUnits) {
        let text = program_units::measure(&args.compute_units).await?;
        report.section(report::Section::ProgramUnits, &text);
    }
    if wanted(report::Section::LeaseCosts) {
        let text = lease_costs::measure(&args.lease_costs, args.sol_dollars).await?;
        report.section(report::Section::LeaseCosts, &text);
    }
    if wanted(report::Section::ControlPlane) {
        let text = control_plane::measure().await?;
        report.section(report::Section::ControlPlane, &text);
    }
    if wanted(report::Section::WalletGraph) {
        report.section(report::Section::WalletGraph, &wallet_graph::measure()?);
    }
    if wanted(report::Section::Proving) {
        let text = [proving::measure()?, chips::measure(Some(&args.calibration))?];
        report.section(report::Section::Proving, &text.join("\n\n"));
    }
    report.save(&args.out)?;
    println!("wrote {}", args.out.display());
    Ok(())
}
