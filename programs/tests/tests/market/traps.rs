//! The traps that MONEY names and no single instruction's tests cover.

use ionet_program_tests::interface::account::{CloseReason, LeaseState, Vouch};
use ionet_program_tests::interface::instruction::Tag;
use ionet_program_tests::interface::{BaseUnits, MarketError, Seconds, Timestamp};
use ionet_program_tests::{
    Market, Refusal, START, TOKEN_2022, Tamper, Terms, USDC, books, delegate, freeze,
    set_close_authority,
};
use solana_signer::Signer;

#[test]
fn lamports_sent_beforehand_stop_nothing() {
    for lamports in [1, 1_000_000, 900_000_000] {
        let mut market = Market::new();
        let (supplier, renter) = (market.wallet(0), market.wallet(100 * USDC));
        let device = market.new_key();
        let at = market.device_at(&device.pubkey().to_bytes());
        let (ix, lease) = market.open_ix(&renter, 0, &market.terms());
        let counter = ix.accounts[3].address;
        for address in [at.record, lease.lease, lease.vault, lease.page(0), counter] {
            market.donate(&address, lamports);
        }
        let offer = market.offer(&supplier, 1, USDC);
        let register = market.register_ix(&supplier, &at.key, offer, 0, true);
        market.ok(register, &[&supplier.key, &device]);
        market.ok(ix, &[&renter.key]);
        market.bind(&lease, 0, &[(&at, 1, USDC)]);
        market.start(&lease, 0, &[0]);
    }
}

#[test]
fn a_vault_with_a_delegate_or_a_close_authority_pays_nobody() {
    for trap in [delegate_trap, close_authority_trap] {
        let mut market = Market::new();
        let running = market.running(|_| {});
        market.pass(100);
        market.attest(&running.lease, 0, &[(0, 100)]);
        trap(&mut market, &running.lease.vault);
        let to = running.supplier.tokens[0];
        let pay = market.withdraw_ix(&running.lease, 0, &[(0, to)]);
        market.refused(pay, &[], MarketError::TamperedVault);
        market.refused(market.sweep_ix(&running.lease), &[], MarketError::TamperedVault);
        let close = market.close_ix(&running.renter, &running.lease, CloseReason::None);
        market.refused(close, &[&running.renter.key], MarketError::TamperedVault);
    }
}

fn delegate_trap(market: &mut Market, vault: &ionet_program_tests::Key) {
    let thief = market.stranger.at();
    delegate(&mut market.svm, vault, &thief, USDC);
}

fn close_authority_trap(market: &mut Market, vault: &ionet_program_tests::Key) {
    let thief = market.stranger.at();
    set_close_authority(&mut market.svm, vault, &thief);
}

#[test]
fn a_mint_or_account_of_token_2022_is_not_taken() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let (good, _) = market.open_ix(&renter, 0, &market.terms());
    let source = market.copy_of(&renter.tokens[0], TOKEN_2022);
    let swapped = good.clone().swap(7, source);
    market.refused(swapped, &[&renter.key], MarketError::BadTokenAccount);
    // The allowed mint's own account turns into one of Token-2022.
    let at = solana_address::Address::from(market.mints[0]);
    let mut account = market.svm.get_account(&at).unwrap();
    account.owner = solana_address::Address::from(TOKEN_2022);
    market.svm.set_account(at, account).unwrap();
    market.refused(good, &[&renter.key], MarketError::WrongMint);
}

#[test]
fn a_renter_who_is_also_supplier_and_coordinator_gains_nothing() {
    let mut market = Market::new();
    let me = market.wallet(100 * USDC);
    let before = books(&market).in_circulation(&market.mints[0]);
    let device = market.register(&me, 1, USDC);
    let terms = Terms { coordinator: Some(me.at()), ..market.terms() };
    let lease = market.open(&me, 0, &terms);
    market.ok(market.bind_ix(&me, &lease, 0, &[(&device, 1, USDC)]), &[&me.key]);
    market.ok(market.start_ix(&me, &lease, 0, &[0]), &[&me.key]);
    market.pass(3_600);
    market.ok(market.attest_ix(&me, &lease, 0, &[(0, 3_600)]), &[&me.key]);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, me.tokens[0])]), &[]);
    market.close(&me, &lease);
    market.finalize(&lease);
    market.ok(market.sweep_ix(&lease), &[]);
    assert_eq!(market.balance(&me.tokens[0]), 100 * USDC - 20_000, "the fee is what it costs");
    assert_eq!(books(&market).in_circulation(&market.mints[0]), before);
}

