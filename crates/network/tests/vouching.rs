//! Who vouches, when, and what happens while nobody does; deposits that end and are filled again.

mod common;

use common::*;
use ionet_core::{PartState, Vouch, Wallet};
use ionet_network::limits::*;
use ionet_network::*;
use ionet_units::BaseUnits;

const SESSION: Wallet = Wallet([0x5e; 32]);

/// A ready cluster of two devices for which only the session key vouches, `accept_s` seconds of
/// acceptance.
fn session_lease(accept_s: u8) -> World {
    let mut w = World::new();
    for n in 1..=2 {
        w.join(n, 40_000);
    }
    let spec = ionet_core::ClusterSpec { vouch: Vouch::Session, ..spec(2) };
    w.request(1, spec);
    let mut view = w.view(1);
    (view.terms.session, view.terms.accept_s) = (Some(SESSION), accept_s);
    w.tell(Command::LeaseSeen { cluster: cluster_id(1), view: Box::new(view) });
    w.bind(1);
    w.all_serve(1);
    w.start_and_end();
    assert_eq!(w.state(1), "ready");
    all_told(&mut w);
    w
}

fn all_told(w: &mut World) {
    let cluster = w.facts.clusters[&cluster_id(1)].clone();
    for (_, seat) in cluster.seats() {
        let told = (seat.generation, cluster.membership);
        w.soft.told.insert((cluster.id, seat.device), told);
    }
}

fn still_serve(w: &mut World) {
    for n in w.seats(1) {
        let parts = w.soft.heard[&device_id(n)].parts.clone();
        w.hear(n, parts);
    }
}

#[test]
fn the_renters_client_vouches_leaves_and_does_not_come_back() {
    let mut w = session_lease(0);
    let cluster = cluster_id(1);
    w.text.clear();
    w.say("The client vouches; the coordinator has nothing to attest.");
    w.pass(30_000);
    still_serve(&mut w);
    w.soft.vouched.insert(cluster, w.now);
    w.plan();
    w.say("It falls silent: the renter is told after a tenth of the grace period.");
    w.pass(VOUCH_GRACE_MS / VOUCH_TOLD_PART);
    still_serve(&mut w);
    w.records();
    w.plan();
    w.say("It is back.");
    w.pass(10_000);
    still_serve(&mut w);
    w.soft.vouched.insert(cluster, w.now);
    w.records();
    w.say("It leaves for good.");
    w.pass(VOUCH_GRACE_MS - 1);
    still_serve(&mut w);
    w.records();
    assert_eq!(w.state(1), "ready");
    w.pass(1);
    w.records();
    assert_eq!(w.state(1), "stopping");
    w.close_on_chain(1);
    for n in 1..=2 {
        w.hear(n, Vec::new());
    }
    assert_eq!(w.state(1), "closed");
    w.say("What it vouched for is claimed with its receipts, and drawn.");
    w.plan();
    let lines = (0..2).map(|index| AttestedLine { index, served_s: 30 }).collect();
    w.tell(Command::Attested { cluster, page: 0, lines, last: true });
    w.plan();
    w.golden("the_renters_client_vouches_leaves_and_does_not_come_back");
}

#[test]
fn a_deposit_runs_out_and_is_filled_in_the_grace_period() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.ready(1, 1);
    all_told(&mut w);
    w.text.clear();
    let cluster = cluster_id(1);
    let clock = |deposit: u64, committed: u64, runs_until: At| LeaseClockView {
        deposit: BaseUnits(deposit),
        committed: BaseUnits(committed),
        runs_until,
        stood_s: 0,
    };
    let ends = w.now.plus_ms(600_000);
    w.say("Less than a fifth is left, for ten minutes.");
    w.soft.leases.insert(cluster, clock(1_000, 801, ends));
    w.records();
    w.say("Then for less than five, and for less than one.");
    for wait in [300_001, 240_000] {
        w.pass(wait);
        still_serve(&mut w);
        w.records();
    }
    w.say("It is used up: parts go on for the grace period, unpaid.");
    w.pass(59_999);
    still_serve(&mut w);
    w.records();
    assert_eq!(w.state(1), "ready");
    w.say("Money comes in: nothing stops, and the next warning is about the new deposit.");
    w.pass(DEPOSIT_GRACE_MS - 1);
    still_serve(&mut w);
    let mut view = w.view(1);
    view.terms.deposit = BaseUnits(view.terms.deposit.0 + 500);
    let deposit = view.terms.deposit.0;
    w.tell(Command::LeaseSeen { cluster, view: Box::new(view) });
    w.soft.leases.insert(cluster, clock(deposit, 1_000, w.now.plus_ms(270_000)));
    w.pass(10_000);
    still_serve(&mut w);
    w.records();
    assert_eq!(w.state(1), "ready");
    w.say("Nothing more comes: it ends.");
    w.pass(260_000 + DEPOSIT_GRACE_MS);
    still_serve(&mut w);
    w.records();
    w.plan();
    w.golden("a_deposit_runs_out_and_is_filled_in_the_grace_period");
}

