//! `end_line`.

use ionet_program_tests::interface::account::{LineState, SessionRights};
use ionet_program_tests::interface::{MarketError, Seconds};
use ionet_program_tests::{Market, Tamper, USDC};

#[test]
fn each_who_may_end_a_line_ends_it_and_frees_its_device() {
    for who in 0..4 {
        let mut market = Market::new();
        let session = market.wallet(0);
        let running = market.running(|terms| {
            terms.session = session.at();
            terms.session_rights = SessionRights::END;
        });
        market.pass(60);
        let actor = match who {
            0 => &running.renter,
            1 => &running.supplier,
            2 => &session,
            _ => &ionet_program_tests::Wallet {
                key: market.coordinator_key(),
                tokens: market.coordinator.tokens,
            },
        };
        let ix = market.end_ix(actor, &running.lease, 0, &[(0, &running.device)]);
        market.ok(ix.clone(), &[&actor.key]);
        let line = market.line(&running.lease, 0, 0);
        assert_eq!((line.state, line.v_end), (LineState::Ended, Seconds(60)));
        assert_eq!(market.device(&running.device.record).units_bound, 0);
        let lease = market.lease(&running.lease.lease);
        assert_eq!((lease.slots_live, lease.gross_rate.0, lease.rate_live.0), (0, 0, 0));
        market.refused(ix, &[&actor.key], MarketError::WrongLineState);
    }
}

#[test]
fn nobody_else_ends_it() {
    let mut market = Market::new();
    let session = market.wallet(0);
    let running = market.running(|terms| {
        terms.session = session.at();
        terms.session_rights = SessionRights::CLOSE;
    });
    let other = market.wallet(0);
    let others = market.register(&other, 4, USDC);
    market.bind(&running.lease, 0, &[(&others, 1, USDC)]);
    for who in [&session, &other] {
        let ix = market.end_ix(who, &running.lease, 0, &[(0, &running.device)]);
        market.refused(ix, &[&who.key], MarketError::NotAllowed);
    }
    let good = market.end_ix(&running.renter, &running.lease, 0, &[(0, &running.device)]);
    let renter = &running.renter.key;
    let fake = market.copy_of(&running.device.record, market.stranger.at());
    for (ix, why) in [
        (good.clone().swap(3, others.record), MarketError::WrongDevice),
        (good.clone().swap(3, fake), MarketError::WrongOwner),
        (good.clone().swap(3, running.lease.lease), MarketError::WrongKind),
        (good.clone().readonly(3), MarketError::NotWritable),
        (good.clone().cut(3), MarketError::NotEnoughAccounts),
    ] {
        market.refused(ix, &[renter], why);
    }
    market.refused(good.unsigned(0), &[], MarketError::MissingSigner);
    let twice = market.end_ix(
        &running.renter,
        &running.lease,
        0,
        &[(0, &running.device), (0, &running.device)],
    );
    market.refused(twice, &[renter], MarketError::WrongLineState);
    // A supplier ends its own line and no other beside it.
    let both = market.end_ix(&other, &running.lease, 0, &[(1, &others), (0, &running.device)]);
    market.refused(both, &[&other.key], MarketError::NotAllowed);
    market.ok(market.end_ix(&other, &running.lease, 0, &[(1, &others)]), &[&other.key]);
}

#[test]
fn on_a_closed_lease_anyone_frees_a_device() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    market.bind(&running.lease, 0, &[(&running.device, 2, 2 * USDC)]);
    market.pass(10);
    market.close(&running.renter, &running.lease);
    market.pass(1_000);
    let stranger = market.wallet(0);
    let ix =
        market.end_ix(&stranger, &running.lease, 0, &[(0, &running.device), (1, &running.device)]);
    market.ok(ix, &[&stranger.key]);
    assert_eq!(market.device(&running.device.record).units_bound, 0);
    assert_eq!(market.line(&running.lease, 0, 0).v_end, Seconds(10), "as closing froze it");
    assert_eq!(market.line(&running.lease, 0, 1).v_end, Seconds(0), "it never started");
}
