//! What is seen of devices that are online and no proof shows. All of it is in memory: a new
//! process draws a new salt, and asks again.

use crate::sessions::table::SESSIONS_MAX;
use ionet_core::{DeviceId, Region, Signal, Wallet};
use ionet_network::At;
use ionet_trust::signals::{Duplicates, Hosting, Landmark, Measured, Report, Sighting, Unbounded};
use ionet_wire::message::SessionName;
use std::collections::HashMap;
use std::net::IpAddr;

/// Milliseconds between two reports of a session that are looked at. An honest device sends one,
/// and another when a card was taken out.
pub const REPORT_PAUSE_MS: u64 = 60_000;
/// Addresses of one connection that are looked at: a device with several network cards has a few.
pub const ADDRESSES_MAX: usize = 8;

/// Why a report is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Over a limit.
    #[error(transparent)]
    Unbounded(#[from] Unbounded),
    /// The last one was taken a moment ago.
    #[error("the last report was taken less than {REPORT_PAUSE_MS} ms ago")]
    Soon,
    /// The session is over.
    #[error("the session is over")]
    Over,
}

#[derive(Debug)]
struct Seen {
    session: u64,
    owner: Wallet,
    report: Option<(At, Report)>,
    /// Microseconds.
    trip_us: Option<u32>,
}

/// What is seen of each device in its newest session.
#[derive(Debug)]
pub struct Book {
    hosting: Hosting,
    /// Where this coordinator stands, if it says so.
    landmark: Option<Landmark>,
    seen: HashMap<DeviceId, Seen>,
    known: Duplicates,
}

impl Book {
    /// An empty one.
    pub fn new(hosting: Hosting, landmark: Option<Landmark>) -> Self {
        Self { hosting, landmark, seen: HashMap::new(), known: Duplicates::new() }
    }

    /// A session begins: what was seen in the one before is forgotten. The chain says where its
    /// earnings go, if it answered.
    pub fn admit(&mut self, name: SessionName, owner: Wallet, payout: Option<Wallet>) {
        debug_assert!(self.seen.len() <= SESSIONS_MAX, "as many as the table");
        let fresh = Seen { session: name.session, owner, report: None, trip_us: None };
        self.seen.insert(name.device, fresh);
        self.known.offline(&name.device);
        self.known.online(name.device, owner, &[]);
        if let Some(payout) = payout {
            self.pays(&name.device, payout);
        }
    }

    /// What the chain says of a device that is online.
    pub fn pays(&mut self, device: &DeviceId, payout: Wallet) {
        self.known.pays(device, payout);
    }

    /// Takes what a device tells in the session that is its newest, in place of what it told
    /// before.
    pub fn report(
        &mut self,
        now: At,
        name: SessionName,
        report: Report,
    ) -> Result<(), ReportError> {
        report.check()?;
        let seen = self.current(name).ok_or(ReportError::Over)?;
        if seen.report.as_ref().is_some_and(|(at, _)| now.ms_since(*at) < REPORT_PAUSE_MS) {
            return Err(ReportError::Soon);
        }
        let owner = seen.owner;
        seen.report = Some((now, report.clone()));
        self.known.online(name.device, owner, &report.prints);
        Ok(())
    }

    /// An echo came back after so many microseconds; the least of a session counts, as a device
    /// and what lies between can only add to it. At least one: a clock that did not move in
    /// between measured nothing.
    pub fn echoed(&mut self, name: SessionName, us: u32) {
        if let Some(seen) = self.current(name) {
            seen.trip_us = Some(seen.trip_us.map_or(us, |least| least.min(us)).max(1));
        }
    }

    /// A session is over.
    pub fn end(&mut self, name: SessionName) {
        if self.current(name).is_some() {
            self.seen.remove(&name.device);
            self.known.offline(&name.device);
        }
    }

    fn current(&mut self, name: SessionName) -> Option<&mut Seen> {
        self.seen.get_mut(&name.device).filter(|seen| seen.session == name.session)
    }

    /// The least round trip to a device, in microseconds.
    pub fn trip_us(&self, device: &DeviceId) -> Option<u32> {
        self.seen.get(device)?.trip_us
    }

