//! Verdicts in the control plane: which count, for how long, and for what.

mod common;

use common::*;
use ionet_core::{SCORE_MAX, SIGNALS_MAX, Signal, Tier, Verdict};
use ionet_network::*;
use ionet_placement::Availability;

fn tell_verdict(w: &mut World, verdict: Verdict) -> Result<Vec<Event>, Rejection> {
    w.try_tell(Command::JudgeDevice { device: device_id(1), verdict: Box::new(verdict) })
}

#[test]
fn the_newest_verdict_counts_and_is_told_once() {
    let mut w = World::new();
    w.join(1, 40_000);
    let (early, now) = (w.now, w.now.plus_ms(1_000));
    w.now = now;
    assert_eq!(tell_verdict(&mut w, verdict(now, Tier::Proven)).unwrap().len(), 1);
    assert!(tell_verdict(&mut w, verdict(now, Tier::Proven)).unwrap().is_empty(), "known");
    assert!(tell_verdict(&mut w, verdict(early, Tier::Measured)).unwrap().is_empty(), "late");
    assert_eq!(w.facts.devices[&device_id(1)].tier(w.now), Tier::Proven);
    w.pass(VERDICT_MS - 1);
    assert_eq!(w.facts.devices[&device_id(1)].tier(w.now), Tier::Proven);
    w.pass(1);
    assert_eq!(w.facts.devices[&device_id(1)].tier(w.now), Tier::Claimed);
}

#[test]
fn a_trial_is_told_at_once_and_who_left_is_passed_over() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.join(2, 40_000);
    let now = w.now;
    let of = |tiers: &[(u8, Tier)]| {
        let one = |(n, tier): &(u8, Tier)| (device_id(*n), verdict(now, *tier));
        Command::JudgeDevices { verdicts: tiers.iter().map(one).collect() }
    };
    let all = [(1, Tier::Proven), (2, Tier::Measured), (9, Tier::Proven)];
    assert_eq!(w.tell(of(&all)).len(), 2);
    assert!(w.tell(of(&all)).is_empty(), "known");
    assert_eq!(w.facts.devices[&device_id(2)].tier(w.now), Tier::Measured);
    // One bad one: nothing of it is taken.
    let mut bad = verdict(now.plus_ms(1), Tier::Proven);
    bad.score = SCORE_MAX + 1;
    let good = verdict(now.plus_ms(1), Tier::Claimed);
    let verdicts = [(device_id(1), good), (device_id(2), bad)].into();
    assert_eq!(w.try_tell(Command::JudgeDevices { verdicts }), Err(Rejection::Verdict));
    assert_eq!(w.facts.devices[&device_id(1)].tier(w.now), Tier::Proven);
}

#[test]
fn verdicts_over_their_limits_and_of_strangers_are_refused() {
    let mut w = World::new();
    let good = verdict(w.now, Tier::Proven);
    let refused = tell_verdict(&mut w, good.clone()).unwrap_err();
    assert_eq!(refused, Rejection::UnknownDevice(device_id(1)));
    w.join(1, 40_000);
    let remark = Signal { code: "x".into(), text: "y".into(), at_ms: 0 };
    let edits: [&dyn Fn(&mut Verdict); 5] = [
        &|v| v.score = SCORE_MAX + 1,
        &|v| v.evidence.push(v.evidence[0]),
        &|v| v.signals = vec![remark.clone(); SIGNALS_MAX + 1],
        &|v| v.signals = vec![Signal { text: "z".repeat(10_000), ..remark.clone() }],
        &|v| v.reason = Some("r".repeat(10_000)),
    ];
    for (i, edit) in edits.iter().enumerate() {
        let mut bad = good.clone();
        edit(&mut bad);
        assert_eq!(tell_verdict(&mut w, bad).unwrap_err(), Rejection::Verdict, "{i}");
    }
}

#[test]
fn other_chips_need_another_proof_and_a_fuller_disk_does_not() {
    let mut w = World::new();
    w.tell(Command::RequireProofs { required: true });
    w.join(1, 40_000);
    w.prove(1, Tier::Proven);
    let mut full = inventory(1);
    full.disk.free_bytes = 1;
    w.join_with(1, full, device_terms(1, 40_000));
    assert_eq!(w.device_state(1), DeviceState::Idle);
    w.pass(1);
    w.join_with(1, inventory(2), device_terms(1, 40_000));
    assert_eq!(w.device_state(1), DeviceState::Proving);
    let kept = w.facts.devices[&device_id(1)].verdict.as_ref().unwrap();
    assert_eq!(kept.score, 900, "how it did is not forgotten");
}

#[test]
fn only_where_proofs_are_required_does_their_absence_hold_a_device_back() {
    let mut w = World::new();
    w.join(1, 40_000);
    let seen = |w: &World| w.facts.candidates(w.now)[0].availability;
    assert_eq!((w.device_state(1), seen(&w)), (DeviceState::Idle, Availability::Available));
    let required = |w: &mut World, required| w.tell(Command::RequireProofs { required });
    assert_eq!(required(&mut w, true).len(), 1);
    assert!(required(&mut w, true).is_empty(), "known");
    assert_eq!((w.device_state(1), seen(&w)), (DeviceState::Proving, Availability::Proving));
    // What an owner wants comes first.
    w.tell(Command::Drain { device: device_id(1), drain: true });
    assert_eq!((w.device_state(1), seen(&w)), (DeviceState::Draining, Availability::Draining));
    w.tell(Command::Drain { device: device_id(1), drain: false });
    required(&mut w, false);
    assert_eq!(w.device_state(1), DeviceState::Idle);
}
