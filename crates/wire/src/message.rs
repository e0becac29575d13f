//! The messages.

use ionet_core::{
    ChainRef, ClusterId, DeviceId, Enrolment, Inventory, PartId, PartSpec, PartStatus,
    SignatureBytes, Wallet,
};
use ionet_trust::signals::{Report, Salt};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Device to coordinator, on the control stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ToCoordinator {
    /// The first message of a session.
    Hello(Box<Hello>),
    /// "I am here, and so are my parts." Also sent at once when a part's state changes.
    Heartbeat(Heartbeat),
    /// Answer to a command.
    CommandAnswer(CommandAnswer),
    /// The owner wants the machine back: no new parts, please.
    Draining,
    /// What the machine runs on, to a coordinator whose welcome brought a salt for it.
    Report(Box<Report>),
    /// Answer to an echo, at once.
    Echo(Echo),
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Coordinator to device, on the control stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ToDevice {
    /// Answer to a hello: admitted.
    Welcome(Welcome),
    /// Answer to a hello, or the end of a session: not admitted.
    Refused(Refused),
    /// Answer to a heartbeat.
    HeartbeatAnswer(HeartbeatAnswer),
    /// Do something.
    Command(Box<Command>),
    /// Say this back at once.
    Echo(Echo),
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Who a device is and what it has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the worker's software.
    pub software: String,
    /// Features of the protocol that the device knows beyond the first version.
    #[serde(default)]
    pub features: Vec<String>,
    /// Both signatures that make the device its wallet's.
    pub enrolment: Enrolment,
    /// Number of the last session that a coordinator gave it; 0: none yet. Two machines with
    /// the same key cannot both know the newest number: that is how a cloned disk shows.
    pub last_session: u64,
    /// Raised at each start of the worker process, kept on its disk.
    pub boot: u64,
    /// What it is made of.
    pub inventory: Inventory,
    /// What it runs already.
    pub parts: Vec<PartStatus>,
    /// The newest receipt of each line that it keeps.
    pub receipts: Vec<SignedReceipt>,
    /// It wants no new parts.
    #[serde(default)]
    pub draining: bool,
}

/// A session begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// Number of this session: newer than any before. Keep it on disk before anything else.
    pub session: u64,
    /// Who leads: commands of an older epoch are refused from now on.
    pub leader_epoch: u64,
    /// The chain that receipts are for.
    pub chain: ChainRef,
    /// The on-chain key of the coordinator: signer of receipts.
    pub coordinator: Wallet,
    /// Milliseconds between heartbeats while no part runs here.
    pub idle_interval_ms: u64,
    /// Milliseconds between heartbeats while a part runs here.
    pub hired_interval_ms: u64,
    /// Features that the coordinator knows beyond the first version.
    #[serde(default)]
    pub features: Vec<String>,
    /// What fingerprints of this device are made with, until the session ends; none: nobody wants
    /// to know.
    #[serde(default)]
    pub salt: Option<Salt>,
}

/// Bytes that come back as they went: how far a device is at the most. They are drawn anew each
/// time, so no answer can be sent before they arrived. QUIC's own round trip would not do: it
/// counts acknowledgements, which a device may send for packets that it has not seen yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The bytes.
    pub nonce: [u8; 16],
}

/// Why there is no session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// For programs.
    pub code: RefusedCode,
    /// For the owner: what is wrong and what to do.
    pub message: String,
    /// Milliseconds to wait before dialling again; none: do not dial again by yourself.
    pub retry_after_ms: Option<u64>,
}

/// Kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedCode {
    /// Protocol versions have nothing in common.
    Version,
    /// The enrolment does not hold.
    Enrolment,
    /// The chain holds no record of this device, or another owner's.
    NotRegistered,
    /// A newer session of the same key took over.
    Fenced,
    /// The message was malformed or over a limit.
    Malformed,
    /// This coordinator leads no longer.
    NotLeader,
    /// Too many devices for now.
    Busy,
    /// A reason that this version does not know.
    #[serde(other)]
    Unknown,
}

/// "I am here."
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Counts up within a session.
    pub seq: u64,
    /// Every part that the device holds.
    pub parts: Vec<PartStatus>,
}

/// What a coordinator owes for a heartbeat.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// The heartbeat's.
    pub seq: u64,
    /// A receipt for each line of this device that is being served.
    pub receipts: Vec<SignedReceipt>,
}

/// A signed count of served seconds: what a supplier cashes. Its bytes and their signature's
/// form are those of the market program's interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// The cluster, for people and logs.
    pub cluster: ClusterId,
    /// Address of the lease.
    pub lease: Wallet,
    /// Page of the lease.
    pub page: u16,
    /// Line of the page.
    pub line: u8,
    /// Generation of the line on-chain; not that of a part.
    pub generation: u64,
    /// Seconds served since the line's start.
    pub served_s: u64,
    /// Who signed.
    pub signer: Wallet,
    /// The signature.
    pub signature: SignatureBytes,
}

