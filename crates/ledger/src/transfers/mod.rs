//! Who sent what to whom, from any Solana endpoint: of SOL and of SPL tokens.
//!
//! [`decode`] reads one transaction's own and inner instructions, so it sees what programs moved
//! by calling the system or token program, and not what a program did to lamports of its own
//! accounts. [`History`] walks from wallet to wallet, within bounds.

mod decode;
mod history;

pub use decode::{MalformedTransaction, decode};
pub use history::{Bounds, History, Wanted};

use solana_address::Address;
use solana_signature::Signature;

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Currency {
    /// Lamports.
    Sol,
    /// Base units of the token with this mint.
    Token(Address),
}

/// All that one transaction moved of one currency from one wallet to another. Token accounts are
/// resolved to their owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Who paid.
    pub from: Address,
    /// Who got it.
    pub to: Address,
    /// Of what.
    pub currency: Currency,
    /// Base units; saturates, since a hostile mint may move more than there can be.
    pub amount: u64,
    /// The slot of its block.
    pub slot: u64,
    /// Unix seconds of its block, as the endpoint says.
    pub at: i64,
    /// The transaction.
    pub signature: Signature,
}
