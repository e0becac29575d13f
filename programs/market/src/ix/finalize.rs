//! `finalize`: after the claim window the renter gets everything that suppliers and fees did
//! not earn: unserved seconds, dust, and tokens that strangers sent.

use crate::access::{Outcome, args, key, load_mut, now, store, take};
use crate::{cpi, emit, token};
use ionet_market_interface::account::{Lease, LeaseState};
use ionet_market_interface::event::Refunded;
use ionet_market_interface::instruction::{Nothing, Tag};
use ionet_market_interface::{BaseUnits, MarketError};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let Nothing {} = args(data)?;
    let ([lease, vault, to, token_program], _) = take::<4>(accounts)?;
    let mut record: Lease = load_mut(program, lease)?;
    if record.state != LeaseState::Closed {
        return Err(MarketError::LeaseNotClosed);
    }
    if now()? <= record.claims_until() {
        return Err(MarketError::ClaimWindowOpen);
    }
    let held = token::vault(vault, &record, lease, token_program)?.amount;
    let kept = record.reserved().ok_or(MarketError::Overflow)?;
    let rest = held.checked_sub(kept).ok_or(MarketError::Overflow)?;
    record.state = LeaseState::Finalized;
    record.refunded = record.refunded.checked_add(rest).ok_or(MarketError::Overflow)?;
    if rest > BaseUnits::ZERO {
        token::is_destination(to, &record, &record.renter)?;
    }
    store(lease, &record)?;
    if rest > BaseUnits::ZERO {
        cpi::pay_out(&record, lease, vault, to, rest)?;
    }
    let head = Refunded { lease: *key(lease), amount: rest, refunded: record.refunded };
    emit::event(Tag::Finalize, &head);
    Ok(())
}
