//! The file's form.

use super::LogError;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// Version of the tables. A newer file is refused: old software must not write to it.
const SCHEMA_VERSION: i64 = 1;
/// A writer of another process holds the lock for milliseconds; longer means that it hangs.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT
);
CREATE TABLE leader (epoch INTEGER NOT NULL);
INSERT INTO leader VALUES (0);
CREATE TABLE alive (at_ms INTEGER NOT NULL);
INSERT INTO alive VALUES (0);
CREATE TABLE secrets (cluster TEXT PRIMARY KEY, ray_token TEXT NOT NULL) WITHOUT ROWID;
";

/// Opens the file, and makes its tables where it is new.
pub(super) fn open(path: &Path) -> Result<Connection, LogError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // FULL: a commit is on disk when it returns, or the decision has not happened.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted here are secrets.
    connection.pragma_update(None, "secure_delete", true)?;
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0 => {
            tx.execute_batch(TABLES)?;
            tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        SCHEMA_VERSION => (),
        other => {
            let text = format!("version {other}; this software knows {SCHEMA_VERSION}");
            return Err(LogError::Format(text));
        }
    }
    tx.commit()?;
    Ok(connection)
}
