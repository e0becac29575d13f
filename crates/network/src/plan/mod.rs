//! Facts into a plan: what should run where, and the next steps towards it.

mod live;
mod money;
mod step;
mod vouch;

pub use step::{BindLine, Step};

use crate::decide::forget_at;
use crate::limits::{DEPOSIT_GRACE_MS, VOUCH_GRACE_MS};
use crate::{
    At, Cluster, ClusterState, Command, EndReason, Facts, LeaseClockView, Presence, liveness,
    role_of,
};
use ionet_core::{ClusterId, DeviceId, PartId, PartSpec, PartState, PartStatus, Role};
use std::collections::BTreeMap;
use std::fmt;

/// What is known but not logged: it comes anew after a restart.
#[derive(Debug, Clone, Default)]
pub struct Soft {
    /// When this coordinator started.
    pub started_at: At,
    /// The newest heartbeat of each device in its newest session. None: no session yet.
    pub heard: BTreeMap<DeviceId, Heard>,
    /// The generation and [`Cluster::membership`] that each member last accepted, by `RunPart`
    /// or `SetMembers`.
    pub told: BTreeMap<(ClusterId, DeviceId), (u32, u32)>,
    /// Leases' clocks as last read.
    pub leases: BTreeMap<ClusterId, LeaseClockView>,
    /// When the renter's side last vouched for more seconds of a cluster.
    pub vouched: BTreeMap<ClusterId, At>,
    /// How long this coordinator waits.
    pub patience: Patience,
}

/// How long clusters go on without money, or without anyone's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Milliseconds that parts go on after their deposit is used up.
    pub deposit_ms: u64,
    /// Milliseconds without a word of the only ones who may vouch.
    pub vouch_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { deposit_ms: DEPOSIT_GRACE_MS, vouch_ms: VOUCH_GRACE_MS }
    }
}

/// The newest heartbeat of a device.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When it came.
    pub at: At,
    /// What the device holds.
    pub parts: Vec<PartStatus>,
}

/// A part that shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedPart {
    /// Head or worker.
    pub role: Role,
    /// Its slot.
    pub slot: u16,
    /// Its generation.
    pub generation: u32,
}

/// How things should be, and what to do next about it. The same facts, soft state and instant
/// give the same plan; carrying out a step twice is harmless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Every part that shall run.
    pub parts: BTreeMap<(ClusterId, DeviceId), WantedPart>,
    /// What to do next, in order.
    pub steps: Vec<Step>,
}

/// Plans.
pub fn plan(facts: &Facts, soft: &Soft, now: At) -> Plan {
    let mut plan = Plan::default();
    for verdict in liveness::verdicts(facts, soft, now) {
        plan.record(verdict);
    }
    for cluster in facts.clusters.values() {
        plan.cluster(facts, soft, now, cluster);
    }
    plan.strays(facts, soft);
    plan
}

impl Plan {
    fn record(&mut self, command: Command) {
        self.steps.push(Step::Record(Box::new(command)));
    }

    fn cluster(&mut self, facts: &Facts, soft: &Soft, now: At, cluster: &Cluster) {
        let id = cluster.id;
        match &cluster.state {
            ClusterState::Quoted { until } => {
                if now >= *until {
                    self.record(Command::ExpireQuote { cluster: id });
                }
            }
            ClusterState::Funded { .. } => self.record(Command::FillSlots { cluster: id }),
            ClusterState::Starting { .. }
            | ClusterState::Ready { .. }
            | ClusterState::Degraded { .. } => match end_due(soft, now, cluster) {
                Some(reason) => {
                    self.record(Command::CloseRequested { cluster: id, reason });
                }
                None => {
                    self.live(facts, soft, now, cluster);
                    self.stop_leaving(now, cluster);
                }
            },
            ClusterState::Stopping { reason, .. } => {
                self.wind_up(now, cluster, reason);
                self.stop_leaving(now, cluster);
            }
            ClusterState::Closed { reason, .. } | ClusterState::Failed { reason, .. } => {
                self.wind_up(now, cluster, reason);
                if forget_at(cluster).is_some_and(|due| now >= due) {
                    self.record(Command::Forget { cluster: id });
                }
            }
        }
    }

