//! Leases: `open_lease`, `top_up`, `close`.

use super::account::{Counter, Lease, RIGHT_CLOSE, Record, Token};
use super::address::{Derived, find};
use super::amounts::{fits, later};
use super::clock::Clock;
use super::transaction::{Call, No, no, unless};
use super::{Key, NOBODY};
use ionet_market_interface::account::{CloseReason, LeaseState, Settings};
use ionet_market_interface::instruction::{Close, OpenLease};
use ionet_market_interface::{MarketError, TOKEN_PROGRAM};

/// Four hundred days.
const TERM_S_MAX: u64 = 400 * 86_400;
const ACCEPT_S_MAX: u8 = 120;
const SLOTS_MAX: u16 = 10_000;

impl Call<'_> {
    pub(crate) fn open_lease(&mut self, args: &OpenLease) -> Result<(), No> {
        const RENTER: usize = 0;
        const PAYER: usize = 1;
        const CONFIG: usize = 2;
        const COUNTER: usize = 3;
        const LEASE: usize = 4;
        const VAULT: usize = 5;
        const MINT: usize = 6;
        const SOURCE: usize = 7;
        const TOKENS: usize = 8;
        self.takes(10)?;
        self.signs(RENTER)?;
        self.terms(args)?;
        let config = self.config(CONFIG)?.now;
        let mint = self.key(MINT);
        let position = config.mints.iter().position(|known| *known == mint && mint != NOBODY);
        let index = position.ok_or(No::Market(MarketError::WrongMint))?;
        unless(self.key(TOKENS) == TOKEN_PROGRAM, MarketError::WrongTokenProgram)?;
        unless(self.account(MINT).record == Record::Mint, MarketError::WrongMint)?;
        unless(args.deposit >= config.min_deposit[index], MarketError::DepositTooSmall)?;
        self.source(SOURCE, &mint, args.deposit.0)?;
        self.count(RENTER, PAYER, COUNTER, args)?;
        let (renter, at) = (self.key(RENTER), self.key(LEASE));
        let parties = Parties {
            renter,
            rent_payer: self.key(PAYER),
            vault: self.key(VAULT),
            mint,
            mint_index: index as u8,
        };
        let lease = fresh(args, &parties, &config, self.chain.now);
        let derived = Derived::Lease(renter, args.counter);
        self.create(PAYER, LEASE, derived, args.lease_bump, Record::Lease(Box::new(lease)))?;
        let empty = Token { mint, owner: at, amount: 0, frozen: false, delegate: None };
        self.create(PAYER, VAULT, Derived::Vault(at), args.vault_bump, Record::Token(empty))?;
        self.transfer(SOURCE, VAULT, &renter, args.deposit.0)
    }

    fn terms(&self, args: &OpenLease) -> Result<(), No> {
        let now = self.chain.now;
        let until = args.expires_at.0;
        unless(until > now && until <= later(now, TERM_S_MAX), MarketError::BadTerm)?;
        let sensible = args.deposit.0 > 0
            && (1..=SLOTS_MAX).contains(&args.slots_max)
            && args.accept_s <= ACCEPT_S_MAX
            && args.rate_per_slot_max.0 > 0
            && args.rate_total_max.0 > 0
            && args.coordinator != NOBODY;
        unless(sensible, MarketError::BadArgument)
    }

    /// The renter's next number; its counter is made with the first.
    fn count(
        &mut self,
        renter: usize,
        payer: usize,
        counter: usize,
        args: &OpenLease,
    ) -> Result<(), No> {
        let who = self.key(renter);
        let mut record = if self.is_unused(counter) {
            let derived = Derived::Counter(who);
            let canonical = find(derived);
            unless((self.key(counter), args.counter_bump) == canonical, MarketError::WrongAddress)?;
            let bump = args.counter_bump;
            let made = Counter { bump, renter: who, next: 0, rent_payer: self.key(payer) };
            self.create(payer, counter, derived, bump, Record::Counter(made.clone()))?;
            made
        } else {
            self.counter(counter)?
        };
        unless(record.renter == who, MarketError::WrongAddress)?;
        unless(record.next == args.counter, MarketError::WrongCounter)?;
        record.next += 1;
        self.store(counter, Record::Counter(record));
        Ok(())
    }

    pub(crate) fn top_up(&mut self, amount: u64) -> Result<(), No> {
        const SOURCE: usize = 1;
        const LEASE: usize = 2;
        const VAULT: usize = 3;
        const TOKENS: usize = 4;
        self.takes(5)?;
        self.signs(0)?;
        unless(amount > 0, MarketError::BadArgument)?;
        let mut lease = self.open(LEASE)?;
        self.vault(VAULT, TOKENS, &lease)?;
        unless(self.key(SOURCE) != self.key(VAULT), MarketError::WrongAddress)?;
        self.source(SOURCE, &lease.mint, amount)?;
        lease.clock.advance(self.chain.now)?;
        lease.clock.deposit = fits(lease.clock.deposit + u128::from(amount))?;
        self.store(LEASE, Record::Lease(lease));
        let authority: Key = self.key(0);
        self.transfer(SOURCE, VAULT, &authority, amount)
    }

    pub(crate) fn close(&mut self, args: &Close) -> Result<(), No> {
        const LEASE: usize = 1;
        self.takes(2)?;
        self.signs(0)?;
        let mut lease = self.open(LEASE)?;
        lease.close_reason = self.reason(&mut lease, args)?;
        lease.clock.advance(self.chain.now)?;
        lease.clock.gross = 0;
        lease.state = LeaseState::Closed;
        lease.closed_at = lease.clock.changed_at;
        if args.refund {
            self.takes(5)?;
            return self.pay_refund(*lease, LEASE, 2, 3, 4);
        }
        self.store(LEASE, Record::Lease(lease));
        Ok(())
    }

    /// Why the signer may close it.
    fn reason(&self, lease: &mut Lease, args: &Close) -> Result<CloseReason, No> {
        let (actor, now) = (self.key(0), self.chain.now);
        if lease.renter == actor {
            return Ok(CloseReason::Renter);
        }
        if lease.acts(&actor, RIGHT_CLOSE) {
            return Ok(CloseReason::Session);
        }
        if lease.coordinator == actor {
            leads(lease, &actor, args.epoch)?;
            let own = !matches!(
                args.reason,
                CloseReason::None
                    | CloseReason::Renter
                    | CloseReason::Session
                    | CloseReason::ClockStood
            );
            return if own { Ok(args.reason) } else { no(MarketError::BadReason) };
        }
        let stood = lease.clock.stood_since(now);
        let long = stood.is_some_and(|since| now >= later(since, u64::from(lease.grace_s)));
        if long { Ok(CloseReason::ClockStood) } else { no(MarketError::ClockRuns) }
    }
}

