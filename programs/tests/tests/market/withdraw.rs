//! `withdraw`.

use ionet_program_tests::interface::MarketError;
use ionet_program_tests::{Market, TOKEN_2022, Tamper, USDC, freeze, thaw};

#[test]
fn anyone_may_have_a_supplier_paid_and_only_the_supplier_is() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let to = running.supplier.tokens[0];
    let none = market.withdraw_ix(&running.lease, 0, &[(0, to)]);
    market.ok(none.clone(), &[]);
    assert_eq!(market.balance(&to), 0);
    market.pass(7_200);
    market.attest(&running.lease, 0, &[(0, 3_601)]);
    market.ok(none.clone(), &[]);
    assert_eq!(market.balance(&to), 1_000_277, "3,601 seconds at a dollar an hour, rounded down");
    market.ok(none, &[]);
    assert_eq!(market.balance(&to), 1_000_277, "not twice");
    assert_eq!(market.balance(&running.lease.vault), 10 * USDC - 1_000_277);
}

#[test]
fn how_often_it_is_drawn_changes_no_total() {
    let mut totals = Vec::new();
    for step in [1, 7, 60, 840] {
        let mut market = Market::new();
        let (supplier, renter) = (market.wallet(0), market.wallet(1_000 * USDC));
        let device = market.register(&supplier, 1, 1);
        let lease = market.open(&renter, 0, &market.terms());
        // 0.36 base units a second: every single call rounds.
        market.bind(&lease, 0, &[(&device, 1, 1_297)]);
        market.start(&lease, 0, &[0]);
        market.pass(840);
        for served in (step..=840).step_by(step as usize * 10).chain([840]) {
            market.attest(&lease, 0, &[(0, served)]);
            market.ok(market.withdraw_ix(&lease, 0, &[(0, supplier.tokens[0])]), &[]);
            market.ok(market.sweep_ix(&lease), &[]);
        }
        totals.push((market.balance(&supplier.tokens[0]), market.balance(&lease.fees_to)));
    }
    assert_eq!(totals, [(302, 7); 4], "floor(1297 x 840 / 3600), and two per cent rounded up");
}

#[test]
fn nothing_goes_anywhere_else() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, to) = (running.lease, running.supplier.tokens[0]);
    let other = market.wallet(100 * USDC);
    let second = market.open(&other, 0, &market.terms());
    let foreign = market.foreign_mint();
    let foreign = market.token_account(foreign, running.supplier.at(), 0);
    let fake = market.copy_of(&to, market.stranger.at());
    let token_2022 = market.copy_of(&to, TOKEN_2022);
    market.pass(100);
    market.attest(&lease, 0, &[(0, 100)]);
    let good = market.withdraw_ix(&lease, 0, &[(0, to)]);
    let cases = [
        (good.clone().swap(4, market.stranger.tokens[0]), MarketError::WrongTokenOwner),
        (good.clone().swap(4, running.renter.tokens[0]), MarketError::WrongTokenOwner),
        (good.clone().swap(4, running.supplier.tokens[1]), MarketError::WrongMint),
        (good.clone().swap(4, foreign), MarketError::WrongMint),
        (good.clone().swap(4, lease.vault), MarketError::WrongAddress),
        (good.clone().swap(4, running.supplier.at()), MarketError::BadTokenAccount),
        (good.clone().swap(4, fake), MarketError::BadTokenAccount),
        (good.clone().swap(4, token_2022), MarketError::BadTokenAccount),
        (good.clone().swap(4, [77; 32]), MarketError::BadTokenAccount),
        (good.clone().swap(2, second.vault), MarketError::WrongAddress),
        (good.clone().swap(0, second.lease), MarketError::WrongAddress),
        (good.clone().swap(0, second.lease).swap(2, second.vault), MarketError::WrongPage),
        (good.clone().swap(3, TOKEN_2022), MarketError::WrongTokenProgram),
        (good.clone().readonly(0), MarketError::NotWritable),
        (good.clone().readonly(1), MarketError::NotWritable),
        (good.clone().readonly(2), MarketError::NotWritable),
        (good.clone().readonly(4), MarketError::NotWritable),
        (good.clone().cut(4), MarketError::NotEnoughAccounts),
        (market.withdraw_ix(&lease, 0, &[(1, to)]), MarketError::NoSuchLine),
    ];
    for (at, (ix, why)) in cases.into_iter().enumerate() {
        eprintln!("case {at}");
        market.refused(ix, &[], why);
    }
    market.ok(good, &[]);
}

#[test]
fn a_line_named_twice_is_paid_once() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let to = running.supplier.tokens[0];
    market.pass(3_600);
    market.attest(&running.lease, 0, &[(0, 3_600)]);
    market.ok(market.withdraw_ix(&running.lease, 0, &[(0, to), (0, to)]), &[]);
    assert_eq!(market.balance(&to), USDC);
}

#[test]
fn a_frozen_payee_blocks_nobody_else() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let lease = running.lease;
    let other = market.wallet(0);
    let device = market.register(&other, 1, USDC);
    market.bind(&lease, 0, &[(&device, 1, USDC)]);
    market.start(&lease, 0, &[1]);
    market.pass(360);
    market.attest(&lease, 0, &[(0, 360), (1, 360)]);
    let frozen = running.supplier.tokens[0];
    freeze(&mut market.svm, &frozen);
    let his = market.withdraw_ix(&lease, 0, &[(0, frozen)]);
    market.refused(his.clone(), &[], MarketError::BadTokenAccount);
    market.ok(market.withdraw_ix(&lease, 0, &[(1, other.tokens[0])]), &[]);
    assert_eq!(market.balance(&other.tokens[0]), USDC / 10);
    market.close(&running.renter, &lease);
    market.finalize(&lease);
    thaw(&mut market.svm, &frozen);
    market.ok(his, &[]);
    assert_eq!(market.balance(&frozen), USDC / 10, "it waits for its owner, also afterwards");
}
