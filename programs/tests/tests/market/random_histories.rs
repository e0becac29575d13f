//! Random people do random things at random times; the books must balance after every step.

use ionet_program_tests::interface::account::{CloseReason, LeaseState, SessionRights, Vouch};
use ionet_program_tests::interface::statement::Receipt;
use ionet_program_tests::interface::{PROGRAM_ID, Rate};
use ionet_program_tests::{
    Books, DeviceAt, Features, GENESIS, Key, LeaseAt, Market, Refusal, USDC, Wallet, books,
    transfer,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use solana_keypair::Keypair;

/// Steps in a default run: seconds, and enough that each instruction succeeds many times.
const STEPS: usize = 12_000;
/// Steps of one history, so that an early slip does not shadow the rest.
const HISTORY: usize = 500;

struct History {
    market: Market,
    rng: StdRng,
    renters: Vec<(Wallet, u64)>,
    suppliers: Vec<Wallet>,
    session: Wallet,
    devices: Vec<(usize, DeviceAt)>,
    leases: Vec<(usize, LeaseAt, u8)>,
    sums: [u128; 2],
    done: std::collections::BTreeMap<&'static str, usize>,
}

impl History {
    fn new(seed: u64) -> Self {
        let features = if seed.is_multiple_of(2) { Features::Mainnet } else { Features::All };
        let mut market = Market::with_features(features);
        let mut rng = StdRng::seed_from_u64(seed);
        let renters = (0..3).map(|_| (market.wallet(1_000 * USDC), 0)).collect();
        let suppliers: Vec<Wallet> = (0..3).map(|_| market.wallet(0)).collect();
        let session = market.wallet(50 * USDC);
        let mut devices = Vec::new();
        for owner in [0usize, 0, 1, 1, 2] {
            let units = rng.random_range(4..=20);
            let ask = *[1, 7, 3_600, 999_983, USDC].choose(&mut rng).unwrap();
            devices.push((owner, market.register(&suppliers[owner], units, ask)));
        }
        let sums = sums(&market, &books(&market));
        let (leases, done) = (Vec::new(), Default::default());
        Self { market, rng, renters, suppliers, session, devices, leases, sums, done }
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..12 => self.pass(),
            12..15 => self.open(),
            15..34 => self.bind(),
            34..46 => self.start(),
            46..58 => self.attest(),
            58..62 => self.claim(),
            62..72 => self.withdraw(),
            72..79 => self.end(),
            79..84 => self.reject(),
            84..86 => self.top_up(),
            86..88 => self.close(),
            88..94 => self.settle(),
            94..96 => self.reclaim(),
            96..98 => self.device(),
            _ => self.gift(),
        }
        let books = books(&self.market);
        assert_eq!(sums(&self.market, &books), self.sums, "a token appeared or vanished");
        books.check(self.market.now());
    }

    fn pass(&mut self) {
        let seconds = match self.rng.random_range(0..10) {
            0 => -self.rng.random_range(1..100),
            1 => self.rng.random_range(3_600..40_000),
            2..7 => self.rng.random_range(0..40),
            _ => self.rng.random_range(1..900),
        };
        self.market.pass(seconds);
    }

    fn actor(&mut self, lease: usize) -> Keypair {
        let renter = self.leases[lease].0;
        match self.rng.random_range(0..10) {
            0..6 => self.market.coordinator_key(),
            6..8 => self.renters[renter].0.key.insecure_clone(),
            8 => self.session.key.insecure_clone(),
            _ => self.suppliers.choose(&mut self.rng).unwrap().key.insecure_clone(),
        }
    }

    fn as_wallet(key: &Keypair) -> Wallet {
        Wallet { key: key.insecure_clone(), tokens: [[0; 32]; 2] }
    }

    /// One of the open leases, or now and then any of the latest.
    fn pick(&mut self) -> Option<usize> {
        let any = self.rng.random_range(0..4) == 0;
        let is_open = |at: &LeaseAt| {
            let account = self.market.account(&at.lease);
            account.is_some() && self.market.lease(&at.lease).state == LeaseState::Open
        };
        let open: Vec<usize> = (0..self.leases.len())
            .rev()
            .take(8)
            .filter(|index| any || is_open(&self.leases[*index].1))
            .collect();
        open.choose(&mut self.rng).copied()
    }

    /// Lines of a lease's page that exist, some of them.
    fn lines(&mut self, lease: usize, page: u16) -> Vec<(u8, DeviceAt, Key)> {
        let at = self.leases[lease].1.page(page);
        if self.market.account(&at).is_none() {
            return Vec::new();
        }
        let mut out = Vec::new();
        for (index, line) in self.market.lines(&at).iter().enumerate() {
            if self.rng.random_range(0..3) > 0 || out.is_empty() {
                let device = self.market.device_at(&line.device);
                out.push((index as u8, device, line.payout_owner));
            }
        }
        let start = self.rng.random_range(0..out.len().max(1));
        out.drain(..start.min(out.len()));
        out.truncate(self.rng.random_range(1..5));
        out
    }

    fn page(&mut self) -> u16 {
        u16::from(self.rng.random_range(0..8) == 0)
    }

    fn note<T>(&mut self, what: &'static str, result: &Result<T, Refusal>) {
        match result {
            Ok(_) => *self.done.entry(what).or_default() += 1,
            Err(Refusal::Market(_)) => {}
            // The runtime's own refusals here are accounts that are gone, or too little money.
            Err(Refusal::Other(_)) => {}
        }
    }

    fn run(
        &mut self,
        what: &'static str,
        ix: ionet_program_tests::interface::build::Ix,
        key: &Keypair,
    ) {
        let result = self.market.run(ix, &[key]);
        self.note(what, &result);
    }

    fn open(&mut self) {
        let who = self.rng.random_range(0..self.renters.len());
        let mut terms = self.market.terms();
        let rng = &mut self.rng;
        terms.mint_index = rng.random_range(0..2);
        terms.deposit = *[1_000, 50_001, USDC, 20 * USDC, 50 * USDC].choose(rng).unwrap();
        terms.slots_max = rng.random_range(2..40);
        terms.rate_per_slot_max = *[30_000, 3 * USDC, 5 * USDC].choose(rng).unwrap();
        terms.rate_total_max = terms.rate_per_slot_max * rng.random_range(1..9);
        terms.expires_at = self.market.now() + rng.random_range(5_000..400_000);
        terms.accept_s = *[0, 60, 120].choose(rng).unwrap();
        terms.vouch = *Vouch::ALL.choose(rng).unwrap();
        terms.session = self.session.at();
        terms.session_rights = SessionRights(rng.random_range(0..=3));
        let (wallet, counter) = &self.renters[who];
        let (ix, at) = self.market.open_ix(wallet, *counter, &terms);
        let key = wallet.key.insecure_clone();
        let result = self.market.run(ix, &[&key]);
        self.note("open_lease", &result);
        if result.is_ok() {
            self.renters[who].1 += 1;
            self.leases.push((who, at, terms.mint_index));
        }
    }

    fn bind(&mut self) {
        let Some(lease) = self.pick() else { return };
        let page = self.page();
        let mut lines = Vec::new();
        for _ in 0..self.rng.random_range(1..3) {
            let (_, device) = *self.devices.choose(&mut self.rng).unwrap();
            let units =
                if self.rng.random_range(0..9) == 0 { 0 } else { self.rng.random_range(1..3) };
            let Some(account) = self.market.account(&device.record) else { return };
            let ask = ionet_program_tests::interface::account::Device::decode(&account.data)
                .map_or(1, |d| d.asks[0].0);
            let more = self.rng.random_range(0..4) * 11;
            let rate = ask * u64::from(units) + more;
            let rate =
                if self.rng.random_range(0..9) == 0 { rate.saturating_sub(12) } else { rate };
            lines.push((device, units, rate));
        }
        let lines: Vec<(&DeviceAt, u16, u64)> = lines.iter().map(|l| (&l.0, l.1, l.2)).collect();
        let at = self.leases[lease].1;
        let ix = self.market.bind_ix(&self.market.coordinator, &at, page, &lines);
        let key = self.market.coordinator_key();
        self.run("bind", ix, &key);
    }

    fn start(&mut self) {
        let Some(lease) = self.pick() else { return };
        let page = self.page();
        let lines: Vec<u8> = self.lines(lease, page).iter().map(|l| l.0).collect();
        let at = self.leases[lease].1;
        if lines.is_empty() {
            return;
        }
        let ix = self.market.start_ix(&self.market.coordinator, &at, page, &lines[..1]);
        let key = self.market.coordinator_key();
        self.run("start", ix, &key);
    }

    fn attest(&mut self) {
        let Some(lease) = self.pick() else { return };
        let (page, actor) = (self.page(), self.actor(lease));
        let at = self.leases[lease].1;
        let v = self.market.account(&at.lease).map(|_| {
            let record = self.market.lease(&at.lease);
            record.v_at(ionet_program_tests::interface::Timestamp(self.market.now()))
        });
        let picked = self.lines(lease, page);
        let (Some(v), false) = (v, picked.is_empty()) else { return };
        let mut served = Vec::new();
        for (index, ..) in picked {
            let most = self.market.line(&at, page, index).served_max(v).0;
            let seconds = match self.rng.random_range(0..6) {
                0 => most.saturating_add(self.rng.random_range(0..2)),
                1 => self.rng.random_range(0..=most),
                _ => most,
            };
            served.push((index, seconds));
        }
        let ix = self.market.attest_ix(&Self::as_wallet(&actor), &at, page, &served);
        self.run("attest", ix, &actor);
    }

    /// A receipt that the coordinator signed, whoever carries it.
    fn claim(&mut self) {
        let Some(lease) = self.pick() else { return };
        let (page, at) = (self.page(), self.leases[lease].1);
        let picked = self.lines(lease, page);
        let Some((index, ..)) = picked.first().copied() else { return };
        let record = self.market.lease(&at.lease);
        let v = record.v_at(ionet_program_tests::interface::Timestamp(self.market.now()));
        let line = self.market.line(&at, page, index);
        let served_s = line.served_max(v).0 + u64::from(self.rng.random_range(0..5) == 0);
        let generation = line.generation;
        let receipt = Receipt { lease: at.lease, page, index, generation, served_s };
        let text = receipt.signing_bytes(&GENESIS, &PROGRAM_ID);
        let signed = self.market.signed_ix(&self.market.coordinator.key, &text);
        let claim = self.market.wrap(&self.market.claim_ix(&at, page, index, served_s));
        let result = self.market.send(&[signed, claim], &[]);
        self.note("claim_receipt", &result);
    }

    fn withdraw(&mut self) {
        let Some(lease) = self.pick() else { return };
        let page = self.page();
        let picked = self.lines(lease, page);
        if picked.is_empty() {
            return;
        }
        let (_, at, mint) = self.leases[lease];
        let to: Vec<(u8, Key)> = picked
            .iter()
            .map(|(index, _, owner)| {
                let wallet = self.suppliers.iter().find(|s| s.at() == *owner).unwrap();
                (*index, wallet.tokens[usize::from(mint)])
            })
            .collect();
        let ix = self.market.withdraw_ix(&at, page, &to);
        let result = self.market.run(ix, &[]);
        self.note("withdraw", &result);
    }

    fn end(&mut self) {
        let Some(lease) = self.pick() else { return };
        let (page, actor) = (self.page(), self.actor(lease));
        let picked = self.lines(lease, page);
        let at = self.leases[lease].1;
        if picked.is_empty() {
            return;
        }
        let lines: Vec<(u8, &DeviceAt)> = picked.iter().take(2).map(|l| (l.0, &l.1)).collect();
        let ix = self.market.end_ix(&Self::as_wallet(&actor), &at, page, &lines);
        self.run("end_line", ix, &actor);
    }

    fn reject(&mut self) {
        let Some(lease) = self.pick() else { return };
        let (page, actor) = (self.page(), self.actor(lease));
        let picked = self.lines(lease, page);
        let at = self.leases[lease].1;
        if picked.is_empty() {
            return;
        }
        let lines: Vec<(u8, &DeviceAt)> = picked.iter().take(1).map(|l| (l.0, &l.1)).collect();
        let ix = self.market.reject_ix(&Self::as_wallet(&actor), &at, page, &lines);
        self.run("reject", ix, &actor);
    }

    fn top_up(&mut self) {
        let Some(lease) = self.pick() else { return };
        let (renter, at, mint) = self.leases[lease];
        let amount = *[1, 999, USDC].choose(&mut self.rng).unwrap();
        let wallet = &self.renters[renter].0;
        let ix = self.market.top_up_ix(wallet, mint, &at, amount);
        let key = wallet.key.insecure_clone();
        self.run("top_up", ix, &key);
    }

    fn close(&mut self) {
        let Some(lease) = self.pick() else { return };
        let (actor, at) = (self.actor(lease), self.leases[lease].1);
        let reason = *CloseReason::ALL.choose(&mut self.rng).unwrap();
        let wallet = Self::as_wallet(&actor);
        let ix = if self.rng.random() {
            self.market.close_ix(&wallet, &at, reason)
        } else {
            self.market.close_only_ix(&wallet, &at, reason)
        };
        self.run("close", ix, &actor);
    }

    fn settle(&mut self) {
        let Some(lease) = self.pick() else { return };
        let at = self.leases[lease].1;
        let (what, ix) = match self.rng.random_range(0..3) {
            0 => ("refund", self.market.refund_ix(&at)),
            1 => ("finalize", self.market.finalize_ix(&at)),
            _ => ("sweep_fees", self.market.sweep_ix(&at)),
        };
        let result = self.market.run(ix, &[]);
        self.note(what, &result);
    }

    /// Leads one lease that is closed as far to its end as it goes.
    fn reclaim(&mut self) {
        let Some(lease) = self.pick() else { return };
        let at = self.leases[lease].1;
        if self.market.account(&at.lease).is_none()
            || self.market.lease(&at.lease).state == LeaseState::Open
        {
            return;
        }
        let result = self.market.run(self.market.finalize_ix(&at), &[]);
        self.note("finalize", &result);
        let key = self.market.coordinator_key();
        for page in 0..2 {
            for index in 0..24 {
                self.finish_line(lease, page, index, &key);
            }
            let ix = self.market.reclaim_page_ix(&at, page, &self.market.coordinator);
            let result = self.market.run(ix, &[]);
            self.note("reclaim_page", &result);
        }
        let _ = self.market.run(self.market.sweep_ix(&at), &[]);
        let result = self.market.run(self.market.reclaim_lease_ix(&at), &[]);
        self.note("reclaim_lease", &result);
    }

    fn finish_line(&mut self, lease: usize, page: u16, index: u8, key: &Keypair) {
        let (_, at, mint) = self.leases[lease];
        if self.market.account(&at.page(page)).is_none() {
            return;
        }
        let lines = self.market.lines(&at.page(page));
        let Some(line) = lines.get(usize::from(index)) else { return };
        if line.is_live() {
            let device = self.market.device_at(&line.device);
            let ix = self.market.end_ix(&Self::as_wallet(key), &at, page, &[(index, &device)]);
            self.run("end_line", ix, key);
        }
        let owner = self.suppliers.iter().find(|s| s.at() == line.payout_owner).unwrap();
        let to = owner.tokens[usize::from(mint)];
        if line.owed() != Some(line.paid) {
            let result = self.market.run(self.market.withdraw_ix(&at, page, &[(index, to)]), &[]);
            self.note("withdraw", &result);
        }
    }

    fn device(&mut self) {
        let (owner, device) = *self.devices.choose(&mut self.rng).unwrap();
        let supplier = &self.suppliers[owner];
        let key = supplier.key.insecure_clone();
        if self.rng.random_range(0..4) == 0 {
            let ix = self.market.retire_ix(supplier, &device);
            let result = self.market.run(ix, &[&key]);
            self.note("retire_device", &result);
            if result.is_ok() {
                let again = self.market.register(&self.suppliers[owner], 2, 3_600);
                self.devices.retain(|known| known.1 != device);
                self.devices.push((owner, again));
            }
            return;
        }
        let mut offer = self.market.offer(supplier, self.rng.random_range(0..25), 1);
        offer.asks = [Rate(*[0, 5, 1_000, 3_600, USDC].choose(&mut self.rng).unwrap()); 2];
        offer.payout_owner = self.suppliers.choose(&mut self.rng).unwrap().at();
        let ix = self.market.update_ix(supplier, &device, offer);
        self.run("update_device", ix, &key);
    }

    fn gift(&mut self) {
        let Some(lease) = self.pick() else { return };
        let (_, at, mint) = self.leases[lease];
        let from = &self.session;
        let ix = transfer(&from.tokens[usize::from(mint)], &at.vault, &from.at(), 17);
        let key = from.key.insecure_clone();
        let result = self.market.send(&[ix], &[&key]);
        self.note("gift", &result);
    }
}

