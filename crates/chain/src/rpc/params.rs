//! Parameters of a call: positional, typed, bounded.

use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeOwned;
use serde_json::Value;
use solana_address::Address;
use solana_hash::Hash;
use solana_signature::Signature;
use solana_transaction_status_client_types::TransactionBinaryEncoding;

use super::error::RpcError;
use crate::limits::{TRANSACTION_BASE58_MAX, TRANSACTION_BASE64_MAX};

/// Positional parameters of a call.
pub(crate) struct Params(Vec<Value>);

impl Params {
    pub(crate) fn new(params: Option<Value>) -> Result<Self, RpcError> {
        match params {
            None | Some(Value::Null) => Ok(Self(Vec::new())),
            Some(Value::Array(values)) => Ok(Self(values)),
            Some(_) => Err(RpcError::invalid_params("`params` should be an array")),
        }
    }

    /// The parameter at `index`, which must be there.
    pub(crate) fn required<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        let Some(value) = self.0.get(index).filter(|value| !value.is_null()) else {
            return Err(RpcError::invalid_params(format!(
                "`params` should have at least {} argument(s)",
                index + 1
            )));
        };
        T::deserialize(value).map_err(invalid)
    }

    /// The parameter at `index`; its default if it is absent or null.
    pub(crate) fn optional<T: DeserializeOwned + Default>(
        &self,
        index: usize,
    ) -> Result<T, RpcError> {
        match self.0.get(index).filter(|value| !value.is_null()) {
            Some(value) => T::deserialize(value).map_err(invalid),
            None => Ok(T::default()),
        }
    }

    pub(crate) fn address(&self, index: usize) -> Result<Address, RpcError> {
        address(&self.required::<String>(index)?)
    }

    pub(crate) fn signature(&self, index: usize) -> Result<Signature, RpcError> {
        signature(&self.required::<String>(index)?)
    }
}

fn invalid(error: serde_json::Error) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {error}."))
}

pub(crate) fn address(text: &str) -> Result<Address, RpcError> {
    Address::from_str(text)
        .map_err(|error| RpcError::invalid_params(format!("Invalid param: {error}")))
}

pub(crate) fn signature(text: &str) -> Result<Signature, RpcError> {
    Signature::from_str(text)
        .map_err(|error| RpcError::invalid_params(format!("Invalid param: {error}")))
}

pub(crate) fn hash(text: &str) -> Result<Hash, RpcError> {
    Hash::from_str(text)
        .map_err(|error| RpcError::invalid_params(format!("Invalid param: {error}")))
}

/// Decodes a transaction or message. The text is bounded before it is decoded: base58 takes
/// quadratic time.
pub(crate) fn wire(text: &str, encoding: TransactionBinaryEncoding) -> Result<Vec<u8>, RpcError> {
    let (name, text_max) = match encoding {
        TransactionBinaryEncoding::Base58 => ("base58", TRANSACTION_BASE58_MAX),
        TransactionBinaryEncoding::Base64 => ("base64", TRANSACTION_BASE64_MAX),
    };
    if text.len() > text_max {
        return Err(RpcError::invalid_params(format!(
            "{name} encoded solana_transaction::versioned::VersionedTransaction too large: {} \
             bytes (max: encoded/raw {text_max}/{})",
            text.len(),
            crate::limits::TRANSACTION_BYTES_MAX,
        )));
    }
    let decoded = match encoding {
        TransactionBinaryEncoding::Base58 => {
            bs58::decode(text).into_vec().map_err(|error| error.to_string())
        }
        TransactionBinaryEncoding::Base64 => {
            BASE64_STANDARD.decode(text).map_err(|error| error.to_string())
        }
    };
    decoded.map_err(|error| RpcError::invalid_params(format!("invalid {name} encoding: {error}")))
}
