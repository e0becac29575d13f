//! A transaction as `getTransaction` shows it (encoding `json`), as far as it is read here.

use serde::Deserialize;
use serde_json::Value;

/// Characters of an instruction's data: a packet in base58, which takes quadratic time. Inner data
/// may be longer (10 KiB), but neither a transfer nor a memo is.
pub(crate) const DATA_CHARS_MAX: usize = 1_700;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    pub(crate) slot: u64,
    pub(crate) block_time: Option<i64>,
    pub(crate) transaction: Body,
    pub(crate) meta: Option<Meta>,
}

#[derive(Deserialize)]
pub(crate) struct Body {
    pub(crate) message: Message,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    pub(crate) account_keys: Vec<String>,
    pub(crate) instructions: Vec<Called>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Called {
    pub(crate) program_id_index: u8,
    pub(crate) accounts: Vec<u8>,
    pub(crate) data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    pub(crate) err: Option<Value>,
    pub(crate) inner_instructions: Option<Vec<Inner>>,
    pub(crate) loaded_addresses: Option<Loaded>,
    pub(crate) pre_token_balances: Option<Vec<Held>>,
    pub(crate) post_token_balances: Option<Vec<Held>>,
}

#[derive(Deserialize)]
pub(crate) struct Inner {
    pub(crate) instructions: Vec<Called>,
}

#[derive(Deserialize)]
pub(crate) struct Loaded {
    pub(crate) writable: Vec<String>,
    pub(crate) readonly: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Held {
    pub(crate) account_index: u8,
    pub(crate) mint: String,
    pub(crate) owner: Option<String>,
}

impl Called {
    /// The instruction's data; none if it is too long, or no base58.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let short = self.data.len() <= DATA_CHARS_MAX;
        short.then(|| bs58::decode(&self.data).into_vec().ok()).flatten()
    }
}
