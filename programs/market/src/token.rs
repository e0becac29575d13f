//! Reading SPL Token's accounts. Only SPL Token's own are taken: 165 bytes for a token account,
//! 82 for a mint. Token-2022 has another program id.

use crate::access::{Outcome, is_at, writable};
use crate::cpi;
use ionet_market_interface::account::Lease;
use ionet_market_interface::{Address as Key, BaseUnits, MarketError, TOKEN_PROGRAM};
use pinocchio::{AccountView, Address};

const TOKEN: Address = Address::new_from_array(TOKEN_PROGRAM);

/// What of a token account matters here.
pub(crate) struct TokenAccount {
    mint: Key,
    owner: Key,
    pub(crate) amount: BaseUnits,
    usable: bool,
    /// Someone besides the owner could move or close it.
    shared: bool,
}

fn read(account: &AccountView) -> Result<TokenAccount, MarketError> {
    if !account.owned_by(&TOKEN) {
        return Err(MarketError::BadTokenAccount);
    }
    let data = account.try_borrow().map_err(|_| MarketError::BadTokenAccount)?;
    let Some(bytes) = data.first_chunk::<165>() else {
        return Err(MarketError::BadTokenAccount);
    };
    if data.len() != 165 {
        return Err(MarketError::BadTokenAccount);
    }
    let (mut mint, mut owner, mut amount) = ([0; 32], [0; 32], [0; 8]);
    mint.copy_from_slice(&bytes[..32]);
    owner.copy_from_slice(&bytes[32..64]);
    amount.copy_from_slice(&bytes[64..72]);
    Ok(TokenAccount {
        mint,
        owner,
        amount: BaseUnits(u64::from_le_bytes(amount)),
        usable: bytes[108] == 1,                   // initialized, not frozen
        shared: bytes[72] != 0 || bytes[129] != 0, // delegate, close authority
    })
}

/// A mint of SPL Token that is initialized.
pub(crate) fn is_mint(account: &AccountView) -> Outcome {
    if !account.owned_by(&TOKEN) {
        return Err(MarketError::WrongMint);
    }
    let data = account.try_borrow().map_err(|_| MarketError::WrongMint)?;
    if data.len() == 82 && data[45] == 1 { Ok(()) } else { Err(MarketError::WrongMint) }
}

/// A token account that holds at least `amount` of `mint`.
pub(crate) fn is_source(account: &AccountView, mint: &Key, amount: BaseUnits) -> Outcome {
    writable(account)?;
    let token = read(account)?;
    if token.mint != *mint {
        return Err(MarketError::WrongMint);
    }
    if !token.usable {
        return Err(MarketError::BadTokenAccount);
    }
    if token.amount < amount { Err(MarketError::InsufficientFunds) } else { Ok(()) }
}

/// A token account of `owner` that can take the lease's mint; not the vault itself.
pub(crate) fn is_destination(account: &AccountView, lease: &Lease, owner: &Key) -> Outcome {
    writable(account)?;
    if account.address().as_array() == &lease.vault {
        return Err(MarketError::WrongAddress);
    }
    let token = read(account)?;
    if token.mint != lease.mint {
        return Err(MarketError::WrongMint);
    }
    if token.owner != *owner {
        return Err(MarketError::WrongTokenOwner);
    }
    if token.usable { Ok(()) } else { Err(MarketError::BadTokenAccount) }
}

/// The lease's vault as it was made, with SPL Token beside it.
pub(crate) fn vault(
    account: &AccountView,
    record: &Lease,
    lease: &AccountView,
    token_program: &AccountView,
) -> Result<TokenAccount, MarketError> {
    cpi::is_token_program(token_program)?;
    writable(account)?;
    is_at(account, &record.vault)?;
    let token = read(account)?;
    if token.mint != record.mint || token.owner != *lease.address().as_array() || token.shared {
        return Err(MarketError::TamperedVault);
    }
    Ok(token)
}
