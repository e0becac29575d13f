//! A lease's own clock: runs while the lease is funded, stands otherwise.
//!
//! It keeps two promises in constant space, whatever the number of lines: what lines can claim
//! is at most `committed`, and `committed` is at most `deposit`.

use crate::{BaseUnits, Rate, Seconds, Timestamp};
use core::fmt;

/// Why the clock cannot do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockError {
    /// A sum left 64 bits.
    Overflow,
    /// No base unit is left to start a line with.
    DepositExhausted,
    /// The lease's time is over.
    Expired,
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overflow => "an amount or a time exceeds 64 bits",
            Self::DepositExhausted => "the lease's deposit is used up: top it up",
            Self::Expired => "the lease's time is over: open a new one",
        })
    }
}

impl core::error::Error for ClockError {}

/// The clock's state. `Lease` stores it field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseClock {
    /// All that was paid in.
    pub deposit: BaseUnits,
    /// The most that lines can claim by `changed_at`, fees included.
    pub committed: BaseUnits,
    /// Sum of the started lines' rates with their fees.
    pub gross_rate: Rate,
    /// What the clock showed at `changed_at`.
    pub v: Seconds,
    /// When the clock was last moved.
    pub changed_at: Timestamp,
    /// Since when it has stood, if it stood when last moved; else zero.
    pub stands_since: Timestamp,
    /// When it stops for good.
    pub expires_at: Timestamp,
    /// The latest time at which it was looked at to vouch for seconds. What was vouched for
    /// then stays covered even if the chain's time should run backwards.
    pub seen_at: Timestamp,
}

