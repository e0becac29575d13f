//! A transaction as history keeps it.

use solana_address::{Address, address};
use solana_message::{AccountKeys, compiled_instruction::CompiledInstruction};
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::UiTransactionStatusMeta;

const MEMO_V1: Address = address!("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo");
const MEMO_V4: Address = address!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");

/// A transaction that is in a block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TransactionRecord {
    pub(crate) signature: Signature,
    pub(crate) slot: u64,
    /// Place in its block.
    pub(crate) index: u32,
    /// Unix seconds of the block.
    pub(crate) block_time: i64,
    /// The transaction's own bytes.
    pub(crate) wire: Vec<u8>,
    pub(crate) err: Option<TransactionError>,
    pub(crate) memo: Option<String>,
    pub(crate) meta: UiTransactionStatusMeta,
    /// Every account that it names, those of lookup tables too.
    pub(crate) mentions: Vec<Address>,
}

/// The memos of a transaction in the form that `getSignaturesForAddress` shows.
pub(crate) fn memo(keys: &AccountKeys, instructions: &[CompiledInstruction]) -> Option<String> {
    let memos: Vec<String> = instructions
        .iter()
        .filter(|instruction| {
            keys.get(usize::from(instruction.program_id_index))
                .is_some_and(|program| *program == MEMO_V1 || *program == MEMO_V4)
        })
        .map(|instruction| {
            let text = std::str::from_utf8(&instruction.data).unwrap_or("(unparseable)");
            format!("[{}] {text}", instruction.data.len())
        })
        .collect();
    if memos.is_empty() { None } else { Some(memos.join("; ")) }
}
