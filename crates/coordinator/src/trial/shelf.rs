//! The folder of trials: records and proofs for whoever wants to check them, and what was
//! promised for the next ones.

use crate::private::write_private;
use ionet_core::TrialId;
use ionet_trust::Secret;
use ionet_trust::record::{Lane, Mark, Record};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Where records lie. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

/// A lane's line: what it is bound to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The promised secret, in hex; none: nothing is promised.
    pub(crate) secret: Option<String>,
    /// The transaction of the promise: slot and signature in hex; none: it is not known to stand
    /// on the chain, so it counts for nothing.
    #[serde(default)]
    pub(crate) promise: Option<(u64, String)>,
    /// The first block after it, from which the wait follows: slot and hash in hex.
    pub(crate) basis: Option<(u64, String)>,
    /// Unix milliseconds of the period's begin.
    pub(crate) begun_ms: i64,
    /// Hash of the newest record, in hex.
    pub(crate) last: Option<String>,
}

/// What must outlive the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Number of the newest trial that was begun.
    pub(crate) newest: u64,
    pub(crate) period: Line,
    pub(crate) joining: Line,
}

impl State {
    pub(crate) fn line(&mut self, lane: Lane) -> &mut Line {
        match lane {
            Lane::Period => &mut self.period,
            Lane::Joining => &mut self.joining,
        }
    }
}

fn hash(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

/// A secret whose hash stands on the chain.
pub(crate) struct Promised {
    pub(crate) secret: Secret,
    /// Where it does.
    pub(crate) transaction: [u8; 64],
    pub(crate) slot: u64,
    /// The first block after it.
    pub(crate) basis: Mark,
}

impl Line {
    fn secret(&self) -> Option<Secret> {
        self.secret.as_deref().and_then(hash).map(Secret)
    }

    fn basis(&self) -> Option<Mark> {
        let (slot, text) = self.basis.as_ref()?;
        Some(Mark { slot: *slot, hash: hash(text)? })
    }

    pub(crate) fn last(&self) -> [u8; 32] {
        self.last.as_deref().and_then(hash).unwrap_or_default()
    }

    /// The promise that stands on the chain; none if none is known to.
    pub(crate) fn promised(&self) -> Option<Promised> {
        let (slot, text) = self.promise.as_ref()?;
        let mut transaction = [0; 64];
        hex::decode_to_slice(text, &mut transaction).ok()?;
        let (secret, basis) = (self.secret()?, self.basis()?);
        Some(Promised { secret, transaction, slot: *slot, basis })
    }

    /// Draws a secret that is about to be promised.
    pub(crate) fn draw(&mut self, secret: &Secret, begun_ms: i64) {
        self.secret = Some(hex::encode(secret.0));
        (self.promise, self.basis) = (None, None);
        self.begun_ms = begun_ms;
    }

    /// It stands on the chain, and this is the first block after it.
    pub(crate) fn landed(&mut self, transaction: &[u8; 64], slot: u64, basis: &Mark) {
        self.promise = Some((slot, hex::encode(transaction)));
        self.basis = Some((basis.slot, hex::encode(basis.hash)));
    }
}

impl Shelf {
    /// In the coordinator's folder; made if it is not there.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join("trials");
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Where a trial's record is, or would be.
    pub fn record_path(&self, trial: TrialId) -> PathBuf {
        self.folder.join(format!("{:010}.record", trial.0))
    }

    /// Where its proofs are.
    pub fn proofs_path(&self, trial: TrialId) -> PathBuf {
        self.folder.join(format!("{:010}.proofs", trial.0))
    }

    /// A trial's record; none if there is none (any more), or it cannot be read.
    pub fn record(&self, trial: TrialId) -> Option<Record> {
        let bytes = std::fs::read(self.record_path(trial)).ok()?;
        Record::decode(&bytes).ok()
    }

    /// The numbers of all trials that have a record, the newest first.
    pub fn trials(&self) -> io::Result<Vec<TrialId>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|n| n.strip_suffix(".record"));
            found.extend(number.and_then(|n| n.parse().ok()).map(TrialId));
        }
        found.sort_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Keeps a record, whose proofs are there, and removes all but the `keep` newest.
    pub(crate) fn put(&self, record: &Record, keep: u32) -> io::Result<()> {
        let path = self.record_path(record.trial);
        let new = path.with_extension("new");
        std::fs::write(&new, record.encode())?;
        std::fs::rename(new, path)?;
        for old in self.trials()?.into_iter().skip(keep as usize) {
            std::fs::remove_file(self.proofs_path(old)).or_else(gone)?;
            std::fs::remove_file(self.record_path(old)).or_else(gone)?;
        }
        Ok(())
    }

    pub(crate) fn state(&self) -> io::Result<State> {
        match std::fs::read_to_string(self.folder.join("state.json")) {
            Ok(text) => serde_json::from_str(&text).map_err(io::Error::other),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(e) => Err(e),
        }
    }

    /// Written before anything that it says is announced.
    pub(crate) fn keep_state(&self, state: &State) -> io::Result<()> {
        let text = serde_json::to_string_pretty(state).map_err(io::Error::other)?;
        write_private(&self.folder.join("state.json"), &text)
    }
}

fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