    /// Every signal of a device that claims to be in `region` and connects from `addresses`.
    pub fn signals(
        &self,
        at: At,
        device: DeviceId,
        region: Region,
        addresses: &[IpAddr],
    ) -> Vec<Signal> {
        let landmark = self.landmark.clone().zip(self.trip_us(&device));
        let trip = landmark.map(|(landmark, round_trip_us)| Measured { landmark, round_trip_us });
        let report = self.seen.get(&device).and_then(|seen| seen.report.as_ref());
        let sighting = Sighting {
            device,
            region,
            report: report.map(|(_, report)| report),
            addresses: &addresses[..addresses.len().min(ADDRESSES_MAX)],
            trips: trip.as_slice(),
        };
        sighting.signals(&self.hosting, &self.known, at.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::GenesisHash;
    use ionet_trust::signals::{ChipFacts, Fingerprint, Purpose, Salt, built_in};

    const OWNER: Wallet = Wallet([7; 32]);
    const NOW: At = At(1_000_000);

    fn name(device: u8, session: u64) -> SessionName {
        SessionName { device: DeviceId([device; 32]), session }
    }

    fn chip(raw: &str) -> Fingerprint {
        Salt::new(&[1; 32], &GenesisHash([2; 32]), 3).print(Purpose::Uuid, raw).unwrap()
    }

    fn report(raw: &str) -> Report {
        Report { prints: vec![chip(raw)], ..Report::default() }
    }

    fn book() -> Book {
        let name = "frankfurt".to_owned();
        let landmark = Landmark { name, latitude: 50_110, longitude: 8_680 };
        let mut book = Book::new(built_in().unwrap(), Some(landmark));
        (1..=2).for_each(|device| book.admit(self::name(device, 1), OWNER, None));
        book
    }

    fn codes(book: &Book, device: u8, region: &str) -> Vec<String> {
        let (device, region) = (DeviceId([device; 32]), region.parse().unwrap());
        book.signals(NOW, device, region, &[]).into_iter().map(|s| s.code).collect()
    }

    #[test]
    fn a_report_counts_for_its_own_session_and_not_too_often() {
        let mut book = book();
        assert_eq!(book.report(NOW, name(1, 1), report("GPU-aaaa01")), Ok(()));
        assert_eq!(book.report(NOW, name(2, 1), report("GPU-aaaa01")), Ok(()));
        assert_eq!(codes(&book, 1, "local"), ["duplicate-uuid"]);
        // Another one a second later is not looked at; after the pause it is.
        let soon = NOW.plus_ms(1_000);
        assert_eq!(book.report(soon, name(2, 1), report("GPU-aaaa02")), Err(ReportError::Soon));
        assert_eq!(codes(&book, 1, "local"), ["duplicate-uuid"]);
        let later = NOW.plus_ms(REPORT_PAUSE_MS);
        assert_eq!(book.report(later, name(2, 1), report("GPU-aaaa02")), Ok(()));
        assert_eq!(codes(&book, 1, "local"), [] as [&str; 0]);
        // Nobody speaks for a session that is not his, or over.
        assert_eq!(book.report(later, name(3, 1), report("GPU-aaaa02")), Err(ReportError::Over));
        book.admit(name(1, 2), OWNER, None);
        assert_eq!(book.report(later, name(1, 1), report("GPU-aaaa02")), Err(ReportError::Over));
        assert_eq!(codes(&book, 2, "local"), [] as [&str; 0]);
    }

    #[test]
    fn a_session_that_ends_takes_along_what_was_seen_in_it() {
        let mut book = book();
        for device in [1, 2] {
            book.report(NOW, name(device, 1), report("GPU-aaaa01")).unwrap();
            book.echoed(name(device, 1), 4_000);
        }
        assert_eq!(codes(&book, 2, "us-west"), ["duplicate-uuid", "region-contradicted"]);
        // The end of an older session is not that of the newer one.
        book.admit(name(1, 2), OWNER, None);
        book.report(NOW, name(1, 2), report("GPU-aaaa01")).unwrap();
        book.end(name(1, 1));
        assert_eq!(codes(&book, 2, "local"), ["duplicate-uuid"]);
        assert_eq!(codes(&book, 1, "us-west"), ["duplicate-uuid"], "no round trip of before");
        book.end(name(1, 2));
        assert_eq!(codes(&book, 2, "local"), [] as [&str; 0]);
        assert_eq!(codes(&book, 1, "us-west"), [] as [&str; 0]);
    }

    #[test]
    fn the_least_round_trip_counts() {
        let mut book = book();
        for us in [250_000, 4_000, 90_000] {
            book.echoed(name(1, 1), us);
        }
        assert_eq!(book.trip_us(&DeviceId([1; 32])), Some(4_000));
        assert_eq!(codes(&book, 1, "us-west"), ["region-contradicted"]);
        assert_eq!(codes(&book, 1, "eu-central"), [] as [&str; 0]);
        book.echoed(name(2, 1), 0);
        assert_eq!(book.trip_us(&DeviceId([2; 32])), Some(1));
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut book = book();
        let many = Report { chips: vec![ChipFacts::default(); 1_000], ..Report::default() };
        let long = "x".repeat(300);
        let long = ChipFacts { model: long, ..ChipFacts::default() };
        let long = Report { chips: vec![long], ..Report::default() };
        let prints = Report { prints: vec![chip("GPU-aaaa01"); 1_000], ..Report::default() };
        for unbounded in [many, long, prints] {
            let refused = book.report(NOW, name(1, 1), unbounded);
            assert_eq!(refused, Err(ReportError::Unbounded(Unbounded)));
        }
        assert_eq!(book.report(NOW, name(1, 1), report("GPU-aaaa01")), Ok(()), "and is no turn");
    }

    #[test]
    fn a_home_that_wears_ipv6_is_no_cloud_and_a_cloud_stays_one() {
        let book = book();
        let from = |text: &str| {
            let address = [text.parse().unwrap()];
            let device = DeviceId([1; 32]);
            book.signals(NOW, device, Region::LOCAL, &address).len()
        };
        assert_eq!((from("::ffff:45.77.1.2"), from("45.77.1.2")), (1, 1));
        assert_eq!((from("::ffff:127.0.0.1"), from("::1"), from("192.168.0.2")), (0, 0, 0));
    }
}
