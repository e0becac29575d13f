//! What happened. Only transitions are events; a decision is logged as its result.

use crate::At;
use crate::cluster::EndReason;
use crate::device::DeviceTerms;
use crate::lease::{DepositLevel, LeaseTerms, LineRef};
use crate::quote::QuoteTerms;
use ionet_core::{ClusterId, ClusterSpec, DeviceId, Inventory, Verdict, Wallet};
use ionet_placement::Refusal;
use ionet_units::{BaseUnits, Rate};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A device for a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The slot.
    pub slot: u16,
    /// The device.
    pub device: DeviceId,
    /// Chips that it gives.
    pub chips: u8,
    /// Base units per hour, without the fee.
    pub rate: Rate,
    /// Why this one, for people.
    pub reason: String,
}

/// A line as it stands on the chain after `bind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundLine {
    /// The line.
    pub line: LineRef,
    /// The device.
    pub device: DeviceId,
    /// Its units.
    pub chips: u8,
    /// Base units per hour, without the fee.
    pub rate: Rate,
    /// The device's generation at binding: stands in receipts.
    pub generation: u64,
}

/// Seconds vouched for on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestedLine {
    /// Index in the page.
    pub index: u8,
    /// Seconds since the line's start.
    pub served_s: u64,
}

/// How a part ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum PartEnd {
    /// By itself.
    Exited {
        /// Exit code, where there is one.
        code: Option<i64>,
        /// The last lines of its log, cut to a limit.
        tail: String,
    },
    /// It could not be made or kept.
    Failed {
        /// Why, cut to a limit.
        reason: String,
    },
    /// The device stopped it.
    Stopped,
    /// The device no longer knows it.
    Missing,
}

/// Why a slot lost its device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum VacatedWhy {
    /// It went silent.
    Lost,
    /// Its owner took it back.
    Drained,
    /// Its part ended too often or could not be made.
    PartFailed,
    /// It could not be bound on the chain.
    BindFailed {
        /// Why.
        reason: String,
    },
    /// The renter refused it.
    Rejected,
    /// Someone ended its line on the chain.
    LineEnded,
}

/// A cluster that a renter asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCluster {
    /// Its id.
    pub cluster: ClusterId,
    /// Who rents.
    pub renter: Wallet,
    /// A key that acts for the renter.
    #[serde(default)]
    pub session_key: Option<Wallet>,
    /// The coordinator's key on the chain.
    pub coordinator: Wallet,
    /// What is asked for.
    pub spec: ClusterSpec,
    /// Address of the lease.
    pub lease: Wallet,
    /// What was quoted.
    pub quote: QuoteTerms,
    /// Follows the wish from the renter's command to the container's log.
    pub request_id: String,
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($version:literal) $kind:literal
        { $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? })*) => {
        /// What happened. In the log as JSON, tagged by `kind`; unknown fields are ignored.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $kind)] $name { $($(#[$fdoc])* $field: $ty),* },)*
        }

        impl Event {
            /// Its kind, as the log names it.
            pub fn kind(&self) -> &'static str {
                match self { $(Event::$name { .. } => $kind,)* }
            }

            /// The version of its form that this code writes.
            pub fn version(&self) -> u32 {
                match self { $(Event::$name { .. } => $version,)* }
            }

            /// The newest version of a kind's form that this code reads.
            pub fn newest(kind: &str) -> Option<u32> {
                match kind { $($kind => Some($version),)* _ => None }
            }
        }
    };
}

