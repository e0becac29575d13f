//! Single rules: silence, sessions, quotes, leases, restarts.

mod common;

use common::*;
use ionet_core::{PartState, Wallet};
use ionet_market_interface::LeaseClock;
use ionet_network::limits::*;
use ionet_network::*;
use ionet_units::{BaseUnits, Bps, Rate, Seconds, Timestamp};
use proptest::prelude::*;

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::kind).collect()
}

fn lost(w: &World) -> usize {
    let is_loss = |c: &Command| matches!(c, Command::DeviceLost { .. });
    liveness::verdicts(&w.facts, &w.soft, w.now).iter().filter(|c| is_loss(c)).count()
}

#[test]
fn one_silent_device_is_suspected_then_lost() {
    let mut w = World::new();
    for n in 1..=8 {
        w.join(n, 40_000);
    }
    w.ready(1, 3);
    let hear_all_but = |w: &mut World, silent: u8| {
        for n in (1..=8).filter(|n| *n != silent) {
            w.soft.heard.get_mut(&device_id(n)).unwrap().at = w.now;
        }
    };
    w.pass(3 * HIRED_INTERVAL_MS + 1);
    hear_all_but(&mut w, 2);
    let verdicts = liveness::verdicts(&w.facts, &w.soft, w.now);
    assert!(matches!(verdicts[..], [Command::DeviceSilent { .. }]), "{verdicts:?}");
    w.pass(LOST_HIRED_MS);
    hear_all_but(&mut w, 2);
    assert_eq!(lost(&w), 1);
}

#[test]
fn a_device_that_stopped_its_part_is_expected_as_seldom_as_an_idle_one() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.ready(1, 1);
    w.hear_part(1, 1, PartState::Stopped);
    assert!(w.facts.devices[&device_id(1)].is_hired(), "the cluster holds it still");
    w.pass(3 * HIRED_INTERVAL_MS + 1);
    assert_eq!(liveness::verdicts(&w.facts, &w.soft, w.now), []);
    w.pass(3 * IDLE_INTERVAL_MS);
    assert_eq!(liveness::verdicts(&w.facts, &w.soft, w.now).len(), 1, "but not for ever");
}

#[test]
fn nothing_is_lost_while_the_coordinator_is_young() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.ready(1, 1);
    w.pass(10 * LOST_HIRED_MS);
    w.soft = Soft { started_at: w.now, ..Soft::default() };
    assert_eq!(lost(&w), 0);
    w.pass(START_GRACE_MS);
    assert_eq!(lost(&w), 0, "silence counts from the coordinator's own start");
    w.pass(1);
    assert_eq!(lost(&w), 1);
}

#[test]
fn a_silent_region_is_our_fault_and_losses_are_capped() {
    let mut w = World::new();
    for n in 1..=60 {
        w.join(n, 40_000);
    }
    w.ready(1, 60);
    w.pass(LOST_HIRED_MS + 1);
    assert_eq!(lost(&w), 0, "all sixty at once");
    for n in 18..=60 {
        w.soft.heard.get_mut(&device_id(n)).unwrap().at = w.now;
    }
    assert_eq!(lost(&w), 17, "17 of 60 are below 30 %");
    // Sixty machines elsewhere make the same silence a small part; the cap bounds it then.
    for n in 18..=25 {
        w.soft.heard.get_mut(&device_id(n)).unwrap().at = At(0);
    }
    for n in 61..=150 {
        w.join(n, 40_000);
    }
    assert_eq!(lost(&w), REPLACEMENTS_PER_MINUTE_MAX);
    for verdict in liveness::verdicts(&w.facts, &w.soft, w.now) {
        w.tell(verdict);
    }
    assert_eq!(lost(&w), 0, "the minute's share is used up");
    w.pass(60_000);
    for n in (26..=150).filter(|n| w.facts.devices.contains_key(&device_id(*n))) {
        w.soft.heard.get_mut(&device_id(n)).unwrap().at = w.now;
    }
    assert_eq!(lost(&w), 5);
}

