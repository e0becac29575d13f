//! Days on which somebody behaves badly or is not there at all. Each ends as "Bad days" of
//! `docs/money.md` says: everybody has their money and their rent, alone, and devices are free.

use ionet_program_tests::interface::account::{CloseReason, LeaseState, SessionRights, Vouch};
use ionet_program_tests::interface::statement::Receipt;
use ionet_program_tests::interface::{BaseUnits, MarketError, PROGRAM_ID, Seconds};
use ionet_program_tests::{GENESIS, LeaseAt, Market, Refusal, Running, USDC, Wallet, freeze, thaw};

/// Lamports of a counter of 80 bytes: the one account that is never closed.
const COUNTER_RENT: u64 = 1_447_680;
const DAY: i64 = 86_400;

/// Lamports of everyone who pays rent.
fn purses(market: &Market, renter: &Wallet) -> (u64, u64) {
    (market.lamports(&renter.at()), market.lamports(&market.coordinator.at()))
}

/// Frees a line's device, once the lease is closed: anyone may.
#[track_caller]
fn free(market: &mut Market, running: &Running, index: u8) {
    let line = [(index, &running.device)];
    let ix = market.end_ix(&market.stranger, &running.lease, 0, &line);
    let key = market.stranger.key.insecure_clone();
    market.ok(ix, &[&key]);
    assert_eq!(market.device(&running.device.record).units_bound, 0);
}

/// Cashes a receipt of the coordinator's, as a supplier does alone.
#[track_caller]
fn cash(market: &mut Market, lease: &LeaseAt, served_s: u64) -> Result<(), Refusal> {
    let generation = market.line(lease, 0, 0).generation;
    let receipt = Receipt { lease: lease.lease, page: 0, index: 0, generation, served_s };
    let text = receipt.signing_bytes(&GENESIS, &PROGRAM_ID);
    let signed = market.signed_ix(&market.coordinator_key(), &text);
    let claim = market.wrap(&market.claim_ix(lease, 0, 0, served_s));
    market.send(&[signed, claim], &[]).map(|_| ())
}

/// Anyone settles and takes everything down; nobody's key is needed.
#[track_caller]
fn take_down(market: &mut Market, running: &Running) {
    let lease = &running.lease;
    if market.lease(&lease.lease).state == LeaseState::Closed {
        market.finalize(lease);
    }
    market.ok(market.withdraw_ix(lease, 0, &[(0, running.supplier.tokens[0])]), &[]);
    market.ok(market.sweep_ix(lease), &[]);
    market.ok(market.reclaim_page_ix(lease, 0, &market.coordinator), &[]);
    market.ok(market.reclaim_lease_ix(lease), &[]);
    assert!(market.account(&lease.lease).is_none() && market.account(&lease.vault).is_none());
}

#[test]
fn a_renter_who_opens_and_closes_in_a_loop_pays_for_it_itself() {
    const ROUNDS: u64 = 12;
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(1_000 * USDC));
    let device = market.register(&supplier, 1, USDC);
    let before = purses(&market, &renter);
    let mut leases = Vec::new();
    for round in 0..ROUNDS {
        let lease = market.open(&renter, round, &market.terms());
        market.bind(&lease, 0, &[(&device, 1, USDC)]);
        market.start(&lease, 0, &[0]);
        market.pass(36);
        market.attest(&lease, 0, &[(0, 36)]);
        market.close(&renter, &lease);
        // Closing walks over nothing; the coordinator frees the device for the next lease.
        let key = market.coordinator_key();
        let end = market.end_ix(&market.coordinator, &lease, 0, &[(0, &device)]);
        market.ok(end, &[&key]);
        assert_eq!(market.device(&device.record).units_bound, 0);
        leases.push(lease);
    }
    // Until the windows end, the renter has locked rent of a lease and a vault a round, the
    // coordinator that of a page.
    let (now, coordinators_now) = purses(&market, &renter);
    let page = market.lamports(&leases[0].page(0));
    assert_eq!(before.1 - coordinators_now, ROUNDS * page);
    let both = market.lamports(&leases[0].lease) + market.lamports(&leases[0].vault);
    assert_eq!(before.0 - now, ROUNDS * both + COUNTER_RENT);
    for lease in leases {
        let running =
            Running { supplier: wallet(&supplier), renter: wallet(&renter), device, lease };
        take_down(&mut market, &running);
    }
    assert_eq!(purses(&market, &renter), (before.0 - COUNTER_RENT, before.1));
    assert_eq!(market.balance(&supplier.tokens[0]), ROUNDS * USDC / 100);
    let fees = market.balance(&market.fee_owner.tokens[0]);
    assert_eq!(fees, ROUNDS * USDC / 5_000);
    assert_eq!(market.balance(&renter.tokens[0]), 1_000 * USDC - ROUNDS * USDC / 100 - fees);
}

