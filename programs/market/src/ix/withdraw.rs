//! `withdraw`: pays lines what they have earned and not drawn, to their payout owners. Anyone
//! may call it; a line with nothing due is passed over.

use crate::access::{Outcome, item, key, load_mut, page, page_bytes, paired, store, take};
use crate::{cpi, token};
use ionet_market_interface::account::Lease;
use ionet_market_interface::instruction::Indexes;
use ionet_market_interface::limits::LINES_PER_PAGE;
use ionet_market_interface::{BaseUnits, MarketError};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let indexes = Indexes::new(data).map_err(|_| MarketError::BadInstruction)?;
    let ([lease, page_account, vault, token_program], destinations) = take::<4>(accounts)?;
    paired(destinations, indexes.len())?;
    let mut record: Lease = load_mut(program, lease)?;
    token::vault(vault, &record, lease, token_program)?;
    let mut due = [BaseUnits::ZERO; LINES_PER_PAGE as usize];
    let mut bytes = page_bytes(program, page_account)?;
    let mut page = page(&mut bytes, key(lease))?;
    for ((index, to), due) in indexes.iter().zip(destinations.iter()).zip(&mut due) {
        let index = item(index)?;
        let mut line = page.line(index)?.ok_or(MarketError::NoSuchLine)?;
        let owed = line.owed().ok_or(MarketError::Overflow)?;
        *due = owed.checked_sub(line.paid).ok_or(MarketError::Overflow)?;
        if *due > BaseUnits::ZERO {
            token::is_destination(to, &record, &line.payout_owner)?;
            line.paid = owed;
            record.paid = record.paid.checked_add(*due).ok_or(MarketError::Overflow)?;
            let _written = page.set_line(index, &line);
        }
    }
    drop(bytes);
    store(lease, &record)?;
    for (due, to) in due.iter().zip(destinations.iter()) {
        if *due > BaseUnits::ZERO {
            cpi::pay_out(&record, lease, vault, to, *due)?;
        }
    }
    Ok(())
}