#[test]
fn sessions_are_numbered_and_a_cloned_disk_shows() {
    let mut w = World::new();
    w.join(1, 40_000);
    let device = device_id(1);
    let hello = |last_session| Command::OpenSession {
        device,
        last_session,
        inventory: inventory(1).into(),
    };
    w.tell(hello(1));
    assert_eq!(w.facts.devices[&device].session, 2);
    let old = Command::DeviceReport { device, session: 1, parts: Vec::new() };
    assert!(matches!(w.try_tell(old), Err(Rejection::StaleSession { current: 2, .. })));
    // The end of a fenced session says nothing about the newer one.
    let silent_since = w.now;
    assert!(w.tell(Command::SessionClosed { device, session: 1, silent_since }).is_empty());
    // One lost number is an accident; taking turns is two machines.
    w.tell(hello(1));
    w.tell(hello(3));
    assert_eq!(w.facts.devices[&device].stale_hellos, 0);
    w.tell(hello(1));
    w.tell(hello(1));
    assert_eq!(kinds(&w.tell(hello(1))), ["clone-suspected"]);
    assert_eq!(w.facts.state_of(device, w.now).unwrap(), DeviceState::Cloned);
    assert!(matches!(w.try_tell(hello(6)), Err(Rejection::Cloned(_))));
    w.tell(Command::ClearClone { device });
    assert_eq!(kinds(&w.tell(hello(6))), ["session-opened"]);
}

#[test]
fn another_wallet_cannot_take_a_device() {
    let mut w = World::new();
    w.join(1, 40_000);
    let take = |w: &mut World| {
        let (device, owner, inventory) = (device_id(1), Wallet([1; 32]), inventory(1).into());
        let terms = device_terms(1, 1);
        w.try_tell(Command::EnrolDevice { device, owner, inventory, terms })
    };
    assert!(matches!(take(&mut w), Err(Rejection::OtherOwner { .. })));
    w.tell(Command::UpdateTerms { device: device_id(1), terms: None });
    assert_eq!(kinds(&take(&mut w).unwrap()), ["device-enrolled"]);
    assert_eq!(w.facts.devices[&device_id(1)].session, 1, "old sessions stay fenced");
}

#[test]
fn requests_that_do_not_hold_together_are_refused() {
    let mut w = World::new();
    w.join(1, 40_000);
    let quote = w.request(1, spec(1));
    let request = |w: &mut World, c: u8, edit: &dyn Fn(&mut NewCluster)| {
        let mut new = new_cluster(c, spec(1), quote.clone());
        edit(&mut new);
        w.try_tell(Command::RequestCluster(Box::new(new)))
    };
    assert_eq!(request(&mut w, 1, &|_| ()).unwrap(), [], "the same again is known");
    let other = request(&mut w, 1, &|new| new.spec.name = Some("x".into()));
    assert!(matches!(other, Err(Rejection::ClusterExists(_))));
    let stolen = request(&mut w, 2, &|new| new.lease = lease_of(9));
    assert!(matches!(stolen, Err(Rejection::WrongId)));
    let larger = request(&mut w, 2, &|new| new.spec.devices = 2);
    assert!(matches!(larger, Err(Rejection::QuoteMismatch)));
    for c in 2..=QUOTED_PER_RENTER_MAX as u8 {
        request(&mut w, c, &|new| new.renter = renter(1)).unwrap();
    }
    let flood = request(&mut w, 99, &|new| new.renter = renter(1));
    assert!(matches!(flood, Err(Rejection::TooManyQuoted { waiting: 16, max: 16 })));
    w.pass(QUOTE_LIFE_MS);
    let late = request(&mut w, 50, &|_| ());
    assert!(matches!(late, Err(Rejection::QuoteExpired { .. })));
}

#[test]
fn a_lease_that_is_not_as_quoted_is_refunded() {
    type Edit = fn(&mut LeaseView);
    let edits: [(Edit, &str); 7] = [
        (|v| v.policy_hash = [0; 32], "policy hash"),
        (|v| v.terms.deposit = BaseUnits(600), "deposit"),
        (|v| v.renter = Wallet([7; 32]), "wallet"),
        (|v| v.terms.slots_max = 9, "slots"),
        (|v| v.terms.vouch = ionet_core::Vouch::Session, "vouch"),
        (|v| v.claim_window_s = 0, "at most 0 s"),
        (|v| v.terms.rate_per_slot_max = Rate(1), "asks more than 0.000001 USDC"),
    ];
    for (edit, says) in edits {
        let mut w = World::new();
        w.join(1, 40_000);
        w.request(1, spec(1));
        let mut view = w.view(1);
        view.terms.accept_s = 30;
        edit(&mut view);
        w.tell(Command::LeaseSeen { cluster: cluster_id(1), view: Box::new(view) });
        let ClusterState::Failed { reason, .. } = &w.facts.clusters[&cluster_id(1)].state else {
            panic!("{says}: {}", w.state(1))
        };
        assert!(reason.to_string().contains(says), "{reason}");
        let steps = w.plan().steps;
        assert!(matches!(steps[..], [Step::CloseLease { .. }]), "{steps:?}");
    }
    let mut w = World::new();
    w.join(1, 40_000);
    w.request(1, spec(1));
    let mut view = w.view(1);
    view.coordinator = Wallet([9; 32]);
    let foreign = w.try_tell(Command::LeaseSeen { cluster: cluster_id(1), view: view.into() });
    assert!(matches!(foreign, Err(Rejection::OtherLease(_))), "not ours to close");
}

