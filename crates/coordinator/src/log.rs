//! The append-only log of decisions, in SQLite, and the small tables beside it.
//!
//! An append names the sequence number that it expects and the leader epoch that it acts under.
//! When either is not the file's, another process leads: the append changes nothing and
//! [`LogError::Conflict`] tells the caller to stop acting. A log is replayed whole at start;
//! [`EVENTS_MAX`] bounds that until snapshots exist.

mod faults;
mod schema;

pub use faults::Faults;

use ionet_core::ClusterId;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// Events that a log may hold: some minutes of replay. Beyond it nothing new is accepted, and
/// the error says so, rather than a start that takes an hour.
pub const EVENTS_MAX: u64 = 20_000_000;
/// Bytes of one event: a cluster of 1,000 devices with its parts.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Events that one replay step reads, so that a long log does not lie in memory twice.
const READ_BATCH: u64 = 10_000;

/// Why the log did not do it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another process leads: stop acting.
    #[error("another coordinator leads: {0}")]
    Conflict(String),
    /// The storage failed; nothing was written.
    #[error("log storage: {0}")]
    Storage(#[from] rusqlite::Error),
    /// A fault that a test asked for; nothing was written.
    #[error("injected storage fault")]
    Injected,
    /// It is unknown whether the last append was written: stop, and read it at the next start.
    #[error("the log does not tell whether the last append was written: {0}")]
    Unknown(String),
    /// Over a limit.
    #[error("log limit: {0}")]
    Limit(String),
    /// The file is a newer software's, or damaged.
    #[error("log format: {0}")]
    Format(String),
}

/// An event to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Version of the body's form.
    pub version: u32,
    /// The event as JSON.
    pub body: String,
    /// The request that caused it, where one did.
    pub request_id: Option<String>,
}

/// An event as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number; the first is 1.
    pub seq: u64,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Who led.
    pub leader_epoch: u64,
    /// The event.
    pub record: Record,
}

/// The log and its leader epoch. Calls block on the disk: use it from a blocking task.
pub struct Log {
    connection: Mutex<Connection>,
    epoch: u64,
    faults: Arc<Faults>,
}

impl Log {
    /// Opens or makes the log at `path` and takes the lead: the epoch is one above every
    /// earlier one, and whoever led before meets a conflict at its next append.
    pub fn open(path: &Path, faults: Arc<Faults>) -> Result<Self, LogError> {
        let mut connection = schema::open(path)?;
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("UPDATE leader SET epoch = epoch + 1", [])?;
        let epoch: i64 = tx.query_row("SELECT epoch FROM leader", [], |row| row.get(0))?;
        tx.commit()?;
        Ok(Self { connection: Mutex::new(connection), epoch: epoch as u64, faults })
    }

    /// The epoch under which this process acts.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a transaction rolls it back, so the connection stays usable.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the newest event; 0 while there is none.
    pub fn last_seq(&self) -> Result<u64, LogError> {
        last_seq(&self.lock())
    }