#[test]
fn time_that_stands_or_runs_back_earns_nothing() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, key) = (running.lease, market.coordinator_key());
    let one = market.attest_ix(&market.coordinator, &lease, 0, &[(0, 1)]);
    market.refused(one.clone(), &[&key], MarketError::ServedPastClock);
    market.pass(-50);
    market.refused(one, &[&key], MarketError::ServedPastClock);
    market.pass(150);
    market.attest(&lease, 0, &[(0, 100)]);
    market.pass(-100);
    let more = market.attest_ix(&market.coordinator, &lease, 0, &[(0, 101)]);
    market.refused(more, &[&key], MarketError::ServedPastClock);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, running.supplier.tokens[0])]), &[]);
    market.close(&running.renter, &lease);
    let record = market.lease(&lease.lease);
    assert_eq!(record.v, Seconds(100), "what was vouched for stays covered");
    books(&market).check(market.now());
}

#[test]
fn a_chain_that_was_down_for_hours_pays_only_for_vouched_seconds() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let lease = running.lease;
    market.pass(60);
    market.attest(&lease, 0, &[(0, 60)]);
    market.pass(6 * 3_600);
    market.close(&running.renter, &lease);
    market.finalize(&lease);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, running.supplier.tokens[0])]), &[]);
    assert_eq!(market.balance(&running.supplier.tokens[0]), 16_666);
    assert_eq!(market.balance(&running.renter.tokens[0]), 1_000 * USDC - 16_666 - 334);
}

#[test]
fn the_ends_of_time_do_not_break_the_clock() {
    for instant in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
        let mut market = Market::new();
        let running = market.running(|_| {});
        market.set_time(instant);
        let least = market.attest_ix(&running.renter, &running.lease, 0, &[(0, 1)]);
        let _ = market.run(least, &[&running.renter.key]);
        let open = market.open_ix(&running.renter, 1, &market_terms(instant)).0;
        let _ = market.run(open, &[&running.renter.key]);
        let close = market.close_ix(&running.renter, &running.lease, CloseReason::None);
        market.ok(close, &[&running.renter.key]);
        books(&market).check(market.now());
        let record = market.lease(&running.lease.lease);
        assert!(record.committed <= record.deposit && record.closed_at >= Timestamp(START));
    }
}

fn market_terms(instant: i64) -> Terms {
    Terms { expires_at: instant.saturating_add(60), ..Market::new().terms() }
}

#[test]
fn the_largest_numbers_overflow_into_refusals() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(u64::MAX / 4));
    let device = market.register(&supplier, u16::MAX, u64::MAX);
    let modest = market.register(&supplier, u16::MAX, 1);
    let terms = Terms {
        deposit: u64::MAX / 8,
        rate_per_slot_max: u64::MAX,
        rate_total_max: u64::MAX,
        ..market.terms()
    };
    let lease = market.open(&renter, 0, &terms);
    let key = market.coordinator_key();
    let who = &market.coordinator;
    let dear = market.bind_ix(who, &lease, 0, &[(&device, 2, u64::MAX)]);
    let gross = market.bind_ix(who, &lease, 0, &[(&modest, 1, u64::MAX)]);
    let sum =
        market.bind_ix(who, &lease, 0, &[(&modest, 1, u64::MAX / 2), (&modest, 1, u64::MAX / 2)]);
    for ix in [dear, gross, sum] {
        market.refused(ix, &[&key], MarketError::Overflow);
    }
    market.bind(&lease, 0, &[(&modest, u16::MAX, u64::MAX / 2)]);
    market.start(&lease, 0, &[0]);
    market.pass(80_000);
    let v = market.lease(&lease.lease).v_at(Timestamp(market.now()));
    market.attest(&lease, 0, &[(0, v.0)]);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, supplier.tokens[0])]), &[]);
    market.close(&renter, &lease);
    books(&market).check(market.now());
    let record = market.lease(&lease.lease);
    assert!(record.owed.0 > u64::MAX / 10, "nearly all of it was earned");
}

#[test]
fn the_smallest_amounts_round_against_whoever_asks() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(USDC));
    let device = market.register(&supplier, 1, 1);
    let terms = Terms { deposit: 1_000, ..market.terms() };
    let lease = market.open(&renter, 0, &terms);
    market.bind(&lease, 0, &[(&device, 1, 1)]);
    market.start(&lease, 0, &[0]);
    market.pass(3_599);
    market.attest(&lease, 0, &[(0, 3_599)]);
    assert_eq!(market.lease(&lease.lease).owed, BaseUnits(0));
    market.pass(1);
    market.attest(&lease, 0, &[(0, 3_600)]);
    let record = market.lease(&lease.lease);
    assert_eq!((record.owed, record.fees), (BaseUnits(1), BaseUnits(1)));
    books(&market).check(market.now());
}

