//! `top_up`.

use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::interface::{BaseUnits, MarketError};
use ionet_program_tests::{Market, TOKEN_2022, Tamper, USDC, approve, build_top_up};

#[test]
fn anyone_may_add_money() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let friend = market.wallet(5 * USDC);
    market.ok(market.top_up_ix(&friend, 0, &running.lease, USDC), &[&friend.key]);
    assert_eq!(market.lease(&running.lease.lease).deposit, BaseUnits(11 * USDC));
    assert_eq!(market.balance(&running.lease.vault), 11 * USDC);
}

#[test]
fn the_session_tops_up_within_the_delegates_cap() {
    let mut market = Market::new();
    let session = market.wallet(0);
    let running = market.running(|terms| terms.session = session.at());
    let (renter, lease) = (&running.renter, running.lease);
    let cap = approve(&renter.tokens[0], &session.at(), &renter.at(), 2 * USDC);
    market.send(&[cap], &[&renter.key]).unwrap();
    let ix = build_top_up(&session.at(), &renter.tokens[0], &lease, 2 * USDC);
    market.ok(ix, &[&session.key]);
    let more = build_top_up(&session.at(), &renter.tokens[0], &lease, 1);
    market.fails(more, &[&session.key]);
    assert_eq!(market.lease(&lease.lease).deposit, BaseUnits(12 * USDC));
}

#[test]
fn what_is_wrong_is_refused() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (renter, lease) = (&running.renter, running.lease);
    let other = market.wallet(100 * USDC);
    let second = market.open(&other, 0, &market.terms());
    let good = market.top_up_ix(renter, 0, &lease, USDC);
    let cases = [
        (market.top_up_ix(renter, 0, &lease, 0), MarketError::BadArgument),
        (market.top_up_ix(renter, 0, &lease, u64::MAX), MarketError::InsufficientFunds),
        (market.top_up_ix(renter, 1, &lease, 1), MarketError::WrongMint),
        (good.clone().swap(3, second.vault), MarketError::WrongAddress),
        (good.clone().swap(1, lease.vault), MarketError::WrongAddress),
        (good.clone().swap(2, second.lease), MarketError::WrongAddress),
        (good.clone().swap(4, TOKEN_2022), MarketError::WrongTokenProgram),
        (good.clone().readonly(2), MarketError::NotWritable),
        (good.clone().cut(4), MarketError::NotEnoughAccounts),
    ];
    for (at, (ix, why)) in cases.into_iter().enumerate() {
        eprintln!("case {at}");
        market.refused(ix, &[&renter.key], why);
    }
    market.refused(good.clone().unsigned(0), &[], MarketError::MissingSigner);
    market.fails(good.clone().swap(1, other.tokens[0]), &[&renter.key]);
    let close = market.close_ix(renter, &lease, CloseReason::None);
    market.ok(close, &[&renter.key]);
    market.refused(good, &[&renter.key], MarketError::LeaseNotOpen);
}
