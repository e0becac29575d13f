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
