//! A device's record: whose it is, what it asks, how much of it is bound.

use super::Kind;
use crate::field::{account, layout};
use crate::limits::{COORDINATORS_MAX, MINTS};
use crate::{Address, Rate, Timestamp};

layout! {
    /// One machine. Its key countersigned the registration.
    Device, 416 {
        /// [`Kind::Device`].
        0 kind: u8,
        /// [`super::LAYOUT_VERSION`].
        1 version: u8,
        /// Bump of the address.
        2 bump: u8,
        /// How many of `coordinators` count.
        3 coordinators_len: u8,
        /// Any coordinator may bind it.
        4 accepts_any: bool,
        /// Zero.
        5 reserved: u8,
        /// Units that can be bound: chips, or slices of a CPU.
        6 units_total: u16,
        /// Units bound to lines now.
        8 units_bound: u16,
        /// Zero.
        10 reserved_2: [u8; 6],
        /// The device's own key.
        16 device: Address,
        /// The wallet that owns it. Never changes.
        48 supplier: Address,
        /// The owner of the token accounts that its earnings go to.
        80 payout_owner: Address,
        /// Takes the place of `payout_owner` at `payout_next_at`.
        112 payout_next: Address,
        /// Zero when no change waits.
        144 payout_next_at: Timestamp,
        /// Least rate per unit, for each mint; zero: not for this mint.
        152 asks: [Rate; MINTS],
        /// Who may bind it, unless `accepts_any`.
        168 coordinators: [Address; COORDINATORS_MAX],
        /// From then on it cannot be bound.
        296 expires_at: Timestamp,
        /// Grows with every bind; starts at the slot of registration.
        304 generation: u64,
        /// When it was registered.
        312 registered_at: Timestamp,
        /// Who paid the rent and gets it back.
        320 rent_payer: Address,
        /// Zero; for stake.
        352 reserved_3: [u8; 64],
    }
}
account!(Device, Kind::Device);

impl Device {
    /// Offset of the supplier, to find a wallet's devices.
    pub const SUPPLIER_AT: usize = 48;

    /// The payout owner in force at `now`.
    pub fn payout_at(&self, now: Timestamp) -> Address {
        if self.payout_next_at.0 != 0 && now >= self.payout_next_at {
            self.payout_next
        } else {
            self.payout_owner
        }
    }

    /// Moves a payout change that is due into force.
    pub fn settle_payout(&mut self, now: Timestamp) {
        self.payout_owner = self.payout_at(now);
        if now >= self.payout_next_at {
            self.payout_next = [0; 32];
            self.payout_next_at = Timestamp(0);
        }
    }

    /// Whether this coordinator may bind it.
    pub fn accepts(&self, coordinator: &Address) -> bool {
        let named = usize::from(self.coordinators_len).min(COORDINATORS_MAX);
        self.accepts_any || self.coordinators[..named].contains(coordinator)
    }

    /// Units that are free.
    pub fn units_free(&self) -> u16 {
        self.units_total.saturating_sub(self.units_bound)
    }
}
