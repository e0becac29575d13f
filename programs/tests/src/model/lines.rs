//! Lines: `bind`, `start`, `reject`, `end_line`, `attest`, `claim_receipt`.

use super::account::{Lease, Line, Page, RIGHT_END, Record};
use super::address::Derived;
use super::amounts::{fits, later};
use super::lease::leads;
use super::transaction::{Call, No, no, unless};
use super::{Key, NOBODY};
use ionet_market_interface::account::{LeaseState, LineState, Vouch};
use ionet_market_interface::instruction::{Bind, BindLine, ClaimReceipt, Served};
use ionet_market_interface::statement::Receipt;
use ionet_market_interface::{MarketError, PROGRAM_ID};

const LINES_PER_PAGE: u8 = 24;
const PAGES_MAX: u16 = 4_096;

impl Call<'_> {
    pub(crate) fn bind(&mut self, args: &Bind, lines: &[BindLine]) -> Result<(), No> {
        const PAYER: usize = 1;
        const LEASE: usize = 2;
        const PAGE: usize = 3;
        const DEVICES: usize = 5;
        self.takes(DEVICES)?;
        self.signs(0)?;
        self.takes(DEVICES + lines.len())?;
        let mut lease = self.open(LEASE)?;
        leads(&mut lease, &self.key(0), args.epoch)?;
        unless(self.chain.now < lease.clock.expires_at, MarketError::LeaseExpired)?;
        if self.is_unused(PAGE) {
            unless(args.page == lease.pages_made, MarketError::WrongPage)?;
            let fits = (1..=LINES_PER_PAGE).contains(&args.capacity) && args.page < PAGES_MAX;
            unless(fits, MarketError::BadArgument)?;
            let made = Page {
                bump: args.page_bump,
                capacity: args.capacity,
                number: args.page,
                lease: self.key(LEASE),
                rent_payer: self.key(PAYER),
                lines: Vec::new(),
            };
            let derived = Derived::Page(self.key(LEASE), args.page);
            self.create(PAYER, PAGE, derived, args.page_bump, Record::Page(made))?;
            lease.pages_made += 1;
            lease.pages_live += 1;
        }
        let mut page = self.page(PAGE, LEASE)?;
        unless(page.number == args.page, MarketError::WrongPage)?;
        for (i, wanted) in lines.iter().enumerate() {
            let line = self.bound(&mut lease, DEVICES + i, wanted)?;
            unless(page.lines.len() < usize::from(page.capacity), MarketError::PageFull)?;
            page.lines.push(line);
        }
        self.store(PAGE, Record::Page(page));
        self.store(LEASE, Record::Lease(lease));
        Ok(())
    }

    /// A line on the device at this place, which the lease's ceilings allow.
    fn bound(&mut self, lease: &mut Lease, at: usize, wanted: &BindLine) -> Result<Line, No> {
        let now = self.chain.now;
        let mut device = self.device(at)?;
        unless(now < device.offer.expires_at.0, MarketError::DeviceExpired)?;
        unless(device.accepts(&lease.coordinator), MarketError::CoordinatorNotAccepted)?;
        unless(wanted.units > 0, MarketError::BadArgument)?;
        let free = device.offer.units_total - device.bound;
        unless(wanted.units <= free, MarketError::UnitsExhausted)?;
        let ask = device.offer.asks[usize::from(lease.mint_index)].0;
        unless(ask > 0, MarketError::MintNotAccepted)?;
        let least = fits(u128::from(ask) * u128::from(wanted.units))?;
        unless(u128::from(wanted.rate.0) >= least, MarketError::RateBelowAsk)?;
        device.bound += wanted.units;
        device.generation += 1;
        let line = Line {
            device: device.key,
            payout: device.payout_at(now),
            rate: wanted.rate.0,
            generation: device.generation,
            bound_at: now,
            started_at: 0,
            v_start: 0,
            v_end: 0,
            served: 0,
            paid: 0,
            units: wanted.units,
            state: LineState::Bound,
            true_start: 0,
            true_end: None,
        };
        unless(lease.slots_live < lease.slots_max, MarketError::SlotsExhausted)?;
        unless(line.rate <= lease.rate_per_slot_max, MarketError::RateAboveSlotCeiling)?;
        let rate = fits(lease.rate_live + fits(line.gross(lease.fee_bps))?)?;
        let within = rate <= u128::from(lease.rate_total_max);
        unless(within, MarketError::RateAboveTotalCeiling)?;
        (lease.rate_live, lease.slots_live) = (rate, lease.slots_live + 1);
        self.store(at, Record::Device(device));
        Ok(line)
    }

    pub(crate) fn start(&mut self, epoch: u64, lines: &[u8]) -> Result<(), No> {
        self.takes(3)?;
        self.signs(0)?;
        let mut lease = self.open(1)?;
        leads(&mut lease, &self.key(0), epoch)?;
        let mut page = self.page(2, 1)?;
        for index in lines {
            let line = line(&mut page, *index)?;
            unless(line.state == LineState::Bound, MarketError::WrongLineState)?;
            lease.clock.start(line.gross(lease.fee_bps), self.chain.now)?;
            line.state = LineState::Started;
            line.started_at = lease.clock.changed_at;
            line.v_start = lease.clock.v;
            line.true_start = self.chain.now;
        }
        self.store(2, Record::Page(page));
        self.store(1, Record::Lease(lease));
        Ok(())
    }

    pub(crate) fn reject(&mut self, lines: &[u8]) -> Result<(), No> {
        const DEVICES: usize = 3;
        self.takes(DEVICES)?;
        self.signs(0)?;
        self.takes(DEVICES + lines.len())?;
        let (mut lease, now) = (self.lease(1)?, self.chain.now);
        unless(lease.acts(&self.key(0), RIGHT_END), MarketError::NotAllowed)?;
        unless(lease.state != LeaseState::Finalized, MarketError::LeaseNotOpen)?;
        let mut page = self.page(2, 1)?;
        for (i, index) in lines.iter().enumerate() {
            let line = line(&mut page, *index)?;
            let started = match line.state {
                LineState::Started => true,
                LineState::Ended => line.started_at != 0,
                LineState::Bound | LineState::Rejected => false,
            };
            unless(started, MarketError::WrongLineState)?;
            let until = later(line.started_at, u64::from(lease.accept_s));
            let open = lease.accept_s > 0 && now <= until;
            unless(open && line.served == 0, MarketError::AcceptanceOver)?;
            if line.is_live() {
                self.free(DEVICES + i, line)?;
                self.stop(&mut lease, line)?;
            }
            line.state = LineState::Rejected;
            line.v_end = line.v_start;
        }
        self.store(2, Record::Page(page));
        self.store(1, Record::Lease(lease));
        Ok(())
    }

    pub(crate) fn end_line(&mut self, epoch: u64, lines: &[u8]) -> Result<(), No> {
        const DEVICES: usize = 3;
        self.takes(DEVICES)?;
        self.signs(0)?;
        self.takes(DEVICES + lines.len())?;
        let mut lease = self.lease(1)?;
        let actor = self.key(0);
        let mut any = lease.state != LeaseState::Open || lease.acts(&actor, RIGHT_END);
        if !any && lease.coordinator == actor {
            leads(&mut lease, &actor, epoch)?;
            any = true;
        }
        let mut page = self.page(2, 1)?;
        for (i, index) in lines.iter().enumerate() {
            let line = line(&mut page, *index)?;
            unless(line.is_live(), MarketError::WrongLineState)?;
            let supplier = self.free(DEVICES + i, line)?;
            unless(any || supplier == actor, MarketError::NotAllowed)?;
            self.stop(&mut lease, line)?;
            line.state = LineState::Ended;
        }
        self.store(2, Record::Page(page));
        self.store(1, Record::Lease(lease));
        Ok(())
    }

    /// Gives a line's units back to its device at this place. Returns the supplier.
    fn free(&mut self, at: usize, line: &Line) -> Result<Key, No> {
        let mut device = self.device(at)?;
        unless(device.key == line.device, MarketError::WrongDevice)?;
        device.bound =
            device.bound.checked_sub(line.units).ok_or(No::Market(MarketError::Overflow))?;
        let supplier = device.supplier;
        self.store(at, Record::Device(device));
        Ok(supplier)
    }

    /// A live line leaves its slot, and its meter stops.
    fn stop(&self, lease: &mut Lease, line: &mut Line) -> Result<(), No> {
        let gross = line.gross(lease.fee_bps);
        lease.rate_live -= gross;
        lease.slots_live -= 1;
        if line.state == LineState::Started {
            if lease.state == LeaseState::Open {
                lease.clock.end(gross, self.chain.now)?;
            }
            line.v_end = lease.clock.v;
            line.true_end = Some(self.chain.latest);
        }
        Ok(())
    }

    pub(crate) fn attest(&mut self, epoch: u64, served: &[Served]) -> Result<(), No> {
        self.takes(3)?;
        self.signs(0)?;
        let mut lease = self.lease(1)?;
        let actor = self.key(0);
        let for_renter = lease.renter == actor || lease.is_session(&actor);
        match lease.vouch {
            Vouch::Session => unless(for_renter, MarketError::NotAllowed)?,
            Vouch::Either if for_renter => {}
            Vouch::Either | Vouch::Coordinator => leads(&mut lease, &actor, epoch)?,
        }
        let v = self.claimable(&mut lease)?;
        let mut page = self.page(2, 1)?;
        for one in served {
            self.vouch(&mut lease, &mut page, one, v)?;
        }
        self.store(2, Record::Page(page));
        self.store(1, Record::Lease(lease));
        Ok(())
    }

    pub(crate) fn claim_receipt(&mut self, args: &ClaimReceipt) -> Result<(), No> {
        self.takes(4)?;
        let genesis = self.config(2)?.genesis;
        let mut lease = self.lease(0)?;
        let v = self.claimable(&mut lease)?;
        let mut page = self.page(1, 0)?;
        let number = page.number;
        let receipt = Receipt {
            lease: self.key(0),
            page: number,
            index: args.index,
            generation: line(&mut page, args.index)?.generation,
            served_s: args.served.0,
        };
        let signer = self.signer_of(3, &receipt.signing_bytes(&genesis, &PROGRAM_ID))?;
        let for_renter = lease.renter == signer || lease.is_session(&signer);
        let counts = match lease.vouch {
            Vouch::Session => for_renter,
            Vouch::Coordinator => lease.coordinator == signer,
            Vouch::Either => for_renter || lease.coordinator == signer,
        };
        unless(counts && signer != NOBODY, MarketError::NotAllowed)?;
        let one = Served { index: args.index, served: args.served };
        self.vouch(&mut lease, &mut page, &one, v)?;
        self.store(1, Record::Page(page));
        self.store(0, Record::Lease(lease));
        Ok(())
    }

    /// What the clock shows to claims, if claims are still taken.
    fn claimable(&self, lease: &mut Lease) -> Result<u128, No> {
        match lease.state {
            LeaseState::Open => Ok(lease.clock.see(self.chain.now)),
            LeaseState::Closed if self.chain.now <= lease.claims_until() => Ok(lease.clock.v),
            LeaseState::Closed | LeaseState::Finalized => no(MarketError::ClaimWindowOver),
        }
    }

    fn vouch(&self, lease: &mut Lease, page: &mut Page, one: &Served, v: u128) -> Result<(), No> {
        let line = line(page, one.index)?;
        let served = u128::from(one.served.0);
        unless(served <= line.served_max(v), MarketError::ServedPastClock)?;
        if served <= line.served {
            return Ok(());
        }
        let until = later(line.started_at, u64::from(lease.accept_s));
        let over = lease.accept_s == 0 || self.chain.now > until;
        unless(over, MarketError::AcceptanceRunning)?;
        lease.owed -= line.owed();
        lease.fees -= line.fee(lease.fee_bps);
        line.served = served;
        lease.owed = fits(lease.owed + fits(line.owed())?)?;
        lease.fees = fits(lease.fees + fits(line.fee(lease.fee_bps))?)?;
        Ok(())
    }
}

/// The line at this index of a page.
pub(crate) fn line(page: &mut Page, index: u8) -> Result<&mut Line, No> {
    page.lines.get_mut(usize::from(index)).ok_or(No::Market(MarketError::NoSuchLine))
}
