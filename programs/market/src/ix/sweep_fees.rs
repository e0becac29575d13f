//! `sweep_fees`: pays the fees that have accrued to the fee owner. Anyone may call it.

use crate::access::{Outcome, args, key, load, load_mut, store, take};
use crate::{cpi, emit, token};
use ionet_market_interface::account::{Config, Lease};
use ionet_market_interface::event::FeesSwept;
use ionet_market_interface::instruction::{Nothing, Tag};
use ionet_market_interface::{BaseUnits, MarketError};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let Nothing {} = args(data)?;
    let ([config, lease, vault, to, token_program], _) = take::<5>(accounts)?;
    let owner = load::<Config>(program, config)?.now.fee_owner;
    let mut record: Lease = load_mut(program, lease)?;
    token::vault(vault, &record, lease, token_program)?;
    token::is_destination(to, &record, &owner)?;
    let due = record.fees.checked_sub(record.fees_swept).ok_or(MarketError::Overflow)?;
    record.fees_swept = record.fees;
    store(lease, &record)?;
    if due > BaseUnits::ZERO {
        cpi::pay_out(&record, lease, vault, to, due)?;
    }
    let head = FeesSwept { lease: *key(lease), owner, amount: due, swept: record.fees };
    emit::event(Tag::SweepFees, &head);
    Ok(())
}
