//! What the core is told, and why it may refuse.

use crate::At;
use crate::cluster::EndReason;
use crate::device::DeviceTerms;
use crate::event::{AttestedLine, BoundLine, NewCluster};
use crate::lease::{DepositLow, LeaseView, LineRef};
use ionet_core::{ClusterId, DeviceId, Inventory, PartStatus, Verdict, Wallet};
use std::collections::BTreeMap;

/// What the core is told: a wish, an observation, or that some time went by. Each may be told
/// twice: what is known already gives no events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A device showed a valid enrolment, and the chain has a record of it.
    EnrolDevice {
        /// The device.
        device: DeviceId,
        /// Who owns it.
        owner: Wallet,
        /// What it says it is made of.
        inventory: Box<Inventory>,
        /// What the chain says of it.
        terms: DeviceTerms,
    },
    /// A known device said hello. The event holds the number of its new session.
    OpenSession {
        /// The device.
        device: DeviceId,
        /// The number of its last session, as it says.
        last_session: u64,
        /// What it says it is made of.
        inventory: Box<Inventory>,
    },
    /// A device's connection ended.
    SessionClosed {
        /// The device.
        device: DeviceId,
        /// Its session.
        session: u64,
        /// When it was last heard.
        silent_since: At,
    },
    /// The chain's record of a device was read anew; none: it is gone.
    UpdateTerms {
        /// The device.
        device: DeviceId,
        /// What the chain says now.
        terms: Option<DeviceTerms>,
    },
    /// The planner found a device silent for a few heartbeats.
    DeviceSilent {
        /// The device.
        device: DeviceId,
        /// When it was last heard.
        silent_since: At,
    },
    /// The planner found a device silent for too long.
    DeviceLost {
        /// The device.
        device: DeviceId,
        /// When it was last heard.
        silent_since: At,
    },
    /// An owner wants a device back, or no longer.
    Drain {
        /// The device.
        device: DeviceId,
        /// Whether it shall take nothing new.
        drain: bool,
    },
    /// An owner says that only one machine holds the key.
    ClearClone {
        /// The device.
        device: DeviceId,
    },
    /// A device's proof was checked, or it did not give one in time.
    JudgeDevice {
        /// The device.
        device: DeviceId,
        /// What came of it.
        verdict: Box<Verdict>,
    },
    /// The same for many devices of one trial: one decision, one write to the log. A device that
    /// is not enrolled any more is passed over.
    JudgeDevices {
        /// What came of it, device by device.
        verdicts: BTreeMap<DeviceId, Verdict>,
    },
    /// Whether devices must prove their chips before they get work: a setting of whoever leads.
    RequireProofs {
        /// Whether.
        required: bool,
    },
    /// A heartbeat: every part that the device holds.
    DeviceReport {
        /// The device.
        device: DeviceId,
        /// Its session.
        session: u64,
        /// Its parts.
        parts: Vec<PartStatus>,
    },
    /// A renter takes a quote that this coordinator made and sealed.
    RequestCluster(Box<NewCluster>),
    /// The planner found a quote's time over.
    ExpireQuote {
        /// The cluster.
        cluster: ClusterId,
    },
    /// A lease was read from the chain.
    LeaseSeen {
        /// The cluster.
        cluster: ClusterId,
        /// The lease.
        view: Box<LeaseView>,
    },
    /// The planner found vacant slots and something to fill them with.
    FillSlots {
        /// The cluster.
        cluster: ClusterId,
    },
    /// `bind` was confirmed.
    LinesBound {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<BoundLine>,
    },
    /// `bind` was refused for a device: sold elsewhere, retired, dearer now.
    BindFailed {
        /// The cluster.
        cluster: ClusterId,
        /// The device.
        device: DeviceId,
        /// Why.
        reason: String,
    },
    /// `start` was confirmed.
    LinesStarted {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
        /// When, by the chain's clock.
        started_at: At,
    },
    /// `end_line` was confirmed, whoever signed it.
    LinesEnded {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
    },
    /// The renter's `reject` was confirmed.
    LineRejected {
        /// The cluster.
        cluster: ClusterId,
        /// The line.
        line: LineRef,
    },
    /// The cluster is to end.
    CloseRequested {
        /// The cluster.
        cluster: ClusterId,
        /// Why.
        reason: EndReason,
    },
    /// The planner found parts that did not stop in their time.
    GiveUpParts {
        /// The cluster.
        cluster: ClusterId,
    },
    /// The planner found the deposit low.
    DepositLow {
        /// The cluster.
        cluster: ClusterId,
        /// How low.
        low: DepositLow,
    },
    /// The planner found that nobody who may vouches for a cluster.
    VouchSilent {
        /// The cluster.
        cluster: ClusterId,
        /// Since when.
        since: At,
        /// When it ends if that goes on.
        until: At,
    },
    /// The planner found that someone vouches again.
    VouchHeard {
        /// The cluster.
        cluster: ClusterId,
    },
    /// `attest` was confirmed.
    Attested {
        /// The cluster.
        cluster: ClusterId,
        /// The page.
        page: u16,
        /// The lines.
        lines: Vec<AttestedLine>,
        /// No more will come for this page.
        last: bool,
    },
    /// `withdraw` was confirmed for lines, or there was nothing to draw.
    Withdrawn {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
    },
    /// The lease's accounts are gone.
    Reclaimed {
        /// The cluster.
        cluster: ClusterId,
    },
    /// The planner found an ended cluster old enough.
    Forget {
        /// The cluster.
        cluster: ClusterId,
    },
}

