//! Trials, as anyone may see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A trial whose record is kept, or that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrialSummary {
    /// Its number.
    pub trial: u64,
    /// `period`: all idle devices; `joining`: devices that came or were asked for.
    pub lane: String,
    /// Unix milliseconds of its start, by the coordinator's clock.
    pub started_ms: i64,
    /// Devices that took part.
    pub devices: u32,
    /// Of their tasks, those that were proven.
    pub tasks_proven: u32,
    /// Tasks in all.
    pub tasks: u32,
    /// The hash of the record's bytes, in hex: what the lane's next anchor names. None if it came
    /// to nothing.
    pub record_hash: Option<String>,
    /// The transaction that promised its secret.
    pub promise: String,
    /// Why it came to nothing, in words: it has no record, and nobody was judged by it.
    pub void: Option<String>,
}

/// A device was asked to prove its chips.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrialAsked {
    /// The device.
    pub device: String,
    /// What it waits for, in words.
    pub message: String,
}