#[test]
fn only_the_renters_side_vouches_for_a_session_lease() {
    let w = session_lease(0);
    let terms = w.facts.clusters[&cluster_id(1)].terms.clone().unwrap();
    let whose = |vouch| LeaseTerms { vouch, ..terms.clone() }.vouchers(COORDINATOR, renter(1));
    assert_eq!(whose(Vouch::Session), [SESSION, renter(1)]);
    assert_eq!(whose(Vouch::Coordinator), [COORDINATOR]);
    assert_eq!(whose(Vouch::Either), [COORDINATOR, SESSION, renter(1)]);
    // However long it runs, the coordinator's own word is never sent.
    let mut w = w;
    for _ in 0..5 {
        w.pass(ATTEST_INTERVAL_MS);
        w.soft.vouched.insert(cluster_id(1), w.now);
        still_serve(&mut w);
        let steps = w.plan().steps;
        assert!(!steps.iter().any(|s| matches!(s, Step::Attest { .. })), "{steps:?}");
    }
}

#[test]
fn a_young_coordinator_waits_for_the_renters_client_anew() {
    let mut w = session_lease(0);
    w.pass(4 * VOUCH_GRACE_MS);
    w.soft.started_at = w.now;
    let heard = w.soft.heard.clone();
    w.soft.heard = heard.into_keys().map(|d| (d, Heard { at: w.now, parts: vec![] })).collect();
    let ends = |w: &mut World| {
        let closes = |s: &Step| match s {
            Step::Record(command) => matches!(**command, Command::CloseRequested { .. }),
            _ => false,
        };
        w.plan().steps.iter().any(closes)
    };
    assert!(!ends(&mut w), "while it was away nobody could be heard");
    w.pass(VOUCH_GRACE_MS);
    assert!(ends(&mut w));
}

/// Attestations that a plan holds: page, how many lines, whether for the last time.
fn attests(w: &mut World) -> Vec<(usize, bool)> {
    let of = |step: Step| match step {
        Step::Attest { lines, last, .. } => Some((lines.len(), last)),
        _ => None,
    };
    w.plan().steps.into_iter().filter_map(of).collect()
}

#[test]
fn nothing_is_vouched_for_on_the_chain_in_a_lines_acceptance_window() {
    const ACCEPT_S: u8 = 90;
    let mut w = World::new();
    for n in 1..=3 {
        w.join(n, 40_000);
    }
    w.request(1, spec(2));
    let mut view = w.view(1);
    view.terms.accept_s = ACCEPT_S;
    w.tell(Command::LeaseSeen { cluster: cluster_id(1), view: Box::new(view) });
    w.bind(1);
    w.all_serve(1);
    w.start_and_end();
    all_told(&mut w);
    w.pass(ATTEST_INTERVAL_MS - 1_000);
    still_serve(&mut w);
    assert_eq!(attests(&mut w), []);
    // One device is replaced shortly before the page is due: its substitute is not named yet.
    let line = w.facts.clusters[&cluster_id(1)].seats().nth(1).unwrap().1.line.unwrap();
    w.tell(Command::LinesEnded { cluster: cluster_id(1), lines: vec![line] });
    w.bind(1);
    w.all_serve(1);
    w.start_and_end();
    w.pass(1_000);
    assert_eq!(attests(&mut w), [(2, false)], "the old lines, not the substitute's");
    // Closed at once: the last word waits for the substitute's window, and is then about all.
    w.close_on_chain(1);
    assert_eq!(attests(&mut w), []);
    let started = w.facts.clusters[&cluster_id(1)].lines.values();
    let newest = started.filter_map(|l| l.state.started()).max().unwrap();
    let from = newest.plus_ms((u64::from(ACCEPT_S) + 1) * 1_000);
    if let Money::Closed { claims_until, .. } =
        &mut w.facts.clusters.get_mut(&cluster_id(1)).unwrap().money
    {
        *claims_until = from.plus_ms(60_000);
    }
    w.now = At(from.0 - 1);
    assert_eq!(attests(&mut w), []);
    w.now = from;
    assert_eq!(attests(&mut w), [(3, true)]);
}

#[test]
fn a_first_deposit_may_be_small_but_not_smaller_than_the_shortest_lease() {
    let take = |seconds: u64, less: u64| {
        let mut w = World::new();
        w.join(1, 40_000);
        let quote = w.request(1, spec(1));
        let first = deposit_needed(1, quote.rate_total_max, ionet_units::Seconds(seconds));
        let mut view = w.view(1);
        view.terms.deposit = BaseUnits(first.unwrap().0 - less);
        w.tell(Command::LeaseSeen { cluster: cluster_id(1), view: Box::new(view) });
        w.state(1)
    };
    assert_eq!(take(FIRST_DEPOSIT_S_MIN, 0), "starting");
    assert_eq!(take(FIRST_DEPOSIT_S_MIN, 1), "failed");
}

