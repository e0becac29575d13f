//! `reclaim_page`: closes a page of a finalized lease once its devices are free and its lines
//! are paid. Its rent goes to whoever paid it.

use crate::access::{
    Outcome, args, close_record, is_at, is_finalized, key, load_mut, page, page_bytes, store, take,
};
use crate::emit;
use ionet_market_interface::MarketError;
use ionet_market_interface::account::Lease;
use ionet_market_interface::event::PageReclaimed;
use ionet_market_interface::instruction::{Nothing, Tag};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let Nothing {} = args(data)?;
    let ([lease, page_account, rent_payer], _) = take::<3>(accounts)?;
    let mut record: Lease = load_mut(program, lease)?;
    is_finalized(&record)?;
    let mut bytes = page_bytes(program, page_account)?;
    let page = page(&mut bytes, key(lease))?;
    is_at(rent_payer, &page.header().rent_payer)?;
    for index in 0..page.header().count {
        let line = page.line(index)?.ok_or(MarketError::NoSuchLine)?;
        if line.is_live() {
            return Err(MarketError::UnitsHeld);
        }
        if line.owed() != Some(line.paid) {
            return Err(MarketError::StillOwed);
        }
    }
    let number = page.header().number;
    drop(bytes);
    record.pages_live = record.pages_live.checked_sub(1).ok_or(MarketError::Overflow)?;
    store(lease, &record)?;
    let rent = page_account.lamports();
    close_record(page_account, rent_payer)?;
    emit::event(Tag::ReclaimPage, &PageReclaimed { lease: *key(lease), page: number, rent });
    Ok(())
}