fn wallet(of: &Wallet) -> Wallet {
    Wallet { key: of.key.insecure_clone(), tokens: of.tokens }
}

#[test]
fn a_bound_device_is_retired_only_after_its_line_ends_and_keeps_what_it_earned() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (supplier, device) = (&running.supplier, running.device);
    market.pass(3_600);
    market.attest(&running.lease, 0, &[(0, 3_600)]);
    let retire = market.retire_ix(supplier, &device);
    market.refused(retire.clone(), &[&supplier.key], MarketError::DeviceInUse);
    let end = market.end_ix(supplier, &running.lease, 0, &[(0, &device)]);
    market.ok(end, &[&supplier.key]);
    market.ok(retire, &[&supplier.key]);
    assert!(market.account(&device.record).is_none());
    market.pass(3_600);
    market.close(&running.renter, &running.lease);
    take_down(&mut market, &running);
    assert_eq!(market.balance(&supplier.tokens[0]), USDC, "its hour");
    assert_eq!(market.balance(&running.renter.tokens[0]), 999 * USDC - USDC / 50, "and no more");
}

#[test]
fn a_closed_lease_keeps_nobody_from_retiring_a_device() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    market.close(&running.renter, &running.lease);
    let retire = market.retire_ix(&running.supplier, &running.device);
    market.refused(retire.clone(), &[&running.supplier.key], MarketError::DeviceInUse);
    free(&mut market, &running, 0);
    market.ok(retire, &[&running.supplier.key]);
    take_down(&mut market, &running);
}

#[test]
fn who_is_bound_and_never_started_leaves_alone_and_costs_the_renter_nothing() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(1_000 * USDC));
    let device = market.register(&supplier, 4, USDC);
    let before = purses(&market, &renter);
    let lease = market.open(&renter, 0, &market.terms());
    market.bind(&lease, 0, &[(&device, 2, 2 * USDC)]);
    let running = Running { supplier, renter, device, lease };
    // Nothing more is heard of the coordinator.
    market.pass(DAY / 2);
    let end = market.end_ix(&running.supplier, &lease, 0, &[(0, &device)]);
    market.ok(end, &[&running.supplier.key]);
    assert_eq!(market.device(&device.record).units_bound, 0);
    market.close(&running.renter, &lease);
    assert_eq!(market.balance(&running.renter.tokens[0]), 1_000 * USDC, "to the last base unit");
    take_down(&mut market, &running);
    let after = purses(&market, &running.renter);
    assert_eq!(after, (before.0 - COUNTER_RENT, before.1));
}

#[test]
fn who_is_started_and_never_vouched_for_costs_the_renter_nothing_either() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.deposit = 100 * USDC);
    market.pass(DAY / 2);
    market.close(&running.renter, &running.lease);
    let set_aside = 12 * (USDC + USDC / 50) + 1;
    let renter = running.renter.tokens[0];
    assert_eq!(market.balance(&renter), 1_000 * USDC - set_aside, "until the claim window ends");
    free(&mut market, &running, 0);
    take_down(&mut market, &running);
    assert_eq!(market.balance(&renter), 1_000 * USDC, "nobody is paid for silence");
    assert_eq!(market.balance(&running.supplier.tokens[0]), 0);
}

#[test]
fn when_the_coordinator_vanishes_receipts_pay_and_everybody_leaves_alone() {
    let mut market = Market::new();
    let before = market.lamports(&market.coordinator.at());
    let running = market.running(|terms| terms.vouch = Vouch::Coordinator);
    market.pass(7_200);
    cash(&mut market, &running.lease, 7_199).unwrap();
    market.close(&running.renter, &running.lease);
    cash(&mut market, &running.lease, 7_200).unwrap();
    free(&mut market, &running, 0);
    take_down(&mut market, &running);
    assert_eq!(market.balance(&running.supplier.tokens[0]), 2 * USDC);
    assert_eq!(market.lamports(&market.coordinator.at()), before, "its rent, though it is gone");
}

