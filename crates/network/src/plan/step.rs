//! Steps: what the executor does.

use crate::{At, Command, EndReason, LineRef};
use ionet_core::{ClusterId, DeviceId};
use ionet_units::Rate;
use std::fmt;

/// A line to bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindLine {
    /// The slot that it is for.
    pub slot: u16,
    /// The device.
    pub device: DeviceId,
    /// Its units.
    pub chips: u8,
    /// Base units per hour, without the fee.
    pub rate: Rate,
}

/// One step towards the plan. Planned again, unchanged, until facts or soft state show that it
/// is done, so the executor skips what is under way and looks before it repeats: on the chain
/// for money, in the device's answer for parts. It adds the leader epoch and secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Give this command to the core now: only the clock made it due.
    Record(Box<Command>),
    /// `bind` these devices. Then `LinesBound`, or `BindFailed` for each that the chain refuses.
    /// Lines that the chain shows already are told with `LinesBound` without binding again.
    BindLines {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<BindLine>,
    },
    /// Have the device run `Facts::part_spec`.
    RunPart {
        /// The cluster.
        cluster: ClusterId,
        /// The device.
        device: DeviceId,
        /// Its slot.
        slot: u16,
        /// Generation of the part.
        generation: u32,
        /// Which state of the membership it is told: for `Soft::told`.
        membership: u32,
    },
    /// Tell a running part who is in its network now.
    SetMembers {
        /// The cluster.
        cluster: ClusterId,
        /// The device.
        device: DeviceId,
        /// Generation of the part.
        generation: u32,
        /// Which state of the membership it is told: for `Soft::told`.
        membership: u32,
    },
    /// Have the device run no part of the cluster up to this generation.
    StopPart {
        /// The cluster.
        cluster: ClusterId,
        /// The device.
        device: DeviceId,
        /// Generation.
        generation: u32,
    },
    /// `start` these lines. Then `LinesStarted`.
    StartLines {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
    },
    /// `end_line` these. Then `LinesEnded`.
    EndLines {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
    },
    /// `close` the lease. Then `LeaseSeen` with what the chain shows.
    CloseLease {
        /// The cluster.
        cluster: ClusterId,
        /// Why.
        reason: EndReason,
    },
    /// `attest` what the meters show for these lines; where only the renter's side vouches,
    /// `claim_receipt` with its newest receipts instead. Then `Attested`.
    Attest {
        /// The cluster.
        cluster: ClusterId,
        /// The page.
        page: u16,
        /// Its lines that ever started.
        lines: Vec<LineRef>,
        /// The meters stand for good.
        last: bool,
    },
    /// `withdraw` for these lines to their owners. Then `Withdrawn`, for those too that have
    /// nothing to draw or whose token account is frozen: their owners can still do it.
    Withdraw {
        /// The cluster.
        cluster: ClusterId,
        /// The lines.
        lines: Vec<LineRef>,
    },
    /// `finalize` the lease. Then `LeaseSeen`.
    Finalize {
        /// The cluster.
        cluster: ClusterId,
        /// The chain refuses it before.
        not_before: At,
    },
    /// Sweep fees, reclaim pages and lease. Then `Reclaimed`.
    Reclaim {
        /// The cluster.
        cluster: ClusterId,
    },
}

fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Record(command) => write!(f, "record {command:?}"),
            Step::BindLines { cluster, lines } => {
                let line = |l: &BindLine| {
                    format!("[slot {} {} chips {} rate {}]", l.slot, l.device, l.chips, l.rate)
                };
                write!(f, "bind-lines {cluster} {}", list(lines.iter().map(line)))
            }
            Step::RunPart { cluster, device, slot, generation, membership } => write!(
                f,
                "run-part {cluster} slot {slot} generation {generation} members {membership} \
                 on {device}"
            ),
            Step::SetMembers { cluster, device, generation, membership } => write!(
                f,
                "set-members {cluster} generation {generation} members {membership} on {device}"
            ),
            Step::StopPart { cluster, device, generation } => {
                write!(f, "stop-part {cluster} generation {generation} on {device}")
            }
            Step::StartLines { cluster, lines } => {
                write!(f, "start-lines {cluster} {}", list(lines))
            }
            Step::EndLines { cluster, lines } => write!(f, "end-lines {cluster} {}", list(lines)),
            Step::CloseLease { cluster, reason } => write!(f, "close-lease {cluster}: {reason}"),
            Step::Attest { cluster, page, lines, last } => {
                let last = if *last { " for the last time" } else { "" };
                write!(f, "attest {cluster} page {page} lines {}{last}", list(lines))
            }
            Step::Withdraw { cluster, lines } => write!(f, "withdraw {cluster} {}", list(lines)),
            Step::Finalize { cluster, not_before } => {
                write!(f, "finalize {cluster} not before {not_before}")
            }
            Step::Reclaim { cluster } => write!(f, "reclaim {cluster}"),
        }
    }
}
