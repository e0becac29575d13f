//! Errors of JSON-RPC, with Solana's codes and words: clients decide by them.

use serde_json::{Value, json};

use crate::node::Refusal;
use crate::store::StoreError;
use crate::transaction::DecodeError;

/// An error answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl RpcError {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(crate) fn parse() -> Self {
        Self::new(-32700, "Parse error")
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    pub(crate) fn method_not_found() -> Self {
        Self::new(-32601, "Method not found")
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(-32603, message)
    }

    /// `data` must be the whole simulation result: web3.js and kit read `data.err` and `data.logs`.
    pub(crate) fn preflight(message: impl Into<String>, data: Value) -> Self {
        Self { data: Some(data), ..Self::new(-32002, message) }
    }

    pub(crate) fn signature_verification() -> Self {
        Self::new(-32003, "Transaction signature verification failure")
    }

    pub(crate) fn block_not_available(slot: u64) -> Self {
        Self::new(-32004, format!("Block not available for slot {slot}"))
    }

    pub(crate) fn unhealthy() -> Self {
        Self {
            data: Some(json!({ "numSlotsBehind": null })),
            ..Self::new(-32005, "Node is unhealthy")
        }
    }

    pub(crate) fn unsupported_version(version: u8) -> Self {
        Self::new(
            -32015,
            format!(
                "Transaction version ({version}) is not supported by the requesting client. \
                 Please try the request again with the following configuration parameter: \
                 \"maxSupportedTransactionVersion\": {version}"
            ),
        )
    }

    pub(crate) fn min_context_slot(context_slot: u64) -> Self {
        Self {
            data: Some(json!({ "contextSlot": context_slot })),
            ..Self::new(-32016, "Minimum context slot has not been reached")
        }
    }

    /// The `error` member of an answer.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Some(data) => json!({ "code": self.code, "message": self.message, "data": data }),
            None => json!({ "code": self.code, "message": self.message }),
        }
    }
}

impl From<Refusal> for RpcError {
    fn from(_: Refusal) -> Self {
        Self::unhealthy()
    }
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "history cannot be read");
        Self::internal("history cannot be read")
    }
}

impl From<DecodeError> for RpcError {
    fn from(error: DecodeError) -> Self {
        Self::invalid_params(error.to_string())
    }
}