#[test]
fn when_the_renter_vanishes_too_a_supplier_ends_the_lease_alone() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.deposit = 100 * USDC);
    market.pass(DAY + 300 - 1);
    let close = market.close_ix(&running.supplier, &running.lease, CloseReason::None);
    market.refused(close.clone(), &[&running.supplier.key], MarketError::ClockRuns);
    market.pass(1);
    market.ok(close, &[&running.supplier.key]);
    cash(&mut market, &running.lease, 86_400).unwrap();
    free(&mut market, &running, 0);
    take_down(&mut market, &running);
    assert_eq!(market.balance(&running.supplier.tokens[0]), 24 * USDC);
    let spent = 24 * (USDC + USDC / 50);
    assert_eq!(market.balance(&running.renter.tokens[0]), 1_000 * USDC - spent);
}

#[test]
fn a_session_key_that_is_gone_is_not_needed_by_its_renter() {
    let mut market = Market::new();
    let session = market.wallet(0);
    let running = market.running(|terms| {
        (terms.session, terms.session_rights) = (session.at(), SessionRights::ALL);
        (terms.vouch, terms.accept_s) = (Vouch::Session, 60);
    });
    drop(session);
    let (lease, renter) = (&running.lease, &running.renter);
    market.bind(lease, 0, &[(&running.device, 1, USDC)]);
    market.start(lease, 0, &[1]);
    let reject = market.reject_ix(renter, lease, 0, &[(1, &running.device)]);
    market.ok(reject, &[&renter.key]);
    market.pass(3_600);
    let vouch = market.attest_ix(renter, lease, 0, &[(0, 3_600)]);
    market.ok(vouch, &[&renter.key]);
    market.ok(market.top_up_ix(renter, 0, lease, USDC), &[&renter.key]);
    market.ok(market.end_ix(renter, lease, 0, &[(0, &running.device)]), &[&renter.key]);
    market.close(renter, lease);
    take_down(&mut market, &running);
    assert_eq!(market.balance(&running.supplier.tokens[0]), USDC);
}

#[test]
fn a_frozen_vault_makes_everybody_wait_and_changes_nothing() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter) = (running.lease, &running.renter);
    market.pass(1_800);
    market.attest(&lease, 0, &[(0, 1_800)]);
    freeze(&mut market.svm, &lease.vault);
    let draw = market.withdraw_ix(&lease, 0, &[(0, running.supplier.tokens[0])]);
    market.fails(draw.clone(), &[]);
    market.fails(market.sweep_ix(&lease), &[]);
    market.fails(market.top_up_ix(renter, 0, &lease, USDC), &[&renter.key]);
    let refunding = market.close_ix(renter, &lease, CloseReason::None);
    market.fails(refunding, &[&renter.key]);
    // Service is vouched for, and the lease can be closed: only tokens stand still.
    market.pass(1_800);
    market.attest(&lease, 0, &[(0, 3_600)]);
    let close = market.close_only_ix(renter, &lease, CloseReason::None);
    market.ok(close, &[&renter.key]);
    free(&mut market, &running, 0);
    market.pass(DAY);
    market.fails(market.refund_ix(&lease), &[]);
    market.fails(market.finalize_ix(&lease), &[]);
    assert_eq!(market.lease(&lease.lease).state, LeaseState::Closed);
    thaw(&mut market.svm, &lease.vault);
    market.ok(market.finalize_ix(&lease), &[]);
    market.ok(draw, &[]);
    take_down(&mut market, &running);
    assert_eq!(market.balance(&running.supplier.tokens[0]), USDC);
    assert_eq!(market.balance(&renter.tokens[0]), 999 * USDC - USDC / 50);
}

#[test]
fn a_frozen_account_of_the_renter_or_a_supplier_blocks_nobody_else() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter, supplier) = (running.lease, &running.renter, &running.supplier);
    let other = market.wallet(0);
    let device = market.register(&other, 1, USDC);
    market.bind(&lease, 0, &[(&device, 1, USDC)]);
    market.start(&lease, 0, &[1]);
    market.pass(3_600);
    market.attest(&lease, 0, &[(0, 3_600), (1, 3_600)]);
    freeze(&mut market.svm, &renter.tokens[0]);
    freeze(&mut market.svm, &supplier.tokens[0]);
    let close = market.close_only_ix(renter, &lease, CloseReason::None);
    market.ok(close, &[&renter.key]);
    market.refused(market.refund_ix(&lease), &[], MarketError::BadTokenAccount);
    market.ok(market.withdraw_ix(&lease, 0, &[(1, other.tokens[0])]), &[]);
    market.ok(market.sweep_ix(&lease), &[]);
    assert_eq!(market.balance(&other.tokens[0]), USDC);
    thaw(&mut market.svm, &renter.tokens[0]);
    market.finalize(&lease);
    let his = market.withdraw_ix(&lease, 0, &[(0, supplier.tokens[0])]);
    market.refused(his.clone(), &[], MarketError::BadTokenAccount);
    thaw(&mut market.svm, &supplier.tokens[0]);
    market.ok(his, &[]);
    assert_eq!(market.balance(&supplier.tokens[0]), USDC, "it waited for its owner");
    assert_eq!(market.balance(&renter.tokens[0]), 998 * USDC - USDC / 25);
}

