//! Figures for Prometheus: requests here, and whatever the control loop registers.

use super::App;
use super::problem::ApiError;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder,
};
use std::time::Duration;

/// Upper ends of the latency histogram, in seconds: from a view in memory to the time limit.
const LATENCY_SECONDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

/// Counters and latencies of requests, by route: never by path, which has no bound.
pub(super) struct HttpMetrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl HttpMetrics {
    pub(super) fn new() -> Self {
        let registry = Registry::new();
        let counted = Opts::new("ionet_http_requests_total", "Requests answered.");
        let requests = IntCounterVec::new(counted, &["route", "method", "status"])
            .expect("a valid name and labels");
        let timed = HistogramOpts::new(
            "ionet_http_request_seconds",
            "Seconds from a request's head to its answer's head.",
        );
        let seconds = HistogramVec::new(timed.buckets(LATENCY_SECONDS.to_vec()), &["route"])
            .expect("a valid name and labels");
        registry.register(Box::new(requests.clone())).expect("registered once");
        registry.register(Box::new(seconds.clone())).expect("registered once");
        Self { registry, requests, seconds }
    }

    pub(super) fn observe(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        elapsed: Duration,
    ) {
        // Methods can be invented; those that no route has count as one.
        let method =
            if [Method::GET, Method::POST].contains(method) { method.as_str() } else { "other" };
        self.requests.with_label_values(&[route, method, status.as_str()]).inc();
        self.seconds.with_label_values(&[route]).observe(elapsed.as_secs_f64());
    }
}

/// Figures of this coordinator in Prometheus' text form.
#[utoipa::path(get, path = "/metrics",
    responses((status = 200, body = String, content_type = "text/plain")), tag = "operation")]
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let mut families = app.control.metrics().gather();
    families.extend(app.metrics.registry.gather());
    let mut text = Vec::new();
    let encoder = TextEncoder::new();
    encoder.encode(&families, &mut text).map_err(ApiError::internal)?;
    let kind = encoder.format_type().to_owned();
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
