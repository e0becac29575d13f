//! `reject`.

use ionet_program_tests::interface::account::{LineState, SessionRights};
use ionet_program_tests::interface::{BaseUnits, MarketError};
use ionet_program_tests::{Market, Tamper};

#[test]
fn a_rejected_line_owes_nothing_and_cannot_be_vouched_for() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.accept_s = 60);
    market.pass(60);
    let early = market.attest_ix(&running.renter, &running.lease, 0, &[(0, 60)]);
    market.refused(early, &[&running.renter.key], MarketError::AcceptanceRunning);
    let ix = market.reject_ix(&running.renter, &running.lease, 0, &[(0, &running.device)]);
    market.ok(ix.clone(), &[&running.renter.key]);
    let line = market.line(&running.lease, 0, 0);
    assert_eq!((line.state, line.owed()), (LineState::Rejected, Some(BaseUnits(0))));
    assert_eq!(market.device(&running.device.record).units_bound, 0);
    market.refused(ix, &[&running.renter.key], MarketError::WrongLineState);
    market.pass(600);
    let vouch = market.attest_ix(&market.coordinator, &running.lease, 0, &[(0, 1)]);
    let key = market.coordinator_key();
    market.refused(vouch, &[&key], MarketError::ServedPastClock);
}

#[test]
fn the_window_ends() {
    for (accept_s, after, rejected) in
        [(0, 0, false), (60, 60, true), (60, 61, false), (120, 120, true), (120, 4_000, false)]
    {
        let mut market = Market::new();
        let running = market.running(|terms| terms.accept_s = accept_s);
        market.pass(after);
        let ix = market.reject_ix(&running.renter, &running.lease, 0, &[(0, &running.device)]);
        if rejected {
            market.ok(ix, &[&running.renter.key]);
        } else {
            market.refused(ix, &[&running.renter.key], MarketError::AcceptanceOver);
        }
    }
}

#[test]
fn only_the_renter_and_its_session_reject() {
    let mut market = Market::new();
    let (session, stranger) = (market.wallet(0), market.wallet(0));
    let running = market.running(|terms| {
        terms.accept_s = 60;
        terms.session = session.at();
        terms.session_rights = SessionRights::END;
    });
    let lines = [(0, &running.device)];
    for who in [&running.supplier, &stranger] {
        let ix = market.reject_ix(who, &running.lease, 0, &lines);
        market.refused(ix, &[&who.key], MarketError::NotAllowed);
    }
    let key = market.coordinator_key();
    let ix = market.reject_ix(&market.coordinator, &running.lease, 0, &lines);
    market.refused(ix, &[&key], MarketError::NotAllowed);
    let good = market.reject_ix(&session, &running.lease, 0, &lines);
    market.refused(good.clone().unsigned(0), &[], MarketError::MissingSigner);
    market.ok(good, &[&session.key]);
}

#[test]
fn a_supplier_cannot_escape_by_ending_and_retiring() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.accept_s = 60);
    let (supplier, device) = (&running.supplier, &running.device);
    market.pass(10);
    market.ok(market.end_ix(supplier, &running.lease, 0, &[(0, device)]), &[&supplier.key]);
    market.ok(market.retire_ix(supplier, device), &[&supplier.key]);
    let ix = market.reject_ix(&running.renter, &running.lease, 0, &[(0, device)]);
    market.ok(ix, &[&running.renter.key]);
    assert_eq!(market.line(&running.lease, 0, 0).state, LineState::Rejected);
}

#[test]
fn a_line_that_did_not_start_is_not_rejected() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.accept_s = 60);
    market.bind(&running.lease, 0, &[(&running.device, 1, 1_000_000)]);
    let ix = market.reject_ix(&running.renter, &running.lease, 0, &[(1, &running.device)]);
    market.refused(ix, &[&running.renter.key], MarketError::WrongLineState);
}

#[test]
fn a_line_that_ended_without_a_start_is_not_rejected() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.accept_s = 60);
    let (lease, device, renter) = (running.lease, &running.device, &running.renter);
    market.bind(&lease, 0, &[(device, 1, 1_000_000)]);
    market.ok(market.end_ix(renter, &lease, 0, &[(1, device)]), &[&renter.key]);
    let ix = market.reject_ix(renter, &lease, 0, &[(1, device)]);
    market.refused(ix, &[&renter.key], MarketError::WrongLineState);
}

/// Both only when the chain's time runs back.
#[test]
fn nothing_is_rejected_after_it_was_vouched_for_or_finalized() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.accept_s = 60);
    let (lease, renter) = (running.lease, &running.renter);
    let start = market.now();
    let ix = market.reject_ix(renter, &lease, 0, &[(0, &running.device)]);
    market.pass(61);
    market.attest(&lease, 0, &[(0, 61)]);
    market.set_time(start + 30);
    market.refused(ix, &[&renter.key], MarketError::AcceptanceOver);

    let mut market = Market::new();
    let running = market.running(|terms| terms.accept_s = 60);
    let (lease, renter) = (running.lease, &running.renter);
    let ix = market.reject_ix(renter, &lease, 0, &[(0, &running.device)]);
    market.close(renter, &lease);
    market.finalize(&lease);
    market.set_time(start + 30);
    market.refused(ix, &[&renter.key], MarketError::LeaseNotOpen);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.accept_s = 60);
    let (lease, renter) = (running.lease, &running.renter);
    let (other, others) = (market.wallet(0), market.wallet(100_000_000));
    let device = market.register(&other, 1, 1);
    let second = market.open(&others, 0, &market.terms());
    let good = market.reject_ix(renter, &lease, 0, &[(0, &running.device)]);
    for (ix, why) in [
        (good.clone().cut(3), MarketError::NotEnoughAccounts),
        (good.clone().swap(3, device.record), MarketError::WrongDevice),
        (good.clone().swap(1, second.lease), MarketError::NotAllowed),
        (good.clone().swap(2, device.record), MarketError::WrongKind),
        (market.reject_ix(renter, &lease, 0, &[(1, &device)]), MarketError::NoSuchLine),
        (good.clone().readonly(1), MarketError::NotWritable),
        (good.clone().readonly(2), MarketError::NotWritable),
        (good.clone().readonly(3), MarketError::NotWritable),
    ] {
        market.refused(ix, &[&renter.key], why);
    }
    let twice = [(0, &running.device), (0, &running.device)];
    let twice = market.reject_ix(renter, &lease, 0, &twice);
    market.refused(twice, &[&renter.key], MarketError::WrongLineState);
    market.ok(good, &[&renter.key]);
}
