//! A lease: the renter's ceilings, the clock, and the running totals of its lines.

use super::Kind;
use crate::clock::LeaseClock;
use crate::field::{Field, LayoutError, account, byte_enum, layout};
use crate::{Address, BaseUnits, Bps, Rate, Seconds, Timestamp};

byte_enum! {
    /// Where a lease stands.
    LeaseState {
        /// Lines can be bound and earn.
        Open = 1,
        /// Nothing runs any more; served seconds may be claimed until the window ends.
        Closed = 2,
        /// What nobody claimed went back to the renter; what was claimed can be drawn.
        Finalized = 3,
    }
}

byte_enum! {
    /// Whose word about served seconds counts.
    Vouch {
        /// The coordinator's, or the session key's and the renter's.
        Either = 0,
        /// Only the coordinator's.
        Coordinator = 1,
        /// Only the session key's and the renter's.
        Session = 2,
    }
}

byte_enum! {
    /// Why a lease was closed. The program knows the first three; the others are the
    /// coordinator's word.
    CloseReason {
        /// Still open.
        None = 0,
        /// The renter closed it.
        Renter = 1,
        /// The renter's session key closed it.
        Session = 2,
        /// Its clock had stood for the grace period; anyone closed it.
        ClockStood = 3,
        /// Nothing fitting was free.
        NoCapacity = 16,
        /// Its time was over.
        Expired = 17,
        /// Its deposit was used up.
        DepositExhausted = 18,
        /// The work ended by itself.
        Finished = 19,
        /// The work could not be started.
        StartFailed = 20,
        /// Too many devices were lost.
        DevicesLost = 21,
        /// The coordinator stops serving.
        CoordinatorLeaves = 22,
        /// The work breaks the rules of its suppliers.
        Policy = 23,
    }
}

impl CloseReason {
    /// Whether a coordinator may give this reason.
    pub fn is_coordinators(self) -> bool {
        self as u8 >= Self::NoCapacity as u8
    }
}

/// What the session key may do besides vouching, as bits. It can never receive money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionRights(pub u8);

impl SessionRights {
    /// No right.
    pub const NONE: Self = Self(0);
    /// Close the lease.
    pub const CLOSE: Self = Self(1);
    /// Reject and end lines.
    pub const END: Self = Self(2);
    /// Every right.
    pub const ALL: Self = Self(3);

    /// Whether all of `rights` are among these.
    pub fn has(self, rights: Self) -> bool {
        self.0 & rights.0 == rights.0
    }
}

impl Field for SessionRights {
    const LEN: usize = 1;
    fn read(bytes: &[u8]) -> Result<Self, LayoutError> {
        match u8::read(bytes)? {
            bits if bits <= Self::ALL.0 => Ok(Self(bits)),
            _ => Err(LayoutError::Value { field: "SessionRights" }),
        }
    }
    fn write(&self, bytes: &mut [u8]) {
        self.0.write(bytes);
    }
}

