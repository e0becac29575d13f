//! Errors as [`Problem`]s. A handler returns an [`ApiError`]; the edge adds the request's id
//! and writes it out, so that no answer leaves without one.

use super::limits::MESSAGE_CHARS_MAX;
use crate::control::ControlError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ionet_api::{Problem, ProblemCode};

/// What a client is told went wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: ProblemCode,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) detail: Option<serde_json::Value>,
    pub(super) retry_after_s: Option<u64>,
}

impl ApiError {
    pub(super) fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.status()).expect("codes have valid statuses");
        Self {
            status,
            code,
            message: shortened(message.into()),
            hint: None,
            detail: None,
            retry_after_s: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ProblemCode::BadRequest, message)
    }

    pub(super) fn unauthenticated(message: &str) -> Self {
        Self::new(ProblemCode::Unauthenticated, message)
            .hint("sign in: POST /v1/auth/challenge, sign the message, POST /v1/auth/token")
    }

    pub(super) fn no_cluster() -> Self {
        Self::new(ProblemCode::NotFound, "no such cluster")
    }

    pub(super) fn too_large(bytes_max: usize) -> Self {
        Self::new(ProblemCode::TooLarge, format!("the body is over {bytes_max} bytes"))
    }

    pub(super) fn rate_limited(retry_after_s: u64) -> Self {
        let mut error = Self::new(ProblemCode::RateLimited, "too many requests");
        error.retry_after_s = Some(retry_after_s);
        error.hint(&format!("try again in {retry_after_s} s"))
    }

    pub(super) fn too_many(what: &str) -> Self {
        Self::new(ProblemCode::RateLimited, format!("too many {what} are open"))
            .hint("close some of them first")
    }

    pub(super) fn timeout() -> Self {
        Self::of_status(StatusCode::GATEWAY_TIMEOUT)
            .hint("try again; a mutation with the same idempotency key")
    }

    /// Our fault. The cause goes to the log, never to the client.
    pub(super) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "request failed");
        Self::of_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// For what the router itself refuses.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => (ProblemCode::NotFound, "no such path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                (ProblemCode::BadRequest, "this path does not know that method")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                (ProblemCode::BadRequest, "send JSON, with content-type: application/json")
            }
            StatusCode::PAYLOAD_TOO_LARGE => (ProblemCode::TooLarge, "the body is too large"),
            StatusCode::GATEWAY_TIMEOUT => (ProblemCode::Internal, "the request took too long"),
            s if s.is_client_error() => (ProblemCode::BadRequest, "not a valid request"),
            _ => (ProblemCode::Internal, "internal error; the coordinator's log has the cause"),
        };
        Self { status, ..Self::new(code, message) }
    }

    pub(super) fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    /// Whether the same request may well succeed a moment later: such an answer is not kept.
    pub(super) fn is_transient(&self) -> bool {
        self.status.is_server_error() || self.code == ProblemCode::RateLimited
    }

    pub(super) fn problem(&self, request_id: &str) -> Problem {
        Problem {
            code: self.code,
            message: self.message.clone(),
            hint: self.hint.clone(),
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
        }
    }

    /// The answer as it goes out.
    pub(super) fn render(&self, request_id: &str) -> Response {
        let body = serde_json::to_vec(&self.problem(request_id)).expect("a problem is JSON");
        let mut response = json_response(self.status, body);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Bytes of JSON with the content type that their status asks for (RFC 9457 for problems).
pub(super) fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

fn shortened(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message,
    }
}

impl IntoResponse for ApiError {
    /// Travels in the extensions to the edge, which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let message = error.to_string();
        match error {
            ControlError::NotFound { .. } => Self::new(ProblemCode::NotFound, message),
            ControlError::Forbidden(_) => Self::new(ProblemCode::Forbidden, message),
            ControlError::Conflict { .. } => Self::new(ProblemCode::Conflict, message),
            ControlError::NoCapacity { detail, .. } => {
                Self { detail: Some(detail), ..Self::new(ProblemCode::NoCapacity, message) }
            }
            ControlError::QuoteExpired(_) => {
                Self::new(ProblemCode::QuoteExpired, message).hint("ask for a new quote")
            }
            // What the chain's client says may name hosts and keys: that stays in the log.
            ControlError::ChainUnavailable(cause) => {
                tracing::warn!(%cause, "the chain does not answer");
                Self::new(ProblemCode::ChainUnavailable, "the chain does not answer")
                    .hint("try again in a moment")
            }
            ControlError::DeviceUnavailable(_) => {
                Self::new(ProblemCode::DeviceUnavailable, message)
            }
            ControlError::BadRequest(_) => Self::bad_request(message),
            ControlError::Busy => {
                let retry_after_s = Some(1);
                Self { retry_after_s, ..Self::new(ProblemCode::RateLimited, message) }
            }
            ControlError::NotLeader => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                ..Self::new(ProblemCode::Internal, message).hint("try again in a moment")
            },
            ControlError::Internal => Self::new(ProblemCode::Internal, message),
        }
    }
}
