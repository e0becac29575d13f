//! `reclaim_lease`: closes a finalized lease and its vault once all is drawn and its pages are
//! gone. Tokens that strangers sent meanwhile go to the renter, the rent to whoever paid it.

use crate::access::{
    Outcome, args, close_record, is_at, is_finalized, key, load_mut, take, writable,
};
use crate::{cpi, emit, token};
use ionet_market_interface::account::Lease;
use ionet_market_interface::event::LeaseReclaimed;
use ionet_market_interface::instruction::{Nothing, Tag};
use ionet_market_interface::{BaseUnits, MarketError};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let Nothing {} = args(data)?;
    let ([lease, vault, to, rent_payer, token_program], _) = take::<5>(accounts)?;
    let record: Lease = load_mut(program, lease)?;
    is_finalized(&record)?;
    if record.pages_live != 0 {
        return Err(MarketError::PagesRemain);
    }
    if record.owed != record.paid || record.fees != record.fees_swept {
        return Err(MarketError::StillOwed);
    }
    is_at(rent_payer, &record.rent_payer)?;
    writable(rent_payer)?;
    let left = token::vault(vault, &record, lease, token_program)?.amount;
    if left > BaseUnits::ZERO {
        token::is_destination(to, &record, &record.renter)?;
        cpi::pay_out(&record, lease, vault, to, left)?;
    }
    let rent = vault.lamports().checked_add(lease.lamports()).ok_or(MarketError::Overflow)?;
    cpi::close_vault(&record, lease, vault, rent_payer)?;
    close_record(lease, rent_payer)?;
    emit::event(Tag::ReclaimLease, &LeaseReclaimed { lease: *key(lease), amount: left, rent });
    Ok(())
}
