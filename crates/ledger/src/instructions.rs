//! From the interface's instructions to Solana's, with every address derived.

use crate::addresses;
use crate::token::associated_account;
use ionet_market_interface::account::{CloseReason, SessionRights, Vouch};
use ionet_market_interface::build::{self, Ix, Meta, OpenLeaseAccounts};
use ionet_market_interface::instruction::{
    Bind, BindLine, InitConfig, Offer, OpenLease, RegisterDevice, Served, UpdateDevice,
};
use ionet_market_interface::limits::LINES_PER_PAGE;
use ionet_market_interface::{BaseUnits, Rate, Timestamp};
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// What a renter's wallet signs to open a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLeaseOrder {
    /// The renter's counter: part of the lease's address.
    pub counter: u64,
    /// What is paid in.
    pub mint: Address,
    /// Base units to lock.
    pub deposit: u64,
    /// Most live lines at once.
    pub slots_max: u16,
    /// Ceiling on one line's rate per hour, without the fee.
    pub rate_per_slot_max: u64,
    /// Ceiling on all live lines' rates per hour, with the fee.
    pub rate_total_max: u64,
    /// Unix seconds when the lease ends.
    pub expires_at: i64,
    /// Seconds after a line's start in which it may be rejected, 0 to 120.
    pub accept_s: u8,
    /// A key that acts for the renter.
    pub session: Option<Address>,
    /// What that key may do.
    pub session_rights: SessionRights,
    /// Who binds and starts.
    pub coordinator: Address,
    /// Whose word about served seconds counts.
    pub vouch: Vouch,
    /// Hash of the spec.
    pub policy_hash: [u8; 32],
}

/// A device to bind to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundLine {
    /// The device's key.
    pub device: [u8; 32],
    /// Chips of it.
    pub units: u16,
    /// Base units per hour for all of them, without the fee.
    pub rate: u64,
}

fn to_meta(meta: &Meta) -> AccountMeta {
    AccountMeta {
        pubkey: Address::from(meta.address),
        is_signer: meta.signer,
        is_writable: meta.writable,
    }
}

fn bytes(address: &Address) -> [u8; 32] {
    address.to_bytes()
}

/// Makes instructions of one program.
pub(crate) struct Instructions {
    pub(crate) program: Address,
}

impl Instructions {
    pub(crate) fn wrap(&self, ix: &Ix) -> Instruction {
        Instruction {
            program_id: self.program,
            accounts: ix.accounts.iter().map(to_meta).collect(),
            data: ix.data.clone(),
        }
    }

    fn config(&self) -> [u8; 32] {
        bytes(&addresses::config(&self.program).0)
    }

    fn page(&self, lease: &Address, number: u16) -> [u8; 32] {
        bytes(&addresses::page(&self.program, lease, number).0)
    }

    pub(crate) fn device(&self, key: &[u8; 32]) -> [u8; 32] {
        bytes(&addresses::device(&self.program, key).0)
    }

    fn devices(&self, keys: &[[u8; 32]]) -> Vec<[u8; 32]> {
        keys.iter().map(|key| self.device(key)).collect()
    }

    pub(crate) fn init_config(
        &self,
        payer: &Address,
        authority: &Address,
        mut args: InitConfig,
    ) -> Instruction {
        let (config, bump) = addresses::config(&self.program);
        args.bump = bump;
        let data = bytes(&addresses::program_data(&self.program));
        let program = bytes(&self.program);
        self.wrap(&build::init_config(
            bytes(payer),
            bytes(authority),
            bytes(&config),
            program,
            data,
            &args,
        ))
    }

    pub(crate) fn register_device(
        &self,
        supplier: &Address,
        device_key: &[u8; 32],
        statement_expires: i64,
        offer: Offer,
    ) -> Instruction {
        let (device, bump) = addresses::device(&self.program, device_key);
        let statement_expires = Timestamp(statement_expires);
        let args = RegisterDevice { bump, statement_expires, offer };
        self.wrap(&build::register_device(
            bytes(supplier),
            bytes(supplier),
            bytes(&device),
            self.config(),
            *device_key,
            false,
            &args,
        ))
    }

    pub(crate) fn update_device(
        &self,
        supplier: &Address,
        device_key: &[u8; 32],
        offer: Offer,
    ) -> Instruction {
        let args = UpdateDevice { offer };
        let device = self.device(device_key);
        self.wrap(&build::update_device(bytes(supplier), device, self.config(), &args))
    }

