//! What the REST interface remembers over a restart, in `api.sqlite`: sessions (a token's hash,
//! never the token) and the answers to mutations.

use super::limits::{
    IDEMPOTENCY_HOURS, IDEMPOTENCY_MAX, IDEMPOTENCY_PER_WALLET_MAX, TOKENS_MAX,
    TOKENS_PER_WALLET_MAX,
};
use ionet_api::Scope;
use ionet_core::Wallet;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Version of the tables.
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE token (
        hash BLOB PRIMARY KEY, wallet BLOB NOT NULL, scopes TEXT NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE answer (
        wallet BLOB NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, body_hash BLOB NOT NULL,
        status INTEGER, body BLOB, at_ms INTEGER NOT NULL,
        PRIMARY KEY (wallet, route, key)
    ) STRICT;
    CREATE INDEX answer_age ON answer (at_ms);
    CREATE INDEX answer_wallet ON answer (wallet, at_ms);
    PRAGMA user_version = 1;
";

/// Why the store does not work.
#[derive(Debug, thiserror::Error)]
pub enum ApiStoreError {
    /// The database.
    #[error("api.sqlite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file.
    #[error("api.sqlite: {0}")]
    Io(#[from] std::io::Error),
    /// Made by a newer version.
    #[error("api.sqlite has tables of version {0}; this coordinator knows {SCHEMA_VERSION}")]
    Newer(i64),
}

/// A wallet that has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionRow {
    pub(super) wallet: Wallet,
    pub(super) scopes: Vec<Scope>,
    /// Unix seconds.
    pub(super) expires_at: i64,
}

/// Which mutation a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MutationKey {
    pub(super) wallet: Wallet,
    /// Method and path.
    pub(super) route: String,
    pub(super) key: String,
}

/// What is known of a mutation when it is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// Nothing: it is the caller's to do now.
    New,
    /// It is being worked on.
    InFlight,
    /// The key was used with another body.
    Mismatch,
    /// It was done.
    Kept { status: u16, body: Vec<u8> },
}

struct Inner {
    db: Mutex<Connection>,
    /// All of the table `token`: each request asks for one.
    sessions: Mutex<BTreeMap<[u8; 32], SessionRow>>,
}

/// The store. Cheap to clone; calls block for a disk write at the most.
#[derive(Clone)]
pub struct ApiStore {
    inner: Arc<Inner>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // SQLite rolls an unfinished transaction back; the map is changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ApiStore {
    /// Opens or makes `api.sqlite` in the coordinator's data directory. Mutations that a crash
    /// left in flight are released: their clients may repeat them.
    pub fn open(data_dir: &Path) -> Result<Self, ApiStoreError> {
        std::fs::create_dir_all(data_dir)?;
        let path = data_dir.join("api.sqlite");
        private_file(&path)?;
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // An answer that was given is kept even if the machine loses power.
        db.pragma_update(None, "synchronous", "FULL")?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        match db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? {
            0 => db.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;"))?,
            SCHEMA_VERSION => (),
            newer => return Err(ApiStoreError::Newer(newer)),
        }
        db.execute("DELETE FROM answer WHERE status IS NULL", [])?;
        let sessions = Mutex::new(load_sessions(&db)?);
        Ok(Self { inner: Arc::new(Inner { db: Mutex::new(db), sessions }) })
    }

    /// Keeps a session under its token's hash.
    pub(super) fn add_session(
        &self,
        hash: [u8; 32],
        row: SessionRow,
        now_s: i64,
    ) -> Result<(), ApiStoreError> {
        let mut db = locked(&self.inner.db);
        // Readers must not wait for the disk: the map is locked before and after, not during.
        let dropped = {
            let mut sessions = locked(&self.inner.sessions);
            sessions.retain(|_, s| s.expires_at > now_s);
            let of_wallet = |s: &SessionRow| s.wallet == row.wallet;
            let count = sessions.values().filter(|s| of_wallet(s)).count();
            if count >= TOKENS_PER_WALLET_MAX {
                first_to_end(&sessions, of_wallet)
            } else if sessions.len() >= TOKENS_MAX {
                first_to_end(&sessions, |_| true)
            } else {
                None
            }
        };
        let tx = db.transaction()?;
        tx.execute("DELETE FROM token WHERE expires_at <= ?1", [now_s])?;
        if let Some(hash) = &dropped {
            tx.execute("DELETE FROM token WHERE hash = ?1", [hash.as_slice()])?;
        }
        let scopes = serde_json::to_string(&row.scopes).expect("scopes are plain names");
        tx.execute(
            "INSERT OR REPLACE INTO token (hash, wallet, scopes, expires_at)
             VALUES (?1, ?2, ?3, ?4)",
            params![hash.as_slice(), row.wallet.0.as_slice(), scopes, row.expires_at],
        )?;
        tx.commit()?;
        let mut sessions = locked(&self.inner.sessions);
        if let Some(hash) = dropped {
            sessions.remove(&hash);
        }
        sessions.insert(hash, row);
        Ok(())
    }

