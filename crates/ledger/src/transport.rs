//! JSON-RPC over HTTP with a bound on every answer. An endpoint is not ours to trust: the
//! client underneath would read an answer of any length into memory.

use serde_json::{Value, json};
use solana_rpc_client::rpc_sender::{RpcSender, RpcTransportStats};
use solana_rpc_client_api::client_error::reqwest::header::RETRY_AFTER;
use solana_rpc_client_api::client_error::reqwest::{Client, Response, StatusCode};
use solana_rpc_client_api::client_error::{Error, ErrorKind, Result};
use solana_rpc_client_api::request::{RpcError, RpcRequest, RpcResponseErrorData};
use solana_rpc_client_api::response::RpcSimulateTransactionResult;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The longest answer that is read: 60,000 leases in base64 with their JSON around them.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Of an endpoint's own words, what is shown.
const WORDS_MAX: usize = 500;
/// Times that a call is tried again where the endpoint says that it is too busy.
const BUSY_RETRIES: u32 = 5;
/// Seconds to wait then, unless the endpoint says how many.
const BUSY_SECONDS: u64 = 1;
/// The most seconds that an endpoint can make a call wait.
const BUSY_SECONDS_MAX: u64 = 10;
/// A preflight's failure, as Agave numbers it.
const PREFLIGHT_FAILURE: i64 = -32_002;

/// Sends calls to one endpoint.
pub(crate) struct BoundedSender {
    client: Client,
    url: String,
    calls: AtomicU64,
}

impl BoundedSender {
    /// To the endpoint at `url`; each call takes at most `timeout`.
    pub(crate) fn new(url: &str, timeout: Duration) -> Self {
        // Without a client there is nothing to fall back on: TLS is compiled in.
        let client = Client::builder().timeout(timeout).build().expect("TLS is compiled in");
        Self { client, url: url.to_owned(), calls: AtomicU64::new(0) }
    }

    async fn post(&self, body: &str) -> Result<Value> {
        let mut retries = BUSY_RETRIES;
        loop {
            let request = self.client.post(&self.url).header("content-type", "application/json");
            let response = request.body(body.to_owned()).send().await?;
            if response.status() == StatusCode::TOO_MANY_REQUESTS && retries > 0 {
                retries -= 1;
                tokio::time::sleep(patience(&response)).await;
                continue;
            }
            let response = response.error_for_status()?;
            return serde_json::from_slice(&read(response).await?).map_err(Error::from);
        }
    }
}

fn patience(response: &Response) -> Duration {
    let asked = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    Duration::from_secs(asked.unwrap_or(BUSY_SECONDS).min(BUSY_SECONDS_MAX))
}

/// The whole body, if it is no longer than [`ANSWER_BYTES_MAX`] (unpacked).
async fn read(mut response: Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(some) = response.chunk().await? {
        if body.len() + some.len() > ANSWER_BYTES_MAX {
            return Err(nonsense(format!("an answer of more than {ANSWER_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&some);
    }
    Ok(body)
}

fn nonsense(why: String) -> Error {
    ErrorKind::RpcError(RpcError::RpcRequestError(why)).into()
}

/// An error that the endpoint answers, typed where it says why a transaction failed.
fn refused(error: &Value) -> Error {
    let code = error["code"].as_i64().unwrap_or(0);
    let words = error["message"].as_str().unwrap_or("no reason given");
    let data = match code {
        PREFLIGHT_FAILURE => {
            match serde_json::from_value::<RpcSimulateTransactionResult>(error["data"].clone()) {
                Ok(result) => RpcResponseErrorData::SendTransactionPreflightFailure(result),
                Err(_) => RpcResponseErrorData::Empty,
            }
        }
        _ => RpcResponseErrorData::Empty,
    };
    // They may come to a terminal: nothing of them may command it.
    let message = words.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
    ErrorKind::RpcError(RpcError::RpcResponseError { code, message, data }).into()
}

#[async_trait::async_trait]
impl RpcSender for BoundedSender {
    async fn send(&self, request: RpcRequest, params: Value) -> Result<Value> {
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let method = request.to_string();
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut answer = self.post(&call.to_string()).await?;
        if !answer.is_object() {
            return Err(nonsense("an answer that is no JSON-RPC".into()));
        }
        if answer["error"].is_object() {
            return Err(refused(&answer["error"]));
        }
        Ok(answer["result"].take())
    }

    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        self.url.clone()
    }
}
