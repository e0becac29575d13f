//! `bind`.

use crate::edit;
use ionet_program_tests::interface::account::LineState;
use ionet_program_tests::interface::limits::{BIND_LINES_MAX, PAGES_MAX};
use ionet_program_tests::interface::{MarketError, TOKEN_PROGRAM};
use ionet_program_tests::{DeviceAt, Market, Tamper, Terms, USDC};

#[test]
fn it_binds_within_the_ceilings() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(100 * USDC));
    let device = market.register(&supplier, 4, USDC / 2);
    let lease = market.open(&renter, 0, &market.terms());
    market.bind(&lease, 0, &[(&device, 1, USDC / 2), (&device, 2, USDC)]);
    let lines = market.lines(&lease.page(0));
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|l| l.state == LineState::Bound && l.device == device.key));
    assert!(lines.iter().all(|l| l.payout_owner == supplier.at()));
    assert!(lines[0].generation < lines[1].generation);
    assert_eq!(market.device(&device.record).units_bound, 3);
    let record = market.lease(&lease.lease);
    assert_eq!((record.slots_live, record.pages_live), (2, 1));
    assert_eq!(record.rate_live.0, 510_000 + 1_020_000);
}

#[test]
fn what_the_renter_or_the_device_does_not_want_is_refused() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(1_000 * USDC));
    let device = market.register(&supplier, 6, USDC);
    let terms = Terms { slots_max: 3, rate_total_max: 5 * USDC, ..market.terms() };
    let lease = market.open(&renter, 0, &terms);
    let cases: &[(&[(u16, u64)], MarketError)] = &[
        (&[(0, USDC)], MarketError::BadArgument),
        (&[(7, 2 * USDC)], MarketError::UnitsExhausted),
        (&[(4, 4 * USDC), (4, 4 * USDC)], MarketError::RateAboveSlotCeiling),
        (&[(1, USDC - 1)], MarketError::RateBelowAsk),
        (&[(2, 2 * USDC - 1)], MarketError::RateBelowAsk),
        (&[(1, 0)], MarketError::RateBelowAsk),
        (&[(1, 2 * USDC + 1)], MarketError::RateAboveSlotCeiling),
        (&[(1, u64::MAX)], MarketError::RateAboveSlotCeiling),
        (&[(1, 2 * USDC), (1, 2 * USDC), (1, USDC)], MarketError::RateAboveTotalCeiling),
        (&[(1, USDC), (1, USDC), (1, USDC), (1, USDC)], MarketError::SlotsExhausted),
        (&[(1, USDC), (6, 2 * USDC)], MarketError::UnitsExhausted),
    ];
    let key = market.coordinator_key();
    for (lines, why) in cases {
        let lines: Vec<_> = lines.iter().map(|l| (&device, l.0, l.1)).collect();
        let ix = market.bind_ix(&market.coordinator, &lease, 0, &lines);
        market.refused(ix, &[&key], *why);
    }
    assert_eq!(market.device(&device.record).units_bound, 0);
}

#[test]
fn the_supplier_says_who_until_when_and_for_what() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(1_000 * USDC));
    let device = market.register(&supplier, 6, USDC);
    let lease = market.open(&renter, 0, &market.terms());
    let key = market.coordinator_key();
    let good = market.offer(&supplier, 6, USDC);
    let mut only_other = good;
    only_other.accepts_any = false;
    only_other.coordinators[0] = market.stranger.at();
    only_other.coordinators_len = 1;
    let mut not_in_dollars = good;
    not_in_dollars.asks[0] = ionet_program_tests::interface::Rate(0);
    let mut short = good;
    short.expires_at = ionet_program_tests::interface::Timestamp(market.now() + 5);
    for (offer, why) in [
        (only_other, MarketError::CoordinatorNotAccepted),
        (not_in_dollars, MarketError::MintNotAccepted),
        (short, MarketError::DeviceExpired),
    ] {
        market.ok(market.update_ix(&supplier, &device, offer), &[&supplier.key]);
        if offer == short {
            market.pass(5);
        }
        let ix = market.bind_ix(&market.coordinator, &lease, 0, &[(&device, 1, USDC)]);
        market.refused(ix, &[&key], why);
    }
    let mut named = good;
    named.accepts_any = false;
    named.coordinators[3] = market.coordinator.at();
    named.coordinators_len = 4;
    market.ok(market.update_ix(&supplier, &device, named), &[&supplier.key]);
    market.bind(&lease, 0, &[(&device, 1, USDC)]);
}