impl LeaseClock {
    /// A clock that starts now, at zero, with nothing running.
    pub fn new(deposit: BaseUnits, now: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            deposit,
            committed: BaseUnits::ZERO,
            gross_rate: Rate::ZERO,
            v: Seconds::ZERO,
            changed_at: now,
            stands_since: Timestamp(0),
            expires_at,
            seen_at: now,
        }
    }

    /// `now`, or the latest time that was seen: backwards counts as standing still.
    fn never_back(&self, now: Timestamp) -> Timestamp {
        if now < self.seen_at { self.seen_at } else { now }
    }

    /// What the clock shows at `now`, remembered: it will never show less. Unlike `advance`
    /// this rounds nothing, so it may be called at any rate.
    pub fn see(&mut self, now: Timestamp) -> Seconds {
        self.seen_at = self.never_back(now);
        self.now(now)
    }

    /// What is neither claimed nor claimable yet.
    pub fn available(&self) -> BaseUnits {
        self.deposit.saturating_sub(self.committed)
    }

    /// Up to when the clock runs if nothing changes: until the deposit is used up (rounded down
    /// to whole seconds, so that it never runs unpaid) or the lease expires.
    pub fn runs_until(&self) -> Timestamp {
        let funded = self.changed_at.saturating_add(self.gross_rate.lasts_floor(self.available()));
        if funded < self.expires_at { funded } else { self.expires_at }
    }

    /// Seconds that the clock has run since it was last moved. Time that ran backwards counts
    /// as standing still.
    pub fn elapsed(&self, now: Timestamp) -> Seconds {
        let (now, end) = (self.never_back(now), self.runs_until());
        (if now < end { now } else { end }).since(self.changed_at)
    }

    /// What the clock shows at `now`.
    pub fn now(&self, now: Timestamp) -> Seconds {
        self.v.saturating_add(self.elapsed(now))
    }

    /// Since when the clock has been standing at `now`, if it stands.
    pub fn stood_since(&self, now: Timestamp) -> Option<Timestamp> {
        let (now, end) = (self.never_back(now), self.runs_until());
        if now < end {
            return None;
        }
        // A top-up too small for one second does not make it run.
        let stood_on = self.stands_since.0 != 0 && self.elapsed(now) == Seconds::ZERO;
        Some(if stood_on { self.stands_since } else { end })
    }

    /// Moves the clock to `now`. Every change begins with it.
    pub fn advance(&mut self, now: Timestamp) -> Result<(), ClockError> {
        let elapsed = self.elapsed(now);
        let stands_since = self.stood_since(now).unwrap_or(Timestamp(0));
        // Rounded up: what is set aside covers every claim on these seconds.
        let reserved = self.gross_rate.reserved_ceil(elapsed).ok_or(ClockError::Overflow)?;
        self.committed = self.committed.checked_add(reserved).ok_or(ClockError::Overflow)?;
        self.v = self.v.checked_add(elapsed).ok_or(ClockError::Overflow)?;
        self.seen_at = self.never_back(now);
        self.changed_at = self.seen_at;
        self.stands_since = stands_since;
        Ok(())
    }

    /// A line starts, with its fee in `gross`. One base unit is set aside for the rounding of
    /// its fee.
    pub fn start(&mut self, gross: Rate, now: Timestamp) -> Result<(), ClockError> {
        self.advance(now)?;
        if now >= self.expires_at {
            return Err(ClockError::Expired);
        }
        if self.available() == BaseUnits::ZERO {
            return Err(ClockError::DepositExhausted);
        }
        self.committed = self.committed.checked_add(BaseUnits(1)).ok_or(ClockError::Overflow)?;
        self.gross_rate = self.gross_rate.checked_add(gross).ok_or(ClockError::Overflow)?;
        Ok(())
    }

    /// A line that started with `gross` ends. Returns what the clock shows.
    pub fn end(&mut self, gross: Rate, now: Timestamp) -> Result<Seconds, ClockError> {
        self.advance(now)?;
        self.gross_rate = self.gross_rate.checked_sub(gross).ok_or(ClockError::Overflow)?;
        Ok(self.v)
    }

    /// More money comes in.
    pub fn top_up(&mut self, amount: BaseUnits, now: Timestamp) -> Result<(), ClockError> {
        self.advance(now)?;
        self.deposit = self.deposit.checked_add(amount).ok_or(ClockError::Overflow)?;
        Ok(())
    }

    /// The lease closes: all lines end at once.
    pub fn close(&mut self, now: Timestamp) -> Result<(), ClockError> {
        self.advance(now)?;
        self.gross_rate = Rate::ZERO;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::Bps;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[derive(Clone, Debug)]
    enum Step {
        Pass(i64),
        Start(u64),
        End(usize),
        TopUp(u64),
        Touch,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => prop_oneof![-100i64..10, 0i64..5_000, 0i64..1 << 40].prop_map(Step::Pass),
            3 => prop_oneof![0u64..10, 0u64..10_000_000, 0u64..1 << 50].prop_map(Step::Start),
            2 => (0usize..8).prop_map(Step::End),
            1 => prop_oneof![0u64..5, 0u64..1 << 30].prop_map(Step::TopUp),
            1 => Just(Step::Touch),
        ]
    }

    struct Run {
        rate: Rate,
        start: Seconds,
        end: Option<Seconds>,
    }

    /// The most that all lines can claim, fees included, when each served its whole time.
    fn claims(runs: &[Run], v: Seconds, fee: Bps) -> u128 {
        let claim = |run: &Run| {
            let served = run.end.unwrap_or(v).saturating_sub(run.start);
            let owed = run.rate.earned_floor(served).unwrap();
            u128::from(owed.0) + u128::from(fee.fee_ceil(owed).unwrap().0)
        };
        runs.iter().map(claim).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn claims_are_covered_and_commitments_are_paid(
            deposit in prop_oneof![0u64..100, 0u64..1 << 40],
            fee in (0u16..=500).prop_map(Bps),
            life in 0i64..1 << 34,
            steps in proptest::collection::vec(step(), 1..60),
        ) {
            let mut now = Timestamp(1_000_000);
            let mut clock = LeaseClock::new(BaseUnits(deposit), now, Timestamp(now.0 + life));
            let (mut runs, mut shown) = (Vec::<Run>::new(), Seconds::ZERO);
            for step in steps {
                match step {
                    Step::Pass(seconds) => now.0 += seconds,
                    Step::Start(rate) => {
                        let rate = Rate(rate);
                        if clock.start(fee.gross_ceil(rate).unwrap(), now).is_ok() {
                            runs.push(Run { rate, start: clock.v, end: None });
                        }
                    }
                    Step::End(pick) => {
                        let running = runs.iter_mut().filter(|r| r.end.is_none()).nth(pick);
                        if let Some(run) = running {
                            run.end = Some(clock.end(fee.gross_ceil(run.rate).unwrap(), now)?);
                        }
                    }
                    Step::TopUp(amount) => clock.top_up(BaseUnits(amount), now)?,
                    Step::Touch => clock.advance(now)?,
                }
                let v = clock.see(now);
                prop_assert!(v >= shown, "the clock ran backwards");
                shown = v;
                let mut later = clock;
                later.advance(now)?;
                prop_assert!(claims(&runs, v, fee) <= u128::from(later.committed.0));
                prop_assert!(later.committed <= later.deposit);
            }
        }

        /// A clock that is only looked at shows the same as one that is moved every time, as
        /// long as it runs.
        #[test]
        fn moving_it_often_shows_the_same(
            rate in 0u64..1 << 30, pauses in proptest::collection::vec(0i64..10_000, 1..40),
        ) {
            let start = Timestamp(50);
            let mut moved = LeaseClock::new(BaseUnits(1 << 60), start, Timestamp::MAX);
            moved.start(Rate(rate), start)?;
            let looked = moved;
            let mut now = start;
            for pause in pauses {
                now.0 += pause;
                moved.advance(now)?;
                prop_assert_eq!(moved.v, looked.now(now));
            }
        }
    }

    fn hourly(deposit: u64) -> LeaseClock {
        let mut clock = LeaseClock::new(BaseUnits(deposit), Timestamp(1_000), Timestamp(90_000));
        clock.start(Rate(3_600), Timestamp(1_000)).unwrap();
        clock
    }

    #[test]
    fn it_stops_when_the_deposit_is_used_up() {
        let clock = hourly(11);
        assert_eq!(clock.runs_until(), Timestamp(1_010));
        assert_eq!(clock.now(Timestamp(50_000)), Seconds(10));
        assert_eq!(clock.stood_since(Timestamp(1_009)), None);
        assert_eq!(clock.stood_since(Timestamp(5_000)), Some(Timestamp(1_010)));
    }

    #[test]
    fn it_stops_when_the_lease_expires() {
        let clock = hourly(1 << 40);
        assert_eq!(clock.now(Timestamp(i64::MAX)), Seconds(89_000));
        assert_eq!(clock.stood_since(Timestamp(90_001)), Some(Timestamp(90_000)));
    }

    #[test]
    fn standing_time_is_not_paid_by_a_later_top_up() {
        let mut clock = hourly(11);
        clock.top_up(BaseUnits(5), Timestamp(2_000)).unwrap();
        assert_eq!(clock.now(Timestamp(2_003)), Seconds(13));
        assert_eq!(clock.runs_until(), Timestamp(2_005));
    }

    #[test]
    fn a_crumb_does_not_reset_how_long_it_stood() {
        let mut clock = LeaseClock::new(BaseUnits(1), Timestamp(1_000), Timestamp(90_000));
        clock.start(Rate(36_000), Timestamp(1_000)).unwrap();
        clock.top_up(BaseUnits(1), Timestamp(1_500)).unwrap();
        assert_eq!(clock.stood_since(Timestamp(2_000)), Some(Timestamp(1_000)));
        clock.top_up(BaseUnits(20), Timestamp(2_000)).unwrap();
        assert_eq!(clock.stood_since(Timestamp(2_001)), None);
        assert_eq!(clock.stood_since(Timestamp(3_000)), Some(Timestamp(2_002)));
    }

    #[test]
    fn nothing_starts_without_money_or_time() {
        let mut empty = LeaseClock::new(BaseUnits(0), Timestamp(0), Timestamp(10));
        assert_eq!(empty.start(Rate(1), Timestamp(1)), Err(ClockError::DepositExhausted));
        let mut late = LeaseClock::new(BaseUnits(9), Timestamp(0), Timestamp(10));
        assert_eq!(late.start(Rate(1), Timestamp(10)), Err(ClockError::Expired));
    }
}
