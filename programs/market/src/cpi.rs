//! Calls to the system program and to SPL Token, and nothing else.

use crate::access::{Outcome, key, signs, writable};
use ionet_market_interface::account::Lease;
use ionet_market_interface::{BaseUnits, MarketError, SYSTEM_PROGRAM, TOKEN_PROGRAM, seeds};
use pinocchio::cpi::{Seed, Signer, invoke_signed};
use pinocchio::instruction::{InstructionAccount, InstructionView};
use pinocchio::sysvars::{Sysvar, rent::Rent};
use pinocchio::{AccountView, Address, ProgramResult};

const SYSTEM: Address = Address::new_from_array(SYSTEM_PROGRAM);
const TOKEN: Address = Address::new_from_array(TOKEN_PROGRAM);

/// A failed call ends the whole transaction before it returns here.
fn done(result: ProgramResult) -> Outcome {
    result.map_err(|_| MarketError::BadTokenAccount)
}

/// The account is SPL Token itself: Token-2022 or an impostor is refused.
pub(crate) fn is_token_program(account: &AccountView) -> Outcome {
    if *key(account) == TOKEN_PROGRAM { Ok(()) } else { Err(MarketError::WrongTokenProgram) }
}

/// Whether the account is still nobody's. Lamports that someone sent there do not matter.
pub(crate) fn is_unused(account: &AccountView) -> bool {
    account.owned_by(&SYSTEM) && account.is_data_empty()
}

/// An account to be made. (A struct: a call has five registers for its arguments.)
pub(crate) struct New<'a> {
    pub(crate) payer: &'a AccountView,
    pub(crate) account: &'a AccountView,
    pub(crate) space: usize,
    pub(crate) owner: &'a Address,
    /// Seeds of its address, the bump last.
    pub(crate) seeds: &'a [Seed<'a>],
}

/// Makes a zeroed account. The runtime refuses seeds that do not give its address, as long as
/// nobody holds the address's key: an account that signs by itself needs no seeds. So such a one
/// is refused, else a renter could open a lease at a key of its own, and sign for the vault.
#[inline(never)]
pub(crate) fn create(new: &New) -> Outcome {
    let New { payer, account, space, owner, seeds } = *new;
    signs(payer)?;
    writable(payer)?;
    writable(account)?;
    if !is_unused(account) {
        return Err(MarketError::AlreadyExists);
    }
    if account.is_signer() {
        return Err(MarketError::WrongAddress);
    }
    let rent = Rent::get().map_err(|_| MarketError::BadSysvar)?;
    let rent = rent.try_minimum_balance(space).map_err(|_| MarketError::BadSysvar)?;
    let signer = [Signer::from(seeds)];
    if account.lamports() == 0 {
        let mut data = [0u8; 52]; // CreateAccount = 0
        data[4..12].copy_from_slice(&rent.to_le_bytes());
        data[12..20].copy_from_slice(&(space as u64).to_le_bytes());
        data[20..52].copy_from_slice(owner.as_array());
        let metas = [
            InstructionAccount::writable_signer(payer.address()),
            InstructionAccount::writable_signer(account.address()),
        ];
        let call = InstructionView { program_id: &SYSTEM, data: &data, accounts: &metas };
        return done(invoke_signed(&call, &[payer, account], &signer));
    }
    // Someone sent lamports before us: CreateAccount would refuse, these three do not.
    let missing = rent.saturating_sub(account.lamports());
    if missing > 0 {
        let mut data = [0u8; 12];
        data[0] = 2; // Transfer
        data[4..].copy_from_slice(&missing.to_le_bytes());
        let metas = [
            InstructionAccount::writable_signer(payer.address()),
            InstructionAccount::writable(account.address()),
        ];
        let call = InstructionView { program_id: &SYSTEM, data: &data, accounts: &metas };
        done(invoke_signed(&call, &[payer, account], &[]))?;
    }
    let metas = [InstructionAccount::writable_signer(account.address())];
    let mut data = [0u8; 12];
    data[0] = 8; // Allocate
    data[4..].copy_from_slice(&(space as u64).to_le_bytes());
    let call = InstructionView { program_id: &SYSTEM, data: &data, accounts: &metas };
    done(invoke_signed(&call, &[account], &signer))?;
    let mut data = [0u8; 36];
    data[0] = 1; // Assign
    data[4..].copy_from_slice(owner.as_array());
    let call = InstructionView { program_id: &SYSTEM, data: &data, accounts: &metas };
    done(invoke_signed(&call, &[account], &signer))
}

