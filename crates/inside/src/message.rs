//! What client and program say to each other.

use ionet_core::DeviceId;
use ionet_trust::inside::{Hold, Multiply};
use serde::{Deserialize, Serialize};

/// From the client. All but [`Order::Listen`] are done one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum Order {
    /// Answered at once, with [`Answer::Pong`].
    Ping,
    /// Do rounds and commit to them.
    Multiply {
        /// From what they grow.
        beacon: [u8; 32],
        /// In whose name.
        device: DeviceId,
        /// How large and how long.
        task: Multiply,
    },
    /// Pass over memory and commit.
    Hold {
        /// From what it grows.
        beacon: [u8; 32],
        /// In whose name.
        device: DeviceId,
        /// How much.
        task: Hold,
    },
    /// Open what was committed to last.
    Ask {
        /// Drawn after the commitment.
        late: [u8; 32],
        /// The same.
        secret: [u8; 32],
    },
    /// Write a file and wait until it is on the disk.
    Write {
        /// From what it is made.
        key: [u8; 32],
        /// How long.
        bytes: u64,
    },
    /// Read it back; it is removed afterwards.
    Read {
        /// Of the digest.
        salt: [u8; 32],
    },
    /// Wait for one member's bytes. Others may be ordered in the meantime.
    Listen {
        /// What the member says first.
        token: [u8; 32],
        /// Of the digest.
        salt: [u8; 32],
        /// How many.
        bytes: u64,
    },
    /// Send bytes to a member that listens.
    Send {
        /// Its address on the private network.
        to: [u8; 4],
        /// Where it listens.
        port: u16,
        /// Said first.
        token: [u8; 32],
        /// From what they are made.
        key: [u8; 32],
        /// How many.
        bytes: u64,
    },
}

/// From the program, one to each order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// First of all, without being asked.
    Hello {
        /// BLAKE3 of the program's own file.
        program: [u8; 32],
        /// Threads that it may use. A claim.
        threads: u16,
    },
    /// Here.
    Pong,
    /// To work that was done.
    Commitment {
        /// See `ionet_trust`.
        hash: [u8; 32],
    },
    /// What was asked for.
    Proof {
        /// Encoded as `ionet_trust` says.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The file is on the disk.
    Written,
    /// Of what was read back.
    Digest {
        /// BLAKE3, keyed with the salt.
        hash: [u8; 32],
    },
    /// It waits for a member.
    Listening {
        /// Where.
        port: u16,
    },
    /// The member's bytes have come.
    Received {
        /// BLAKE3, keyed with the salt.
        hash: [u8; 32],
    },
    /// The member's bytes have not come. Not [`Answer::Failed`]: the program is asked for other
    /// things while it listens.
    Deaf {
        /// Why.
        why: String,
    },
    /// The bytes are sent.
    Sent,
    /// An order was not carried out.
    Failed {
        /// Why.
        why: String,
    },
}
