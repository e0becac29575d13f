//! Transactions of history in the encodings that clients ask for.

use std::collections::HashSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use solana_address::Address;
use solana_message::VersionedMessage;
use solana_transaction::versioned::{TransactionVersion, VersionedTransaction};
use solana_transaction_status_client_types::option_serializer::OptionSerializer;
use solana_transaction_status_client_types::{
    EncodedTransaction, EncodedTransactionWithStatusMeta, ParsedAccount, ParsedAccountSource,
    TransactionBinaryEncoding, UiAccountsList, UiCompiledInstruction, UiInstruction,
    UiLoadedAddresses, UiMessage, UiParsedInstruction, UiParsedMessage,
    UiPartiallyDecodedInstruction, UiRawMessage, UiTransaction, UiTransactionEncoding,
    UiTransactionStatusMeta,
};

use super::RpcError;
use crate::record::TransactionRecord;
use crate::transaction::WireTransaction;

/// Height of an instruction that no program called.
const TOP_LEVEL: u32 = 1;

/// Encodes a transaction, if its version is one that the client understands.
pub(super) fn transaction(
    record: TransactionRecord,
    encoding: UiTransactionEncoding,
    max_version: Option<u8>,
) -> Result<EncodedTransactionWithStatusMeta, RpcError> {
    let (transaction, version) = decode(&record, max_version)?;
    let mut meta = record.meta;
    let encoded = match encoding {
        UiTransactionEncoding::Binary => {
            EncodedTransaction::LegacyBinary(bs58::encode(&record.wire).into_string())
        }
        UiTransactionEncoding::Base58 => EncodedTransaction::Binary(
            bs58::encode(&record.wire).into_string(),
            TransactionBinaryEncoding::Base58,
        ),
        UiTransactionEncoding::Base64 => EncodedTransaction::Binary(
            BASE64_STANDARD.encode(&record.wire),
            TransactionBinaryEncoding::Base64,
        ),
        UiTransactionEncoding::Json => EncodedTransaction::Json(UiTransaction {
            signatures: signatures(&transaction),
            message: UiMessage::Raw(raw_message(&transaction.message)),
        }),
        UiTransactionEncoding::JsonParsed => {
            let keys = account_keys(&transaction.message, &meta);
            decode_inner(&mut meta, &keys);
            EncodedTransaction::Json(UiTransaction {
                signatures: signatures(&transaction),
                message: UiMessage::Parsed(parsed_message(&transaction.message, keys)),
            })
        }
    };
    Ok(EncodedTransactionWithStatusMeta { transaction: encoded, meta: Some(meta), version })
}

/// Signatures and accounts only, for `transactionDetails: accounts`.
pub(super) fn accounts(
    record: TransactionRecord,
    max_version: Option<u8>,
) -> Result<EncodedTransactionWithStatusMeta, RpcError> {
    let (transaction, version) = decode(&record, max_version)?;
    let list = UiAccountsList {
        signatures: signatures(&transaction),
        account_keys: account_keys(&transaction.message, &record.meta),
    };
    let meta = UiTransactionStatusMeta {
        inner_instructions: OptionSerializer::Skip,
        log_messages: OptionSerializer::Skip,
        rewards: OptionSerializer::Skip,
        loaded_addresses: OptionSerializer::Skip,
        return_data: OptionSerializer::Skip,
        compute_units_consumed: OptionSerializer::Skip,
        ..record.meta
    };
    let transaction = EncodedTransaction::Accounts(list);
    Ok(EncodedTransactionWithStatusMeta { transaction, meta: Some(meta), version })
}

fn decode(
    record: &TransactionRecord,
    max_version: Option<u8>,
) -> Result<(VersionedTransaction, Option<TransactionVersion>), RpcError> {
    let transaction = WireTransaction::decode(record.wire.clone())
        .map_err(|error| RpcError::internal(error.to_string()))?
        .transaction;
    let version = match (transaction.version(), max_version) {
        (TransactionVersion::Number(version), None) => {
            return Err(RpcError::unsupported_version(version));
        }
        (TransactionVersion::Number(version), Some(max)) if version > max => {
            return Err(RpcError::unsupported_version(version));
        }
        (_, None) => None,
        (version, Some(_)) => Some(version),
    };
    Ok((transaction, version))
}

