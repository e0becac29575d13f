//! `reject`: inside of the acceptance window the renter refuses lines, which then owe nothing.

use crate::access::{
    Outcome, item, key, load_mut, now, page, page_bytes, paired, signs, store, take,
};
use crate::emit;
use crate::ix::end_line::{free_units, leave_slot};
use ionet_market_interface::account::{Lease, LeaseState, Line, LineState, SessionRights};
use ionet_market_interface::instruction::{Indexes, Tag};
use ionet_market_interface::{MarketError, Seconds, Timestamp};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let indexes = Indexes::new(data).map_err(|_| MarketError::BadInstruction)?;
    let ([actor, lease, page_account], devices) = take::<3>(accounts)?;
    signs(actor)?;
    paired(devices, indexes.len())?;
    let mut record: Lease = load_mut(program, lease)?;
    if record.renter != *key(actor) && !record.is_session(key(actor), SessionRights::END) {
        return Err(MarketError::NotAllowed);
    }
    if record.state == LeaseState::Finalized {
        return Err(MarketError::LeaseNotOpen);
    }
    let now = now()?;
    let mut bytes = page_bytes(program, page_account)?;
    let mut page = page(&mut bytes, key(lease))?;
    for (index, device) in indexes.iter().zip(devices) {
        let index = item(index)?;
        let mut line = page.line(index)?.ok_or(MarketError::NoSuchLine)?;
        check(&record, &line, now)?;
        // A line that ended has freed its device already: the account beside it is not looked
        // at, so a supplier cannot end, retire the device and so escape the rejection.
        if line.is_live() {
            free_units(program, device, &line)?;
            leave_slot(&mut record, &mut line, now)?;
        }
        line.v_end = line.v_start;
        line.served = Seconds::ZERO;
        line.state = LineState::Rejected;
        let _written = page.set_line(index, &line);
    }
    store(lease, &record)?;
    emit::metered(Tag::Reject, &record, page.header(), indexes.bytes());
    Ok(())
}

/// The line was started, its window is open, and nothing was vouched for (which cannot be
/// before the window ends, unless the chain's time ran backwards).
fn check(lease: &Lease, line: &Line, now: Timestamp) -> Outcome {
    let started = match line.state {
        LineState::Started | LineState::Ended => line.started_at != Timestamp(0),
        LineState::Bound | LineState::Rejected => false,
    };
    if !started {
        return Err(MarketError::WrongLineState);
    }
    let open = lease.accept_s > 0 && now <= line.accept_until(lease.accept_s);
    if open && line.served == Seconds::ZERO { Ok(()) } else { Err(MarketError::AcceptanceOver) }
}
