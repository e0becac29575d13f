//! A command inside a part, carried by a WebSocket of [`ExecMessage`]s as JSON text.

use super::App;
use super::auth::{Owner, ToReach};
use super::clusters::{member_of, owned};
use super::edge::RequestId;
use super::extract::ClusterPath;
use super::problem::ApiError;
use super::socket::{Heard, Incoming, Outgoing, Upgrade, halves};
use axum::extract::ws::Message;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ionet_api::ExecMessage;
use ionet_core::DeviceId;
use ionet_wire::frame;
use ionet_wire::message::{EXEC_ARG_BYTES_MAX, EXEC_ARGS_MAX, ExecFrame, Purpose};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Frames from the device that wait for a slow client.
const FRAMES_MAX: usize = 16;
/// Bytes of input in one frame to the device: CBOR may take two bytes for each, and a frame has
/// at most 256 KiB.
const STDIN_BYTES_MAX: usize = 64 * 1024;

/// What to run and where.
struct ExecQuery {
    device: Option<DeviceId>,
    tty: bool,
    argv: Vec<String>,
}

impl ExecQuery {
    /// `arg` stands once for each word, in order.
    fn parse(query: &str) -> Result<Self, ApiError> {
        let mut parsed = Self { device: None, tty: false, argv: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "device" => {
                    let device = value.parse::<DeviceId>();
                    parsed.device = Some(device.map_err(|e| ApiError::bad_request(e.to_string()))?);
                }
                "tty" => {
                    let tty = value.parse::<bool>();
                    parsed.tty =
                        tty.map_err(|_| ApiError::bad_request("tty is `true` or `false`"))?;
                }
                "arg" if value.len() > EXEC_ARG_BYTES_MAX || value.contains('\0') => {
                    let text = format!("an arg has at most {EXEC_ARG_BYTES_MAX} bytes, no zero");
                    return Err(ApiError::bad_request(text));
                }
                "arg" => parsed.argv.push(value.into_owned()),
                other => {
                    let text = format!("unknown parameter `{other}`; known: device, tty, arg");
                    return Err(ApiError::bad_request(text));
                }
            }
        }
        if !(1..=EXEC_ARGS_MAX).contains(&parsed.argv.len()) || parsed.argv[0].is_empty() {
            let text = format!("give the command as 1 to {EXEC_ARGS_MAX} `arg` parameters");
            return Err(ApiError::bad_request(text));
        }
        Ok(parsed)
    }
}

/// Runs a command beside the cluster's Ray. WebSocket: text messages, each an `ExecMessage`.
#[utoipa::path(get, path = "/v1/clusters/{id}/exec", params(("id" = String, Path),
    ("device" = Option<String>, Query, description = "Whose part; without it, the head's."),
    ("tty" = Option<bool>, Query, description = "Whether it wants a terminal."),
    ("arg" = Vec<String>, Query, description = "Program and arguments, one `arg` each.")),
    responses((status = 101, description = "WebSocket"), (status = 200, body = ExecMessage,
        description = "The form of its messages.")),
    security(("wallet" = ["access"])), tag = "inside")]
