//! `ionet cluster exec`: run a program inside one of a cluster's containers.

use crate::context::Context;
use crate::failure::{Failure, Kind, OrFail as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use ionet_api::{ExecMessage, Problem};
use ionet_core::{ClusterId, DeviceId};
use std::io::Write as _;
use tokio::io::AsyncReadExt as _;
use tokio_tungstenite::tungstenite::{Error, Message};

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
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(device) = args.device {
        query.append_pair("device", &device.to_string());
    }
    for word in &args.command {
        query.append_pair("arg", word);
    }
    let path = format!("/v1/clusters/{}/exec?{}", args.id, query.finish());
    let socket = match tokio_tungstenite::connect_async(rest.websocket(&path)?).await {
        Ok((socket, _)) => socket,
        Err(Error::Http(answer)) => return Err(refusal(answer.body().as_deref())),
        Err(e) => return Err(Failure::new(Kind::Unreachable, e.to_string())),
    };
    let (mut to, mut from) = socket.split();
    let interactive = args.interactive;
    let input = tokio::spawn(async move {
        let mut buffer = vec![0u8; CHUNK_BYTES];
        loop {
            let n = if interactive {
                tokio::io::stdin().read(&mut buffer).await.unwrap_or(0)
            } else {
                0
            };
            let message = ExecMessage::Stdin { data: STANDARD.encode(&buffer[..n]) };
            let text = serde_json::to_string(&message).expect("plain data");
            if to.send(Message::text(text)).await.is_err() || n == 0 {
                return to; // kept: dropping it must not close the socket yet
            }
        }
    });
    let mut code = None;
    while let Some(message) = from.next().await {
        let Message::Text(text) = message.or_fail(Kind::Unreachable, "the program")? else {
            continue;
        };
        match serde_json::from_str(&text).or_internal("a message")? {
            ExecMessage::Stdout { data } => context.out.raw(&decoded(&data)?)?,
            ExecMessage::Stderr { data } => {
                // Nobody reads it: go on with what matters.
                let _ = std::io::stderr().write_all(&decoded(&data)?);
            }
            ExecMessage::Exit { code: ended } => {
                code = Some(ended);
                break;
            }
            ExecMessage::Error { message } => return Err(Failure::refused(message)),
            ExecMessage::Stdin { .. } => (),
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

fn decoded(data: &str) -> Result<Vec<u8>> {
    STANDARD.decode(data).or_internal("a message")
}

fn refusal(body: Option<&[u8]>) -> Failure {
    match body.and_then(|b| serde_json::from_slice::<Problem>(b).ok()) {
        Some(problem) => problem.into(),
        None => Failure::refused("the coordinator did not open the stream"),
    }
}
