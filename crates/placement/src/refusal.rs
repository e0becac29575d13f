//! Why nothing was chosen: a funnel.

use ionet_core::{Amount, Asset, ChipClass, Egress, RegionFilter, Tier};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What can remove a device, in the order in which it is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "constraint", rename_all = "kebab-case")]
pub enum Constraint {
    /// The class of its chips.
    Chip {
        /// Wanted.
        class: ChipClass,
    },
    /// Where it stands.
    Region {
        /// Wanted.
        region: RegionFilter,
    },
    /// What its workloads may reach.
    Egress {
        /// The least that is wanted.
        egress: Egress,
    },
    /// How many chips it holds at all.
    ChipsPerDevice {
        /// Wanted.
        chips: u8,
    },
    /// It is in the cluster already, or failed it before.
    Excluded,
    /// It is not connected, silent, or held back.
    Offline,
    /// Its owner wants it back.
    Draining,
    /// It proves its chips first.
    Proving,
    /// Its chips are not known well enough.
    Tier {
        /// The least that is wanted.
        tier: Tier,
    },
    /// Its free chips are too few.
    Busy,
    /// It does not take the asset.
    Asset {
        /// Wanted.
        asset: Asset,
    },
    /// It asks too much.
    Ask {
        /// Ceiling per chip and hour.
        ceiling: Amount,
    },
}

/// One step of the funnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// What removed them.
    #[serde(flatten)]
    pub constraint: Constraint,
    /// How many it removed of those which the steps before had left.
    pub removed: u32,
    /// How many it left.
    pub left: u32,
    /// How many would fit in all if this constraint alone were dropped.
    pub fit_without: u32,
    /// For asks: the lowest that is over the ceiling, of devices that fit otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Amount>,
}

/// Why there are not enough devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// How many were needed.
    pub wanted: u16,
    /// How many fit.
    pub fit: u32,
    /// How many there are.
    pub of: u32,
    /// Every constraint in order, those that removed nothing included.
    pub cuts: Vec<Cut>,
    /// Set if enough fit one by one but cost too much together: the cheapest sum and the
    /// ceiling, per hour and with fees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<(Amount, Amount)>,
}

impl std::error::Error for Refusal {}

impl Cut {
    fn shown_when_zero(&self) -> bool {
        match self.constraint {
            Constraint::Chip { .. } | Constraint::Region { .. } => true,
            Constraint::Egress { .. }
            | Constraint::ChipsPerDevice { .. }
            | Constraint::Excluded
            | Constraint::Offline
            | Constraint::Draining
            | Constraint::Proving
            | Constraint::Tier { .. }
            | Constraint::Busy
            | Constraint::Asset { .. }
            | Constraint::Ask { .. } => false,
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.removed;
        let (be, s) = if n == 1 { ("is", "s") } else { ("are", "") };
        match &self.constraint {
            Constraint::Chip { class } => write!(f, "{n} lack{s} chip {class}"),
            Constraint::Region { region } => write!(f, "{n} {be} outside region {region}"),
            Constraint::Egress { egress } => write!(f, "{n} allow{s} less than egress {egress}"),
            Constraint::ChipsPerDevice { chips } => {
                let have = if n == 1 { "has" } else { "have" };
                write!(f, "{n} {have} fewer than {chips} chips")
            }
            Constraint::Excluded => write!(f, "{n} {be} in this cluster or failed it before"),
            Constraint::Offline => write!(f, "{n} {be} offline or not answering"),
            Constraint::Draining => write!(f, "{n} {be} draining"),
            Constraint::Proving => {
                let their = if n == 1 { "its" } else { "their" };
                write!(f, "{n} {be} proving {their} chips")
            }
            Constraint::Tier { tier } => write!(f, "{n} {be} below tier {tier}"),
            Constraint::Busy => write!(f, "{n} {be} busy"),
            Constraint::Asset { asset } => {
                let take = if n == 1 { "does" } else { "do" };
                write!(f, "{n} {take} not take {asset}")
            }
            Constraint::Ask { ceiling } => {
                write!(f, "{n} ask{s} more than {ceiling} per chip-hour")?;
                match self.nearest {
                    Some(nearest) => write!(f, " (nearest: {nearest})"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.wanted == 1 { "" } else { "s" };
        let fits = if self.fit == 1 { "fits" } else { "fit" };
        write!(f, "{} device{s} wanted, {} {fits}", self.wanted, self.fit)?;
        if let Some((cheapest, ceiling)) = &self.total {
            return write!(
                f,
                ", but together they ask at least {cheapest} per hour, over the \
                ceiling of {ceiling}"
            );
        }
        let of = if self.of == 1 { "device" } else { "devices" };
        write!(f, ": of {} {of} ", self.of)?;
        let shown = self.cuts.iter().filter(|c| c.removed > 0 || c.shown_when_zero());
        for (i, cut) in shown.enumerate() {
            write!(f, "{}{cut}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
