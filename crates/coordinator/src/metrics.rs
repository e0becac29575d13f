//! Figures for Prometheus.

use ionet_core::Asset;
use ionet_network::{At, Event, Facts};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use std::collections::BTreeMap;

/// What the control loop counts.
pub(crate) struct Metrics {
    pub(crate) plans: IntCounter,
    pub(crate) steps: IntCounterVec,
    pub(crate) log_seq: IntGauge,
    pub(crate) log_errors: IntCounter,
    pub(crate) chain_errors: IntCounter,
    clusters: IntGaugeVec,
    devices: IntGaugeVec,
    sessions: IntGauge,
    refunded: IntCounterVec,
    attestations: IntCounter,
    payouts: IntCounter,
}

fn name(name: &str) -> String {
    format!("ionet_coordinator_{name}")
}

impl Metrics {
    /// Registers every figure.
    pub(crate) fn register(
        registry: &Registry,
        heartbeats: &IntCounter,
    ) -> Result<Self, prometheus::Error> {
        let counter = |what: &str, help: &str| {
            let made = IntCounter::new(name(what), help)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let gauge = |what: &str, help: &str| {
            let made = IntGauge::new(name(what), help)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let gauges = |what: &str, help: &str| {
            let made = IntGaugeVec::new(Opts::new(name(what), help), &["state"])?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let steps = Opts::new(name("steps_total"), "Steps of the plan that came back");
        let steps = IntCounterVec::new(steps, &["kind", "outcome"])?;
        registry.register(Box::new(steps.clone()))?;
        registry.register(Box::new(heartbeats.clone()))?;
        let refunded = Opts::new(name("refunded_base_units_total"), "Refunded by settled leases");
        let refunded = IntCounterVec::new(refunded, &["asset"])?;
        registry.register(Box::new(refunded.clone()))?;
        Ok(Self {
            plans: counter("plans_total", "Plans made")?,
            steps,
            log_seq: gauge("log_seq", "Number of the newest event in the log")?,
            log_errors: counter("log_errors_total", "Appends that failed")?,
            chain_errors: counter("chain_errors_total", "Calls to the chain that failed")?,
            clusters: gauges("clusters", "Clusters by state")?,
            devices: gauges("devices", "Devices by state")?,
            sessions: gauge("sessions", "Devices that are connected")?,
            refunded,
            attestations: counter("attestations_total", "Lines vouched for on the chain")?,
            payouts: counter("payouts_total", "Lines paid out")?,
        })
    }

    /// Counts what an event moved, in the asset of its cluster.
    pub(crate) fn saw(&self, event: &Event, asset: Option<Asset>) {
        match event {
            Event::LeaseFinalized { refunded, .. } => {
                let asset = asset.map_or_else(String::new, |a| a.to_string().to_lowercase());
                self.refunded.with_label_values(&[&asset]).inc_by(refunded.0);
            }
            Event::Attested { lines, .. } => self.attestations.inc_by(lines.len() as u64),
            Event::Withdrawn { lines, .. } => self.payouts.inc_by(lines.len() as u64),
            _ => (),
        }
    }

    /// Sets what is counted anew each time.
    pub(crate) fn count(&self, facts: &Facts, now: At, sessions: usize) {
        let mut clusters: BTreeMap<&str, i64> = BTreeMap::new();
        for cluster in facts.clusters.values() {
            *clusters.entry(cluster.state.name()).or_default() += 1;
        }
        let mut devices: BTreeMap<String, i64> = BTreeMap::new();
        for device in facts.devices.values() {
            *devices
                .entry(format!("{:?}", device.state(now, facts.proofs_required)).to_lowercase())
                .or_default() += 1;
        }
        self.clusters.reset();
        self.devices.reset();
        for (state, count) in clusters {
            self.clusters.with_label_values(&[state]).set(count);
        }
        for (state, count) in devices {
            self.devices.with_label_values(&[&state]).set(count);
        }
        self.sessions.set(sessions as i64);
    }
}