    /// The session of a token, by the token's SHA-256. The lookup's time says something of the
    /// hash only, from which no token follows.
    pub(super) fn session(&self, hash: &[u8; 32]) -> Option<SessionRow> {
        locked(&self.inner.sessions).get(hash).cloned()
    }

    /// Claims a mutation, or says what became of it.
    pub(super) fn begin(
        &self,
        at: &MutationKey,
        body_hash: [u8; 32],
        now_ms: i64,
    ) -> Result<Begun, ApiStoreError> {
        let mut db = locked(&self.inner.db);
        let tx = db.transaction()?;
        let oldest = now_ms.saturating_sub(IDEMPOTENCY_HOURS * 3_600_000);
        tx.execute("DELETE FROM answer WHERE at_ms < ?1 AND status IS NOT NULL", [oldest])?;
        let known = tx
            .query_row(
                "SELECT body_hash, status, body FROM answer
                 WHERE wallet = ?1 AND route = ?2 AND key = ?3",
                params![at.wallet.0.as_slice(), at.route, at.key],
                |row| {
                    let hash: Vec<u8> = row.get(0)?;
                    let status: Option<u16> = row.get(1)?;
                    let body: Option<Vec<u8>> = row.get(2)?;
                    Ok((hash, status, body.unwrap_or_default()))
                },
            )
            .optional()?;
        let begun = match known {
            Some((hash, _, _)) if hash != body_hash => Begun::Mismatch,
            Some((_, None, _)) => Begun::InFlight,
            Some((_, Some(status), body)) => Begun::Kept { status, body },
            None => {
                make_room(&tx, &at.wallet)?;
                tx.execute(
                    "INSERT INTO answer (wallet, route, key, body_hash, at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![at.wallet.0.as_slice(), at.route, at.key, body_hash.as_slice(), now_ms],
                )?;
                Begun::New
            }
        };
        tx.commit()?;
        Ok(begun)
    }

    /// Keeps the answer of a claimed mutation; without one, releases the key.
    pub(super) fn finish(
        &self,
        at: &MutationKey,
        answer: Option<(u16, &[u8])>,
    ) -> Result<(), ApiStoreError> {
        let db = locked(&self.inner.db);
        let key = (at.wallet.0.as_slice(), &at.route, &at.key);
        match answer {
            Some((status, body)) => db.execute(
                "UPDATE answer SET status = ?4, body = ?5
                 WHERE wallet = ?1 AND route = ?2 AND key = ?3",
                params![key.0, key.1, key.2, status, body],
            )?,
            None => db.execute(
                "DELETE FROM answer WHERE wallet = ?1 AND route = ?2 AND key = ?3",
                params![key.0, key.1, key.2],
            )?,
        };
        Ok(())
    }
}

/// Drops the oldest answers where a wallet, or all together, have as many as they may.
fn make_room(tx: &rusqlite::Transaction<'_>, wallet: &Wallet) -> Result<(), rusqlite::Error> {
    tx.execute(
        "DELETE FROM answer WHERE rowid IN (
             SELECT rowid FROM answer WHERE wallet = ?1 AND status IS NOT NULL
             ORDER BY at_ms DESC LIMIT -1 OFFSET ?2)",
        params![wallet.0.as_slice(), IDEMPOTENCY_PER_WALLET_MAX - 1],
    )?;
    let all: u32 = tx.query_row("SELECT count(*) FROM answer", [], |row| row.get(0))?;
    if all >= IDEMPOTENCY_MAX {
        tx.execute(
            "DELETE FROM answer WHERE rowid IN (
                 SELECT rowid FROM answer WHERE status IS NOT NULL ORDER BY at_ms LIMIT 1000)",
            [],
        )?;
    }
    Ok(())
}

