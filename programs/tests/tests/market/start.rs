//! `start`.

use ionet_program_tests::interface::account::LineState;
use ionet_program_tests::interface::limits::MINT_IO;
use ionet_program_tests::interface::{MarketError, Seconds, Timestamp};
use ionet_program_tests::{Market, Tamper, Terms, USDC};

#[test]
fn the_meter_begins_now_on_the_leases_own_clock() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    market.bind(&running.lease, 0, &[(&running.device, 1, USDC)]);
    market.pass(100);
    market.start(&running.lease, 0, &[1]);
    let line = market.line(&running.lease, 0, 1);
    assert_eq!((line.state, line.v_start), (LineState::Started, Seconds(100)));
    assert_eq!(line.started_at.0, market.now());
    assert_eq!(market.lease(&running.lease.lease).gross_rate.0, 2 * 1_020_000);
}

#[test]
fn only_bound_lines_of_this_lease_start_and_only_by_its_coordinator() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let lease = running.lease;
    market.bind(&lease, 0, &[(&running.device, 1, USDC)]);
    let other = market.wallet(100 * USDC);
    let second = market.open(&other, 0, &market.terms());
    let (key, coordinator) = (market.coordinator_key(), &market.coordinator);
    let good = market.start_ix(coordinator, &lease, 0, &[1]);
    let cases = [
        (market.start_ix(coordinator, &lease, 0, &[0]), MarketError::WrongLineState),
        (market.start_ix(coordinator, &lease, 0, &[1, 1]), MarketError::WrongLineState),
        (market.start_ix(coordinator, &lease, 0, &[2]), MarketError::NoSuchLine),
        (market.start_ix(coordinator, &lease, 0, &[255]), MarketError::NoSuchLine),
        (market.start_ix(coordinator, &lease, 0, &[]), MarketError::BadInstruction),
        (market.start_ix(coordinator, &lease, 0, &[9; 25]), MarketError::BadInstruction),
        (good.clone().swap(1, second.lease), MarketError::WrongPage),
        (good.clone().swap(2, second.lease), MarketError::WrongKind),
        (good.clone().readonly(1), MarketError::NotWritable),
        (good.clone().readonly(2), MarketError::NotWritable),
        (good.clone().cut(2), MarketError::NotEnoughAccounts),
    ];
    for (at, (ix, why)) in cases.into_iter().enumerate() {
        eprintln!("case {at}");
        market.refused(ix, &[&key], why);
    }
    market.refused(good.clone().unsigned(0), &[], MarketError::MissingSigner);
    for who in [&running.renter, &running.supplier, &other] {
        let ix = market.start_ix(who, &lease, 0, &[1]);
        market.refused(ix, &[&who.key], MarketError::NotCoordinator);
    }
    market.ok(good, &[&key]);
}

#[test]
fn nothing_starts_without_money_or_time() {
    let mut market = Market::new();
    let running = market.running(|terms| *terms = Terms { deposit: 1_000, ..*terms });
    let (lease, key) = (running.lease, market.coordinator_key());
    market.bind(&lease, 0, &[(&running.device, 1, USDC)]);
    let ix = market.start_ix(&market.coordinator, &lease, 0, &[1]);
    // 999 base units pay for three seconds, which leaves 149: another line may start, but with
    // two lines that is not enough for one more second.
    market.pass(1_000);
    market.ok(ix, &[&key]);
    let v = market.lease(&lease.lease).v_at(Timestamp(market.now() + 500));
    assert_eq!(v, Seconds(3));
    // A line that was bound in time does not start after the end either.
    market.bind(&lease, 0, &[(&running.device, 1, USDC)]);
    market.pass(86_400);
    let ix = market.start_ix(&market.coordinator, &lease, 0, &[2]);
    market.refused(ix, &[&key], MarketError::LeaseExpired);
}

#[test]
fn a_deposit_that_is_used_up_starts_nothing() {
    let mut market = Market::new();
    // A base unit a second, and one for each start.
    let (supplier, renter) = (market.wallet(0), market.wallet(USDC));
    let device = market.register(&supplier, 4, 3_600);
    let terms = Terms { deposit: 11, mint_index: MINT_IO, ..market.terms() };
    let lease = market.open(&renter, 0, &terms);
    market.bind(&lease, 0, &[(&device, 1, 3_600), (&device, 1, 3_600)]);
    market.start(&lease, 0, &[0]);
    market.pass(10);
    let (ix, key) =
        (market.start_ix(&market.coordinator, &lease, 0, &[1]), market.coordinator_key());
    market.refused(ix.clone(), &[&key], MarketError::DepositExhausted);
    let more = market.top_up_ix(&renter, MINT_IO, &lease, 2);
    market.ok(more, &[&renter.key]);
    market.ok(ix, &[&key]);
}

#[test]
fn a_closed_lease_starts_nothing() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    market.bind(&running.lease, 0, &[(&running.device, 1, USDC)]);
    market.close(&running.renter, &running.lease);
    let (ix, key) =
        (market.start_ix(&market.coordinator, &running.lease, 0, &[1]), market.coordinator_key());
    market.refused(ix, &[&key], MarketError::LeaseNotOpen);
}
