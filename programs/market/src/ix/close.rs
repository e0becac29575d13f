//! `close`: ends all lines at once, in constant space, and refunds what no line can claim.

use crate::access::{
    Outcome, args, is_coordinator, is_open, key, load_mut, now, signs, store, take,
};
use crate::emit;
use crate::ix::refund::pay_refund;
use ionet_market_interface::account::{CloseReason, Lease, LeaseState, SessionRights};
use ionet_market_interface::event::Closed;
use ionet_market_interface::instruction::{Close, Tag};
use ionet_market_interface::{Address as Key, MarketError, Seconds, Timestamp};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let args: Close = args(data)?;
    let ([actor, lease], more) = take::<2>(accounts)?;
    signs(actor)?;
    let mut record: Lease = load_mut(program, lease)?;
    is_open(&record)?;
    let now = now()?;
    record.close_reason = reason(&mut record, key(actor), &args, now)?;
    let mut clock = record.clock();
    clock.close(now)?;
    record.set_clock(&clock);
    record.state = LeaseState::Closed;
    record.closed_at = clock.changed_at;
    let before = record.refunded;
    if args.refund {
        let ([vault, to, token_program], _) = take::<3>(more)?;
        pay_refund(&mut record, lease, vault, to, token_program)?;
    } else {
        store(lease, &record)?;
    }
    let head = Closed {
        lease: *key(lease),
        actor: *key(actor),
        reason: record.close_reason,
        at: record.closed_at,
        v: record.v,
        committed: record.committed,
        amount: record.refunded.saturating_sub(before),
    };
    emit::event(Tag::Close, &head);
    Ok(())
}

/// On what ground the signer may close it.
fn reason(
    lease: &mut Lease,
    actor: &Key,
    args: &Close,
    now: Timestamp,
) -> Result<CloseReason, MarketError> {
    if lease.renter == *actor {
        return Ok(CloseReason::Renter);
    }
    if lease.is_session(actor, SessionRights::CLOSE) {
        return Ok(CloseReason::Session);
    }
    if lease.coordinator == *actor {
        is_coordinator(lease, actor, args.epoch)?;
        if !args.reason.is_coordinators() {
            return Err(MarketError::BadReason);
        }
        return Ok(args.reason);
    }
    let grace = Seconds(u64::from(lease.grace_s));
    match lease.clock().stood_since(now) {
        Some(since) if now >= since.saturating_add(grace) => Ok(CloseReason::ClockStood),
        Some(_) | None => Err(MarketError::ClockRuns),
    }
}