/// The lease's coordinator acts, and no newer leader did before.
pub(crate) fn leads(lease: &mut Lease, actor: &Key, epoch: u64) -> Result<(), No> {
    unless(lease.coordinator == *actor, MarketError::NotCoordinator)?;
    unless(epoch >= lease.epoch, MarketError::StaleEpoch)?;
    lease.epoch = epoch;
    Ok(())
}

/// Who and what a lease is made for.
struct Parties {
    renter: Key,
    rent_payer: Key,
    vault: Key,
    mint: Key,
    mint_index: u8,
}

/// A lease that has just been opened.
fn fresh(args: &OpenLease, parties: &Parties, config: &Settings, now: i64) -> Lease {
    Lease {
        bump: args.lease_bump,
        vault_bump: args.vault_bump,
        state: LeaseState::Open,
        vouch: args.vouch,
        rights: args.session_rights.0,
        mint_index: parties.mint_index,
        close_reason: CloseReason::None,
        accept_s: args.accept_s,
        // The network's own token pays no fee.
        fee_bps: if parties.mint_index == 0 { config.fee_bps.0 } else { 0 },
        slots_max: args.slots_max,
        slots_live: 0,
        pages_made: 0,
        pages_live: 0,
        claim_window_s: config.claim_window_s,
        grace_s: config.grace_s,
        counter: args.counter,
        renter: parties.renter,
        session: args.session,
        mint: parties.mint,
        vault: parties.vault,
        coordinator: args.coordinator,
        policy_hash: args.policy_hash,
        rent_payer: parties.rent_payer,
        clock: Clock {
            deposit: u128::from(args.deposit.0),
            committed: 0,
            gross: 0,
            v: 0,
            changed_at: now,
            stands_since: 0,
            expires_at: args.expires_at.0,
            seen_at: now,
        },
        rate_per_slot_max: args.rate_per_slot_max.0,
        rate_total_max: args.rate_total_max.0,
        rate_live: 0,
        opened_at: now,
        closed_at: 0,
        owed: 0,
        paid: 0,
        fees: 0,
        fees_swept: 0,
        refunded: 0,
        epoch: 0,
    }
}
