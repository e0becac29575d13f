//! What accounts hold, in the model's own words.

use super::amounts::{earned, fee, gross};
use super::clock::Clock;
use super::{Key, NOBODY};
use ionet_market_interface::account::{CloseReason, LeaseState, LineState, Settings, Vouch};
use ionet_market_interface::instruction::Offer;

/// An account: what it holds, and lamports.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) lamports: u64,
    pub(crate) record: Record,
}

impl Account {
    /// An address that nobody has used.
    pub(crate) const UNUSED: Self = Self { lamports: 0, record: Record::Wallet };
}

/// The kinds of accounts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    /// The system program's, without data: a person, or an address that nobody has used.
    Wallet,
    Config(Config),
    Counter(Counter),
    Device(Device),
    Lease(Box<Lease>),
    Page(Page),
    Token(Token),
    Mint,
    /// Anything of another program.
    Alien,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) bump: u8,
    pub(crate) now: Settings,
    pub(crate) next: Settings,
    /// Zero when nothing waits.
    pub(crate) next_at: i64,
    pub(crate) genesis: Key,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counter {
    pub(crate) bump: u8,
    pub(crate) renter: Key,
    pub(crate) next: u64,
    pub(crate) rent_payer: Key,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Device {
    pub(crate) bump: u8,
    pub(crate) key: Key,
    pub(crate) supplier: Key,
    /// As last offered; its payout owner is not in force before the cool-down.
    pub(crate) offer: Offer,
    pub(crate) payout: Key,
    /// What waits, and until when.
    pub(crate) payout_next: Option<(Key, i64)>,
    pub(crate) bound: u16,
    pub(crate) generation: u64,
    pub(crate) registered_at: i64,
    pub(crate) rent_payer: Key,
}

impl Device {
    /// Whom it pays at `now`.
    pub(crate) fn payout_at(&self, now: i64) -> Key {
        match self.payout_next {
            Some((owner, at)) if now >= at => owner,
            Some(_) | None => self.payout,
        }
    }

    /// Whether this coordinator may bind it.
    pub(crate) fn accepts(&self, coordinator: &Key) -> bool {
        let named = usize::from(self.offer.coordinators_len);
        self.offer.accepts_any
            || self.offer.coordinators.iter().take(named).any(|who| who == coordinator)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lease {
    pub(crate) bump: u8,
    pub(crate) vault_bump: u8,
    pub(crate) state: LeaseState,
    pub(crate) vouch: Vouch,
    pub(crate) rights: u8,
    pub(crate) mint_index: u8,
    pub(crate) close_reason: CloseReason,
    pub(crate) accept_s: u8,
    pub(crate) fee_bps: u16,
    pub(crate) slots_max: u16,
    pub(crate) slots_live: u16,
    pub(crate) pages_made: u16,
    pub(crate) pages_live: u16,
    pub(crate) claim_window_s: u32,
    pub(crate) grace_s: u32,
    pub(crate) counter: u64,
    pub(crate) renter: Key,
    pub(crate) session: Key,
    pub(crate) mint: Key,
    pub(crate) vault: Key,
    pub(crate) coordinator: Key,
    pub(crate) policy_hash: Key,
    pub(crate) rent_payer: Key,
    pub(crate) clock: Clock,
    pub(crate) rate_per_slot_max: u64,
    pub(crate) rate_total_max: u64,
    pub(crate) rate_live: u128,
    pub(crate) opened_at: i64,
    pub(crate) closed_at: i64,
    pub(crate) owed: u128,
    pub(crate) paid: u128,
    pub(crate) fees: u128,
    pub(crate) fees_swept: u128,
    pub(crate) refunded: u128,
    pub(crate) epoch: u64,
}

/// Bits of a session key's rights.
pub(crate) const RIGHT_CLOSE: u8 = 1;
pub(crate) const RIGHT_END: u8 = 2;

impl Lease {
    /// Whether `key` is the session key.
    pub(crate) fn is_session(&self, key: &Key) -> bool {
        self.session != NOBODY && self.session == *key
    }

    /// Whether `key` acts for the renter with this right.
    pub(crate) fn acts(&self, key: &Key, right: u8) -> bool {
        self.renter == *key || self.is_session(key) && self.rights & right == right
    }

    /// What the vault must keep for suppliers and fees.
    pub(crate) fn reserved(&self) -> u128 {
        self.owed - self.paid + self.fees - self.fees_swept
    }

    /// The last second in which claims are taken, once closed.
    pub(crate) fn claims_until(&self) -> i64 {
        super::amounts::later(self.closed_at, u64::from(self.claim_window_s))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) bump: u8,
    pub(crate) capacity: u8,
    pub(crate) number: u16,
    pub(crate) lease: Key,
    pub(crate) rent_payer: Key,
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) device: Key,
    pub(crate) payout: Key,
    pub(crate) rate: u64,
    pub(crate) generation: u64,
    pub(crate) bound_at: i64,
    pub(crate) started_at: i64,
    pub(crate) v_start: u128,
    pub(crate) v_end: u128,
    pub(crate) served: u128,
    pub(crate) paid: u128,
    pub(crate) units: u16,
    pub(crate) state: LineState,
    /// Not on the chain: what its Clock showed at the start, and the latest that it had ever
    /// shown at the end.
    pub(crate) true_start: i64,
    pub(crate) true_end: Option<i64>,
}

impl Line {
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, LineState::Bound | LineState::Started)
    }

    /// Earned so far.
    pub(crate) fn owed(&self) -> u128 {
        match self.state {
            LineState::Bound | LineState::Rejected => 0,
            LineState::Started | LineState::Ended => earned(self.rate, self.served),
        }
    }

    /// The fee on it.
    pub(crate) fn fee(&self, bps: u16) -> u128 {
        fee(self.owed(), bps)
    }

    pub(crate) fn gross(&self, bps: u16) -> u128 {
        gross(self.rate, bps)
    }

    /// The most that can be vouched for while the lease's clock shows `v`.
    pub(crate) fn served_max(&self, v: u128) -> u128 {
        match self.state {
            LineState::Started => v - self.v_start,
            LineState::Ended => self.v_end - self.v_start,
            LineState::Bound | LineState::Rejected => 0,
        }
    }
}

/// A token account of SPL Token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) mint: Key,
    pub(crate) owner: Key,
    pub(crate) amount: u64,
    pub(crate) frozen: bool,
    pub(crate) delegate: Option<(Key, u64)>,
}
