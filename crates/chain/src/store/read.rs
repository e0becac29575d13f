//! Reading: the whole state at start, and history while running.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};
use solana_account::{Account, AccountSharedData};
use solana_address::Address;
use solana_hash::Hash;
use solana_signature::Signature;
use solana_transaction_error::TransactionError;

use super::{ChainState, Store, StoreError, schema};
use crate::record::TransactionRecord;
use crate::view::Accounts;

/// Connections kept for later reads.
const IDLE_MAX: usize = 8;

/// Columns of a whole transaction, for [`record`].
const RECORD: &str = "SELECT t.signature, t.slot, t.block_index, b.block_time, t.wire, t.err,
    t.memo, t.meta FROM transactions t JOIN blocks b ON b.slot = t.slot";

/// What `getSignatureStatuses` shows of a transaction.
pub(crate) struct StatusRow {
    pub(crate) slot: u64,
    pub(crate) err: Option<TransactionError>,
}

/// What `getSignaturesForAddress` shows of a transaction.
pub(crate) struct SignatureRow {
    pub(crate) signature: Signature,
    pub(crate) slot: u64,
    pub(crate) index: u32,
    pub(crate) block_time: i64,
    pub(crate) err: Option<TransactionError>,
    pub(crate) memo: Option<String>,
}

impl Store {
    /// The stored chain, if the database holds one.
    pub(crate) fn load_state(&self) -> Result<Option<ChainState>, StoreError> {
        let sql = "SELECT genesis_hash, seed, identity, reserved_slot, unix_timestamp,
            epoch_start_timestamp, transaction_count FROM chain";
        self.connection
            .query_row(sql, [], |row| {
                Ok(ChainState {
                    genesis_hash: Hash::new_from_array(row.get(0)?),
                    seed: row.get(1)?,
                    identity: Address::from(row.get::<_, [u8; 32]>(2)?),
                    reserved_slot: unsigned(row, 3)?,
                    unix_timestamp: row.get(4)?,
                    epoch_start_timestamp: row.get(5)?,
                    transaction_count: unsigned(row, 6)?,
                })
            })
            .optional()
            .map_err(StoreError::from)
    }

    /// Every stored account.
    pub(crate) fn load_accounts(&self) -> Result<Accounts, StoreError> {
        let mut accounts = Accounts::default();
        let mut statement = self.connection.prepare(
            "SELECT address, lamports, owner, executable, rent_epoch, data FROM accounts",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let address = Address::from(row.get::<_, [u8; 32]>(0)?);
            let account = AccountSharedData::from(Account {
                lamports: unsigned(row, 1)?,
                owner: Address::from(row.get::<_, [u8; 32]>(2)?),
                executable: row.get(3)?,
                rent_epoch: unsigned(row, 4)?,
                data: row.get(5)?,
            });
            accounts.set(address, Some(account));
        }
        Ok(accounts)
    }

    /// Transactions in a block.
    pub(crate) fn block_len(&self, slot: u64) -> Result<u32, StoreError> {
        let sql = "SELECT COUNT(*) FROM transactions WHERE slot = ?";
        Ok(self.connection.query_row(sql, [slot.cast_signed()], |row| row.get(0))?)
    }

    /// Whether the signature has ever been in a block.
    pub(crate) fn has_signature(&self, signature: &Signature) -> Result<bool, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT 1 FROM transactions WHERE signature = ?")?;
        Ok(statement.exists([signature.as_ref()])?)
    }
}

