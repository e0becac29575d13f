//! `init_config`: the program's upgrade authority makes the configuration, once.

use crate::access::{Outcome, args, is_at, key, signs, store, take};
use crate::{cpi, emit};
use ionet_market_interface::account::{Config, Kind, LAYOUT_VERSION};
use ionet_market_interface::instruction::{InitConfig, Tag};
use ionet_market_interface::{MarketError, Timestamp, UPGRADEABLE_LOADER, seeds};
use pinocchio::cpi::Seed;
use pinocchio::{AccountView, Address};

const LOADER: Address = Address::new_from_array(UPGRADEABLE_LOADER);

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let args: InitConfig = args(data)?;
    let ([payer, authority, config, own, own_data, _system], _) = take::<6>(accounts)?;
    signs(authority)?;
    is_upgrade_authority(program, own, own_data, authority)?;
    if !args.settings.is_within_limits() {
        return Err(MarketError::BadSetting);
    }
    let bump = cpi::is_canonical(program, config, &seeds::config())?;
    if bump != args.bump {
        return Err(MarketError::WrongAddress);
    }
    let seeds = [Seed::from(seeds::CONFIG), Seed::from(core::slice::from_ref(&bump))];
    cpi::create(&cpi::New {
        payer,
        account: config,
        space: Config::LEN,
        owner: program,
        seeds: &seeds,
    })?;
    let record = Config {
        kind: Kind::Config as u8,
        version: LAYOUT_VERSION,
        bump,
        reserved: [0; 5],
        now: args.settings,
        genesis_hash: args.genesis_hash,
        next_at: Timestamp(0),
        next: args.settings,
    };
    store(config, &record)?;
    emit::account(Tag::InitConfig, config)
}

/// The upgradeable loader's records say so: program (tag 2, address of its data), data (tag 3,
/// slot, an authority if there is one).
fn is_upgrade_authority(
    program: &Address,
    own: &AccountView,
    own_data: &AccountView,
    authority: &AccountView,
) -> Outcome {
    is_at(own, program.as_array())?;
    if !own.owned_by(&LOADER) || !own_data.owned_by(&LOADER) {
        return Err(MarketError::WrongOwner);
    }
    let denied = MarketError::NotUpgradeAuthority;
    let record = own.try_borrow().map_err(|_| denied)?;
    if record.len() < 36 || record[..4] != [2, 0, 0, 0] || record[4..36] != *key(own_data) {
        return Err(MarketError::WrongAddress);
    }
    let record = own_data.try_borrow().map_err(|_| denied)?;
    let ours = record.len() >= 45
        && record[..4] == [3, 0, 0, 0]
        && record[12] == 1
        && record[13..45] == *key(authority);
    if ours { Ok(()) } else { Err(denied) }
}
