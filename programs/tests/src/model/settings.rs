//! The configuration: `init_config`, `set_config`, `apply_config`.

use super::account::{Config, Record};
use super::address::{Derived, find};
use super::amounts::later;
use super::transaction::{Call, No, unless};
use super::{Key, NOBODY};
use ionet_market_interface::account::Settings;
use ionet_market_interface::instruction::{InitConfig, SetConfig};
use ionet_market_interface::{MarketError, PROGRAM_ID, TOKEN_PROGRAM};

/// The limits that no setting passes, as `docs/money.md` names them.
const FEE_BPS_MAX: u16 = 500;
const DAY_S: u32 = 86_400;

fn is_allowed(settings: &Settings) -> bool {
    let within = |value: u32, days: u32| (1..=days * DAY_S).contains(&value);
    settings.fee_bps.0 <= FEE_BPS_MAX
        && within(settings.claim_window_s, 30)
        && within(settings.grace_s, 1)
        && within(settings.payout_cooldown_s, 30)
        && within(settings.config_cooldown_s, 30)
        && settings.admin != NOBODY
        && settings.fee_owner != NOBODY
        && (settings.mints[0] == NOBODY || settings.mints[0] != settings.mints[1])
        && settings.reserved == [0; 6]
}

impl Call<'_> {
    pub(crate) fn init_config(&mut self, args: &InitConfig) -> Result<(), No> {
        const PAYER: usize = 0;
        const AUTHORITY: usize = 1;
        const CONFIG: usize = 2;
        const PROGRAM: usize = 3;
        const DATA: usize = 4;
        self.takes(6)?;
        self.signs(AUTHORITY)?;
        self.is_at(PROGRAM, &PROGRAM_ID)?;
        let data = self.key(DATA);
        // The loader's, but another's than this program's data.
        let loaders = data == PROGRAM_ID || data == TOKEN_PROGRAM;
        unless(!loaders, MarketError::WrongAddress)?;
        unless(data == self.chain.program_data, MarketError::WrongOwner)?;
        let authority = self.chain.authority;
        unless(self.key(AUTHORITY) == authority, MarketError::NotUpgradeAuthority)?;
        unless(is_allowed(&args.settings), MarketError::BadSetting)?;
        let canonical = find(Derived::Config);
        unless((self.key(CONFIG), args.bump) == canonical, MarketError::WrongAddress)?;
        let (now, next) = (args.settings, args.settings);
        let (bump, genesis) = (args.bump, args.genesis_hash);
        let made = Record::Config(Config { bump, now, next, next_at: 0, genesis });
        self.create(PAYER, CONFIG, Derived::Config, bump, made)
    }

    pub(crate) fn set_config(&mut self, args: &SetConfig) -> Result<(), No> {
        self.takes(2)?;
        self.signs(0)?;
        self.writable(1)?;
        let mut config = self.config(1)?;
        unless(config.now.admin == self.key(0), MarketError::NotAdmin)?;
        let same_mint = |i: usize| {
            let set: Key = config.now.mints[i];
            set == NOBODY || set == args.settings.mints[i]
        };
        let allowed = is_allowed(&args.settings) && same_mint(0) && same_mint(1);
        unless(allowed, MarketError::BadSetting)?;
        config.next = args.settings;
        config.next_at = later(self.chain.now, u64::from(config.now.config_cooldown_s));
        self.store(1, Record::Config(config));
        Ok(())
    }

    pub(crate) fn apply_config(&mut self) -> Result<(), No> {
        self.takes(1)?;
        self.writable(0)?;
        let mut config = self.config(0)?;
        unless(config.next_at != 0, MarketError::NothingPending)?;
        unless(self.chain.now >= config.next_at, MarketError::CooldownRunning)?;
        config.now = config.next;
        config.next_at = 0;
        self.store(0, Record::Config(config));
        Ok(())
    }
}
