//! The folder of trials: records and proofs for whoever wants to check them, and what was
//! promised for the next ones.

use crate::private::write_private;
use ionet_core::TrialId;
use ionet_trust::Secret;
use ionet_trust::record::{Lane, Mark, Record};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
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

/// A trial that was begun: what is left of it if it comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Its number.
    pub trial: TrialId,
    /// The name of its lane.
    pub lane: String,
    /// Unix milliseconds.
    pub began_ms: i64,
    /// The transaction that promised its secret, in hex.
    pub promise: String,
}

/// A trial that came to nothing: nobody was judged by it, and its number is not used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// Which it was.
    #[serde(flatten)]
    pub begun: Begun,
    /// Why, in words.
    pub why: String,
}

/// What must outlive the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Number of the newest trial that was begun.
    pub(crate) newest: u64,
    /// Number of the newest one that has a record; 0: none.
    #[serde(default)]
    pub(crate) recorded: u64,
    /// The trial that is under way, or was when the process ended.
    #[serde(default)]
    pub(crate) begun: Option<Begun>,
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
        self.numbers(".record")
    }

    /// The numbers of all trials that came to nothing, the newest first.
    pub fn voids(&self) -> io::Result<Vec<TrialId>> {
        self.numbers(".void")
    }

    fn numbers(&self, ending: &str) -> io::Result<Vec<TrialId>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|n| n.strip_suffix(ending));
            found.extend(number.and_then(|n| n.parse().ok()).map(TrialId));
        }
        found.sort_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Why a trial came to nothing; none if it did not, or is forgotten.
    pub fn void(&self, trial: TrialId) -> Option<Void> {
        let text = std::fs::read_to_string(self.void_path(trial)).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn void_path(&self, trial: TrialId) -> PathBuf {
        self.folder.join(format!("{:010}.void", trial.0))
    }

    /// Keeps a record, whose proofs are there, and removes all but the `keep` newest, with
    /// whatever came to nothing before them.
    pub(crate) fn put(&self, record: &Record, keep: u32) -> io::Result<()> {
        let path = self.record_path(record.trial);
        self.write(&path, &record.encode())?;
        let trials = self.trials()?;
        for old in trials.iter().skip(keep as usize) {
            std::fs::remove_file(self.proofs_path(*old)).or_else(gone)?;
            std::fs::remove_file(self.record_path(*old)).or_else(gone)?;
        }
        let kept = trials.iter().take(keep as usize).next_back();
        let oldest = kept.filter(|_| trials.len() > keep as usize);
        for void in self.voids()?.into_iter().filter(|void| oldest.is_some_and(|o| void < o)) {
            std::fs::remove_file(self.void_path(void)).or_else(gone)?;
        }
        Ok(())
    }

    /// Whole or not at all, also when the machine stops.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(new, path)?;
        std::fs::File::open(&self.folder)?.sync_all()
    }

    /// The state, after whatever was under way when it was kept: a trial whose record is there
    /// ended, any other came to nothing, and why stands on the shelf from then on. No number is
    /// lost or used again.
    pub(crate) fn settled(&self, why: &str) -> io::Result<(State, Option<Void>)> {
        let mut state = self.state()?;
        let mut void = None;
        if let Some(begun) = state.begun.take() {
            let lane = match begun.lane == Lane::Period.name() {
                true => Lane::Period,
                false => Lane::Joining,
            };
            let line = state.line(lane);
            if let Some(record) = self.record(begun.trial) {
                line.last = Some(hex::encode(record.hash()));
                if line.secret.is_some() && line.promise.is_none() {
                    // Drawn before the anchor, which promised it.
                    line.landed(&record.anchor, record.anchor_slot, &record.late);
                }
            } else {
                // Its secret may be known to some: it is not used again.
                *line = Line { last: line.last.take(), ..Line::default() };
                let buried = Void { begun, why: why.to_owned() };
                let text = serde_json::to_vec_pretty(&buried).map_err(io::Error::other)?;
                self.write(&self.void_path(buried.begun.trial), &text)?;
                void = Some(buried);
            }
        }
        let newest = |found: Vec<TrialId>| found.first().map_or(0, |trial| trial.0);
        let recorded = newest(self.trials()?);
        state.recorded = state.recorded.max(recorded);
        state.newest = state.newest.max(recorded).max(newest(self.voids()?));
        self.keep_state(&state)?;
        Ok((state, void))
    }

    fn state(&self) -> io::Result<State> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::Wallet;
    use ionet_trust::record::Start;

    fn record(trial: u64) -> Record {
        let secret = Secret([1; 32]);
        Record {
            trial: TrialId(trial),
            before: TrialId(0),
            lane: Lane::Joining,
            genesis: [2; 32],
            coordinator: Wallet([3; 32]),
            previous: [0; 32],
            promised: secret.precommitment(),
            promise: [0; 64],
            promise_slot: 0,
            secret,
            basis: Mark::default(),
            period_ms: 0,
            starts: vec![Start::default()],
            anchor_slot: 7,
            anchor: [4; 64],
            late: Mark { slot: 8, hash: [8; 32] },
            started_ms: 0,
            grace_us: 0,
            assignments: vec![],
            entries: vec![],
        }
    }

    /// As a trial leaves it when its next secret is drawn and it has not ended.
    fn under_way(trial: u64) -> State {
        let mut state = State { newest: trial, recorded: trial - 1, ..State::default() };
        let (lane, promise) = ("joining".to_owned(), String::new());
        state.begun = Some(Begun { trial: TrialId(trial), lane, began_ms: 5, promise });
        state.joining.last = Some(hex::encode([9; 32]));
        state.joining.draw(&Secret([6; 32]), 5);
        state
    }

    #[test]
    fn a_crash_between_the_record_and_the_state_loses_and_doubles_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        shelf.keep_state(&under_way(4)).unwrap();
        shelf.put(&record(4), 10).unwrap();
        let (mut state, void) = shelf.settled("a crash").unwrap();
        assert_eq!((state.newest, state.recorded, void), (4, 4, None));
        assert_eq!(state.line(Lane::Joining).last(), record(4).hash());
        // Its anchor promised the next secret, which is used.
        let promised = state.joining.promised().unwrap();
        assert_eq!((promised.secret, promised.slot), (Secret([6; 32]), 7));
        assert_eq!((promised.transaction, promised.basis), ([4; 64], record(4).late));
        assert_eq!(shelf.settled("again").unwrap(), (state, None));
    }

    #[test]
    fn a_trial_without_a_record_is_void_and_its_secrets_are_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        shelf.keep_state(&under_way(4)).unwrap();
        let (mut state, void) = shelf.settled("a crash").unwrap();
        assert_eq!((state.newest, state.recorded), (4, 3));
        assert_eq!(void.unwrap().why, "a crash");
        assert_eq!(shelf.void(TrialId(4)).unwrap().begun.began_ms, 5);
        assert!(state.joining.promised().is_none());
        assert_eq!(state.line(Lane::Joining).last(), [9; 32]);
        assert_eq!(shelf.settled("again").unwrap(), (state, None));
        // Nor is a number used again when the state is lost.
        std::fs::remove_file(folder.path().join("trials/state.json")).unwrap();
        assert_eq!(shelf.settled("lost").unwrap().0.newest, 4);
        // What came to nothing goes with the records after it.
        for trial in [5, 6, 7] {
            shelf.put(&record(trial), 2).unwrap();
        }
        assert_eq!(shelf.trials().unwrap(), [TrialId(7), TrialId(6)]);
        assert_eq!(shelf.voids().unwrap(), []);
    }
}