#[test]
fn a_lease_that_comes_too_late_is_refunded() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.request(1, spec(1));
    w.pass(QUOTE_LIFE_MS + FUNDING_GRACE_MS);
    w.records();
    assert_eq!((w.state(1), w.facts.devices[&device_id(1)].holds.len()), ("closed", 0));
    w.fund(1);
    assert_eq!(w.state(1), "closed");
    let steps = w.plan().steps;
    assert!(steps.iter().any(|s| matches!(s, Step::CloseLease { .. })), "{steps:?}");
}

#[test]
fn a_start_that_takes_too_long_is_refunded() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.request(1, spec(1));
    w.fund(1);
    w.bind(1);
    w.pass(PULL_MS_MAX + START_MS_MAX);
    w.hear(1, Vec::new());
    w.records();
    assert_eq!(w.state(1), "stopping");
    w.close_on_chain(1);
    w.hear(1, Vec::new());
    let ClusterState::Failed { reason, .. } = &w.facts.clusters[&cluster_id(1)].state else {
        panic!("{}", w.state(1))
    };
    assert!(reason.to_string().contains("1 of 1 parts not running"), "{reason}");
}

#[test]
fn an_image_that_no_device_can_pull_fails_with_its_reason() {
    let mut w = World::new();
    for n in 1..=5 {
        w.join(n, 40_000);
    }
    w.request(1, spec(2));
    w.fund(1);
    for _ in 0..3 {
        w.bind(1);
        let n = w.seats(1)[0];
        let reason = "no such image: nowhere/nothing".to_owned();
        w.hear_part(n, 1, PartState::Failed { reason });
        if w.state(1) != "starting" {
            break;
        }
        w.start_and_end();
    }
    let ClusterState::Stopping { reason, .. } = &w.facts.clusters[&cluster_id(1)].state else {
        panic!("{}", w.state(1))
    };
    assert!(reason.to_string().contains("nowhere/nothing"), "{reason}");
}

#[test]
fn a_worker_that_ends_is_restarted_then_replaced() {
    let mut w = World::new();
    for n in 1..=4 {
        w.join(n, 40_000);
    }
    w.ready(1, 3);
    let worker = w.seats(1)[1];
    let exit = || PartState::Exited { code: Some(137), tail: "Killed".into() };
    for round in 1..=3u32 {
        w.hear_part(worker, 1, exit());
        let seat = w.facts.clusters[&cluster_id(1)].seat_of(device_id(worker)).unwrap().1.clone();
        assert_eq!(seat.generation, round + 1);
        assert!(seat.line.is_some(), "its line goes on; only its seconds stand still");
        w.hear_part(worker, 1, PartState::Running);
        assert_eq!(w.state(1), "ready");
    }
    w.hear_part(worker, 1, exit());
    assert_eq!(w.seats(1)[1], 4);
    assert!(w.facts.clusters[&cluster_id(1)].excluded.contains(&device_id(worker)));
}

#[test]
fn meters_start_only_when_ray_counts_everyone() {
    let mut w = World::new();
    for n in 1..=3 {
        w.join(n, 40_000);
    }
    w.request(1, spec(3));
    w.fund(1);
    w.bind(1);
    let starts = |w: &mut World| {
        let steps = w.plan().steps;
        steps.iter().filter(|step| matches!(step, Step::StartLines { .. })).count()
    };
    let head = w.seats(1)[0];
    w.hear_part(head, 1, PartState::Ready { alive_nodes: Some(1) });
    assert_eq!(starts(&mut w), 0, "two workers are missing");
    for n in w.seats(1).into_iter().skip(1) {
        w.hear_part(n, 1, PartState::Running);
    }
    assert_eq!(starts(&mut w), 0, "Ray does not count them yet");
    w.hear_part(head, 1, PartState::Ready { alive_nodes: Some(3) });
    assert_eq!(starts(&mut w), 1);
}

