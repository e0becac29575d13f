//! Sending, simulating, airdrops and fees.

use bincode::Options;
use serde_json::Value;
use solana_account_decoder::UiAccountEncoding;
use solana_address::Address;
use solana_message::VersionedMessage;
use solana_rpc_client_types::config::{
    RpcContextConfig, RpcRequestAirdropConfig, RpcSendTransactionConfig,
    RpcSimulateTransactionAccountsConfig, RpcSimulateTransactionConfig, UiTransactionEncoding,
};
use solana_rpc_client_types::response::{RpcBlockhash, RpcSimulateTransactionResult, UiAccount};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::TransactionBinaryEncoding;

use super::{Params, RpcError, context_slot, encode_account, params, to_json, with_context};
use crate::chain::Services;
use crate::limits::TRANSACTION_BYTES_MAX;
use crate::node::{Command, Rehearsal, SendError, SimulationReport, Work};
use crate::transaction::WireTransaction;

pub(super) async fn send_transaction(
    services: &Services,
    params: &Params,
) -> Result<Value, RpcError> {
    let text: String = params.required(0)?;
    let config: RpcSendTransactionConfig = params.optional(1)?;
    context_slot(services, config.min_context_slot)?;
    let wire = decode(&text, config.encoding)?;
    let signature = wire.transaction.signatures.first().copied().unwrap_or_default();
    // A wrong signature is told even without preflight: it could never land.
    let verified = wire.verify().ok_or_else(RpcError::signature_verification)?;
    let preflight = !config.skip_preflight;
    let sent = services
        .node
        .ask(|reply| {
            let transaction = Box::new(verified);
            Command::Execute(Work::Transaction { transaction, preflight, reply })
        })
        .await?;
    match sent {
        Ok(signature) => Ok(signature.to_string().into()),
        // Without preflight a transaction that cannot land is dropped in silence, as on Solana.
        Err(SendError::Dropped(_)) if !preflight => Ok(signature.to_string().into()),
        Err(error) => Err(send_error(error)),
    }
}

fn send_error(error: SendError) -> RpcError {
    match error {
        SendError::Preflight(report) => {
            let message = match &report.err {
                Some(err) => format!("Transaction simulation failed: {err}"),
                None => "Transaction simulation failed".to_owned(),
            };
            match simulation_result(*report, false, None).and_then(|result| to_json(&result)) {
                Ok(data) => RpcError::preflight(message, data),
                Err(error) => error,
            }
        }
        SendError::Dropped(err) => RpcError::internal(format!("the transaction is dropped: {err}")),
        SendError::Storage => RpcError::unhealthy(),
        SendError::Broken => RpcError::internal("the virtual machine broke on this transaction"),
    }
}

pub(super) async fn simulate_transaction(
    services: &Services,
    params: &Params,
) -> Result<Value, RpcError> {
    let text: String = params.required(0)?;
    let config: RpcSimulateTransactionConfig = params.optional(1)?;
    context_slot(services, config.min_context_slot)?;
    if config.sig_verify && config.replace_recent_blockhash {
        return Err(RpcError::invalid_params(
            "sigVerify may not be used with replaceRecentBlockhash",
        ));
    }
    let wire = decode(&text, config.encoding)?;
    let keys = wire.transaction.message.static_account_keys().len();
    let wanted = config.accounts.map(|accounts| wanted_accounts(accounts, keys)).transpose()?;
    let transaction = if config.sig_verify {
        let verified = wire.verify().ok_or_else(RpcError::signature_verification)?;
        verified.transaction().clone()
    } else {
        wire.transaction
    };
    let replace_blockhash = config.replace_recent_blockhash;
    let report = rehearse(services, transaction, replace_blockhash).await?;
    let slot = services.shared.view().slot;
    let accounts = wanted
        .map(|(addresses, encoding)| accounts_after(services, &report, &addresses, encoding))
        .transpose()?;
    with_context(slot, simulation_result(report, config.inner_instructions, accounts)?)
}

/// The accounts that the client wants to see afterwards.
fn wanted_accounts(
    config: RpcSimulateTransactionAccountsConfig,
    keys: usize,
) -> Result<(Vec<Address>, UiAccountEncoding), RpcError> {
    let encoding = config.encoding.unwrap_or(UiAccountEncoding::Base64);
    if matches!(encoding, UiAccountEncoding::Binary | UiAccountEncoding::Base58) {
        return Err(RpcError::invalid_params("base58 encoding not supported"));
    }
    if config.addresses.len() > keys {
        return Err(RpcError::invalid_params(format!("Too many accounts provided; max {keys}")));
    }
    let addresses =
        config.addresses.iter().map(|text| params::address(text)).collect::<Result<_, _>>()?;
    Ok((addresses, encoding))
}

