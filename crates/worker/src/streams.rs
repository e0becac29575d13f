//! Streams that the coordinator opens: dialled ports, logs, commands.

use crate::agent::Agent;
use crate::host::{ExecOutput, Host, HostError};
use crate::proving;
use bytes::Bytes;
use futures_util::StreamExt;
use ionet_core::PartId;
use ionet_wire::endpoint::{Connection, RecvStream, STREAMS_MAX, SendStream};
use ionet_wire::frame::{self, FrameError};
use ionet_wire::message::{
    DIALLABLE_PORTS, EXEC_ARG_BYTES_MAX, EXEC_ARGS_MAX, ExecFrame, Open, Opened, Purpose,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument;

/// How long a stream may be open without saying what it is for.
const OPEN_MAX: Duration = Duration::from_secs(10);
/// Bytes that one direction of a tunnel holds.
const TUNNEL_BUFFER_BYTES: usize = 64 * 1024;
/// Lines of a log that may be asked for at once.
const TAIL_MAX: u32 = 100_000;
/// Bytes of output in one frame.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Serves the streams of one connection until it ends. Dropping it ends them all.
pub(crate) async fn accept(agent: Arc<Agent>, connection: Connection) {
    let mut streams = JoinSet::new();
    while let Ok((send, receive)) = connection.accept_bi().await {
        while streams.try_join_next().is_some() {}
        // QUIC keeps to this number too; here it also counts what is still being taken down.
        if streams.len() >= STREAMS_MAX as usize {
            continue;
        }
        let agent = agent.clone();
        streams.spawn(async move {
            if let Err(e) = serve(&agent, send, receive).await {
                tracing::debug!(error = %e, "stream");
            }
        });
    }
}

/// Why a stream ended early.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Trial(#[from] proving::TrialError),
    #[error("the stream did not say what it is for")]
    Late,
    #[error("refused: {0}")]
    Refused(String),
}

async fn serve(
    agent: &Agent,
    mut send: SendStream,
    mut receive: RecvStream,
) -> Result<(), StreamError> {
    let open: Open =
        timeout(OPEN_MAX, frame::read(&mut receive)).await.map_err(|_| StreamError::Late)??;
    let number = match open.purpose {
        Purpose::Prove => Some(0),
        Purpose::ProveChip { number } => Some(number),
        _ => None,
    };
    if let Some(number) = number {
        return prove(agent, number, open, send, receive).await;
    }
    let span = tracing::info_span!(
        "stream",
        request_id = %open.request_id.chars().take(64).collect::<String>(),
        cluster = open.part.map(|p| tracing::field::display(p.cluster))
    );
    async {
        let part = match admit(agent, &open).await {
            Ok(part) => part,
            Err(reason) => {
                let refused = Opened::Refused { reason: reason.clone() };
                frame::write(&mut send, &refused).await?;
                send.shutdown().await?;
                return Err(StreamError::Refused(reason));
            }
        };
        let host = agent.parts.host();
        let done = match open.purpose {
            Purpose::Dial { port } => dial(agent, host, part, port, send, receive).await,
            Purpose::Logs { follow, tail } => {
                count(agent, "logs");
                logs(host, part, follow, tail.min(TAIL_MAX), send, receive).await
            }
            Purpose::Exec { argv, tty } => {
                count(agent, "exec");
                exec(host, part, argv, tty, send, receive).await
            }
            // Proving has no part and never comes here.
            Purpose::Prove | Purpose::ProveChip { .. } | Purpose::Unknown => Ok(()),
        };
        tracing::debug!(fine = done.is_ok(), "stream ended");
        done
    }
    .instrument(span)
    .await
}

/// A trial is about the device itself, or one of its chips: it needs a leader, and no part.
async fn prove(
    agent: &Agent,
    number: u8,
    open: Open,
    mut send: SendStream,
    receive: RecvStream,
) -> Result<(), StreamError> {
    if let Err(reason) = admit_leader(agent, open.leader_epoch).await {
        frame::write(&mut send, &Opened::Refused { reason: reason.clone() }).await?;
        send.shutdown().await?;
        return Err(StreamError::Refused(reason));
    }
    count(agent, "prove");
    Ok(proving::serve(agent, number, send, receive).await?)
}

fn count(agent: &Agent, purpose: &str) {
    agent.metrics.streams.with_label_values(&[purpose]).inc();
}

/// Whether this leader is the newest that was seen; else why not.
async fn admit_leader(agent: &Agent, epoch: u64) -> Result<(), String> {
    match agent.parts.admit_leader(epoch).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(seen)) => Err(format!("a newer leader was seen: epoch {seen}")),
        Err(e) => Err(e.to_string()),
    }
}

