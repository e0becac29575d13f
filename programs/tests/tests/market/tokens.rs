//! Accounts that only look like SPL Token's.

use crate::edit;
use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::interface::{MarketError, TOKEN_PROGRAM};
use ionet_program_tests::{Key, Market, TOKEN_2022, Tamper, USDC};

#[test]
fn a_multisig_is_no_token_account() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let to = running.supplier.tokens[0];
    market.pass(100);
    market.attest(&running.lease, 0, &[(0, 100)]);
    let good = market.withdraw_ix(&running.lease, 0, &[(0, to)]);
    // SPL Token's third kind of account has 355 bytes, most of them its maker's to choose.
    let data = market.account(&to).unwrap().data;
    for length in [0, 1, 82, 164, 166, 355] {
        let mut data = data.clone();
        data.resize(length, 1);
        let fake = edit::made(&mut market, data, &TOKEN_PROGRAM);
        market.refused(good.clone().swap(4, fake), &[], MarketError::BadTokenAccount);
    }
    market.ok(good, &[]);
}

#[test]
fn a_mint_that_is_none_is_refused() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let (good, _) = market.open_ix(&renter, 0, &market.terms());
    let mint = market.mints[0];
    let data = market.account(&mint).unwrap().data;
    for change in [
        |data: &mut Vec<u8>| data[45] = 0,        // not initialized
        |data: &mut Vec<u8>| data.resize(165, 1), // a token account
        |data: &mut Vec<u8>| data.truncate(81),
        |data: &mut Vec<u8>| data.clear(),
    ] {
        edit::bytes(&mut market, &mint, change);
        market.refused(good.clone(), &[&renter.key], MarketError::WrongMint);
        edit::bytes(&mut market, &mint, |bytes| bytes.clone_from(&data));
    }
    market.ok(good, &[&renter.key]);
}

#[test]
fn extensions_of_token_2022_get_in_nowhere() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter) = (running.lease, &running.renter);
    market.pass(100);
    market.attest(&lease, 0, &[(0, 100)]);
    // An account with extensions: its type, then a transfer fee that was withheld.
    let with_extension = |market: &mut Market, at: &Key| {
        let mut data = market.account(at).unwrap().data;
        data.extend([2, 2, 0, 8, 0, 9, 9, 9, 9, 9, 9, 9, 9]);
        edit::made(market, data, &TOKEN_2022)
    };
    let (to, source) = (running.supplier.tokens[0], renter.tokens[0]);
    let (fake_to, fake_source) =
        (with_extension(&mut market, &to), with_extension(&mut market, &source));
    let fake_refund = with_extension(&mut market, &lease.refund_to);
    let bad = MarketError::BadTokenAccount;
    let pay = market.withdraw_ix(&lease, 0, &[(0, fake_to)]);
    market.refused(pay, &[], bad);
    let add = market.top_up_ix(renter, 0, &lease, 1).swap(1, fake_source);
    market.refused(add, &[&renter.key], bad);
    let close = market.close_ix(renter, &lease, CloseReason::None).swap(3, fake_refund);
    market.refused(close, &[&renter.key], bad);
    for place in [(market.sweep_ix(&lease), 4), (market.withdraw_ix(&lease, 0, &[(0, to)]), 3)] {
        let ix = place.0.swap(place.1, TOKEN_2022);
        market.refused(ix, &[], MarketError::WrongTokenProgram);
    }
    // The allowed mint itself, grown by an extension, is not taken either.
    let (open, _) = market.open_ix(renter, 1, &market.terms());
    let mint = market.mints[0];
    edit::account(&mut market, &mint, |account| {
        account.data.resize(165, 0);
        account.data.extend([1, 1, 0, 108, 0]);
        account.owner = solana_address::Address::from(TOKEN_2022);
    });
    market.refused(open, &[&renter.key], MarketError::WrongMint);
}

#[test]
fn a_vault_that_changed_pays_nobody() {
    // Another mint, another owner.
    for place in [0, 32] {
        let mut market = Market::new();
        let running = market.running(|_| {});
        market.pass(100);
        market.attest(&running.lease, 0, &[(0, 100)]);
        let value = if place == 0 { market.mints[1] } else { market.stranger.at() };
        edit::bytes(&mut market, &running.lease.vault, |data| {
            data[place..place + 32].copy_from_slice(&value);
        });
        let to = running.supplier.tokens[0];
        let pay = market.withdraw_ix(&running.lease, 0, &[(0, to)]);
        market.refused(pay, &[], MarketError::TamperedVault);
        market.refused(market.sweep_ix(&running.lease), &[], MarketError::TamperedVault);
        let close = market.close_ix(&running.renter, &running.lease, CloseReason::None);
        market.refused(close, &[&running.renter.key], MarketError::TamperedVault);
    }
}
