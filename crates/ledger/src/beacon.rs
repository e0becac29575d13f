//! Public moments: the hash of a block that nobody could know before, and memos that show when
//! something was known.

use crate::connection::Connection;
use crate::error::LedgerError;
use crate::signer::Signer;
use solana_address::{Address, address};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::{AccountMeta, Instruction};
use solana_rpc_client_api::config::{RpcBlockConfig, TransactionDetails};
use solana_signature::Signature;

/// SPL Memo: takes any UTF-8 text and asks for the signers that it names.
pub const MEMO_PROGRAM: Address = address!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
/// Longest memo: with signature and header it stays well inside a packet.
pub const MEMO_BYTES_MAX: usize = 566;

/// A block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its slot.
    pub slot: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// A memo with `signer`'s signature under it.
pub fn memo(signer: &Address, text: &str) -> Instruction {
    let accounts = vec![AccountMeta::new_readonly(*signer, true)];
    Instruction { program_id: MEMO_PROGRAM, accounts, data: text.as_bytes().to_vec() }
}

impl Connection {
    /// The newest confirmed block.
    pub async fn newest_block(&self) -> Result<Mark, LedgerError> {
        let slot = self.rpc().get_slot().await.map_err(|e| self.failed(e))?;
        // A slot may be skipped, and a node may know a slot before its block can be read.
        match self.block_at(slot).await? {
            Some(mark) => Ok(mark),
            None => {
                let last = self.blocks(slot.saturating_sub(32), Some(slot)).await?.pop();
                let missing = || LedgerError::NoBlock { slot };
                self.block_at(last.ok_or_else(missing)?).await?.ok_or_else(missing)
            }
        }
    }

    /// The block in a slot; none if it was skipped, or is not there yet.
    pub async fn block_at(&self, slot: u64) -> Result<Option<Mark>, LedgerError> {
        if self.blocks(slot, Some(slot)).await?.is_empty() {
            return Ok(None);
        }
        let config = RpcBlockConfig {
            encoding: None,
            transaction_details: Some(TransactionDetails::None),
            rewards: Some(false),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
        };
        let block = self.rpc().get_block_with_config(slot, config).await;
        let block = block.map_err(|e| self.failed(e))?;
        let mut hash = [0; 32];
        match bs58::decode(&block.blockhash).onto(&mut hash) {
            Ok(32) => Ok(Some(Mark { slot, hash })),
            _ => Err(LedgerError::NoBlock { slot }),
        }
    }

    /// The first confirmed block after a slot; none if there is none yet.
    pub async fn block_after(&self, slot: u64) -> Result<Option<Mark>, LedgerError> {
        let confirmed = CommitmentConfig::confirmed();
        let found = self.rpc().get_blocks_with_limit_and_commitment(slot + 1, 1, confirmed).await;
        match found.map_err(|e| self.failed(e))?.first() {
            Some(next) => self.block_at(*next).await,
            None => Ok(None),
        }
    }

    async fn blocks(&self, from: u64, to: Option<u64>) -> Result<Vec<u64>, LedgerError> {
        let confirmed = CommitmentConfig::confirmed();
        let found = self.rpc().get_blocks_with_commitment(from, to, confirmed).await;
        found.map_err(|e| self.failed(e))
    }

    /// Publishes a memo, and waits until it is confirmed. Returns the slot that it landed in.
    pub async fn publish(
        &self,
        text: &str,
        signer: &dyn Signer,
    ) -> Result<(Signature, u64), LedgerError> {
        if text.len() > MEMO_BYTES_MAX {
            return Err(LedgerError::TooLong { bytes: text.len() });
        }
        let signature = self.send(&[memo(&signer.address(), text)], &[signer]).await?;
        let found = self.rpc().get_signature_statuses(&[signature]).await;
        let found = found.map_err(|e| self.failed(e))?.value.into_iter().next().flatten();
        let status = found.ok_or(LedgerError::Expired { signature })?;
        Ok((signature, status.slot))
    }
}

/// A memo as the chain shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Where it landed.
    pub slot: u64,
    /// Who paid for the transaction, and signed it.
    pub payer: Address,
    /// The memos of the transaction, in order.
    pub texts: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Shown {
    slot: u64,
    transaction: Transaction,
    meta: Option<Meta>,
}

#[derive(serde::Deserialize)]
struct Meta {
    err: Option<serde_json::Value>,
}

#[derive(serde::Deserialize)]
struct Transaction {
    message: Message,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    account_keys: Vec<String>,
    instructions: Vec<Called>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Called {
    program_id_index: u8,
    data: String,
}

impl Shown {
    /// None if it failed, or is not what a transaction looks like.
    fn published(self) -> Option<Published> {
        let keys: Vec<Address> = self
            .transaction
            .message
            .account_keys
            .iter()
            .map(|k| k.parse().ok())
            .collect::<Option<_>>()?;
        if self.meta.is_some_and(|meta| meta.err.is_some()) {
            return None;
        }
        let memos =
            self.transaction.message.instructions.iter().filter(|called| {
                keys.get(usize::from(called.program_id_index)) == Some(&MEMO_PROGRAM)
            });
        let text = |called: &Called| {
            // A packet is at most 1,700 digits of base58; more would take quadratic time.
            let short = called.data.len() <= 1_700;
            let bytes = short.then(|| bs58::decode(&called.data).into_vec().ok()).flatten()?;
            String::from_utf8(bytes).ok()
        };
        let texts = memos.map(text).collect::<Option<_>>()?;
        Some(Published { slot: self.slot, payer: *keys.first()?, texts })
    }
}

impl Connection {
    /// The memos of a transaction; none if there is no such transaction, or it failed.
    pub async fn published(&self, signature: &Signature) -> Result<Option<Published>, LedgerError> {
        let params = serde_json::json!([
            signature.to_string(),
            { "encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0 },
        ]);
        let request = solana_rpc_client_api::request::RpcRequest::GetTransaction;
        let answer = self.rpc().send::<Option<Shown>>(request, params).await;
        Ok(answer.map_err(|e| self.failed(e))?.and_then(Shown::published))
    }
}
