//! The control loop: one task that owns the facts.
//!
//! Wishes and observations come in; [`ionet_network::decide`] turns them into events; the log
//! takes them; only then they are folded into the facts. [`ionet_network::plan`] turns facts
//! into steps, which run beside the loop and come back as observations. A restarted process
//! replays the log and goes on planning: recovery is no special case.

mod admit;
mod apply;
mod create;
mod meters;
mod observe;
mod publish;
mod requests;
mod sightings;
mod steps;
mod vouch;

use crate::clock::Clock;
use crate::config::Config;
use crate::control::Driver;
use crate::log::{Log, LogError};
use crate::market::Market;
use crate::metrics::Metrics;
use crate::sessions::{Knock, Sessions};
use ionet_core::{ClusterId, DeviceId};
use ionet_network::{At, Command, Facts, LineRef, Soft, plan};
use ionet_trust::signals::Salt;
use publish::Timeline;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use steps::{Attempts, StepKey};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

pub(crate) use apply::Replay;

/// Milliseconds between two signs of life in the log: how well an outage's length is known.
const ALIVE_MS: u64 = 5_000;
/// Milliseconds between two refreshes of what readers see of devices that did not change.
const REFRESH_MS: u64 = 1_000;

/// Why the loop ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// The log: most likely another coordinator leads.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log holds what this software cannot read.
    #[error(transparent)]
    Record(#[from] ionet_network::RecordError),
    /// The chain says that another leader of this coordinator took over.
    #[error("the chain has seen a newer leader of this coordinator")]
    Fenced,
}

/// What runs beside the loop, once it is done.
enum Done {
    Step(steps::Outcome),
    Watched(observe::Watched),
    Created(create::Checked),
    Alive(Result<(), LogError>),
}

/// The loop's state.
pub(crate) struct Leader {
    config: Arc<Config>,
    log: Arc<Log>,
    market: Market,
    sessions: Arc<Sessions>,
    clock: Clock,
    /// What devices make their fingerprints with while this process leads.
    salt: Salt,
    driver: Driver,
    knocks: mpsc::Receiver<Knock>,
    metrics: Metrics,
    facts: Facts,
    soft: Soft,
    /// Number of the newest event.
    seq: u64,
    /// When a coordinator was last alive before this process; 0: never.
    before: At,
    timelines: BTreeMap<ClusterId, Timeline>,
    secrets: BTreeMap<ClusterId, Zeroizing<String>>,
    tasks: JoinSet<Done>,
    flights: BTreeSet<StepKey>,
    attempts: Attempts,
    watching: bool,
    watch_due: At,
    /// When devices' records, and lines, are read next.
    devices_due: At,
    lines_due: At,
    /// Why the chain cannot be asked, if it could not be last time.
    chain_down: Option<String>,
    alive_due: At,
    refresh_due: At,
    changed_clusters: BTreeSet<ClusterId>,
    changed_devices: BTreeSet<DeviceId>,
    /// What workers said of themselves in this process: number of their process.
    boots: BTreeMap<DeviceId, u64>,
    /// Seconds that a lease's clock had stood when a line began.
    stood_before: BTreeMap<(ClusterId, LineRef), u64>,
    /// Leases whose lines were ended on-chain after closing, so that devices are free again.
    released: BTreeSet<ClusterId>,
    fatal: Option<LeaderError>,
}

/// What a leader is made of.
pub(crate) struct Parts {
    pub(crate) config: Arc<Config>,
    pub(crate) log: Arc<Log>,
    pub(crate) market: Market,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) clock: Clock,
    pub(crate) driver: Driver,
    pub(crate) knocks: mpsc::Receiver<Knock>,
    pub(crate) metrics: Metrics,
    pub(crate) replay: Replay,
    pub(crate) before: At,
}

impl Leader {
    pub(crate) fn new(parts: Parts) -> Self {
        let now = parts.clock.now();
        let patience = parts.config.patience();
        let soft = Soft { started_at: now, patience, ..Soft::default() };
        let salt = salt(&parts.market, parts.log.epoch());
        let Replay { facts, seq, timelines, secrets } = parts.replay;
        let mut leader = Self {
            config: parts.config,
            log: parts.log,
            market: parts.market,
            sessions: parts.sessions,
            clock: parts.clock,
            salt,
            driver: parts.driver,
            knocks: parts.knocks,
            metrics: parts.metrics,
            changed_clusters: facts.clusters.keys().copied().collect(),
            changed_devices: facts.devices.keys().copied().collect(),
            facts,
            soft,
            seq,
            before: parts.before,
            timelines,
            secrets,
            tasks: JoinSet::new(),
            flights: BTreeSet::new(),
            attempts: Attempts::default(),
            watching: false,
            watch_due: now,
            devices_due: now,
            lines_due: now,
            chain_down: None,
            alive_due: now,
            refresh_due: now,
            boots: BTreeMap::new(),
            stood_before: BTreeMap::new(),
            released: BTreeSet::new(),
            fatal: None,
        };
        leader.sync_meters(true);
        leader.publish(now);
        leader
    }

    /// Leads until `stop` is true or another process leads.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), LeaderError> {
        let required = self.config.proofs_required;
        self.observe(self.clock.now(), Command::RequireProofs { required }).await;
        let mut tick = tokio::time::interval(self.config.plan_interval());
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.fatal.is_none() {
            tokio::select! {
                () = stopped(&mut stop) => break,
                Some(request) = self.driver.requests.recv() => {
                    if !self.request(request).await {
                        continue;
                    }
                }
                Some(knock) = self.knocks.recv() => self.knock(knock).await,
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => match done {
                    Ok(done) => self.finish(done).await,
                    // A step that panicked is planned again; what it held in flight is freed.
                    Err(e) if e.is_panic() => {
                        tracing::error!(error = %e, "a step panicked");
                        self.flights.clear();
                        self.watching = false;
                    }
                    Err(_) => (),
                },
                () = self.sessions.changed.notified() => (),
                _ = tick.tick() => (),
            }
            self.turn().await;
        }
        self.driver.views.set_leading(false);
        self.sessions.end_all();
        match self.fatal {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// What every input is followed by: look, plan, act, publish.
    async fn turn(&mut self) {
        let now = self.clock.now();
        self.take_reports(now).await;
        self.sync_meters(false);
        let plan = plan(&self.facts, &self.soft, now);
        self.metrics.plans.inc();
        self.act(now, plan).await;
        self.watch_chain(now);
        self.note_alive(now);
        self.publish(now);
    }

    async fn finish(&mut self, done: Done) {
        match done {
            Done::Step(outcome) => self.step_done(outcome).await,
            Done::Watched(watched) => self.watched(watched).await,
            Done::Created(checked) => self.create_checked(checked).await,
            Done::Alive(Err(error)) => self.log_failed(error),
            Done::Alive(Ok(())) => (),
        }
    }

    fn note_alive(&mut self, now: At) {
        if now < self.alive_due {
            return;
        }
        self.alive_due = now.plus_ms(ALIVE_MS);
        let log = self.log.clone();
        self.tasks.spawn_blocking(move || Done::Alive(log.note_alive(now.0)));
    }
}

/// A salt of this process's own: its secret is forgotten at once, so that nothing which is kept
/// anywhere can be compared with what devices told.
fn salt(market: &Market, epoch: u64) -> Salt {
    Salt::new(&Zeroizing::new(rand::random()), &market.chain().genesis, epoch)
}

/// Waits until the value is true, or nobody can set it any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
