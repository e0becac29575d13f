//! `reclaim_page` and `reclaim_lease`.

use crate::edit;
use ionet_program_tests::interface::MarketError;
use ionet_program_tests::{Market, Tamper, USDC, transfer};

#[test]
fn all_rent_goes_back_to_whoever_paid_it() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter) = (running.lease, &running.renter);
    let giver = market.wallet(USDC);
    market.pass(100);
    market.attest(&lease, 0, &[(0, 100)]);
    let (page, record) =
        (market.reclaim_page_ix(&lease, 0, &market.coordinator), market.reclaim_lease_ix(&lease));
    market.refused(page.clone(), &[], MarketError::LeaseNotFinalized);
    market.refused(record.clone(), &[], MarketError::LeaseNotFinalized);
    market.close(renter, &lease);
    market.refused(page.clone(), &[], MarketError::LeaseNotFinalized);
    market.finalize(&lease);

    market.refused(page.clone(), &[], MarketError::UnitsHeld);
    let free = market.end_ix(&giver, &lease, 0, &[(0, &running.device)]);
    market.ok(free, &[&giver.key]);
    market.refused(page.clone(), &[], MarketError::StillOwed);
    market.refused(record.clone(), &[], MarketError::PagesRemain);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, running.supplier.tokens[0])]), &[]);
    let elsewhere = page.clone().swap(2, market.stranger.at());
    market.refused(elsewhere, &[], MarketError::WrongAddress);
    let (rent, before) =
        (market.lamports(&lease.page(0)), market.lamports(&market.coordinator.at()));
    market.ok(page.clone(), &[]);
    assert_eq!(market.lamports(&market.coordinator.at()), before + rent);
    market.fails(page, &[]);

    market.refused(record.clone(), &[], MarketError::StillOwed);
    market.ok(market.sweep_ix(&lease), &[]);
    let gift = transfer(&giver.tokens[0], &lease.vault, &giver.at(), 55);
    market.send(&[gift], &[&giver.key]).unwrap();
    let wrong_payer = record.clone().swap(3, market.stranger.at());
    market.refused(wrong_payer, &[], MarketError::WrongAddress);
    let wrong_heir = record.clone().swap(2, market.stranger.tokens[0]);
    market.refused(wrong_heir, &[], MarketError::WrongTokenOwner);
    let (had, tokens) = (market.lamports(&renter.at()), market.balance(&renter.tokens[0]));
    let rent = market.lamports(&lease.lease) + market.lamports(&lease.vault);
    market.ok(record.clone(), &[]);
    assert_eq!(market.lamports(&renter.at()), had + rent);
    assert_eq!(market.balance(&renter.tokens[0]), tokens + 55);
    assert!(market.account(&lease.lease).is_none() && market.account(&lease.vault).is_none());
    market.fails(record, &[]);
}

#[test]
fn a_page_of_another_lease_stays() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let other = market.wallet(100 * USDC);
    let second = market.open(&other, 0, &market.terms());
    market.close(&other, &second);
    market.finalize(&second);
    let ix = market.reclaim_page_ix(&second, 0, &market.coordinator);
    market.refused(ix.swap(1, running.lease.page(0)), &[], MarketError::WrongPage);
    market.ok(market.reclaim_lease_ix(&second), &[]);
}

/// Pages cannot be gone while a line is owed something. If they were, the lease would stay.
#[test]
fn what_is_owed_keeps_a_lease() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.mint_index = 1);
    let lease = running.lease;
    market.pass(100);
    market.attest(&lease, 0, &[(0, 100)]);
    market.close(&running.renter, &lease);
    market.finalize(&lease);
    edit::lease(&mut market, &lease.lease, |record| record.pages_live = 0);
    market.refused(market.reclaim_lease_ix(&lease), &[], MarketError::StillOwed);
}
