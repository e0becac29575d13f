//! Prints what leases cost over their whole lives, as markdown.
//!
//! `cargo run --release -p ionet-program-tests --bin lease_costs [DOLLARS_PER_SOL]`

mod life;
mod report;
mod tally;

use ionet_program_tests::Features;
use std::process::ExitCode;

/// Dollars for a SOL unless an argument says otherwise: a round figure to scale from.
const DOLLARS_PER_SOL: u64 = 150;

/// Devices of the leases that are lived through.
const SIZES: [u16; 4] = [1, 8, 64, 1_000];

/// Seconds between attestations: what the table assumes, and what the coordinator does.
const HOURLY_S: i64 = 3_600;
const OFTEN_S: i64 = 600;

fn main() -> ExitCode {
    let price = match std::env::args().nth(1).map(|text| text.parse()) {
        None => DOLLARS_PER_SOL,
        Some(Ok(price)) => price,
        Some(Err(why)) => {
            eprintln!("lease_costs [DOLLARS_PER_SOL]: {why}");
            return ExitCode::FAILURE;
        }
    };
    let features = Features::from_env();
    let lives = SIZES.map(|devices| life::live(features, devices, HOURLY_S));
    let often = SIZES.map(|devices| life::live(features, devices, OFTEN_S));
    print!("{}", report::text(features, price, &lives, &often));
    ExitCode::SUCCESS
}
