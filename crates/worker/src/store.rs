//! What the worker must not forget: kept in SQLite, written before it is acted upon.
//!
//! **Invariant:** a part is in the store before its container exists, and stays in it until the
//! container is gone; numbers that fence (boot, session, leader epoch, generation) only grow.

use ionet_core::{ClusterId, PartId, PartSpec, Wallet};
use ionet_wire::message::{PartSecrets, SignedReceipt};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const STORE_FILE: &str = "worker.sqlite";
const SCHEMA_VERSION: i64 = 1;
/// Clusters whose newest generation is remembered after their part is gone. A command that is
/// older than so many clusters is stopped by the leader epoch and the chain.
const CLUSTERS_KEPT: i64 = 4_096;
/// Receipts that are kept: each is money until it is cashed.
const RECEIPTS_KEPT: i64 = 65_536;
/// Seconds for which the receipt beside the newest one of a line stays: as long as a supplier is
/// asked to serve without any.
const BEFORE_S: i64 = 600;
/// Receipts that a hello shows: those of the lines that changed last, within one frame.
pub(crate) const RECEIPTS_SHOWN: i64 = 256;

const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE clusters (
    cluster TEXT PRIMARY KEY, generation INTEGER NOT NULL, lease TEXT, touched INTEGER NOT NULL
) STRICT;
CREATE TABLE parts (
    cluster TEXT PRIMARY KEY, generation INTEGER NOT NULL, intent TEXT NOT NULL,
    spec TEXT NOT NULL, lease TEXT NOT NULL, ray_token TEXT NOT NULL, request_id TEXT NOT NULL,
    grace_s INTEGER NOT NULL, chips TEXT NOT NULL
) STRICT;
CREATE TABLE receipts (
    lease TEXT NOT NULL, page INTEGER NOT NULL, line INTEGER NOT NULL,
    generation INTEGER NOT NULL, served_s INTEGER NOT NULL, receipt TEXT NOT NULL,
    touched INTEGER NOT NULL, PRIMARY KEY (lease, page, line)
) STRICT;
";

/// Added later: older software does without it, so the version stays.
const SCHEMA_LATER: &str = "
CREATE TABLE IF NOT EXISTS lease_vouchers (
    cluster TEXT PRIMARY KEY, keys TEXT NOT NULL, since INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS receipts_before (
    lease TEXT NOT NULL, page INTEGER NOT NULL, line INTEGER NOT NULL, receipt TEXT NOT NULL,
    kept_at INTEGER NOT NULL, PRIMARY KEY (lease, page, line)
) STRICT;
";

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the database.
    #[error("worker store {path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The folder or the file.
    #[error("worker store {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Written by a newer version of this software.
    #[error("worker store {path} has version {found}; this software knows {SCHEMA_VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// A row that this version cannot read.
    #[error("worker store {path}: a row cannot be read: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What shall become of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// It shall run.
    Run,
    /// It shall be gone.
    Stop {
        /// Seconds for it to end by itself.
        grace_s: u32,
    },
}

/// A part as the store holds it.
#[derive(Debug, Clone)]
pub(crate) struct StoredPart {
    /// What to run.
    pub(crate) spec: PartSpec,
    /// What pays for it.
    pub(crate) lease: Wallet,
    /// Its secrets.
    pub(crate) secrets: PartSecrets,
    /// The command that wanted it.
    pub(crate) request_id: String,
    /// What shall become of it.
    pub(crate) intent: Intent,
    /// Which of the device's chips it holds: positions in the inventory's list.
    pub(crate) chips: Vec<u8>,
}

/// Numbers that fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// Starts of this worker.
    Boot,
    /// The newest session that a coordinator gave.
    Session,
    /// The newest leader epoch seen.
    LeaderEpoch,
    /// Orders rows by when they changed.
    Touch,
}

impl Number {
    fn key(self) -> &'static str {
        match self {
            Number::Boot => "boot",
            Number::Session => "session",
            Number::LeaderEpoch => "leader_epoch",
            Number::Touch => "touch",
        }
    }
}

