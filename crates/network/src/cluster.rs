//! What is known of a cluster.

use crate::At;
use crate::lease::{DepositLevel, LeaseMismatch, LeaseTerms, LineRef, Money};
use crate::quote::QuoteTerms;
use ionet_core::{ClusterId, ClusterSpec, DeviceId, PartId, Role, Wallet};
use ionet_placement::Refusal;
use ionet_units::{BaseUnits, Rate};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

/// Where a cluster stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ClusterState {
    /// A quote was accepted; no money is locked and nothing is reserved.
    Quoted {
        /// Until when the lease may turn up.
        until: At,
    },
    /// The lease is open and as quoted; devices are not chosen yet.
    Funded {
        /// Since when.
        at: At,
    },
    /// Devices are chosen; lines are bound and parts started.
    Starting {
        /// Since when.
        since: At,
    },
    /// Every slot is served.
    Ready {
        /// Since when.
        since: At,
    },
    /// It was ready; something is missing now.
    Degraded {
        /// Since when.
        since: At,
        /// What is missing.
        reason: String,
    },
    /// Parts stop and the lease closes.
    Stopping {
        /// Since when.
        since: At,
        /// Why.
        reason: EndReason,
    },
    /// It ended as agreed. Money may still be on its way: see [`Cluster::money`].
    Closed {
        /// When.
        at: At,
        /// Why.
        reason: EndReason,
    },
    /// It could not be had; what was paid in goes back.
    Failed {
        /// When.
        at: At,
        /// Why.
        reason: EndReason,
    },
}

impl ClusterState {
    /// One word.
    pub fn name(&self) -> &'static str {
        match self {
            ClusterState::Quoted { .. } => "quoted",
            ClusterState::Funded { .. } => "funded",
            ClusterState::Starting { .. } => "starting",
            ClusterState::Ready { .. } => "ready",
            ClusterState::Degraded { .. } => "degraded",
            ClusterState::Stopping { .. } => "stopping",
            ClusterState::Closed { .. } => "closed",
            ClusterState::Failed { .. } => "failed",
        }
    }

    /// Whether devices serve it or shall.
    pub fn is_live(&self) -> bool {
        match self {
            ClusterState::Starting { .. }
            | ClusterState::Ready { .. }
            | ClusterState::Degraded { .. } => true,
            ClusterState::Quoted { .. }
            | ClusterState::Funded { .. }
            | ClusterState::Stopping { .. }
            | ClusterState::Closed { .. }
            | ClusterState::Failed { .. } => false,
        }
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        match self {
            ClusterState::Closed { .. } | ClusterState::Failed { .. } => true,
            ClusterState::Quoted { .. }
            | ClusterState::Funded { .. }
            | ClusterState::Starting { .. }
            | ClusterState::Ready { .. }
            | ClusterState::Degraded { .. }
            | ClusterState::Stopping { .. } => false,
        }
    }
}

/// Why a cluster ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum EndReason {
    /// The renter wished it.
    Renter,
    /// The lease was closed on the chain by someone else than us: mostly the renter's wallet.
    ClosedOnChain,
    /// The lease's time is over.
    Expired,
    /// The deposit is used up.
    DepositSpent,
    /// Nobody who may vouched for its seconds: its suppliers owe it nothing more.
    NobodyVouched,
    /// The quote's time went by without a lease.
    QuoteExpired,
    /// The coordinator ends it.
    Coordinator {
        /// Why.
        why: String,
    },
    /// The lease is not the one that was quoted.
    LeaseMismatch {
        /// What differs.
        mismatch: LeaseMismatch,
    },
    /// Nothing that fits was free.
    NoCapacity {
        /// Which constraint removed how many.
        refusal: Refusal,
    },
    /// It was not ready in time.
    StartTimedOut {
        /// What was missing.
        missing: String,
    },
    /// Its parts could not be started.
    StartFailed {
        /// Why.
        why: String,
    },
}

impl EndReason {
    /// Whether the renter did not get what was agreed: such a cluster is `failed`, not `closed`.
    pub fn is_failure(&self) -> bool {
        match self {
            EndReason::Renter
            | EndReason::ClosedOnChain
            | EndReason::Expired
            | EndReason::DepositSpent
            | EndReason::NobodyVouched
            | EndReason::QuoteExpired
            | EndReason::Coordinator { .. } => false,
            EndReason::LeaseMismatch { .. }
            | EndReason::NoCapacity { .. }
            | EndReason::StartTimedOut { .. }
            | EndReason::StartFailed { .. } => true,
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndReason::Renter => f.write_str("closed by its renter"),
            EndReason::ClosedOnChain => f.write_str("its lease was closed on the chain"),
            EndReason::Expired => f.write_str("its time is over"),
            EndReason::DepositSpent => f.write_str("its deposit is used up"),
            EndReason::NobodyVouched => {
                f.write_str("nobody on the renter's side vouched for its served time any more")
            }
            EndReason::QuoteExpired => f.write_str("no lease was opened before the quote expired"),
            EndReason::Coordinator { why } => write!(f, "ended by the coordinator: {why}"),
            EndReason::LeaseMismatch { mismatch } => mismatch.fmt(f),
            EndReason::NoCapacity { refusal } => refusal.fmt(f),
            EndReason::StartTimedOut { missing } => write!(f, "not ready in time: {missing}"),
            EndReason::StartFailed { why } => write!(f, "could not be started: {why}"),
        }
    }
}

