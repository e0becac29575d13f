//! `ionet cluster exec`: run a program inside one of a cluster's containers.

use super::pipe::{self, Heard};
use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use ionet_core::{ClusterId, DeviceId};
use std::io::Write as _;
use tokio::io::AsyncReadExt as _;

/// One read of stdin.
const CHUNK_BYTES: usize = 16 * 1024;

/// Options of `cluster exec`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecArgs {
    /// The cluster
    id: ClusterId,
    /// In the container on this device [default: the head's]
    #[arg(long)]
    device: Option<DeviceId>,
    /// Send what comes on stdin
    #[arg(short, long)]
    interactive: bool,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Does it. The exit code is the program's.
pub(crate) async fn run(context: &Context, args: ExecArgs) -> Result<()> {
    let rest = context.signed_in().await?;
    let (mut to, mut from) = pipe::open(&rest, args.id, args.device, &args.command).await?;
    let interactive = args.interactive;
    let input = tokio::spawn(async move {
        let mut buffer = vec![0u8; CHUNK_BYTES];
        loop {
            let n = if interactive {
                tokio::io::stdin().read(&mut buffer).await.unwrap_or(0)
            } else {
                0
            };
            if to.send(&buffer[..n]).await.is_err() || n == 0 {
                return to; // kept: dropping it must not close the socket yet
            }
        }
    });
    let mut code = None;
    while let Some(heard) = from.next().await? {
        match heard {
            Heard::Stdout(bytes) => context.out.raw(&bytes)?,
            Heard::Stderr(bytes) => {
                // Nobody reads it: go on with what matters.
                let _ = std::io::stderr().write_all(&bytes);
            }
            Heard::Exit(ended) => {
                code = Some(ended);
                break;
            }
        }
    }
    input.abort();
    match code {
        Some(0) => Ok(()),
        Some(code) => {
            let mut failure = Failure::refused(format!("the program ended with code {code}"));
            failure.code = Some(u8::try_from(code).unwrap_or(1));
            Err(failure)
        }
        None => {
            Err(Failure::new(Kind::Unreachable, "the connection broke; the program may run on"))
        }
    }
}