/// The store. Cheap to clone; calls block for a write to disk.
#[derive(Clone)]
pub(crate) struct Store {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    /// Opens or makes the store in `state_dir`.
    pub(crate) fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let path = state_dir.join(STORE_FILE);
        let io = |source| StoreError::Io { path: path.clone(), source };
        // Made here first, because it holds secrets: SQLite would make it readable to others.
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).open(&path).map_err(io)?;
        let sqlite = |source| StoreError::Sqlite { path: path.clone(), source };
        let mut connection = Connection::open(&path).map_err(sqlite)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(sqlite)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(sqlite)?;
        match version {
            0 => {
                let t = connection.transaction().map_err(sqlite)?;
                t.execute_batch(SCHEMA).map_err(sqlite)?;
                t.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(sqlite)?;
                t.commit().map_err(sqlite)?;
            }
            SCHEMA_VERSION => (),
            found => return Err(StoreError::Version { path, found }),
        }
        connection.execute_batch(SCHEMA_LATER).map_err(sqlite)?;
        Ok(Self { path, connection: Arc::new(Mutex::new(connection)) })
    }

    /// Runs `work` where blocking is allowed.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(e) => std::panic::resume_unwind(e.into_panic()),
        }
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection)
            .map_err(|source| StoreError::Sqlite { path: self.path.clone(), source })
    }

    fn row_error(&self, reason: impl ToString) -> StoreError {
        StoreError::Row { path: self.path.clone(), reason: reason.to_string() }
    }

    /// A number; 0 if none was written yet.
    pub(crate) fn number(&self, number: Number) -> Result<u64, StoreError> {
        self.with(|c| read_number(c, number))
    }

    /// Raises a number to `value`; a smaller one changes nothing. Returns the newest.
    pub(crate) fn raise(&self, number: Number, value: u64) -> Result<u64, StoreError> {
        self.with(|c| {
            c.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
                params![number.key(), clamp(value)],
            )?;
            read_number(c, number)
        })
    }

    /// Counts a start of the worker.
    pub(crate) fn next_boot(&self) -> Result<u64, StoreError> {
        let boot = self.number(Number::Boot)?;
        self.raise(Number::Boot, boot + 1)
    }

    /// The newest generation seen of a cluster, and the lease that paid for it.
    pub(crate) fn seen(
        &self,
        cluster: ClusterId,
    ) -> Result<Option<(u32, Option<Wallet>)>, StoreError> {
        let row: Option<(u32, Option<String>)> = self.with(|c| {
            c.query_row(
                "SELECT generation, lease FROM clusters WHERE cluster = ?1",
                [cluster.to_string()],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()
        })?;
        let Some((generation, lease)) = row else { return Ok(None) };
        let lease = lease.map(|l| l.parse().map_err(|e| self.row_error(e))).transpose()?;
        Ok(Some((generation, lease)))
    }

    /// Notes whose receipts count for a cluster's lease (none: the coordinator's alone), and when
    /// it did so first. Clusters that are no longer remembered take theirs with them.
    pub(crate) fn set_vouchers(
        &self,
        cluster: ClusterId,
        keys: &[Wallet],
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(keys).map_err(|e| self.row_error(e))?;
        self.with(|c| {
            c.execute(
                "INSERT INTO lease_vouchers VALUES (?1, ?2, ?3)
                 ON CONFLICT (cluster) DO UPDATE SET keys = excluded.keys",
                params![cluster.to_string(), text, now_unix()],
            )?;
            c.execute(
                "DELETE FROM lease_vouchers WHERE cluster <> ?1
                 AND cluster NOT IN (SELECT cluster FROM clusters)",
                [cluster.to_string()],
            )
        })
        .map(|_| ())
    }

    /// Whose receipts count for a cluster's lease, as the coordinator said, and since when parts
    /// of it were wanted here, in unix seconds; none: an older version took it.
    pub(crate) fn vouchers(
        &self,
        cluster: ClusterId,
    ) -> Result<Option<(Vec<Wallet>, i64)>, StoreError> {
        let row: Option<(String, i64)> = self.with(|c| {
            c.query_row(
                "SELECT keys, since FROM lease_vouchers WHERE cluster = ?1",
                [cluster.to_string()],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()
        })?;
        let read = |(text, since): (String, i64)| {
            Ok((serde_json::from_str(&text).map_err(|e| self.row_error(e))?, since))
        };
        row.map(read).transpose()
    }

    /// Notes that generations of `id.cluster` below `id.generation` are over.
    pub(crate) fn note_generation(&self, id: PartId) -> Result<(), StoreError> {
        self.with(|c| {
            let t = c.transaction()?;
            touch_cluster(&t, id, None)?;
            t.commit()
        })
    }

    /// Writes a part down, in place of an older generation of the same cluster.
    pub(crate) fn put_part(&self, part: &StoredPart) -> Result<(), StoreError> {
        let spec = serde_json::to_string(&part.spec).map_err(|e| self.row_error(e))?;
        let chips = serde_json::to_string(&part.chips).map_err(|e| self.row_error(e))?;
        let (intent, grace) = match part.intent {
            Intent::Run => ("run", 0),
            Intent::Stop { grace_s } => ("stop", grace_s),
        };
        self.with(|c| {
            let t = c.transaction()?;
            let id = part.spec.id;
            touch_cluster(&t, id, Some(&part.lease))?;
            t.execute(
                "INSERT OR REPLACE INTO parts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    id.cluster.to_string(),
                    id.generation,
                    intent,
                    spec,
                    part.lease.to_string(),
                    part.secrets.ray_token,
                    part.request_id,
                    grace,
                    chips
                ],
            )?;
            t.commit()
        })
    }

    /// Every part, in order of its cluster.
    pub(crate) fn parts(&self) -> Result<Vec<StoredPart>, StoreError> {
        type Row = (String, String, String, String, String, u32, String);
        let rows: Vec<Row> = self.with(|c| {
            c.prepare(
                "SELECT spec, lease, ray_token, request_id, intent, grace_s, chips FROM parts
                 ORDER BY cluster",
            )?
            .query_map([], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?))
            })?
            .collect()
        })?;
        let read = |(spec, lease, ray_token, request_id, intent, grace_s, chips): Row| {
            Ok(StoredPart {
                spec: serde_json::from_str(&spec).map_err(|e| self.row_error(e))?,
                lease: lease.parse().map_err(|e| self.row_error(e))?,
                secrets: PartSecrets { ray_token },
                request_id,
                intent: match intent.as_str() {
                    "run" => Intent::Run,
                    _ => Intent::Stop { grace_s },
                },
                chips: serde_json::from_str(&chips).map_err(|e| self.row_error(e))?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Forgets a part whose container is gone. A newer generation stays.
    pub(crate) fn forget_part(&self, id: PartId) -> Result<(), StoreError> {
        self.with(|c| {
            c.execute(
                "DELETE FROM parts WHERE cluster = ?1 AND generation = ?2",
                params![id.cluster.to_string(), id.generation],
            )
        })
        .map(|_| ())
    }

    /// Keeps a receipt, if it is newer than what is kept of its line. Its signature was checked.
    /// Beside the newest one an older stays, so that a receipt which the chain then refuses costs
    /// no more than [`BEFORE_S`] twice.
    pub(crate) fn keep_receipt(&self, receipt: &SignedReceipt) -> Result<Kept, StoreError> {
        self.keep_receipt_at(receipt, now_unix())
    }

    fn keep_receipt_at(&self, receipt: &SignedReceipt, now: i64) -> Result<Kept, StoreError> {
        let text = serde_json::to_string(receipt).map_err(|e| self.row_error(e))?;
        let (generation, served) = (clamp(receipt.generation), clamp(receipt.served_s));
        let lease = receipt.lease.to_string();
        self.with(|c| {
            let t = c.transaction()?;
            let old: Option<(i64, i64)> = t
                .query_row(
                    "SELECT generation, served_s FROM receipts
                     WHERE lease = ?1 AND page = ?2 AND line = ?3",
                    params![lease, receipt.page, receipt.line],
                    |r| Ok((r.get(0)?, r.get(1)?)),
                )
                .optional()?;
            match old {
                Some(old) if old == (generation, served) => return Ok(Kept::Same),
                Some(old) if old > (generation, served) => return Ok(Kept::Older),
                _ => (),
            }
            t.execute(
                "INSERT INTO receipts_before SELECT lease, page, line, receipt, ?4 FROM receipts
                 WHERE lease = ?1 AND page = ?2 AND line = ?3
                 ON CONFLICT (lease, page, line) DO UPDATE
                 SET receipt = excluded.receipt, kept_at = excluded.kept_at
                 WHERE excluded.kept_at >= receipts_before.kept_at + ?5",
                params![lease, receipt.page, receipt.line, now, BEFORE_S],
            )?;
            let touched = next_touch(&t)?;
            t.execute(
                "INSERT OR REPLACE INTO receipts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![lease, receipt.page, receipt.line, generation, served, text, touched],
            )?;
            let pruned = t.execute(
                "DELETE FROM receipts WHERE touched <= (SELECT touched FROM receipts
                 ORDER BY touched DESC LIMIT 1 OFFSET ?1)",
                [RECEIPTS_KEPT],
            )?;
            if pruned > 0 {
                t.execute(
                    "DELETE FROM receipts_before WHERE (lease, page, line)
                     NOT IN (SELECT lease, page, line FROM receipts)",
                    [],
                )?;
            }
            t.commit()?;
            Ok(Kept::Newer)
        })
    }

    /// The newest receipts, at most `limit`, those that changed last first.
    pub(crate) fn receipts(&self, limit: i64) -> Result<Vec<SignedReceipt>, StoreError> {
        let rows: Vec<String> = self.with(|c| {
            c.prepare("SELECT receipt FROM receipts ORDER BY touched DESC LIMIT ?1")?
                .query_map([limit], |r| r.get(0))?
                .collect()
        })?;
        let read = |text: String| serde_json::from_str(&text).map_err(|e| self.row_error(e));
        rows.into_iter().map(read).collect()
    }
}

/// Milliseconds that a reader beside a running worker waits for one of its writes.
const READER_PATIENCE_MS: u64 = 5_000;

/// Whether a worker ever kept anything in `state_dir`, as far as this user may look.
pub(crate) fn exists(state_dir: &Path) -> std::io::Result<bool> {
    state_dir.join(STORE_FILE).try_exists()
}

/// Every receipt in `state_dir`, those that changed last first, then the older ones that are kept
/// beside them, and how many rows could not be
/// read. Takes no lock of the worker's and writes nothing to its tables: it may run meanwhile.
pub(crate) fn read_receipts(state_dir: &Path) -> Result<(Vec<SignedReceipt>, usize), StoreError> {
    let path = state_dir.join(STORE_FILE);
    let sqlite = |source| StoreError::Sqlite { path: path.clone(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(sqlite)?;
    let patience = std::time::Duration::from_millis(READER_PATIENCE_MS);
    connection.busy_timeout(patience).map_err(sqlite)?;
    let version: i64 =
        connection.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(sqlite)?;
    if version != SCHEMA_VERSION {
        return Err(StoreError::Version { path, found: version });
    }
    let read = |query: &str| -> rusqlite::Result<Vec<String>> {
        connection.prepare(query)?.query_map([RECEIPTS_KEPT], |r| r.get(0))?.collect()
    };
    let newest = "SELECT receipt FROM receipts ORDER BY touched DESC LIMIT ?1";
    let before = "SELECT receipt FROM receipts_before ORDER BY kept_at DESC LIMIT ?1";
    let mut rows = read(newest).map_err(sqlite)?;
    // An older worker's store has no such table.
    if connection.table_exists(None, "receipts_before").map_err(sqlite)? {
        rows.extend(read(before).map_err(sqlite)?);
    }
    let count = rows.len();
    let read: Vec<_> = rows.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let unreadable = count - read.len();
    Ok((read, unreadable))
}

/// What became of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is the newest of its line now.
    Newer,
    /// It was there already.
    Same,
    /// A newer one is there: counts only grow.
    Older,
}

/// Unix seconds by this machine's clock.
pub(crate) fn now_unix() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// SQLite's integers have a sign; numbers of ours never come near the end of it.
fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn read_number(c: &Connection, number: Number) -> rusqlite::Result<u64> {
    let value: Option<i64> = c
        .query_row("SELECT value FROM meta WHERE key = ?1", [number.key()], |r| r.get(0))
        .optional()?;
    Ok(value.unwrap_or(0).max(0) as u64)
}

fn next_touch(c: &Connection) -> rusqlite::Result<i64> {
    c.execute(
        "INSERT INTO meta (key, value) VALUES (?1, 1)
         ON CONFLICT (key) DO UPDATE SET value = value + 1",
        [Number::Touch.key()],
    )?;
    Ok(clamp(read_number(c, Number::Touch)?))
}

fn touch_cluster(c: &Connection, id: PartId, lease: Option<&Wallet>) -> rusqlite::Result<()> {
    let touched = next_touch(c)?;
    c.execute(
        "INSERT INTO clusters VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (cluster) DO UPDATE SET generation = max(generation, excluded.generation),
         lease = coalesce(excluded.lease, lease), touched = excluded.touched",
        params![id.cluster.to_string(), id.generation, lease.map(Wallet::to_string), touched],
    )?;
    c.execute(
        "DELETE FROM clusters WHERE cluster NOT IN (SELECT cluster FROM parts) AND touched <=
         (SELECT touched FROM clusters ORDER BY touched DESC LIMIT 1 OFFSET ?1)",
        [CLUSTERS_KEPT],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use ionet_core::SignatureBytes;
    use std::os::unix::fs::PermissionsExt;

    fn receipt(generation: u64, served_s: u64) -> SignedReceipt {
        let lease = Wallet([7; 32]);
        SignedReceipt {
            cluster: ClusterId::of_lease(&lease),
            lease,
            page: 1,
            line: 2,
            generation,
            served_s,
            signer: Wallet([1; 32]),
            signature: SignatureBytes([9; 64]),
        }
    }

    #[test]
    fn numbers_only_grow_and_survive() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.next_boot().unwrap(), 1);
        assert_eq!(store.raise(Number::Session, 9).unwrap(), 9);
        assert_eq!(store.raise(Number::Session, 4).unwrap(), 9);
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.next_boot().unwrap(), 2);
        assert_eq!(store.number(Number::Session).unwrap(), 9);
        let mode = std::fs::metadata(folder.path().join(STORE_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_newer_generation_takes_the_place_of_an_older() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let first = testing::part(1, 1);
        store.put_part(&first).unwrap();
        let second = testing::part(1, 2);
        store.put_part(&second).unwrap();
        store.forget_part(first.spec.id).unwrap();
        let parts = store.parts().unwrap();
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].spec, second.spec);
        assert_eq!(parts[0].secrets.ray_token, second.secrets.ray_token);
        store.forget_part(second.spec.id).unwrap();
        let seen = store.seen(second.spec.id.cluster).unwrap();
        assert_eq!(seen, Some((2, Some(second.lease))));
        store.note_generation(first.spec.id).unwrap();
        assert_eq!(store.seen(second.spec.id.cluster).unwrap(), seen);
    }

    #[test]
    fn only_the_newest_receipt_of_a_line_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for (generation, served_s, kept) in [
            (1, 10, Kept::Newer),
            (1, 10, Kept::Same),
            (1, 9, Kept::Older),
            (1, 11, Kept::Newer),
            (0, 99, Kept::Older),
            (2, 1, Kept::Newer),
        ] {
            let outcome = store.keep_receipt(&receipt(generation, served_s)).unwrap();
            assert_eq!(outcome, kept, "{generation} {served_s}");
        }
        assert_eq!(store.receipts(RECEIPTS_SHOWN).unwrap(), [receipt(2, 1)]);
    }

    #[test]
    fn beside_the_newest_receipt_one_of_ten_minutes_before_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for now in (0..=3_000).step_by(10) {
            let served_s = now as u64;
            assert_eq!(store.keep_receipt_at(&receipt(1, served_s), now).unwrap(), Kept::Newer);
            let (read, unreadable) = read_receipts(folder.path()).unwrap();
            assert_eq!(unreadable, 0);
            assert_eq!(read[0], receipt(1, served_s));
            // What the chain may have refused since is at most two such times.
            let before = read.get(1).map_or(0, |r| r.served_s);
            assert!(served_s - before <= 2 * BEFORE_S as u64, "{before} beside {served_s}");
        }
        let (read, _) = read_receipts(folder.path()).unwrap();
        assert_eq!(read.len(), 2, "one beside each line's newest");
        assert_eq!(store.receipts(RECEIPTS_SHOWN).unwrap(), [receipt(1, 3_000)]);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.with(|c| c.pragma_update(None, "user_version", 99)).unwrap();
        drop(store);
        assert!(matches!(Store::open(folder.path()), Err(StoreError::Version { found: 99, .. })));
    }
}
