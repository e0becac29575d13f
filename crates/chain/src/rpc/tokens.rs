//! SPL token accounts and mints.

use serde_json::Value;
use solana_account::{AccountSharedData, ReadableAccount};
use solana_account_decoder::UiAccountEncoding;
use solana_address::Address;
use solana_rpc_client_types::config::{RpcAccountInfoConfig, RpcTokenAccountsFilter};
use solana_rpc_client_types::response::RpcTokenAccountBalance;

use super::accounts::encode_all;
use super::{Params, RpcError, context_slot, params, with_context};
use crate::chain::Services;
use crate::tokens::{self, TOKEN, TOKEN_2022};

/// Accounts in a `getTokenLargestAccounts`, as on Solana.
const LARGEST: usize = 20;

pub(super) fn call(
    services: &Services,
    method: &str,
    params: &Params,
) -> Option<Result<Value, RpcError>> {
    Some(match method {
        "getTokenAccountBalance" => get_balance(services, params),
        "getTokenSupply" => get_supply(services, params),
        "getTokenAccountsByOwner" => get_accounts(services, params),
        "getTokenLargestAccounts" => get_largest(services, params),
        _ => return None,
    })
}

fn get_balance(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let address = params.address(0)?;
    let view = services.shared.view();
    let Some(account) = view.accounts.get(&address) else {
        return Err(RpcError::invalid_params("Invalid param: could not find account"));
    };
    let token = tokens::token_account(account)
        .ok_or_else(|| RpcError::invalid_params("Invalid param: not a Token account"))?;
    let mint = view
        .accounts
        .get(&token.mint)
        .and_then(tokens::mint)
        .ok_or_else(|| RpcError::invalid_params("Invalid param: could not find mint"))?;
    with_context(view.slot, tokens::ui_amount(token.amount, mint.decimals))
}

fn get_supply(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let address = params.address(0)?;
    let view = services.shared.view();
    let Some(account) = view.accounts.get(&address) else {
        return Err(RpcError::invalid_params("Invalid param: could not find account"));
    };
    let mint = tokens::mint(account)
        .ok_or_else(|| RpcError::invalid_params("Invalid param: not a Token mint"))?;
    with_context(view.slot, tokens::ui_amount(mint.supply, mint.decimals))
}

fn get_accounts(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let owner = params.address(0)?;
    let filter: RpcTokenAccountsFilter = params.required(1)?;
    let config: RpcAccountInfoConfig = params.optional(2)?;
    let slot = context_slot(services, config.min_context_slot)?;
    let view = services.shared.view();
    let (program, mint) = match filter {
        RpcTokenAccountsFilter::ProgramId(program) => (params::address(&program)?, None),
        RpcTokenAccountsFilter::Mint(mint) => {
            let mint = params::address(&mint)?;
            let account =
                view.accounts.get(&mint).filter(|account| tokens::mint(account).is_some());
            let account = account
                .ok_or_else(|| RpcError::invalid_params("Invalid param: could not find mint"))?;
            (*account.owner(), Some(mint))
        }
    };
    if !tokens::is_token_program(&program) {
        return Err(RpcError::invalid_params("Invalid param: unrecognized Token program id"));
    }
    // Pointers only: the lock is not held while the answer is encoded.
    let found: Vec<(Address, AccountSharedData)> = view
        .accounts
        .owned_by(&program)
        .filter(|(_, account)| {
            tokens::token_account(account).is_some_and(|token| {
                token.owner == owner && mint.is_none_or(|mint| mint == token.mint)
            })
        })
        .map(|(address, account)| (*address, account.clone()))
        .collect();
    drop(view);
    let encoding = config.encoding.unwrap_or(UiAccountEncoding::Binary);
    with_context(slot, encode_all(services, found, encoding, config.data_slice)?)
}

fn get_largest(services: &Services, params: &Params) -> Result<Value, RpcError> {
    let mint_address = params.address(0)?;
    let view = services.shared.view();
    let mint = view
        .accounts
        .get(&mint_address)
        .and_then(tokens::mint)
        .ok_or_else(|| RpcError::invalid_params("Invalid param: could not find mint"))?;
    let mut found: Vec<(u64, Address)> = [TOKEN, TOKEN_2022]
        .iter()
        .flat_map(|program| view.accounts.owned_by(program))
        .filter_map(|(address, account): (&Address, &AccountSharedData)| {
            let token = tokens::token_account(account)?;
            (token.mint == mint_address).then_some((token.amount, *address))
        })
        .collect();
    // Largest first; equal ones in order of address, so that answers repeat.
    found.sort_by_key(|(amount, address)| (std::cmp::Reverse(*amount), *address));
    found.truncate(LARGEST);
    let rows: Vec<RpcTokenAccountBalance> = found
        .into_iter()
        .map(|(amount, address)| RpcTokenAccountBalance {
            address: address.to_string(),
            amount: tokens::ui_amount(amount, mint.decimals),
        })
        .collect();
    with_context(view.slot, rows)
}
