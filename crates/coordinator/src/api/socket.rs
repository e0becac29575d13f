//! What tunnels and execs share: accepting a WebSocket, and noticing that its client is gone.

use super::App;
use super::limits::{MESSAGE_BYTES_MAX, PING_SECONDS, SILENCE_SECONDS_MAX};
use super::problem::ApiError;
use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::request::Parts;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::time::{Instant, Interval, interval};

/// A request that wants a WebSocket, with our limits.
pub(super) struct Upgrade(pub(super) WebSocketUpgrade);

impl FromRequestParts<App> for Upgrade {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match WebSocketUpgrade::from_request_parts(parts, app).await {
            Ok(upgrade) => Ok(Self(
                upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX),
            )),
            Err(_) => Err(ApiError {
                status: StatusCode::UPGRADE_REQUIRED,
                ..ApiError::bad_request("this path speaks WebSocket (RFC 6455, version 13)")
            }),
        }
    }
}

/// The reading half of a WebSocket whose silence is noticed.
pub(super) struct Incoming {
    messages: SplitStream<WebSocket>,
    heard: Instant,
}

/// What came in.
pub(super) enum Heard {
    /// Bytes.
    Bytes(Bytes),
    /// Text.
    Text(String),
    /// A sign of life only.
    Alive,
    /// The client closed, broke off or fell silent.
    Gone,
}

impl Incoming {
    /// The next message.
    pub(super) async fn next(&mut self) -> Heard {
        let deadline = self.heard + Duration::from_secs(SILENCE_SECONDS_MAX);
        let Ok(message) = tokio::time::timeout_at(deadline, self.messages.next()).await else {
            return Heard::Gone;
        };
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Binary(bytes))) => Heard::Bytes(bytes),
            Some(Ok(Message::Text(text))) => Heard::Text(text.to_string()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Heard::Alive,
            Some(Ok(Message::Close(_)) | Err(_)) | None => Heard::Gone,
        }
    }
}

/// The writing half. Whoever owns it sends a ping at each tick.
pub(super) struct Outgoing {
    messages: SplitSink<WebSocket, Message>,
    pub(super) ticks: Interval,
}

impl Outgoing {
    /// Sends one message; false when nobody can be reached any more. A client that does not
    /// read is as good as gone.
    pub(super) async fn send(&mut self, message: Message) -> bool {
        let limit = Duration::from_secs(SILENCE_SECONDS_MAX);
        matches!(tokio::time::timeout(limit, self.messages.send(message)).await, Ok(Ok(())))
    }

    pub(super) async fn ping(&mut self) -> bool {
        self.send(Message::Ping(Bytes::new())).await
    }

    pub(super) async fn close(&mut self) {
        let _ = self.send(Message::Close(None)).await;
    }
}

/// Both halves of a socket.
pub(super) fn halves(socket: WebSocket) -> (Outgoing, Incoming) {
    let (sink, stream) = socket.split();
    let ticks = interval(Duration::from_secs(PING_SECONDS));
    (Outgoing { messages: sink, ticks }, Incoming { messages: stream, heard: Instant::now() })
}
