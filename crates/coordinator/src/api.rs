//! The REST interface: what renters, suppliers and whoever is curious speak to.
//!
//! Handlers are thin: they check who asks and what, and hand the wish to [`Control`]. What all
//! requests share - ids, limits, problems, figures - is done once, in `edge`.

mod auth;
mod checks;
mod clusters;
mod devices;
mod edge;
mod events;
mod exec;
mod extract;
mod idempotency;
pub mod limits;
mod market;
mod metrics;
mod openapi;
mod problem;
mod rate;
mod server;
mod socket;
mod store;
mod streams;
mod trials;
mod tunnel;

pub use openapi::openapi_json;
pub use rate::{Rate, Rates};
pub use server::serve;
pub use store::{ApiStore, ApiStoreError};

use crate::checks::Checks;
use crate::control::Control;
use crate::trial::Archive;
use auth::Challenges;
use axum::Router;
use axum::routing::{get, post};
use ionet_core::{ClusterId, Wallet};
use metrics::HttpMetrics;
use rate::Buckets;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use streams::Slots;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Unix time in milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How the REST interface is run.
#[derive(Clone)]
pub struct ApiConfig {
    /// Hosts with ports under which clients know this coordinator: sign-in messages name the
    /// one that the client used, else the first. Never empty.
    pub domains: Vec<String>,
    /// What callers may ask.
    pub rates: Rates,
    /// The time.
    pub clock: Clock,
    /// Records of trials, and whom to ask; none: this coordinator holds no trials.
    pub trials: Option<Archive>,
    /// Where checks that renters hand in are kept; none: nowhere.
    pub checks: Option<Checks>,
}

impl ApiConfig {
    /// For a coordinator that is reached where it listens.
    pub fn for_address(address: SocketAddr) -> Self {
        let mut domains = vec![address.to_string()];
        if address.ip().is_loopback() {
            domains.push(format!("localhost:{}", address.port()));
        }
        let (rates, clock) = (Rates::default(), Arc::new(unix_ms));
        Self { domains, rates, clock, trials: None, checks: None }
    }
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What all handlers share.
struct Shared {
    control: Control,
    store: ApiStore,
    config: ApiConfig,
    challenges: Challenges,
    by_address: Buckets<IpAddr>,
    sign_ins: Buckets<IpAddr>,
    by_wallet: Buckets<Wallet>,
    mutations: Buckets<Wallet>,
    streams: Slots<ClusterId>,
    subscribers: Slots<Wallet>,
    /// Wallets whose checks are being read.
    evidence: Slots<Wallet>,
    /// The check that is being computed.
    checking: Semaphore,
    metrics: HttpMetrics,
    stopping: CancellationToken,
}

type App = Arc<Shared>;

impl Shared {
    fn now_ms(&self) -> i64 {
        (self.config.clock)()
    }

    fn now_s(&self) -> i64 {
        self.now_ms().div_euclid(1_000)
    }
}

/// Every route. When `stopping` is cancelled, open streams end.
pub fn router(
    control: Control,
    store: ApiStore,
    config: ApiConfig,
    stopping: CancellationToken,
) -> Router {
    let rates = config.rates;
    let app: App = Arc::new(Shared {
        control,
        store,
        challenges: Challenges::default(),
        by_address: Buckets::new(rates.address),
        sign_ins: Buckets::new(rates.sign_in),
        by_wallet: Buckets::new(rates.wallet),
        mutations: Buckets::new(rates.mutation),
        streams: Slots::new(limits::STREAMS_MAX, limits::STREAMS_PER_CLUSTER_MAX),
        subscribers: Slots::new(limits::SUBSCRIBERS_MAX, limits::SUBSCRIBERS_PER_WALLET_MAX),
        evidence: Slots::new(limits::CHECKS_READ_MAX, 1),
        checking: Semaphore::new(1),
        metrics: HttpMetrics::new(),
        config,
        stopping,
    });
    Router::new()
        .route("/v1/network", get(market::network))
        .route("/v1/auth/challenge", post(auth::challenge))
        .route("/v1/auth/token", post(auth::token))
        .route("/v1/offers", get(market::offers))
        .route("/v1/quotes", post(market::quote))
        .route("/v1/clusters", post(clusters::create).get(clusters::list))
        .route("/v1/clusters/{id}", get(clusters::show))
        .route("/v1/clusters/{id}/close", post(clusters::close))
        .route("/v1/clusters/{id}/receipts", post(clusters::receipts))
        .route("/v1/clusters/{id}/checks", post(checks::hand_in))
        .route("/v1/clusters/{id}/events", get(events::events))
        .route("/v1/clusters/{id}/access", get(clusters::access))
        .route("/v1/clusters/{id}/tunnel/{port}", get(tunnel::tunnel))
        .route("/v1/clusters/{id}/logs", get(clusters::logs))
        .route("/v1/clusters/{id}/exec", get(exec::exec))
        .route("/v1/devices", get(devices::list))
        .route("/v1/devices/{id}", get(devices::show))
        .route("/v1/devices/{id}/checks", get(checks::of_device))
        .route("/v1/checks/{check}", get(checks::evidence))
        .route("/v1/devices/{id}/drain", post(devices::drain))
        .route("/v1/devices/{id}/trials", post(trials::ask))
        .route("/v1/trials", get(trials::list))
        .route("/v1/trials/{trial}/record", get(trials::record))
        .route("/v1/trials/{trial}/proofs", get(trials::proofs))
        .route("/healthz", get(market::health))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document))
        .fallback(edge::no_such_path)
        .method_not_allowed_fallback(edge::no_such_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), edge::edge))
        .with_state(app)
}