    pub(crate) fn retire_device(
        &self,
        supplier: &Address,
        device_key: &[u8; 32],
        rent_payer: [u8; 32],
    ) -> Instruction {
        self.wrap(&build::retire_device(bytes(supplier), self.device(device_key), rent_payer))
    }

    pub(crate) fn open_lease(&self, renter: &Address, order: &OpenLeaseOrder) -> Instruction {
        let (counter, counter_bump) = addresses::renter(&self.program, renter);
        let (lease, lease_bump) = addresses::lease(&self.program, renter, order.counter);
        let (vault, vault_bump) = addresses::vault(&self.program, &lease);
        let accounts = OpenLeaseAccounts {
            renter: bytes(renter),
            payer: bytes(renter),
            config: self.config(),
            counter: bytes(&counter),
            lease: bytes(&lease),
            vault: bytes(&vault),
            mint: bytes(&order.mint),
            source: bytes(&associated_account(renter, &order.mint)),
        };
        let args = OpenLease {
            counter_bump,
            lease_bump,
            vault_bump,
            vouch: order.vouch,
            session_rights: order.session_rights,
            accept_s: order.accept_s,
            slots_max: order.slots_max,
            counter: order.counter,
            deposit: BaseUnits(order.deposit),
            rate_per_slot_max: Rate(order.rate_per_slot_max),
            rate_total_max: Rate(order.rate_total_max),
            expires_at: Timestamp(order.expires_at),
            session: order.session.as_ref().map_or([0; 32], bytes),
            coordinator: bytes(&order.coordinator),
            policy_hash: order.policy_hash,
        };
        self.wrap(&build::open_lease(&accounts, &args))
    }

    pub(crate) fn bind(
        &self,
        coordinator: &Address,
        lease: &Address,
        page: u16,
        epoch: u64,
        lines: &[BoundLine],
    ) -> Instruction {
        let (page_address, page_bump) = addresses::page(&self.program, lease, page);
        let args = Bind { epoch, page, page_bump, capacity: LINES_PER_PAGE };
        let keys: Vec<_> = lines.iter().map(|line| line.device).collect();
        let lines: Vec<_> =
            lines.iter().map(|l| BindLine { units: l.units, rate: Rate(l.rate) }).collect();
        self.wrap(&build::bind(
            bytes(coordinator),
            bytes(coordinator),
            bytes(lease),
            bytes(&page_address),
            &self.devices(&keys),
            &args,
            &lines,
        ))
    }

    pub(crate) fn start(
        &self,
        coordinator: &Address,
        lease: &Address,
        page: u16,
        epoch: u64,
        lines: &[u8],
    ) -> Instruction {
        let at = self.page(lease, page);
        self.wrap(&build::start(bytes(coordinator), bytes(lease), at, epoch, lines))
    }

    pub(crate) fn reject(
        &self,
        actor: &Address,
        lease: &Address,
        page: u16,
        lines: &[(u8, [u8; 32])],
    ) -> Instruction {
        let (indexes, keys): (Vec<_>, Vec<_>) = lines.iter().copied().unzip();
        let (page, devices) = (self.page(lease, page), self.devices(&keys));
        self.wrap(&build::reject(bytes(actor), bytes(lease), page, &devices, &indexes))
    }

    pub(crate) fn end_lines(
        &self,
        actor: &Address,
        lease: &Address,
        page: u16,
        epoch: u64,
        lines: &[(u8, [u8; 32])],
    ) -> Instruction {
        let (indexes, keys): (Vec<_>, Vec<_>) = lines.iter().copied().unzip();
        let (page, devices) = (self.page(lease, page), self.devices(&keys));
        self.wrap(&build::end_line(bytes(actor), bytes(lease), page, &devices, epoch, &indexes))
    }

    pub(crate) fn attest(
        &self,
        actor: &Address,
        lease: &Address,
        page: u16,
        epoch: u64,
        served: &[Served],
    ) -> Instruction {
        let page = self.page(lease, page);
        self.wrap(&build::attest(bytes(actor), bytes(lease), page, epoch, served))
    }

    pub(crate) fn close(
        &self,
        actor: &Address,
        lease: &Address,
        refund: Option<(&Address, &Address)>,
        epoch: u64,
        reason: CloseReason,
    ) -> Instruction {
        let (vault, to) = (refund.map_or([0; 32], |r| bytes(r.0)), refund.map(|r| bytes(r.1)));
        self.wrap(&build::close(bytes(actor), bytes(lease), vault, to, epoch, reason))
    }
}
