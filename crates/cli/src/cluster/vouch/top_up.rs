//! Adding to the deposit before it ends, within the leave that the renter gave.

use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::{Lease, LeaseState};
use ionet_units::{Rate, Seconds};

/// Seconds of money left at which more is added: the last two warnings come later.
pub(crate) const AHEAD_S: u64 = 600;
/// Seconds that one top-up pays for: a lost session key can lock so much more at a time, and the
/// chain's fee is paid every half an hour.
pub(crate) const STEP_S: u64 = 1_800;

/// Base units to add now; none: the money lasts, the time ends first, or nothing runs. `leave` is
/// what the session key may still move, and `held` what there is to move.
pub(crate) fn due(lease: &Lease, now: Timestamp, leave: u64, held: u64) -> Option<u64> {
    let clock = lease.clock();
    let (ends, rate) = (clock.runs_until(), Rate(clock.gross_rate.0));
    if lease.state != LeaseState::Open || rate == Rate::ZERO || ends >= lease.expires_at {
        return None;
    }
    if ends.0.saturating_sub(now.0) >= AHEAD_S as i64 {
        return None;
    }
    // No more than what the rest of the lease's time can use; rounded up, for the renter has it
    // back at the end, and a second less would need another transaction.
    let unpaid_s = u64::try_from(lease.expires_at.0.saturating_sub(ends.0)).unwrap_or(0);
    let step = rate.reserved_ceil(Seconds(STEP_S.min(unpaid_s)))?;
    let amount = step.get().min(leave).min(held);
    (amount > 0).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_ledger::interface::BaseUnits;
    use ionet_ledger::interface::account::{Kind, LAYOUT_VERSION};

    const NOW: i64 = 1_800_000_000;

    /// A lease at 3,600 base units an hour with money for so many seconds, that expires later.
    fn lease(funded_s: u64, expires_s: i64) -> Lease {
        let mut bytes = [0; Lease::LEN];
        (bytes[0], bytes[1]) = (Kind::Lease as u8, LAYOUT_VERSION);
        bytes[Lease::STATE_AT] = LeaseState::Open as u8;
        let mut lease = Lease::decode(&bytes).unwrap();
        lease.gross_rate = ionet_ledger::interface::Rate(3_600);
        lease.deposit = BaseUnits(funded_s);
        lease.changed_at = Timestamp(NOW);
        lease.seen_at = Timestamp(NOW);
        lease.expires_at = Timestamp(NOW + expires_s);
        lease
    }

    #[test]
    fn half_an_hour_is_added_ten_minutes_before_the_end() {
        let lease = lease(3_000, 100_000);
        let at = |s: i64| due(&lease, Timestamp(NOW + s), u64::MAX, u64::MAX);
        assert_eq!(at(2_400), None);
        assert_eq!(at(2_401), Some(1_800));
        assert_eq!(at(9_000), Some(1_800), "in the grace period too");
    }

    #[test]
    fn never_more_than_leave_money_or_time() {
        let lease = |expires| lease(60, expires);
        let at = |expires, leave, held| due(&lease(expires), Timestamp(NOW), leave, held);
        assert_eq!(at(100_000, 700, 10_000), Some(700));
        assert_eq!(at(100_000, 10_000, 5), Some(5));
        assert_eq!(at(100_000, 0, 10_000), None);
        assert_eq!(at(90, 10_000, 10_000), Some(30), "what the rest of its time costs");
        assert_eq!(at(60, 10_000, 10_000), None, "its time ends with its money");
    }

    #[test]
    fn nothing_runs_nothing_is_added() {
        let mut idle = lease(60, 100_000);
        idle.gross_rate = ionet_ledger::interface::Rate(0);
        assert_eq!(due(&idle, Timestamp(NOW), 10_000, 10_000), None);
        let mut closed = lease(60, 100_000);
        closed.state = LeaseState::Closed;
        assert_eq!(due(&closed, Timestamp(NOW), 10_000, 10_000), None);
    }
}
