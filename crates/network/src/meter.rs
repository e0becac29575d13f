//! Counting the seconds that a line served.

use crate::At;
use crate::limits::{METER_GAP_INTERVALS, OUTAGE_CREDIT_S_MAX};

/// Served time of one line: what receipts say. It only grows, never passes the lease's own
/// clock, and counts only time between heartbeats in which the part was reported serving.
///
/// ```
/// use ionet_network::{At, ServedMeter};
/// let mut meter = ServedMeter::start(At(0), 2_000);
/// assert_eq!(meter.beat(At(2_000), 3_600), 2);
/// // Silence counts for three intervals at most.
/// assert_eq!(meter.beat(At(62_000), 3_600), 8);
/// // Nothing beyond what the lease's clock shows.
/// assert_eq!(meter.beat(At(64_000), 9), 9);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedMeter {
    served_ms: u64,
    last: Option<At>,
    gap_ms_max: u64,
}

impl ServedMeter {
    /// A line whose meter begins at `at`, with a heartbeat every `interval_ms`.
    pub fn start(at: At, interval_ms: u64) -> Self {
        let gap_ms_max = interval_ms.saturating_mul(METER_GAP_INTERVALS);
        Self { served_ms: 0, last: Some(at), gap_ms_max }
    }

    /// After a restart of the coordinator: goes on from the newest receipt that the device
    /// shows. `outage_ms` is how long the coordinator was away; it counts, up to
    /// [`OUTAGE_CREDIT_S_MAX`], only if the part ran on without a break. `clock_s` is what the
    /// line's clock shows.
    pub fn resume(
        receipt_s: u64,
        outage_ms: u64,
        unbroken: bool,
        clock_s: u64,
        now: At,
        interval_ms: u64,
    ) -> Self {
        let credit = if unbroken { outage_ms.min(OUTAGE_CREDIT_S_MAX * 1_000) } else { 0 };
        let mut meter = Self::start(now, interval_ms);
        meter.served_ms = receipt_s.saturating_mul(1_000);
        meter.add(credit, clock_s);
        meter
    }

    /// A heartbeat at `now` reports the part serving. Returns the served seconds.
    pub fn beat(&mut self, now: At, clock_s: u64) -> u64 {
        let gap = self.last.map_or(0, |last| now.ms_since(last));
        // Time that ran backwards earns nothing and must not be earned again later.
        self.last = self.last.max(Some(now));
        self.add(gap.min(self.gap_ms_max), clock_s);
        self.served_s()
    }

    /// A heartbeat reports the part not serving: the time since the last one does not count.
    pub fn pause(&mut self) {
        self.last = None;
    }

    /// Served seconds, rounded down: against the supplier.
    pub fn served_s(&self) -> u64 {
        self.served_ms / 1_000
    }

    /// A receipt or an attestation shows more than is counted here: it stands.
    pub fn at_least(&mut self, served_s: u64) {
        self.served_ms = self.served_ms.max(served_s.saturating_mul(1_000));
    }

    fn add(&mut self, ms: u64, clock_s: u64) {
        let ceiling = clock_s.saturating_mul(1_000);
        let sum = self.served_ms.saturating_add(ms).min(ceiling);
        self.served_ms = self.served_ms.max(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_outage_counts_only_for_a_part_that_ran_on() {
        let resume = |outage, unbroken, clock| {
            ServedMeter::resume(100, outage, unbroken, clock, At(0), 2_000).served_s()
        };
        assert_eq!(resume(30_000, true, 1_000), 130);
        assert_eq!(resume(30_000, false, 1_000), 100);
        assert_eq!(resume(86_400_000, true, 1_000_000), 700);
        assert_eq!(resume(30_000, true, 110), 110);
        // A receipt above the clock is not raised, and not taken back either.
        assert_eq!(resume(30_000, true, 50), 100);
    }

    #[test]
    fn a_pause_earns_nothing() {
        let mut meter = ServedMeter::start(At(0), 2_000);
        meter.beat(At(2_000), 99);
        meter.pause();
        assert_eq!(meter.beat(At(8_000), 99), 2);
        assert_eq!(meter.beat(At(10_000), 99), 4);
    }

    proptest! {
        #[test]
        fn it_grows_and_stays_under_both_clocks(
            steps in proptest::collection::vec((-5_000i64..20_000, any::<bool>()), 1..100),
        ) {
            let mut meter = ServedMeter::start(At(0), 2_000);
            let (mut now, mut latest, mut before) = (0i64, 0i64, 0u64);
            for (step, serving) in steps {
                now += step;
                latest = latest.max(now);
                let clock_s = (latest / 1_000) as u64;
                let served = if serving {
                    meter.beat(At(now), clock_s)
                } else {
                    meter.pause();
                    meter.served_s()
                };
                prop_assert!(served >= before);
                prop_assert!(served <= clock_s);
                before = served;
            }
        }
    }
}