    fn stop_leaving(&mut self, now: At, cluster: &Cluster) {
        let overdue = |l: &crate::Leaving| now.ms_since(l.since) >= crate::limits::STOP_MS_MAX;
        if cluster.leaving.values().any(overdue) {
            self.record(Command::GiveUpParts { cluster: cluster.id });
        }
        for (device, leaving) in &cluster.leaving {
            let (cluster, device, generation) = (cluster.id, *device, leaving.generation);
            self.steps.push(Step::StopPart { cluster, device, generation });
        }
    }

    /// Parts that run and that nobody wants: a device that came back after it was replaced.
    fn strays(&mut self, facts: &Facts, soft: &Soft) {
        for (device, heard) in &soft.heard {
            for part in heard.parts.iter().filter(|part| occupies(&part.state)) {
                let PartId { cluster, generation } = part.id;
                let wanted = self.parts.contains_key(&(cluster, *device));
                let leaving =
                    facts.clusters.get(&cluster).is_some_and(|c| c.leaving.contains_key(device));
                if !wanted && !leaving {
                    self.steps.push(Step::StopPart { cluster, device: *device, generation });
                }
            }
        }
    }
}

/// Whether a part in this state still has a container or is about to.
fn occupies(state: &PartState) -> bool {
    match state {
        PartState::Pulling { .. }
        | PartState::Starting
        | PartState::Running
        | PartState::Ready { .. } => true,
        PartState::Exited { .. } | PartState::Failed { .. } | PartState::Stopped => false,
    }
}

/// Why a live cluster is to end now, if it is.
fn end_due(soft: &Soft, now: At, cluster: &Cluster) -> Option<EndReason> {
    if cluster.terms.as_ref().is_some_and(|terms| now >= terms.expires_at) {
        return Some(EndReason::Expired);
    }
    let stops_at = |clock: &LeaseClockView| clock.runs_until.plus_ms(soft.patience.deposit_ms);
    if soft.leases.get(&cluster.id).is_some_and(|clock| now >= stops_at(clock)) {
        return Some(EndReason::DepositSpent);
    }
    if vouch::silent_ms(soft, now, cluster).is_some_and(|ms| ms >= soft.patience.vouch_ms) {
        return Some(EndReason::NobodyVouched);
    }
    match cluster.state {
        ClusterState::Starting { since }
            if now.ms_since(since) >= crate::limits::PULL_MS_MAX + crate::limits::START_MS_MAX =>
        {
            let missing = cluster.missing().unwrap_or_default();
            Some(EndReason::StartTimedOut { missing })
        }
        ClusterState::Quoted { .. }
        | ClusterState::Funded { .. }
        | ClusterState::Starting { .. }
        | ClusterState::Ready { .. }
        | ClusterState::Degraded { .. }
        | ClusterState::Stopping { .. }
        | ClusterState::Closed { .. }
        | ClusterState::Failed { .. } => None,
    }
}

impl Facts {
    /// What `device` shall run of `cluster`, in full: what a `RunPart` or `SetMembers` step
    /// stands for. None: it has no seat there (any more).
    pub fn part_spec(&self, cluster: ClusterId, device: DeviceId) -> Option<PartSpec> {
        let cluster = self.clusters.get(&cluster)?;
        let (slot, seat) = cluster.seat_of(device)?;
        Some(PartSpec {
            id: cluster.part_id(seat),
            device,
            role: role_of(slot),
            image: cluster.spec.image.clone(),
            membership: cluster.membership()?,
            chips: seat.chips,
            slice: self.devices.get(&device)?.slice_for(seat.chips),
            // What was asked for and no more; placement saw to it that the supplier allows it.
            egress: cluster.spec.egress,
        })
    }

    fn is_reachable(&self, device: DeviceId) -> bool {
        match self.devices.get(&device).map(|device| device.presence) {
            Some(Presence::Online { .. } | Presence::Suspect { .. }) => true,
            Some(Presence::Enrolled { .. } | Presence::Offline { .. }) | None => false,
        }
    }
}

impl fmt::Display for Plan {
    /// One line for each part and step: what golden files hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((cluster, device), part) in &self.parts {
            let role = match part.role {
                Role::Head => "head",
                Role::Worker => "worker",
            };
            let WantedPart { slot, generation, .. } = part;
            writeln!(f, "want {cluster} slot {slot} {role} generation {generation} on {device}")?;
        }
        for step in &self.steps {
            writeln!(f, "step {step}")?;
        }
        Ok(())
    }
}
