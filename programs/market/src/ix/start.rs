//! `start`: the meters of lines begin, now. A start in the past is not offered: nothing was set
//! aside for that time.

use crate::access::{
    Outcome, args_and_list, is_coordinator, is_open, item, key, load_mut, now, page, page_bytes,
    signs, store, take,
};
use crate::emit;
use ionet_market_interface::MarketError;
use ionet_market_interface::account::{Lease, LineState};
use ionet_market_interface::instruction::{Lines, Tag};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let (args, indexes) = args_and_list::<Lines, u8>(data)?;
    let ([coordinator, lease, page_account], _) = take::<3>(accounts)?;
    signs(coordinator)?;
    let mut record: Lease = load_mut(program, lease)?;
    is_open(&record)?;
    is_coordinator(&mut record, key(coordinator), args.epoch)?;
    let (mut clock, now) = (record.clock(), now()?);
    let mut bytes = page_bytes(program, page_account)?;
    let mut page = page(&mut bytes, key(lease))?;
    for index in indexes.iter() {
        let index = item(index)?;
        let mut line = page.line(index)?.ok_or(MarketError::NoSuchLine)?;
        if line.state != LineState::Bound {
            return Err(MarketError::WrongLineState);
        }
        let gross = record.fee_bps.gross_ceil(line.rate).ok_or(MarketError::Overflow)?;
        clock.start(gross, now)?;
        line.state = LineState::Started;
        line.started_at = clock.changed_at;
        line.v_start = clock.v;
        let _written = page.set_line(index, &line);
    }
    record.set_clock(&clock);
    store(lease, &record)?;
    emit::metered(Tag::Start, &record, page.header(), indexes.bytes());
    Ok(())
}
