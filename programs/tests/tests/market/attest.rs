//! `attest`.

use ionet_program_tests::interface::account::{LeaseState, Vouch};
use ionet_program_tests::interface::{BaseUnits, MarketError, Seconds};
use ionet_program_tests::{Market, Tamper, USDC};

#[test]
fn seconds_only_grow_and_never_pass_the_clock() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, key) = (running.lease, market.coordinator_key());
    market.pass(90);
    market.attest(&lease, 0, &[(0, 60)]);
    market.attest(&lease, 0, &[(0, 30)]);
    assert_eq!(market.line(&lease, 0, 0).served, Seconds(60), "an older figure changes nothing");
    for seconds in [91, 1 << 40, u64::MAX] {
        let ix = market.attest_ix(&market.coordinator, &lease, 0, &[(0, seconds)]);
        market.refused(ix, &[&key], MarketError::ServedPastClock);
    }
    market.attest(&lease, 0, &[(0, 90), (0, 90)]);
    let record = market.lease(&lease.lease);
    // A dollar an hour for 90 seconds, and two per cent of it on top.
    assert_eq!((record.owed, record.fees), (BaseUnits(25_000), BaseUnits(500)));
    let many: Vec<(u8, u64)> = (0..24).map(|_| (0, 90)).collect();
    market.attest(&lease, 0, &many);
    assert_eq!(market.lease(&lease.lease).owed, BaseUnits(25_000));
}

#[test]
fn whose_word_counts_is_the_leases_choice() {
    // Renter, session, coordinator, supplier.
    let no = Some(MarketError::NotAllowed);
    let not_his = Some(MarketError::NotCoordinator);
    for (vouch, wanted) in [
        (Vouch::Either, [None, None, None, not_his]),
        (Vouch::Coordinator, [not_his, not_his, None, not_his]),
        (Vouch::Session, [None, None, no, no]),
    ] {
        let mut market = Market::new();
        let session = market.wallet(0);
        let running = market.running(|terms| {
            terms.vouch = vouch;
            terms.session = session.at();
        });
        market.pass(100);
        let coordinator = ionet_program_tests::Wallet {
            key: market.coordinator_key(),
            tokens: market.coordinator.tokens,
        };
        let actors = [&running.renter, &session, &coordinator, &running.supplier];
        for (seconds, (who, why)) in (1..).zip(actors.into_iter().zip(wanted)) {
            let ix = market.attest_ix(who, &running.lease, 0, &[(0, seconds)]);
            match why {
                None => drop(market.ok(ix, &[&who.key])),
                Some(why) => market.refused(ix, &[&who.key], why),
            }
        }
    }
}

#[test]
fn a_zero_session_key_is_nobody() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.vouch = Vouch::Session);
    market.pass(10);
    let good = market.attest_ix(&running.renter, &running.lease, 0, &[(0, 5)]);
    market.refused(good.swap(0, [0; 32]).unsigned(0), &[], MarketError::MissingSigner);
}

#[test]
fn claims_end_with_the_window() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let key = market.coordinator_key();
    market.pass(100);
    market.close(&running.renter, &running.lease);
    market.pass(600);
    market.attest(&running.lease, 0, &[(0, 50)]);
    let late = market.attest_ix(&market.coordinator, &running.lease, 0, &[(0, 100)]);
    let more = market.attest_ix(&market.coordinator, &running.lease, 0, &[(0, 101)]);
    market.refused(more, &[&key], MarketError::ServedPastClock);
    market.pass(1);
    market.refused(late.clone(), &[&key], MarketError::ClaimWindowOver);
    market.finalize(&running.lease);
    assert_eq!(market.lease(&running.lease.lease).state, LeaseState::Finalized);
    market.refused(late, &[&key], MarketError::ClaimWindowOver);
}

#[test]
fn wrong_accounts_and_lines_are_refused() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let other = market.wallet(100 * USDC);
    let second = market.open(&other, 0, &market.terms());
    let key = market.coordinator_key();
    market.pass(10);
    let who = &market.coordinator;
    let good = market.attest_ix(who, &running.lease, 0, &[(0, 5)]);
    let cases = [
        (market.attest_ix(who, &running.lease, 0, &[]), MarketError::BadInstruction),
        (market.attest_ix(who, &running.lease, 0, &[(1, 1)]), MarketError::NoSuchLine),
        (market.attest_ix(who, &running.lease, 0, &[(0, 1); 25]), MarketError::BadInstruction),
        (good.clone().swap(1, second.lease), MarketError::WrongPage),
        (good.clone().swap(1, running.device.record), MarketError::WrongKind),
        (good.clone().swap(2, running.device.record), MarketError::WrongKind),
        (good.clone().swap(2, running.renter.tokens[0]), MarketError::WrongOwner),
        (good.clone().readonly(1), MarketError::NotWritable),
        (good.clone().readonly(2), MarketError::NotWritable),
        (good.clone().data(|d| d.truncate(17)), MarketError::BadInstruction),
    ];
    for (at, (ix, why)) in cases.into_iter().enumerate() {
        eprintln!("case {at}");
        market.refused(ix, &[&key], why);
    }
    market.refused(good.clone().unsigned(0), &[], MarketError::MissingSigner);
    market.ok(good, &[&key]);
}

/// Only time that runs back can bring a line's first second back.
#[test]
fn without_a_window_seconds_count_at_once() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.accept_s = 0);
    market.pass(50);
    market.attest(&running.lease, 0, &[(0, 10)]);
    market.pass(-50);
    market.attest(&running.lease, 0, &[(0, 20)]);
    assert_eq!(market.line(&running.lease, 0, 0).served, Seconds(20));
}
