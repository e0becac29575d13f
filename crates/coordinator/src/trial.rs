//! Trials: devices prove their chips, all at once, between two public moments.
//!
//! A task beside the leader holds one trial after the other: for devices that owe a proof as
//! soon as they come, and for all idle ones once a period, at a moment that follows from a
//! promised secret and a block. See `ionet_trust::record` for what is published and why.
//!
//! ```text
//! promise -> calling -> for each task (block -> work -> commitments) -> anchor -> block after it
//!         -> secret, question -> proofs -> record -> verdicts
//! ```

mod ask;
mod hold;
mod settings;
mod shelf;
mod talk;

pub use settings::TrialSettings;
pub use shelf::{Begun, Shelf, Void};

use crate::clock::Clock;
use crate::control::{Control, ControlError, Prover};
use crate::market::Market;
use crate::sessions::Sessions;
use ionet_core::{DeviceId, TrialId, rfc3339};
use ionet_ledger::LedgerError;
use ionet_trust::Secret;
use ionet_trust::classes::Rows;
use ionet_trust::record::{Lane, Mark, Outcome, Record, promise_text, wait_ms};
use ionet_trust::verdict::Period;
use prometheus::{IntCounterVec, Opts};
use shelf::{Promised, State};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks at who owes a proof.
const TICK: Duration = Duration::from_millis(250);
/// For more devices to come before a joining trial begins: they share it.
const GATHER: Duration = Duration::from_millis(500);
/// Pause of a device after its first failed trial; twice as long after each further one.
const RETRY_MS: i64 = 2_000;
/// After a trial that broke off for our own reasons.
const VOID_PAUSE: Duration = Duration::from_secs(2);
/// Why a trial came to nothing. Nobody is judged then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrialsError {
    /// The chain.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No block after the anchor.
    #[error("the chain stands still")]
    Standstill,
    /// The folder of trials.
    #[error("the folder of trials: {0}")]
    Io(#[from] std::io::Error),
    /// The leader.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// What others may see of trials, and ask for.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The records.
    pub shelf: Shelf,
    /// Whom to ask.
    pub asked: Asked,
}

impl Archive {
    /// Of the coordinator whose folder this is; nobody can be asked yet.
    pub fn open(data_dir: &Path) -> std::io::Result<Self> {
        Ok(Self { shelf: Shelf::open(data_dir)?, asked: Asked::default() })
    }
}

/// Why a device is not asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// It proved not long ago.
    #[error("its share of time for proofs is used up until {}", rfc3339(*until_ms / 1_000))]
    Duty {
        /// Unix milliseconds.
        until_ms: i64,
    },
    /// This coordinator holds no trials.
    #[error("this coordinator holds no trials")]
    Off,
}

/// Who was asked for, and when each device worked last. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<Mutex<Wishes>>);

#[derive(Debug, Default)]
struct Wishes {
    /// Whether trials are held.
    held: bool,
    wanted: BTreeSet<DeviceId>,
    /// Until when a device has worked its share of time.
    worked: BTreeMap<DeviceId, i64>,
}

impl Asked {
    /// Wants a proof of `device`; soon if its duty allows it at `now_ms`.
    pub fn ask(&self, device: DeviceId, now_ms: i64) -> Result<(), NotAsked> {
        let mut wishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !wishes.held {
            return Err(NotAsked::Off);
        }
        let until_ms = wishes.worked.get(&device).copied().unwrap_or(i64::MIN);
        if now_ms < until_ms {
            return Err(NotAsked::Duty { until_ms });
        }
        wishes.wanted.insert(device);
        Ok(())
    }

    fn open(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).held = true;
    }

    fn take(&self) -> BTreeSet<DeviceId> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).wanted)
    }

    /// Devices work now, and then pause for so long each.
    fn worked(&self, pauses: impl Iterator<Item = (DeviceId, i64)>, now_ms: i64) {
        let mut wishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whose pause is over needs no line.
        wishes.worked.retain(|_, until| now_ms < *until);
        wishes.worked.extend(pauses.map(|(device, pause)| (device, now_ms.saturating_add(pause))));
    }
}

/// A device that failed to prove: how often in a row, and when it is tried next.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    failures: u32,
    next_ms: i64,
}

/// What trials need.
pub(crate) struct Trials {
    settings: TrialSettings,
    control: Control,
    sessions: Arc<Sessions>,
    market: Market,
    clock: Clock,
    shelf: Shelf,
    asked: Asked,
    state: State,
    waiting: BTreeMap<DeviceId, Waiting>,
    rows: Rows,
    outcomes: IntCounterVec,
    voids: IntCounterVec,
}

