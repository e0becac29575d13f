//! Statements that were signed off-chain, as the Ed25519 precompile checked them.

use crate::access::is_at;
use ionet_market_interface::statement::ED25519_HEAD;
use ionet_market_interface::{Address as Key, ED25519_PROGRAM, INSTRUCTIONS_SYSVAR, MarketError};
use pinocchio::sysvars::instructions::Instructions;
use pinocchio::{AccountView, Address};

const ED25519: Address = Address::new_from_array(ED25519_PROGRAM);
const KEY_AT: usize = ED25519_HEAD;
const MESSAGE_AT: usize = ED25519_HEAD + 32 + 64;

/// One signature, everything inside that very instruction (index 65535): signature at 48, key at
/// 16, message at 112. Any other form could point the precompile at other bytes than those that
/// are read here.
const fn head(message_len: u8) -> [u8; ED25519_HEAD] {
    [1, 0, 48, 0, 255, 255, 16, 0, 255, 255, 112, 0, message_len, 0, 255, 255]
}

/// Whose signature over `message` the instruction right before this one checked.
#[inline(never)]
pub(crate) fn signer_before(sysvar: &AccountView, message: &[u8]) -> Result<Key, MarketError> {
    is_at(sysvar, &INSTRUCTIONS_SYSVAR)?;
    let missing = MarketError::StatementMissing;
    let all = Instructions::try_from(sysvar).map_err(|_| missing)?;
    let before = all.get_instruction_relative(-1).map_err(|_| missing)?;
    if *before.get_program_id() != ED25519 {
        return Err(missing);
    }
    let data = before.get_instruction_data();
    let same = message.len() < 256
        && data.len() == MESSAGE_AT + message.len()
        && data[..ED25519_HEAD] == head(message.len() as u8)
        && data[MESSAGE_AT..] == *message;
    let key = data.get(KEY_AT..).and_then(|bytes| bytes.first_chunk::<32>());
    match key {
        Some(key) if same => Ok(*key),
        Some(_) | None => Err(MarketError::StatementMismatch),
    }
}
