//! Steps with lines: binding, starting, vouching, ending, paying.

use super::cast::{COORDINATORS, GENESIS, SPONSOR};
use super::driver::Driver;
use super::moves::signed;
use crate::model::{Derived, Device, Key, Lease, Line, Page, Part, find};
use ionet_market_interface::account::{LeaseState, LineState, Vouch};
use ionet_market_interface::build::{self, Ix};
use ionet_market_interface::instruction::{Bind, BindLine, ClaimReceipt, Served};
use ionet_market_interface::statement::Receipt;
use ionet_market_interface::{PROGRAM_ID, Rate, Seconds};
use rand::Rng;
use rand::seq::IndexedRandom;

impl Driver<'_> {
    pub(super) fn bind(&mut self) -> Option<Ix> {
        let now = self.world.chain.now;
        let (at, lease) = self.lease(|lease| {
            let time = now < lease.clock.expires_at && lease.state == LeaseState::Open;
            time && lease.slots_live < lease.slots_max
                && lease.rate_live < u128::from(lease.rate_total_max)
        })?;
        let lines = self.lines_to_bind(lease)?;
        let (page, capacity) = self.page_to_bind(&at, lease, lines.len());
        let (page_at, page_bump) = find(Derived::Page(at, page));
        let args = Bind { epoch: self.epoch(lease), page, page_bump, capacity };
        let coordinator = self.actor(lease.coordinator);
        let sponsor = self.cast.people[SPONSOR].at;
        let payer = if self.chance(30) { sponsor } else { coordinator };
        let (devices, lines): (Vec<Key>, Vec<BindLine>) = lines.into_iter().unzip();
        Some(build::bind(coordinator, payer, at, page_at, &devices, &args, &lines))
    }

    /// Devices that the lease can take, one or up to eight, within its ceilings; seldom beyond.
    fn lines_to_bind(&mut self, lease: &Lease) -> Option<Vec<(Key, BindLine)>> {
        let (now, any) = (self.world.chain.now, self.chance(3));
        let mint = usize::from(lease.mint_index & 1);
        let fits = |device: &Device| {
            let ask = device.offer.asks[mint].0;
            let offered = now < device.offer.expires_at.0 && device.accepts(&lease.coordinator);
            offered
                && (1..=lease.rate_per_slot_max).contains(&ask)
                && device.bound < device.offer.units_total
        };
        let devices: Vec<(&Key, &Device)> =
            self.world.chain.devices().filter(|(_, device)| any || fits(device)).collect();
        let many = self.one(&[1, 1, 2, 3, 8]);
        let (mut lines, mut rate, mut slots) = (Vec::new(), lease.rate_live, lease.slots_live);
        let mut taken: Vec<(Key, u16)> = Vec::new();
        for _ in 0..many {
            let (at, device) = *devices.choose(&mut self.rng)?;
            let before: u16 = taken.iter().filter(|t| t.0 == *at).map(|t| t.1).sum();
            let free = device.offer.units_total - device.bound;
            let mut units = self.rng.random_range(1..4).min(free.saturating_sub(before));
            let ask = device.offer.asks[mint].0;
            let mut line = ask.saturating_mul(u64::from(units));
            line = line.saturating_add(self.one(&[0, 0, 1, 33]));
            match self.rng.random_range(0..150) {
                0 => line = line.saturating_sub(34),
                1 => units = 0,
                2 => line = lease.rate_per_slot_max.saturating_add(1),
                3 => line = line.saturating_add(self.rng.random::<u64>() >> 1),
                _ => {
                    line = line.min(lease.rate_per_slot_max);
                    let gross = u128::from(line) * 10_500 / 10_000 + 1;
                    let within = rate + gross <= u128::from(lease.rate_total_max)
                        && slots < lease.slots_max
                        && units > 0
                        && line >= ask.saturating_mul(u64::from(units));
                    if !within && !self.chance(8) {
                        continue;
                    }
                    (rate, slots) = (rate + gross, slots.saturating_add(1));
                }
            }
            taken.push((*at, units));
            lines.push((*at, BindLine { units, rate: Rate(line) }));
        }
        (!lines.is_empty()).then_some(lines)
    }

    fn page_to_bind(&mut self, lease_at: &Key, lease: &Lease, lines: usize) -> (u16, u8) {
        let capacity = self.one(&[1, 2, 8, 8, 24]).max(lines.min(8) as u8);
        let with_room: Vec<u16> = (0..lease.pages_made)
            .filter(|number| {
                let page = self.world.chain.page(&find(Derived::Page(*lease_at, *number)).0);
                page.is_some_and(|page| page.lines.len() + lines <= usize::from(page.capacity))
            })
            .collect();
        match with_room.choose(&mut self.rng) {
            Some(page) if self.chance(85) => (*page, capacity),
            _ if self.chance(97) => (lease.pages_made, capacity),
            _ => (self.rng.random_range(0..4), self.rng.random_range(0..26)),
        }
    }

    pub(super) fn start(&mut self) -> Option<Ix> {
        let now = self.world.chain.now;
        let (lease, at, page, lines) = self.lines(|lease, line| {
            let clock = &lease.clock;
            let funded = clock.committed < clock.deposit && now < clock.expires_at;
            funded && lease.state == LeaseState::Open && line.state == LineState::Bound
        })?;
        let (who, epoch) = (self.actor(lease.coordinator), self.epoch(lease));
        Some(build::start(who, page.lease, at, epoch, &lines))
    }

    /// The accounts of the lines' devices.
    fn devices_of(&self, page: &Page, lines: &[u8]) -> Vec<Key> {
        let line = |i: &u8| &page.lines[usize::from(*i)];
        lines.iter().map(|i| find(Derived::Device(line(i).device)).0).collect()
    }

    pub(super) fn reject(&mut self) -> Option<Ix> {
        let now = self.world.chain.now;
        let (lease, at, page, lines) = self.lines(|lease, line| {
            let fresh = now <= line.started_at + i64::from(lease.accept_s) && lease.accept_s > 0;
            let started = line.started_at != 0 && line.state != LineState::Rejected;
            fresh && started && lease.state != LeaseState::Finalized
        })?;
        let by_session = lease.session != [0; 32] && self.chance(40);
        let who = self.actor(if by_session { lease.session } else { lease.renter });
        let devices = self.devices_of(page, &lines);
        Some(build::reject(who, page.lease, at, &devices, &lines))
    }

    pub(super) fn end_line(&mut self) -> Option<Ix> {
        let crowded = self.chance(40);
        let (lease, at, page, lines) = self
            .lines(|lease, line| line.is_live() && (crowded || lease.state != LeaseState::Open))?;
        let devices = self.devices_of(page, &lines);
        let supplier = self.world.chain.device(&devices[0]).map(|device| device.supplier);
        let right = match self.rng.random_range(0..4) {
            0 => lease.renter,
            1 if lease.session != [0; 32] => lease.session,
            2 => supplier.unwrap_or(lease.renter),
            _ => lease.coordinator,
        };
        let (who, epoch) = (self.actor(right), self.epoch(lease));
        Some(build::end_line(who, page.lease, at, &devices, epoch, &lines))
    }

    /// Lines that have served more than was vouched for, and how much more can be.
    fn unvouched(&mut self) -> Option<(&Lease, Key, &Page, Vec<Served>)> {
        let now = self.world.chain.now;
        let world = self.world;
        let shown = |lease: &Lease| match lease.state {
            LeaseState::Open => lease.clock.shows(now),
            LeaseState::Closed | LeaseState::Finalized => lease.clock.v,
        };
        let takes = |lease: &Lease| match lease.state {
            LeaseState::Open => true,
            LeaseState::Closed => world.chain.now <= lease.claims_until(),
            LeaseState::Finalized => false,
        };
        // Sometimes too early, or too late.
        let (early, late) = (self.chance(12), self.chance(4));
        let fit = |lease: &Lease, line: &Line| {
            let accepted = early
                || lease.accept_s == 0
                || now > line.started_at.saturating_add(i64::from(lease.accept_s));
            (late || takes(lease)) && accepted && line.served_max(shown(lease)) > line.served
        };
        let (lease, at, page, lines) = self.lines(fit)?;
        let v = shown(lease);
        let mut served = Vec::new();
        for index in lines {
            let line = &page.lines[usize::from(index)];
            let most = u64::try_from(line.served_max(v)).expect("seconds");
            let known = u64::try_from(line.served).expect("seconds").min(most);
            let seconds = match self.rng.random_range(0..60) {
                0 => most.saturating_add(1),
                1 => self.rng.random_range(0..=known),
                2 => self.rng.random(),
                3..30 => self.rng.random_range(known..=most),
                _ => most,
            };
            served.push(Served { index, served: Seconds(seconds) });
        }
        Some((lease, at, page, served))
    }

    /// One whose word counts for this lease.
    fn voucher(&mut self, vouch: Vouch, of: [Key; 3]) -> Key {
        let [renter, session, coordinator] = of;
        let for_renter = if session != [0; 32] && self.chance(60) { session } else { renter };
        let right = match vouch {
            Vouch::Coordinator => coordinator,
            Vouch::Session => for_renter,
            Vouch::Either if self.chance(50) => for_renter,
            Vouch::Either => coordinator,
        };
        self.actor(right)
    }

    pub(super) fn attest(&mut self) -> Option<Ix> {
        let (lease, at, page, served) = self.unvouched()?;
        let (of, vouch) = ([lease.renter, lease.session, lease.coordinator], lease.vouch);
        let (lease_at, epoch) = (page.lease, lease.epoch);
        let who = self.voucher(vouch, of);
        let epoch = if self.chance(2) { epoch.saturating_sub(1) } else { epoch };
        Some(build::attest(who, lease_at, at, epoch, &served))
    }

    pub(super) fn claim_receipt(&mut self, place: u8) -> Option<Vec<Part>> {
        let (lease, at, page, served) = self.unvouched()?;
        let (of, vouch) = ([lease.renter, lease.session, lease.coordinator], lease.vouch);
        let Served { index, served } = served[0];
        let generation = page.lines[usize::from(index)].generation;
        let (lease, number) = (page.lease, page.number);
        let mut receipt = Receipt { lease, page: number, index, generation, served_s: served.0 };
        let args = ClaimReceipt { index, served };
        let mut genesis = GENESIS;
        match self.rng.random_range(0..60) {
            0 => receipt.generation -= 1,
            1 => receipt.served_s = receipt.served_s.wrapping_add(1),
            2 => genesis[0] ^= 1,
            3 => receipt.index ^= 1,
            _ => {}
        }
        let signer = self.voucher(vouch, of);
        let text = receipt.signing_bytes(&genesis, &PROGRAM_ID);
        let known = self.person_of(&signer);
        let key = &known.unwrap_or(&self.cast.people[COORDINATORS.start]).key;
        let proof = signed(key, &text, self.form(), place);
        let ix = build::claim_receipt(lease, at, find(Derived::Config).0, &args);
        Some(vec![proof, Part::Market(ix)])
    }

    pub(super) fn withdraw(&mut self) -> Option<Ix> {
        let (lease, at, page, lines) = self.lines(|_, line| line.owed() > line.paid)?;
        let mut to = Vec::new();
        for index in &lines {
            let owner = self.actor(page.lines[usize::from(*index)].payout);
            to.push(self.account_of(&owner, lease.mint_index));
        }
        Some(build::withdraw(page.lease, at, lease.vault, &to, &lines))
    }
}
