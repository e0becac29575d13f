//! Public moments: the hash of a block that nobody could know before, and memos that show when
//! something was known.

use crate::connection::Connection;
use crate::error::LedgerError;
use crate::shown::{Called, Shown};
use crate::signer::Signer;
use solana_address::{Address, address};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::{AccountMeta, Instruction};
use solana_rpc_client_api::config::{RpcBlockConfig, TransactionDetails};
use solana_rpc_client_api::request::RpcRequest;
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

/// The memos of a transaction; none if it failed, or is not what a transaction looks like.
fn memos(shown: Shown) -> Option<Published> {
    if shown.meta.is_some_and(|meta| meta.err.is_some()) {
        return None;
    }
    let message = shown.transaction.message;
    let keys = message.account_keys.iter().map(|k| k.parse().ok());
    let keys: Vec<Address> = keys.collect::<Option<_>>()?;
    let is_memo =
        |called: &&Called| keys.get(usize::from(called.program_id_index)) == Some(&MEMO_PROGRAM);
    let text = |called: &Called| String::from_utf8(called.bytes()?).ok();
    let texts = message.instructions.iter().filter(is_memo).map(text).collect::<Option<_>>()?;
    Some(Published { slot: shown.slot, payer: *keys.first()?, texts })
}

impl Connection {
    /// The memos of a transaction; none if there is no such transaction, or it failed.
    pub async fn published(&self, signature: &Signature) -> Result<Option<Published>, LedgerError> {
        let params = serde_json::json!([
            signature.to_string(),
            { "encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0 },
        ]);
        let answer = self.rpc().send::<Option<Shown>>(RpcRequest::GetTransaction, params).await;
        Ok(answer.map_err(|e| self.failed(e))?.and_then(memos))
    }
}
