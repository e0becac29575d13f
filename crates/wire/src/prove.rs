//! A trial: the conversation on a stream that the coordinator opens for it.
//!
//! Both sides open, then [`ToProver::Start`] with the first task's beacon. The device answers each
//! task with a [`FromProver::Commitment`] as soon as it is done, or with [`FromProver::Skipped`];
//! the next task begins for everybody at once, with [`ToProver::Next`] and a beacon of its own.
//! After the last one [`ToProver::Ask`] brings what makes the challenge, one [`FromProver::Proof`]
//! for each commitment follows, and [`ToProver::Judged`] at the end. Everything that either side
//! sends is bounded by the frame, and checked before it is used.
//!
//! A device may decline at any moment before the question. Afterwards a proof that does not come
//! counts like a wrong one.

use ionet_core::{Task, TrialId, Verdict};
use serde::{Deserialize, Serialize};

/// The feature by which a device says that it can be asked to prove.
pub const FEATURE: &str = "prove/1";
/// It also passes over memory, and so knows trials of several tasks.
pub const STREAM_FEATURE: &str = "prove-stream/1";
/// It drives the one chip of its inventory: what is asked of its chips is done there.
pub const CHIP_FEATURE: &str = "prove-chip/1";
/// It drives all of several chips of its inventory, each for itself, all at once: a trial opens a
/// stream for each.
pub const CHIPS_FEATURE: &str = "prove-chips/1";
/// Its chips' matrix units found the processor's bits when the device started: they can be asked
/// for [`ionet_core::Units::Matrix`]. Nothing else of a chip ever stands in for them.
pub const MATRIX_FEATURE: &str = "prove-matrix/1";

/// Coordinator to device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "prove", rename_all = "kebab-case")]
pub enum ToProver {
    /// The beacon has come: work.
    Start {
        /// Which trial.
        trial: TrialId,
        /// The first task's beacon.
        beacon: [u8; 32],
        /// What to do, one after the other; at most [`ionet_core::TASKS_MAX`].
        tasks: Vec<Task>,
        /// Whether it is asked of the device's chip, not of its processor. Only of devices that
        /// say [`CHIP_FEATURE`].
        #[serde(default)]
        on_chip: bool,
    },
    /// The next task begins, for everybody.
    Next {
        /// Its number in the start's list, from 1.
        task: u8,
        /// Its beacon.
        beacon: [u8; 32],
    },
    /// The last deadline is over, and every commitment stands on the chain.
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
    /// This task it cannot do, or not now; the others it does.
    Skipped {
        /// Its number.
        task: u8,
        /// Why, for the owner's eyes.
        reason: String,
    },
    /// What was asked for of one commitment, in the order of tasks.
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
