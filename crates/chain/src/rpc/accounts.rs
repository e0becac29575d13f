//! Accounts and balances.

use serde_json::Value;
use solana_account::{AccountSharedData, ReadableAccount};
use solana_account_decoder::{UiAccount, UiAccountEncoding, UiDataSliceConfig, encode_ui_account};
use solana_address::Address;
use solana_rpc_client_types::config::{
    RpcAccountInfoConfig, RpcContextConfig, RpcProgramAccountsConfig,
};
use solana_rpc_client_types::filter::RpcFilterType;
use solana_rpc_client_types::response::{
    OptionalContext, Response, RpcKeyedAccount, RpcResponseContext,
};

use super::{Params, RpcError, context_slot, params, to_json, with_context};
use crate::chain::Services;
use crate::limits::{
    BASE58_DATA_MAX, MULTIPLE_ACCOUNTS_MAX, PROGRAM_ACCOUNT_ROW_BYTES, PROGRAM_ACCOUNTS_BYTES_MAX,
    PROGRAM_ACCOUNTS_FILTERS_MAX,
};
use crate::tokens;
use crate::view::Accounts;

/// Lamports that make one byte rent exempt, and the bytes counted beside an account's data.
const RENT_LAMPORTS_PER_BYTE: u64 = 6_960;
const RENT_OVERHEAD_BYTES: u64 = 128;
/// Largest data of an account, as on Solana.
const ACCOUNT_DATA_MAX: u64 = 10 * 1024 * 1024;

pub(super) fn call(
    services: &Services,
    method: &str,
    params: &Params,
) -> Option<Result<Value, RpcError>> {
    Some(match method {
        "getBalance" => get_balance(services, params),
        "getAccountInfo" => get_account_info(services, params),
        "getMultipleAccounts" => get_multiple_accounts(services, params),
        "getProgramAccounts" => get_program_accounts(services, params),
        "getMinimumBalanceForRentExemption" => get_minimum_balance(params),
        _ => return None,
    })
}

fn get_balance(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let address = params.address(0)?;
    let config: RpcContextConfig = params.optional(1)?;
    let slot = context_slot(services, config.min_context_slot)?;
    let view = services.shared.view();
    with_context(slot, view.accounts.get(&address).map_or(0, ReadableAccount::lamports))
}

fn get_account_info(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let address = params.address(0)?;
    let config: RpcAccountInfoConfig = params.optional(1)?;
    let slot = context_slot(services, config.min_context_slot)?;
    let encoding = config.encoding.unwrap_or(UiAccountEncoding::Binary);
    let view = services.shared.view();
    let account = view
        .accounts
        .get(&address)
        .map(|account| {
            encode_account(&address, account, encoding, config.data_slice, &view.accounts)
        })
        .transpose()?;
    with_context(slot, account)
}

fn get_multiple_accounts(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let addresses: Vec<String> = params.required(0)?;
    let config: RpcAccountInfoConfig = params.optional(1)?;
    if addresses.len() > MULTIPLE_ACCOUNTS_MAX {
        return Err(RpcError::invalid_params(format!(
            "Too many inputs provided; max {MULTIPLE_ACCOUNTS_MAX}"
        )));
    }
    let slot = context_slot(services, config.min_context_slot)?;
    let encoding = config.encoding.unwrap_or(UiAccountEncoding::Base64);
    let addresses =
        addresses.iter().map(|text| params::address(text)).collect::<Result<Vec<_>, _>>()?;
    let view = services.shared.view();
    let accounts = addresses
        .iter()
        .map(|address| {
            let account = view.accounts.get(address);
            account
                .map(|account| {
                    encode_account(address, account, encoding, config.data_slice, &view.accounts)
                })
                .transpose()
        })
        .collect::<Result<Vec<_>, _>>()?;
    with_context(slot, accounts)
}

fn get_program_accounts(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let program = params.address(0)?;
    let config: RpcProgramAccountsConfig = params.optional(1)?;
    let filters = check_filters(config.filters)?;
    let RpcAccountInfoConfig { encoding, data_slice, min_context_slot, .. } = config.account_config;
    let slot = context_slot(services, min_context_slot)?;
    let encoding = encoding.unwrap_or(UiAccountEncoding::Binary);
    // Pointers only: the lock is not held while the answer is encoded.
    let found: Vec<(Address, AccountSharedData)> = services
        .shared
        .view()
        .accounts
        .owned_by(&program)
        .filter(|(_, account)| filters.iter().all(|filter| matches(filter, account)))
        .map(|(address, account)| (*address, account.clone()))
        .collect();
    let rows = encode_all(services, found, encoding, data_slice)?;
    to_json(&if config.with_context.unwrap_or(false) {
        OptionalContext::Context(Response { context: RpcResponseContext::new(slot), value: rows })
    } else {
        OptionalContext::NoContext(rows)
    })
}

