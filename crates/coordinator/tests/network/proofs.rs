//! Where proofs are required, a device gets work by its verdict, over restarts and with age.
//! The trials themselves are made elsewhere: here a verdict is told as their outcome.

use crate::device::{Device, inventory};
use crate::world::{ONE, Running, USDC, World, spec_of};
use ionet_api::{DeviceStateName, StateName};
use ionet_coordinator::{ControlError, Judged};
use ionet_core::{
    ChipClass, DeviceId, Measure, Provenance, Quantity, SCORE_MAX, Signal, Tier, TrialId, Verdict,
};
use std::collections::BTreeMap;

/// A verdict of a trial at `at_ms`; it counts for a minute.
fn verdict(at_ms: i64) -> Verdict {
    Verdict {
        tier: Tier::Proven,
        score: 900,
        class: Some(ChipClass::CPU),
        evidence: vec![Measure {
            quantity: Quantity::IntegerRate,
            value: 1_234_567,
            provenance: Provenance::Proven,
            at_ms,
            trial: Some(TrialId(7)),
        }],
        signals: vec![Signal { code: "duplicate".into(), text: "seen twice".into(), at_ms }],
        reason: None,
        at_ms,
        expires_at_ms: at_ms + 60_000,
    }
}

/// Of a device that still has the chips which were asked.
fn judged(verdict: Verdict) -> Judged {
    Judged { chips: inventory().chips, verdict }
}

/// A whole trial's verdicts at once, of which this device's is known and the rest strangers'.
async fn judge_many(at: &Running, id: DeviceId, now: i64) {
    let strangers = (0..1_200u16).map(|n| {
        let mut key = [9; 32];
        key[..2].copy_from_slice(&n.to_be_bytes());
        (DeviceId(key), judged(verdict(now)))
    });
    let newer = Verdict { score: 800, ..verdict(now + 1) };
    let all = strangers.chain([(id, judged(newer))]).collect();
    at.control.judge_all(all).await.unwrap();
    // What two chips would have proved, or one of another kind, is nothing of this one's.
    let chips = [inventory().chips, inventory().chips].concat();
    let others = Judged { chips, verdict: Verdict { score: 700, ..verdict(now + 2) } };
    at.control.judge_all([(id, others)].into()).await.unwrap();
    let told = at.control.judge(id, verdict(now)).await.unwrap();
    assert_eq!(told.verdict.map(|v| v.score_judged), Some(800), "an older one changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_gets_work_once_it_is_judged_and_proves_anew_in_time() {
    let mut world = World::new().await;
    world.config.proofs_required = true;
    let at = world.start().await;
    let supplier = world.wallet(0).await;
    let device = Device::start(world.register(&supplier).await, &at.control.network());
    let id = device.id;
    world.device_is(&at, id, DeviceStateName::Proving).await;
    let seen = at.control.device(id).unwrap();
    assert_eq!(seen.reason.as_deref(), Some("it proves its chips before it gets work"));
    assert!(seen.verdict.is_none());
    let Err(ControlError::NoCapacity { message, .. }) = at.control.quote(spec_of(ONE)).await else {
        panic!("nothing is for hire");
    };
    assert!(message.contains("1 is proving its chips"), "{message}");
    // It does not say that it can prove, so nobody asks it to.
    assert!(at.control.provers().await.unwrap().is_empty());
    at.control.set_next_trials(BTreeMap::from([(id, 5)]));
    assert_eq!(at.control.device(id).unwrap().next_trial_ms, Some(5));

    let now = world.clock.now();
    let judged = at.control.judge(id, verdict(now)).await.unwrap();
    assert_eq!(judged.state, DeviceStateName::Idle);
    let shown = judged.verdict.unwrap();
    assert_eq!((shown.tier, shown.score, shown.score_judged), (Tier::Proven, 900, 900));
    let figure = &shown.figures[0];
    assert_eq!((figure.name.as_str(), figure.value), ("integer_multiply_adds_per_s", 1_234_567));
    assert_eq!((figure.known, figure.trial), (Provenance::Proven, Some(7)));
    assert_eq!(shown.signals[0].code, "duplicate");
    judge_many(&at, id, now).await;
    let bad = Verdict { score: SCORE_MAX + 1, ..verdict(now) };
    assert!(matches!(at.control.judge(id, bad).await, Err(ControlError::Conflict { .. })));
    let proven = r#"{"devices":1,"chip":"cpu","ttl_seconds":3600,"min_tier":"proven"}"#;
    let quote = at.control.quote(spec_of(proven)).await.unwrap();
    assert_eq!(quote.devices[0].tier, Tier::Proven);

    // The log keeps it; another leader goes on from there.
    at.crash().await;
    let at = world.start().await;
    world.device_is(&at, id, DeviceStateName::Idle).await;
    let renter = world.wallet(10 * USDC).await;
    let cluster = world.create(&at, &renter, proven).await.unwrap();
    let ready = world.cluster_is(&at, cluster.id, StateName::Ready).await;
    assert_eq!((ready.spec.min_tier, ready.members[0].tier), (Tier::Proven, Tier::Proven));

    // It expires while the device serves, which goes on serving.
    world.pass(&at, 64, &[&device]).await;
    let served = world.cluster_is(&at, cluster.id, StateName::Ready).await;
    assert_eq!(served.members[0].tier, Tier::Claimed);
    let old = at.control.device(id).unwrap();
    assert_eq!(old.state, DeviceStateName::Hired);
    assert_eq!(
        old.verdict.map(|v| (v.tier, v.score, v.score_judged)),
        Some((Tier::Claimed, 0, 800))
    );
    at.control.close(ready.renter, cluster.id, "bye").await.unwrap();
    world.device_is(&at, id, DeviceStateName::Proving).await;
    let reason = at.control.device(id).unwrap().reason;
    assert_eq!(reason.as_deref(), Some("its proof has expired; it proves its chips anew"));

    // A leader that requires none takes it as it is.
    at.crash().await;
    world.config.proofs_required = false;
    let at = world.start().await;
    world.device_is(&at, id, DeviceStateName::Idle).await;
}
