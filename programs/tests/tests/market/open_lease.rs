//! `open_lease`.

use ionet_program_tests::interface::account::{LeaseState, Vouch};
use ionet_program_tests::interface::limits::{ACCEPT_S_MAX, FEE_BPS_MAX, SLOTS_MAX};
use ionet_program_tests::interface::{BaseUnits, Bps, MarketError, PROGRAM_ID, seeds};
use ionet_program_tests::{Market, TOKEN_2022, Tamper, Terms, USDC, freeze};
use solana_address::Address;

#[test]
fn it_locks_the_deposit_and_keeps_the_terms() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let terms = Terms { accept_s: 30, vouch: Vouch::Session, ..market.terms() };
    let at = market.open(&renter, 0, &terms);
    let lease = market.lease(&at.lease);
    assert_eq!(lease.state, LeaseState::Open);
    assert_eq!(lease.deposit, BaseUnits(10 * USDC));
    assert_eq!(lease.fee_bps, Bps(200));
    assert!(lease.fee_bps.0 <= FEE_BPS_MAX);
    assert_eq!((lease.accept_s, lease.vouch), (30, Vouch::Session));
    assert_eq!((lease.renter, lease.rent_payer), (renter.at(), renter.at()));
    assert_eq!(market.balance(&at.vault), 10 * USDC);
    assert_eq!(market.balance(&renter.tokens[0]), 90 * USDC);
}

#[test]
fn io_pays_no_fee() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let terms = Terms { mint_index: 1, ..market.terms() };
    let at = market.open(&renter, 0, &terms);
    assert_eq!(market.lease(&at.lease).fee_bps, Bps(0));
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let (good, now) = (market.terms(), market.now());
    let cases = [
        (Terms { expires_at: now, ..good }, MarketError::BadTerm),
        (Terms { expires_at: now - 1, ..good }, MarketError::BadTerm),
        (Terms { expires_at: now + 400 * 86_400 + 1, ..good }, MarketError::BadTerm),
        (Terms { expires_at: i64::MAX, ..good }, MarketError::BadTerm),
        (Terms { expires_at: i64::MIN, ..good }, MarketError::BadTerm),
        (Terms { deposit: 0, ..good }, MarketError::BadArgument),
        (Terms { deposit: 999, ..good }, MarketError::DepositTooSmall),
        (Terms { deposit: 101 * USDC, ..good }, MarketError::InsufficientFunds),
        (Terms { deposit: u64::MAX, ..good }, MarketError::InsufficientFunds),
        (Terms { slots_max: 0, ..good }, MarketError::BadArgument),
        (Terms { slots_max: SLOTS_MAX + 1, ..good }, MarketError::BadArgument),
        (Terms { accept_s: ACCEPT_S_MAX + 1, ..good }, MarketError::BadArgument),
        (Terms { rate_per_slot_max: 0, ..good }, MarketError::BadArgument),
        (Terms { rate_total_max: 0, ..good }, MarketError::BadArgument),
        (Terms { coordinator: Some([0; 32]), ..good }, MarketError::BadArgument),
    ];
    for (terms, why) in cases {
        let (ix, _) = market.open_ix(&renter, 0, &terms);
        market.refused(ix, &[&renter.key], why);
    }
    let edge = Terms {
        expires_at: now + 400 * 86_400,
        deposit: 1_000,
        slots_max: SLOTS_MAX,
        accept_s: ACCEPT_S_MAX,
        rate_per_slot_max: u64::MAX,
        rate_total_max: u64::MAX,
        ..good
    };
    market.open(&renter, 0, &edge);
}

