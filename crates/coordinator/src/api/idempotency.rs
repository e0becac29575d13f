//! Mutations that happen once, however often they are sent.

use super::auth::{Owner, ToChange, ToSupply};
use super::edge::RequestId;
use super::limits::{IDEMPOTENCY_KEY_CHARS_MAX, MUTATION_SECONDS_MAX};
use super::problem::{ApiError, json_response};
use super::store::{Begun, MutationKey};
use super::{App, Shared};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use ionet_api::{IDEMPOTENCY_KEY, ProblemCode};
use ionet_core::Wallet;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tracing::Instrument;

/// Tells a kept answer from a new one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A mutation that a request names: its key, method, path and id.
pub(super) struct Once {
    key: String,
    route: String,
    request_id: String,
}

impl FromRequestParts<App> for Once {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let RequestId(request_id) = RequestId::from_request_parts(parts, app).await?;
        let mut given = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let (Some(key), None) = (given.next(), given.next()) else {
            let text = format!("this request needs one {IDEMPOTENCY_KEY} header");
            return Err(ApiError::bad_request(text));
        };
        let bytes = key.as_bytes();
        let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&bytes.len());
        if !fits || !bytes.iter().all(u8::is_ascii_graphic) {
            let text = format!(
                "{IDEMPOTENCY_KEY} has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable characters"
            );
            return Err(ApiError::bad_request(text));
        }
        let key = String::from_utf8_lossy(bytes).into_owned();
        Ok(Self { key, route: format!("{} {}", parts.method, parts.uri.path()), request_id })
    }
}

/// Who may change something.
pub(super) trait Changes {
    fn wallet(&self) -> Wallet;
}

impl Changes for Owner<ToChange> {
    fn wallet(&self) -> Wallet {
        self.wallet
    }
}

impl Changes for Owner<ToSupply> {
    fn wallet(&self) -> Wallet {
        self.wallet
    }
}

impl Once {
    /// Does `work` unless it was done; answers what came of it. The work goes on when the client
    /// hangs up: its next try finds the answer.
    pub(super) async fn run<T, W>(
        self,
        app: &App,
        owner: &impl Changes,
        body: &[u8],
        success: StatusCode,
        work: W,
    ) -> Result<Response, ApiError>
    where
        T: Serialize + Send + 'static,
        W: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        let wallet = owner.wallet();
        app.mutations.take(wallet, app.now_ms()).map_err(ApiError::rate_limited)?;
        let at = MutationKey { wallet, route: self.route, key: self.key };
        let hash: [u8; 32] = Sha256::digest(body).into();
        let (shared, request_id) = (app.clone(), self.request_id);
        // From the claim on, all of it is one task: nothing can drop it half-way.
        let task = async move {
            match claim(&shared, &at, hash).await? {
                Begun::InFlight => {
                    let text = "the same request is being worked on";
                    Err(ApiError::new(ProblemCode::IdempotencyInFlight, text)
                        .hint("repeat it in a moment with the same key"))
                }
                Begun::Mismatch => {
                    let text = "this idempotency key was used with another body";
                    Err(ApiError::new(ProblemCode::IdempotencyMismatch, text)
                        .hint("take a new key for a new request"))
                }
                Begun::Kept { status, body } => {
                    let status = StatusCode::from_u16(status).map_err(ApiError::internal)?;
                    let mut response = json_response(status, body);
                    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
                    Ok(response)
                }
                Begun::New => settle(&shared, at, &request_id, success, work).await,
            }
        };
        let task = tokio::spawn(task.instrument(tracing::Span::current()));
        task.await.map_err(ApiError::internal)?
    }
}

async fn claim(app: &Shared, at: &MutationKey, hash: [u8; 32]) -> Result<Begun, ApiError> {
    let (store, at, now_ms) = (app.store.clone(), at.clone(), app.now_ms());
    tokio::task::spawn_blocking(move || store.begin(&at, hash, now_ms))
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::internal)
}

/// Does the work and keeps its answer. Transient refusals release the key instead.
async fn settle<T, W>(
    app: &Shared,
    at: MutationKey,
    request_id: &str,
    success: StatusCode,
    work: W,
) -> Result<Response, ApiError>
where
    T: Serialize + Send + 'static,
    W: Future<Output = Result<T, ApiError>> + Send + 'static,
{
    let limit = Duration::from_secs(MUTATION_SECONDS_MAX);
    // A task of its own, so that a panic in it does not leave the key claimed.
    let work = tokio::spawn(work.instrument(tracing::Span::current()));
    let abort = work.abort_handle();
    let outcome = match tokio::time::timeout(limit, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(failed)) => Err(ApiError::internal(failed)),
        Err(_) => {
            abort.abort();
            Err(ApiError::timeout())
        }
    };
    let answer = match &outcome {
        Ok(value) => Some((success, serde_json::to_vec(value).map_err(ApiError::internal)?)),
        Err(error) if error.is_transient() => None,
        Err(error) => {
            let problem = error.problem(request_id);
            Some((error.status, serde_json::to_vec(&problem).expect("a problem is JSON")))
        }
    };
    let (store, kept) = (app.store.clone(), answer.clone());
    let finished = tokio::task::spawn_blocking(move || {
        store.finish(&at, kept.as_ref().map(|(status, body)| (status.as_u16(), &body[..])))
    });
    // The work is done even where its answer could not be kept.
    match finished.await {
        Ok(Ok(())) => (),
        Ok(Err(cause)) => tracing::error!(%cause, "an answer could not be kept"),
        Err(cause) => tracing::error!(%cause, "an answer could not be kept"),
    }
    match (outcome, answer) {
        (Ok(_), Some((status, body))) => Ok(json_response(status, body)),
        (Err(error), _) => Err(error),
        (Ok(_), None) => Err(ApiError::internal("an answer without a body")),
    }
}