fn first_to_end(
    sessions: &BTreeMap<[u8; 32], SessionRow>,
    of: impl Fn(&SessionRow) -> bool,
) -> Option<[u8; 32]> {
    sessions.iter().filter(|(_, s)| of(s)).min_by_key(|(_, s)| s.expires_at).map(|(hash, _)| *hash)
}

fn load_sessions(db: &Connection) -> Result<BTreeMap<[u8; 32], SessionRow>, rusqlite::Error> {
    let mut select = db.prepare("SELECT hash, wallet, scopes, expires_at FROM token")?;
    let rows = select.query_map([], |row| {
        let scopes: String = row.get(2)?;
        // A scope that this version does not know is not granted.
        let scopes = serde_json::from_str(&scopes).unwrap_or_default();
        Ok((
            row.get(0)?,
            SessionRow { wallet: Wallet(row.get(1)?), scopes, expires_at: row.get(3)? },
        ))
    })?;
    rows.collect()
}

/// Makes the file readable by its owner only, before SQLite writes to it.
fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wallet: u8, key: u32) -> MutationKey {
        let key = key.to_string();
        MutationKey { wallet: Wallet([wallet; 32]), route: "POST /x".into(), key }
    }

    #[test]
    fn a_wallet_keeps_a_bounded_number_of_answers() {
        let dir = tempfile::tempdir().unwrap();
        let store = ApiStore::open(dir.path()).unwrap();
        locked(&store.inner.db).pragma_update(None, "synchronous", "OFF").unwrap();
        for key in 0..IDEMPOTENCY_PER_WALLET_MAX + 2 {
            assert_eq!(store.begin(&at(1, key), [0; 32], i64::from(key)).unwrap(), Begun::New);
            store.finish(&at(1, key), Some((200, b"{}"))).unwrap();
        }
        assert_eq!(store.begin(&at(1, 0), [0; 32], 5_000).unwrap(), Begun::New, "gave way");
        let last = at(1, IDEMPOTENCY_PER_WALLET_MAX + 1);
        let kept = Begun::Kept { status: 200, body: b"{}".to_vec() };
        assert_eq!(store.begin(&last, [0; 32], 5_000).unwrap(), kept);
        let count = "SELECT count(*) FROM answer";
        let rows: u32 = locked(&store.inner.db).query_row(count, [], |r| r.get(0)).unwrap();
        assert!(rows <= IDEMPOTENCY_PER_WALLET_MAX, "{rows}");
    }

    #[test]
    fn a_wallet_has_a_bounded_number_of_tokens() {
        let dir = tempfile::tempdir().unwrap();
        let store = ApiStore::open(dir.path()).unwrap();
        let row = |expires_at| SessionRow { wallet: Wallet([1; 32]), scopes: vec![], expires_at };
        for n in 0..=TOKENS_PER_WALLET_MAX {
            let hash = [u8::try_from(n).unwrap(); 32];
            store.add_session(hash, row(100 + n as i64), 0).unwrap();
        }
        assert_eq!(store.session(&[0; 32]), None, "the oldest gave way");
        assert!(store.session(&[1; 32]).is_some());
        drop(store);
        let again = ApiStore::open(dir.path()).unwrap();
        let sessions = locked(&again.inner.sessions).len();
        assert_eq!(sessions, TOKENS_PER_WALLET_MAX, "on disk too");
        again.add_session([200; 32], row(5_000), 1_000).unwrap();
        assert_eq!(locked(&again.inner.sessions).len(), 1, "those that ended are forgotten");
    }

    #[test]
    fn tables_of_a_newer_version_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let newer = Connection::open(dir.path().join("api.sqlite")).unwrap();
        newer.pragma_update(None, "user_version", 2).unwrap();
        assert!(matches!(ApiStore::open(dir.path()), Err(ApiStoreError::Newer(2))));
    }
}
