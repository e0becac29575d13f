//! The durable store: one SQLite database in write-ahead mode, synced at every commit.
//!
//! A commit writes the accounts, the transactions with their index, the block and the slot
//! reservation in one SQLite transaction: after a crash all of it is there, or none.

mod read;
mod schema;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};

use solana_address::Address;
use solana_hash::Hash;

pub(crate) use read::Reader;
pub(crate) use write::Batch;

use crate::genesis::Genesis;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite refused.
    #[error("SQLite")]
    Sqlite(#[from] rusqlite::Error),
    /// A test's hook made this write fail.
    #[error("write refused by the hook at {0}")]
    Hook(WriteStep),
    /// The database is not one of ours, or of another version.
    #[error("the database has schema version {found}, this program knows {known}")]
    Version {
        /// The version in the file.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// A row does not hold what it must.
    #[error("damaged row in {table}: {reason}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// The write that is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteStep {
    /// Opening the transaction.
    Begin,
    /// One account.
    Account,
    /// The block's row.
    Block,
    /// One transaction of history.
    Transaction,
    /// One row of the address index.
    AddressIndex,
    /// Slot and clock.
    Meta,
    /// Making it durable.
    Commit,
}

impl fmt::Display for WriteStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Begin => "begin",
            Self::Account => "account",
            Self::Block => "block",
            Self::Transaction => "transaction",
            Self::AddressIndex => "address index",
            Self::Meta => "meta",
            Self::Commit => "commit",
        };
        f.write_str(name)
    }
}

/// Called before each write, so that a test can make the n-th one fail, or count them.
pub trait WriteHook: Send + Sync {
    /// Returns an error to make the write fail as a full or broken disk would.
    ///
    /// # Errors
    /// Whatever the test wants the store to report.
    fn before(&self, step: WriteStep) -> Result<(), StoreError>;
}

/// What a stored chain is.
#[derive(Clone, Debug)]
pub(crate) struct ChainState {
    pub(crate) genesis_hash: Hash,
    pub(crate) seed: [u8; 32],
    pub(crate) identity: Address,
    /// No slot after this one has been opened before.
    pub(crate) reserved_slot: u64,
    pub(crate) unix_timestamp: i64,
    pub(crate) epoch_start_timestamp: i64,
    pub(crate) transaction_count: u64,
}

impl ChainState {
    pub(crate) fn at_genesis(genesis: &Genesis) -> Self {
        Self {
            genesis_hash: genesis.hash,
            seed: genesis.seed,
            identity: genesis.identity,
            reserved_slot: 0,
            unix_timestamp: genesis.unix_timestamp,
            epoch_start_timestamp: genesis.unix_timestamp,
            transaction_count: 0,
        }
    }
}

/// The one writer of the database.
pub(crate) struct Store {
    path: PathBuf,
    connection: rusqlite::Connection,
    hook: Option<std::sync::Arc<dyn WriteHook>>,
}

impl Store {
    /// Opens or creates the database file.
    pub(crate) fn open(
        path: &Path,
        hook: Option<std::sync::Arc<dyn WriteHook>>,
    ) -> Result<Self, StoreError> {
        let connection = schema::open_writer(path)?;
        Ok(Self { path: path.to_owned(), connection, hook })
    }

    /// Forgets the connection with whatever it had half done, and opens a new one.
    pub(crate) fn reopen(&mut self) -> Result<(), StoreError> {
        self.connection = schema::open_writer(&self.path)?;
        Ok(())
    }

    fn step(&self, step: WriteStep) -> Result<(), StoreError> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook.before(step))
    }
}
