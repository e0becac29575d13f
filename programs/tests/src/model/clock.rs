//! The lease's own clock, as `docs/money.md` gives it, without 64-bit limits inside.

use super::No;
use super::amounts::{fits, lasts, set_aside};
use ionet_market_interface::MarketError;

/// See "The lease's clock" in `docs/money.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) deposit: u128,
    pub(crate) committed: u128,
    pub(crate) gross: u128,
    pub(crate) v: u128,
    pub(crate) changed_at: i64,
    /// Zero unless it stood when last moved.
    pub(crate) stands_since: i64,
    pub(crate) expires_at: i64,
    pub(crate) seen_at: i64,
}

impl Clock {
    /// The latest time that anyone saw: backwards counts as standing still.
    fn latest(&self, now: i64) -> i64 {
        now.max(self.seen_at)
    }

    /// Up to when it runs if nothing changes.
    pub(crate) fn paid_until(&self) -> i128 {
        let expires_at = i128::from(self.expires_at);
        match lasts(self.deposit - self.committed, self.gross) {
            None => expires_at,
            Some(seconds) => {
                let seconds = i128::try_from(seconds).unwrap_or(i128::MAX / 2);
                expires_at.min(i128::from(self.changed_at) + seconds)
            }
        }
    }

    fn elapsed(&self, now: i64) -> u128 {
        let until = i128::from(self.latest(now)).min(self.paid_until());
        u128::try_from(until - i128::from(self.changed_at)).unwrap_or(0)
    }

    /// What it shows at `now`.
    pub(crate) fn shows(&self, now: i64) -> u128 {
        self.v + self.elapsed(now)
    }

    /// Looks at it for a claim: it will never show less.
    pub(crate) fn see(&mut self, now: i64) -> u128 {
        let shown = self.shows(now);
        self.seen_at = self.latest(now);
        shown
    }

    /// Since when it has stood at `now`, if it stands. A crumb, a top-up that buys less than a
    /// second, changes nothing.
    pub(crate) fn stood_since(&self, now: i64) -> Option<i64> {
        let end = self.paid_until();
        if i128::from(self.latest(now)) < end {
            return None;
        }
        if self.stands_since != 0 && self.elapsed(now) == 0 {
            return Some(self.stands_since);
        }
        // Not above `latest`, so it fits.
        Some(i64::try_from(end).unwrap_or(i64::MAX))
    }

    /// Moves it to `now`.
    pub(crate) fn advance(&mut self, now: i64) -> Result<(), No> {
        let elapsed = self.elapsed(now);
        let stands_since = self.stood_since(now).unwrap_or(0);
        self.committed = fits(self.committed + fits(set_aside(self.gross, elapsed))?)?;
        self.v = fits(self.v + elapsed)?;
        self.seen_at = self.latest(now);
        self.changed_at = self.seen_at;
        self.stands_since = stands_since;
        Ok(())
    }

    /// A line starts: one base unit covers the rounding of its fee.
    pub(crate) fn start(&mut self, gross: u128, now: i64) -> Result<(), No> {
        self.advance(now)?;
        if now >= self.expires_at {
            return Err(No::Market(MarketError::LeaseExpired));
        }
        if self.committed >= self.deposit {
            return Err(No::Market(MarketError::DepositExhausted));
        }
        self.committed += 1;
        self.gross = fits(self.gross + gross)?;
        Ok(())
    }

    /// A line that started ends.
    pub(crate) fn end(&mut self, gross: u128, now: i64) -> Result<(), No> {
        self.advance(now)?;
        self.gross = self.gross.checked_sub(gross).ok_or(No::Market(MarketError::Overflow))?;
        Ok(())
    }
}
