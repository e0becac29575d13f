//! Durations and instants, in whole seconds.

use crate::amount::amount;
use core::fmt;

/// Rates are per hour.
pub const SECONDS_PER_HOUR: u64 = 3_600;

amount!(
    /// A duration in whole seconds.
    Seconds
);

impl Seconds {
    /// The sum, or the longest duration when it does not fit.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// An instant: seconds since 1970-01-01T00:00:00Z, as a chain's Clock gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The last instant there is.
    pub const MAX: Self = Self(i64::MAX);

    /// The bare number of seconds.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero when time ran backwards.
    pub fn since(self, earlier: Self) -> Seconds {
        if self.0 <= earlier.0 {
            return Seconds::ZERO;
        }
        // The true difference is below 2^64, so two's complement gives it exactly.
        Seconds((self.0 as u64).wrapping_sub(earlier.0 as u64))
    }

    /// The instant `duration` later, or the last one.
    pub fn saturating_add(self, duration: Seconds) -> Self {
        if duration.0 >= Self::MAX.since(self).0 {
            return Self::MAX;
        }
        Self((self.0 as u64).wrapping_add(duration.0) as i64)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn instants_agree_with_128_bits(a: i64, b: i64, d: u64) {
            let exact = i128::from(a) - i128::from(b);
            prop_assert_eq!(i128::from(Timestamp(a).since(Timestamp(b)).0), exact.max(0));
            let later = (i128::from(a) + i128::from(d)).min(i128::from(i64::MAX));
            prop_assert_eq!(i128::from(Timestamp(a).saturating_add(Seconds(d)).0), later);
        }
    }

    #[test]
    fn the_ends_of_time() {
        let all = Timestamp(i64::MAX).since(Timestamp(i64::MIN));
        assert_eq!(all, Seconds(u64::MAX));
        assert_eq!(Timestamp(i64::MIN).saturating_add(all), Timestamp::MAX);
        assert_eq!(Timestamp(5).since(Timestamp(9)), Seconds::ZERO);
    }
}
