//! `update_device`: a supplier changes its offer. A new payout owner waits for the cool-down;
//! everything else holds for the next bind.

use crate::access::{Outcome, args, key, load, load_mut, now, signs, store, take};
use crate::emit;
use ionet_market_interface::account::{Config, Device};
use ionet_market_interface::instruction::{Offer, Tag, UpdateDevice};
use ionet_market_interface::limits::COORDINATORS_MAX;
use ionet_market_interface::{MarketError, Seconds, Timestamp};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let UpdateDevice { offer } = args(data)?;
    let ([supplier, device, config], _) = take::<3>(accounts)?;
    signs(supplier)?;
    let mut record: Device = load_mut(program, device)?;
    if record.supplier != *key(supplier) {
        return Err(MarketError::NotSupplier);
    }
    let settings: Config = load(program, config)?;
    let now = now()?;
    check_offer(&offer, now)?;
    if offer.units_total < record.units_bound {
        return Err(MarketError::DeviceInUse);
    }
    set_offer(&mut record, &offer);
    record.settle_payout(now);
    if offer.payout_owner == record.payout_owner {
        // Back to what is in force: a change that waits is called off.
        record.payout_next = [0; 32];
        record.payout_next_at = Timestamp(0);
    } else if offer.payout_owner != record.payout_next {
        record.payout_next = offer.payout_owner;
        let wait = Seconds(u64::from(settings.now.payout_cooldown_s));
        record.payout_next_at = now.saturating_add(wait);
    }
    store(device, &record)?;
    emit::account(Tag::UpdateDevice, device)
}

/// The offer makes sense.
pub(crate) fn check_offer(offer: &Offer, now: Timestamp) -> Outcome {
    let named = usize::from(offer.coordinators_len);
    let sensible = offer.units_total > 0
        && offer.payout_owner != [0; 32]
        && named <= COORDINATORS_MAX
        && offer.expires_at > now;
    if sensible { Ok(()) } else { Err(MarketError::BadArgument) }
}

/// Takes over all of the offer but the payout owner.
pub(crate) fn set_offer(record: &mut Device, offer: &Offer) {
    record.units_total = offer.units_total;
    record.asks = offer.asks;
    record.expires_at = offer.expires_at;
    record.accepts_any = offer.accepts_any;
    record.coordinators_len = offer.coordinators_len;
    record.coordinators = offer.coordinators;
}
