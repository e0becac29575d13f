//! A program in a container and its three streams, carried by a WebSocket of exec messages.

use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::rest::Rest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use ionet_api::{ExecMessage, Problem};
use ionet_core::{ClusterId, DeviceId};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One message to the program: the coordinator takes 256 KiB of text.
pub(crate) const CHUNK_BYTES: usize = 128 * 1024;
/// One message from the coordinator, which has pieces of 64 KiB.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// To the program.
pub(crate) struct PipeIn(SplitSink<Socket, Message>);

/// From the program.
pub(crate) struct PipeOut(SplitStream<Socket>);

/// What came from it.
pub(crate) enum Heard {
    /// On stdout.
    Stdout(Vec<u8>),
    /// On stderr.
    Stderr(Vec<u8>),
    /// It ended with this code.
    Exit(i64),
}

/// Runs `argv` in the container on `device`, else in the head's.
pub(crate) async fn open(
    rest: &Rest,
    id: ClusterId,
    device: Option<DeviceId>,
    argv: &[impl AsRef<str>],
) -> Result<(PipeIn, PipeOut)> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(device) = device {
        query.append_pair("device", &device.to_string());
    }
    for word in argv {
        query.append_pair("arg", word.as_ref());
    }
    let request = rest.websocket(&format!("/v1/clusters/{id}/exec?{}", query.finish()))?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let socket = match connect_async_with_config(request, Some(limits), false).await {
        Ok((socket, _)) => socket,
        Err(Error::Http(answer)) => return Err(refusal(answer.body().as_deref())),
        Err(e) => return Err(Failure::new(Kind::Unreachable, e.to_string())),
    };
    let (to, from) = socket.split();
    Ok((PipeIn(to), PipeOut(from)))
}

impl PipeIn {
    /// Sends bytes to the program's stdin; none of them: its end.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        debug_assert!(bytes.len() <= CHUNK_BYTES);
        let message = ExecMessage::Stdin { data: STANDARD.encode(bytes) };
        let text = serde_json::to_string(&message).expect("plain data");
        self.0.send(Message::text(text)).await.or_fail(Kind::Unreachable, "the program's stdin")
    }

    /// The same, of any length.
    pub(crate) async fn send_all(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(CHUNK_BYTES) {
            self.send(piece).await?;
        }
        Ok(())
    }
}

impl PipeOut {
    /// What comes next; none: the connection broke.
    pub(crate) async fn next(&mut self) -> Result<Option<Heard>> {
        while let Some(message) = self.0.next().await {
            let Message::Text(text) = message.or_fail(Kind::Unreachable, "the program")? else {
                continue;
            };
            let heard = match serde_json::from_str(&text).or_internal("a message")? {
                ExecMessage::Stdout { data } => Heard::Stdout(decoded(&data)?),
                ExecMessage::Stderr { data } => Heard::Stderr(decoded(&data)?),
                ExecMessage::Exit { code } => Heard::Exit(code),
                ExecMessage::Error { message } => return Err(Failure::refused(message)),
                ExecMessage::Stdin { .. } => continue,
            };
            return Ok(Some(heard));
        }
        Ok(None)
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
