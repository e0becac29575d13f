//! Signatures, transactions and blocks of the past.

use serde_json::Value;
use solana_rpc_client_types::config::{
    RpcBlockConfig, RpcBlocksConfigWrapper, RpcEncodingConfigWrapper,
    RpcSignaturesForAddressConfig, RpcTransactionConfig, TransactionDetails, UiTransactionEncoding,
};
use solana_rpc_client_types::response::RpcConfirmedTransactionStatusWithSignature;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionConfirmationStatus, TransactionStatus,
    UiConfirmedBlock,
};
use tokio::sync::broadcast::error::RecvError;

use super::{Params, RpcError, context_slot, encode, history_of, params, to_json, with_context};
use crate::chain::Services;
use crate::limits::{
    BLOCKS_RANGE_MAX, OPEN_BLOCK_WAIT_MAX, SIGNATURE_STATUSES_MAX, SIGNATURES_FOR_ADDRESS_MAX,
};
use crate::record::TransactionRecord;

pub(super) fn call(
    services: &Services,
    method: &str,
    params: &Params,
) -> Option<Result<Value, RpcError>> {
    Some(match method {
        "getSignatureStatuses" => get_signature_statuses(services, params),
        "getTransaction" => get_transaction(services, params),
        "getSignaturesForAddress" => get_signatures_for_address(services, params),
        "getBlock" => get_block(services, params),
        "getBlocks" => get_blocks(services, params),
        "getBlocksWithLimit" => get_blocks_with_limit(services, params),
        "getBlockTime" => get_block_time(services, params),
        "getFirstAvailableBlock" | "minimumLedgerSlot" => Ok(0.into()),
        _ => return None,
    })
}

fn get_signature_statuses(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let signatures: Vec<String> = params.required(0)?;
    if signatures.len() > SIGNATURE_STATUSES_MAX {
        return Err(RpcError::invalid_params(format!(
            "Too many inputs provided; max {SIGNATURE_STATUSES_MAX}"
        )));
    }
    let mut statuses = Vec::with_capacity(signatures.len());
    for text in &signatures {
        let signature = params::signature(text)?;
        let row = history_of(services, |reader| reader.status(&signature))?;
        statuses.push(row.map(|row| TransactionStatus {
            slot: row.slot,
            // None means rooted: what is shown here is final.
            confirmations: None,
            status: row.err.clone().map_or(Ok(()), Err),
            err: row.err,
            confirmation_status: Some(TransactionConfirmationStatus::Finalized),
        }));
    }
    with_context(services.shared.view().slot, statuses)
}

fn get_transaction(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let signature = params.signature(0)?;
    let config = params
        .optional::<Option<RpcEncodingConfigWrapper<RpcTransactionConfig>>>(1)?
        .map(|config| config.convert_to_current())
        .unwrap_or_default();
    let encoding = config.encoding.unwrap_or(UiTransactionEncoding::Json);
    let Some(record) = history_of(services, |reader| reader.transaction(&signature))? else {
        return Ok(Value::Null);
    };
    let (slot, block_time, index) = (record.slot, record.block_time, record.index);
    to_json(&EncodedConfirmedTransactionWithStatusMeta {
        slot,
        transaction: encode::transaction(
            record,
            encoding,
            config.max_supported_transaction_version,
        )?,
        block_time: Some(block_time),
        transaction_index: Some(index),
    })
}

fn get_signatures_for_address(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let address = params.address(0)?;
    let config: RpcSignaturesForAddressConfig = params.optional(1)?;
    context_slot(services, config.min_context_slot)?;
    let limit = config.limit.unwrap_or(SIGNATURES_FOR_ADDRESS_MAX);
    if limit == 0 || limit > SIGNATURES_FOR_ADDRESS_MAX {
        return Err(RpcError::invalid_params(format!(
            "Invalid limit; max {SIGNATURES_FOR_ADDRESS_MAX}"
        )));
    }
    let before = config.before.as_deref().map(params::signature).transpose()?;
    let until = config.until.as_deref().map(params::signature).transpose()?;
    let rows = history_of(services, |reader| {
        reader.signatures_for_address(&address, before.as_ref(), until.as_ref(), limit)
    })?;
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| RpcConfirmedTransactionStatusWithSignature {
            signature: row.signature.to_string(),
            slot: row.slot,
            err: row.err.map(Into::into),
            memo: row.memo,
            block_time: Some(row.block_time),
            confirmation_status: Some(TransactionConfirmationStatus::Finalized),
            transaction_index: Some(row.index),
        })
        .collect();
    to_json(&rows)
}