/// Why a command gives no events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such device.
    #[error("device {0} is not enrolled here")]
    UnknownDevice(DeviceId),
    /// No such cluster.
    #[error("no cluster {0} is known here")]
    UnknownCluster(ClusterId),
    /// Someone else's device.
    #[error("device {device} belongs to wallet {owner}")]
    OtherOwner {
        /// The device.
        device: DeviceId,
        /// Whose it is.
        owner: Wallet,
    },
    /// An inventory over its limits.
    #[error("the device's inventory is over its limits, or it offers no chip")]
    Inventory,
    /// A verdict over its limits.
    #[error("the verdict is over its limits")]
    Verdict,
    /// The chain has no record of it any more.
    #[error("the chain holds no record of device {0}; register it again")]
    Retired(DeviceId),
    /// Two machines show its key.
    #[error(
        "two machines show the key of device {0}; stop one of them, then let its owner confirm"
    )]
    Cloned(DeviceId),
    /// From an older session.
    #[error("session {given} of device {device} is over; {current} is the newest")]
    StaleSession {
        /// The device.
        device: DeviceId,
        /// The message's.
        given: u64,
        /// The newest.
        current: u64,
    },
    /// The spec is out of its bounds.
    #[error("{0}")]
    Spec(#[from] ionet_core::SpecError),
    /// The quote's time is over.
    #[error("the quote expired at {until}; ask for a new one")]
    QuoteExpired {
        /// When.
        until: At,
    },
    /// The quote is for another spec.
    #[error("the quote is not for this spec")]
    QuoteMismatch,
    /// The id is taken with other contents.
    #[error("cluster {0} exists already")]
    ClusterExists(ClusterId),
    /// The id does not follow from the lease.
    #[error("the cluster's id does not belong to its lease")]
    WrongId,
    /// Too many quotes wait for their leases.
    #[error("{waiting} clusters of this wallet wait for their leases already; at most {max} may")]
    TooManyQuoted {
        /// How many.
        waiting: usize,
        /// The limit.
        max: usize,
    },
    /// The lease is not ours to act on.
    #[error("lease {0} names another coordinator or another address")]
    OtherLease(Wallet),
    /// Not in this state.
    #[error("cluster {cluster} is {state}: {why}")]
    State {
        /// The cluster.
        cluster: ClusterId,
        /// Its state.
        state: &'static str,
        /// What stands against it.
        why: &'static str,
    },
    /// No such line.
    #[error("cluster {cluster} has no line {line}")]
    UnknownLine {
        /// The cluster.
        cluster: ClusterId,
        /// The line.
        line: LineRef,
    },
    /// A line that breaks the lease's ceilings, or is told in two ways.
    #[error("line {line} does not agree with what is known: {why}")]
    LineMismatch {
        /// The line.
        line: LineRef,
        /// What differs.
        why: &'static str,
    },
    /// It is not time yet.
    #[error("it is not time for that: {0}")]
    TooEarly(&'static str),
    /// Nothing free fits.
    #[error("{0}")]
    NoCapacity(Box<ionet_placement::Refusal>),
}