#[test]
fn a_part_is_told_its_share_and_its_neighbours() {
    let mut w = World::new();
    w.join_with(1, inventory(2), device_terms(2, 40_000));
    w.join(2, 40_000);
    w.ready(1, 2);
    let spec = w.facts.part_spec(cluster_id(1), device_id(1)).unwrap();
    assert_eq!((spec.chips, spec.slice.cpu_milli, spec.slice.memory_bytes), (1, 1_000, 2 << 30));
    let addresses: Vec<_> = spec.membership.members.iter().map(|m| m.ip.octets()[3]).collect();
    assert_eq!(addresses, [2, 3]);
    let head = spec.membership.head().unwrap();
    assert_eq!(head.device, device_id(w.seats(1)[0]));
    assert_eq!(w.facts.part_spec(cluster_id(1), device_id(9)), None);
}

#[test]
fn one_substitute_serves_one_of_two_bereaved_clusters() {
    let mut w = World::new();
    w.join_with(1, inventory(2), device_terms(2, 40_000));
    for c in [1, 2] {
        w.ready(c, 1);
    }
    w.join(2, 40_000);
    let (device, silent_since) = (device_id(1), w.now);
    let events = w.tell(Command::DeviceLost { device, silent_since });
    let placed = kinds(&events).iter().filter(|kind| **kind == "placed").count();
    assert_eq!((placed, w.seats(1).len() + w.seats(2).len()), (1, 1));
}

#[test]
fn a_substitute_keeps_within_the_total_that_the_renter_signed() {
    let mut w = World::new();
    w.join(1, 30_000);
    w.join(2, 40_000);
    w.request(1, spec(2));
    let mut view = w.view(1);
    view.terms.rate_per_slot_max = Rate(45_000);
    view.terms.rate_total_max = Rate(73_000);
    w.tell(Command::LeaseSeen { cluster: cluster_id(1), view: Box::new(view) });
    w.bind(1);
    w.all_serve(1);
    w.start_and_end();
    assert_eq!(w.state(1), "ready");
    w.join(3, 41_000);
    let (device, silent_since) = (device_id(1), w.now);
    w.tell(Command::DeviceLost { device, silent_since });
    let cluster = &w.facts.clusters[&cluster_id(1)];
    let (_, refusal) = cluster.refusal.as_ref().unwrap();
    assert!(refusal.to_string().contains("over the ceiling of 0.032200 USDC"), "{refusal}");
    w.join(4, 31_000);
    w.pass(SUBSTITUTE_RETRY_MS);
    w.tell(Command::FillSlots { cluster: cluster_id(1) });
    assert_eq!(w.seats(1).len(), 2);
    assert!(w.seats(1).contains(&4));
}

#[test]
fn a_device_whose_old_part_still_stops_is_not_taken_again() {
    let mut w = World::new();
    w.join_with(1, inventory(2), device_terms(2, 40_000));
    w.join(2, 40_000);
    w.ready(1, 2);
    let (device, silent_since) = (device_id(1), w.now);
    w.tell(Command::DeviceLost { device, silent_since });
    w.start_and_end();
    let id = ionet_core::PartId { cluster: cluster_id(1), generation: 1 };
    let part = ionet_core::PartStatus { id, state: PartState::Running, started_at: None };
    w.pass(SUBSTITUTE_RETRY_MS);
    w.hear(1, vec![part]);
    let fill = Command::FillSlots { cluster: cluster_id(1) };
    assert!(matches!(w.try_tell(fill.clone()), Err(Rejection::NoCapacity(_))));
    w.hear(1, Vec::new());
    w.tell(fill);
    assert_eq!(w.seats(1).len(), 2, "once it stopped, it may serve again");
}

#[test]
fn a_device_that_comes_back_in_time_goes_on() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.ready(1, 1);
    let (device, silent_since) = (device_id(1), w.now);
    w.tell(Command::DeviceSilent { device, silent_since });
    assert_eq!(w.facts.state_of(device, w.now).unwrap(), DeviceState::Suspect);
    let before = w.facts.clusters[&cluster_id(1)].clone();
    w.hear_part(1, 1, PartState::Ready { alive_nodes: Some(1) });
    assert_eq!(w.facts.state_of(device, w.now).unwrap(), DeviceState::Hired);
    assert_eq!(w.facts.clusters[&cluster_id(1)], before);
}

