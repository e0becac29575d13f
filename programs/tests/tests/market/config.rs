//! `init_config`, `set_config`, `apply_config`.

use crate::edit;
use ionet_program_tests::interface::account::Settings;
use ionet_program_tests::interface::limits::FEE_BPS_MAX;
use ionet_program_tests::interface::{Bps, MarketError, UPGRADEABLE_LOADER};
use ionet_program_tests::{Features, Market, Tamper};

#[test]
fn only_the_upgrade_authority_makes_it_and_once() {
    let mut market = Market::bare(Features::from_env());
    let authority = market.authority.insecure_clone();
    let good = market.init_config_ix(&market.settings());
    let stranger = market.wallet(0);
    let (program, data) = (good.accounts[3].address, good.accounts[4].address);
    let fake = market.copy_of(&data, stranger.at());
    let by_stranger = good.clone().swap(1, stranger.at());
    market.refused(by_stranger, &[&stranger.key], MarketError::NotUpgradeAuthority);
    market.refused(good.clone().unsigned(1), &[], MarketError::MissingSigner);
    for (ix, why) in [
        (good.clone().swap(4, fake), MarketError::WrongOwner),
        (good.clone().swap(4, program), MarketError::WrongAddress),
        (good.clone().swap(3, data), MarketError::WrongAddress),
        (good.clone().swap(2, market.stranger.at()), MarketError::WrongAddress),
        (good.clone().cut(5), MarketError::NotEnoughAccounts),
    ] {
        market.refused(ix, &[&authority], why);
    }
    market.ok(good.clone(), &[&authority]);
    market.refused(good, &[&authority], MarketError::AlreadyExists);
}

#[test]
fn settings_stay_within_the_programs_limits() {
    let mut market = Market::new();
    let good = market.settings();
    let admin = market.admin.key.insecure_clone();
    let [usdc, _] = market.mints;
    for settings in [
        Settings { fee_bps: Bps(FEE_BPS_MAX + 1), ..good },
        Settings { fee_bps: Bps(u16::MAX), ..good },
        Settings { claim_window_s: 0, ..good },
        Settings { claim_window_s: 30 * 86_400 + 1, ..good },
        Settings { grace_s: 0, ..good },
        Settings { grace_s: 86_401, ..good },
        Settings { payout_cooldown_s: 0, ..good },
        Settings { config_cooldown_s: 0, ..good },
        Settings { config_cooldown_s: u32::MAX, ..good },
        Settings { admin: [0; 32], ..good },
        Settings { fee_owner: [0; 32], ..good },
        Settings { mints: [usdc, usdc], ..good },
        Settings { mints: [[7; 32], good.mints[1]], ..good },
        Settings { mints: [good.mints[1], good.mints[0]], ..good },
        Settings { mints: [usdc, [0; 32]], ..good },
        Settings { reserved: [1; 6], ..good },
    ] {
        market.refused(market.set_config_ix(&settings), &[&admin], MarketError::BadSetting);
    }
}

#[test]
fn a_change_waits_for_the_cool_down_in_force() {
    let mut market = Market::new();
    let admin = market.admin.key.insecure_clone();
    let next = Settings {
        fee_bps: Bps(FEE_BPS_MAX),
        config_cooldown_s: 1,
        admin: market.stranger.at(),
        ..market.settings()
    };
    market.refused(market.apply_config_ix(), &[], MarketError::NothingPending);
    market.ok(market.set_config_ix(&next), &[&admin]);
    market.pass(7_199);
    market.refused(market.apply_config_ix(), &[], MarketError::CooldownRunning);
    // A second proposal waits in full.
    market.ok(market.set_config_ix(&next), &[&admin]);
    market.pass(7_199);
    market.refused(market.apply_config_ix(), &[], MarketError::CooldownRunning);
    assert_eq!(market.config().now, market.settings());
    market.pass(1);
    market.ok(market.apply_config_ix(), &[]);
    assert_eq!(market.config().now, next);
    market.refused(market.apply_config_ix(), &[], MarketError::NothingPending);
    market.refused(market.set_config_ix(&next), &[&admin], MarketError::NotAdmin);
}

