//! What Prometheus may read.

use crate::board::Board;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The counters of one worker.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Sessions that a coordinator admitted.
    pub(crate) sessions: IntCounter,
    /// Whether a session stands now.
    pub(crate) connected: IntGauge,
    /// Dials after a first one, by why.
    pub(crate) reconnects: IntCounterVec,
    /// Heartbeats that were sent.
    pub(crate) heartbeats: IntCounter,
    /// Commands, by what came of them.
    pub(crate) commands: IntCounterVec,
    /// Receipts, by what became of them.
    pub(crate) receipts: IntCounterVec,
    /// Score of the newest verdict, of 1000; 0 before the first.
    pub(crate) score: IntGauge,
    /// Streams that the coordinator opened, by purpose.
    pub(crate) streams: IntCounterVec,
    /// Bytes through tunnels, by direction: `in` is towards the part.
    pub(crate) tunnel_bytes: IntCounterVec,
    parts: IntGaugeVec,
}

impl Metrics {
    /// Counters that are all zero.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("ionet_worker_{name}"), help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let by = |name: &str, help: &str, label: &str| {
            let opts = Opts::new(format!("ionet_worker_{name}"), help);
            let counter = IntCounterVec::new(opts, &[label])?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let connected = IntGauge::new("ionet_worker_connected", "Whether a session stands.")?;
        registry.register(Box::new(connected.clone()))?;
        let score = IntGauge::new("ionet_worker_score", "Score of the newest verdict, of 1000.")?;
        registry.register(Box::new(score.clone()))?;
        let parts = Opts::new("ionet_worker_parts", "Parts of clusters, by state.");
        let parts = IntGaugeVec::new(parts, &["state"])?;
        registry.register(Box::new(parts.clone()))?;
        Ok(Self {
            sessions: counter("sessions_total", "Sessions that a coordinator admitted.")?,
            heartbeats: counter("heartbeats_total", "Heartbeats that were sent.")?,
            reconnects: by("reconnects_total", "Dials after the first one, by why.", "reason")?,
            commands: by("commands_total", "Commands, by outcome.", "outcome")?,
            receipts: by("receipts_total", "Receipts, by what became of them.", "outcome")?,
            streams: by("streams_total", "Streams of the coordinator, by purpose.", "purpose")?,
            tunnel_bytes: by("tunnel_bytes_total", "Bytes through tunnels.", "direction")?,
            connected,
            score,
            parts,
            registry,
        })
    }

    fn text(&self, board: &Board) -> String {
        for (state, count) in board.count() {
            self.parts.with_label_values(&[state]).set(count);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// Serves `/metrics` and `/healthz` at `address`. Returns the address that was bound.
pub(crate) async fn serve(
    address: SocketAddr,
    metrics: Metrics,
    board: Arc<Board>,
) -> std::io::Result<(SocketAddr, impl Future<Output = ()> + Send)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    type Shared = (Metrics, Arc<Board>);
    let router = Router::new()
        .route(
            "/metrics",
            get(|State((metrics, board)): State<Shared>| async move {
                ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.text(&board))
            }),
        )
        .route("/healthz", get(|| async { "ok\n" }))
        .with_state((metrics, board));
    let serve = async move {
        if let Err(e) = axum::serve(listener, router).await {
            tracing::warn!(error = %e, "metrics are no longer served");
        }
    };
    Ok((bound, serve))
}
