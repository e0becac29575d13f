//! `apply_config`: anyone puts proposed settings into force after their cool-down.

use crate::access::{Outcome, args, load_mut, now, store, take};
use crate::emit;
use ionet_market_interface::account::Config;
use ionet_market_interface::instruction::{Nothing, Tag};
use ionet_market_interface::{MarketError, Timestamp};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let Nothing {} = args(data)?;
    let ([config], _) = take::<1>(accounts)?;
    let mut record: Config = load_mut(program, config)?;
    if record.next_at == Timestamp(0) {
        return Err(MarketError::NothingPending);
    }
    if now()? < record.next_at {
        return Err(MarketError::CooldownRunning);
    }
    record.now = record.next;
    record.next_at = Timestamp(0);
    store(config, &record)?;
    emit::account(Tag::ApplyConfig, config)
}
