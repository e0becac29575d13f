//! How long to wait before dialling again.

use std::time::Duration;

/// The first wait.
pub(crate) const FIRST: Duration = Duration::from_millis(200);
/// The longest wait: a coordinator that comes back has all its devices within this time.
pub(crate) const LONGEST: Duration = Duration::from_secs(10);
/// The longest wait that a coordinator can ask for.
pub(crate) const ASKED_MAX: Duration = Duration::from_secs(3_600);

/// Doubles from [`FIRST`] to [`LONGEST`]. Each wait is spread over its upper half, so that the
/// devices which lost one coordinator do not all come back at one instant.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait. `random` is any number.
    pub(crate) fn next(&mut self, random: u64) -> Duration {
        let doubled = FIRST.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1).min(31);
        let whole = doubled.min(LONGEST);
        let half_ms = (whole.as_millis() / 2) as u64;
        Duration::from_millis(half_ms + random % (half_ms + 1))
    }

    /// A session stood: begin anew.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_spread() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..40).map(|_| backoff.next(u64::MAX / 2 * 2)).collect();
        assert!(longest.iter().all(|w| *w >= FIRST / 2 && *w <= LONGEST), "{longest:?}");
        let mut backoff = Backoff::default();
        let least: Vec<_> = (0..8).map(|_| backoff.next(0).as_millis()).collect();
        assert_eq!(least, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        backoff.reset();
        assert_eq!(backoff.next(100), FIRST);
    }
}
