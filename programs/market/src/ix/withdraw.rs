//! `withdraw`: pays lines what they have earned and not drawn, to their payout owners. Anyone
//! may call it; a line with nothing due is passed over.

use crate::access::{Outcome, item, key, load_mut, page, page_bytes, paired, store, take};
use crate::emit::Listed;
use crate::{cpi, token};
use ionet_market_interface::account::Lease;
use ionet_market_interface::event::{Paid, Payment};
use ionet_market_interface::instruction::{Indexes, Tag};
use ionet_market_interface::{BaseUnits, MarketError};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let indexes = Indexes::new(data).map_err(|_| MarketError::BadInstruction)?;
    let ([lease, page_account, vault, token_program], destinations) = take::<4>(accounts)?;
    paired(destinations, indexes.len())?;
    let mut record: Lease = load_mut(program, lease)?;
    token::vault(vault, &record, lease, token_program)?;
    let mut log = Listed::after::<Paid>();
    let mut bytes = page_bytes(program, page_account)?;
    let mut page = page(&mut bytes, key(lease))?;
    for (index, to) in indexes.iter().zip(destinations.iter()) {
        let index = item(index)?;
        let mut line = page.line(index)?.ok_or(MarketError::NoSuchLine)?;
        let owed = line.owed().ok_or(MarketError::Overflow)?;
        let amount = owed.checked_sub(line.paid).ok_or(MarketError::Overflow)?;
        if amount > BaseUnits::ZERO {
            token::is_destination(to, &record, &line.payout_owner)?;
            line.paid = owed;
            record.paid = record.paid.checked_add(amount).ok_or(MarketError::Overflow)?;
            let _written = page.set_line(index, &line);
        }
        log.push(&Payment { index, amount })?;
    }
    let number = page.header().number;
    drop(bytes);
    store(lease, &record)?;
    for (payment, to) in log.items::<Paid, Payment>()?.iter().zip(destinations.iter()) {
        let Payment { amount, .. } = item(payment)?;
        if amount > BaseUnits::ZERO {
            cpi::pay_out(&record, lease, vault, to, amount)?;
        }
    }
    log.log(Tag::Withdraw, &Paid { lease: *key(lease), page: number, paid: record.paid });
    Ok(())
}
