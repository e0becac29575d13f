//! Counting what was seen: which seconds of which line this client would sign for.
//!
//! The same arithmetic as the coordinator's: time between two looks that both saw the device
//! counts, a gap for three intervals at most, and nothing beyond the lease's own clock.

use ionet_core::DeviceId;
use ionet_ledger::PlacedLine;
use ionet_ledger::interface::account::{Lease, LineState};
use ionet_ledger::interface::{Seconds, Timestamp};
use ionet_network::limits::METER_GAP_INTERVALS;
use ionet_network::{At, ServedMeter};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds between two looks: what a supplier risks, and a call through the tunnel.
pub(crate) const LOOK_MS: u64 = 5_000;
/// Seconds that stay unsigned at the clock's end. The coordinator knows the chain's clock to the
/// second and takes no receipt beyond it; a figure that is a little behind is never refused.
const BEHIND_S: u64 = 2;

/// A line, with the generation of the device in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct LineName {
    /// Its page.
    pub(crate) page: u16,
    /// Its index in it.
    pub(crate) index: u8,
    /// The generation that receipts name.
    pub(crate) generation: u64,
}

/// Seconds of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Which.
    #[serde(flatten)]
    pub(crate) line: LineName,
    /// How many were seen.
    pub(crate) served_s: u64,
}

/// The count of every line.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    meters: BTreeMap<LineName, ServedMeter>,
    /// What was signed before this process began.
    before: BTreeMap<LineName, u64>,
}

impl Counts {
    /// Goes on from what an earlier process signed.
    pub(crate) fn resume(seen: &[Seen]) -> Self {
        let before = seen.iter().map(|s| (s.line, s.served_s)).collect();
        Self { meters: BTreeMap::new(), before }
    }

    /// Takes a look at `now` into account: `alive` were seen, the chain's clock showed `clock`.
    pub(crate) fn look(
        &mut self,
        now: At,
        clock: Timestamp,
        lease: &Lease,
        lines: &[PlacedLine],
        alive: &BTreeSet<DeviceId>,
    ) {
        let v = lease.v_at(clock);
        for placed in lines {
            let started = match placed.line.state {
                LineState::Started | LineState::Ended => placed.line.served_max(v) > Seconds(0),
                LineState::Bound | LineState::Rejected => false,
            };
            if !started {
                continue;
            }
            let name = name(placed);
            let most = placed.line.served_max(v).0.saturating_sub(BEHIND_S);
            let before = self.before.get(&name).copied().unwrap_or(0);
            // Whatever a file says: nothing beyond the clock is ever signed.
            let known = before.max(placed.line.served.0).min(most);
            let meter = self.meters.entry(name).or_insert_with(|| first(now, known, most));
            let runs = placed.line.state == LineState::Started;
            if runs && alive.contains(&DeviceId(placed.line.device)) {
                meter.beat(now, most);
            } else {
                meter.pause();
            }
        }
    }

    /// What would be signed now.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = |(line, meter): (&LineName, &ServedMeter)| Seen {
            line: *line,
            served_s: meter.served_s(),
        };
        self.meters.iter().map(seen).filter(|s| s.served_s > 0).collect()
    }
}

/// A line that is seen for the first time. What it did before counts like a gap between looks,
/// if it is no longer than one: a line starts when all its neighbours are there.
fn first(now: At, known: u64, most: u64) -> ServedMeter {
    let gap_s = LOOK_MS * METER_GAP_INTERVALS / 1_000;
    let mut meter = ServedMeter::start(now, LOOK_MS);
    meter.pause();
    meter.at_least(known);
    if known == 0 && most <= gap_s {
        // Only together with the beat that follows: a device that is not seen earns nothing.
        meter = ServedMeter::start(At(now.0.saturating_sub(most as i64 * 1_000)), LOOK_MS);
    }
    meter
}

fn name(placed: &PlacedLine) -> LineName {
    LineName { page: placed.page, index: placed.index, generation: placed.line.generation }
}

#[cfg(test)]
mod tests;
