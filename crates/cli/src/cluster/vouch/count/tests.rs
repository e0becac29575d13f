use super::*;
use ionet_ledger::interface::Rate;
use ionet_ledger::interface::account::{Kind, LAYOUT_VERSION, LeaseState, Line};

const NOW: i64 = 1_800_000_000;

/// A lease that was opened at [`NOW`] and whose clock runs.
fn lease() -> Lease {
    let mut bytes = [0; Lease::LEN];
    (bytes[0], bytes[1]) = (Kind::Lease as u8, LAYOUT_VERSION);
    bytes[Lease::STATE_AT] = LeaseState::Open as u8;
    let mut lease = Lease::decode(&bytes).unwrap();
    (lease.changed_at, lease.seen_at) = (Timestamp(NOW), Timestamp(NOW));
    lease.expires_at = Timestamp(NOW + 1_000_000);
    lease
}

/// A line of the device `n` that started when the lease's clock showed `v_start`.
fn line(n: u8, v_start: u64) -> PlacedLine {
    let line = Line {
        device: [n; 32],
        payout_owner: [9; 32],
        rate: Rate(1),
        generation: 4,
        bound_at: Timestamp(NOW),
        started_at: Timestamp(NOW + v_start as i64),
        v_start: Seconds(v_start),
        v_end: Seconds(0),
        served: Seconds(0),
        paid: ionet_ledger::interface::BaseUnits(0),
        units: 1,
        state: LineState::Started,
        reserved: [0; 5],
    };
    PlacedLine { page: 0, index: n, line }
}

fn look(counts: &mut Counts, at_s: i64, lines: &[PlacedLine], alive: &[u8]) -> Vec<u64> {
    let alive = alive.iter().map(|n| DeviceId([*n; 32])).collect();
    counts.look(At(at_s * 1_000), Timestamp(NOW + at_s), &lease(), lines, &alive);
    counts.seen().iter().map(|s| s.served_s).collect()
}

#[test]
fn only_what_was_seen_counts_and_never_the_clocks_last_seconds() {
    let (mut counts, lines) = (Counts::default(), [line(1, 100), line(2, 100)]);
    // Both began ten seconds ago; one is there.
    assert_eq!(look(&mut counts, 110, &lines, &[1]), [8]);
    // The other's first seconds were not seen, and are not made up for.
    assert_eq!(look(&mut counts, 115, &lines, &[1, 2]), [13]);
    assert_eq!(look(&mut counts, 120, &lines, &[1, 2]), [18, 5]);
    // A long gap counts for three looks.
    assert_eq!(look(&mut counts, 220, &lines, &[1, 2]), [33, 20]);
    // Silence is no service.
    assert_eq!(look(&mut counts, 225, &lines, &[]), [33, 20]);
    assert_eq!(look(&mut counts, 230, &lines, &[1]), [33, 20]);
    assert_eq!(look(&mut counts, 235, &lines, &[1]), [38, 20]);
}

#[test]
fn a_line_that_ran_for_long_unseen_earns_nothing_for_it() {
    let mut counts = Counts::default();
    assert!(look(&mut counts, 160, &[line(1, 100)], &[1]).is_empty());
    assert_eq!(look(&mut counts, 165, &[line(1, 100)], &[1]), [5]);
}

#[test]
fn another_process_goes_on_where_the_last_one_signed() {
    let line = line(1, 100);
    let mut counts = Counts::resume(&[Seen { line: name(&line), served_s: 40 }]);
    assert_eq!(look(&mut counts, 200, std::slice::from_ref(&line), &[1]), [40]);
    assert_eq!(look(&mut counts, 205, std::slice::from_ref(&line), &[1]), [45]);
    // Of another generation nothing was signed.
    let mut other = line.clone();
    other.line.generation = 5;
    let mut counts = Counts::resume(&[Seen { line: name(&line), served_s: 40 }]);
    assert!(look(&mut counts, 200, &[other], &[1]).is_empty());
}

#[test]
fn what_ended_or_was_refused_or_did_not_start_is_left_alone() {
    let mut counts = Counts::default();
    let with = |state| {
        let mut placed = line(1, 100);
        placed.line.state = state;
        placed
    };
    assert!(look(&mut counts, 105, &[with(LineState::Bound)], &[1]).is_empty());
    assert!(look(&mut counts, 105, &[with(LineState::Rejected)], &[1]).is_empty());
    assert_eq!(look(&mut counts, 110, &[with(LineState::Started)], &[1]), [8]);
    let mut ended = with(LineState::Ended);
    ended.line.v_end = Seconds(112);
    assert_eq!(look(&mut counts, 115, &[ended], &[1]), [8]);
}