fn get_minimum_balance(params: &Params) -> Result<Value, RpcError> {
    let bytes: u64 = params.required(0)?;
    if bytes > ACCOUNT_DATA_MAX {
        return Err(RpcError::invalid_params(format!(
            "an account holds at most {ACCOUNT_DATA_MAX} bytes"
        )));
    }
    Ok(((RENT_OVERHEAD_BYTES + bytes) * RENT_LAMPORTS_PER_BYTE).into())
}

/// Encodes what a scan found, within the bound of one answer.
pub(super) fn encode_all(
    services: &Services,
    found: Vec<(Address, AccountSharedData)>,
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
) -> Result<Vec<RpcKeyedAccount>, RpcError> {
    let bytes = answer_bytes(found.iter().map(|(_, account)| account), slice);
    if bytes > PROGRAM_ACCOUNTS_BYTES_MAX {
        return Err(RpcError::invalid_request(format!(
            "the answer would hold {bytes} bytes; max {PROGRAM_ACCOUNTS_BYTES_MAX}: use filters or \
             dataSlice"
        )));
    }
    let lookup = |key: &Address| services.shared.view().accounts.get(key).cloned();
    found
        .into_iter()
        .map(|(address, account)| {
            let account = encode_with(&address, &account, encoding, slice, lookup)?;
            Ok(RpcKeyedAccount { pubkey: address.to_string(), account })
        })
        .collect()
}

/// What an answer with these accounts holds: their data, and what stands around each.
fn answer_bytes<'a>(
    accounts: impl Iterator<Item = &'a AccountSharedData>,
    slice: Option<UiDataSliceConfig>,
) -> usize {
    accounts.map(|account| shown_bytes(account, slice) + PROGRAM_ACCOUNT_ROW_BYTES).sum()
}

fn shown_bytes(account: &AccountSharedData, slice: Option<UiDataSliceConfig>) -> usize {
    let all = account.data().len();
    slice.map_or(all, |slice| slice.length.min(all.saturating_sub(slice.offset)))
}

/// Bounds and verifies what a client filters by.
pub(crate) fn check_filters(
    filters: Option<Vec<RpcFilterType>>,
) -> Result<Vec<RpcFilterType>, RpcError> {
    let filters = filters.unwrap_or_default();
    if filters.len() > PROGRAM_ACCOUNTS_FILTERS_MAX {
        return Err(RpcError::invalid_params(format!(
            "Too many filters provided; max {PROGRAM_ACCOUNTS_FILTERS_MAX}"
        )));
    }
    for filter in &filters {
        filter
            .verify()
            .map_err(|error| RpcError::invalid_params(format!("Invalid param: {error}")))?;
    }
    Ok(filters)
}

/// Whether an account passes a filter.
pub(crate) fn matches(filter: &RpcFilterType, account: &AccountSharedData) -> bool {
    match filter {
        RpcFilterType::DataSize(bytes) => account.data().len() as u64 == *bytes,
        RpcFilterType::Memcmp(compare) => compare.bytes_match(account.data()),
        RpcFilterType::TokenAccountState => tokens::token_account(account).is_some(),
    }
}

/// An account in the encoding that the client asked for.
pub(crate) fn encode_account(
    address: &Address,
    account: &AccountSharedData,
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
    accounts: &Accounts,
) -> Result<UiAccount, RpcError> {
    encode_with(address, account, encoding, slice, |key| accounts.get(key).cloned())
}

fn encode_with(
    address: &Address,
    account: &AccountSharedData,
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
    lookup: impl Fn(&Address) -> Option<AccountSharedData>,
) -> Result<UiAccount, RpcError> {
    let base58 = matches!(encoding, UiAccountEncoding::Binary | UiAccountEncoding::Base58);
    if base58 && shown_bytes(account, slice) > BASE58_DATA_MAX {
        return Err(RpcError::invalid_request(
            "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 \
             encoding.",
        ));
    }
    let additional = match encoding {
        UiAccountEncoding::JsonParsed => tokens::decoder_data(account, lookup),
        UiAccountEncoding::Binary
        | UiAccountEncoding::Base58
        | UiAccountEncoding::Base64
        | UiAccountEncoding::Base64Zstd => None,
    };
    Ok(encode_ui_account(address, account, encoding, additional, slice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_slice_of_very_many_accounts_is_still_bounded() {
        let account = AccountSharedData::new(1, 464, &Address::new_unique());
        let (offset, length) = (0, 0);
        let none = Some(UiDataSliceConfig { offset, length });
        let size = |count: usize| answer_bytes(std::iter::repeat_n(&account, count), none);
        assert!(size(1_000) < PROGRAM_ACCOUNTS_BYTES_MAX);
        assert!(size(1_000_000) > PROGRAM_ACCOUNTS_BYTES_MAX);
        assert_eq!(answer_bytes([&account].into_iter(), None), 464 + PROGRAM_ACCOUNT_ROW_BYTES);
        let far = Some(UiDataSliceConfig { offset: 460, length: usize::MAX });
        assert_eq!(answer_bytes([&account].into_iter(), far), 4 + PROGRAM_ACCOUNT_ROW_BYTES);
    }
}
