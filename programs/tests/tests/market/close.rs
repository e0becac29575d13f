//! `close` and `refund`.

use ionet_program_tests::interface::account::{CloseReason, LeaseState, SessionRights};
use ionet_program_tests::interface::{BaseUnits, MarketError};
use ionet_program_tests::{Market, TOKEN_2022, Tamper, USDC, freeze, thaw};

#[test]
fn it_ends_everything_at_once_and_refunds_what_no_line_can_claim() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter) = (running.lease, &running.renter);
    market.pass(3_600);
    market.close(renter, &lease);
    let record = market.lease(&lease.lease);
    assert_eq!((record.state, record.close_reason), (LeaseState::Closed, CloseReason::Renter));
    // An hour at 1.02 dollars, and one base unit for the rounding of the fee.
    assert_eq!(record.committed, BaseUnits(1_020_001));
    assert_eq!(record.gross_rate.0, 0, "nothing runs any more");
    assert_eq!(market.balance(&renter.tokens[0]), 1_000 * USDC - 1_020_001);
    market.pass(500);
    market.attest(&lease, 0, &[(0, 3_600)]);
    market.refused(
        market.close_ix(renter, &lease, CloseReason::None),
        &[&renter.key],
        MarketError::LeaseNotOpen,
    );
}

#[test]
fn a_coordinator_gives_one_of_its_reasons() {
    for reason in CloseReason::ALL {
        let mut market = Market::new();
        let running = market.running(|_| {});
        let key = market.coordinator_key();
        let ix = market.close_ix(&market.coordinator, &running.lease, *reason);
        if reason.is_coordinators() {
            market.ok(ix, &[&key]);
            assert_eq!(market.lease(&running.lease.lease).close_reason, *reason);
        } else {
            market.refused(ix, &[&key], MarketError::BadReason);
        }
    }
}

#[test]
fn the_session_closes_only_with_that_right() {
    for (rights, may) in
        [(SessionRights::END, false), (SessionRights::CLOSE, true), (SessionRights::ALL, true)]
    {
        let mut market = Market::new();
        let session = market.wallet(0);
        let running = market.running(|terms| {
            terms.session = session.at();
            terms.session_rights = rights;
        });
        let ix = market.close_ix(&session, &running.lease, CloseReason::None);
        if may {
            market.ok(ix, &[&session.key]);
        } else {
            market.refused(ix, &[&session.key], MarketError::ClockRuns);
        }
    }
}

#[test]
fn anyone_closes_once_the_clock_has_stood_for_the_grace_period() {
    let mut market = Market::new();
    // 999 base units at 1.02 dollars an hour: three seconds.
    let running = market.running(|terms| terms.deposit = 1_000);
    let stranger = market.wallet(0);
    let ix = market.close_ix(&stranger, &running.lease, CloseReason::Finished);
    for later in [2, 1, 299] {
        market.pass(later);
        market.refused(ix.clone(), &[&stranger.key], MarketError::ClockRuns);
    }
    market.pass(1);
    market.ok(ix, &[&stranger.key]);
    assert_eq!(market.lease(&running.lease.lease).close_reason, CloseReason::ClockStood);

    let mut market = Market::new();
    let running = market.running(|terms| terms.deposit = 100 * USDC);
    let stranger = market.wallet(0);
    let ix = market.close_ix(&stranger, &running.lease, CloseReason::Finished);
    market.pass(86_400 - 1);
    market.refused(ix.clone(), &[&stranger.key], MarketError::ClockRuns);
    market.pass(300);
    market.refused(ix.clone(), &[&stranger.key], MarketError::ClockRuns);
    market.pass(1);
    market.ok(ix, &[&stranger.key]);
}

#[test]
fn the_refund_goes_to_the_renter_alone() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter) = (running.lease, &running.renter);
    let other = market.wallet(100 * USDC);
    let second = market.open(&other, 0, &market.terms());
    let good = market.close_ix(renter, &lease, CloseReason::None);
    let cases = [
        (good.clone().swap(3, market.stranger.tokens[0]), MarketError::WrongTokenOwner),
        (good.clone().swap(3, renter.tokens[1]), MarketError::WrongMint),
        (good.clone().swap(3, lease.vault), MarketError::WrongAddress),
        (good.clone().swap(2, second.vault), MarketError::WrongAddress),
        (good.clone().swap(4, TOKEN_2022), MarketError::WrongTokenProgram),
        (good.clone().swap(1, running.device.record), MarketError::WrongKind),
        (good.clone().readonly(1), MarketError::NotWritable),
        (good.clone().cut(4), MarketError::NotEnoughAccounts),
    ];
    for (at, (ix, why)) in cases.into_iter().enumerate() {
        eprintln!("case {at}");
        market.refused(ix, &[&renter.key], why);
    }
    market.refused(good.unsigned(0), &[], MarketError::MissingSigner);
    market.refused(market.refund_ix(&lease), &[], MarketError::LeaseNotClosed);
    // By the coordinator's key too, the money goes home and nowhere else.
    let key = market.coordinator_key();
    let his = market.close_ix(&market.coordinator, &lease, CloseReason::Policy);
    let stolen = his.clone().swap(3, market.coordinator.tokens[0]);
    market.refused(stolen, &[&key], MarketError::WrongTokenOwner);
    market.ok(his, &[&key]);
}

#[test]
fn a_frozen_renter_closes_first_and_is_refunded_later() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter) = (running.lease, &running.renter);
    freeze(&mut market.svm, &lease.refund_to);
    let with = market.close_ix(renter, &lease, CloseReason::None);
    market.refused(with, &[&renter.key], MarketError::BadTokenAccount);
    let without = market.close_only_ix(renter, &lease, CloseReason::None);
    market.ok(without, &[&renter.key]);
    market.refused(market.refund_ix(&lease), &[], MarketError::BadTokenAccount);
    thaw(&mut market.svm, &lease.refund_to);
    let elsewhere = market.refund_ix(&lease).swap(2, market.stranger.tokens[0]);
    market.refused(elsewhere, &[], MarketError::WrongTokenOwner);
    market.ok(market.refund_ix(&lease), &[]);
    let once = market.balance(&lease.refund_to);
    market.ok(market.refund_ix(&lease), &[]);
    assert_eq!(market.balance(&lease.refund_to), once, "a second refund pays nothing");
    assert_eq!(once, 1_000 * USDC - 1, "all but the base unit of the started line");
}