/// A place in a cluster. Slot 0 is the head's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "slot", rename_all = "kebab-case")]
pub enum Slot {
    /// Nobody sits there.
    Vacant {
        /// Since when.
        since: At,
    },
    /// A device does.
    Taken(Seat),
}

/// A device in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seat {
    /// The device.
    pub device: DeviceId,
    /// Chips that it gives.
    pub chips: u8,
    /// Base units per hour, without the fee.
    pub rate: Rate,
    /// Generation of its part.
    pub generation: u32,
    /// Since when it sits there.
    pub placed_at: At,
    /// Its line on the chain, once bound.
    pub line: Option<LineRef>,
    /// How its part does.
    pub part: PartFact,
    /// Restarts of its part that were not forgiven yet.
    pub restarts: u8,
}

/// How a part does, as far as decisions need it. Progress is soft state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum PartFact {
    /// It shall run.
    Wanted {
        /// Since when.
        since: At,
    },
    /// It serves.
    Serving {
        /// Since when.
        since: At,
    },
}

/// A part that is on its way out: its device is held until it says that the part stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leaving {
    /// Chips that it still holds.
    pub chips: u8,
    /// Generation of its part.
    pub generation: u32,
    /// Since when it is to stop.
    pub since: At,
}

/// A line of the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The bound device.
    pub device: DeviceId,
    /// The slot that it serves; none if the device had left it before the chain said so.
    pub slot: Option<u16>,
    /// Its chips.
    pub chips: u8,
    /// Base units per hour, without the fee.
    pub rate: Rate,
    /// The device's generation on the chain at binding: stands in receipts.
    pub generation: u64,
    /// Where it stands.
    pub state: LineState,
    /// Seconds that were last vouched for on the chain.
    pub attested_s: u64,
    /// What it earned was drawn after the last attestation.
    pub withdrawn: bool,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum LineState {
    /// Bound; the meter stands at zero.
    Bound {
        /// When.
        at: At,
    },
    /// The meter runs.
    Started {
        /// When, by the chain's clock.
        at: At,
    },
    /// It ended; what was vouched for is owed.
    Ended {
        /// When its meter began; none: never.
        started: Option<At>,
        /// When it ended.
        at: At,
    },
    /// The renter refused it: it owes nothing.
    Rejected {
        /// When.
        at: At,
    },
}

impl LineState {
    /// Whether it holds units of its device on the chain.
    pub fn is_live(&self) -> bool {
        match self {
            LineState::Bound { .. } | LineState::Started { .. } => true,
            LineState::Ended { .. } | LineState::Rejected { .. } => false,
        }
    }

    /// When its meter began, unless it owes nothing.
    pub fn started(&self) -> Option<At> {
        match self {
            LineState::Started { at } => Some(*at),
            LineState::Ended { started, .. } => *started,
            LineState::Bound { .. } | LineState::Rejected { .. } => None,
        }
    }
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Who rents.
    pub renter: Wallet,
    /// A key that acts for the renter, if there is one.
    pub session_key: Option<Wallet>,
    /// The coordinator's key on the chain, as quoted.
    pub coordinator: Wallet,
    /// What was asked for.
    pub spec: ClusterSpec,
    /// Address of the lease.
    pub lease: Wallet,
    /// What was quoted.
    pub quote: QuoteTerms,
    /// Follows the wish from the renter's command to the container's log.
    pub request_id: String,
    /// When it was asked for.
    pub requested_at: At,
    /// Where it stands.
    pub state: ClusterState,
    /// Where its money stands.
    pub money: Money,
    /// The lease's ceilings, once seen.
    pub terms: Option<LeaseTerms>,
    /// First address of its private network, a /22, once placed.
    pub subnet: Option<Ipv4Addr>,
    /// The highest generation that was given to a part.
    pub generation: u32,
    /// Raised at each change of who sits where: members are told then.
    pub membership: u32,
    /// Its places; empty before placement and once it stops.
    pub slots: Vec<Slot>,
    /// Parts that are on their way out.
    pub leaving: BTreeMap<DeviceId, Leaving>,
    /// Every line that was ever bound.
    #[serde(serialize_with = "lines_as_list")]
    pub lines: BTreeMap<LineRef, Line>,
    /// Devices that failed it.
    pub excluded: BTreeSet<DeviceId>,
    /// Ray nodes that the head counts as alive.
    pub alive_nodes: Option<u32>,
    /// Why a slot is still vacant: when it was last looked, and what was found.
    pub refusal: Option<(At, Refusal)>,
    /// Parts that could not be made at all.
    pub start_failures: u8,
    /// When each page was last attested, and whether that was the last time.
    pub attested: BTreeMap<u16, (At, bool)>,
    /// The deposit for which a warning was given, and which.
    pub low_warned: Option<(BaseUnits, DepositLevel)>,
    /// Since when nobody who may vouches for it, if the renter was told so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vouch_silent: Option<At>,
}

