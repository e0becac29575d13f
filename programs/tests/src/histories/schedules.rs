//! Order cannot matter: the same facts, told in any order, in single or joint calls, by attests
//! or receipts, with withdrawals at any time, leave everyone with the same, to the base unit.

use super::cast::{COORDINATORS, GENESIS, RENTERS, SESSIONS, SUPPLIERS, Stage};
use super::ending;
use super::generator;
use super::moves::{Form, Move, send, signed};
use super::tally::Tally;
use super::world::World;
use super::{Driver, StdRng};
use crate::model::{Derived, Key, Line, Part, find};
use ionet_market_interface::account::{CloseReason, LineState, SessionRights, Vouch};
use ionet_market_interface::build::{self, Ix, OpenLeaseAccounts};
use ionet_market_interface::instruction::{
    Bind, BindLine, ClaimReceipt, Offer, OpenLease, RegisterDevice, Served,
};
use ionet_market_interface::statement::Receipt;
use ionet_market_interface::{BaseUnits, PROGRAM_ID, Rate, Seconds, Timestamp};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};

/// Schedules of each set of facts.
const SCHEDULES: u64 = 3;
/// Longer than any acceptance window, shorter than any claim window here.
const AFTER_CLOSING_S: i64 = 200;

/// Plays the same facts on several schedules and compares what everybody has at the end.
pub(super) fn compare(stage: &Stage, seed: u64, tally: &mut Tally) -> Result<(), String> {
    let mut first: Option<Vec<u64>> = None;
    for schedule in 0..SCHEDULES {
        let ended = Play::new(stage, seed, schedule).run(tally);
        let ended = ended.map_err(|why| format!("seed {seed}, schedule {schedule}: {why}"))?;
        match &first {
            None => first = Some(ended),
            Some(first) if *first == ended => {}
            Some(first) => {
                return Err(format!(
                    "seed {seed}: schedule 0 ends with {first:?}, {schedule} with {ended:?}"
                ));
            }
        }
    }
    Ok(())
}

struct Play {
    world: World,
    /// What happens, the same on every schedule.
    facts: StdRng,
    /// When it is told.
    schedule: StdRng,
    lease: Key,
    /// What is known of each line: page, index, seconds served.
    known: Vec<(u16, u8, u64)>,
}

impl Play {
    fn new(stage: &Stage, seed: u64, schedule: u64) -> Self {
        Self {
            world: stage.world(crate::START),
            facts: generator(seed, u64::MAX),
            schedule: generator(seed, u64::MAX - 1 - schedule),
            lease: [0; 32],
            known: Vec::new(),
        }
    }

    fn run(mut self, tally: &mut Tally) -> Result<Vec<u64>, String> {
        let begin = Driver::new(&self.world, generator(7, 0)).begin();
        self.world.act(&begin, tally)?;
        self.open(tally)?;
        for _ in 0..self.facts.random_range(4..12) {
            self.something_happens(tally)?;
            let pause = self.facts.random_range(1..3_000);
            self.world.act(&Move::Pass(pause), tally)?;
            self.learn();
            self.tell(false, tally)?;
        }
        let renter = self.world.chain.lease(&self.lease).expect("a lease").renter;
        let close = build::close(renter, self.lease, [0; 32], None, 0, CloseReason::None);
        self.must(close, tally)?;
        self.world.act(&Move::Pass(AFTER_CLOSING_S), tally)?;
        self.tell(true, tally)?;
        ending::end(&mut self.world, tally)?;
        let people = &self.world.cast.people;
        let accounts = people.iter().flat_map(|person| person.tokens);
        Ok(accounts.map(|at| self.world.balance(&at)).collect())
    }

    fn must(&mut self, ix: Ix, tally: &mut Tally) -> Result<(), String> {
        self.world.must(vec![Part::Market(ix)], tally)
    }

