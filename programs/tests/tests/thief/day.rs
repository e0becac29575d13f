//! The scene of every theft: one lease with two honest devices, and a day.

use crate::outcome::{Balances, Outcome};
use ionet_program_tests::interface::account::{
    LeaseState, Line, LineState, SessionRights, Settings, Vouch,
};
use ionet_program_tests::interface::{Timestamp, limits};
use ionet_program_tests::{DeviceAt, Features, Key, LeaseAt, Market, Terms, USDC, Wallet, approve};
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Index of the lease's mint among a wallet's token accounts.
pub(crate) const MINT: usize = limits::MINT_USDC as usize;
/// How long the thief has, and the lease lasts.
pub(crate) const DAY_S: i64 = 86_400;
/// Everybody can act so often.
pub(crate) const TICK_S: i64 = 60;
/// How often someone who watches looks.
pub(crate) const LOOK_S: i64 = 600;
/// Cool-downs of this network: shorter than the day, so that a thief can wait for their end.
pub(crate) const COOLDOWN_S: i64 = 6 * 3_600;
/// The network's fee.
pub(crate) const FEE_BPS: u64 = 200;

/// Units of each honest device; one is hired.
pub(crate) const UNITS: u16 = 2;
/// What the renter agreed to pay each device, base units an hour.
pub(crate) const AGREED_RATE: u64 = USDC;
/// The renter's ceilings: slots, per slot, and in total with the fee.
pub(crate) const SLOTS_MAX: u16 = 4;
/// See [`SLOTS_MAX`].
pub(crate) const RATE_PER_SLOT_MAX: u64 = 2 * USDC;
/// See [`SLOTS_MAX`].
pub(crate) const RATE_TOTAL_MAX: u64 = 8 * USDC;

/// What is left of the honest coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coordinator {
    /// It does its work.
    Works,
    /// It answers heartbeats with receipts, and does nothing on the chain.
    OnlySigns,
    /// Nobody hears of it.
    Gone,
}

/// How a play differs from others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) vouch: Vouch,
    pub(crate) deposit: u64,
    pub(crate) accept_s: u8,
    pub(crate) renter_looks: bool,
    pub(crate) suppliers_look: bool,
    pub(crate) coordinator: Coordinator,
    /// The renter's client vouches where only it may.
    pub(crate) renter_vouches: bool,
    /// A third device was hired, which is the thief's and does nothing.
    pub(crate) thief_is_hired: bool,
    /// What the session key may move out of the renter's account.
    pub(crate) cap: u64,
}

impl Plan {
    pub(crate) fn new(vouch: Vouch) -> Self {
        Self {
            vouch,
            deposit: 300 * USDC,
            accept_s: 0,
            renter_looks: false,
            suppliers_look: false,
            coordinator: Coordinator::Works,
            renter_vouches: true,
            thief_is_hired: false,
            cap: 0,
        }
    }
}

/// A device on a line, as agreed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stint {
    /// `None`: the thief.
    pub(crate) supplier: Option<usize>,
    pub(crate) device: DeviceAt,
    pub(crate) page: u16,
    pub(crate) index: u8,
    /// What it really served.
    pub(crate) served_s: u64,
    /// What its newest receipt says.
    pub(crate) receipt_s: u64,
    pub(crate) receipt_at: i64,
    /// What older receipts say that the worker kept, the oldest first.
    pub(crate) spare: [u64; 2],
    /// Its supplier has a receipt that the program did not take, and serves no more.
    pub(crate) cheated: bool,
}

/// The scene.
pub(crate) struct Day {
    pub(crate) market: Market,
    pub(crate) plan: Plan,
    pub(crate) renter: Wallet,
    pub(crate) session: Wallet,
    pub(crate) suppliers: Vec<Wallet>,
    pub(crate) devices: Vec<DeviceAt>,
    device_keys: Vec<Keypair>,
    /// Suppliers who moved their device to the key of another.
    pub(crate) moved: Vec<usize>,
    pub(crate) thief: Wallet,
    /// A lease of the thief that holds honest devices.
    pub(crate) foreign: Option<LeaseAt>,
    pub(crate) lease: LeaseAt,
    pub(crate) stints: Vec<Stint>,
    pub(crate) began_at: i64,
    /// When the lease's clock stopped for good.
    pub(crate) stopped_at: i64,
    /// Addresses of the lease's pages: finding one takes longer than all else in a tick.
    pages: RefCell<BTreeMap<u16, Key>>,
    /// The vouchers' calls that the program refused.
    pub(crate) refused: usize,
    before: Option<Balances>,
}

