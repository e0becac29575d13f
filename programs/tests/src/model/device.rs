//! Devices: `register_device`, `update_device`, `retire_device`.

use super::account::{Device, Record};
use super::address::{Derived, find};
use super::amounts::later;
use super::transaction::{Call, No, unless};
use super::{Key, NOBODY};
use ionet_market_interface::instruction::{Offer, RegisterDevice, UpdateDevice};
use ionet_market_interface::statement::registration;
use ionet_market_interface::{INSTRUCTIONS_SYSVAR, MarketError, PROGRAM_ID};

/// A statement is good for a week at most.
const STATEMENT_S_MAX: u64 = 7 * 86_400;

impl Call<'_> {
    fn sensible(&self, offer: &Offer) -> Result<(), No> {
        let sensible = offer.units_total > 0
            && offer.payout_owner != NOBODY
            && offer.coordinators_len <= 4
            && offer.expires_at.0 > self.chain.now;
        unless(sensible, MarketError::BadArgument)
    }

    /// Whose signature over `message` the precompile checked right before.
    pub(crate) fn signer_of(&self, sysvar: usize, message: &[u8]) -> Result<Key, No> {
        self.is_at(sysvar, &INSTRUCTIONS_SYSVAR)?;
        let proof = self.before.ok_or(No::Market(MarketError::StatementMissing))?;
        let plain = proof.points_at.is_none();
        unless(plain && proof.message == message, MarketError::StatementMismatch)?;
        Ok(proof.signer)
    }

    pub(crate) fn register_device(&mut self, args: &RegisterDevice) -> Result<(), No> {
        const SUPPLIER: usize = 0;
        const PAYER: usize = 1;
        const DEVICE: usize = 2;
        const CONFIG: usize = 3;
        const KEY: usize = 4;
        const SYSVAR: usize = 5;
        self.takes(7)?;
        self.signs(SUPPLIER)?;
        self.sensible(&args.offer)?;
        let (key, supplier, now) = (self.key(KEY), self.key(SUPPLIER), self.chain.now);
        if !self.has_signed(KEY) {
            let genesis = self.config(CONFIG)?.genesis;
            let until = args.statement_expires;
            let fresh = until.0 >= now && until.0 <= later(now, STATEMENT_S_MAX);
            unless(fresh, MarketError::StatementExpired)?;
            let text = registration(&genesis, &PROGRAM_ID, &key, &supplier, until);
            unless(self.signer_of(SYSVAR, &text)? == key, MarketError::StatementMismatch)?;
        }
        let derived = Derived::Device(key);
        unless((self.key(DEVICE), args.bump) == find(derived), MarketError::WrongAddress)?;
        let made = Device {
            bump: args.bump,
            key,
            supplier,
            offer: args.offer,
            payout: args.offer.payout_owner,
            payout_next: None,
            bound: 0,
            generation: self.chain.slot,
            registered_at: now,
            rent_payer: self.key(PAYER),
        };
        self.create(PAYER, DEVICE, derived, args.bump, Record::Device(made))
    }

    pub(crate) fn update_device(&mut self, args: &UpdateDevice) -> Result<(), No> {
        self.takes(3)?;
        self.signs(0)?;
        let mut device = self.device(1)?;
        unless(device.supplier == self.key(0), MarketError::NotSupplier)?;
        let config = self.config(2)?;
        self.sensible(&args.offer)?;
        unless(args.offer.units_total >= device.bound, MarketError::DeviceInUse)?;
        let now = self.chain.now;
        if let Some((owner, at)) = device.payout_next
            && now >= at
        {
            device.payout = owner;
            device.payout_next = None;
        }
        device.offer = args.offer;
        let wanted = args.offer.payout_owner;
        if wanted == device.payout {
            device.payout_next = None;
        } else if device.payout_next.map(|next| next.0) != Some(wanted) {
            let at = later(now, u64::from(config.now.payout_cooldown_s));
            device.payout_next = Some((wanted, at));
        }
        self.store(1, Record::Device(device));
        Ok(())
    }

    pub(crate) fn retire_device(&mut self) -> Result<(), No> {
        self.takes(3)?;
        self.signs(0)?;
        let device = self.device(1)?;
        unless(device.supplier == self.key(0), MarketError::NotSupplier)?;
        unless(device.bound == 0, MarketError::DeviceInUse)?;
        self.is_at(2, &device.rent_payer)?;
        self.writable(2)?;
        self.remove(1, 2);
        Ok(())
    }
}
