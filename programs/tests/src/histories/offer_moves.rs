//! Steps of admins and suppliers: settings and devices.

use super::cast::{COORDINATORS, GENESIS, SPONSOR, SUPPLIERS};
use super::driver::Driver;
use super::moves::{Form, signed};
use crate::model::{Derived, Device, Key, Part, Record, find};
use ionet_market_interface::build::{self, Ix};
use ionet_market_interface::instruction::{Offer, RegisterDevice, SetConfig, UpdateDevice};
use ionet_market_interface::statement::registration;
use ionet_market_interface::{PROGRAM_ID, Rate, Timestamp};
use rand::Rng;
use rand::seq::IndexedRandom;

impl Driver<'_> {
    pub(super) fn set_config(&mut self) -> Ix {
        let config = find(Derived::Config).0;
        let mut settings = self.settings();
        if self.chance(30) {
            settings.admin = self.anyone();
        }
        if self.chance(30) {
            settings.fee_owner = self.anyone();
        }
        match self.rng.random_range(0..20) {
            0 => settings.fee_bps.0 = 501,
            1 => settings.mints[0] = self.cast.mints[2],
            2 => settings.claim_window_s = 0,
            3 => settings.grace_s = 86_401,
            _ => {}
        }
        let admin = match &self.world.chain.at(&config).record {
            Record::Config(config) => config.now.admin,
            _ => self.anyone(),
        };
        build::set_config(self.actor(admin), config, &SetConfig { settings })
    }

    fn offer(&mut self, supplier: &Key) -> Offer {
        let now = self.world.chain.now;
        let mut coordinators = [[0; 32]; 4];
        coordinators[0] = self.person(COORDINATORS).at;
        coordinators[1] = self.anyone();
        let elsewhere = self.chance(20);
        let payout_owner = if elsewhere { self.person(SUPPLIERS).at } else { *supplier };
        let asks = [0, 1, 7, 3_600, 999_983, 1_000_000, 5_000_000, 1 << 60];
        let ask = |driver: &mut Self| {
            let rare = driver.chance(3);
            Rate(if rare { driver.one(&asks) } else { driver.one(&asks[1..7]) })
        };
        let life = self.one(&[0, 3_600, 86_400, 9_000_000, 9_000_000]);
        let named = if self.chance(2) { 5 } else { 2 };
        Offer {
            units_total: if self.chance(2) { 0 } else { self.rng.random_range(1..24) },
            asks: [ask(self), ask(self)],
            payout_owner,
            expires_at: Timestamp(now.saturating_add(life)),
            accepts_any: self.chance(70),
            coordinators_len: self.rng.random_range(0..=named),
            coordinators,
        }
    }

    pub(super) fn register_device(&mut self, place: u8) -> Option<Vec<Part>> {
        let chain = &self.world.chain;
        let (devices, any) = (&self.cast.devices, self.chance(10));
        let free: Vec<usize> = (0..devices.len())
            .filter(|i| any || chain.device(&find(Derived::Device(devices[*i].1)).0).is_none())
            .collect();
        let (key, device) = &devices[*free.choose(&mut self.rng)?];
        let supplier = self.person(SUPPLIERS).at;
        let sponsor = self.cast.people[SPONSOR].at;
        let payer = if self.chance(30) { sponsor } else { supplier };
        let expires = Timestamp(match self.rng.random_range(0..20) {
            0 => chain.now - 1,
            1 => chain.now + 7 * 86_400 + 1,
            _ => chain.now + self.rng.random_range(0..=7 * 86_400),
        });
        let (record, bump) = find(Derived::Device(*device));
        let offer = self.offer(&supplier);
        let args = RegisterDevice { bump, statement_expires: expires, offer };
        let (config, itself) = (find(Derived::Config).0, self.chance(50));
        let ix = build::register_device(supplier, payer, record, config, *device, itself, &args);
        let mut parts = Vec::new();
        if !itself {
            let of = if self.chance(4) { self.anyone() } else { supplier };
            let text = registration(&GENESIS, &PROGRAM_ID, device, &of, expires);
            let key = if self.chance(4) { &self.person(SUPPLIERS).key } else { key };
            let form = self.form();
            parts.push(signed(key, &text, form, place));
        }
        parts.push(Part::Market(ix));
        Some(parts)
    }

    /// Nearly always as it should be.
    pub(super) fn form(&mut self) -> Form {
        match self.rng.random_range(0..40) {
            0 => Form::Forged,
            1 => Form::Pointing,
            _ => Form::Plain,
        }
    }

    fn device(&mut self, fits: impl Fn(&Device) -> bool) -> Option<(Key, Device)> {
        let any = self.chance(10);
        let devices = self.world.chain.devices().filter(|(_, device)| any || fits(device));
        let found: Vec<(&Key, &Device)> = devices.collect();
        found.choose(&mut self.rng).map(|(at, device)| (**at, (*device).clone()))
    }

    pub(super) fn update_device(&mut self) -> Option<Ix> {
        let (at, device) = self.device(|_| true)?;
        let supplier = self.actor(device.supplier);
        let mut offer = self.offer(&device.supplier);
        if self.chance(90) {
            offer.units_total = offer.units_total.max(device.bound);
        }
        let config = find(Derived::Config).0;
        Some(build::update_device(supplier, at, config, &UpdateDevice { offer }))
    }

    pub(super) fn retire_device(&mut self) -> Option<Ix> {
        let (at, device) = self.device(|device| device.bound == 0)?;
        Some(build::retire_device(self.actor(device.supplier), at, device.rent_payer))
    }
}
