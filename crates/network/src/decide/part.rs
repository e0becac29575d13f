//! A part that ended without being told to: start it again, elsewhere, or give up.

use super::Draft;
use crate::limits::{PART_RESTARTS_MAX, START_FAILURES_MAX, TEXT_BYTES_MAX};
use crate::{ClusterState, EndReason, Event, PartEnd, VacatedWhy};
use ionet_core::DeviceId;

/// The end of a text, which says most, within the limit.
pub(super) fn cut(text: &str) -> String {
    let from = text.len().saturating_sub(TEXT_BYTES_MAX);
    let from = (from..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    text[from..].to_owned()
}

impl Draft<'_> {
    pub(super) fn part_ended(&mut self, device: DeviceId, end: PartEnd) {
        let Some((slot, seat)) = self.cluster.seat_of(device) else { return };
        let (cluster, generation) = (self.cluster.id, seat.generation);
        self.emit(Event::PartEnded { cluster, device, generation, end: end.clone() });
        let restarts = self.cluster.seat_of(device).map_or(0, |(_, seat)| seat.restarts);
        let draining =
            self.facts.devices.get(&device).is_some_and(|known| known.draining.is_some());
        let why = match end {
            PartEnd::Failed { reason } => {
                let starting = matches!(self.cluster.state, ClusterState::Starting { .. });
                if starting && self.cluster.start_failures >= START_FAILURES_MAX {
                    return self.stop(EndReason::StartFailed { why: reason });
                }
                Some((VacatedWhy::PartFailed, reason))
            }
            PartEnd::Stopped | PartEnd::Missing | PartEnd::Exited { .. } if draining => {
                Some((VacatedWhy::Drained, "its device was drained".to_owned()))
            }
            PartEnd::Stopped | PartEnd::Missing if restarts > PART_RESTARTS_MAX => {
                Some((VacatedWhy::PartFailed, "its device did not keep its part".to_owned()))
            }
            PartEnd::Exited { code, tail } if restarts > PART_RESTARTS_MAX => {
                let code = code.map_or("no exit code".to_owned(), |c| format!("exit code {c}"));
                Some((VacatedWhy::PartFailed, format!("ended {restarts} times; {code}; {tail}")))
            }
            PartEnd::Stopped | PartEnd::Missing | PartEnd::Exited { .. } => None,
        };
        match why {
            Some((why, reason)) => self.replace(device, why, reason),
            None => self.restart_part(slot),
        }
    }

    /// Replaces a device. A start for which there is no substitute fails for the reason that
    /// made one necessary.
    fn replace(&mut self, device: DeviceId, why: VacatedWhy, reason: String) {
        let starting = matches!(self.cluster.state, ClusterState::Starting { .. });
        self.vacate(device, why);
        let mark = self.events.len();
        let before = self.cluster.clone();
        self.refill();
        if starting && !self.cluster.state.is_live() {
            self.events.truncate(mark);
            self.cluster = before;
            self.stop(EndReason::StartFailed { why: reason });
        }
    }

    /// A worker starts anew alone; a head takes everyone with it.
    fn restart_part(&mut self, slot: u16) {
        let slots = if slot == 0 {
            self.cluster.seats().map(|(slot, _)| slot).collect()
        } else {
            vec![slot]
        };
        let (cluster, generation) = (self.cluster.id, self.next_generation());
        self.emit(Event::PartsRestarted { cluster, slots, generation });
    }
}
