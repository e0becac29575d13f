//! A whole coordinator: settings in, REST and QUIC out.

use crate::api::{self, ApiConfig, ApiStore};
use crate::checks::Checks;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{self, Control};
use crate::leader::{Leader, LeaderError, Parts, Replay};
use crate::log::{Faults, Log, LogError};
use crate::market::{Market, MarketStepError};
use crate::metrics::Metrics;
use crate::private::write_private;
use crate::sessions::book::Book;
use crate::sessions::{HELLOS_MAX, Sessions, serve};
use crate::trial::{Archive, Trials};
use ionet_api::Network;
use ionet_core::Asset;
use ionet_ledger::{Address, KeypairFile, Ledger, SignerError};
use ionet_network::At;
use ionet_trust::signals::built_in;
use ionet_wire::endpoint;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Between two tries to reach the chain at start.
const CHAIN_PAUSE: Duration = Duration::from_millis(500);

/// Why a coordinator does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// A file or a socket.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The coordinator's key.
    #[error(transparent)]
    Key(#[from] SignerError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The market on the chain is not the one in the settings.
    #[error(transparent)]
    Market(#[from] MarketStepError),
    /// The devices' socket.
    #[error(transparent)]
    Endpoint(#[from] endpoint::EndpointError),
    /// The REST layer's own store.
    #[error(transparent)]
    Store(#[from] api::ApiStoreError),
    /// The loop ended.
    #[error(transparent)]
    Leader(#[from] LeaderError),
    /// Two figures of one name.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The trials' state on disk.
    #[error("{0}")]
    Trials(String),
    /// The file of hosting ranges.
    #[error("{0}")]
    Hosting(String),
    /// A task of ours panicked.
    #[error("internal error: {0}")]
    Panicked(String),
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> CoordinatorError {
    move |source| CoordinatorError::Io { what: what.into(), source }
}

/// What a test replaces.
#[derive(Clone)]
pub struct Surroundings {
    /// The time.
    pub clock: Clock,
    /// Faults of the log's storage.
    pub faults: Arc<Faults>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { clock: Clock::default(), faults: Arc::new(Faults::none()) }
    }
}

/// A coordinator that is open and not running yet.
pub struct Coordinator {
    control: Control,
    leader: Leader,
    sessions: Arc<Sessions>,
    endpoint: endpoint::Endpoint,
    listener: TcpListener,
    store: ApiStore,
    trials: Option<Trials>,
    clock: Clock,
    archive: Archive,
    checks: Checks,
}

impl Coordinator {
    /// Opens the log and takes the lead, reaches the chain (waiting for it if need be), and
    /// binds both sockets.
    pub async fn open(config: Config) -> Result<Self, CoordinatorError> {
        Self::open_in(config, Surroundings::default()).await
    }

    /// The same with another clock, or with faults.
    pub async fn open_in(
        config: Config,
        surroundings: Surroundings,
    ) -> Result<Self, CoordinatorError> {
        let Surroundings { clock, faults } = surroundings;
        let folder = config.data_dir.clone();
        std::fs::create_dir_all(&folder).map_err(io(format!("cannot make {folder:?}")))?;
        let market = reach_market(&config).await?;
        let (log, replay, before) = tokio::task::spawn_blocking(move || open_log(&folder, faults))
            .await
            .map_err(|e| CoordinatorError::Panicked(e.to_string()))??;
        let secret = quic_key(&config.data_dir)?;
        let endpoint = endpoint::bind(&secret, &[config.quic_addr]).await?;
        let rest = config.rest_addr;
        let listener =
            TcpListener::bind(rest).await.map_err(io(format!("cannot listen at {rest}")))?;
        let store = ApiStore::open(&config.data_dir)?;
        let (control, driver) = control::channel(network(&config, &market, &endpoint));
        let (knocks, door) = mpsc::channel(HELLOS_MAX);
        let hosting = built_in().map_err(|e| CoordinatorError::Hosting(e.to_string()))?;
        let book = Book::new(hosting, config.landmark.clone());
        let sessions = Sessions::new(knocks, market.clone(), clock.clone(), log.epoch(), book);
        let sessions = Arc::new(sessions);
        let metrics = Metrics::register(control.metrics(), &sessions.heartbeats)?;
        let archive = Archive::open(&config.data_dir).map_err(io("the folder of trials"))?;
        let checks = Checks::open(&config.data_dir).map_err(io("the folder of checks"))?;
        let hold = |settings| {
            let (control, sessions) = (control.clone(), sessions.clone());
            let (market, clock) = (market.clone(), clock.clone());
            Trials::new(settings, control, sessions, market, clock, archive.clone())
        };
        let trials = config.trials.map(hold).transpose();
        let trials = trials.map_err(|e| CoordinatorError::Trials(e.to_string()))?;
        tracing::info!(epoch = log.epoch(), events = replay.seq, "the coordinator leads");
        let leader = Leader::new(Parts {
            config: Arc::new(config),
            log: Arc::new(log),
            market,
            sessions: sessions.clone(),
            clock: clock.clone(),
            driver,
            knocks: door,
            metrics,
            replay,
            before,
        });
        Ok(Self {
            control,
            leader,
            sessions,
            endpoint,
            listener,
            store,
            trials,
            clock,
            archive,
            checks,
        })
    }

    /// A handle on it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Where REST is served.
    pub fn rest_addr(&self) -> Result<SocketAddr, CoordinatorError> {
        self.listener.local_addr().map_err(io("the REST socket has no address"))
    }

    /// Serves until `shutdown` is done, or until another coordinator leads.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), CoordinatorError> {
        let rest = self.rest_addr()?;
        let stopping = CancellationToken::new();
        let (stop, stopped) = watch::channel(false);
        // Aborted when this future is dropped: a test's crash ends everything at once.
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(serve(self.sessions, self.endpoint.clone()));
        let mut config = ApiConfig::for_address(rest);
        config.trials = self.trials.is_some().then_some(self.archive);
        config.checks = Some(self.checks);
        let clock = self.clock;
        config.clock = Arc::new(move || clock.now().0);
        let token = stopping.clone();
        let serving = api::serve(self.listener, self.control, self.store, config, token);
        tasks.spawn(serving);
        let mut trying = tokio::task::JoinSet::new();
        if let Some(trials) = self.trials {
            trying.spawn(trials.run());
        }
        let mut leading = tokio::task::JoinSet::new();
        leading.spawn(self.leader.run(stopped));
        let ended = tokio::select! {
            () = shutdown => {
                // Nobody listens if the loop has ended already.
                let _ = stop.send(true);
                leading.join_next().await
            }
            ended = leading.join_next() => ended,
        };
        trying.abort_all();
        stopping.cancel();
        self.endpoint.close().await;
        while let Some(task) = tasks.join_next().await {
            if let Err(error) = task {
                tracing::error!(%error, "a server ended badly");
            }
        }
        match ended {
            Some(Ok(result)) => Ok(result?),
            Some(Err(error)) => Err(CoordinatorError::Panicked(error.to_string())),
            None => Ok(()),
        }
    }
}

/// Waits for the chain; what it then says must fit the settings.
async fn reach_market(config: &Config) -> Result<Market, CoordinatorError> {
    let mut told = false;
    loop {
        let program = Address::from(config.program.0);
        let ledger = Ledger::connect_to(&config.rpc_url, program);
        let key = KeypairFile::load(&config.keypair)?;
        match Market::open(ledger, key, config.usdc_mint, config.io_mint).await {
            Ok(market) => return Ok(market),
            Err(error) if error.is_transient() => {
                if !told {
                    tracing::warn!(%error, "waiting for the chain");
                    told = true;
                }
                tokio::time::sleep(CHAIN_PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn open_log(folder: &Path, faults: Arc<Faults>) -> Result<(Log, Replay, At), CoordinatorError> {
    let log = Log::open(&folder.join("log.sqlite"), faults)?;
    let before = At(log.last_alive()?);
    let replay = Replay::of(&log)?;
    Ok((log, replay, before))
}

/// The seed of the coordinator's QUIC identity: made at first start, readable by its owner only.
fn quic_key(folder: &Path) -> Result<Zeroizing<[u8; 32]>, CoordinatorError> {
    let path = folder.join("quic.key");
    let what = || io(format!("{path:?}"));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let text = Zeroizing::new(hex::encode(rand::random::<[u8; 32]>()));
            write_private(&path, &text).map_err(what())?;
            text
        }
        Err(e) => return Err(what()(e)),
    };
    let mut seed = Zeroizing::new([0; 32]);
    let bad = |_| std::io::Error::other("not 64 hex digits");
    hex::decode_to_slice(text.trim(), &mut seed[..]).map_err(bad).map_err(what())?;
    Ok(seed)
}

fn network(config: &Config, market: &Market, endpoint: &endpoint::Endpoint) -> Network {
    let bound = endpoint::local_addresses(endpoint);
    let told = if config.quic_advertise.is_empty() { &bound } else { &config.quic_advertise };
    let identity = endpoint::device_id(endpoint.id());
    Network {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        genesis: market.chain().genesis,
        program: market.chain().program,
        rpc_url: config.rpc_url.clone(),
        ws_url: config.ws_url.clone(),
        usdc_mint: config.usdc_mint,
        io_mint: config.io_mint,
        coordinator: market.coordinator(),
        device_endpoint: identity.to_string(),
        device_addresses: told.iter().map(ToString::to_string).collect(),
        fee_bps: market.fee_bps(Asset::Usdc),
        claim_window_s: market.claim_window_s(),
        ray_version: config.ray_version.clone(),
        python_version: config.python_version.clone(),
    }
}
