//! Counters, shown as plain text on `/metrics`.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the process started.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) rpc_calls: AtomicU64,
    pub(crate) rpc_errors: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) commit_failures: AtomicU64,
}

impl Metrics {
    pub(crate) fn count(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    /// The Prometheus text form.
    pub(crate) fn render(&self, slot: u64) -> String {
        let rows = [
            ("rpc_calls_total", "JSON-RPC calls", &self.rpc_calls),
            ("rpc_errors_total", "JSON-RPC calls answered with an error", &self.rpc_errors),
            ("transactions_committed_total", "Transactions put into blocks", &self.committed),
            ("transactions_dropped_total", "Transactions refused", &self.dropped),
            ("commits_total", "Atomic writes to the store", &self.commits),
            ("commit_failures_total", "Atomic writes that failed", &self.commit_failures),
        ];
        let mut text = String::new();
        for (name, help, counter) in rows {
            let value = counter.load(Ordering::Relaxed);
            let _ = writeln!(
                text,
                "# HELP ionet_chain_{name} {help}.\n# TYPE ionet_chain_{name} counter\n\
                 ionet_chain_{name} {value}"
            );
        }
        let _ = writeln!(
            text,
            "# HELP ionet_chain_slot The open slot.\n# TYPE ionet_chain_slot gauge\n\
             ionet_chain_slot {slot}"
        );
        text
    }
}
