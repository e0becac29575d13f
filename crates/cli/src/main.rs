//! `ionet`: rent clusters over an open network, supply devices to it, run one on this machine.

mod chain;
mod cli;
mod cluster;
mod context;
mod coordinator;
mod device;
mod doctor;
mod failure;
mod home;
mod lease;
mod local;
mod logging;
mod output;
mod process;
mod rest;
mod session;
mod sse;
mod verify;
mod wallet;
mod wallet_graph;
mod worker;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = cli::Args::parse();
    logging::start(&args.command, args.global.verbose);
    let out = output::Output::new(args.global.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: no threads to run on: {e}");
            return ExitCode::from(1);
        }
    };
    let request_id = args.global.request_id.clone().unwrap_or_default();
    let (result, request_id) = match context::Context::load(&args.global) {
        Ok(context) => {
            let result = runtime.block_on(cli::run(&context, args.command));
            (result, context.request_id)
        }
        Err(failure) => (Err(failure), request_id),
    };
    // Do not wait for a reader of stdin that will never come back.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure, &request_id);
            ExitCode::from(failure.exit_code())
        }
    }
}
