//! Tables, and how connections are opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;

/// Version of the tables, in SQLite's `user_version`.
const VERSION: i64 = 1;

/// How long a connection waits for another's lock; the writer is alone, so this is never used up.
const BUSY: Duration = Duration::from_secs(10);

// Amounts and slots are u64 stored as SQLite's i64, bit for bit.
const TABLES: &str = "
CREATE TABLE chain (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    genesis_hash BLOB NOT NULL,
    seed BLOB NOT NULL,
    identity BLOB NOT NULL,
    reserved_slot INTEGER NOT NULL,
    unix_timestamp INTEGER NOT NULL,
    epoch_start_timestamp INTEGER NOT NULL,
    transaction_count INTEGER NOT NULL
);
CREATE TABLE accounts (
    address BLOB PRIMARY KEY,
    lamports INTEGER NOT NULL,
    owner BLOB NOT NULL,
    executable INTEGER NOT NULL,
    rent_epoch INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE blocks (
    slot INTEGER PRIMARY KEY,
    block_time INTEGER NOT NULL
);
CREATE TABLE transactions (
    id INTEGER PRIMARY KEY,
    signature BLOB NOT NULL UNIQUE,
    slot INTEGER NOT NULL,
    block_index INTEGER NOT NULL,
    err TEXT,
    memo TEXT,
    wire BLOB NOT NULL,
    meta TEXT NOT NULL
);
CREATE INDEX transactions_by_slot ON transactions (slot, block_index);
CREATE TABLE address_transactions (
    address BLOB NOT NULL,
    transaction_id INTEGER NOT NULL,
    PRIMARY KEY (address, transaction_id)
) WITHOUT ROWID;
";

pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        VERSION => {}
        0 => {
            let transaction = connection.transaction()?;
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        _ => return Err(StoreError::Version { found, known: VERSION }),
    }
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}