#[test]
fn a_lease_closed_to_the_last_account_does_not_come_back() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let terms = market.terms();
    let lease = market.open(&renter, 0, &terms);
    market.close(&renter, &lease);
    let until = market.lease(&lease.lease).claims_until().0;
    market.set_time(until + 1);
    let (again, _) = market.open_ix(&renter, 0, &Terms { expires_at: until + 100, ..terms });
    let all = [market.finalize_ix(&lease), market.reclaim_lease_ix(&lease), again];
    let all: Vec<_> = all.iter().map(|ix| market.wrap(ix)).collect();
    let result = market.send(&all, &[&renter.key]).map(|_| ());
    assert_eq!(result, Err(Refusal::Market(MarketError::WrongCounter)));
    market.send(&all[..2], &[]).unwrap();
    assert!(market.account(&lease.lease).is_none());
}

#[test]
fn a_device_sold_in_one_transaction_takes_no_earnings_along() {
    let mut market = Market::new();
    let (seller, buyer, renter) = (market.wallet(0), market.wallet(0), market.wallet(10 * USDC));
    let key = market.new_key();
    let device = market.device_at(&key.pubkey().to_bytes());
    let offer = market.offer(&seller, 1, USDC);
    let register = market.register_ix(&seller, &device.key, offer, 0, true);
    market.ok(register, &[&seller.key, &key]);
    let lease = market.open(&renter, 0, &market.terms());
    market.bind(&lease, 0, &[(&device, 1, USDC)]);
    market.start(&lease, 0, &[0]);
    market.pass(3_600);
    let offer = market.offer(&buyer, 1, USDC);
    let sale = [
        market.end_ix(&seller, &lease, 0, &[(0, &device)]),
        market.retire_ix(&seller, &device),
        market.register_ix(&buyer, &device.key, offer, 0, true),
    ];
    let sale: Vec<_> = sale.iter().map(|ix| market.wrap(ix)).collect();
    market.send(&sale, &[&seller.key, &buyer.key, &key]).unwrap();
    assert_eq!(market.device(&device.record).supplier, buyer.at());
    market.attest(&lease, 0, &[(0, 3_600)]);
    let astray = market.withdraw_ix(&lease, 0, &[(0, buyer.tokens[0])]);
    market.refused(astray, &[], MarketError::WrongTokenOwner);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, seller.tokens[0])]), &[]);
    assert_eq!(market.balance(&seller.tokens[0]), USDC);
    books(&market).check(market.now());
}

#[test]
fn a_frozen_vault_refuses_and_breaks_nothing() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    market.pass(100);
    market.attest(&running.lease, 0, &[(0, 100)]);
    freeze(&mut market.svm, &running.lease.vault);
    let to = running.supplier.tokens[0];
    market.fails(market.withdraw_ix(&running.lease, 0, &[(0, to)]), &[]);
    let close = market.close_only_ix(&running.renter, &running.lease, CloseReason::None);
    market.ok(close, &[&running.renter.key]);
    assert_eq!(market.lease(&running.lease.lease).state, LeaseState::Closed);
    books(&market).check(market.now());
}

#[test]
fn hostile_data_is_refused_by_every_instruction() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.vouch = Vouch::Either);
    let good = market.attest_ix(&running.renter, &running.lease, 0, &[(0, 0)]);
    let key = running.renter.key.insecure_clone();
    for tag in (0..32).chain([127, 128, 255]) {
        for length in [0usize, 9, 300] {
            let ix = good.clone().data(|data| {
                data.clear();
                data.push(tag);
                data.extend((0..length).map(|at| (at * 31 % 251) as u8 ^ tag));
            });
            let refusal = market.fails(ix, &[&key]);
            assert!(matches!(refusal, Refusal::Market(_)), "{tag} {length}: {refusal:?}");
        }
    }
    assert!(Tag::from_byte(255).is_none());
    market.refused(good.clone().data(Vec::clear), &[&key], MarketError::BadInstruction);
    market.ok(good, &[&key]);
}

#[test]
fn the_bytecode_is_of_a_version_that_solana_still_takes() {
    let elf = ionet_program_tests::bytecode();
    assert_eq!(&elf[..4], b"\x7fELF");
    let flags = u32::from_le_bytes(elf[48..52].try_into().unwrap());
    assert_eq!(flags, 3, "SBPF version 3: older ones can soon not be deployed");
}
