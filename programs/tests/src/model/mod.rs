//! The market program once more, in plain Rust: what `docs/money.md` says that it does.
//!
//! Random histories drive it beside the bytecode. It is written from the document, with 128-bit
//! arithmetic, and calls neither the program's code nor the interface's clock and sums, so that
//! a mistake in one shows in the other. From the interface it takes names only: instructions,
//! errors, states, the layouts that both are compared in.
//!
//! **Invariant:** no I/O, no entropy, no chain: time and transactions come in, accounts come out.

mod account;
mod address;
mod amounts;
mod bytes;
mod chain;
mod clock;
mod device;
mod lease;
mod lines;
mod promises;
mod settings;
mod settle;
mod transaction;

pub(crate) use account::{Account, Device, Lease, Line, Page, Record, Token};
pub(crate) use address::{Derived, find};
pub(crate) use chain::Chain;
pub(crate) use promises::is_exempt_from_rent;
pub(crate) use transaction::{No, Part, Proof};

/// An account's address or a public key.
pub(crate) type Key = [u8; 32];
/// Nobody.
pub(crate) const NOBODY: Key = [0; 32];