    /// A lease with lines on devices of different people, all bound.
    fn open(&mut self, tally: &mut Tally) -> Result<(), String> {
        let cast = std::rc::Rc::clone(&self.world.cast);
        let renter = &cast.people[self.facts.random_range(RENTERS)];
        let (lease, lease_bump) = find(Derived::Lease(renter.at, 0));
        let (vault, vault_bump) = find(Derived::Vault(lease));
        let (counter, counter_bump) = find(Derived::Counter(renter.at));
        let config = find(Derived::Config).0;
        self.lease = lease;
        let accounts = OpenLeaseAccounts {
            renter: renter.at,
            payer: renter.at,
            config,
            counter,
            lease,
            vault,
            mint: cast.mints[0],
            source: renter.tokens[0],
        };
        let deposits = [2_000, 3_000_003, 50_000_000, 900_000_000];
        let args = OpenLease {
            counter_bump,
            lease_bump,
            vault_bump,
            vouch: Vouch::Either,
            session_rights: SessionRights::ALL,
            accept_s: *[0, 0, 30, 120].choose(&mut self.facts).expect("one"),
            slots_max: 40,
            counter: 0,
            deposit: BaseUnits(*deposits.choose(&mut self.facts).expect("one")),
            rate_per_slot_max: Rate(1 << 40),
            rate_total_max: Rate(1 << 50),
            expires_at: Timestamp(self.world.chain.now + self.facts.random_range(2_000..40_000)),
            session: cast.people[SESSIONS.start].at,
            coordinator: cast.people[COORDINATORS.start].at,
            policy_hash: [9; 32],
        };
        self.must(build::open_lease(&accounts, &args), tally)?;
        for (page, capacity) in [(0, 8), (1, 4)] {
            self.bind(page, capacity, tally)?;
        }
        Ok(())
    }

    fn bind(&mut self, page: u16, capacity: u8, tally: &mut Tally) -> Result<(), String> {
        let cast = std::rc::Rc::clone(&self.world.cast);
        let coordinator = cast.people[COORDINATORS.start].at;
        let (page_at, page_bump) = find(Derived::Page(self.lease, page));
        let args = Bind { epoch: 0, page, page_bump, capacity };
        let (mut devices, mut lines) = (Vec::new(), Vec::new());
        for index in 0..capacity {
            let place = usize::from(page) * 8 + usize::from(index);
            let device = cast.devices[place].1;
            let rate = *[1, 7, 3_601, 999_983, 1_000_000].choose(&mut self.facts).expect("one");
            self.register(&device, rate, tally)?;
            devices.push(find(Derived::Device(device)).0);
            lines.push(BindLine { units: 1, rate: Rate(rate) });
            self.known.push((page, index, 0));
        }
        let who = coordinator;
        self.must(build::bind(who, who, self.lease, page_at, &devices, &args, &lines), tally)
    }

    fn register(&mut self, device: &Key, ask: u64, tally: &mut Tally) -> Result<(), String> {
        let cast = std::rc::Rc::clone(&self.world.cast);
        let supplier = cast.people[self.facts.random_range(SUPPLIERS)].at;
        let (record, bump) = find(Derived::Device(*device));
        let offer = Offer {
            units_total: 1,
            asks: [Rate(ask); 2],
            payout_owner: supplier,
            expires_at: Timestamp(self.world.chain.now + 1_000_000),
            accepts_any: true,
            coordinators_len: 0,
            coordinators: [[0; 32]; 4],
        };
        let args = RegisterDevice { bump, statement_expires: Timestamp(0), offer };
        let config = find(Derived::Config).0;
        let ix = build::register_device(supplier, supplier, record, config, *device, true, &args);
        self.must(ix, tally)
    }

    fn line(&self, page: u16, index: u8) -> &Line {
        let page = self.world.chain.page(&find(Derived::Page(self.lease, page)).0);
        &page.expect("a page").lines[usize::from(index)]
    }

    /// A start, an end, a top-up, or nothing. It may be refused, on every schedule alike.
    fn something_happens(&mut self, tally: &mut Tally) -> Result<(), String> {
        let chosen = self.facts.random_range(0..self.known.len());
        let (page, index, _) = self.known[chosen];
        let (what, many) = (self.facts.random_range(0..8), self.facts.random_range(1..5));
        let coordinator = self.world.cast.people[COORDINATORS.start].at;
        let page_at = find(Derived::Page(self.lease, page)).0;
        let ix = match what {
            0..5 => {
                let bound = self
                    .known
                    .iter()
                    .filter(|(p, i, _)| *p == page && self.line(*p, *i).state == LineState::Bound);
                let lines: Vec<u8> = bound.take(many).map(|(_, i, _)| *i).collect();
                if lines.is_empty() {
                    return Ok(());
                }
                build::start(coordinator, self.lease, page_at, 0, &lines)
            }
            5 => {
                let device = find(Derived::Device(self.line(page, index).device)).0;
                build::end_line(coordinator, self.lease, page_at, &[device], 0, &[index])
            }
            6 => {
                let lease = self.world.chain.lease(&self.lease).expect("a lease");
                let (renter, vault) = (lease.renter, lease.vault);
                let source = ending::account_of(&self.world, &renter, &lease.mint);
                let amount = BaseUnits(self.facts.random_range(1..2_000_000));
                build::top_up(renter, source, self.lease, vault, amount)
            }
            _ => return Ok(()),
        };
        self.world.act(&send(vec![Part::Market(ix)]), tally)
    }