/// Whether the stream may be served; else why not.
async fn admit(agent: &Agent, open: &Open) -> Result<PartId, String> {
    admit_leader(agent, open.leader_epoch).await?;
    match &open.purpose {
        Purpose::Dial { port } if !DIALLABLE_PORTS.contains(port) => {
            return Err(format!("port {port} is not offered; these are: {DIALLABLE_PORTS:?}"));
        }
        Purpose::Exec { argv, .. } => {
            let long = argv.iter().any(|a| a.len() > EXEC_ARG_BYTES_MAX || a.contains('\0'));
            if argv.is_empty() || argv.len() > EXEC_ARGS_MAX || long {
                return Err(format!(
                    "a command has 1 to {EXEC_ARGS_MAX} words of at most {EXEC_ARG_BYTES_MAX} bytes"
                ));
            }
        }
        Purpose::Prove | Purpose::ProveChip { .. } | Purpose::Unknown => {
            return Err("this worker does not know the purpose".to_owned());
        }
        Purpose::Dial { .. } | Purpose::Logs { .. } => (),
    }
    // Logs and the like of a part that ended are still there; of one to be stopped they go.
    let Some(part) = open.part else {
        return Err("the stream does not say which part it is about".to_owned());
    };
    match agent.parts.running(part).await {
        Some(_) => Ok(part),
        None => Err("this part does not run here".to_owned()),
    }
}

async fn refuse(mut send: SendStream, error: HostError) -> Result<(), StreamError> {
    frame::write(&mut send, &Opened::Refused { reason: error.to_string() }).await?;
    send.shutdown().await?;
    Err(error.into())
}

async fn dial(
    agent: &Agent,
    host: &dyn Host,
    part: PartId,
    port: u16,
    mut send: SendStream,
    receive: RecvStream,
) -> Result<(), StreamError> {
    count(agent, "dial");
    let inside = match host.dial(part, port).await {
        Ok(inside) => inside,
        Err(e) => return refuse(send, e).await,
    };
    frame::write(&mut send, &Opened::Ok).await?;
    let (from_part, to_part) = tokio::io::split(inside);
    let bytes = &agent.metrics.tunnel_bytes;
    let (inward, outward) = (bytes.with_label_values(&["in"]), bytes.with_label_values(&["out"]));
    // Each direction ends by itself, as with TCP: an answer may come long after the request's
    // end.
    tokio::try_join!(
        pump(receive, to_part, |n| inward.inc_by(n)),
        pump(from_part, send, |n| outward.inc_by(n)),
    )?;
    Ok(())
}

/// Copies until the end and passes the end on.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: impl Fn(u64),
) -> std::io::Result<()> {
    let mut buffer = vec![0u8; TUNNEL_BUFFER_BYTES];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..n]).await?;
        to.flush().await?;
        count(n as u64);
    }
}

async fn logs(
    host: &dyn Host,
    part: PartId,
    follow: bool,
    tail: u32,
    mut send: SendStream,
    mut receive: RecvStream,
) -> Result<(), StreamError> {
    let mut pieces = match host.logs(part, follow, tail).await {
        Ok(pieces) => pieces,
        Err(e) => return refuse(send, e).await,
    };
    frame::write(&mut send, &Opened::Ok).await?;
    let mut ignored = [0u8; 64];
    loop {
        tokio::select! {
            piece = pieces.next() => match piece {
                Some(piece) => AsyncWriteExt::write_all(&mut send, &piece?).await?,
                None => return Ok(AsyncWriteExt::shutdown(&mut send).await?),
            },
            // The reader has gone: a followed log would never end by itself.
            stopped = send.stopped() => {
                tracing::trace!(?stopped, "the reader of the log has gone");
                return Ok(());
            }
            n = AsyncReadExt::read(&mut receive, &mut ignored), if follow => {
                if !matches!(n, Ok(1..)) {
                    return Ok(AsyncWriteExt::shutdown(&mut send).await?);
                }
            }
        }
    }
}

async fn exec(
    host: &dyn Host,
    part: PartId,
    argv: Vec<String>,
    tty: bool,
    mut send: SendStream,
    mut receive: RecvStream,
) -> Result<(), StreamError> {
    let mut exec = match host.exec(part, argv, tty).await {
        Ok(exec) => exec,
        Err(e) => return refuse(send, e).await,
    };
    frame::write(&mut send, &Opened::Ok).await?;
    let input = async move {
        loop {
            match frame::read(&mut receive).await {
                Ok(ExecFrame::Stdin { bytes }) if bytes.is_empty() => break,
                Ok(ExecFrame::Stdin { bytes }) => {
                    if exec.input.send(Bytes::from(bytes)).await.is_err() {
                        break;
                    }
                }
                Ok(ExecFrame::Unknown) => (),
                Ok(_) | Err(_) => break,
            }
        }
        // The sender is dropped here: end of input. The output goes on.
        drop(exec.input);
        std::future::pending::<()>().await;
    };
    let output = async {
        while let Some(piece) = exec.output.next().await {
            match piece? {
                ExecOutput::Stdout(bytes) => {
                    for piece in bytes.chunks(PIECE_BYTES_MAX) {
                        let bytes = piece.to_vec();
                        frame::write(&mut send, &ExecFrame::Stdout { bytes }).await?;
                    }
                }
                ExecOutput::Stderr(bytes) => {
                    for piece in bytes.chunks(PIECE_BYTES_MAX) {
                        let bytes = piece.to_vec();
                        frame::write(&mut send, &ExecFrame::Stderr { bytes }).await?;
                    }
                }
                ExecOutput::Exit(code) => {
                    frame::write(&mut send, &ExecFrame::Exit { code }).await?;
                    break;
                }
            }
        }
        AsyncWriteExt::shutdown(&mut send).await?;
        Ok(())
    };
    tokio::select! {
        done = output => done,
        () = input => Ok(()),
    }
}
