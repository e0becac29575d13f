//! SPL Token, as bytes: the suite needs a handful of its instructions and two layouts.

use crate::Key;
use ionet_market_interface::TOKEN_PROGRAM;
use litesvm::LiteSVM;
use solana_account::Account;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Token-2022, which the program must not take for SPL Token.
pub const TOKEN_2022: Key = [
    0x06, 0xdd, 0xf6, 0xe1, 0xee, 0x75, 0x8f, 0xde, 0x18, 0x42, 0x5d, 0xbc, 0xe4, 0x6c, 0xcd, 0xda,
    0xb6, 0x1a, 0xfc, 0x4d, 0x83, 0xb9, 0x0d, 0x27, 0xfe, 0xbd, 0xf9, 0x28, 0xd8, 0xa1, 0x8b, 0xfc,
];

const ACCOUNT_LEN: usize = 165;
const MINT_LEN: usize = 82;
const RENT: u64 = 10_000_000;

/// What a token account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The token.
    pub mint: Key,
    /// Who may spend.
    pub owner: Key,
    /// Base units.
    pub amount: u64,
}

fn at(address: &Key) -> Address {
    Address::from(*address)
}

fn key(bytes: &[u8]) -> Key {
    bytes.try_into().expect("32 bytes")
}

/// Writes a mint with six decimals and a freeze authority.
pub(crate) fn make_mint(svm: &mut LiteSVM, mint: Key, authority: Key) {
    let mut data = vec![0; MINT_LEN];
    data[0] = 1;
    data[4..36].copy_from_slice(&authority);
    data[36..44].copy_from_slice(&(u64::MAX).to_le_bytes());
    data[44] = 6;
    data[45] = 1;
    data[46] = 1;
    data[50..82].copy_from_slice(&authority);
    put(svm, mint, data, TOKEN_PROGRAM);
}

/// Writes a token account.
pub(crate) fn make_account(svm: &mut LiteSVM, address: Key, mint: Key, owner: Key, amount: u64) {
    let mut data = vec![0; ACCOUNT_LEN];
    data[..32].copy_from_slice(&mint);
    data[32..64].copy_from_slice(&owner);
    data[64..72].copy_from_slice(&amount.to_le_bytes());
    data[108] = 1;
    put(svm, address, data, TOKEN_PROGRAM);
}

pub(crate) fn put(svm: &mut LiteSVM, address: Key, data: Vec<u8>, owner: Key) {
    let account = Account { lamports: RENT, data, owner: at(&owner), ..Account::default() };
    svm.set_account(at(&address), account).expect("an account");
}

/// What these bytes hold, if they are a token account.
pub(crate) fn read(account: &[u8]) -> Option<Allowed> {
    if account.len() != ACCOUNT_LEN || account[108] == 0 {
        return None;
    }
    let amount = u64::from_le_bytes(account[64..72].try_into().expect("8 bytes"));
    Some(Allowed { mint: key(&account[..32]), owner: key(&account[32..64]), amount })
}

/// The token account at this address. Panics when there is none.
#[track_caller]
pub fn token_account(svm: &LiteSVM, address: &Key) -> Allowed {
    let account = svm.get_account(&at(address)).expect("a token account");
    read(&account.data).expect("a token account")
}

fn change(svm: &mut LiteSVM, address: &Key, change: impl FnOnce(&mut [u8])) {
    let mut account = svm.get_account(&at(address)).expect("a token account");
    change(&mut account.data);
    svm.set_account(at(address), account).expect("a token account");
}

/// Overwrites a balance.
pub fn set_balance(svm: &mut LiteSVM, address: &Key, amount: u64) {
    change(svm, address, |data| data[64..72].copy_from_slice(&amount.to_le_bytes()));
}

/// Freezes a token account.
pub fn freeze(svm: &mut LiteSVM, address: &Key) {
    change(svm, address, |data| data[108] = 2);
}

/// Thaws a token account.
pub fn thaw(svm: &mut LiteSVM, address: &Key) {
    change(svm, address, |data| data[108] = 1);
}

/// Gives an account a delegate, as if its owner had.
pub fn delegate(svm: &mut LiteSVM, address: &Key, to: &Key, amount: u64) {
    change(svm, address, |data| {
        data[72] = 1;
        data[76..108].copy_from_slice(to);
        data[121..129].copy_from_slice(&amount.to_le_bytes());
    });
}

/// Gives an account a close authority, as if its owner had.
pub fn set_close_authority(svm: &mut LiteSVM, address: &Key, to: &Key) {
    change(svm, address, |data| {
        data[129] = 1;
        data[133..165].copy_from_slice(to);
    });
}

fn token_instruction(tag: u8, amount: u64, accounts: Vec<AccountMeta>) -> Instruction {
    let mut data = vec![tag];
    data.extend(amount.to_le_bytes());
    Instruction { program_id: at(&TOKEN_PROGRAM), accounts, data }
}

/// A plain transfer.
pub fn transfer(from: &Key, to: &Key, owner: &Key, amount: u64) -> Instruction {
    let accounts = vec![
        AccountMeta::new(at(from), false),
        AccountMeta::new(at(to), false),
        AccountMeta::new_readonly(at(owner), true),
    ];
    token_instruction(3, amount, accounts)
}

/// Lets `delegate` spend up to `amount`.
pub fn approve(source: &Key, delegate: &Key, owner: &Key, amount: u64) -> Instruction {
    let accounts = vec![
        AccountMeta::new(at(source), false),
        AccountMeta::new_readonly(at(delegate), false),
        AccountMeta::new_readonly(at(owner), true),
    ];
    token_instruction(4, amount, accounts)
}