    /// Some lines are seen to have served longer.
    fn learn(&mut self) {
        let lease = self.world.chain.lease(&self.lease).expect("a lease");
        let v = lease.clock.shows(self.world.chain.now);
        for at in 0..self.known.len() {
            let (page, index, seconds) = self.known[at];
            let most = u64::try_from(self.line(page, index).served_max(v)).expect("seconds");
            if self.facts.random_range(0..3) > 0 {
                self.known[at].2 = self.facts.random_range(seconds..=most.max(seconds));
            }
        }
    }

    /// Tells some of what is known, or all, in one of many ways.
    fn tell(&mut self, all: bool, tally: &mut Tally) -> Result<(), String> {
        let mut left = self.known.clone();
        left.shuffle(&mut self.schedule);
        if !all {
            left.truncate(self.schedule.random_range(0..=left.len()));
        }
        while !left.is_empty() {
            let many = self.schedule.random_range(1..=left.len().min(8));
            let page = left[0].0;
            let mut now: Vec<(u16, u8, u64)> = Vec::new();
            left.retain(|one| {
                let taken = one.0 == page && now.len() < many;
                if taken {
                    now.push(*one);
                }
                !taken
            });
            self.tell_these(page, &now, all, tally)?;
            self.draw(page, tally)?;
        }
        Ok(())
    }

    fn tell_these(
        &mut self,
        page: u16,
        these: &[(u16, u8, u64)],
        all: bool,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let page_at = find(Derived::Page(self.lease, page)).0;
        let mut parts = Vec::new();
        if self.schedule.random_range(0..3) == 0 {
            for (_, index, seconds) in these {
                parts.push(self.receipt(page, *index, *seconds));
            }
        } else {
            let served = |one: &(u16, u8, u64)| Served { index: one.1, served: Seconds(one.2) };
            let served: Vec<Served> = these.iter().map(served).collect();
            let who = [COORDINATORS.start, SESSIONS.start];
            let who = self.world.cast.people[*who.choose(&mut self.schedule).expect("one")].at;
            parts.push(vec![Part::Market(build::attest(who, self.lease, page_at, 0, &served))]);
        }
        for part in parts {
            // Inside of an acceptance window nothing is taken; at the end everything is.
            if all {
                self.world.must(part, tally)?;
            } else {
                self.world.act(&send(part), tally)?;
            }
        }
        Ok(())
    }

    fn receipt(&self, page: u16, index: u8, seconds: u64) -> Vec<Part> {
        let receipt = Receipt {
            lease: self.lease,
            page,
            index,
            generation: self.line(page, index).generation,
            served_s: seconds,
        };
        let key = &self.world.cast.people[COORDINATORS.start].key;
        let text = receipt.signing_bytes(&GENESIS, &PROGRAM_ID);
        let args = ClaimReceipt { index, served: Seconds(seconds) };
        let (page, config) = (find(Derived::Page(self.lease, page)).0, find(Derived::Config).0);
        let ix = build::claim_receipt(self.lease, page, config, &args);
        vec![signed(key, &text, Form::Plain, 0), Part::Market(ix)]
    }

    /// Sometimes some lines are paid, sometimes the fees are swept.
    fn draw(&mut self, page: u16, tally: &mut Tally) -> Result<(), String> {
        let page_at = find(Derived::Page(self.lease, page)).0;
        let lease = self.world.chain.lease(&self.lease).expect("a lease");
        let (vault, mint) = (lease.vault, lease.mint);
        if self.schedule.random_range(0..3) == 0 {
            let lines = self.world.chain.page(&page_at).expect("a page").lines.clone();
            let many = self.schedule.random_range(1..=lines.len());
            let indexes: Vec<u8> = (0..lines.len() as u8).collect();
            let chosen: Vec<u8> =
                indexes.choose_multiple(&mut self.schedule, many).copied().collect();
            let owner = |i: &u8| lines[usize::from(*i)].payout;
            let to: Vec<Key> =
                chosen.iter().map(|i| ending::account_of(&self.world, &owner(i), &mint)).collect();
            self.must(build::withdraw(self.lease, page_at, vault, &to, &chosen), tally)?;
        }
        if self.schedule.random_range(0..6) == 0 {
            let owner = self.world.cast.people[super::cast::FEE_OWNER].at;
            let to = ending::account_of(&self.world, &owner, &mint);
            let config = find(Derived::Config).0;
            self.must(build::sweep_fees(config, self.lease, vault, to), tally)?;
        }
        Ok(())
    }
}