fn accounts_after(
    services: &Services,
    report: &SimulationReport,
    addresses: &[Address],
    encoding: UiAccountEncoding,
) -> Result<Vec<Option<UiAccount>>, RpcError> {
    let view = services.shared.view();
    addresses
        .iter()
        .map(|address| {
            if report.err.is_some() {
                return Ok(None);
            }
            let post = report.post_accounts.iter().find(|(key, _)| key == address);
            post.map(|(_, account)| account)
                .or_else(|| view.accounts.get(address))
                .map(|account| encode_account(address, account, encoding, None, &view.accounts))
                .transpose()
        })
        .collect()
}

fn simulation_result(
    report: SimulationReport,
    show_inner: bool,
    accounts: Option<Vec<Option<UiAccount>>>,
) -> Result<RpcSimulateTransactionResult, RpcError> {
    let replacement_blockhash = report.replacement.map(|(hash, height)| RpcBlockhash {
        blockhash: hash.to_string(),
        last_valid_block_height: height,
    });
    let err = report.err.map(Into::into);
    let Some(meta) = report.meta else {
        return Ok(RpcSimulateTransactionResult {
            err,
            logs: Some(Vec::new()),
            accounts,
            units_consumed: Some(0),
            loaded_accounts_data_size: Some(0),
            return_data: None,
            inner_instructions: None,
            replacement_blockhash,
            fee: None,
            pre_balances: None,
            post_balances: None,
            pre_token_balances: None,
            post_token_balances: None,
            loaded_addresses: None,
        });
    };
    Ok(RpcSimulateTransactionResult {
        err,
        logs: meta.log_messages.into(),
        accounts,
        units_consumed: meta.compute_units_consumed.into(),
        loaded_accounts_data_size: Some(report.loaded_accounts_bytes),
        return_data: meta.return_data.into(),
        inner_instructions: Option::from(meta.inner_instructions).filter(|_| show_inner),
        replacement_blockhash,
        fee: Some(meta.fee),
        pre_balances: Some(meta.pre_balances),
        post_balances: Some(meta.post_balances),
        pre_token_balances: meta.pre_token_balances.into(),
        post_token_balances: meta.post_token_balances.into(),
        loaded_addresses: meta.loaded_addresses.into(),
    })
}

pub(super) async fn request_airdrop(
    services: &Services,
    params: &Params,
) -> Result<Value, RpcError> {
    let to = params.address(0)?;
    let lamports: u64 = params.required(1)?;
    let config: RpcRequestAirdropConfig = params.optional(2)?;
    if lamports > services.airdrop_lamports_max {
        return Err(RpcError::invalid_request(format!(
            "airdrop request of {lamports} lamports is over the limit of {}",
            services.airdrop_lamports_max
        )));
    }
    let blockhash = config.recent_blockhash.as_deref().map(params::hash).transpose()?;
    let sent = services
        .node
        .ask(|reply| Command::Execute(Work::Airdrop { to, lamports, blockhash, reply }))
        .await?;
    match sent {
        Ok(signature) => Ok(signature.to_string().into()),
        Err(error) => Err(send_error(error)),
    }
}

pub(super) async fn get_fee_for_message(
    services: &Services,
    params: &Params,
) -> Result<Value, RpcError> {
    let text: String = params.required(0)?;
    let config: RpcContextConfig = params.optional(1)?;
    let slot = context_slot(services, config.min_context_slot)?;
    let message = decode_message(&text)?;
    let signers = usize::from(message.header().num_required_signatures);
    let transaction =
        VersionedTransaction { signatures: vec![Signature::default(); signers], message };
    if transaction.sanitize().is_err() {
        return Err(RpcError::invalid_params("invalid transaction message: failed to sanitize"));
    }
    let report = rehearse(services, transaction, false).await?;
    // No fee for a blockhash that is not known (any more): null, as on Solana.
    let fee = match report.err {
        Some(TransactionError::BlockhashNotFound) => None,
        Some(_) | None => report.meta.map(|meta| meta.fee),
    };
    with_context(slot, fee)
}

async fn rehearse(
    services: &Services,
    transaction: VersionedTransaction,
    replace_blockhash: bool,
) -> Result<SimulationReport, RpcError> {
    let rehearsal = Box::new(Rehearsal { transaction, replace_blockhash });
    Ok(services.node.ask(|reply| Command::Simulate { rehearsal, reply }).await?)
}

fn decode(
    text: &str,
    encoding: Option<UiTransactionEncoding>,
) -> Result<WireTransaction, RpcError> {
    let encoding = encoding.unwrap_or(UiTransactionEncoding::Base58);
    let binary = encoding.into_binary_encoding().ok_or_else(|| {
        RpcError::invalid_params(format!(
            "unsupported encoding: {encoding}. Supported encodings: base58, base64"
        ))
    })?;
    Ok(WireTransaction::decode(params::wire(text, binary)?)?)
}

fn decode_message(text: &str) -> Result<VersionedMessage, RpcError> {
    let bytes = params::wire(text, TransactionBinaryEncoding::Base64)?;
    bincode::options()
        .with_limit(TRANSACTION_BYTES_MAX as u64)
        .with_fixint_encoding()
        .reject_trailing_bytes()
        .deserialize(&bytes)
        .map_err(|error| RpcError::invalid_params(format!("invalid message: {error}")))
}