#[test]
fn only_the_leases_coordinator_binds_and_an_older_leader_does_not() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, lines) = (running.lease, [(&running.device, 1, USDC)]);
    for who in [&running.renter, &running.supplier] {
        let ix = market.bind_ix(who, &lease, 0, &lines);
        market.refused(ix, &[&who.key], MarketError::NotCoordinator);
    }
    let key = market.coordinator_key();
    let unsigned = market.bind_ix(&market.coordinator, &lease, 0, &lines).unsigned(0).unsigned(1);
    market.refused(unsigned, &[], MarketError::MissingSigner);
    market.ok(market.bind_epoch_ix(&market.coordinator, &lease, 0, 7, &lines), &[&key]);
    let older = market.bind_epoch_ix(&market.coordinator, &lease, 0, 6, &lines);
    market.refused(older, &[&key], MarketError::StaleEpoch);
    let start = market.start_ix(&market.coordinator, &lease, 0, &[1]);
    market.refused(start, &[&key], MarketError::StaleEpoch);
}

#[test]
fn pages_come_in_order_and_fill_up() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(1_000 * USDC));
    let device = market.register(&supplier, 100, 1);
    let terms = Terms { slots_max: 100, ..market.terms() };
    let lease = market.open(&renter, 0, &terms);
    let key = market.coordinator_key();
    let one: [(&DeviceAt, u16, u64); 1] = [(&device, 1, 1)];
    let skipped = market.bind_ix(&market.coordinator, &lease, 1, &one);
    market.refused(skipped, &[&key], MarketError::WrongPage);
    let dozen = [(&device, 1, 1); 12];
    market.bind(&lease, 0, &dozen);
    let misnamed = market.bind_ix(&market.coordinator, &lease, 1, &one).swap(3, lease.page(0));
    market.refused(misnamed, &[&key], MarketError::WrongPage);
    market.bind(&lease, 0, &dozen);
    let full = market.bind_ix(&market.coordinator, &lease, 0, &one);
    market.refused(full, &[&key], MarketError::PageFull);
    market.bind(&lease, 1, &one);
    assert_eq!(market.lease(&lease.lease).pages_made, 2);
    let many: Vec<DeviceAt> =
        (0..BIND_LINES_MAX).map(|_| market.register(&supplier, 1, 1)).collect();
    let lines: Vec<_> = many.iter().map(|device| (device, 1, 1)).collect();
    market.bind(&lease, 1, &lines);
}

#[test]
fn a_closed_or_expired_lease_takes_no_lines() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let key = market.coordinator_key();
    let ix = market.bind_ix(&market.coordinator, &running.lease, 0, &[(&running.device, 1, USDC)]);
    let before = market.now();
    market.pass(86_400);
    market.refused(ix.clone(), &[&key], MarketError::LeaseExpired);
    market.set_time(before);
    market.close(&running.renter, &running.lease);
    market.refused(ix, &[&key], MarketError::LeaseNotOpen);
}

#[test]
fn accounts_of_another_kind_or_lease_are_refused() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let other = market.wallet(100 * USDC);
    let second = market.open(&other, 0, &market.terms());
    market.bind(&second, 0, &[(&running.device, 1, USDC)]);
    let key = market.coordinator_key();
    let lines = [(&running.device, 1, USDC)];
    let good = market.bind_ix(&market.coordinator, &running.lease, 0, &lines);
    let fake = market.copy_of(&running.device.record, market.stranger.at());
    let cases = [
        (good.clone().swap(2, running.device.record), MarketError::WrongKind),
        (good.clone().swap(3, second.page(0)), MarketError::WrongPage),
        (good.clone().swap(3, running.device.record), MarketError::WrongKind),
        (good.clone().swap(5, running.lease.lease), MarketError::WrongKind),
        (good.clone().swap(5, fake), MarketError::WrongOwner),
        (good.clone().readonly(2), MarketError::NotWritable),
        (good.clone().readonly(3), MarketError::NotWritable),
        (good.clone().readonly(5), MarketError::NotWritable),
        (good.cut(5), MarketError::NotEnoughAccounts),
    ];
    for (at, (ix, why)) in cases.into_iter().enumerate() {
        eprintln!("case {at}");
        market.refused(ix, &[&key], why);
    }
}