pub(super) async fn exec(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    owner: Owner<ToReach>,
    ClusterPath(id): ClusterPath,
    RawQuery(query): RawQuery,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, ApiError> {
    owned(&app, owner.wallet, id)?;
    let ExecQuery { device, tty, argv } = ExecQuery::parse(&query.unwrap_or_default())?;
    member_of(&app, id, device)?;
    let slot = app.streams.take(id, "streams into this cluster")?;
    let purpose = Purpose::Exec { argv, tty };
    let stream = app.control.open_stream(owner.wallet, id, device, purpose, &request_id).await?;
    let (span, stopping) = (tracing::Span::current(), app.stopping.clone());
    Ok(upgrade.on_upgrade(move |socket| {
        async move {
            let _slot = slot;
            let (reader, writer) = tokio::io::split(stream);
            let (outgoing, incoming) = halves(socket);
            converse(outgoing, incoming, reader, writer, stopping).await;
        }
        .instrument(span)
    }))
}

/// Carries frames both ways until the program ends or either end is gone.
async fn converse(
    mut outgoing: Outgoing,
    incoming: Incoming,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    stopping: CancellationToken,
) {
    let (frames, mut waiting) = mpsc::channel(FRAMES_MAX);
    // Reading a frame must not be dropped half-way, so it has a future of its own.
    let both =
        futures_util::future::join(from_device(reader, frames), say(&mut outgoing, &mut waiting));
    tokio::select! {
        ((), ()) = both => (),
        () = to_device(incoming, writer) => (),
        () = stopping.cancelled() => (),
    }
    outgoing.close().await;
}

async fn from_device(mut reader: impl AsyncRead + Unpin, frames: mpsc::Sender<ExecMessage>) {
    loop {
        let message = match frame::read::<ExecFrame>(&mut reader).await {
            Ok(ExecFrame::Stdout { bytes }) => ExecMessage::Stdout { data: BASE64.encode(bytes) },
            Ok(ExecFrame::Stderr { bytes }) => ExecMessage::Stderr { data: BASE64.encode(bytes) },
            Ok(ExecFrame::Exit { code }) => ExecMessage::Exit { code },
            Ok(ExecFrame::Stdin { .. } | ExecFrame::Unknown) => continue,
            Err(cause) => {
                tracing::debug!(%cause, "exec broke off");
                ExecMessage::Error { message: "the device broke off".to_owned() }
            }
        };
        let last = matches!(message, ExecMessage::Exit { .. } | ExecMessage::Error { .. });
        if frames.send(message).await.is_err() || last {
            return;
        }
    }
}

async fn say(outgoing: &mut Outgoing, waiting: &mut mpsc::Receiver<ExecMessage>) {
    loop {
        let fine = tokio::select! {
            message = waiting.recv() => {
                let Some(message) = message else { return };
                let text = serde_json::to_string(&message).expect("a message is JSON");
                outgoing.send(Message::Text(text.into())).await
            }
            _ = outgoing.ticks.tick() => outgoing.ping().await,
        };
        if !fine {
            // Dropping the receiver ends the reader of the device's frames.
            waiting.close();
            return;
        }
    }
}

/// Returns when the client is gone or says what it must not.
async fn to_device(mut incoming: Incoming, mut writer: impl AsyncWrite + Unpin) {
    loop {
        let text = match incoming.next().await {
            Heard::Text(text) => text,
            Heard::Alive => continue,
            Heard::Bytes(_) | Heard::Gone => return,
        };
        let Ok(ExecMessage::Stdin { data }) = serde_json::from_str(&text) else { return };
        let Ok(bytes) = BASE64.decode(data) else { return };
        // Empty input is a message too: its end.
        let pieces =
            if bytes.is_empty() { vec![&[][..]] } else { bytes.chunks(STDIN_BYTES_MAX).collect() };
        for piece in pieces {
            let stdin = ExecFrame::Stdin { bytes: piece.to_vec() };
            if frame::write(&mut writer, &stdin).await.is_err() {
                // The program may have ended; what it said last is still on its way.
                departure(&mut incoming).await;
                return;
            }
        }
    }
}

async fn departure(incoming: &mut Incoming) {
    while !matches!(incoming.next().await, Heard::Gone) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_api::ProblemCode;

    #[test]
    fn commands_are_bounded() {
        let fine = ExecQuery::parse("tty=true&arg=sh&arg=-c&arg=echo%20a+b").unwrap();
        assert!(fine.tty);
        assert_eq!(fine.argv, ["sh", "-c", "echo a b"]);
        let many = "arg=a&".repeat(EXEC_ARGS_MAX + 1);
        let long = format!("arg={}", "a".repeat(EXEC_ARG_BYTES_MAX + 1));
        for bad in [
            "",
            "tty=true",
            "arg=",
            "arg=a%00",
            "tty=1&arg=a",
            "device=x&arg=a",
            "x=1",
            &many,
            &long,
        ] {
            let refused = ExecQuery::parse(bad).err().map(|e| e.code);
            assert_eq!(refused, Some(ProblemCode::BadRequest), "{}", &bad[..bad.len().min(20)]);
        }
    }
}
