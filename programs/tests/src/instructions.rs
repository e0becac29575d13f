//! One builder per instruction, with every address derived.

use crate::market::{GENESIS, config_at, derive};
use crate::{DeviceAt, Key, LeaseAt, Market, Terms, Wallet, machine};
use ionet_market_interface::account::{CloseReason, Settings};
use ionet_market_interface::build::{self, Ix, OpenLeaseAccounts};
use ionet_market_interface::instruction::{
    Bind, BindLine, ClaimReceipt, InitConfig, Offer, OpenLease, RegisterDevice, Served, SetConfig,
    UpdateDevice,
};
use ionet_market_interface::limits::LINES_PER_PAGE;
use ionet_market_interface::{
    BaseUnits, ED25519_PROGRAM, PROGRAM_ID, Rate, Seconds, Timestamp, seeds, statement,
};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

impl Market {
    /// `init_config`; the upgrade authority and the fee payer of this chain sign.
    pub fn init_config_ix(&self, settings: &Settings) -> Ix {
        let (config, bump) = derive(&seeds::config());
        let authority = self.authority.pubkey().to_bytes();
        let args = InitConfig { bump, genesis_hash: GENESIS, settings: *settings };
        let data = machine::program_data();
        build::init_config(self.payer_at(), authority, config, PROGRAM_ID, data, &args)
    }

    /// `set_config` by the admin.
    pub fn set_config_ix(&self, settings: &Settings) -> Ix {
        let args = SetConfig { settings: *settings };
        build::set_config(self.admin.at(), config_at(), &args)
    }

    /// `apply_config`.
    pub fn apply_config_ix(&self) -> Ix {
        build::apply_config(config_at())
    }

    /// An offer at this ask in both mints, for a year, to any coordinator.
    pub fn offer(&self, supplier: &Wallet, units: u16, ask: u64) -> Offer {
        Offer {
            units_total: units,
            asks: [Rate(ask); 2],
            payout_owner: supplier.at(),
            expires_at: Timestamp(self.now().saturating_add(365 * 86_400)),
            accepts_any: true,
            coordinators_len: 0,
            coordinators: [[0; 32]; 4],
        }
    }

    /// `register_device`.
    pub fn register_ix(
        &self,
        supplier: &Wallet,
        device: &Key,
        offer: Offer,
        statement_expires: i64,
        device_signs: bool,
    ) -> Ix {
        let (record, bump) = derive(&seeds::device(device));
        let statement_expires = Timestamp(statement_expires);
        let args = RegisterDevice { bump, statement_expires, offer };
        let (owner, config) = (supplier.at(), config_at());
        build::register_device(owner, owner, record, config, *device, device_signs, &args)
    }

    /// What the Ed25519 precompile is given before `register_device`.
    pub fn statement_ix(&self, device: &Keypair, supplier: &Key, expires: i64) -> Instruction {
        let key = device.pubkey().to_bytes();
        let expires = Timestamp(expires);
        let text = statement::registration(&GENESIS, &PROGRAM_ID, &key, supplier, expires);
        self.signed_ix(device, &text)
    }

    /// Any statement, signed, for the Ed25519 precompile.
    pub fn signed_ix(&self, signer: &Keypair, text: &[u8]) -> Instruction {
        let (key, signature) = (signer.pubkey().to_bytes(), signer.sign_message(text));
        let signature: [u8; 64] = signature.into();
        let data = statement::ed25519_instruction(&key, &signature, text);
        Instruction { program_id: Address::from(ED25519_PROGRAM), accounts: vec![], data }
    }

    /// `update_device`.
    pub fn update_ix(&self, supplier: &Wallet, device: &DeviceAt, offer: Offer) -> Ix {
        let args = UpdateDevice { offer };
        build::update_device(supplier.at(), device.record, config_at(), &args)
    }

    /// `retire_device`.
    pub fn retire_ix(&self, supplier: &Wallet, device: &DeviceAt) -> Ix {
        build::retire_device(supplier.at(), device.record, supplier.at())
    }

    /// `open_lease`, and where the lease will be.
    pub fn open_ix(&self, renter: &Wallet, counter: u64, terms: &Terms) -> (Ix, LeaseAt) {
        let (counter_at, counter_bump) = derive(&seeds::renter(&renter.at()));
        let number = seeds::number(counter);
        let (lease, lease_bump) = derive(&seeds::lease(&renter.at(), &number));
        let (vault, vault_bump) = derive(&seeds::vault(&lease));
        let mint_index = usize::from(terms.mint_index);
        let accounts = OpenLeaseAccounts {
            renter: renter.at(),
            payer: renter.at(),
            config: config_at(),
            counter: counter_at,
            lease,
            vault,
            mint: self.mints[mint_index],
            source: renter.tokens[mint_index],
        };
        let args = OpenLease {
            counter_bump,
            lease_bump,
            vault_bump,
            vouch: terms.vouch,
            session_rights: terms.session_rights,
            accept_s: terms.accept_s,
            slots_max: terms.slots_max,
            counter,
            deposit: BaseUnits(terms.deposit),
            rate_per_slot_max: Rate(terms.rate_per_slot_max),
            rate_total_max: Rate(terms.rate_total_max),
            expires_at: Timestamp(terms.expires_at),
            session: terms.session,
            coordinator: terms.coordinator.unwrap_or(self.coordinator.at()),
            policy_hash: [9; 32],
        };
        let at = LeaseAt {
            lease,
            vault,
            counter,
            renter: renter.at(),
            refund_to: renter.tokens[mint_index],
            fees_to: self.fee_owner.tokens[mint_index],
        };
        (build::open_lease(&accounts, &args), at)
    }

