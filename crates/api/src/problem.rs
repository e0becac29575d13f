use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong, for programs and for people. (After RFC 9457.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// For programs.
    pub code: ProblemCode,
    /// One sentence for people.
    pub message: String,
    /// What to do about it, where we know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Structured detail, such as how many devices each constraint removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub detail: Option<serde_json::Value>,
    /// To find the request in the logs.
    pub request_id: String,
}

/// Kinds of problem. The exit code of `ionet` follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// Not a valid request.
    BadRequest,
    /// Over a size limit.
    TooLarge,
    /// No token, or one that has expired.
    Unauthenticated,
    /// The token does not allow it.
    Forbidden,
    /// No such thing, or not yours.
    NotFound,
    /// Not in this state.
    Conflict,
    /// The idempotency key was used for another request.
    IdempotencyMismatch,
    /// The same request is being worked on.
    IdempotencyInFlight,
    /// No set of devices fits.
    NoCapacity,
    /// The quote has expired or is not ours.
    QuoteExpired,
    /// Too many requests.
    RateLimited,
    /// The chain does not answer.
    ChainUnavailable,
    /// The device does not answer.
    DeviceUnavailable,
    /// Our fault.
    Internal,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

impl ProblemCode {
    /// The HTTP status it travels with.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::TooLarge => 413,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict | Self::IdempotencyInFlight | Self::QuoteExpired => 409,
            Self::IdempotencyMismatch | Self::NoCapacity => 422,
            Self::RateLimited => 429,
            Self::ChainUnavailable | Self::DeviceUnavailable => 503,
            Self::Internal | Self::Unknown => 500,
        }
    }
}