impl Trials {
    pub(crate) fn new(
        settings: TrialSettings,
        control: Control,
        sessions: Arc<Sessions>,
        market: Market,
        clock: Clock,
        archive: Archive,
    ) -> Result<Self, TrialsError> {
        let Archive { shelf, asked } = archive;
        let (state, void) = shelf.settled("the coordinator stopped in the middle of it")?;
        asked.open();
        let count = |name, help, label| {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label]);
            let counter = counter.expect("the name is valid");
            if let Err(e) = control.metrics().register(Box::new(counter.clone())) {
                tracing::warn!(error = %e, "trials are not counted");
            }
            counter
        };
        let help = "Tasks of trials, by what came of it";
        let outcomes = count("ionet_coordinator_trial_tasks_total", help, "outcome");
        let help = "Trials that came to nothing after their start, by lane";
        let voids = count("ionet_coordinator_trials_void_total", help, "lane");
        let (rows, waiting) = (ask::rows(&settings), BTreeMap::new());
        let trials = Self {
            settings,
            control,
            sessions,
            market,
            clock,
            shelf,
            asked,
            state,
            waiting,
            rows,
            outcomes,
            voids,
        };
        trials.tell_void(void);
        Ok(trials)
    }

    fn tell_void(&self, void: Option<Void>) {
        let Some(Void { begun, why }) = void else { return };
        self.voids.with_label_values(&[&begun.lane]).inc();
        tracing::warn!(trial = %begun.trial, lane = begun.lane, why, "a trial is void");
    }

    /// Holds trials until the leader leads no longer.
    pub(crate) async fn run(mut self) {
        loop {
            tokio::time::sleep(TICK).await;
            match self.look().await {
                Ok(()) => (),
                Err(TrialsError::Control(ControlError::NotLeader)) => return,
                Err(error) => {
                    tracing::warn!(%error, "trials");
                    tokio::time::sleep(VOID_PAUSE).await;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<(), TrialsError> {
        let due = self.due_ms().await?;
        let provers = self.control.provers().await?;
        self.waiting.retain(|id, _| provers.iter().any(|p| p.device == *id));
        self.tell_next(&provers, due);
        if self.clock.now().0 >= due {
            let all: Vec<_> = provers.into_iter().filter(|p| !p.proving).collect();
            return self.one(Lane::Period, all).await;
        }
        let asked = self.asked.take();
        let owing = |trials: &Self, p: &Prover| {
            let pause = trials.waiting.get(&p.device).map_or(i64::MIN, |w| w.next_ms);
            asked.contains(&p.device) || (p.proving && trials.clock.now().0 >= pause)
        };
        if provers.iter().any(|p| owing(self, p)) {
            tokio::time::sleep(GATHER).await;
            let mut provers = self.control.provers().await?;
            provers.retain(|p| owing(self, p));
            return self.one(Lane::Joining, provers).await;
        }
        Ok(())
    }

    /// A trial with these devices, if there are any, and the pauses that follow from it.
    async fn one(&mut self, lane: Lane, devices: Vec<Prover>) -> Result<(), TrialsError> {
        if devices.is_empty() {
            if lane == Lane::Period {
                // Nobody to ask: the promise goes on to the next period.
                let begun = self.next_period(self.state.period.begun_ms);
                self.state.period.begun_ms = begun;
                self.shelf.keep_state(&self.state)?;
            }
            return Ok(());
        }
        let ids: Vec<_> = devices.iter().map(|d| d.device).collect();
        let pauses = devices.iter().map(|d| (d.device, self.pause_ms(d)));
        self.asked.worked(pauses, self.clock.now().0);
        let held = self.hold(lane, devices).await;
        if let Err(error) = &held
            && self.state.begun.is_some()
        {
            let (state, void) = self.shelf.settled(&error.to_string())?;
            self.state = state;
            self.tell_void(void);
        }
        let still = self.control.provers().await?;
        for id in ids {
            if still.iter().any(|p| p.device == id && p.proving) {
                self.wait_longer(id);
            } else {
                self.waiting.remove(&id);
            }
        }
        held
    }

    /// How long a device pauses after what it is asked for: its share of time is kept by each.
    fn pause_ms(&self, prover: &Prover) -> i64 {
        let session = self.sessions.table().get(prover.device).map(|s| s.link.clone());
        let offers =
            session.map_or_else(ask::Offers::default, |link| ask::Offers::of(&link.features));
        let asked = ask::assignment(&self.settings, &self.rows, &prover.inventory, offers);
        self.settings.pause_ms(asked.busy_ms())
    }

    fn wait_longer(&mut self, id: DeviceId) {
        let failures = self.waiting.get(&id).map_or(0, |w| w.failures) + 1;
        let period_ms = i64::from(self.settings.period_s) * 1_000;
        let pause = RETRY_MS.saturating_mul(1 << (failures - 1).min(20)).min(period_ms);
        let next_ms = self.clock.now().0.saturating_add(pause);
        self.waiting.insert(id, Waiting { failures, next_ms });
    }

    /// Tells those who look when a device is asked next: not the moment, which nobody may know,
    /// but the latest one.
    fn tell_next(&self, provers: &[Prover], due_ms: i64) {
        let latest = self.state.period.begun_ms + i64::from(self.settings.window_ms());
        let latest = latest.max(due_ms);
        let next = |p: &Prover| {
            let soon = self.clock.now().0;
            let waiting = self.waiting.get(&p.device).map_or(soon, |w| w.next_ms);
            (p.device, if p.proving { waiting } else { latest })
        };
        self.control.set_next_trials(provers.iter().map(next).collect());
    }

    /// When the period's trial begins, in unix milliseconds. Promises a secret if none is.
    async fn due_ms(&mut self) -> Result<i64, TrialsError> {
        let Promised { secret, basis, .. } = self.promised(Lane::Period).await?;
        let genesis = self.market.chain().genesis.0;
        let wait = wait_ms(&secret, &basis, &genesis, self.settings.window_ms());
        Ok(self.state.period.begun_ms + i64::from(wait))
    }

    /// The begin of the period after the one that began at `begun_ms`: later than now, less the
    /// time of a whole one.
    fn next_period(&self, begun_ms: i64) -> i64 {
        let period = i64::try_from(self.settings.period().as_millis()).unwrap_or(i64::MAX);
        let now = self.clock.now().0;
        let whole = now.saturating_sub(begun_ms).max(0) / period + 1;
        begun_ms.saturating_add(whole.saturating_mul(period))
    }

    /// The lane's promised secret; promises one if none stands on the chain.
    async fn promised(&mut self, lane: Lane) -> Result<Promised, TrialsError> {
        if let Some(promised) = self.state.line(lane).promised() {
            return Ok(promised);
        }
        let secret = Secret(rand::random());
        let now = self.clock.now().0;
        let told = self.publish(&promise_text(lane, &secret.precommitment())).await;
        let (transaction, slot) = told?;
        let basis = self.block_after(slot).await?;
        let line = self.state.line(lane);
        line.draw(&secret, now);
        line.landed(&transaction, slot, &basis);
        self.shelf.keep_state(&self.state)?;
        Ok(Promised { secret, transaction, slot, basis })
    }

    /// The number of the trial that begins, on disk before anything else of it.
    fn number(&mut self, lane: Lane, promised: &Promised) -> Result<TrialId, TrialsError> {
        let trial = TrialId(self.state.newest + 1);
        let mut state = self.state.clone();
        state.newest = trial.0;
        state.begun = Some(Begun {
            trial,
            lane: lane.name().to_owned(),
            began_ms: self.clock.now().0,
            promise: hex::encode(promised.transaction),
        });
        // A restart in the middle must not use the secret again.
        state.line(lane).secret = None;
        self.shelf.keep_state(&state)?;
        self.state = state;
        Ok(trial)
    }

    async fn newest_block(&self) -> Result<Mark, TrialsError> {
        let mark = self.market.ledger().connection().newest_block().await?;
        Ok(Mark { slot: mark.slot, hash: mark.hash })
    }

    async fn publish(&self, text: &str) -> Result<([u8; 64], u64), TrialsError> {
        let connection = self.market.ledger().connection();
        let (signature, slot) = connection.publish(text, self.market.key()).await?;
        Ok((signature.into(), slot))
    }

    fn period(&self) -> Period {
        Period::from_ms(u64::from(self.settings.period_s) * 1_000)
    }

    fn count(&self, record: &Record) {
        let mut counts = BTreeMap::new();
        for answer in record.entries.iter().flat_map(|e| &e.answers) {
            let outcome = match answer.outcome {
                Outcome::Proven(_) => "proven",
                Outcome::Late => "late",
                Outcome::Silent => "silent",
                Outcome::Declined => "declined",
                Outcome::Rejected => "rejected",
                Outcome::Withheld => "withheld",
            };
            self.outcomes.with_label_values(&[outcome]).inc();
            *counts.entry(outcome).or_insert(0) += 1;
        }
        tracing::info!(trial = %record.trial, lane = record.lane.name(), ?counts, "trial");
    }
}
