//! What can go wrong, as people and scripts see it: an exit code, a sentence, a next step.

use ionet_api::{Problem, ProblemCode};
use serde::Serialize;
use std::fmt;

/// Why a command ended without doing what it was asked. Its number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Our fault.
    Internal = 1,
    /// The command line, a file or a value is wrong. (clap uses 2 as well.)
    Usage = 2,
    /// No such cluster, device, wallet or file.
    NotFound = 3,
    /// Understood and refused: no capacity, a state that does not allow it, a failed check.
    Refused = 4,
    /// The wallet cannot pay, or the chain refused a money step.
    Money = 5,
    /// Coordinator, chain or container engine does not answer.
    Unreachable = 6,
    /// It took longer than allowed. It may still happen.
    Timeout = 7,
    /// The key does not open this: another wallet, expired, bad signature.
    Auth = 8,
    /// The question was answered with no, or Ctrl-C.
    Cancelled = 130,
}

/// The table for `--help` and the README.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    internal error
  2    usage: a wrong argument, file or value
  3    not found
  4    refused: no capacity, wrong state, a failed check
  5    money: the wallet cannot pay, or the chain refused
  6    unreachable: coordinator, chain or container engine
  7    timeout: it may still happen
  8    not allowed: another wallet, expired, bad signature
  130  cancelled
`cluster submit --follow` and `cluster exec` end with the job's or program's own code.";

/// A failure on its way to `main`.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Kind and exit code.
    pub(crate) kind: Kind,
    /// One or more sentences.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Structured detail.
    pub(crate) detail: Option<serde_json::Value>,
    /// Exit code where it is not the kind's: a job's own.
    pub(crate) code: Option<u8>,
}

/// The result of every command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure of `kind`.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, detail: None, code: None }
    }

    /// A wrong argument.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Something is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// Understood and refused.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// What to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        self.code.unwrap_or(self.kind as u8)
    }

    /// For `--json`.
    pub(crate) fn to_json(&self, request_id: &str) -> serde_json::Value {
        serde_json::json!({ "error": {
            "kind": self.kind,
            "exit_code": self.exit_code(),
            "message": self.message,
            "hint": self.hint,
            "detail": self.detail,
            "request_id": request_id,
        }})
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        use ProblemCode as Code;
        let kind = match problem.code {
            Code::BadRequest | Code::TooLarge => Kind::Usage,
            Code::Unauthenticated | Code::Forbidden => Kind::Auth,
            Code::NotFound => Kind::NotFound,
            Code::Conflict
            | Code::IdempotencyMismatch
            | Code::IdempotencyInFlight
            | Code::NoCapacity
            | Code::QuoteExpired
            | Code::RateLimited => Kind::Refused,
            Code::ChainUnavailable | Code::DeviceUnavailable => Kind::Unreachable,
            Code::Internal | Code::Unknown => Kind::Internal,
        };
        let hint = problem.hint.or_else(|| match problem.code {
            Code::NoCapacity => Some(
                "`ionet device list` shows what there is; ask for fewer devices, another chip or \
                 region, or raise --max-rate"
                    .to_owned(),
            ),
            Code::QuoteExpired => Some("run it again: quotes live a minute".to_owned()),
            _ => None,
        });
        Self { kind, message: problem.message, hint, detail: problem.detail, code: None }
    }
}

/// Gives any error a kind and a sentence in front.
pub(crate) trait OrFail<T> {
    /// `what: error`, as `kind`.
    fn or_fail(self, kind: Kind, what: impl fmt::Display) -> Result<T>;
    /// `what: error`, as our own fault.
    fn or_internal(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self, kind: Kind, what: impl fmt::Display) -> Result<T> {
        self.map_err(|e| Failure::new(kind, format!("{what}: {e}")))
    }

    fn or_internal(self, what: impl fmt::Display) -> Result<T> {
        self.or_fail(Kind::Internal, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_the_help() {
        for kind in [
            Kind::Internal,
            Kind::Usage,
            Kind::NotFound,
            Kind::Refused,
            Kind::Money,
            Kind::Unreachable,
            Kind::Timeout,
            Kind::Auth,
            Kind::Cancelled,
        ] {
            assert!(EXIT_CODES.contains(&format!("\n  {:<4} ", kind as u8)), "{kind:?}");
        }
    }

    #[test]
    fn a_problem_keeps_its_hint_and_gets_its_code() {
        let problem = Problem {
            code: ProblemCode::NoCapacity,
            message: "nothing fits".into(),
            hint: Some("ask for fewer".into()),
            detail: None,
            request_id: "r".into(),
        };
        let failure = Failure::from(problem);
        assert_eq!(failure.exit_code(), 4);
        assert_eq!(failure.to_json("r")["error"]["hint"], "ask for fewer");
    }
}