layout! {
    /// The money side of one cluster.
    Lease, 464 {
        /// [`Kind::Lease`].
        0 kind: u8,
        /// [`super::LAYOUT_VERSION`].
        1 version: u8,
        /// Bump of the address.
        2 bump: u8,
        /// Bump of the vault's address.
        3 vault_bump: u8,
        /// Where it stands.
        4 state: LeaseState,
        /// Whose word counts.
        5 vouch: Vouch,
        /// What the session key may do.
        6 session_rights: SessionRights,
        /// Index of the mint in the configuration.
        7 mint_index: u8,
        /// Why it was closed.
        8 close_reason: CloseReason,
        /// Seconds after a line's start in which the renter may reject it.
        9 accept_s: u8,
        /// The fee as it was at opening.
        10 fee_bps: Bps,
        /// Most live lines at once.
        12 slots_max: u16,
        /// Live lines: bound or started.
        14 slots_live: u16,
        /// Pages ever made.
        16 pages_made: u16,
        /// Pages that exist.
        18 pages_live: u16,
        /// The claim window as it was at opening.
        20 claim_window_s: u32,
        /// The grace period as it was at opening.
        24 grace_s: u32,
        /// Zero.
        28 reserved: [u8; 4],
        /// Number of this lease among its renter's; part of the address.
        32 counter: u64,
        /// Who rents.
        40 renter: Address,
        /// A key that acts for the renter; zero for none.
        72 session: Address,
        /// What it is paid in.
        104 mint: Address,
        /// The token account that holds the money.
        136 vault: Address,
        /// Who binds, starts and, as `vouch` allows, vouches.
        168 coordinator: Address,
        /// Hash of the terms that renter and coordinator agreed on.
        200 policy_hash: Address,
        /// Who paid the rent and gets it back.
        232 rent_payer: Address,
        /// All that was paid in.
        264 deposit: BaseUnits,
        /// The most that lines can claim by `changed_at`.
        272 committed: BaseUnits,
        /// Sum of the started lines' rates with their fees.
        280 gross_rate: Rate,
        /// The lease's own clock at `changed_at`.
        288 v: Seconds,
        /// When the clock was last moved.
        296 changed_at: Timestamp,
        /// Since when the clock has stood; zero when it last ran.
        304 stands_since: Timestamp,
        /// Ceiling on a line's rate, without the fee.
        312 rate_per_slot_max: Rate,
        /// Ceiling on the sum of live lines' rates, with the fee.
        320 rate_total_max: Rate,
        /// The sum of live lines' rates, with the fee.
        328 rate_live: Rate,
        /// When it was opened.
        336 opened_at: Timestamp,
        /// When its clock stops for good.
        344 expires_at: Timestamp,
        /// When it was closed; zero while open.
        352 closed_at: Timestamp,
        /// Sum of what lines have earned by attested seconds.
        360 owed: BaseUnits,
        /// Of it, drawn.
        368 paid: BaseUnits,
        /// Sum of the fees on what lines have earned.
        376 fees: BaseUnits,
        /// Of it, swept.
        384 fees_swept: BaseUnits,
        /// Paid back to the renter.
        392 refunded: BaseUnits,
        /// The coordinator's leader epoch: an older one's calls are refused.
        400 epoch: u64,
        /// The latest time at which seconds were vouched for.
        408 seen_at: Timestamp,
        /// Zero.
        416 reserved_2: [u8; 48],
    }
}
account!(Lease, Kind::Lease);

impl Lease {
    /// Offset of the state byte, for filters.
    pub const STATE_AT: usize = 4;
    /// Offset of the renter, to find a wallet's leases.
    pub const RENTER_AT: usize = 40;
    /// Offset of the coordinator, to find its leases.
    pub const COORDINATOR_AT: usize = 168;

    /// The lease's clock.
    pub fn clock(&self) -> LeaseClock {
        LeaseClock {
            deposit: self.deposit,
            committed: self.committed,
            gross_rate: self.gross_rate,
            v: self.v,
            changed_at: self.changed_at,
            stands_since: self.stands_since,
            expires_at: self.expires_at,
            seen_at: self.seen_at,
        }
    }

    /// Takes over a clock that was moved.
    pub fn set_clock(&mut self, clock: &LeaseClock) {
        self.deposit = clock.deposit;
        self.committed = clock.committed;
        self.gross_rate = clock.gross_rate;
        self.v = clock.v;
        self.changed_at = clock.changed_at;
        self.stands_since = clock.stands_since;
        self.seen_at = clock.seen_at;
    }

    /// What the lease's own clock shows at `now`. It is frozen once the lease is closed.
    pub fn v_at(&self, now: Timestamp) -> Seconds {
        match self.state {
            LeaseState::Open => self.clock().now(now),
            LeaseState::Closed | LeaseState::Finalized => self.v,
        }
    }

    /// When the claim window of a closed lease ends. Claims are taken up to and including this
    /// second, `finalize` after it.
    pub fn claims_until(&self) -> Timestamp {
        self.closed_at.saturating_add(Seconds(u64::from(self.claim_window_s)))
    }

    /// What no line can claim any more and was not paid back: for the renter, once closed.
    pub fn refundable(&self) -> BaseUnits {
        self.deposit.saturating_sub(self.committed).saturating_sub(self.refunded)
    }

    /// What the vault must keep for suppliers and fees.
    pub fn reserved(&self) -> Option<BaseUnits> {
        let owed = self.owed.checked_sub(self.paid)?;
        owed.checked_add(self.fees.checked_sub(self.fees_swept)?)
    }

    /// Whether `key` is the session key and has `rights`.
    pub fn is_session(&self, key: &Address, rights: SessionRights) -> bool {
        self.session != [0; 32] && self.session == *key && self.session_rights.has(rights)
    }
}
