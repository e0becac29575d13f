//! JSON-RPC over HTTP.

mod accounts;
mod cluster;
mod encode;
mod error;
mod history;
mod params;
mod send;
mod tokens;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use solana_rpc_client_types::response::{Response as WithContext, RpcResponseContext};

pub(crate) use accounts::{check_filters, encode_account, matches};
pub(crate) use error::RpcError;
pub(crate) use params::{Params, address as parse_address};

use crate::chain::Services;
use crate::limits::{BATCH_CALLS_MAX, BODY_BYTES_MAX};
use crate::metrics::Metrics;
use crate::store::{Reader, StoreError};

/// The HTTP side: calls by POST, `/health` and `/metrics` by GET.
pub(crate) fn router(services: Services) -> Router {
    Router::new()
        .route("/", post(answer))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(cross_origin))
        .with_state(services)
}

/// Wallets and explorers in a browser come from another origin; nothing here needs a cookie.
async fn cross_origin(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let allow = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, solana-client"),
    ];
    for (name, value) in allow {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn health(State(services): State<Services>) -> &'static str {
    if services.shared.view().healthy { "ok" } else { "behind" }
}

async fn metrics(State(services): State<Services>) -> String {
    let slot = services.shared.view().slot;
    services.metrics.render(slot)
}

async fn answer(State(services): State<Services>, body: Bytes) -> Response {
    let answer = match serde_json::from_slice(&body) {
        Ok(Value::Array(calls)) => batch(&services, calls).await,
        Ok(call) => one(&services, call).await,
        Err(_) => Some(error_answer(Value::Null, &RpcError::parse())),
    };
    // Only notifications came in: there is nothing to say.
    let text = answer.map_or_else(String::new, |answer| answer.to_string());
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn batch(services: &Services, calls: Vec<Value>) -> Option<Value> {
    if calls.is_empty() {
        return Some(error_answer(Value::Null, &RpcError::invalid_request("Invalid request")));
    }
    if calls.len() > BATCH_CALLS_MAX {
        let error = RpcError::invalid_request(format!("Too many calls; max {BATCH_CALLS_MAX}"));
        return Some(error_answer(Value::Null, &error));
    }
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.extend(one(services, call).await);
    }
    if answers.is_empty() { None } else { Some(Value::Array(answers)) }
}

/// Answers one call; a notification (a call without `id`) gets none.
async fn one(services: &Services, call: Value) -> Option<Value> {
    let invalid = || error_answer(Value::Null, &RpcError::invalid_request("Invalid request"));
    let Value::Object(mut call) = call else { return Some(invalid()) };
    let id = call.remove("id");
    let well_formed = call.get("jsonrpc").and_then(Value::as_str) == Some("2.0")
        && !matches!(id, Some(Value::Object(_) | Value::Array(_) | Value::Bool(_)));
    let Some(Value::String(method)) = call.remove("method").filter(|_| well_formed) else {
        return Some(invalid());
    };
    Metrics::count(&services.metrics.rpc_calls, 1);
    let result = match Params::new(call.remove("params")) {
        // Boxed: the biggest call would make every answer's future as big as itself.
        Ok(params) => Box::pin(dispatch(services, &method, params)).await,
        Err(error) => Err(error),
    };
    Metrics::count(&services.metrics.rpc_errors, u64::from(result.is_err()));
    let id = id?;
    Some(match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "result": result, "id": id }),
        Err(error) => error_answer(id, &error),
    })
}

pub(crate) fn error_answer(id: Value, error: &RpcError) -> Value {
    json!({ "jsonrpc": "2.0", "error": error.to_json(), "id": id })
}

async fn dispatch(services: &Services, method: &str, params: Params) -> Result<Value, RpcError> {
    match method {
        "sendTransaction" => send::send_transaction(services, &params).await,
        "simulateTransaction" => send::simulate_transaction(services, &params).await,
        "requestAirdrop" => send::request_airdrop(services, &params).await,
        "getFeeForMessage" => send::get_fee_for_message(services, &params).await,
        _ => {
            if matches!(method, "getBlock" | "getBlockTime") {
                history::until_closed(services, &params).await;
            }
            // Encoding big accounts and reading history take time: not on the server's threads.
            let services = services.clone();
            let method = method.to_owned();
            tokio::task::spawn_blocking(move || read(&services, &method, &params))
                .await
                .map_err(|_| RpcError::internal("the call broke down"))?
        }
    }
}

fn read(services: &Services, method: &str, params: &Params) -> Result<Value, RpcError> {
    if let Some(result) = accounts::call(services, method, params) {
        return result;
    }
    if let Some(result) = tokens::call(services, method, params) {
        return result;
    }
    if let Some(result) = history::call(services, method, params) {
        return result;
    }
    cluster::call(services, method, params).unwrap_or_else(|| Err(RpcError::method_not_found()))
}

/// `value` with the slot that it is true at.
pub(crate) fn with_context<T: serde::Serialize>(slot: u64, value: T) -> Result<Value, RpcError> {
    to_json(&WithContext { context: RpcResponseContext::new(slot), value })
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<Value, RpcError> {
    serde_json::to_value(value).map_err(|error| RpcError::internal(error.to_string()))
}

/// The slot that answers are true at, if the client does not ask for a later one.
fn context_slot(services: &Services, min_context_slot: Option<u64>) -> Result<u64, RpcError> {
    let slot = services.shared.view().slot;
    match min_context_slot {
        Some(min) if min > slot => Err(RpcError::min_context_slot(slot)),
        Some(_) | None => Ok(slot),
    }
}

fn history_of<T>(
    services: &Services,
    read: impl FnOnce(&Reader) -> Result<T, StoreError>,
) -> Result<T, RpcError> {
    Ok(read(&services.reader)?)
}
