//! Verdicts, with what is seen besides.

use super::Leader;
use ionet_core::{DeviceId, Verdict};
use ionet_network::At;
use ionet_trust::signals::{beside, since};
use iroh::TransportAddr;
use std::net::IpAddr;

impl Leader {
    /// Puts beside a verdict what is seen of the device now, if it is connected: between two
    /// verdicts nothing of it goes to the log, however often it changes.
    pub(super) fn with_sightings(&self, now: At, device: DeviceId, verdict: &mut Verdict) {
        let Some(known) = self.facts.devices.get(&device) else { return };
        let before = known.verdict.as_ref().map_or(&[][..], |v| &v.signals);
        let connection = self.sessions.table().get(device).map(|s| s.link.connection.clone());
        let Some(connection) = connection else {
            verdict.signals = before.to_vec();
            return;
        };
        let mut addresses: Vec<IpAddr> = Vec::new();
        for path in &connection.paths() {
            if let TransportAddr::Ip(address) = path.remote_addr() {
                addresses.push(address.ip().to_canonical());
            }
        }
        let book = self.sessions.book();
        let signals = book.signals(now, device, known.inventory.region, &addresses);
        beside(verdict, since(signals, before), book.trip_us(&device), now.0);
    }
}