    /// Every event after `after`, in order, given to `each`.
    pub fn replay<E: From<LogError>>(
        &self,
        mut after: u64,
        mut each: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            let batch = read(&self.lock(), after, READ_BATCH)?;
            let Some(last) = batch.last().map(|e| e.seq) else { return Ok(()) };
            for (entry, expected) in batch.into_iter().zip(after + 1..) {
                if entry.seq != expected {
                    let text = format!("event {expected} is missing");
                    return Err(LogError::Format(text).into());
                }
                each(entry)?;
            }
            after = last;
        }
    }

    /// Appends `records`, all or none. `expected` is the number that the first will get.
    pub fn append(&self, expected: u64, at_ms: i64, records: &[Record]) -> Result<(), LogError> {
        let last = expected + records.len() as u64 - 1;
        if last > EVENTS_MAX {
            return Err(LogError::Limit(format!("{EVENTS_MAX} events; take a snapshot first")));
        }
        if let Some(long) = records.iter().find(|r| r.body.len() > EVENT_BYTES_MAX) {
            return Err(LogError::Limit(format!("an event of {} bytes", long.body.len())));
        }
        let mut connection = self.lock();
        self.faults.check()?;
        let result = self.try_append(&mut connection, expected, at_ms, records);
        let Err(LogError::Storage(cause)) = result else { return result };
        // A commit that failed may have been written all the same. Only the file knows.
        match last_seq(&connection) {
            Ok(seq) if seq + 1 == expected => Err(LogError::Storage(cause)),
            Ok(seq) => Err(LogError::Unknown(format!("{cause}; it ends at {seq}"))),
            Err(second) => Err(LogError::Unknown(format!("{cause}; then {second}"))),
        }
    }

    fn try_append(
        &self,
        connection: &mut Connection,
        expected: u64,
        at_ms: i64,
        records: &[Record],
    ) -> Result<(), LogError> {
        let tx = self.begin(connection)?;
        let next = last_seq(&tx)? + 1;
        if next != expected {
            return Err(LogError::Conflict(format!("event {expected} exists already")));
        }
        {
            let mut insert = tx.prepare_cached(
                "INSERT INTO events (seq, at_ms, epoch, version, body, request_id)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )?;
            for (record, seq) in records.iter().zip(expected..) {
                let (epoch, body) = (self.epoch as i64, &record.body);
                let (version, request) = (record.version, &record.request_id);
                insert.execute(params![seq as i64, at_ms, epoch, version, body, request])?;
            }
        }
        self.faults.check()?;
        Ok(tx.commit()?)
    }

    /// A writing transaction, if this process still leads.
    fn begin<'c>(&self, connection: &'c mut Connection) -> Result<Transaction<'c>, LogError> {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let epoch: i64 = tx.query_row("SELECT epoch FROM leader", [], |row| row.get(0))?;
        if epoch as u64 == self.epoch {
            return Ok(tx);
        }
        let text = format!("the epoch is {epoch}, this process acts under {}", self.epoch);
        Err(LogError::Conflict(text))
    }

    /// Notes that this process lives: how long an outage was is known from it.
    pub fn note_alive(&self, at_ms: i64) -> Result<(), LogError> {
        let mut connection = self.lock();
        self.faults.check()?;
        let tx = self.begin(&mut connection)?;
        tx.execute("UPDATE alive SET at_ms = ?", [at_ms])?;
        Ok(tx.commit()?)
    }

    /// When a coordinator was last alive; 0: never.
    pub fn last_alive(&self) -> Result<i64, LogError> {
        Ok(self.lock().query_row("SELECT at_ms FROM alive", [], |row| row.get(0))?)
    }

    /// Keeps `token` as the secret of `cluster` unless it has one; returns the one it has.
    pub fn secret(&self, cluster: ClusterId, token: &str) -> Result<Zeroizing<String>, LogError> {
        let mut connection = self.lock();
        self.faults.check()?;
        let tx = self.begin(&mut connection)?;
        tx.execute(
            "INSERT INTO secrets (cluster, ray_token) VALUES (?, ?) ON CONFLICT DO NOTHING",
            params![cluster.to_string(), token],
        )?;
        let kept: String = tx.query_row(
            "SELECT ray_token FROM secrets WHERE cluster = ?",
            params![cluster.to_string()],
            |row| row.get(0),
        )?;
        tx.commit()?;
        Ok(Zeroizing::new(kept))
    }

    /// Every secret that is kept.
    pub fn secrets(&self) -> Result<Vec<(ClusterId, Zeroizing<String>)>, LogError> {
        let connection = self.lock();
        let mut select = connection.prepare("SELECT cluster, ray_token FROM secrets")?;
        let rows = select.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, Zeroizing::new(row.get::<_, String>(1)?)))
        })?;
        rows.map(|row| {
            let (cluster, token) = row?;
            let id = cluster.parse().map_err(|e| LogError::Format(format!("a secret: {e}")))?;
            Ok((id, token))
        })
        .collect()
    }

    /// Forgets the secret of a cluster that is over.
    pub fn forget_secret(&self, cluster: ClusterId) -> Result<(), LogError> {
        let mut connection = self.lock();
        self.faults.check()?;
        let tx = self.begin(&mut connection)?;
        tx.execute("DELETE FROM secrets WHERE cluster = ?", params![cluster.to_string()])?;
        Ok(tx.commit()?)
    }
}

fn last_seq(connection: &Connection) -> Result<u64, LogError> {
    let seq: i64 =
        connection.query_row("SELECT coalesce(max(seq), 0) FROM events", [], |row| row.get(0))?;
    Ok(seq as u64)
}

fn read(connection: &Connection, after: u64, limit: u64) -> Result<Vec<Entry>, LogError> {
    let mut select = connection.prepare_cached(
        "SELECT seq, at_ms, epoch, version, body, request_id FROM events
         WHERE seq > ? ORDER BY seq LIMIT ?",
    )?;
    let rows = select.query_map(params![after as i64, limit as i64], |row| {
        Ok(Entry {
            seq: row.get::<_, i64>(0)? as u64,
            at_ms: row.get(1)?,
            leader_epoch: row.get::<_, i64>(2)? as u64,
            record: Record { version: row.get(3)?, body: row.get(4)?, request_id: row.get(5)? },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests;
