//! `refund`: pays the renter what no line of a closed lease can claim, if closing did not.

use crate::access::{Outcome, args, key, load_mut, store, take};
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
    let before = record.refunded;
    pay_refund(&mut record, lease, vault, to, token_program)?;
    let amount = record.refunded.saturating_sub(before);
    let head = Refunded { lease: *key(lease), amount, refunded: record.refunded };
    emit::event(Tag::Refund, &head);
    Ok(())
}

/// Pays what is refundable now, writes the lease, and does nothing a second time.
pub(crate) fn pay_refund(
    record: &mut Lease,
    lease: &mut AccountView,
    vault: &AccountView,
    to: &AccountView,
    token_program: &AccountView,
) -> Outcome {
    token::vault(vault, record, lease, token_program)?;
    token::is_destination(to, record, &record.renter)?;
    let amount = record.refundable();
    record.refunded = record.refunded.checked_add(amount).ok_or(MarketError::Overflow)?;
    store(lease, record)?;
    if amount > BaseUnits::ZERO { cpi::pay_out(record, lease, vault, to, amount) } else { Ok(()) }
}
