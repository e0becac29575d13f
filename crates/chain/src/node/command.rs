//! What the node is asked to do, and what it answers.

use std::sync::mpsc::{SyncSender, TrySendError};

use solana_account::AccountSharedData;
use solana_address::Address;
use solana_hash::Hash;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::UiTransactionStatusMeta;
use tokio::sync::oneshot;

use crate::transaction::VerifiedTransaction;

/// One thing for the node to do.
pub(crate) enum Command {
    Execute(Work),
    Simulate { rehearsal: Box<Rehearsal>, reply: oneshot::Sender<SimulationReport> },
    AdvanceSlots { count: u64, reply: oneshot::Sender<u64> },
    Stop,
}

/// A transaction to be put into a block.
pub(crate) enum Work {
    Transaction {
        transaction: Box<VerifiedTransaction>,
        /// Simulate first, and refuse what would fail.
        preflight: bool,
        reply: oneshot::Sender<Result<Signature, SendError>>,
    },
    Airdrop {
        to: Address,
        lamports: u64,
        blockhash: Option<Hash>,
        reply: oneshot::Sender<Result<Signature, SendError>>,
    },
}

/// A transaction to be tried.
pub(crate) struct Rehearsal {
    pub(crate) transaction: VersionedTransaction,
    /// Puts the latest blockhash into the transaction first.
    pub(crate) replace_blockhash: bool,
}

/// Why a transaction is not in a block.
#[derive(Debug)]
pub(crate) enum SendError {
    /// It would fail: simulated, not executed.
    Preflight(Box<SimulationReport>),
    /// It may not be in a block at all.
    Dropped(TransactionError),
    /// The store refused the write; nothing of it is shown.
    Storage,
    /// The virtual machine broke on it; the state before it is kept.
    Broken,
}

/// What a transaction would do.
#[derive(Debug, Default)]
pub(crate) struct SimulationReport {
    pub(crate) err: Option<TransactionError>,
    /// Logs, balances and the rest, as a record would keep them. `None` if it never ran.
    pub(crate) meta: Option<UiTransactionStatusMeta>,
    /// Writable accounts afterwards; empty if it failed.
    pub(crate) post_accounts: Vec<(Address, AccountSharedData)>,
    /// The blockhash that was put in, with its last valid block height.
    pub(crate) replacement: Option<(Hash, u64)>,
    pub(crate) loaded_accounts_bytes: u32,
}

/// The node did not take the command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the node's queue is full")]
    Busy,
    #[error("the node has stopped")]
    Stopped,
}

/// The way to the node from anywhere.
#[derive(Clone)]
pub(crate) struct NodeHandle {
    sender: SyncSender<Command>,
}

impl NodeHandle {
    pub(crate) fn new(sender: SyncSender<Command>) -> Self {
        Self { sender }
    }

    /// Queues a command and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(command(reply)).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::Busy,
            TrySendError::Disconnected(_) => Refusal::Stopped,
        })?;
        answer.await.map_err(|_| Refusal::Stopped)
    }

    /// Tells the node to end, waiting for room in its queue.
    pub(crate) fn stop(&self) {
        // An error means that it has ended already.
        let _ = self.sender.send(Command::Stop);
    }
}