fn lines_as_list<S: serde::Serializer>(
    lines: &BTreeMap<LineRef, Line>,
    s: S,
) -> Result<S::Ok, S::Error> {
    s.collect_map(lines.iter().map(|(at, line)| (at.to_string(), line)))
}

impl Cluster {
    /// Taken slots with their numbers.
    pub fn seats(&self) -> impl Iterator<Item = (u16, &Seat)> {
        self.slots.iter().enumerate().filter_map(|(i, slot)| match slot {
            Slot::Taken(seat) => Some((i as u16, seat)),
            Slot::Vacant { .. } => None,
        })
    }

    /// Numbers of vacant slots.
    pub fn vacancies(&self) -> Vec<u16> {
        let vacant = |slot: &Slot| matches!(slot, Slot::Vacant { .. });
        (0u16..).zip(&self.slots).filter(|(_, slot)| vacant(slot)).map(|(i, _)| i).collect()
    }

    /// The seat of `device`.
    pub fn seat_of(&self, device: DeviceId) -> Option<(u16, &Seat)> {
        self.seats().find(|(_, seat)| seat.device == device)
    }

    /// The seat in slot 0.
    pub fn head(&self) -> Option<&Seat> {
        match self.slots.first()? {
            Slot::Taken(seat) => Some(seat),
            Slot::Vacant { .. } => None,
        }
    }

    /// Lines that hold units of their devices on the chain.
    pub fn live_lines(&self) -> impl Iterator<Item = (LineRef, &Line)> {
        self.lines.iter().filter(|(_, l)| l.state.is_live()).map(|(at, line)| (*at, line))
    }

    /// Whether a seat's line has started.
    pub fn is_started(&self, seat: &Seat) -> bool {
        let line = seat.line.and_then(|line| self.lines.get(&line));
        line.is_some_and(|line| matches!(line.state, LineState::Started { .. }))
    }

    /// Whether the head counts a node alive for each taken seat and every part serves.
    pub fn parts_are_up(&self) -> bool {
        let seats = self.seats().count();
        let serving = |seat: &Seat| matches!(seat.part, PartFact::Serving { .. });
        seats > 0
            && self.head().is_some_and(serving)
            && self.seats().all(|(_, seat)| serving(seat))
            && self.alive_nodes.is_some_and(|alive| alive as usize >= seats)
    }

    /// What keeps the cluster from being ready; none: nothing.
    pub fn missing(&self) -> Option<String> {
        let all = self.slots.len();
        let vacant = self.vacancies().len();
        if vacant > 0 || all == 0 {
            return Some(format!("{vacant} of {all} slots vacant"));
        }
        let unbound = self.seats().filter(|(_, s)| s.line.is_none()).count();
        if unbound > 0 {
            return Some(format!("{unbound} of {all} devices not bound on the chain"));
        }
        let waiting =
            self.seats().filter(|(_, s)| matches!(s.part, PartFact::Wanted { .. })).count();
        if waiting > 0 {
            return Some(format!("{waiting} of {all} parts not running"));
        }
        let alive = self.alive_nodes.unwrap_or(0) as usize;
        if alive < all {
            return Some(format!("{alive} of {all} Ray nodes alive"));
        }
        let unstarted = self.seats().filter(|(_, s)| !self.is_started(s)).count();
        (unstarted > 0).then(|| format!("{unstarted} of {all} lines not started on the chain"))
    }

    /// Whether a warning that its deposit is that low would tell something new. That a fifth is
    /// left is told once only: whoever adds little by little knows.
    pub fn is_news(&self, deposit: BaseUnits, level: DepositLevel) -> bool {
        match self.low_warned {
            None => true,
            Some((warned, _)) if warned != deposit => level > DepositLevel::Fifth,
            Some((_, warned)) => level > warned,
        }
    }

    /// When the first line that still runs began, by the chain's clock.
    pub fn first_start(&self) -> Option<At> {
        let running = |line: &Line| match line.state {
            LineState::Started { at } => Some(at),
            LineState::Bound { .. } | LineState::Ended { .. } | LineState::Rejected { .. } => None,
        };
        self.lines.values().filter_map(running).min()
    }

    /// The part that a seat shall run.
    pub fn part_id(&self, seat: &Seat) -> PartId {
        PartId { cluster: self.id, generation: seat.generation }
    }
}

/// What runs in a slot.
pub fn role_of(slot: u16) -> Role {
    if slot == 0 { Role::Head } else { Role::Worker }
}
