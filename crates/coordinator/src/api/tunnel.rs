//! A TCP connection into a cluster, carried by a WebSocket. Binary messages are its bytes; an
//! empty one is the end of its sender's direction.

use super::App;
use super::auth::{Owner, ToReach};
use super::clusters::owned;
use super::edge::RequestId;
use super::extract::{ClusterPath, PortPath};
use super::limits::CHUNK_BYTES;
use super::problem::ApiError;
use super::socket::{Heard, Incoming, Outgoing, Upgrade, halves};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::Message;
use axum::response::Response;
use ionet_api::ProblemCode;
use ionet_wire::message::{DIALLABLE_PORTS, Purpose};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// A connection to one of Ray's ports on the cluster's head. WebSocket: binary messages are the
/// connection's bytes, an empty one ends its sender's direction.
#[utoipa::path(get, path = "/v1/clusters/{id}/tunnel/{port}",
    params(("id" = String, Path), ("port" = u16, Path, description = "8265 or 10001")),
    responses((status = 101, description = "WebSocket")), security(("wallet" = ["access"])),
    tag = "inside")]
pub(super) async fn tunnel(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    owner: Owner<ToReach>,
    ClusterPath(id): ClusterPath,
    PortPath(port): PortPath,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    owned(&app, owner.wallet, id)?;
    if !DIALLABLE_PORTS.contains(&port) {
        let text = format!("port {port} cannot be reached; only {DIALLABLE_PORTS:?} can");
        return Err(ApiError::new(ProblemCode::Forbidden, text));
    }
    let slot = app.streams.take(id, "streams into this cluster")?;
    let purpose = Purpose::Dial { port };
    let stream = app.control.open_stream(owner.wallet, id, None, purpose, &request_id).await?;
    let (span, stopping) = (tracing::Span::current(), app.stopping.clone());
    Ok(upgrade.on_upgrade(move |socket| {
        async move {
            let _slot = slot;
            let (reader, writer) = tokio::io::split(stream);
            let (outgoing, incoming) = halves(socket);
            carry(outgoing, incoming, reader, writer, stopping).await;
        }
        .instrument(span)
    }))
}

/// Carries bytes both ways. A client may end its direction and still hear the answer; the
/// part's end is the end of all, as a server that has said its last word closes.
async fn carry(
    mut outgoing: Outgoing,
    mut incoming: Incoming,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    stopping: CancellationToken,
) {
    {
        let down = to_client(&mut outgoing, reader);
        tokio::pin!(down);
        let client_listens = tokio::select! {
            end = to_device(&mut incoming, writer) => matches!(end, End::Done),
            () = &mut down => false,
            () = stopping.cancelled() => false,
        };
        if client_listens {
            tokio::select! {
                () = &mut down => (),
                () = departure(&mut incoming) => (),
                () = stopping.cancelled() => (),
            }
        }
    }
    outgoing.close().await;
}

/// How the client's direction ended.
enum End {
    /// In order: it still listens.
    Done,
    /// One end cannot be reached any more.
    Gone,
}

async fn to_device(incoming: &mut Incoming, mut writer: impl AsyncWrite + Unpin) -> End {
    loop {
        let written = match incoming.next().await {
            Heard::Bytes(bytes) if bytes.is_empty() => {
                return if writer.shutdown().await.is_ok() { End::Done } else { End::Gone };
            }
            Heard::Bytes(bytes) => match writer.write_all(&bytes).await {
                Ok(()) => writer.flush().await,
                Err(e) => Err(e),
            },
            Heard::Alive => Ok(()),
            Heard::Text(_) | Heard::Gone => return End::Gone,
        };
        if written.is_err() {
            return End::Gone;
        }
    }
}

/// Waits until a client that has ended its direction leaves.
async fn departure(incoming: &mut Incoming) {
    while matches!(incoming.next().await, Heard::Alive) {}
}

/// Returns when the part has said its last word or either end cannot be reached.
async fn to_client(outgoing: &mut Outgoing, mut reader: impl AsyncRead + Unpin) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let fine = tokio::select! {
            read = reader.read(&mut chunk) => match read {
                Ok(0) => {
                    outgoing.send(Message::Binary(Bytes::new())).await;
                    return;
                }
                Ok(n) => {
                    outgoing.send(Message::Binary(Bytes::copy_from_slice(&chunk[..n]))).await
                }
                Err(_) => false,
            },
            _ = outgoing.ticks.tick() => outgoing.ping().await,
        };
        if !fine {
            return;
        }
    }
}