/// Do something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Command {
    /// Who leads: older epochs than the newest seen are refused.
    pub leader_epoch: u64,
    /// Counts up within a session; the answer names it.
    pub number: u64,
    /// Follows the wish from the renter's command to the container's log.
    pub request_id: String,
    /// What to do.
    pub body: CommandBody,
}

/// What to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum CommandBody {
    /// Have this part running. Repeating it changes nothing.
    RunPart {
        /// The part.
        spec: Box<PartSpec>,
        /// The lease that pays for it.
        lease: Wallet,
        /// Whose receipts the market program takes for that lease, as the leader reads it there.
        /// At most [`VOUCHERS_MAX`]; empty, from an older leader: the coordinator's alone.
        #[serde(default)]
        vouchers: Vec<Wallet>,
        /// Its secrets.
        secrets: PartSecrets,
    },
    /// Have no part of this cluster up to this generation.
    StopPart {
        /// The part.
        id: PartId,
        /// Seconds for the container to end by itself.
        grace_seconds: u32,
    },
    /// Change who is in the cluster's network without restarting the part.
    SetMembers {
        /// The part.
        id: PartId,
        /// The new network.
        membership: ionet_core::Membership,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Secrets of a part. They print as nothing.
#[derive(Clone, Serialize, Deserialize)]
pub struct PartSecrets {
    /// Ray's token: 64 hex digits.
    pub ray_token: String,
}

impl fmt::Debug for PartSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartSecrets(..)")
    }
}

/// Answer to a command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommandAnswer {
    /// The command's number.
    pub number: u64,
    /// What came of it. "Accepted" means written down, not done: progress comes as part
    /// states.
    pub outcome: Outcome,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Written down; it will be done.
    Accepted,
    /// From an older leader.
    StaleLeader {
        /// The newest epoch that the device has seen.
        seen: u64,
    },
    /// For an older generation.
    StaleGeneration {
        /// The newest generation that the device has seen of this cluster.
        seen: u32,
    },
    /// The device cannot or will not.
    Rejected {
        /// Why.
        reason: String,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// First frame of a stream that the coordinator opens: what it is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Open {
    /// Who leads.
    pub leader_epoch: u64,
    /// Follows the wish to the container's log.
    pub request_id: String,
    /// The part that it is about; none where it is about the device.
    pub part: Option<PartId>,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a stream is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "kebab-case")]
pub enum Purpose {
    /// Bytes to and from a TCP port inside the part. After [`Opened::Ok`] the stream is raw.
    Dial {
        /// The port; only those of [`DIALLABLE_PORTS`] are answered.
        port: u16,
    },
    /// The part's log. After [`Opened::Ok`] the device sends raw bytes until it ends.
    Logs {
        /// Keep sending what comes.
        follow: bool,
        /// Begin with this many of the last lines.
        tail: u32,
    },
    /// A trial of the device itself; the part is none. After [`Opened::Ok`] the stream carries
    /// the frames of [`crate::prove`].
    Prove,
    /// The same of one of several chips, each on a stream of its own. Only of devices that say
    /// [`crate::prove::CHIPS_FEATURE`].
    ProveChip {
        /// Which, from 1: the first one's stream is a [`Purpose::Prove`].
        number: u8,
    },
    /// A command inside the part. After [`Opened::Ok`] the stream carries [`ExecFrame`]s.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
        /// Whether it wants a terminal.
        tty: bool,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Most keys whose receipts count for one lease: the coordinator's, the renter's and its session
/// key's.
pub const VOUCHERS_MAX: usize = 3;
/// Ports of a part that a renter reaches through the tunnel: Ray's dashboard with the jobs
/// API, and the Ray client's server.
pub const DIALLABLE_PORTS: [u16; 2] = [8265, 10001];
/// Most words of an exec, and bytes of each.
pub const EXEC_ARGS_MAX: usize = 64;
/// Most bytes of one word of an exec.
pub const EXEC_ARG_BYTES_MAX: usize = 8 * 1024;

/// Answer to [`Open`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "opened", rename_all = "kebab-case")]
pub enum Opened {
    /// Go on.
    Ok,
    /// No.
    Refused {
        /// Why.
        reason: String,
    },
}

/// One frame of an exec stream, either way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "exec", rename_all = "kebab-case")]
pub enum ExecFrame {
    /// To the program.
    Stdin {
        /// Bytes; empty: end of input.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// From the program.
    Stdout {
        /// Bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// From the program.
    Stderr {
        /// Bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The program ended. Last frame.
    Exit {
        /// Its code.
        code: i64,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Identity of the device behind a session, for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionName {
    /// The device.
    pub device: DeviceId,
    /// Its session.
    pub session: u64,
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.device, self.session)
    }
}
