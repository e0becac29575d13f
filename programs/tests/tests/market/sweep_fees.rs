//! `sweep_fees`.

use ionet_program_tests::interface::MarketError;
use ionet_program_tests::{Market, TOKEN_2022, Tamper, USDC};

#[test]
fn fees_go_to_the_fee_owner_once() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let lease = running.lease;
    market.ok(market.sweep_ix(&lease), &[]);
    market.pass(3_600);
    market.attest(&lease, 0, &[(0, 3_600)]);
    market.ok(market.sweep_ix(&lease), &[]);
    market.ok(market.sweep_ix(&lease), &[]);
    assert_eq!(market.balance(&lease.fees_to), 20_000, "two per cent of a dollar");
}

#[test]
fn and_to_nobody_else() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let lease = running.lease;
    market.pass(100);
    market.attest(&lease, 0, &[(0, 100)]);
    let good = market.sweep_ix(&lease);
    let fake_config = market.copy_of(&good.accounts[0].address, market.stranger.at());
    for (ix, why) in [
        (good.clone().swap(3, market.coordinator.tokens[0]), MarketError::WrongTokenOwner),
        (good.clone().swap(3, market.fee_owner.tokens[1]), MarketError::WrongMint),
        (good.clone().swap(3, lease.vault), MarketError::WrongAddress),
        (good.clone().swap(0, fake_config), MarketError::WrongOwner),
        (good.clone().swap(0, running.device.record), MarketError::WrongKind),
        (good.clone().swap(4, TOKEN_2022), MarketError::WrongTokenProgram),
        (good.clone().readonly(1), MarketError::NotWritable),
        (good.clone().cut(4), MarketError::NotEnoughAccounts),
    ] {
        market.refused(ix, &[], why);
    }
    market.ok(good, &[]);
    assert!(market.balance(&lease.fees_to) > 0 && market.balance(&lease.fees_to) < USDC);
}
