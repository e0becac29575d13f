//! `attest`: whoever the lease names vouches for served seconds. They only grow, and never pass
//! the lease's clock; a smaller figure than is known changes nothing, so order cannot matter.

use crate::access::{
    Outcome, args_and_list, is_coordinator, item, key, load_mut, now, page, page_bytes, signs,
    store, take,
};
use crate::emit::Listed;
use ionet_market_interface::account::{Lease, LeaseState, Line, PageMut, Vouch};
use ionet_market_interface::event::Vouched;
use ionet_market_interface::instruction::{Attest, Served, Tag};
use ionet_market_interface::{Address as Key, BaseUnits, Bps, MarketError, Seconds, Timestamp};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let (args, list) = args_and_list::<Attest, Served>(data)?;
    let ([actor, lease, page_account], _) = take::<3>(accounts)?;
    signs(actor)?;
    let mut record: Lease = load_mut(program, lease)?;
    may_vouch(&mut record, key(actor), args.epoch)?;
    let now = now()?;
    let v = clock_for_claims(&mut record, now)?;
    let mut bytes = page_bytes(program, page_account)?;
    let mut page = page(&mut bytes, key(lease))?;
    let mut log = Listed::after::<Vouched>();
    for served in list.iter() {
        let served = item(served)?;
        vouch(&mut record, &mut page, &served, v, now)?;
        log.push(&served)?;
    }
    store(lease, &record)?;
    let (page, owed, fees) = (page.header().number, record.owed, record.fees);
    log.log(Tag::Attest, &Vouched { lease: *key(lease), page, owed, fees });
    Ok(())
}

/// Whether the signer's word counts for this lease.
fn may_vouch(lease: &mut Lease, actor: &Key, epoch: u64) -> Outcome {
    let session = lease.session != [0; 32] && lease.session == *actor;
    let by_renter = session || lease.renter == *actor;
    match lease.vouch {
        Vouch::Coordinator => is_coordinator(lease, actor, epoch),
        Vouch::Either if by_renter => Ok(()),
        Vouch::Either => is_coordinator(lease, actor, epoch),
        Vouch::Session if by_renter => Ok(()),
        Vouch::Session => Err(MarketError::NotAllowed),
    }
}

/// What the lease's clock shows to claims at `now`, if any can still be made.
pub(crate) fn clock_for_claims(lease: &mut Lease, now: Timestamp) -> Result<Seconds, MarketError> {
    match lease.state {
        LeaseState::Open => {
            let mut clock = lease.clock();
            let v = clock.see(now);
            lease.set_clock(&clock);
            Ok(v)
        }
        LeaseState::Closed if now <= lease.claims_until() => Ok(lease.v),
        LeaseState::Closed | LeaseState::Finalized => Err(MarketError::ClaimWindowOver),
    }
}

/// Raises a line's served seconds to `claim`, if it says more than is known.
#[inline(never)]
pub(crate) fn vouch(
    lease: &mut Lease,
    page: &mut PageMut,
    claim: &Served,
    v: Seconds,
    now: Timestamp,
) -> Outcome {
    let mut line = page.line(claim.index)?.ok_or(MarketError::NoSuchLine)?;
    if claim.served > line.served_max(v) {
        return Err(MarketError::ServedPastClock);
    }
    if claim.served <= line.served {
        return Ok(());
    }
    if lease.accept_s > 0 && now <= line.accept_until(lease.accept_s) {
        return Err(MarketError::AcceptanceRunning);
    }
    let (owed, fee) = earned(&line, lease.fee_bps)?;
    line.served = claim.served;
    let (owed_now, fee_now) = earned(&line, lease.fee_bps)?;
    lease.owed = grown(lease.owed, owed, owed_now)?;
    lease.fees = grown(lease.fees, fee, fee_now)?;
    let _written = page.set_line(claim.index, &line);
    Ok(())
}

/// What a line has earned, and the fee on it. (`Line::fee` would divide for both.)
fn earned(line: &Line, fee_bps: Bps) -> Result<(BaseUnits, BaseUnits), MarketError> {
    let owed = line.owed().ok_or(MarketError::Overflow)?;
    Ok((owed, fee_bps.fee_ceil(owed).ok_or(MarketError::Overflow)?))
}

/// `sum` after one of its parts grew from `before` to `after`.
fn grown(sum: BaseUnits, before: BaseUnits, after: BaseUnits) -> Result<BaseUnits, MarketError> {
    let more = after.checked_sub(before).ok_or(MarketError::Overflow)?;
    sum.checked_add(more).ok_or(MarketError::Overflow)
}
