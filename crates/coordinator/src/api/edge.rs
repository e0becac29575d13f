//! What every request passes through: its id, limits, figures, and the form of its errors.

use super::limits::{REQUEST_ID_CHARS_MAX, REQUEST_SECONDS_MAX};
use super::problem::ApiError;
use super::{App, rate};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use ionet_api::REQUEST_ID;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Names a request in logs, on devices and in containers.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Whom a request comes from, as far as rate limits go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(pub(super) IpAddr);

/// The label of requests to paths that are not ours: theirs would be without bound.
const NO_ROUTE: &str = "none";

const REQUEST_MAX: Duration = Duration::from_secs(REQUEST_SECONDS_MAX);

/// The outermost layer.
pub(super) async fn edge(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (id, id_error) = match request_id(request.headers()) {
        Ok(id) => (id, None),
        Err(error) => (fresh_id(), Some(error)),
    };
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let caller = rate::caller(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()));
    let route = request.extensions().get::<MatchedPath>().map(|m| m.as_str().to_owned());
    let route = route.unwrap_or_else(|| NO_ROUTE.to_owned());
    let method = request.method().clone();
    let span = tracing::info_span!("request", request_id = %id, %method, %route);
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(Caller(caller));

    let limited = app.by_address.take(caller, app.now_ms()).map_err(ApiError::rate_limited);
    let refused = limited.err().or(id_error);
    let answer = async {
        match refused {
            Some(error) => Err(error),
            None => bounded(next.run(request), REQUEST_MAX).await,
        }
    };
    let mut response = answer
        .instrument(span.clone())
        .await
        .map_or_else(|error| error.render(&id), |response| with_problem(response, &id));
    decorate(response.headers_mut(), &id);
    let status = response.status();
    app.metrics.observe(&route, &method, status, started.elapsed());
    span.in_scope(|| tracing::debug!(status = status.as_u16(), "answered"));
    response
}

/// The answer's head in time, or a problem; so too when the handler panics.
async fn bounded(
    answer: impl Future<Output = Response>,
    limit: Duration,
) -> Result<Response, ApiError> {
    match tokio::time::timeout(limit, AssertUnwindSafe(answer).catch_unwind()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(_)) => Err(ApiError::internal("a handler panicked")),
        Err(_) => Err(ApiError::timeout()),
    }
}

/// Writes the handler's error out; gives one to refusals of the framework's own.
fn with_problem(mut response: Response, id: &str) -> Response {
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        return error.render(id);
    }
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_ours = kind.is_some_and(|k| k == "application/problem+json");
    if (status.is_client_error() || status.is_server_error()) && !is_ours {
        return ApiError::of_status(status).render(id);
    }
    response
}

fn decorate(headers: &mut HeaderMap, id: &str) {
    headers.insert(REQUEST_ID, HeaderValue::from_str(id).expect("ids are plain letters"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    // Nothing here is a page, and most of it is one wallet's own.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let no_content = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, no_content);
}

fn fresh_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// The client's id for its request, or a new one.
fn request_id(headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(given) = headers.get(REQUEST_ID) else { return Ok(fresh_id()) };
    let letter = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
    let bytes = given.as_bytes();
    if !(1..=REQUEST_ID_CHARS_MAX).contains(&bytes.len()) || !bytes.iter().all(letter) {
        let text = format!("{REQUEST_ID} has 1 to {REQUEST_ID_CHARS_MAX} of [A-Za-z0-9_-]");
        return Err(ApiError::bad_request(text));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

pub(super) async fn no_such_path() -> ApiError {
    ApiError::of_status(StatusCode::NOT_FOUND).hint("GET /openapi.json lists what there is")
}

pub(super) async fn no_such_method() -> ApiError {
    ApiError::of_status(StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    #[tokio::test]
    async fn a_handler_that_panics_or_hangs_is_a_problem_without_its_cause() {
        let panics = async { panic!("the cause: {}", "secret") };
        let error = bounded(panics, REQUEST_MAX).await.unwrap_err();
        assert_eq!(error.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!format!("{error:?}").contains("secret"));
        let hangs = bounded(std::future::pending(), Duration::ZERO).await.unwrap_err();
        assert_eq!(hangs.status, StatusCode::GATEWAY_TIMEOUT);
        let fine = bounded(async { StatusCode::OK.into_response() }, REQUEST_MAX).await;
        assert_eq!(fine.unwrap().status(), StatusCode::OK);
    }

    #[test]
    fn refusals_of_the_frameworks_own_become_problems() {
        let plain = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "internal words").into_response();
        let told = with_problem(plain, "r1");
        assert_eq!(told.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(told.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