    /// `top_up` from a wallet's own account in the lease's mint.
    pub fn top_up_ix(&self, from: &Wallet, mint_index: u8, lease: &LeaseAt, amount: u64) -> Ix {
        let source = from.tokens[usize::from(mint_index)];
        build::top_up(from.at(), source, lease.lease, lease.vault, BaseUnits(amount))
    }

    /// `bind` by this coordinator: device, units, rate for each line.
    pub fn bind_ix(
        &self,
        coordinator: &Wallet,
        lease: &LeaseAt,
        page: u16,
        lines: &[(&DeviceAt, u16, u64)],
    ) -> Ix {
        self.bind_epoch_ix(coordinator, lease, page, 0, lines)
    }

    /// The same by a leader of some epoch.
    pub fn bind_epoch_ix(
        &self,
        coordinator: &Wallet,
        lease: &LeaseAt,
        page: u16,
        epoch: u64,
        lines: &[(&DeviceAt, u16, u64)],
    ) -> Ix {
        let (at, page_bump) = lease.page_and_bump(page);
        let args = Bind { epoch, page, page_bump, capacity: LINES_PER_PAGE };
        let devices: Vec<Key> = lines.iter().map(|line| line.0.record).collect();
        let lines: Vec<BindLine> =
            lines.iter().map(|line| BindLine { units: line.1, rate: Rate(line.2) }).collect();
        let who = coordinator.at();
        build::bind(who, who, lease.lease, at, &devices, &args, &lines)
    }

    /// `start`.
    pub fn start_ix(&self, who: &Wallet, lease: &LeaseAt, page: u16, lines: &[u8]) -> Ix {
        build::start(who.at(), lease.lease, lease.page(page), 0, lines)
    }

    /// `reject`; each index with its device.
    pub fn reject_ix(
        &self,
        who: &Wallet,
        lease: &LeaseAt,
        page: u16,
        lines: &[(u8, &DeviceAt)],
    ) -> Ix {
        let (indexes, devices) = split(lines);
        build::reject(who.at(), lease.lease, lease.page(page), &devices, &indexes)
    }

    /// `end_line`; each index with its device.
    pub fn end_ix(
        &self,
        who: &Wallet,
        lease: &LeaseAt,
        page: u16,
        lines: &[(u8, &DeviceAt)],
    ) -> Ix {
        let (indexes, devices) = split(lines);
        build::end_line(who.at(), lease.lease, lease.page(page), &devices, 0, &indexes)
    }

    /// `attest`; index and seconds.
    pub fn attest_ix(&self, who: &Wallet, lease: &LeaseAt, page: u16, served: &[(u8, u64)]) -> Ix {
        let served: Vec<Served> =
            served.iter().map(|s| Served { index: s.0, served: Seconds(s.1) }).collect();
        build::attest(who.at(), lease.lease, lease.page(page), 0, &served)
    }

    /// `claim_receipt`; the signed receipt stands right before it.
    pub fn claim_ix(&self, lease: &LeaseAt, page: u16, index: u8, served_s: u64) -> Ix {
        let args = ClaimReceipt { index, served: Seconds(served_s) };
        build::claim_receipt(lease.lease, lease.page(page), config_at(), &args)
    }

    /// `withdraw`; each index with where it is paid to.
    pub fn withdraw_ix(&self, lease: &LeaseAt, page: u16, lines: &[(u8, Key)]) -> Ix {
        let (indexes, to): (Vec<u8>, Vec<Key>) = lines.iter().copied().unzip();
        build::withdraw(lease.lease, lease.page(page), lease.vault, &to, &indexes)
    }

    /// `close` with the refund in the same call.
    pub fn close_ix(&self, who: &Wallet, lease: &LeaseAt, reason: CloseReason) -> Ix {
        let to = Some(lease.refund_to);
        build::close(who.at(), lease.lease, lease.vault, to, 0, reason)
    }

    /// `close` without a refund.
    pub fn close_only_ix(&self, who: &Wallet, lease: &LeaseAt, reason: CloseReason) -> Ix {
        build::close(who.at(), lease.lease, lease.vault, None, 0, reason)
    }

    /// `refund`.
    pub fn refund_ix(&self, lease: &LeaseAt) -> Ix {
        build::refund(lease.lease, lease.vault, lease.refund_to)
    }

    /// `finalize`.
    pub fn finalize_ix(&self, lease: &LeaseAt) -> Ix {
        build::finalize(lease.lease, lease.vault, lease.refund_to)
    }

    /// `sweep_fees`.
    pub fn sweep_ix(&self, lease: &LeaseAt) -> Ix {
        build::sweep_fees(config_at(), lease.lease, lease.vault, lease.fees_to)
    }

    /// `reclaim_page`; its rent goes to whoever paid it.
    pub fn reclaim_page_ix(&self, lease: &LeaseAt, page: u16, rent_to: &Wallet) -> Ix {
        build::reclaim_page(lease.lease, lease.page(page), rent_to.at())
    }

    /// `reclaim_lease`; the rent goes to the renter.
    pub fn reclaim_lease_ix(&self, lease: &LeaseAt) -> Ix {
        build::reclaim_lease(lease.lease, lease.vault, lease.refund_to, lease.renter)
    }
}

fn split(lines: &[(u8, &DeviceAt)]) -> (Vec<u8>, Vec<Key>) {
    lines.iter().map(|(index, device)| (*index, device.record)).unzip()
}

/// `top_up` from any account that `authority` may spend from.
pub fn build_top_up(authority: &Key, source: &Key, lease: &LeaseAt, amount: u64) -> Ix {
    build::top_up(*authority, *source, lease.lease, lease.vault, BaseUnits(amount))
}
