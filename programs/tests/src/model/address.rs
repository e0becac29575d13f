//! Where accounts are, remembered: a derivation costs more than an instruction.

use super::Key;
use ionet_market_interface::{PROGRAM_ID, seeds};
use solana_address::Address;
use std::cell::RefCell;
use std::collections::HashMap;

/// What an address of the program is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Derived {
    /// The configuration.
    Config,
    /// A renter's counter.
    Counter(Key),
    /// A device, by its own key.
    Device(Key),
    /// A renter's lease of this number.
    Lease(Key, u64),
    /// A lease's vault.
    Vault(Key),
    /// A lease's page of this number.
    Page(Key, u16),
}

impl Derived {
    fn with<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        match self {
            Self::Config => then(&[seeds::CONFIG]),
            Self::Counter(renter) => then(&[seeds::RENTER, renter]),
            Self::Device(key) => then(&[seeds::DEVICE, key]),
            Self::Lease(renter, number) => then(&[seeds::LEASE, renter, &number.to_le_bytes()]),
            Self::Vault(lease) => then(&[seeds::VAULT, lease]),
            Self::Page(lease, number) => then(&[seeds::PAGE, lease, &number.to_le_bytes()]),
        }
    }

    /// Whether `bump` leads to `address`.
    pub(crate) fn leads_to(&self, bump: u8, address: &Key) -> bool {
        let canonical = find(*self);
        if bump == canonical.1 {
            return canonical.0 == *address;
        }
        self.with(|seeds| {
            let mut all = seeds.to_vec();
            let bump = [bump];
            all.push(&bump);
            let made = Address::create_program_address(&all, &Address::from(PROGRAM_ID));
            made.is_ok_and(|made| made.to_bytes() == *address)
        })
    }
}

thread_local! {
    static KNOWN: RefCell<HashMap<Derived, (Key, u8)>> = RefCell::default();
}

/// The canonical address and its bump.
pub(crate) fn find(what: Derived) -> (Key, u8) {
    KNOWN.with_borrow_mut(|known| {
        *known.entry(what).or_insert_with(|| {
            let program = Address::from(PROGRAM_ID);
            let (at, bump) = what.with(|seeds| Address::find_program_address(seeds, &program));
            (at.to_bytes(), bump)
        })
    })
}
