//! The life of a lease, as real transactions: everything that a day of so many devices needs.

use crate::tally::Tally;
use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::interface::build::Ix;
use ionet_program_tests::interface::limits::{ACCOUNT_LINES_MAX, BIND_LINES_MAX, LINES_PER_PAGE};
use ionet_program_tests::{DeviceAt, Features, Key, LeaseAt, Market, Terms, USDC, Wallet};
use solana_keypair::Keypair;

/// What a device asks an hour.
const RATE: u64 = USDC;
/// How long the lease serves.
const DAY_S: i64 = 86_400;

/// What a life came to.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) devices: u16,
    pub(crate) tally: Tally,
    /// Lamports of rent that came back.
    pub(crate) lent: u64,
    /// Lamports of rent that stay: the renter's counter, once a renter.
    pub(crate) kept: u64,
    /// Accounts by what they are.
    pub(crate) names: Vec<(&'static str, Key)>,
}

struct Stage {
    market: Market,
    tally: Tally,
    renter: Wallet,
    lease: LeaseAt,
    /// Each device with where its supplier is paid.
    devices: Vec<(DeviceAt, Key)>,
}

impl Stage {
    fn new(features: Features, devices: u16) -> Self {
        let mut market = Market::with_features(features);
        let renter = market.wallet(1_000_000 * USDC);
        let offers = (0..devices).map(|_| {
            let supplier = market.wallet(0);
            (market.register(&supplier, 1, RATE), supplier.tokens[0])
        });
        let devices: Vec<_> = offers.collect();
        let (_, lease) = market.open_ix(&renter, 0, &market.terms());
        Self { market, tally: Tally::default(), renter, lease, devices }
    }

    fn by_coordinator(&mut self, step: &'static str, ix: &Ix) {
        let key = self.market.coordinator_key();
        self.send(step, &key, ix);
    }

    fn by_renter(&mut self, step: &'static str, ix: &Ix) {
        let key = self.renter.key.insecure_clone();
        self.send(step, &key, ix);
    }

    fn send(&mut self, step: &'static str, payer: &Keypair, ix: &Ix) {
        let ix = self.market.wrap(ix);
        self.tally.send(&mut self.market, step, payer, ix);
    }

    /// Lines of each page: page, index, device, payout.
    fn pages(&self) -> Vec<Vec<(u8, DeviceAt, Key)>> {
        let page = |chunk: &[(DeviceAt, Key)]| {
            let lines = chunk.iter().enumerate();
            lines.map(|(index, (device, to))| (index as u8, *device, *to)).collect()
        };
        self.devices.chunks(usize::from(LINES_PER_PAGE)).map(page).collect()
    }

    fn begin(&mut self) {
        let slots_max = self.devices.len() as u16;
        let hourly = u64::from(slots_max) * (RATE + RATE / 50);
        let terms = Terms {
            deposit: 30 * hourly,
            slots_max,
            rate_per_slot_max: RATE,
            rate_total_max: hourly,
            expires_at: self.market.now() + 2 * DAY_S,
            ..self.market.terms()
        };
        let (ix, _) = self.market.open_ix(&self.renter, 0, &terms);
        self.by_renter("open", &ix);
        for (page, lines) in self.pages().into_iter().enumerate() {
            for some in lines.chunks(BIND_LINES_MAX) {
                let bound: Vec<_> = some.iter().map(|(_, device, _)| (device, 1, RATE)).collect();
                let coordinator = &self.market.coordinator;
                let ix = self.market.bind_ix(coordinator, &self.lease, page as u16, &bound);
                self.by_coordinator("bind", &ix);
            }
            let indexes: Vec<u8> = lines.iter().map(|line| line.0).collect();
            let coordinator = &self.market.coordinator;
            let ix = self.market.start_ix(coordinator, &self.lease, page as u16, &indexes);
            self.by_coordinator("start", &ix);
        }
    }

    fn serve(&mut self, every_s: i64) {
        for served in (every_s..=DAY_S).step_by(every_s as usize) {
            self.market.pass(every_s);
            for (page, lines) in self.pages().into_iter().enumerate() {
                let of: Vec<_> = lines.iter().map(|line| (line.0, served as u64)).collect();
                let coordinator = &self.market.coordinator;
                let ix = self.market.attest_ix(coordinator, &self.lease, page as u16, &of);
                self.by_coordinator("attest", &ix);
            }
        }
    }

    fn settle(&mut self) {
        for (page, lines) in self.pages().into_iter().enumerate() {
            for some in lines.chunks(ACCOUNT_LINES_MAX) {
                let to: Vec<_> = some.iter().map(|line| (line.0, line.2)).collect();
                let ix = self.market.withdraw_ix(&self.lease, page as u16, &to);
                self.by_coordinator("withdraw", &ix);
            }
            for some in lines.chunks(ACCOUNT_LINES_MAX) {
                let of: Vec<_> = some.iter().map(|line| (line.0, &line.1)).collect();
                let coordinator = &self.market.coordinator;
                let ix = self.market.end_ix(coordinator, &self.lease, page as u16, &of);
                self.by_coordinator("end", &ix);
            }
        }
        let ix = self.market.close_ix(&self.renter, &self.lease, CloseReason::None);
        self.by_renter("close", &ix);
        let until = self.market.lease(&self.lease.lease).claims_until().0;
        self.market.set_time(until + 1);
        let ix = self.market.finalize_ix(&self.lease);
        self.by_coordinator("finalize", &ix);
        let ix = self.market.sweep_ix(&self.lease);
        self.by_coordinator("sweep fees", &ix);
    }

    fn reclaim(&mut self) {
        for page in 0..self.pages().len() {
            let coordinator = &self.market.coordinator;
            let ix = self.market.reclaim_page_ix(&self.lease, page as u16, coordinator);
            self.by_coordinator("reclaim", &ix);
        }
        let ix = self.market.reclaim_lease_ix(&self.lease);
        self.by_coordinator("reclaim", &ix);
    }

    fn purse(&self) -> u64 {
        self.market.lamports(&self.renter.at())
            + self.market.lamports(&self.market.coordinator.at())
    }

    /// Lamports in the accounts of the lease that are there.
    fn rent(&self) -> u64 {
        let pages = (0..self.pages().len()).map(|page| self.lease.page(page as u16));
        let all = [self.lease.lease, self.lease.vault].into_iter().chain(pages);
        all.map(|account| self.market.lamports(&account)).sum()
    }
}

/// Lives through a lease of so many devices, attested so often. Panics when a lamport or a base
/// unit is not where it belongs.
pub(crate) fn live(features: Features, devices: u16, attest_every_s: i64) -> Life {
    let mut stage = Stage::new(features, devices);
    let before = stage.purse();
    stage.begin();
    stage.serve(attest_every_s);
    let lent = stage.rent();
    stage.settle();
    stage.reclaim();
    assert_eq!(stage.rent(), 0, "all rent came back");
    for (_, to) in &stage.devices {
        assert_eq!(stage.market.balance(to), 24 * RATE, "each device's day");
    }
    let kept = before - stage.purse() - stage.tally.whole().fees;
    let market = &stage.market;
    let names = vec![
        ("the key that pays the coordinator's fees", market.coordinator.at()),
        ("the lease", stage.lease.lease),
        ("its first page", stage.lease.page(0)),
        ("its vault", stage.lease.vault),
        ("the renter's key", stage.renter.at()),
        ("a device's record", stage.devices[0].0.record),
        ("the fee owner's token account", stage.lease.fees_to),
    ];
    Life { devices, tally: stage.tally, lent, kept, names }
}
