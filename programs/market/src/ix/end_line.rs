//! `end_line`: ends lines and frees their devices. On a closed lease anyone may: closing walks
//! over nothing, so devices are freed by showing the closed lease.

use crate::access::{
    Outcome, args_and_list, is_coordinator, item, key, load_mut, now, page, page_bytes, paired,
    signs, store, take,
};
use crate::emit;
use ionet_market_interface::account::{Device, Lease, LeaseState, Line, LineState, SessionRights};
use ionet_market_interface::instruction::{Lines, Tag};
use ionet_market_interface::{Address as Key, MarketError, Rate, Timestamp};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let (args, indexes) = args_and_list::<Lines, u8>(data)?;
    let ([actor, lease, page_account], devices) = take::<3>(accounts)?;
    signs(actor)?;
    paired(devices, indexes.len())?;
    let mut record: Lease = load_mut(program, lease)?;
    let may_end_any = may_end_any(&mut record, key(actor), args.epoch)?;
    let now = now()?;
    let mut bytes = page_bytes(program, page_account)?;
    let mut page = page(&mut bytes, key(lease))?;
    for (index, device) in indexes.iter().zip(devices) {
        let index = item(index)?;
        let mut line = page.line(index)?.ok_or(MarketError::NoSuchLine)?;
        if !line.is_live() {
            return Err(MarketError::WrongLineState);
        }
        let supplier = free_units(program, device, &line)?;
        if !may_end_any && supplier != *key(actor) {
            return Err(MarketError::NotAllowed);
        }
        leave_slot(&mut record, &mut line, now)?;
        line.state = LineState::Ended;
        let _written = page.set_line(index, &line);
    }
    store(lease, &record)?;
    emit::metered(Tag::EndLine, &record, page.header(), indexes.bytes());
    Ok(())
}

/// Whether the signer may end every line; else each line's supplier may.
fn may_end_any(lease: &mut Lease, actor: &Key, epoch: u64) -> Result<bool, MarketError> {
    if lease.state != LeaseState::Open || lease.renter == *actor {
        return Ok(true);
    }
    if lease.is_session(actor, SessionRights::END) {
        return Ok(true);
    }
    if lease.coordinator == *actor {
        is_coordinator(lease, actor, epoch)?;
        return Ok(true);
    }
    Ok(false)
}

/// Gives a live line's units back to its device. Returns the device's supplier.
#[inline(never)]
pub(crate) fn free_units(
    program: &Address,
    account: &mut AccountView,
    line: &Line,
) -> Result<Key, MarketError> {
    let mut device: Device = load_mut(program, account)?;
    if device.device != line.device {
        return Err(MarketError::WrongDevice);
    }
    device.units_bound = device.units_bound.checked_sub(line.units).ok_or(MarketError::Overflow)?;
    store(account, &device)?;
    Ok(device.supplier)
}

/// A live line leaves its slot; its meter, if it ran, stops where the lease's clock stands.
pub(crate) fn leave_slot(lease: &mut Lease, line: &mut Line, now: Timestamp) -> Outcome {
    let gross = lease.fee_bps.gross_ceil(line.rate).ok_or(MarketError::Overflow)?;
    lease.rate_live = Rate(lease.rate_live.0.saturating_sub(gross.0));
    lease.slots_live = lease.slots_live.saturating_sub(1);
    if line.state == LineState::Started {
        if lease.state == LeaseState::Open {
            let mut clock = lease.clock();
            clock.end(gross, now)?;
            lease.set_clock(&clock);
        }
        // Closing froze the clock, for this line as for all.
        line.v_end = lease.v;
    }
    Ok(())
}
