//! Reading SPL token accounts, for balances in transaction records and token methods.

use solana_account::{AccountSharedData, ReadableAccount};
use solana_account_decoder::parse_account_data::{
    AccountAdditionalDataV3, SplTokenAdditionalDataV2,
};
use solana_account_decoder::parse_token::token_amount_to_ui_amount_v3;
use solana_address::{Address, address};
use solana_transaction_status_client_types::{
    UiTransactionTokenBalance, option_serializer::OptionSerializer,
};

/// The SPL token program.
pub(crate) const TOKEN: Address = address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// The Token-2022 program.
pub(crate) const TOKEN_2022: Address = address!("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");

// Layouts of spl-token, which Token-2022 begins with: an account is 165 bytes (mint, owner,
// amount, ...), a mint 82 (authority, supply, decimals, initialized, ...). With extensions the
// byte after an account's 165 says which of the two it is.
const ACCOUNT_BYTES: usize = 165;
const ACCOUNT_STATE: usize = 108;
const MINT_BYTES: usize = 82;
const MINT_SUPPLY: usize = 36;
const MINT_DECIMALS: usize = 44;
const MINT_INITIALIZED: usize = 45;
const KIND_MINT: u8 = 1;
const KIND_ACCOUNT: u8 = 2;

/// What a token account holds.
pub(crate) struct TokenAccount {
    pub(crate) mint: Address,
    pub(crate) owner: Address,
    pub(crate) amount: u64,
}

/// A token's mint.
pub(crate) struct Mint {
    pub(crate) supply: u64,
    pub(crate) decimals: u8,
}

pub(crate) fn is_token_program(program: &Address) -> bool {
    *program == TOKEN || *program == TOKEN_2022
}

/// True if the bytes after the basic layout say `kind`, or there are none and `bare` fits.
fn is_kind(account: &AccountSharedData, bare: usize, kind: u8) -> bool {
    let data = account.data();
    data.len() == bare
        || (*account.owner() == TOKEN_2022 && data.get(ACCOUNT_BYTES).is_some_and(|k| *k == kind))
}

fn address_at(data: &[u8], at: usize) -> Option<Address> {
    let bytes: [u8; 32] = data.get(at..at.checked_add(32)?)?.try_into().ok()?;
    Some(Address::from(bytes))
}

fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; 8] = data.get(at..at.checked_add(8)?)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// The token account in `account`, if it is an initialized one of a token program.
pub(crate) fn token_account(account: &AccountSharedData) -> Option<TokenAccount> {
    let data = account.data();
    let initialized = data.get(ACCOUNT_STATE).is_some_and(|state| *state != 0);
    if !is_token_program(account.owner())
        || !initialized
        || !is_kind(account, ACCOUNT_BYTES, KIND_ACCOUNT)
    {
        return None;
    }
    Some(TokenAccount {
        mint: address_at(data, 0)?,
        owner: address_at(data, 32)?,
        amount: u64_at(data, 64)?,
    })
}

/// The mint in `account`, if it is an initialized one of a token program.
pub(crate) fn mint(account: &AccountSharedData) -> Option<Mint> {
    let data = account.data();
    let initialized = data.get(MINT_INITIALIZED).is_some_and(|flag| *flag == 1);
    if !is_token_program(account.owner())
        || !initialized
        || !is_kind(account, MINT_BYTES, KIND_MINT)
    {
        return None;
    }
    Some(Mint { supply: u64_at(data, MINT_SUPPLY)?, decimals: *data.get(MINT_DECIMALS)? })
}

/// The text form of an amount.
pub(crate) fn ui_amount(
    amount: u64,
    decimals: u8,
) -> solana_rpc_client_types::response::UiTokenAmount {
    token_amount_to_ui_amount_v3(amount, &SplTokenAdditionalDataV2::with_decimals(decimals))
}

/// What the account decoder needs to know of the mint to print a token account.
pub(crate) fn decoder_data(
    account: &AccountSharedData,
    lookup: impl Fn(&Address) -> Option<AccountSharedData>,
) -> Option<AccountAdditionalDataV3> {
    let token = token_account(account)?;
    let decimals = mint(&lookup(&token.mint)?)?.decimals;
    Some(AccountAdditionalDataV3 {
        spl_token_additional_data: Some(SplTokenAdditionalDataV2::with_decimals(decimals)),
    })
}

/// Token balances of a transaction's accounts, as they stand in `lookup`.
pub(crate) fn balances<'a>(
    keys: impl Iterator<Item = &'a Address>,
    lookup: impl Fn(&Address) -> Option<AccountSharedData>,
) -> Vec<UiTransactionTokenBalance> {
    let mut rows = Vec::new();
    for (index, key) in keys.enumerate() {
        let (Ok(account_index), Some(account)) = (u8::try_from(index), lookup(key)) else {
            continue;
        };
        let Some(token) = token_account(&account) else { continue };
        let Some(mint) = lookup(&token.mint).as_ref().and_then(mint) else { continue };
        rows.push(UiTransactionTokenBalance {
            account_index,
            mint: token.mint.to_string(),
            ui_token_amount: ui_amount(token.amount, mint.decimals),
            owner: OptionSerializer::Some(token.owner.to_string()),
            program_id: OptionSerializer::Some(account.owner().to_string()),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use solana_account::WritableAccount;

    use super::*;

    fn account(owner: Address, data: Vec<u8>) -> AccountSharedData {
        let mut account = AccountSharedData::new(1, data.len(), &owner);
        account.data_as_mut_slice().copy_from_slice(&data);
        account
    }

    #[test]
    fn short_foreign_and_uninitialized_data_is_not_a_token_account() {
        let mut data = vec![0; ACCOUNT_BYTES];
        assert!(token_account(&account(TOKEN, data.clone())).is_none());
        data[ACCOUNT_STATE] = 1;
        data[64..72].copy_from_slice(&77u64.to_le_bytes());
        assert_eq!(token_account(&account(TOKEN, data.clone())).map(|t| t.amount), Some(77));
        assert!(token_account(&account(Address::new_unique(), data.clone())).is_none());
        assert!(token_account(&account(TOKEN, data[..100].to_vec())).is_none());
        assert!(mint(&account(TOKEN, data)).is_none());
    }

    #[test]
    fn extended_accounts_are_told_from_extended_mints() {
        let mut data = vec![0; 200];
        data[ACCOUNT_STATE] = 1;
        data[MINT_INITIALIZED] = 1;
        data[ACCOUNT_BYTES] = KIND_ACCOUNT;
        assert!(token_account(&account(TOKEN_2022, data.clone())).is_some());
        assert!(mint(&account(TOKEN_2022, data.clone())).is_none());
        data[ACCOUNT_BYTES] = KIND_MINT;
        assert!(token_account(&account(TOKEN_2022, data.clone())).is_none());
        assert!(mint(&account(TOKEN_2022, data)).is_some());
    }
}
