//! A decision in the making: a working copy of one cluster, and the events so far.

use crate::facts::holds_of;
use crate::{At, Cluster, ClusterState, EndReason, Event, Facts, Money, Rejection, VacatedWhy};
use ionet_core::{ClusterId, DeviceId};
use ionet_placement::{Availability, Candidate};
use std::collections::BTreeMap;

pub(super) struct Draft<'a> {
    pub(super) facts: &'a Facts,
    pub(super) at: At,
    pub(super) cluster: Cluster,
    pub(super) events: Vec<Event>,
    /// Chips that this decision gave to other clusters already.
    pub(super) taken: BTreeMap<DeviceId, u8>,
    /// A device that this decision declares lost.
    pub(super) gone: Option<DeviceId>,
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

impl<'a> Draft<'a> {
    pub(super) fn new(facts: &'a Facts, at: At, id: ClusterId) -> Result<Self, Rejection> {
        let cluster = super::cluster_of(facts, id)?.clone();
        Ok(Self { facts, at, cluster, events: Vec::new(), taken: BTreeMap::new(), gone: None })
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.cluster.fold(self.at, &event);
        self.events.push(event);
    }

    pub(super) fn next_generation(&self) -> u32 {
        self.cluster.generation + 1
    }

    /// Devices as placement may see them now, this decision's own doings included.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut all = self.facts.candidates(self.at);
        for c in &mut all {
            let taken = self.taken.get(&c.device).copied().unwrap_or(0);
            c.chips_free = c.chips_free.saturating_sub(taken);
            if self.gone == Some(c.device) {
                c.availability = Availability::Offline;
            }
        }
        all
    }

    /// Takes a device out of its slot. The head's place is taken by another member at once.
    pub(super) fn vacate(&mut self, device: DeviceId, why: VacatedWhy) {
        let Some((slot, _)) = self.cluster.seat_of(device) else { return };
        let cluster = self.cluster.id;
        self.emit(Event::SlotVacated { cluster, slot, device, why });
        if slot == 0 {
            self.move_head();
        }
    }

    /// Ray's head is a single point of failure: what ran on it is gone, so every part starts
    /// anew around the member with the most memory.
    fn move_head(&mut self) {
        let memory = |device: &DeviceId| {
            self.facts.devices.get(device).map_or(0, |d| d.inventory.slice.memory_bytes)
        };
        let best = self
            .cluster
            .seats()
            .max_by_key(|(slot, seat)| (memory(&seat.device), std::cmp::Reverse(*slot)));
        let Some((from, _)) = best else { return };
        let (cluster, generation) = (self.cluster.id, self.next_generation());
        self.emit(Event::HeadMoved { cluster, from, generation });
    }

    /// Moves a live cluster to ready or degraded, and an ending one to its end, if it is time.
    pub(super) fn settle(&mut self) {
        let cluster = self.cluster.id;
        match &self.cluster.state {
            ClusterState::Starting { .. } => {
                if self.cluster.missing().is_none() {
                    self.emit(Event::ClusterReady { cluster });
                }
            }
            ClusterState::Ready { .. } => {
                if let Some(reason) = self.cluster.missing() {
                    self.emit(Event::ClusterDegraded { cluster, reason });
                }
            }
            ClusterState::Degraded { reason, .. } => match self.cluster.missing() {
                None => self.emit(Event::ClusterReady { cluster }),
                // Another kind of thing is missing; a count alone is no news.
                Some(now) if without_digits(&now) != without_digits(reason) => {
                    self.emit(Event::ClusterDegraded { cluster, reason: now });
                }
                Some(_) => {}
            },
            ClusterState::Stopping { reason, .. } => {
                let open = matches!(self.cluster.money, Money::Open { .. });
                if self.cluster.leaving.is_empty() && !open {
                    let reason = reason.clone();
                    self.end(reason);
                }
            }
            ClusterState::Quoted { .. }
            | ClusterState::Funded { .. }
            | ClusterState::Closed { .. }
            | ClusterState::Failed { .. } => {}
        }
    }

    /// Begins the end of a cluster that has parts or lines; ends one that has none.
    pub(super) fn stop(&mut self, reason: EndReason) {
        let cluster = self.cluster.id;
        if self.cluster.state.is_live() {
            self.emit(Event::ClusterStopping { cluster, reason });
            self.settle();
        } else {
            self.end(reason);
        }
    }

    fn end(&mut self, reason: EndReason) {
        let cluster = self.cluster.id;
        self.emit(if reason.is_failure() {
            Event::ClusterFailed { cluster, reason }
        } else {
            Event::ClusterClosed { cluster, reason }
        });
    }

    /// What the cluster holds more than before: nobody else may be given it in this decision.
    pub(super) fn newly_held(&self) -> BTreeMap<DeviceId, u8> {
        let before = self.facts.clusters.get(&self.cluster.id).map(holds_of).unwrap_or_default();
        let after = holds_of(&self.cluster);
        after
            .iter()
            .filter(|(device, _)| !before.contains_key(device))
            .map(|(device, hold)| (*device, hold.chips))
            .collect()
    }
}