#[test]
fn only_the_admin_proposes() {
    let mut market = Market::new();
    let good = market.set_config_ix(&market.settings());
    let (authority, admin) = (market.authority.insecure_clone(), market.admin.key.insecure_clone());
    let stranger = market.wallet(0);
    let by_stranger = good.clone().swap(0, stranger.at());
    market.refused(by_stranger, &[&stranger.key], MarketError::NotAdmin);
    let by_authority = good.clone().swap(0, solana_signer::Signer::pubkey(&authority).to_bytes());
    market.refused(by_authority, &[&authority], MarketError::NotAdmin);
    market.refused(good.clone().unsigned(0), &[], MarketError::MissingSigner);
    let fake = market.copy_of(&good.accounts[1].address, stranger.at());
    market.refused(good.clone().swap(1, fake), &[&admin], MarketError::WrongOwner);
    market.refused(good.readonly(1), &[&admin], MarketError::NotWritable);
}

#[test]
fn an_open_lease_keeps_its_fee() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let admin = market.admin.key.insecure_clone();
    let next = Settings { fee_bps: Bps(FEE_BPS_MAX), ..market.settings() };
    market.ok(market.set_config_ix(&next), &[&admin]);
    market.pass(7_200);
    market.ok(market.apply_config_ix(), &[]);
    assert_eq!(market.lease(&running.lease.lease).fee_bps, Bps(200));
    let renter = market.wallet(100_000_000);
    let later = market.open(&renter, 0, &market.terms());
    assert_eq!(market.lease(&later.lease).fee_bps, Bps(FEE_BPS_MAX));
}

#[test]
fn the_first_settings_are_within_limits_too() {
    let mut market = Market::bare(Features::from_env());
    let authority = market.authority.insecure_clone();
    let good = market.settings();
    for settings in [
        Settings { fee_bps: Bps(FEE_BPS_MAX + 1), ..good },
        Settings { admin: [0; 32], ..good },
        Settings { grace_s: 0, ..good },
        Settings { mints: [good.mints[0]; 2], ..good },
    ] {
        let ix = market.init_config_ix(&settings);
        market.refused(ix, &[&authority], MarketError::BadSetting);
    }
}

#[test]
fn a_mint_can_be_added_where_none_was() {
    let mut market = Market::bare(Features::from_env());
    let (authority, admin) = (market.authority.insecure_clone(), market.admin.key.insecure_clone());
    let both = market.settings();
    let one = Settings { mints: [both.mints[0], [0; 32]], ..both };
    market.ok(market.init_config_ix(&one), &[&authority]);
    market.ok(market.set_config_ix(&both), &[&admin]);
    market.pass(7_200);
    market.ok(market.apply_config_ix(), &[]);
    market.refused(market.set_config_ix(&one), &[&admin], MarketError::BadSetting);
}

#[test]
fn the_loaders_records_are_read_exactly() {
    let mut market = Market::bare(Features::from_env());
    let authority = market.authority.insecure_clone();
    let good = market.init_config_ix(&market.settings());
    let data = good.accounts[4].address;
    // An authority that was given up leaves its key behind: only the byte before it says so.
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes[12] = 0,
        |bytes| bytes[0] = 1,
        |bytes| bytes.truncate(44),
        |bytes| bytes[13] ^= 1,
    ];
    let record = market.account(&data).unwrap().data;
    for damage in damages {
        edit::bytes(&mut market, &data, damage);
        market.refused(good.clone(), &[&authority], MarketError::NotUpgradeAuthority);
        edit::bytes(&mut market, &data, |bytes| bytes.clone_from(&record));
    }
    // The loader's record of a program that somebody else may upgrade.
    let thief = market.wallet(0);
    let mut theirs = record.clone();
    theirs[13..45].copy_from_slice(&thief.at());
    let theirs = edit::made(&mut market, theirs, &UPGRADEABLE_LOADER);
    let stolen = good.clone().swap(1, thief.at()).swap(4, theirs);
    market.refused(stolen.clone(), &[&thief.key], MarketError::WrongAddress);
    let program = [&[2, 0, 0, 0], &theirs[..]].concat();
    let program = edit::made(&mut market, program, &UPGRADEABLE_LOADER);
    market.refused(stolen.swap(3, program), &[&thief.key], MarketError::WrongAddress);
    let bump = good.clone().data(|bytes| bytes[1] = bytes[1].wrapping_sub(1));
    market.refused(bump, &[&authority], MarketError::WrongAddress);
    market.ok(good, &[&authority]);
}
