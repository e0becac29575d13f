//! Scenes that many tests begin with: a registered device, an open lease, a line that runs.

use crate::market::derive;
use crate::{Key, Market, SOL, USDC, Wallet};
use ionet_market_interface::account::{Line, SessionRights, Vouch};
use ionet_market_interface::{limits, seeds};
use solana_keypair::Keypair;
use solana_signer::Signer;

/// A registered device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAt {
    /// The device's own key.
    pub key: Key,
    /// Its account.
    pub record: Key,
}

/// A lease's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseAt {
    /// The lease.
    pub lease: Key,
    /// Its vault.
    pub vault: Key,
    /// Its number among the renter's.
    pub counter: u64,
    /// Who rents.
    pub renter: Key,
    /// The renter's token account in the lease's mint.
    pub refund_to: Key,
    /// The fee owner's.
    pub fees_to: Key,
}

impl LeaseAt {
    pub(crate) fn page_and_bump(&self, page: u16) -> (Key, u8) {
        derive(&seeds::page(&self.lease, &seeds::page_number(page)))
    }

    /// Address of a page.
    pub fn page(&self, page: u16) -> Key {
        self.page_and_bump(page).0
    }
}

/// What a lease is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// 0: USDC, 1: IO.
    pub mint_index: u8,
    /// Base units.
    pub deposit: u64,
    /// Most live lines.
    pub slots_max: u16,
    /// Ceiling per line, base units per hour, without the fee.
    pub rate_per_slot_max: u64,
    /// Ceiling in total, with the fee.
    pub rate_total_max: u64,
    /// Unix seconds.
    pub expires_at: i64,
    /// Acceptance window, seconds.
    pub accept_s: u8,
    /// Acts for the renter; zero for nobody.
    pub session: Key,
    /// What it may do.
    pub session_rights: SessionRights,
    /// Whose word counts.
    pub vouch: Vouch,
    /// Another coordinator than the chain's.
    pub coordinator: Option<Key>,
}

impl Market {
    /// Ten dollars, four slots at up to two dollars an hour, a day, no acceptance window.
    pub fn terms(&self) -> Terms {
        Terms {
            mint_index: limits::MINT_USDC,
            deposit: 10 * USDC,
            slots_max: 4,
            rate_per_slot_max: 2 * USDC,
            rate_total_max: 9 * USDC,
            expires_at: self.now() + 86_400,
            accept_s: 0,
            session: [0; 32],
            session_rights: SessionRights::NONE,
            vouch: Vouch::Either,
            coordinator: None,
        }
    }

    /// Where a device's account is.
    pub fn device_at(&self, key: &Key) -> DeviceAt {
        DeviceAt { key: *key, record: derive(&seeds::device(key)).0 }
    }

    /// Registers a device with so many units at this ask per unit-hour; it signs itself.
    #[track_caller]
    pub fn register(&mut self, supplier: &Wallet, units: u16, ask: u64) -> DeviceAt {
        let device = self.new_key();
        let key = device.pubkey().to_bytes();
        let offer = self.offer(supplier, units, ask);
        let ix = self.register_ix(supplier, &key, offer, 0, true);
        self.ok(ix, &[&supplier.key, &device]);
        self.device_at(&key)
    }

    /// Opens a lease.
    #[track_caller]
    pub fn open(&mut self, renter: &Wallet, counter: u64, terms: &Terms) -> LeaseAt {
        let (ix, at) = self.open_ix(renter, counter, terms);
        self.ok(ix, &[&renter.key]);
        at
    }

    /// Binds lines as the coordinator.
    #[track_caller]
    pub fn bind(&mut self, lease: &LeaseAt, page: u16, lines: &[(&DeviceAt, u16, u64)]) {
        let ix = self.bind_ix(&self.coordinator, lease, page, lines);
        let key = self.coordinator_key();
        self.ok(ix, &[&key]);
    }

    /// Starts lines as the coordinator.
    #[track_caller]
    pub fn start(&mut self, lease: &LeaseAt, page: u16, lines: &[u8]) {
        let ix = self.start_ix(&self.coordinator, lease, page, lines);
        let key = self.coordinator_key();
        self.ok(ix, &[&key]);
    }

    /// Vouches as the coordinator.
    #[track_caller]
    pub fn attest(&mut self, lease: &LeaseAt, page: u16, served: &[(u8, u64)]) {
        let ix = self.attest_ix(&self.coordinator, lease, page, served);
        let key = self.coordinator_key();
        self.ok(ix, &[&key]);
    }

    /// Closes as the renter, with a refund.
    #[track_caller]
    pub fn close(&mut self, renter: &Wallet, lease: &LeaseAt) {
        let ix = self.close_ix(renter, lease, ionet_market_interface::account::CloseReason::None);
        self.ok(ix, &[&renter.key]);
    }

    /// Finalizes once the claim window is over.
    #[track_caller]
    pub fn finalize(&mut self, lease: &LeaseAt) {
        let until = self.lease(&lease.lease).claims_until().0;
        self.set_time(until + 1);
        let ix = self.finalize_ix(lease);
        self.ok(ix, &[]);
    }

    /// A supplier, its device of four units at a dollar each, a renter with an open lease, and
    /// one line of one unit at a dollar an hour that has just started.
    #[track_caller]
    pub fn running(&mut self, terms: impl FnOnce(&mut Terms)) -> Running {
        let (supplier, renter) = (self.wallet(0), self.wallet(1_000 * USDC));
        let device = self.register(&supplier, 4, USDC);
        let mut chosen = self.terms();
        terms(&mut chosen);
        let lease = self.open(&renter, 0, &chosen);
        self.bind(&lease, 0, &[(&device, 1, USDC)]);
        self.start(&lease, 0, &[0]);
        Running { supplier, renter, device, lease }
    }

    /// The coordinator's key, to sign with.
    pub fn coordinator_key(&self) -> Keypair {
        self.coordinator.key.insecure_clone()
    }

    /// The line at this index of a lease's page.
    #[track_caller]
    pub fn line(&self, lease: &LeaseAt, page: u16, index: u8) -> Line {
        self.lines(&lease.page(page))[usize::from(index)]
    }

    /// Sends lamports to any address, as anyone can.
    pub fn donate(&mut self, to: &Key, lamports: u64) {
        let mut account = self.account(to).unwrap_or_default();
        account.lamports += lamports.min(SOL);
        let at = solana_address::Address::from(*to);
        self.svm.set_account(at, account).expect("a gift");
    }
}

/// See [`Market::running`].
#[derive(Debug)]
pub struct Running {
    /// Owns the device.
    pub supplier: Wallet,
    /// Opened the lease.
    pub renter: Wallet,
    /// Four units; one is bound.
    pub device: DeviceAt,
    /// Open.
    pub lease: LeaseAt,
}
