//! Thousands of random steps by random people with jumps of time. After each: every token is
//! somewhere, and what is owed never exceeds what is committed, nor that the deposit. The seed
//! stands in the panic's message.

use crate::world::{Key, Opened, World, at, device_at, page_at};
use ionet_market_interface::account::{CloseReason, LeaseState, LineState, SessionRights};
use ionet_market_interface::build::{self, Ix};
use ionet_market_interface::instruction::Served;
use ionet_market_interface::{BaseUnits, Seconds};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use solana_keypair::Keypair;

/// Together over ten thousand steps; another seed is one environment variable away.
const HISTORIES: u64 = 25;
const STEPS: usize = 420;

struct Stage {
    world: World,
    rng: StdRng,
    renters: Vec<(Keypair, Key)>,
    suppliers: Vec<(Keypair, Key)>,
    session: Keypair,
    devices: Vec<(Key, usize)>,
    leases: Vec<(Opened, usize)>,
    fee_token: Key,
    total: u64,
    done: usize,
}

impl Stage {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        let renters: Vec<_> = (0..2).map(|_| world.wallet()).collect();
        let suppliers: Vec<_> = (0..2).map(|_| world.wallet()).collect();
        let mut devices = Vec::new();
        for owner in [0, 0, 1] {
            let ask = [1, 700, 5_000_000][devices.len()];
            let device = world.register(&suppliers[owner].0, 3, ask);
            devices.push((at(&device), owner));
        }
        let (owner, usdc) = (at(&world.fee_owner), world.mints[0]);
        let fee_token = world.tokens(owner, usdc, 0);
        let total = world.held();
        let (rng, session) = (StdRng::seed_from_u64(seed), Keypair::new());
        let (leases, done) = (Vec::new(), 0);
        Self { world, rng, renters, suppliers, session, devices, leases, fee_token, total, done }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.rng.random_range(0..below)
    }

    /// Anyone who might sign, the wrong ones as often as the right.
    fn actor(&mut self) -> Keypair {
        let pick = self.pick(10);
        match pick {
            7.. => self.world.coordinator.insecure_clone(),
            0 | 1 => self.renters[pick].0.insecure_clone(),
            2 | 3 => self.suppliers[pick - 2].0.insecure_clone(),
            _ => self.session.insecure_clone(),
        }
    }

    fn step(&mut self) {
        let choice = self.pick(24);
        let jump = match choice {
            0..=12 => self.rng.random_range(0..90),
            13 if self.pick(6) == 0 => self.rng.random_range(0..400_000),
            14 => -self.rng.random_range(0..50),
            _ => 0,
        };
        self.world.pass(jump);
        if self.leases.len() < 12 && self.pick(16) == 0 || self.leases.is_empty() {
            self.open();
            return;
        }
        let newest = self.leases.len().min(3);
        let pick = self.leases.len() - 1 - self.pick(newest);
        let (opened, renter) = self.leases[pick];
        if self.world.data(opened.lease).is_none() {
            return;
        }
        self.act(opened, renter);
    }

    fn open(&mut self) {
        let renter = self.pick(self.renters.len());
        let deposit = [100, 5_000, 9_000_000, 40_000_000][self.pick(4)];
        let accept_s = [0, 0, 30, 120][self.pick(4)];
        let (key, source) = (self.renters[renter].0.insecure_clone(), self.renters[renter].1);
        let session = at(&self.session);
        let opened = self.world.open(&key, source, deposit, |args| {
            args.accept_s = accept_s;
            args.session = session;
            args.session_rights = SessionRights::ALL;
            args.expires_at.0 -= 25 * 86_400;
        });
        if let Ok(opened) = opened {
            self.done += 1;
            self.leases.push((opened, renter));
        }
    }

    fn act(&mut self, opened: Opened, renter: usize) {
        let Opened { lease, vault } = opened;
        let page = page_at(&lease, 0).0;
        let lines = self.world.lines(page);
        let actor = self.actor();
        let index = if lines.is_empty() { 0 } else { self.pick(lines.len()) as u8 };
        let line = lines.get(usize::from(index));
        let device = line.map_or([3; 32], |line| device_at(&line.device));
        let refund_to = self.renters[renter].1;
        let payout = line.map_or(refund_to, |line| self.token_of(&line.payout_owner));
        let run: Ix = match self.pick(16) {
            0 | 1 => return self.bind(&actor, lease),
            2..=4 => build::start(at(&actor), lease, page, 0, &[index]),
            5 => build::reject(at(&actor), lease, page, &[device], &[index]),
            6 => build::end_line(at(&actor), lease, page, &[device], 0, &[index]),
            7..=9 => {
                let now = ionet_market_interface::Timestamp(self.world.now());
                let most = line.map_or(0, |l| l.served_max(self.world.lease(lease).v_at(now)).0);
                let served = Seconds(self.rng.random_range(0..=most.saturating_add(1)));
                build::attest(at(&actor), lease, page, 0, &[Served { index, served }])
            }
            10 => build::withdraw(lease, page, vault, &[payout, payout], &[index, index]),
            11 => {
                let amount = BaseUnits([1, 40, 900_000][self.pick(3)]);
                let (key, source) = &self.renters[renter];
                let (key, source) = (key.insecure_clone(), *source);
                let ix = build::top_up(at(&key), source, lease, vault, amount);
                self.run(&ix, &key);
                return;
            }
            12 if self.pick(4) == 0 => {
                let to = (self.pick(2) == 0).then_some(refund_to);
                build::close(at(&actor), lease, vault, to, 0, CloseReason::Finished)
            }
            13 => build::refund(lease, vault, refund_to),
            14 => build::finalize(lease, vault, refund_to),
            15 => build::sweep_fees(self.world.config, lease, vault, self.fee_token),
            _ => {
                let payer = at(&self.world.payer);
                let ix = build::reclaim_page(lease, page, payer);
                self.run(&ix, &actor);
                build::reclaim_lease(lease, vault, refund_to, payer)
            }
        };
        self.run(&run, &actor);
    }

    fn run(&mut self, ix: &Ix, actor: &Keypair) {
        let signs = ix.accounts.iter().any(|meta| meta.signer && meta.address == at(actor));
        let signers: &[&Keypair] = if signs { &[actor] } else { &[] };
        self.done += usize::from(self.world.run(ix, signers).is_ok());
    }

    fn bind(&mut self, actor: &Keypair, lease: Key) {
        let pick = self.pick(self.devices.len());
        let (device, _) = self.devices[pick];
        let units = self.rng.random_range(1..=3u16);
        let ask = self.world.device(device).asks[0].0;
        let rate = ask * u64::from(units) + self.rng.random_range(0..100);
        let bound = self.world.bind_as(actor, 0, lease, 0, &[(device, units, rate)]);
        self.done += usize::from(bound.is_ok());
    }

    fn token_of(&self, owner: &Key) -> Key {
        let own = |(key, token): &(Keypair, Key)| (at(key) == *owner).then_some(*token);
        self.suppliers.iter().find_map(own).unwrap()
    }

    /// Every token is somewhere, and the promises hold.
    fn check(&self) {
        let vaults: u64 = self.leases.iter().map(|(o, _)| self.world.balance(o.vault)).sum();
        assert_eq!(self.world.held() + vaults, self.total, "tokens are conserved");
        let mut bound = vec![0u16; self.devices.len()];
        for (opened, _) in &self.leases {
            if self.world.data(opened.lease).is_none() {
                continue;
            }
            let lease = self.world.lease(opened.lease);
            let claimed = lease.owed.0 + lease.fees.0;
            let mut clock = lease.clock();
            clock.advance(ionet_market_interface::Timestamp(self.world.now())).unwrap();
            let committed = match lease.state {
                LeaseState::Open => clock.committed.0,
                LeaseState::Closed | LeaseState::Finalized => lease.committed.0,
            };
            assert!(claimed <= committed, "claims {claimed} exceed {committed}");
            assert!(committed <= lease.deposit.0);
            assert!(self.world.balance(opened.vault) >= lease.reserved().unwrap().0);
            let lines = self.world.lines(page_at(&opened.lease, 0).0);
            if lease.pages_live > 0 {
                let owed: u64 = lines.iter().map(|line| line.owed().unwrap().0).sum();
                let paid: u64 = lines.iter().map(|line| line.paid.0).sum();
                let fees: u64 = lines.iter().map(|l| l.fee(lease.fee_bps).unwrap().0).sum();
                assert_eq!((owed, paid, fees), (lease.owed.0, lease.paid.0, lease.fees.0));
                assert!(lines.iter().all(|l| l.state != LineState::Rejected || l.paid.0 == 0));
            }
            for line in lines.iter().filter(|line| line.is_live()) {
                let at = self.devices.iter().position(|(key, _)| *key == line.device).unwrap();
                bound[at] += line.units;
            }
        }
        for ((device, _), bound) in self.devices.iter().zip(bound) {
            let record = self.world.device(*device);
            assert_eq!(record.units_bound, bound, "units are those of live lines");
            assert!(record.units_bound <= record.units_total);
        }
    }

    /// Closes everything, and every lease pays out to the last base unit.
    fn settle(&mut self) {
        for (opened, renter) in self.leases.clone() {
            let Opened { lease, vault } = opened;
            if self.world.data(lease).is_none() {
                continue;
            }
            let (key, token) = (self.renters[renter].0.insecure_clone(), self.renters[renter].1);
            let close = build::close(at(&key), lease, vault, None, 0, CloseReason::None);
            let _maybe_closed = self.world.run(&close, &[&key]);
            // The longest window, and time that a test sent backwards.
            self.world.pass(200);
            let page = page_at(&lease, 0).0;
            let _maybe_final = self.world.run(&build::finalize(lease, vault, token), &[]);
            for (index, line) in self.world.lines(page).iter().enumerate() {
                let index = index as u8;
                if line.is_live() {
                    let device = device_at(&line.device);
                    let end = build::end_line(at(&key), lease, page, &[device], 0, &[index]);
                    self.world.run(&end, &[&key]).unwrap();
                }
                let to = self.token_of(&line.payout_owner);
                let pay = build::withdraw(lease, page, vault, &[to], &[index]);
                self.world.run(&pay, &[]).unwrap();
            }
            let sweep = build::sweep_fees(self.world.config, lease, vault, self.fee_token);
            self.world.run(&sweep, &[]).unwrap();
            let payer = at(&self.world.payer);
            if self.world.data(page).is_some() {
                self.world.run(&build::reclaim_page(lease, page, payer), &[]).unwrap();
            }
            let reclaim = build::reclaim_lease(lease, vault, token, payer);
            self.world.run(&reclaim, &[]).unwrap();
            assert_eq!(self.world.lamports(lease) + self.world.lamports(vault), 0);
        }
        assert_eq!(self.world.held(), self.total, "every token is back in a wallet");
    }
}

#[test]
fn tokens_are_conserved_over_random_histories() {
    let first = std::env::var("IONET_SEED").ok().and_then(|s| s.parse().ok());
    let seeds = first.map_or(0..HISTORIES, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let mut stage = Stage::new(seed);
        for step in 0..STEPS {
            stage.step();
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.check()));
            assert!(checked.is_ok(), "seed {seed}, step {step}: set IONET_SEED={seed} to replay");
        }
        stage.settle();
        // A history in which nearly everything is refused would show nothing.
        assert!(stage.done > STEPS / 8, "seed {seed}: only {} steps had an effect", stage.done);
    }
}