#[test]
fn each_wrong_account_is_refused() {
    let mut market = Market::new();
    let (renter, other) = (market.wallet(100 * USDC), market.wallet(100 * USDC));
    let terms = market.terms();
    market.open(&other, 0, &terms);
    let (good, _) = market.open_ix(&renter, 0, &terms);
    let (of_other, _) = market.open_ix(&other, 1, &terms);
    let foreign = market.foreign_mint();
    let fake_config = market.copy_of(&good.accounts[2].address, TOKEN_2022);
    let foreign_tokens = market.token_account(foreign, renter.at(), 100 * USDC);
    let frozen = market.token_account(market.mints[0], renter.at(), 100 * USDC);
    freeze(&mut market.svm, &frozen);
    let io = market.mints[1];
    let cases = [
        (good.clone().unsigned(0), MarketError::MissingSigner),
        (good.clone().swap(2, fake_config), MarketError::WrongOwner),
        (good.clone().swap(2, renter.tokens[0]), MarketError::WrongOwner),
        (good.clone().swap(3, of_other.accounts[3].address), MarketError::WrongAddress),
        (good.clone().swap(3, good.accounts[4].address), MarketError::WrongAddress),
        (good.clone().swap(6, foreign), MarketError::WrongMint),
        (good.clone().swap(6, io), MarketError::WrongMint),
        (good.clone().swap(7, foreign_tokens), MarketError::WrongMint),
        (good.clone().swap(6, foreign).swap(7, foreign_tokens), MarketError::WrongMint),
        (good.clone().swap(7, renter.tokens[1]), MarketError::WrongMint),
        (good.clone().swap(7, frozen), MarketError::BadTokenAccount),
        (good.clone().swap(7, renter.at()), MarketError::BadTokenAccount),
        (good.clone().swap(8, TOKEN_2022), MarketError::WrongTokenProgram),
        (good.clone().cut(9), MarketError::NotEnoughAccounts),
        (good.clone().data(|d| d.push(0)), MarketError::BadInstruction),
        (good.clone().data(|d| d.truncate(40)), MarketError::BadInstruction),
    ];
    for (at, (ix, why)) in cases.into_iter().enumerate() {
        // The swapped token account may name the payer twice: it is signed for either way.
        eprintln!("case {at}");
        let signers: &[_] = if ix.accounts[0].signer { &[&renter.key] } else { &[] };
        let ix = if signers.is_empty() { ix.unsigned(1) } else { ix };
        market.refused(ix, signers, why);
    }
    market.fails(good.clone().swap(5, of_other.accounts[5].address), &[&renter.key]);
    market.fails(good.clone().swap(4, of_other.accounts[4].address), &[&renter.key]);
    market.fails(good.clone().readonly(5), &[&renter.key]);
    market.fails(good.clone().swap(7, other.tokens[0]), &[&renter.key]);
    market.ok(good, &[&renter.key]);
}

#[test]
fn a_counter_is_used_once() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let terms = market.terms();
    let (later, _) = market.open_ix(&renter, 1, &terms);
    market.refused(later.clone(), &[&renter.key], MarketError::WrongCounter);
    market.open(&renter, 0, &terms);
    let (again, _) = market.open_ix(&renter, 0, &terms);
    market.refused(again, &[&renter.key], MarketError::WrongCounter);
    market.ok(later, &[&renter.key]);
}

/// With a second counter a closed lease's address could be opened again.
#[test]
fn a_renter_has_one_counter() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let (good, _) = market.open_ix(&renter, 0, &market.terms());
    let canonical = good.data[1];
    let others = (0..canonical).rev().filter_map(|bump| {
        let seeds: [&[u8]; 3] = [seeds::RENTER, &renter.at(), &[bump]];
        let at = Address::create_program_address(&seeds, &Address::from(PROGRAM_ID)).ok()?;
        Some((bump, at.to_bytes()))
    });
    for (bump, at) in others.take(3) {
        let second = good.clone().swap(3, at).data(|data| data[1] = bump);
        market.refused(second, &[&renter.key], MarketError::WrongAddress);
        let misnamed = good.clone().data(|data| data[1] = bump);
        market.refused(misnamed, &[&renter.key], MarketError::WrongAddress);
    }
    market.ok(good, &[&renter.key]);
}