fn sums(market: &Market, books: &Books) -> [u128; 2] {
    market.mints.map(|mint| books.in_circulation(&mint))
}

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn tokens_are_conserved_and_claims_are_covered() {
    let steps = env("IONET_FUZZ_STEPS").map_or(STEPS, |steps| steps as usize);
    let first = env("IONET_FUZZ_SEED").unwrap_or(1);
    let mut done = std::collections::BTreeMap::<&str, usize>::new();
    for seed in (first..).take(steps.div_ceil(HISTORY)) {
        let mut at = 0;
        let run = std::panic::AssertUnwindSafe(|| {
            let mut history = History::new(seed);
            for step in 0..HISTORY.min(steps) {
                at = step;
                history.step();
            }
            history.done
        });
        match std::panic::catch_unwind(run) {
            Ok(counts) => counts.into_iter().for_each(|(k, n)| *done.entry(k).or_default() += n),
            Err(panic) => {
                eprintln!("IONET_FUZZ_SEED={seed} IONET_FUZZ_STEPS={HISTORY} fails at step {at}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    eprintln!("{done:?}");
    if steps >= STEPS {
        for what in [
            "attest",
            "bind",
            "claim_receipt",
            "close",
            "end_line",
            "finalize",
            "open_lease",
            "reclaim_lease",
            "reclaim_page",
            "refund",
            "reject",
            "start",
            "sweep_fees",
            "top_up",
            "withdraw",
        ] {
            assert!(done.get(what).is_some_and(|n| *n > 0), "{what} never succeeded");
        }
    }
}
