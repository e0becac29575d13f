//! The few instructions of SPL Token and its associated accounts that the market needs.
//!
//! Written out here because the published interface crate still speaks an older address type;
//! each is a tag byte and a few integers. Source: the token program's `TokenInstruction`.

use solana_address::{Address, address};
use solana_instruction::{AccountMeta, Instruction};

/// SPL Token.
pub const TOKEN_PROGRAM: Address = address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// Associated token accounts.
pub const ATA_PROGRAM: Address = address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
/// The system program.
pub const SYSTEM_PROGRAM: Address = address!("11111111111111111111111111111111");
/// Bytes of a mint account.
pub const MINT_BYTES: u64 = 82;
/// Bytes of a token account.
pub const TOKEN_ACCOUNT_BYTES: usize = 165;

/// The account that holds `owner`'s tokens of `mint`, by convention.
pub fn associated_account(owner: &Address, mint: &Address) -> Address {
    let seeds = [owner.as_ref(), TOKEN_PROGRAM.as_ref(), mint.as_ref()];
    Address::find_program_address(&seeds, &ATA_PROGRAM).0
}

/// Makes `owner`'s associated account for `mint` if it is not there; `payer` pays its rent.
pub fn create_associated_account(payer: &Address, owner: &Address, mint: &Address) -> Instruction {
    let accounts = vec![
        AccountMeta::new(*payer, true),
        AccountMeta::new(associated_account(owner, mint), false),
        AccountMeta::new_readonly(*owner, false),
        AccountMeta::new_readonly(*mint, false),
        AccountMeta::new_readonly(SYSTEM_PROGRAM, false),
        AccountMeta::new_readonly(TOKEN_PROGRAM, false),
    ];
    const CREATE_IDEMPOTENT: u8 = 1;
    Instruction { program_id: ATA_PROGRAM, accounts, data: vec![CREATE_IDEMPOTENT] }
}

/// Makes `mint` (an account of [`MINT_BYTES`] owned by the token program) a mint without a
/// freeze authority.
pub fn initialize_mint(mint: &Address, authority: &Address, decimals: u8) -> Instruction {
    const INITIALIZE_MINT_2: u8 = 20;
    let data = [&[INITIALIZE_MINT_2, decimals], authority.as_ref(), &[0]].concat();
    let accounts = vec![AccountMeta::new(*mint, false)];
    Instruction { program_id: TOKEN_PROGRAM, accounts, data }
}

/// Makes `amount` new base units in `account`.
pub fn mint_to(mint: &Address, account: &Address, authority: &Address, amount: u64) -> Instruction {
    const MINT_TO: u8 = 7;
    let accounts = vec![
        AccountMeta::new(*mint, false),
        AccountMeta::new(*account, false),
        AccountMeta::new_readonly(*authority, true),
    ];
    let data = [&[MINT_TO][..], &amount.to_le_bytes()].concat();
    Instruction { program_id: TOKEN_PROGRAM, accounts, data }
}

/// Moves `amount` base units from `owner`'s account to another.
pub fn transfer_checked(
    from: &Address,
    mint: &Address,
    to: &Address,
    owner: &Address,
    amount: u64,
    decimals: u8,
) -> Instruction {
    const TRANSFER_CHECKED: u8 = 12;
    let accounts = vec![
        AccountMeta::new(*from, false),
        AccountMeta::new_readonly(*mint, false),
        AccountMeta::new(*to, false),
        AccountMeta::new_readonly(*owner, true),
    ];
    let data = [&[TRANSFER_CHECKED][..], &amount.to_le_bytes(), &[decimals]].concat();
    Instruction { program_id: TOKEN_PROGRAM, accounts, data }
}

/// Lets `delegate` move up to `amount` base units of `owner`'s account: one delegate at a time, so
/// another one before it is replaced.
pub fn approve(account: &Address, delegate: &Address, owner: &Address, amount: u64) -> Instruction {
    const APPROVE: u8 = 4;
    let accounts = vec![
        AccountMeta::new(*account, false),
        AccountMeta::new_readonly(*delegate, false),
        AccountMeta::new_readonly(*owner, true),
    ];
    let data = [&[APPROVE][..], &amount.to_le_bytes()].concat();
    Instruction { program_id: TOKEN_PROGRAM, accounts, data }
}

/// Takes that leave back from whoever has it.
pub fn revoke(account: &Address, owner: &Address) -> Instruction {
    const REVOKE: u8 = 5;
    let accounts = vec![AccountMeta::new(*account, false), AccountMeta::new_readonly(*owner, true)];
    Instruction { program_id: TOKEN_PROGRAM, accounts, data: vec![REVOKE] }
}

/// Moves lamports.
pub fn transfer_lamports(from: &Address, to: &Address, lamports: u64) -> Instruction {
    const TRANSFER: u32 = 2;
    let accounts = vec![AccountMeta::new(*from, true), AccountMeta::new(*to, false)];
    let data = [&TRANSFER.to_le_bytes()[..], &lamports.to_le_bytes()].concat();
    Instruction { program_id: SYSTEM_PROGRAM, accounts, data }
}

/// Makes an account of `space` bytes owned by `owner`. Both `payer` and `account` sign.
pub fn create_account(
    payer: &Address,
    account: &Address,
    lamports: u64,
    space: u64,
    owner: &Address,
) -> Instruction {
    const CREATE_ACCOUNT: u32 = 0;
    let accounts = vec![AccountMeta::new(*payer, true), AccountMeta::new(*account, true)];
    let data = [
        &CREATE_ACCOUNT.to_le_bytes()[..],
        &lamports.to_le_bytes(),
        &space.to_le_bytes(),
        owner.as_ref(),
    ]
    .concat();
    Instruction { program_id: SYSTEM_PROGRAM, accounts, data }
}

/// A token account's fields that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenAccount {
    /// Its mint.
    pub mint: Address,
    /// Who may move its tokens.
    pub owner: Address,
    /// Base units that it holds.
    pub amount: u64,
    /// Whether it can send and receive: initialized and not frozen.
    pub usable: bool,
    /// Who else may move tokens, and how many base units still.
    pub delegate: Option<(Address, u64)>,
}

impl TokenAccount {
    /// Reads a token account's data; `None` if it is not one.
    pub fn parse(data: &[u8]) -> Option<Self> {
        if data.len() != TOKEN_ACCOUNT_BYTES {
            return None;
        }
        let key = |at: usize| Address::try_from(&data[at..at + 32]).ok();
        let number = |at: usize| data[at..at + 8].try_into().ok().map(u64::from_le_bytes);
        const INITIALIZED: u8 = 1;
        const SOME: [u8; 4] = [1, 0, 0, 0];
        let delegate = if data[72..76] == SOME { Some((key(76)?, number(121)?)) } else { None };
        Some(Self {
            mint: key(0)?,
            owner: key(32)?,
            amount: number(64)?,
            usable: data[108] == INITIALIZED,
            delegate,
        })
    }
}