proptest::proptest! {
    /// Whatever is heard when: a cluster ends for want of a word only after a whole grace
    /// period without one, and then it does.
    #[test]
    fn silence_ends_a_cluster_after_the_grace_period_and_not_before(
        words in proptest::collection::vec((1u64..VOUCH_GRACE_MS * 2, proptest::bool::ANY), 1..12),
    ) {
        let mut w = session_lease(0);
        let mut heard = w.now;
        for (wait, word) in words {
            w.pass(wait);
            if word && w.state(1) == "ready" {
                // A word counts from when it came; what was due before it is due still.
                let late = w.now.ms_since(heard) >= VOUCH_GRACE_MS;
                if !late {
                    w.soft.vouched.insert(cluster_id(1), w.now);
                    heard = w.now;
                }
            }
            for n in 1..=2 {
                w.soft.heard.get_mut(&device_id(n)).unwrap().at = w.now;
            }
            w.records();
            let over = w.now.ms_since(heard) >= VOUCH_GRACE_MS;
            let state = w.state(1);
            proptest::prop_assert_eq!(state == "ready", !over, "{}", state);
            if over {
                break;
            }
        }
    }
}

#[test]
fn a_part_that_is_pulled_needs_no_word() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.request(1, ionet_core::ClusterSpec { vouch: Vouch::Session, ..spec(1) });
    w.fund(1);
    w.bind(1);
    w.pass(PULL_MS_MAX);
    w.hear_part(1, 1, PartState::Starting);
    w.records();
    assert_eq!(w.state(1), "starting", "nothing is served yet");
}

/// What becomes of a lease with these windows, in seconds.
fn funded(accept_s: u8, claim_window_s: u64) -> World {
    let mut w = World::new();
    w.join(1, 40_000);
    w.request(1, spec(1));
    let mut view = w.view(1);
    (view.terms.accept_s, view.claim_window_s) = (accept_s, claim_window_s);
    w.tell(Command::LeaseSeen { cluster: cluster_id(1), view: Box::new(view) });
    w
}

#[test]
fn no_work_is_given_under_a_lease_whose_renter_can_leave_before_anybody_may_vouch() {
    let refused = |accept_s, claim_window_s| {
        let w = funded(accept_s, claim_window_s);
        match &w.facts.clusters[&cluster_id(1)].state {
            ClusterState::Failed { reason: EndReason::LeaseMismatch { mismatch }, .. } => {
                let none = plan(&w.facts, &w.soft, w.now).steps;
                assert!(matches!(none[..], [Step::CloseLease { .. }]), "{none:?}");
                Some(mismatch.clone())
            }
            state => {
                assert!(matches!(state, ClusterState::Starting { .. }), "{state:?}");
                None
            }
        }
    };
    for (claim_window_s, most_s) in [(60, 45), (16, 1), (15, 0), (1, 0), (86_400, u8::MAX)] {
        assert_eq!(accept_s_max(claim_window_s), most_s);
        assert_eq!(refused(most_s, claim_window_s), None, "{claim_window_s}");
        let Some(found_s) = most_s.checked_add(1) else { continue };
        let why = LeaseMismatch::Acceptance { found_s, most_s, claim_window_s };
        assert!(why.to_string().contains(&format!("at most {most_s} s")), "{why}");
        assert_eq!(refused(found_s, claim_window_s), Some(why));
    }
    // Old words of the log are read, and the new ones too.
    let why = LeaseMismatch::Acceptance { found_s: 46, most_s: 45, claim_window_s: 60 };
    let reason = EndReason::LeaseMismatch { mismatch: why };
    let event = Event::ClusterFailed { cluster: cluster_id(1), reason };
    assert_eq!(Event::from_json(1, &event.to_json()).unwrap(), event);
}

#[test]
fn who_leaves_in_the_first_instant_leaves_time_to_vouch_for_all() {
    let (claim_window_s, accept_s) = (60, accept_s_max(60));
    let mut w = funded(accept_s, claim_window_s);
    w.bind(1);
    w.all_serve(1);
    w.start_and_end();
    let started = w.facts.clusters[&cluster_id(1)].first_start().unwrap();
    w.close_on_chain(1);
    let claims_until = started.plus_ms(claim_window_s * 1_000);
    if let Money::Closed { claims_until: until, .. } =
        &mut w.facts.clusters.get_mut(&cluster_id(1)).unwrap().money
    {
        *until = claims_until;
    }
    w.now = At(started.0 + (i64::from(accept_s) + 1) * 1_000 - 1);
    assert_eq!(attests(&mut w), [], "nobody may vouch yet");
    for now in [w.now.plus_ms(1), At(claims_until.0 - 1)] {
        w.now = now;
        assert_eq!(attests(&mut w), [(1, true)]);
    }
    assert!(claims_until.ms_since(started) > u64::from(accept_s) * 1_000 + 10_000);
}
