//! What the node tells its WebSocket subscribers, always after it is durable.

use std::sync::Arc;

use solana_account::AccountSharedData;
use solana_address::Address;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;

/// One event of the chain.
#[derive(Clone)]
pub(crate) enum Event {
    /// A slot was opened; its parent is closed.
    Slot { slot: u64 },
    /// A batch of transactions is on disk.
    Committed(Arc<Committed>),
}

/// A batch of transactions that is on disk.
pub(crate) struct Committed {
    pub(crate) slot: u64,
    pub(crate) transactions: Vec<CommittedTransaction>,
    /// Accounts after the batch; `None` for one that is gone.
    pub(crate) accounts: Vec<(Address, Option<AccountSharedData>, Option<Address>)>,
}

/// What subscribers may want to know of a transaction.
pub(crate) struct CommittedTransaction {
    pub(crate) signature: Signature,
    pub(crate) err: Option<TransactionError>,
    pub(crate) logs: Vec<String>,
    pub(crate) mentions: Vec<Address>,
}
