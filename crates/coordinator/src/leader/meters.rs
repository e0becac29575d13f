//! Keeps the meters in the session table in line with the facts.

use super::Leader;
use super::publish::key_of;
use crate::sessions::meter::{LineKey, Metered, Word, newest, ran_on};
use ionet_core::{ClusterId, DeviceId, PartId};
use ionet_network::{Cluster, Line, LineRef, LineState, Money, ServedMeter, role_of};
use ionet_wire::message::Hello;
use std::collections::BTreeMap;

impl Leader {
    /// Every started line has a meter; `replayed`: those that have none yet ran before this
    /// process began.
    pub(super) fn sync_meters(&mut self, replayed: bool) {
        let (now, interval) = (self.clock.now(), self.config.hired_interval_ms);
        let mut wanted: BTreeMap<(DeviceId, ClusterLine), Metered> = BTreeMap::new();
        for cluster in self.facts.clusters.values() {
            // After finalizing nothing can be vouched for any more.
            if !matches!(cluster.money, Money::Open { .. } | Money::Closed { .. }) {
                continue;
            }
            for (at, line) in &cluster.lines {
                let Some(started) = line.state.started() else { continue };
                let mut meter = ServedMeter::start(now, interval);
                if replayed {
                    meter.pause();
                }
                meter.at_least(line.attested_s);
                let (part, head, running) = seat(cluster, *at, line);
                let lease = self.soft.leases.get(&cluster.id);
                let expires = cluster.terms.as_ref().map_or(started, |t| t.expires_at);
                let ended = match line.state {
                    LineState::Ended { at, .. } => at,
                    LineState::Bound { .. }
                    | LineState::Started { .. }
                    | LineState::Rejected { .. } => expires,
                };
                let metered = Metered {
                    key: key_of(cluster, *at, line),
                    part,
                    head,
                    running,
                    awaits_hello: replayed,
                    started,
                    runs_until: lease.map_or(expires, |l| l.runs_until.min(expires)).min(ended),
                    stood_s: self.stood_s(cluster.id, *at),
                    word: word(cluster),
                    meter,
                    vouched: None,
                };
                wanted.insert((line.device, (cluster.id, *at)), metered);
            }
        }
        let mut table = self.sessions.table();
        table.retain_meters(|device, m| {
            let Some(fresh) = wanted.remove(&(device, (m.key.cluster, m.key.line))) else {
                return false;
            };
            let same = fresh.key == m.key;
            if same {
                let (meter, vouched) = (m.meter.clone(), m.vouched.take());
                *m = Metered { meter, vouched, awaits_hello: m.awaits_hello, ..fresh };
            }
            same
        });
        for ((device, _), metered) in wanted {
            table.meter(device, metered);
        }
    }

    /// Seconds for which a lease's clock stood since a line began. Until the line was read on the
    /// chain it is taken for one that has just begun.
    fn stood_s(&self, cluster: ClusterId, line: LineRef) -> u64 {
        let stood_s = self.soft.leases.get(&cluster).map_or(0, |clock| clock.stood_s);
        let before = self.stood_before.get(&(cluster, line)).copied();
        stood_s.saturating_sub(before.unwrap_or(stood_s))
    }

    /// A device said hello: lines that ran before this process began go on from the newest
    /// receipt that it shows, and the outage counts if its part ran on.
    pub(super) fn resume_meters(&mut self, device: DeviceId, hello: &Hello) {
        let (now, clock) = (self.clock.now(), self.clock.chain());
        let (interval, before) = (self.config.hired_interval_ms, self.before);
        // Up to now, not to the start: until its hello the device could not be heard.
        let outage_ms = if before.0 == 0 { 0 } else { now.ms_since(before) };
        let signer = self.sessions.receipts.clone();
        self.sessions.table().each_meter(device, |m| {
            if !m.awaits_hello {
                return;
            }
            let shown = newest(&signer, &m.key, &m.word, &hello.receipts);
            if !m.word.ours {
                // Known already, or past the clock: the renter's side goes on from its own.
                let _ = shown.map(|receipt| m.take(receipt, clock));
                m.awaits_hello = false;
                return;
            }
            let shown = shown.map_or(0, |receipt| receipt.served_s);
            let clock_s = m.clock_s(clock);
            let known = m.meter.served_s().max(shown.min(clock_s));
            let unbroken = m.running && ran_on(&hello.parts, m.part, before);
            m.meter = ServedMeter::resume(known, outage_ms, unbroken, clock_s, now, interval);
            m.awaits_hello = false;
        });
    }
}

/// Whose word counts for a cluster's lines.
fn word(cluster: &Cluster) -> Word {
    let Some(terms) = &cluster.terms else { return Word::default() };
    let mut renters = terms.vouchers(cluster.coordinator, cluster.renter);
    let before = renters.len();
    renters.retain(|key| *key != cluster.coordinator);
    Word { ours: renters.len() < before, renters }
}

type ClusterLine = (ionet_core::ClusterId, LineRef);

/// The part that a line pays for, whether it is the head, and whether it earns.
fn seat(cluster: &Cluster, at: LineRef, line: &Line) -> (PartId, bool, bool) {
    let seat = cluster.seats().find(|(_, seat)| seat.line == Some(at));
    let runs = matches!(line.state, LineState::Started { .. });
    match seat {
        Some((slot, seat)) => {
            let head = role_of(slot) == ionet_core::Role::Head;
            (cluster.part_id(seat), head, runs)
        }
        None => (PartId { cluster: cluster.id, generation: cluster.generation }, false, false),
    }
}

/// Whether a meter still waits for its device's receipts.
pub(super) fn awaits(meters: &[Metered], key: &LineKey) -> bool {
    meters.iter().any(|m| m.key == *key && m.awaits_hello)
}