events! {
    /// A wallet's device became known.
    DeviceEnrolled(1) "device-enrolled" {
        /// The device.
        device: DeviceId,
        /// Who owns it.
        owner: Wallet,
        /// What it says it is made of.
        inventory: Box<Inventory>,
        /// What the chain says of it.
        terms: DeviceTerms,
    }
    /// A device is made of something else now.
    DeviceChanged(1) "device-changed" {
        /// The device.
        device: DeviceId,
        /// What it says it is made of.
        inventory: Box<Inventory>,
    }
    /// The chain's record of a device changed.
    TermsChanged(1) "terms-changed" {
        /// The device.
        device: DeviceId,
        /// What the chain says now.
        terms: DeviceTerms,
    }
    /// The chain's record of a device is gone.
    DeviceRetired(1) "device-retired" {
        /// The device.
        device: DeviceId,
    }
    /// A device connected. Its earlier sessions are fenced.
    SessionOpened(1) "session-opened" {
        /// The device.
        device: DeviceId,
        /// Number of the session.
        session: u64,
        /// It did not know the number of the session before.
        #[serde(default)]
        stale: bool,
    }
    /// A device was silent for a few heartbeats.
    DeviceSuspected(1) "device-suspected" {
        /// The device.
        device: DeviceId,
        /// When it was last heard.
        silent_since: At,
    }
    /// A suspected or lost device is heard again in its session.
    DeviceBack(1) "device-back" {
        /// The device.
        device: DeviceId,
    }
    /// A device is gone.
    DeviceLost(1) "device-lost" {
        /// The device.
        device: DeviceId,
        /// When it was last heard.
        silent_since: At,
    }
    /// An owner wants a device back, or no longer.
    DrainChanged(1) "drain-changed" {
        /// The device.
        device: DeviceId,
        /// Whether it takes nothing new.
        draining: bool,
    }
    /// Two machines show one key.
    CloneSuspected(1) "clone-suspected" {
        /// The key.
        device: DeviceId,
    }
    /// The owner says that only one machine holds the key.
    CloneCleared(1) "clone-cleared" {
        /// The key.
        device: DeviceId,
    }
    /// What came of a device's proof, or of its silence when it was asked for one.
    DeviceJudged(1) "device-judged" {
        /// The device.
        device: DeviceId,
        /// What is known of its chips from then on.
        verdict: Box<Verdict>,
    }
    /// Whether devices must prove their chips before they get work, from now on.
    ProofsRequired(1) "proofs-required" {
        /// Whether.
        required: bool,
    }
    /// A renter took a quote.
    ClusterRequested(1) "cluster-requested" {
        /// What was asked for.
        new: Box<NewCluster>,
        /// Until when the lease may turn up.
        until: At,
    }
    /// No lease turned up in time.
    QuoteExpired(1) "quote-expired" {
        /// The cluster.
        cluster: ClusterId,
    }
    /// The cluster's lease is open on the chain.
    LeaseOpened(1) "lease-opened" {
        /// The cluster.
        cluster: ClusterId,
        /// Its ceilings.
        terms: LeaseTerms,
    }
    /// More money came in.
    ToppedUp(1) "topped-up" {
        /// The cluster.
        cluster: ClusterId,
        /// The deposit now.
        deposit: BaseUnits,
    }
    /// Devices were chosen for vacant slots.
    Placed(1) "placed" {
        /// The cluster.
        cluster: ClusterId,
        /// Generation of their parts.
        generation: u32,
        /// First address of the cluster's private network.
        subnet: Ipv4Addr,
        /// Who sits where.
        seats: Vec<Placement>,
    }
    /// No device was found for a vacant slot.
    CapacityMissing(1) "capacity-missing" {
        /// The cluster.
        cluster: ClusterId,
        /// Which constraint removed how many.
        refusal: Refusal,
    }
    /// A slot lost its device.
    SlotVacated(1) "slot-vacated" {
        /// The cluster.
        cluster: ClusterId,
        /// The slot.
        slot: u16,
        /// The device.
        device: DeviceId,
        /// Why.
        #[serde(flatten)]
        why: VacatedWhy,
    }
    /// The head was lost: a worker's device becomes the head, and every part starts anew.
    HeadMoved(1) "head-moved" {
        /// The cluster.
        cluster: ClusterId,
        /// The slot whose device moves to slot 0.
        from: u16,
        /// Generation of all parts.
        generation: u32,
    }
    /// Lines were bound on the chain.
    LinesBound(1) "lines-bound" {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<BoundLine>,
    }
    /// A part serves.
    PartServing(1) "part-serving" {
        /// The cluster.
        cluster: ClusterId,
        /// The device.
        device: DeviceId,
        /// Generation of the part.
        generation: u32,
    }
    /// A part ended without being told to.
    PartEnded(1) "part-ended" {
        /// The cluster.
        cluster: ClusterId,
        /// The device.
        device: DeviceId,
        /// Generation of the part.
        generation: u32,
        /// How.
        #[serde(flatten)]
        end: PartEnd,
    }
    /// Parts are to start anew on the same devices.
    PartsRestarted(1) "parts-restarted" {
        /// The cluster.
        cluster: ClusterId,
        /// Their slots.
        slots: Vec<u16>,
        /// Their new generation.
        generation: u32,
    }
    /// Parts that were on their way out are gone.
    PartsStopped(1) "parts-stopped" {
        /// The cluster.
        cluster: ClusterId,
        /// Their devices.
        devices: Vec<DeviceId>,
        /// Nobody said so: their time ran out.
        #[serde(default)]
        given_up: bool,
    }
    /// The head counts another number of live Ray nodes.
    NodesAlive(1) "nodes-alive" {
        /// The cluster.
        cluster: ClusterId,
        /// How many.
        alive: u32,
    }
    /// Meters began to run.
    LinesStarted(1) "lines-started" {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
        /// When, by the chain's clock.
        started_at: At,
    }
    /// Lines ended on the chain.
    LinesEnded(1) "lines-ended" {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
    }
    /// The renter refused a line in its first seconds.
    LineRejected(1) "line-rejected" {
        /// The cluster.
        cluster: ClusterId,
        /// The line.
        line: LineRef,
    }
    /// Every slot is served.
    ClusterReady(1) "cluster-ready" {
        /// The cluster.
        cluster: ClusterId,
    }
    /// Something is missing.
    ClusterDegraded(1) "cluster-degraded" {
        /// The cluster.
        cluster: ClusterId,
        /// What.
        reason: String,
    }
    /// The deposit is low.
    DepositLow(1) "deposit-low" {
        /// The cluster.
        cluster: ClusterId,
        /// The deposit.
        deposit: BaseUnits,
        /// Until when it lasts.
        runs_until: At,
        /// How low.
        #[serde(default)]
        level: DepositLevel,
        /// When parts stop if nothing is added.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stops_at: Option<At>,
    }
    /// Nobody who may vouches for the cluster's seconds.
    VouchSilent(1) "vouch-silent" {
        /// The cluster.
        cluster: ClusterId,
        /// Since when.
        since: At,
        /// When it ends if that goes on.
        until: At,
    }
    /// Someone vouches again.
    VouchHeard(1) "vouch-heard" {
        /// The cluster.
        cluster: ClusterId,
    }
    /// The cluster is to end.
    ClusterStopping(1) "cluster-stopping" {
        /// The cluster.
        cluster: ClusterId,
        /// Why.
        reason: EndReason,
    }
    /// The cluster ended as agreed.
    ClusterClosed(1) "cluster-closed" {
        /// The cluster.
        cluster: ClusterId,
        /// Why.
        reason: EndReason,
    }
    /// The cluster could not be had.
    ClusterFailed(1) "cluster-failed" {
        /// The cluster.
        cluster: ClusterId,
        /// Why.
        reason: EndReason,
    }
    /// The lease is closed on the chain: all its lines ended.
    LeaseClosed(1) "lease-closed" {
        /// The cluster.
        cluster: ClusterId,
        /// When, by the chain's clock.
        closed_at: At,
        /// End of the claim window.
        claims_until: At,
        /// What went back to the renter.
        refunded: BaseUnits,
    }
    /// Served seconds were vouched for on the chain.
    Attested(1) "attested" {
        /// The cluster.
        cluster: ClusterId,
        /// The page.
        page: u16,
        /// The lines.
        lines: Vec<AttestedLine>,
        /// No more will come for this page.
        #[serde(default)]
        last: bool,
    }
    /// Suppliers were paid what their lines earned.
    Withdrawn(1) "withdrawn" {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
    }
    /// What nobody claimed went back to the renter.
    LeaseFinalized(1) "lease-finalized" {
        /// The cluster.
        cluster: ClusterId,
        /// What went back to the renter in all.
        refunded: BaseUnits,
    }
    /// The lease's accounts are gone, their rent is back.
    LeaseReclaimed(1) "lease-reclaimed" {
        /// The cluster.
        cluster: ClusterId,
    }
    /// An ended cluster is no longer kept among the facts.
    ClusterForgotten(1) "cluster-forgotten" {
        /// The cluster.
        cluster: ClusterId,
    }
}