impl Day {
    /// Everybody but the lease.
    pub(crate) fn new(plan: Plan) -> Self {
        let mut market = Market::bare(Features::from_env());
        let settings = Settings {
            claim_window_s: 86_400,
            grace_s: limits::GRACE_S_DEFAULT,
            payout_cooldown_s: COOLDOWN_S as u32,
            config_cooldown_s: COOLDOWN_S as u32,
            ..market.settings()
        };
        let (ix, authority) = (market.init_config_ix(&settings), market.authority.insecure_clone());
        market.ok(ix, &[&authority]);
        let (renter, session, thief) =
            (market.wallet(1_000 * USDC), market.wallet(0), market.wallet(1_000 * USDC));
        let suppliers = vec![market.wallet(0), market.wallet(0)];
        let device_keys = vec![market.new_key(), market.new_key()];
        let (_, lease) = market.open_ix(&renter, 0, &market.terms());
        let began_at = market.now();
        let mut day = Self {
            market,
            plan,
            renter,
            session,
            suppliers,
            devices: Vec::new(),
            device_keys,
            moved: Vec::new(),
            thief,
            foreign: None,
            lease,
            stints: Vec::new(),
            began_at,
            stopped_at: 0,
            pages: RefCell::default(),
            refused: 0,
            before: None,
        };
        for supplier in 0..day.suppliers.len() {
            day.enrol(supplier, supplier);
        }
        day
    }

    /// A device's own key.
    pub(crate) fn device_key(&self, device: usize) -> Keypair {
        self.device_keys[device].insecure_clone()
    }

    /// A supplier registers a device.
    fn enrol(&mut self, supplier: usize, device: usize) {
        let (owner, device) = (&self.suppliers[supplier], &self.device_keys[device]);
        let key = device.pubkey().to_bytes();
        let offer = self.market.offer(owner, UNITS, AGREED_RATE);
        let ix = self.market.register_ix(owner, &key, offer, 0, true);
        self.market.ok(ix, &[&owner.key, device]);
        self.devices.push(self.market.device_at(&key));
    }

    /// A supplier whose key is lost has retired its device: a new key of its own enrols it.
    pub(crate) fn move_to_new_key(&mut self, supplier: usize) {
        self.moved.push(supplier);
        self.suppliers.push(self.market.wallet(0));
        let device = self.devices[supplier].key;
        let mut keys = self.device_keys.iter();
        let at = keys.position(|key| key.pubkey().to_bytes() == device).expect("its device");
        self.enrol(self.suppliers.len() - 1, at);
    }

    /// A scene whose lease runs.
    pub(crate) fn running(plan: Plan) -> Self {
        let mut day = Self::new(plan);
        day.open();
        day
    }