#[test]
fn the_end_of_money_or_time_ends_a_cluster() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.ready(1, 1);
    let cluster = cluster_id(1);
    let runs_until = w.now.plus_ms(DEPOSIT_LOW_MS);
    let (deposit, committed) = (BaseUnits(1_000), BaseUnits(800));
    let view = LeaseClockView { deposit, committed, runs_until, stood_s: 0 };
    w.soft.leases.insert(cluster, view);
    w.soft.told.insert((cluster, device_id(1)), (1, 1));
    assert!(w.plan().steps.is_empty());
    for (wait, level) in [
        (1, DepositLevel::FiveMinutes),
        (DEPOSIT_LOW_MS - DEPOSIT_LAST_MS, DepositLevel::OneMinute),
        (DEPOSIT_LAST_MS, DepositLevel::Spent),
    ] {
        w.pass(wait);
        w.soft.heard.get_mut(&device_id(1)).unwrap().at = w.now;
        w.records();
        assert_eq!(w.facts.clusters[&cluster].low_warned, Some((deposit, level)));
        assert!(w.plan().steps.is_empty(), "one warning for one deposit and level");
    }
    w.pass(DEPOSIT_GRACE_MS - 2);
    w.soft.heard.get_mut(&device_id(1)).unwrap().at = w.now;
    assert!(w.plan().steps.is_empty(), "the grace period lasts to its end");
    w.pass(1);
    w.records();
    assert!(matches!(
        w.facts.clusters[&cluster].state,
        ClusterState::Stopping { reason: EndReason::DepositSpent, .. }
    ));
}

#[test]
fn the_quote_counts_every_cent() {
    let mut w = World::new();
    for (n, ask) in [(1, 40_000), (2, 50_000), (3, 60_000)] {
        w.join(n, ask);
    }
    let of = |spec: &ionet_core::ClusterSpec| {
        quote(spec, &w.facts.candidates(w.now), w.now, Bps(200)).unwrap()
    };
    let mut two = spec(2);
    let cheap = of(&two).terms;
    assert_eq!(cheap.rate_per_slot_max, Rate(50_000), "the dearest of the chosen");
    assert_eq!(cheap.rate_total_max, Rate(102_000));
    assert_eq!((cheap.cost_max, cheap.deposit), (BaseUnits(102_000), BaseUnits(102_198)));
    two.rate_per_chip_max = Some(70_000);
    assert_eq!(of(&two).terms.rate_per_slot_max, Rate(70_000));
    two.asset = ionet_core::Asset::Io;
    assert_eq!(of(&two).terms.fee, Bps(0), "no fee on the network's own token");
    two.rate_per_chip_max = Some(u64::MAX);
    two.chips_per_device = 1;
    let huge = quote(&two, &w.facts.candidates(w.now), w.now, Bps(0));
    assert_eq!(huge, Err(QuoteError::Overflow));
    two.rate_per_chip_max = Some(40_000);
    let refused = quote(&two, &w.facts.candidates(w.now), w.now, Bps(0)).unwrap_err();
    assert!(refused.to_string().starts_with("2 devices wanted, 1 fits: of 3"), "{refused}");
}

proptest! {
    /// The deposit of a quote lasts for the whole time on the chain's own clock, whatever
    /// starts and ends within the ceilings.
    #[test]
    fn a_quoted_deposit_lasts(
        slots in 1u16..20,
        rate in 0u64..1 << 40,
        ttl in 60u64..1 << 25,
        gaps in proptest::collection::vec((0u64..5_000, 0usize..20), 0..60),
    ) {
        let total = Rate(Bps(200).gross_ceil(Rate(rate)).unwrap().0 * u64::from(slots));
        let deposit = deposit_needed(slots, total, Seconds(ttl)).unwrap();
        let begin = Timestamp(1_000);
        let end = begin.saturating_add(Seconds(ttl));
        let mut clock = LeaseClock::new(deposit, begin, end);
        let gross = Bps(200).gross_ceil(Rate(rate)).unwrap();
        for _ in 0..slots {
            clock.start(gross, begin).unwrap();
        }
        // Substitutes: one line ends, another starts.
        let mut now = begin;
        for (gap, _) in gaps {
            now = now.saturating_add(Seconds(gap));
            if now >= end {
                break;
            }
            clock.end(gross, now).unwrap();
            clock.start(gross, now).unwrap();
        }
        prop_assert_eq!(clock.runs_until(), end);
    }
}
