//! `bind`: the coordinator binds devices to slots, within the renter's ceilings and at no less
//! than the devices ask.

use crate::access::{
    Outcome, args_and_list, is_coordinator, is_open, item, key, load_mut, now, page, page_bytes,
    paired, signs, store, take,
};
use crate::{cpi, emit};
use ionet_market_interface::account::{
    Device, Kind, LAYOUT_VERSION, Lease, Line, LineState, PageHeader, PageMut, PageRef,
};
use ionet_market_interface::event::Bound;
use ionet_market_interface::instruction::{Bind, BindLine, Tag};
use ionet_market_interface::limits::{LINES_PER_PAGE, PAGES_MAX};
use ionet_market_interface::{BaseUnits, MarketError, Rate, Seconds, Timestamp, seeds};
use ionet_units::checked_mul;
use pinocchio::cpi::Seed;
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let (args, lines) = args_and_list::<Bind, BindLine>(data)?;
    let ([coordinator, payer, lease, page_account, _system], devices) = take::<5>(accounts)?;
    signs(coordinator)?;
    paired(devices, lines.len())?;
    let mut record: Lease = load_mut(program, lease)?;
    is_open(&record)?;
    is_coordinator(&mut record, key(coordinator), args.epoch)?;
    let now = now()?;
    if now >= record.expires_at {
        return Err(MarketError::LeaseExpired);
    }
    if cpi::is_unused(page_account) {
        create_page(program, payer, lease, page_account, &mut record, &args)?;
    }
    let mut bytes = page_bytes(program, page_account)?;
    let mut page = page(&mut bytes, key(lease))?;
    if page.header().number != args.page {
        return Err(MarketError::WrongPage);
    }
    let first = page.header().count;
    for (line, device) in lines.iter().zip(devices) {
        bind(program, &mut record, &mut page, device, &(item(line)?, now))?;
    }
    store(lease, &record)?;
    let head = Bound { lease: *key(lease), page: args.page, first };
    emit::event_and(Tag::Bind, &head, page.bytes_from(first));
    Ok(())
}

#[inline(always)]
fn create_page(
    program: &Address,
    payer: &AccountView,
    lease: &AccountView,
    account: &mut AccountView,
    record: &mut Lease,
    args: &Bind,
) -> Outcome {
    if args.page != record.pages_made {
        return Err(MarketError::WrongPage);
    }
    if args.capacity == 0 || args.capacity > LINES_PER_PAGE || args.page >= PAGES_MAX {
        return Err(MarketError::BadArgument);
    }
    let number = seeds::page_number(args.page);
    let seeds = [
        Seed::from(seeds::PAGE),
        Seed::from(key(lease)),
        Seed::from(&number),
        Seed::from(core::slice::from_ref(&args.page_bump)),
    ];
    cpi::create(&cpi::New {
        payer,
        account,
        space: PageRef::size(args.capacity),
        owner: program,
        seeds: &seeds,
    })?;
    record.pages_made += 1;
    record.pages_live += 1;
    let header = PageHeader {
        kind: Kind::Page as u8,
        version: LAYOUT_VERSION,
        bump: args.page_bump,
        capacity: args.capacity,
        count: 0,
        reserved: 0,
        number: args.page,
        lease: *key(lease),
        rent_payer: *key(payer),
        reserved_2: [0; 8],
    };
    let mut bytes = page_bytes(program, account)?;
    PageMut::create(&mut bytes, header)?;
    Ok(())
}

#[inline(never)]
fn bind(
    program: &Address,
    lease: &mut Lease,
    page: &mut PageMut,
    account: &mut AccountView,
    wanted: &(BindLine, Timestamp),
) -> Outcome {
    let (wanted, now) = *wanted;
    let mut device: Device = load_mut(program, account)?;
    if now >= device.expires_at {
        return Err(MarketError::DeviceExpired);
    }
    if !device.accepts(&lease.coordinator) {
        return Err(MarketError::CoordinatorNotAccepted);
    }
    if wanted.units == 0 {
        return Err(MarketError::BadArgument);
    }
    if wanted.units > device.units_free() {
        return Err(MarketError::UnitsExhausted);
    }
    let ask = device.asks[usize::from(lease.mint_index & 1)];
    if ask == Rate::ZERO {
        return Err(MarketError::MintNotAccepted);
    }
    let least = checked_mul(ask.0, u64::from(wanted.units)).ok_or(MarketError::Overflow)?;
    if wanted.rate.0 < least {
        return Err(MarketError::RateBelowAsk);
    }
    take_slot(lease, wanted.rate)?;
    device.units_bound += wanted.units;
    device.generation = device.generation.checked_add(1).ok_or(MarketError::Overflow)?;
    let line = Line {
        device: device.device,
        payout_owner: device.payout_at(now),
        rate: wanted.rate,
        generation: device.generation,
        bound_at: now,
        started_at: Timestamp(0),
        v_start: Seconds::ZERO,
        v_end: Seconds::ZERO,
        served: Seconds::ZERO,
        paid: BaseUnits::ZERO,
        units: wanted.units,
        state: LineState::Bound,
        reserved: [0; 5],
    };
    page.push(&line).ok_or(MarketError::PageFull)?;
    store(account, &device)
}

/// One more live line, within the ceilings.
fn take_slot(lease: &mut Lease, rate: Rate) -> Outcome {
    if lease.slots_live >= lease.slots_max {
        return Err(MarketError::SlotsExhausted);
    }
    if rate > lease.rate_per_slot_max {
        return Err(MarketError::RateAboveSlotCeiling);
    }
    let gross = lease.fee_bps.gross_ceil(rate).ok_or(MarketError::Overflow)?;
    lease.rate_live = lease.rate_live.checked_add(gross).ok_or(MarketError::Overflow)?;
    if lease.rate_live > lease.rate_total_max {
        return Err(MarketError::RateAboveTotalCeiling);
    }
    lease.slots_live += 1;
    Ok(())
}
