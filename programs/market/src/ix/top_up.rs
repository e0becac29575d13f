//! `top_up`: anyone adds money; the session key can do it as the token account's delegate, up
//! to the cap that the renter approved there.

use crate::access::{Outcome, args, is_open, key, load_mut, now, signs, store, take};
use crate::{cpi, emit, token};
use ionet_market_interface::account::Lease;
use ionet_market_interface::event::ToppedUp;
use ionet_market_interface::instruction::{Tag, TopUp};
use ionet_market_interface::{BaseUnits, MarketError};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let TopUp { amount } = args(data)?;
    let ([authority, source, lease, vault, token_program], _) = take::<5>(accounts)?;
    signs(authority)?;
    if amount == BaseUnits::ZERO {
        return Err(MarketError::BadArgument);
    }
    let mut record: Lease = load_mut(program, lease)?;
    is_open(&record)?;
    token::vault(vault, &record, lease, token_program)?;
    if source.address() == vault.address() {
        return Err(MarketError::WrongAddress);
    }
    token::is_source(source, &record.mint, amount)?;
    let mut clock = record.clock();
    clock.top_up(amount, now()?)?;
    record.set_clock(&clock);
    store(lease, &record)?;
    cpi::pay_in(source, vault, authority, amount)?;
    let head = ToppedUp {
        lease: *key(lease),
        authority: *key(authority),
        amount,
        deposit: record.deposit,
        committed: record.committed,
        v: record.v,
    };
    emit::event(Tag::TopUp, &head);
    Ok(())
}
