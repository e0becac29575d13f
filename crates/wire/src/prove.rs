//! A trial: the conversation on a stream that the coordinator opens for it.
//!
//! Both sides open, then: [`ToProver::Start`] with the beacon, a [`FromProver::Commitment`] for
//! each task as soon as it is done, [`ToProver::Ask`] with what makes the challenge, one
//! [`FromProver::Proof`] a task, and [`ToProver::Judged`] at the end. Everything that either side
//! sends is bounded by the frame, and checked before it is used.

use ionet_core::{Task, TrialId, Verdict};
use serde::{Deserialize, Serialize};

/// The feature by which a device says that it can be asked to prove.
pub const FEATURE: &str = "prove/1";

/// Coordinator to device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "prove", rename_all = "kebab-case")]
pub enum ToProver {
    /// The beacon has come: work.
    Start {
        /// Which trial.
        trial: TrialId,
        /// The beacon.
        beacon: [u8; 32],
        /// What to do, one after the other; at most [`ionet_core::TASKS_MAX`].
        tasks: Vec<Task>,
    },
    /// The deadline is over, and every commitment stands on the chain.
    Ask {
        /// The beacon of after the deadline.
        late: [u8; 32],
        /// What the coordinator had committed to before the start.
        secret: [u8; 32],
    },
    /// What came of it.
    Judged {
        /// The verdict.
        verdict: Box<Verdict>,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Device to coordinator.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "prove", rename_all = "kebab-case")]
pub enum FromProver {
    /// A task is done.
    Commitment {
        /// Its number in the start's list, from 0.
        task: u8,
        /// The hash that binds all rounds.
        hash: [u8; 32],
    },
    /// The leaves that were asked for.
    Proof {
        /// The task's number.
        task: u8,
        /// The proof as `ionet-trust` writes it.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// It cannot, or not now.
    Declined {
        /// Why, for the owner's eyes.
        reason: String,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}
