//! The worker: state from disk, sessions for ever, a clean end.

use crate::agent::Agent;
use crate::backoff::{ASKED_MAX, Backoff};
use crate::config::{ConfigError, WorkerConfig};
use crate::containers::Containers;
use crate::enrol::{self, EnrolError};
use crate::host::{Host, HostError};
use crate::inventory;
use crate::key::{DeviceKey, KeyError};
use crate::lock;
use crate::metrics::{self, Metrics};
use crate::parts::{Capacity, Parts};
use crate::proving::{self, Proving};
use crate::session::{self, End};
use crate::store::{Store, StoreError};
use ionet_core::Inventory;
use ionet_mesh::engine::EngineError;
use ionet_wire::endpoint::{self, Endpoint, EndpointError};
use ionet_wire::message::{Refused, RefusedCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Between two looks for a container engine that is not there yet.
const ENGINE_RETRY: Duration = Duration::from_secs(1);
/// Looks for the engine at the start before the worker gives up.
const ENGINE_TRIES: u32 = 30;
/// How long the end of a connection may take to be told.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// How much the owner wants the machine back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Not at all.
    No,
    /// Take no new clusters; end when none is left.
    Drain,
    /// End now. Containers go on and are adopted at the next start.
    Now,
}

/// Why a worker ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The enrolment.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another worker runs on the same state.
    #[error(transparent)]
    Lock(#[from] lock::LockError),
    /// The container engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Containers that could not be removed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The UDP socket.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The metrics' address.
    #[error("cannot serve metrics at {address}: {source}")]
    Metrics {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The counters.
    #[error("metrics: {0}")]
    Counters(#[from] prometheus::Error),
    /// The coordinator does not want this device, and waiting would not help.
    #[error("the coordinator refused this device ({code:?}): {message}")]
    Refused {
        /// For programs.
        code: RefusedCode,
        /// What is wrong and what to do.
        message: String,
    },
}

/// The supplier's agent.
pub struct Worker;

impl Worker {
    /// Runs until `stop` says so, or until the coordinator wants no more of this device.
    pub async fn run(config: WorkerConfig, stop: watch::Receiver<Stop>) -> Result<(), WorkerError> {
        config.validate()?;
        let key = DeviceKey::load_or_create(&config.state_dir)?;
        let inventory = inventory::read(&config);
        let chips = inventory.chips.clone();
        let host = connect(&config, &key, chips, stop.clone()).await?;
        let Some(host) = host else { return Ok(()) };
        Self::run_on(config, key, inventory, Arc::new(host), stop).await
    }

    /// The same on another host than this machine's containers.
    pub(crate) async fn run_on(
        config: WorkerConfig,
        key: DeviceKey,
        inventory: Inventory,
        host: Arc<dyn Host>,
        stop: watch::Receiver<Stop>,
    ) -> Result<(), WorkerError> {
        let _lock = lock::take(&config.state_dir)?;
        let enrolment = enrol::load(&config.state_dir, &key)?;
        let store = Store::open(&config.state_dir)?;
        let boot = store.call(Store::next_boot).await?;
        let capacity = Capacity {
            device: key.id(),
            slice: config.slice,
            chips: inventory.chips.len().min(u8::MAX.into()) as u8,
            egress: config.egress,
        };
        let metrics = Metrics::new()?;
        let parts = Parts::adopt(host, store.clone(), capacity).await?;
        let _metrics = match config.metrics {
            Some(address) => {
                let (bound, serve) =
                    metrics::serve(address, metrics.clone(), parts.board().clone())
                        .await
                        .map_err(|source| WorkerError::Metrics { address, source })?;
                tracing::info!(%bound, "metrics");
                Some(AbortOnDropHandle::new(tokio::spawn(serve)))
            }
            None => None,
        };
        let local = endpoint::local_side(&config.coordinator.addresses);
        let endpoint = endpoint::bind(&key.seed(), &local).await?;
        tracing::info!(device = %key.id(), boot, "worker starts");
        let looked = inventory.clone();
        let chips = tokio::task::spawn_blocking(move || proving::find_chips(&looked)).await;
        let proving = Proving::new(&inventory, chips.unwrap_or_default());
        let agent = Agent { key, enrolment, inventory, boot, store, parts, metrics, proving };
        let agent = Arc::new(agent);
        let result = sessions(&agent, &endpoint, &config, stop).await;
        agent.parts.shut_down().await;
        let _ = tokio::time::timeout(GOODBYE_MAX, endpoint.close()).await;
        result
    }
}

/// Looks for the container engine, which may start later than the worker.
async fn connect(
    config: &WorkerConfig,
    key: &DeviceKey,
    chips: Vec<ionet_core::Chip>,
    mut stop: watch::Receiver<Stop>,
) -> Result<Option<Containers>, WorkerError> {
    let mut tries = 0;
    loop {
        match Containers::connect(config, key.id(), chips.clone()).await {
            Ok(host) => return Ok(Some(host)),
            Err(e) if tries == ENGINE_TRIES => return Err(e.into()),
            Err(e) => tracing::warn!(error = %e, "waiting for the container engine"),
        }
        tries += 1;
        tokio::select! {
            () = tokio::time::sleep(ENGINE_RETRY) => (),
            _ = stop.wait_for(|s| *s != Stop::No) => return Ok(None),
        }
    }
}

/// One session after the other.
async fn sessions(
    agent: &Arc<Agent>,
    endpoint: &Endpoint,
    config: &WorkerConfig,
    mut stop: watch::Receiver<Stop>,
) -> Result<(), WorkerError> {
    let mut backoff = Backoff::default();
    loop {
        let (admitted, end) = one_session(agent, endpoint, config, &mut stop).await?;
        if admitted {
            backoff.reset();
        }
        let (reason, wait) = match end {
            End::Stopped => return Ok(()),
            End::Refused(Refused { code, message, retry_after_ms: None }) => {
                return Err(WorkerError::Refused { code, message });
            }
            End::Refused(Refused { code, message, retry_after_ms: Some(ms) }) => {
                tracing::warn!(?code, message, ms, "refused for now");
                let asked = Duration::from_millis(ms).min(ASKED_MAX);
                ("refused", asked + backoff.next(rand::random()))
            }
            End::Lost(reason) => {
                let wait = backoff.next(rand::random());
                tracing::warn!(reason, wait_ms = wait.as_millis() as u64, "no session");
                ("lost", wait)
            }
        };
        agent.metrics.reconnects.with_label_values(&[reason]).inc();
        if !pause(agent, wait, &mut stop).await {
            return Ok(());
        }
    }
}

/// Dials and holds one session. Whether it was admitted, and how it ended.
async fn one_session(
    agent: &Arc<Agent>,
    endpoint: &Endpoint,
    config: &WorkerConfig,
    stop: &mut watch::Receiver<Stop>,
) -> Result<(bool, End), WorkerError> {
    let coordinator = &config.coordinator;
    let connection = tokio::select! {
        dialled = endpoint::dial(endpoint, coordinator.id, &coordinator.addresses) => dialled,
        () = over(agent, stop) => return Ok((false, End::Stopped)),
    };
    let connection = match connection {
        Ok(connection) => connection,
        Err(e) => return Ok((false, End::Lost(e.to_string()))),
    };
    let ended = session::run(agent, &connection, stop).await;
    connection.close(0u32.into(), b"bye");
    Ok(ended?)
}

/// Waits before the next dial; false when the worker shall end instead.
async fn pause(agent: &Agent, wait: Duration, stop: &mut watch::Receiver<Stop>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => true,
        () = over(agent, stop) => false,
    }
}

/// Ends when the worker shall end, which a drained one does only without parts.
async fn over(agent: &Agent, stop: &mut watch::Receiver<Stop>) {
    let mut changes = agent.parts.board().watch();
    loop {
        let wanted = *stop.borrow_and_update();
        if wanted >= Stop::Drain {
            agent.parts.drain();
        }
        if wanted == Stop::Now || (wanted == Stop::Drain && agent.parts.count().await == 0) {
            return;
        }
        tokio::select! {
            changed = stop.changed() => if changed.is_err() { return },
            _ = changes.changed() => (),
        }
    }
}

/// Removes every container of this worker, and the networks that nobody else is on. Returns how
/// many there were. For `ionet down`: the worker itself must have ended.
pub async fn purge(config: &WorkerConfig) -> Result<usize, WorkerError> {
    let key = match DeviceKey::load(&config.state_dir) {
        Ok(key) => key,
        // It never started, so it made nothing.
        Err(KeyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(0);
        }
        Err(e) => return Err(e.into()),
    };
    let _lock = lock::take(&config.state_dir)?;
    let host = Containers::connect(config, key.id(), vec![]).await?;
    let removed = host.purge().await?;
    let store = Store::open(&config.state_dir)?;
    let forget = |s: &Store| {
        let parts = s.parts()?;
        parts.iter().try_for_each(|p| s.forget_part(p.spec.id))
    };
    store.call(forget).await?;
    Ok(removed)
}