/// Of what an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// All devices and clusters.
    Network,
    /// A device.
    Device(DeviceId),
    /// A cluster.
    Cluster(ClusterId),
}

impl Event {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Event::DeviceEnrolled { device, .. }
            | Event::DeviceChanged { device, .. }
            | Event::TermsChanged { device, .. }
            | Event::DeviceRetired { device }
            | Event::SessionOpened { device, .. }
            | Event::DeviceSuspected { device, .. }
            | Event::DeviceBack { device }
            | Event::DeviceLost { device, .. }
            | Event::DrainChanged { device, .. }
            | Event::CloneSuspected { device }
            | Event::CloneCleared { device }
            | Event::DeviceJudged { device, .. } => Subject::Device(*device),
            Event::ProofsRequired { .. } => Subject::Network,
            Event::ClusterRequested { new, .. } => Subject::Cluster(new.cluster),
            Event::QuoteExpired { cluster }
            | Event::LeaseOpened { cluster, .. }
            | Event::ToppedUp { cluster, .. }
            | Event::Placed { cluster, .. }
            | Event::CapacityMissing { cluster, .. }
            | Event::SlotVacated { cluster, .. }
            | Event::HeadMoved { cluster, .. }
            | Event::LinesBound { cluster, .. }
            | Event::PartServing { cluster, .. }
            | Event::PartEnded { cluster, .. }
            | Event::PartsRestarted { cluster, .. }
            | Event::PartsStopped { cluster, .. }
            | Event::NodesAlive { cluster, .. }
            | Event::LinesStarted { cluster, .. }
            | Event::LinesEnded { cluster, .. }
            | Event::LineRejected { cluster, .. }
            | Event::ClusterReady { cluster }
            | Event::ClusterDegraded { cluster, .. }
            | Event::DepositLow { cluster, .. }
            | Event::VouchSilent { cluster, .. }
            | Event::VouchHeard { cluster }
            | Event::ClusterStopping { cluster, .. }
            | Event::ClusterClosed { cluster, .. }
            | Event::ClusterFailed { cluster, .. }
            | Event::LeaseClosed { cluster, .. }
            | Event::Attested { cluster, .. }
            | Event::Withdrawn { cluster, .. }
            | Event::LeaseFinalized { cluster, .. }
            | Event::LeaseReclaimed { cluster }
            | Event::ClusterForgotten { cluster } => Subject::Cluster(*cluster),
        }
    }
}
