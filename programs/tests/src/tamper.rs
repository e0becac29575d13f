//! Instructions made wrong on purpose.

use crate::Key;
use ionet_market_interface::build::Ix;

/// Changes to an instruction that its builder would not make.
pub trait Tamper: Sized {
    /// Another account in this place.
    fn swap(self, at: usize, address: Key) -> Self;
    /// The account in this place does not sign.
    fn unsigned(self, at: usize) -> Self;
    /// The account in this place is read-only.
    fn readonly(self, at: usize) -> Self;
    /// Only the first so many accounts.
    fn cut(self, accounts: usize) -> Self;
    /// Other data.
    fn data(self, change: impl FnOnce(&mut Vec<u8>)) -> Self;
}

impl Tamper for Ix {
    fn swap(mut self, at: usize, address: Key) -> Self {
        self.accounts[at].address = address;
        self
    }

    fn unsigned(mut self, at: usize) -> Self {
        self.accounts[at].signer = false;
        self
    }

    fn readonly(mut self, at: usize) -> Self {
        self.accounts[at].writable = false;
        self
    }

    fn cut(mut self, accounts: usize) -> Self {
        self.accounts.truncate(accounts);
        self
    }

    fn data(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(&mut self.data);
        self
    }
}
