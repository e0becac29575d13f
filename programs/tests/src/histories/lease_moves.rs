//! Steps with whole leases: opening, money in, closing, money out.

use super::cast::{COORDINATORS, RENTERS, SESSIONS, SPONSOR};
use super::driver::Driver;
use crate::model::{Derived, Key, Lease, Record, find};
use ionet_market_interface::account::{CloseReason, LeaseState, SessionRights, Vouch};
use ionet_market_interface::build::{self, Ix, OpenLeaseAccounts};
use ionet_market_interface::instruction::OpenLease;
use ionet_market_interface::{BaseUnits, Rate, Timestamp};
use rand::Rng;

/// Leases that live at once: enough to mix up, few enough to grow old.
const LEASES: usize = 9;

impl Driver<'_> {
    pub(super) fn open_lease(&mut self) -> Option<Ix> {
        if self.world.chain.leases().count() >= LEASES && self.chance(97) {
            return None;
        }
        let renter = self.person(RENTERS);
        let mint_index = self.rng.random_range(0..2usize);
        let number = self.next_number(&renter.at);
        let wrong = u64::from(self.chance(2));
        let counter = number + wrong;
        let (lease, lease_bump) = find(Derived::Lease(renter.at, counter));
        let (vault, vault_bump) = find(Derived::Vault(lease));
        let (counter_at, counter_bump) = find(Derived::Counter(renter.at));
        let sponsor = self.cast.people[SPONSOR].at;
        let accounts = OpenLeaseAccounts {
            renter: renter.at,
            payer: if self.chance(30) { sponsor } else { renter.at },
            config: find(Derived::Config).0,
            counter: counter_at,
            lease,
            vault,
            mint: self.cast.mints[mint_index],
            source: renter.tokens[mint_index],
        };
        let args = self.terms(counter, [counter_bump, lease_bump, vault_bump]);
        Some(build::open_lease(&accounts, &args))
    }

    fn terms(&mut self, counter: u64, bumps: [u8; 3]) -> OpenLease {
        let now = self.world.chain.now;
        let slot: u64 = self.one(&[50, 30_000, 3_000_000, 5_000_000, 40_000_000, 200_000_000]);
        let huge = self.chance(2);
        let (slot, total) = if huge {
            (u64::MAX, u64::MAX)
        } else {
            (slot, slot.saturating_mul(self.rng.random_range(1..9)))
        };
        let nobody = self.chance(20);
        let session = if nobody { [0; 32] } else { self.person(SESSIONS).at };
        let odd = self.chance(8);
        let coordinator = if odd { self.anyone() } else { self.person(COORDINATORS).at };
        let deposits = [11, 1_000, 50_001, 1_000_000, 20_000_000, 50_000_000, 900_000_000];
        let term = self.one(&[-1, 300, 5_000, 90_000, 400_000, 34_560_000]);
        OpenLease {
            counter_bump: bumps[0],
            lease_bump: bumps[1],
            vault_bump: bumps[2],
            vouch: self.one(Vouch::ALL),
            session_rights: SessionRights(self.rng.random_range(0..=3)),
            accept_s: self.one(&[0, 0, 0, 30, 120]) + u8::from(self.chance(1)),
            slots_max: self.one(&[1, 2, 4, 8, 24, 60]),
            counter,
            deposit: BaseUnits(if huge { 1 << 50 } else { self.one(&deposits) }),
            rate_per_slot_max: Rate(slot),
            rate_total_max: Rate(total),
            expires_at: Timestamp(now.saturating_add(term)),
            session,
            coordinator,
            policy_hash: [9; 32],
        }
    }

    pub(super) fn top_up(&mut self) -> Option<Ix> {
        let (at, lease) = self.lease(|lease| lease.state == LeaseState::Open)?;
        let odd = self.chance(20);
        let owner = if odd { self.person(RENTERS).at } else { lease.renter };
        let source = self.account_of(&owner, lease.mint_index);
        let delegate = self.world.chain.token(&source).and_then(|token| token.delegate);
        let amount = self.one(&[1, 40, 999, 1_000_000, 30_000_000]);
        // The delegate tops up when there is one, sometimes beyond its cap.
        let authority = match delegate {
            Some((who, _)) if self.chance(60) => who,
            Some(_) | None => self.actor(owner),
        };
        Some(build::top_up(authority, source, at, lease.vault, BaseUnits(amount)))
    }

    pub(super) fn close(&mut self) -> Option<Ix> {
        let now = self.world.chain.now;
        let stood = |lease: &Lease| {
            let since = lease.clock.stood_since(now);
            since.is_some_and(|since| now - since >= i64::from(lease.grace_s))
        };
        let (old, crowded) = (self.chance(70), self.world.chain.leases().count() > LEASES / 2);
        let fit =
            |lease: &Lease| lease.state == LeaseState::Open && (stood(lease) || crowded && !old);
        let (at, lease) = self.lease(fit)?;
        let anyone = self.anyone();
        let actor = match self.rng.random_range(0..8) {
            _ if stood(lease) && self.chance(60) => anyone,
            0..3 => lease.renter,
            3 if lease.session != [0; 32] => lease.session,
            4..7 => lease.coordinator,
            _ => anyone,
        };
        let own = &CloseReason::ALL[4..];
        let reason = if self.chance(5) { CloseReason::None } else { self.one(own) };
        let to = self.account_of(&lease.renter, lease.mint_index);
        let to = self.chance(60).then_some(to);
        Some(build::close(actor, at, lease.vault, to, self.epoch(lease), reason))
    }

    /// The renter's account, or seldom another's.
    fn refund_to(&mut self, lease: &Lease) -> Key {
        let owner = self.actor(lease.renter);
        self.account_of(&owner, lease.mint_index)
    }

    pub(super) fn refund(&mut self) -> Option<Ix> {
        let (at, lease) = self.lease(|lease| lease.state == LeaseState::Closed)?;
        Some(build::refund(at, lease.vault, self.refund_to(lease)))
    }

    pub(super) fn finalize(&mut self) -> Option<Ix> {
        let now = self.world.chain.now;
        let early = self.chance(8);
        let over = |lease: &Lease| {
            lease.state == LeaseState::Closed && (early || now > lease.claims_until())
        };
        let (at, lease) = self.lease(over)?;
        Some(build::finalize(at, lease.vault, self.refund_to(lease)))
    }

    pub(super) fn sweep_fees(&mut self) -> Option<Ix> {
        let (at, lease) = self.lease(|lease| lease.fees > lease.fees_swept)?;
        let config = find(Derived::Config).0;
        let owner = match &self.world.chain.at(&config).record {
            Record::Config(config) => config.now.fee_owner,
            _ => lease.renter,
        };
        let owner = self.actor(owner);
        let to = self.account_of(&owner, lease.mint_index);
        Some(build::sweep_fees(config, at, lease.vault, to))
    }

    pub(super) fn reclaim_page(&mut self) -> Option<Ix> {
        let done = |lease: &Lease, page: &crate::model::Page| {
            let paid = page.lines.iter().all(|line| !line.is_live() && line.owed() == line.paid);
            lease.state == LeaseState::Finalized && paid
        };
        let chain = &self.world.chain;
        let any = self.chance(4);
        let pages: Vec<_> = chain
            .pages()
            .filter(|(_, page)| {
                any || chain.lease(&page.lease).is_some_and(|lease| done(lease, page))
            })
            .collect();
        if pages.is_empty() {
            return None;
        }
        let (at, page) = self.one(&pages);
        Some(build::reclaim_page(page.lease, *at, self.actor(page.rent_payer)))
    }

    pub(super) fn reclaim_lease(&mut self) -> Option<Ix> {
        let done = |lease: &Lease| {
            let settled = lease.owed == lease.paid && lease.fees == lease.fees_swept;
            lease.state == LeaseState::Finalized && lease.pages_live == 0 && settled
        };
        let (at, lease) = self.lease(done)?;
        let (to, rent) = (self.refund_to(lease), self.actor(lease.rent_payer));
        Some(build::reclaim_lease(at, lease.vault, to, rent))
    }
}