/// Reads history on connections of its own, beside the writer.
pub(crate) struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Reader {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        let result = read(&connection)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(result)
    }

    pub(crate) fn status(&self, signature: &Signature) -> Result<Option<StatusRow>, StoreError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT slot, err FROM transactions WHERE signature = ?")?;
            let found = statement
                .query_row([signature.as_ref()], |row| {
                    Ok((unsigned(row, 0)?, row.get::<_, Option<String>>(1)?))
                })
                .optional()?;
            found.map(|(slot, err)| Ok(StatusRow { slot, err: error(err)? })).transpose()
        })
    }

    pub(crate) fn transaction(
        &self,
        signature: &Signature,
    ) -> Result<Option<TransactionRecord>, StoreError> {
        self.with(|connection| {
            let sql = format!("{RECORD} WHERE t.signature = ?");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([signature.as_ref()])?;
            rows.next()?.map(record).transpose()
        })
    }

    /// The transactions of a block in their order.
    pub(crate) fn block(&self, slot: u64) -> Result<Vec<TransactionRecord>, StoreError> {
        self.with(|connection| {
            let sql = format!("{RECORD} WHERE t.slot = ? ORDER BY t.block_index");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([slot.cast_signed()])?;
            let mut records = Vec::new();
            while let Some(row) = rows.next()? {
                records.push(record(row)?);
            }
            Ok(records)
        })
    }

    /// Unix seconds of a block: exact for one with transactions, else of the one before it.
    pub(crate) fn block_time(&self, slot: u64) -> Result<Option<i64>, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT block_time FROM blocks WHERE slot <= ? ORDER BY slot DESC LIMIT 1",
            )?;
            Ok(statement.query_row([slot.cast_signed()], |row| row.get(0)).optional()?)
        })
    }

    /// Signatures that name an address, newest first, older than `before`, newer than `until`.
    pub(crate) fn signatures_for_address(
        &self,
        address: &Address,
        before: Option<&Signature>,
        until: Option<&Signature>,
        limit: usize,
    ) -> Result<Vec<SignatureRow>, StoreError> {
        self.with(|connection| {
            let id_of = |signature: &Signature| {
                connection
                    .prepare_cached("SELECT id FROM transactions WHERE signature = ?")?
                    .query_row([signature.as_ref()], |row| row.get::<_, i64>(0))
                    .optional()
            };
            // As on Solana: an unknown `before` shows nothing, an unknown `until` no bound.
            let below = match before {
                Some(signature) => id_of(signature)?.unwrap_or(0),
                None => i64::MAX,
            };
            let above = until.map(id_of).transpose()?.flatten().unwrap_or(0);
            let mut statement = connection.prepare_cached(
                "SELECT t.signature, t.slot, t.block_index, b.block_time, t.err, t.memo
                 FROM address_transactions a
                 JOIN transactions t ON t.id = a.transaction_id
                 JOIN blocks b ON b.slot = t.slot
                 WHERE a.address = ? AND a.transaction_id < ? AND a.transaction_id > ?
                 ORDER BY a.transaction_id DESC LIMIT ?",
            )?;
            let mut rows =
                statement.query(params![address.as_ref(), below, above, limit as u64])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(SignatureRow {
                    signature: Signature::from(row.get::<_, [u8; 64]>(0)?),
                    slot: unsigned(row, 1)?,
                    index: row.get(2)?,
                    block_time: row.get(3)?,
                    err: error(row.get(4)?)?,
                    memo: row.get(5)?,
                });
            }
            Ok(found)
        })
    }
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

fn damaged(reason: impl ToString) -> StoreError {
    StoreError::Damaged { table: "transactions", reason: reason.to_string() }
}

fn error(text: Option<String>) -> Result<Option<TransactionError>, StoreError> {
    text.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
}

fn record(row: &Row<'_>) -> Result<TransactionRecord, StoreError> {
    let meta: String = row.get(7)?;
    Ok(TransactionRecord {
        signature: Signature::from(row.get::<_, [u8; 64]>(0)?),
        slot: unsigned(row, 1)?,
        index: row.get(2)?,
        block_time: row.get(3)?,
        wire: row.get(4)?,
        err: error(row.get(5)?)?,
        memo: row.get(6)?,
        meta: serde_json::from_str(&meta).map_err(damaged)?,
        mentions: Vec::new(),
    })
}