    /// What the renter signs.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            mint_index: limits::MINT_USDC,
            deposit: self.plan.deposit,
            slots_max: SLOTS_MAX,
            rate_per_slot_max: RATE_PER_SLOT_MAX,
            rate_total_max: RATE_TOTAL_MAX,
            expires_at: self.market.now() + DAY_S,
            accept_s: self.plan.accept_s,
            session: self.session.at(),
            session_rights: SessionRights::ALL,
            vouch: self.plan.vouch,
            coordinator: None,
        }
    }

    /// The renter opens, the honest coordinator binds and starts; the thief's day begins.
    pub(crate) fn open(&mut self) {
        self.before = Some(Balances::of(self));
        let terms = self.terms();
        self.lease = self.market.open(&self.renter, 0, &terms);
        if self.plan.cap > 0 {
            let (from, to) = (self.renter.tokens[MINT], self.session.at());
            let ix = approve(&from, &to, &self.renter.at(), self.plan.cap);
            self.market.send(&[ix], &[&self.renter.key]).expect("an approval");
        }
        for supplier in 0..self.suppliers.len() {
            let device = self.devices[supplier];
            assert!(self.hire(Some(supplier), device, AGREED_RATE), "bound as agreed");
        }
        if self.plan.thief_is_hired {
            let device = self.market.register(&self.thief, 1, AGREED_RATE);
            assert!(self.hire(None, device, AGREED_RATE), "bound as agreed");
        }
        (self.began_at, self.stopped_at) = (self.market.now(), terms.expires_at);
    }

    /// The coordinator binds a device at this rate and starts it, if it can.
    pub(crate) fn hire(&mut self, supplier: Option<usize>, device: DeviceAt, rate: u64) -> bool {
        let page = self.page();
        let index = self.lines_on(page).len() as u8;
        let key = self.market.coordinator_key();
        let coordinator = &self.market.coordinator;
        let line = [(&device, 1, rate)];
        let bind = self.market.wrap(&self.market.bind_ix(coordinator, &self.lease, page, &line));
        let start =
            self.market.wrap(&self.market.start_ix(coordinator, &self.lease, page, &[index]));
        if self.market.send(&[bind, start], &[&key]).is_err() {
            return false;
        }
        let now = self.market.now();
        self.stints.push(Stint {
            supplier,
            device,
            page,
            index,
            served_s: 0,
            receipt_s: 0,
            receipt_at: now,
            spare: [0; 2],
            cheated: false,
        });
        true
    }

    /// The page that has room, or the next.
    pub(crate) fn page(&self) -> u16 {
        let made = self.market.lease(&self.lease.lease).pages_made;
        let full = |page| self.lines_on(page).len() >= usize::from(limits::LINES_PER_PAGE);
        match made.checked_sub(1) {
            Some(last) if !full(last) => last,
            Some(_) | None => made,
        }
    }

    /// The lines of a page; none when there is no such page.
    pub(crate) fn lines_on(&self, page: u16) -> Vec<Line> {
        let at = *self.pages.borrow_mut().entry(page).or_insert_with(|| self.lease.page(page));
        if self.market.account(&at).is_some() { self.market.lines(&at) } else { Vec::new() }
    }

    /// Every line with its place.
    pub(crate) fn lines(&self) -> Vec<(u16, u8, Line)> {
        let pages = 0..self.market.lease(&self.lease.lease).pages_made;
        let of = |page| self.lines_on(page).into_iter().enumerate().map(move |(i, l)| (page, i, l));
        pages.flat_map(of).map(|(page, i, line)| (page, i as u8, line)).collect()
    }

    pub(crate) fn line(&self, page: u16, index: u8) -> Line {
        self.lines_on(page)[usize::from(index)]
    }

    pub(crate) fn runs(&self, stint: &Stint) -> bool {
        self.is_open() && self.line(stint.page, stint.index).state == LineState::Started
    }

    pub(crate) fn is_open(&self) -> bool {
        self.market.lease(&self.lease.lease).state == LeaseState::Open
    }

    pub(crate) fn time(&self) -> Timestamp {
        Timestamp(self.market.now())
    }

    /// Seconds since the day began.
    pub(crate) fn elapsed(&self) -> i64 {
        self.market.now() - self.began_at
    }

    /// The device with this key.
    pub(crate) fn device_at(&self, key: &Key) -> DeviceAt {
        self.market.device_at(key)
    }

    /// The whole day: in each tick the thief first.
    pub(crate) fn run(mut self, mut thief: impl FnMut(&mut Self)) -> Outcome {
        thief(&mut self);
        while self.elapsed() < DAY_S {
            self.market.pass(TICK_S);
            self.devices_serve();
            thief(&mut self);
            self.honest_act();
        }
        self.settle(&mut thief);
        let before = self.before.take().expect("the lease was opened");
        Outcome::of(&self, &before)
    }
}