fn signatures(transaction: &VersionedTransaction) -> Vec<String> {
    transaction.signatures.iter().map(ToString::to_string).collect()
}

fn raw_message(message: &VersionedMessage) -> UiRawMessage {
    UiRawMessage {
        header: *message.header(),
        account_keys: message.static_account_keys().iter().map(ToString::to_string).collect(),
        recent_blockhash: message.recent_blockhash().to_string(),
        instructions: message
            .instructions()
            .iter()
            .map(|instruction| UiCompiledInstruction::from(instruction, Some(TOP_LEVEL)))
            .collect(),
        address_table_lookups: lookups(message),
        transaction_config: None,
    }
}

fn lookups(
    message: &VersionedMessage,
) -> Option<Vec<solana_transaction_status_client_types::UiAddressTableLookup>> {
    message.address_table_lookups().map(|lookups| lookups.iter().map(Into::into).collect())
}

/// Every account with what the transaction may do to it, those of lookup tables last.
fn account_keys(message: &VersionedMessage, meta: &UiTransactionStatusMeta) -> Vec<ParsedAccount> {
    let row = |pubkey: String, writable, signer, source| ParsedAccount {
        pubkey,
        writable,
        signer,
        source: Some(source),
    };
    let mut keys: Vec<ParsedAccount> = message
        .static_account_keys()
        .iter()
        .enumerate()
        .map(|(index, key)| {
            row(
                key.to_string(),
                message.is_maybe_writable_with_reserved_addresses(index, None::<&HashSet<Address>>),
                message.is_signer(index),
                ParsedAccountSource::Transaction,
            )
        })
        .collect();
    if let OptionSerializer::Some(UiLoadedAddresses { writable, readonly }) = &meta.loaded_addresses
    {
        for (addresses, is_writable) in [(writable, true), (readonly, false)] {
            keys.extend(addresses.iter().map(|address| {
                row(address.clone(), is_writable, false, ParsedAccountSource::LookupTable)
            }));
        }
    }
    keys
}

/// Instructions come with their accounts spelled out and their data as it is.
fn parsed_message(message: &VersionedMessage, keys: Vec<ParsedAccount>) -> UiParsedMessage {
    UiParsedMessage {
        recent_blockhash: message.recent_blockhash().to_string(),
        instructions: message
            .instructions()
            .iter()
            .map(|instruction| {
                partially(&UiCompiledInstruction::from(instruction, Some(TOP_LEVEL)), &keys)
            })
            .collect(),
        account_keys: keys,
        address_table_lookups: lookups(message),
        transaction_config: None,
    }
}

fn decode_inner(meta: &mut UiTransactionStatusMeta, keys: &[ParsedAccount]) {
    let OptionSerializer::Some(inner) = &mut meta.inner_instructions else { return };
    for instruction in inner.iter_mut().flat_map(|inner| &mut inner.instructions) {
        if let UiInstruction::Compiled(compiled) = instruction {
            *instruction = partially(compiled, keys);
        }
    }
}

fn partially(compiled: &UiCompiledInstruction, keys: &[ParsedAccount]) -> UiInstruction {
    let key = |index: u8| {
        keys.get(usize::from(index)).map(|account| account.pubkey.clone()).unwrap_or_default()
    };
    UiInstruction::Parsed(UiParsedInstruction::PartiallyDecoded(UiPartiallyDecodedInstruction {
        program_id: key(compiled.program_id_index),
        accounts: compiled.accounts.iter().map(|index| key(*index)).collect(),
        data: compiled.data.clone(),
        stack_height: compiled.stack_height,
    }))
}