/// A transaction is final at once, its block only when its slot is over. A client that asks for
/// the block of a transaction that it has just seen waits for that instead of being refused.
pub(super) async fn until_closed(services: &Services, params: &Params) {
    // A wrong parameter is told by the call itself.
    let Ok(slot) = params.required::<u64>(0) else { return };
    let mut events = services.events.subscribe();
    let open = || services.shared.view().slot == slot;
    let closed =
        async { while open() && !matches!(events.recv().await, Err(RecvError::Closed)) {} };
    // Slots may be set to be long: then the answer is that it is not available.
    let _ = tokio::time::timeout(OPEN_BLOCK_WAIT_MAX, closed).await;
}

/// A block is shown once it is closed: until then it grows.
fn check_closed(services: &Services, slot: u64) -> Result<(), RpcError> {
    if slot > services.shared.view().closed_slot() {
        return Err(RpcError::block_not_available(slot));
    }
    Ok(())
}

fn get_block(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let slot: u64 = params.required(0)?;
    let config = params
        .optional::<Option<RpcEncodingConfigWrapper<RpcBlockConfig>>>(1)?
        .map(|config| config.convert_to_current())
        .unwrap_or_default();
    check_closed(services, slot)?;
    let records = history_of(services, |reader| reader.block(slot))?;
    let block_time = history_of(services, |reader| reader.block_time(slot))?;
    let (transactions, signatures) = block_contents(records, &config)?;
    let hashes = &services.shared.blockhashes;
    let previous = match slot.checked_sub(1) {
        Some(parent) => hashes.at(parent),
        None => solana_hash::Hash::default(),
    };
    to_json(&UiConfirmedBlock {
        previous_blockhash: previous.to_string(),
        blockhash: hashes.at(slot).to_string(),
        parent_slot: slot.saturating_sub(1),
        transactions,
        signatures,
        rewards: config.rewards.unwrap_or(true).then(Vec::new),
        num_reward_partitions: None,
        block_time,
        block_height: Some(slot),
    })
}

type Contents = (
    Option<Vec<solana_transaction_status_client_types::EncodedTransactionWithStatusMeta>>,
    Option<Vec<String>>,
);

fn block_contents(
    records: Vec<TransactionRecord>,
    config: &RpcBlockConfig,
) -> Result<Contents, RpcError> {
    let encoding = config.encoding.unwrap_or(UiTransactionEncoding::Json);
    let max_version = config.max_supported_transaction_version;
    Ok(match config.transaction_details.unwrap_or_default() {
        TransactionDetails::Full => {
            let encoded = records
                .into_iter()
                .map(|record| encode::transaction(record, encoding, max_version))
                .collect::<Result<_, _>>()?;
            (Some(encoded), None)
        }
        TransactionDetails::Accounts => {
            let encoded = records
                .into_iter()
                .map(|record| encode::accounts(record, max_version))
                .collect::<Result<_, _>>()?;
            (Some(encoded), None)
        }
        TransactionDetails::Signatures => {
            (None, Some(records.iter().map(|record| record.signature.to_string()).collect()))
        }
        TransactionDetails::None => (None, None),
    })
}

fn get_blocks(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let start: u64 = params.required(0)?;
    let (end, _) = params
        .optional::<Option<RpcBlocksConfigWrapper>>(1)?
        .map_or((None, None), |wrapper| wrapper.unzip());
    let end = end.unwrap_or_else(|| start.saturating_add(BLOCKS_RANGE_MAX));
    if end < start {
        return Ok(Value::Array(Vec::new()));
    }
    if end - start > BLOCKS_RANGE_MAX {
        return Err(RpcError::invalid_params(format!(
            "Slot range too large; max {BLOCKS_RANGE_MAX}"
        )));
    }
    slots(start, end.min(services.shared.view().closed_slot()))
}

fn get_blocks_with_limit(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let start: u64 = params.required(0)?;
    let limit: u64 = params.required(1)?;
    if limit > BLOCKS_RANGE_MAX {
        return Err(RpcError::invalid_params(format!("Limit too large; max {BLOCKS_RANGE_MAX}")));
    }
    let Some(last) = limit.checked_sub(1) else { return Ok(Value::Array(Vec::new())) };
    slots(start, start.saturating_add(last).min(services.shared.view().closed_slot()))
}

/// Every slot is a block.
fn slots(start: u64, end: u64) -> Result<Value, RpcError> {
    to_json(&(start..=end).collect::<Vec<u64>>())
}

fn get_block_time(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let slot: u64 = params.required(0)?;
    check_closed(services, slot)?;
    to_json(&history_of(services, |reader| reader.block_time(slot))?)
}