/// Makes a token account of 165 zeroed bytes the vault of `lease`.
#[inline(never)]
pub(crate) fn initialize_vault(
    vault: &AccountView,
    mint: &AccountView,
    lease: &Address,
) -> Outcome {
    let mut data = [0u8; 33];
    data[0] = 18; // InitializeAccount3
    data[1..].copy_from_slice(lease.as_array());
    let metas = [
        InstructionAccount::writable(vault.address()),
        InstructionAccount::readonly(mint.address()),
    ];
    let call = InstructionView { program_id: &TOKEN, data: &data, accounts: &metas };
    done(invoke_signed(&call, &[vault, mint], &[]))
}

#[inline(always)]
fn transfer(
    from: &AccountView,
    to: &AccountView,
    authority: &AccountView,
    amount: BaseUnits,
    signers: &[Signer],
) -> Outcome {
    let mut data = [0u8; 9];
    data[0] = 3; // Transfer
    data[1..].copy_from_slice(&amount.0.to_le_bytes());
    let metas = [
        InstructionAccount::writable(from.address()),
        InstructionAccount::writable(to.address()),
        InstructionAccount::readonly_signer(authority.address()),
    ];
    let call = InstructionView { program_id: &TOKEN, data: &data, accounts: &metas };
    done(invoke_signed(&call, &[from, to, authority], signers))
}

/// Moves tokens into a vault, on the authority of whoever signed the transaction.
#[inline(never)]
pub(crate) fn pay_in(
    from: &AccountView,
    vault: &AccountView,
    authority: &AccountView,
    amount: BaseUnits,
) -> Outcome {
    transfer(from, vault, authority, amount, &[])
}

/// Moves tokens out of the vault of `lease`, on the lease's own authority.
#[inline(never)]
pub(crate) fn pay_out(
    record: &Lease,
    lease: &AccountView,
    vault: &AccountView,
    to: &AccountView,
    amount: BaseUnits,
) -> Outcome {
    let (counter, bump) = (seeds::number(record.counter), [record.bump]);
    let seeds = lease_seeds(record, &counter, &bump);
    transfer(vault, to, lease, amount, &[Signer::from(&seeds)])
}

/// Closes the empty vault of `lease`; its rent goes to `to`.
#[inline(never)]
pub(crate) fn close_vault(
    record: &Lease,
    lease: &AccountView,
    vault: &AccountView,
    to: &AccountView,
) -> Outcome {
    let (counter, bump) = (seeds::number(record.counter), [record.bump]);
    let seeds = lease_seeds(record, &counter, &bump);
    let metas = [
        InstructionAccount::writable(vault.address()),
        InstructionAccount::writable(to.address()),
        InstructionAccount::readonly_signer(lease.address()),
    ];
    let data = [9]; // CloseAccount
    let call = InstructionView { program_id: &TOKEN, data: &data, accounts: &metas };
    done(invoke_signed(&call, &[vault, to, lease], &[Signer::from(&seeds)]))
}

fn lease_seeds<'a>(record: &'a Lease, counter: &'a [u8; 8], bump: &'a [u8; 1]) -> [Seed<'a>; 4] {
    [Seed::from(seeds::LEASE), Seed::from(&record.renter), Seed::from(counter), Seed::from(bump)]
}

/// The account is at the canonical address of `seeds`. Returns its bump. Needed where a second
/// address for the same thing would do harm.
#[inline(never)]
pub(crate) fn is_canonical(
    program: &Address,
    account: &AccountView,
    seeds: &[&[u8]],
) -> Result<u8, MarketError> {
    let (address, bump) = Address::find_program_address(seeds, program);
    if address == *account.address() { Ok(bump) } else { Err(MarketError::WrongAddress) }
}