#[test]
fn a_coordinator_that_is_no_longer_named_does_not_bind() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(100 * USDC));
    let device = market.register(&supplier, 4, USDC);
    let lease = market.open(&renter, 0, &market.terms());
    let mut offer = market.offer(&supplier, 4, USDC);
    offer.accepts_any = false;
    offer.coordinators[0] = market.coordinator.at();
    offer.coordinators_len = 1;
    let key = market.coordinator_key();
    market.ok(market.update_ix(&supplier, &device, offer), &[&supplier.key]);
    market.bind(&lease, 0, &[(&device, 1, USDC)]);
    offer.coordinators_len = 0;
    market.ok(market.update_ix(&supplier, &device, offer), &[&supplier.key]);
    let ix = market.bind_ix(&market.coordinator, &lease, 0, &[(&device, 1, USDC)]);
    market.refused(ix, &[&key], MarketError::CoordinatorNotAccepted);
}

#[test]
fn a_page_has_one_to_24_lines() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(100 * USDC));
    let device = market.register(&supplier, 4, USDC);
    let lease = market.open(&renter, 0, &market.terms());
    let key = market.coordinator_key();
    let good = market.bind_ix(&market.coordinator, &lease, 0, &[(&device, 1, USDC)]);
    for (capacity, refused) in [(0, true), (25, true), (255, true), (1, false)] {
        let ix = good.clone().data(|data| data[12] = capacity);
        if refused {
            market.refused(ix, &[&key], MarketError::BadArgument);
        } else {
            market.ok(ix, &[&key]);
        }
    }
    market.refused(good, &[&key], MarketError::PageFull);
}

#[test]
fn a_lease_has_so_many_pages() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, key) = (running.lease, market.coordinator_key());
    for (made, refused) in [(PAGES_MAX, true), (PAGES_MAX - 1, false)] {
        edit::lease(&mut market, &lease.lease, |record| record.pages_made = made);
        let ix = market.bind_ix(&market.coordinator, &lease, made, &[(&running.device, 1, USDC)]);
        if refused {
            market.refused(ix, &[&key], MarketError::BadArgument);
        } else {
            market.ok(ix, &[&key]);
        }
    }
}

#[test]
fn an_account_that_is_used_is_no_new_page() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let key = market.coordinator_key();
    let lines = [(&running.device, 1, USDC)];
    let good = market.bind_ix(&market.coordinator, &running.lease, 1, &lines);
    // One that holds something, as a nonce does, and one of another program that is empty.
    let nonce = edit::made(&mut market, vec![1; 80], &[0; 32]);
    let empty = edit::made(&mut market, vec![], &TOKEN_PROGRAM);
    for used in [nonce, empty] {
        market.refused(good.clone().swap(3, used), &[&key], MarketError::WrongOwner);
    }
    market.ok(good, &[&key]);
}

#[test]
fn the_ceiling_in_total_counts_the_fee() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(100 * USDC));
    let device = market.register(&supplier, 4, 1);
    let terms =
        Terms { rate_total_max: 15_000_000, rate_per_slot_max: 10_000_000, ..market.terms() };
    let lease = market.open(&renter, 0, &terms);
    let key = market.coordinator_key();
    let bind = |rate| market.bind_ix(&market.coordinator, &lease, 0, &[(&device, 1, rate)]);
    // Two per cent on top: 10,200,000 and 4,800,000 are 15 dollars an hour, to the base unit.
    let (first, dear, fits) = (bind(10_000_000), bind(4_705_883), bind(4_705_882));
    market.ok(first, &[&key]);
    market.refused(dear, &[&key], MarketError::RateAboveTotalCeiling);
    market.ok(fits, &[&key]);
}

/// 2^63 an hour for each of two units is 2^64 for both: not nothing.
#[test]
fn an_ask_for_all_units_does_not_wrap() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(100 * USDC));
    let device = market.register(&supplier, 2, 1 << 63);
    let lease = market.open(&renter, 0, &market.terms());
    let key = market.coordinator_key();
    let ix = market.bind_ix(&market.coordinator, &lease, 0, &[(&device, 2, USDC)]);
    market.refused(ix, &[&key], MarketError::Overflow);
}
