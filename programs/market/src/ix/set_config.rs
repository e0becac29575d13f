//! `set_config`: the admin proposes settings. They wait for the cool-down that is in force.

use crate::access::{Outcome, args, key, load_mut, now, signs, store, take};
use crate::emit;
use ionet_market_interface::account::Config;
use ionet_market_interface::instruction::{SetConfig, Tag};
use ionet_market_interface::{MarketError, Seconds};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let args: SetConfig = args(data)?;
    let ([admin, config], _) = take::<2>(accounts)?;
    signs(admin)?;
    let mut record: Config = load_mut(program, config)?;
    if record.now.admin != *key(admin) {
        return Err(MarketError::NotAdmin);
    }
    if !args.settings.is_within_limits() || !record.now.keeps_mints(&args.settings) {
        return Err(MarketError::BadSetting);
    }
    record.next = args.settings;
    record.next_at = now()?.saturating_add(Seconds(u64::from(record.now.config_cooldown_s)));
    store(config, &record)?;
    emit::account(Tag::SetConfig, config)
}
