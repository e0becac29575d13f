//! A renter's counter: makes each lease's address unique for ever.

use super::Kind;
use crate::Address;
use crate::field::{account, layout};

layout! {
    /// Never closed, so that no address of a lease is ever used again.
    RenterCounter, 80 {
        /// [`Kind::RenterCounter`].
        0 kind: u8,
        /// [`super::LAYOUT_VERSION`].
        1 version: u8,
        /// Bump of the address.
        2 bump: u8,
        /// Zero.
        3 reserved: [u8; 5],
        /// Whose counter.
        8 renter: Address,
        /// Counter of the next lease.
        40 next: u64,
        /// Who paid the rent.
        48 rent_payer: Address,
    }
}
account!(RenterCounter, Kind::RenterCounter);
