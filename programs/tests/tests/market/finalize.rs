//! `finalize`.

use ionet_program_tests::interface::MarketError;
use ionet_program_tests::interface::account::LeaseState;
use ionet_program_tests::{Market, TOKEN_2022, Tamper, USDC, transfer};

#[test]
fn the_renter_gets_what_nobody_claimed_and_strangers_gifts() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter) = (running.lease, &running.renter);
    let giver = market.wallet(USDC);
    let gift = transfer(&giver.tokens[0], &lease.vault, &giver.at(), 123);
    market.send(&[gift], &[&giver.key]).unwrap();
    market.pass(3_600);
    market.attest(&lease, 0, &[(0, 1_800)]);
    market.close(renter, &lease);
    market.refused(market.finalize_ix(&lease), &[], MarketError::ClaimWindowOpen);
    market.pass(600);
    market.refused(market.finalize_ix(&lease), &[], MarketError::ClaimWindowOpen);
    market.finalize(&lease);
    assert_eq!(market.lease(&lease.lease).state, LeaseState::Finalized);
    // Half an hour at a dollar, and the fee on it, stay for those who earned them.
    assert_eq!(market.balance(&lease.vault), 500_000 + 10_000);
    assert_eq!(market.balance(&renter.tokens[0]), 1_000 * USDC - 510_000 + 123);
    market.refused(market.finalize_ix(&lease), &[], MarketError::LeaseNotClosed);
    market.refused(market.refund_ix(&lease), &[], MarketError::LeaseNotClosed);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, running.supplier.tokens[0])]), &[]);
    market.ok(market.sweep_ix(&lease), &[]);
    assert_eq!(market.balance(&lease.vault), 0);
}

#[test]
fn it_pays_nobody_else_and_waits_for_closing() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let lease = running.lease;
    market.refused(market.finalize_ix(&lease), &[], MarketError::LeaseNotClosed);
    let other = market.wallet(100 * USDC);
    let second = market.open(&other, 0, &market.terms());
    market.pass(10);
    market.close(&running.renter, &lease);
    market.pass(601);
    let good = market.finalize_ix(&lease);
    for (ix, why) in [
        (good.clone().swap(2, other.tokens[0]), MarketError::WrongTokenOwner),
        (good.clone().swap(2, running.renter.tokens[1]), MarketError::WrongMint),
        (good.clone().swap(1, second.vault), MarketError::WrongAddress),
        (good.clone().swap(0, running.device.record), MarketError::WrongKind),
        (good.clone().swap(3, TOKEN_2022), MarketError::WrongTokenProgram),
        (good.clone().readonly(0), MarketError::NotWritable),
        (good.clone().cut(3), MarketError::NotEnoughAccounts),
    ] {
        market.refused(ix, &[], why);
    }
    market.ok(good, &[]);
}