#[test]
fn a_day_without_a_chain_is_paid_where_it_was_served() {
    for (served, paid) in [(3_600, USDC), (3_600 + DAY as u64, 25 * USDC)] {
        let mut market = Market::new();
        let running = market.running(|terms| {
            (terms.deposit, terms.expires_at) = (100 * USDC, terms.expires_at + 9 * DAY);
        });
        let renter = running.renter.tokens[0];
        market.pass(3_600);
        market.attest(&running.lease, 0, &[(0, 3_600)]);
        market.pass(DAY);
        // The first call after the outage: what the day could cost is set aside ...
        market.close(&running.renter, &running.lease);
        let most = 25 * (USDC + USDC / 50) + 1;
        assert_eq!(market.balance(&renter), 1_000 * USDC - most);
        // ... and paid as far as somebody vouches for it: the claim window began only now.
        cash(&mut market, &running.lease, served).unwrap();
        free(&mut market, &running, 0);
        take_down(&mut market, &running);
        assert_eq!(market.balance(&running.supplier.tokens[0]), paid);
        assert_eq!(market.balance(&renter), 1_000 * USDC - paid - paid / 50);
    }
}

#[test]
fn a_lease_that_expired_while_the_chain_was_down_pays_up_to_its_end() {
    let mut market = Market::new();
    let running = market.running(|terms| {
        (terms.deposit, terms.expires_at) = (100 * USDC, terms.expires_at - DAY / 2);
    });
    market.pass(3_600);
    market.pass(DAY);
    let lease = running.lease;
    assert_eq!(
        market
            .lease(&lease.lease)
            .clock()
            .now(ionet_program_tests::interface::Timestamp(market.now())),
        Seconds(43_200)
    );
    let past = market.attest_ix(&market.coordinator, &lease, 0, &[(0, 43_201)]);
    let key = market.coordinator_key();
    market.refused(past, &[&key], MarketError::ServedPastClock);
    let bind = market.bind_ix(&market.coordinator, &lease, 0, &[(&running.device, 1, USDC)]);
    market.refused(bind, &[&key], MarketError::LeaseExpired);
    // The grace period passed during the outage too: anyone ends it at once.
    let close = market.close_ix(&running.supplier, &lease, CloseReason::None);
    market.ok(close, &[&running.supplier.key]);
    cash(&mut market, &lease, 43_200).unwrap();
    free(&mut market, &running, 0);
    take_down(&mut market, &running);
    assert_eq!(market.balance(&running.supplier.tokens[0]), 12 * USDC);
}

#[test]
fn a_deposit_that_ended_while_the_chain_was_down_pays_up_to_its_end() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.deposit = 2 * (USDC + USDC / 50) + 1);
    market.pass(DAY / 2);
    assert_eq!(
        cash(&mut market, &running.lease, 7_201),
        Err(Refusal::Market(MarketError::ServedPastClock))
    );
    cash(&mut market, &running.lease, 7_200).unwrap();
    // A top-up buys time from now on, not the outage.
    let renter = &running.renter;
    market.ok(market.top_up_ix(renter, 0, &running.lease, USDC + USDC / 50), &[&renter.key]);
    market.pass(3_600);
    assert_eq!(
        cash(&mut market, &running.lease, 10_801),
        Err(Refusal::Market(MarketError::ServedPastClock))
    );
    cash(&mut market, &running.lease, 10_800).unwrap();
    let record = market.lease(&running.lease.lease);
    assert_eq!(record.owed, BaseUnits(3 * USDC));
}

#[test]
fn a_claim_window_that_ended_while_the_chain_was_down_is_over() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    market.pass(3_600);
    market.attest(&running.lease, 0, &[(0, 3_000)]);
    market.close(&running.renter, &running.lease);
    market.pass(DAY);
    let late = cash(&mut market, &running.lease, 3_600);
    assert_eq!(late, Err(Refusal::Market(MarketError::ClaimWindowOver)));
    free(&mut market, &running, 0);
    take_down(&mut market, &running);
    assert_eq!(market.balance(&running.supplier.tokens[0]), USDC * 3_000 / 3_600);
}
