//! Verdicts: what no history of trials may bring about.

use ionet_core::{
    ChipClass, Measure, Provenance, Quantity, SCORE_MAX, Signal, Tier, TrialId, Verdict,
};
use ionet_trust::verdict::*;
use proptest::prelude::*;

const HOUR: u64 = 3_600_000;
const KINDS: [Quantity; 3] = [Quantity::IntegerRate, Quantity::MatrixRate, Quantity::MemoryRate];

fn expected() -> [Expectation; 3] {
    KINDS.map(|quantity| Expectation { quantity, typical: 10_000, least: 6_000 })
}

fn claim(expected: &[Expectation]) -> Claim<'_> {
    Claim { class: "h100-pcie".parse().unwrap(), memory_bytes: 80 << 30, expected }
}

fn period() -> Period {
    Period::from_ms(HOUR)
}

fn trial(id: u64, findings: &[(Quantity, Result<u64, Miss>)]) -> Trial {
    let findings =
        findings.iter().map(|&(quantity, result)| Finding { quantity, result }).collect();
    Trial { id: TrialId(id), at_ms: (id * HOUR) as i64, findings }
}

fn all(id: u64, value: u64) -> Trial {
    trial(id, &KINDS.map(|q| (q, Ok(value))))
}

fn judged(trial: &Trial, earlier: Option<&Verdict>) -> Verdict {
    let expected = expected();
    judge(&claim(&expected), trial, earlier, &[], period())
}

#[test]
fn tiers_follow_from_what_is_proven() {
    let whole = judged(&all(1, 10_000), None);
    assert_eq!((whole.tier, whole.score, whole.reason.clone()), (Tier::Proven, 1_000, None));
    assert_eq!(whole.expires_at_ms, 4 * HOUR as i64);
    let part = judged(&trial(1, &[(Quantity::IntegerRate, Ok(12_000))]), None);
    assert_eq!((part.tier, part.score), (Tier::Measured, 1_000));
    let reason = part.reason.unwrap();
    assert!(reason.contains("not proven yet: matrix rate, memory rate"), "{reason}");
    // A slice of a seventh says that it is the whole: it proves that it is not.
    let slice = judged(&all(1, 1_400), None);
    assert_eq!((slice.tier, slice.class, slice.score), (Tier::Claimed, None, 140));
    assert!(!slice.counts_at(slice.at_ms));
    assert!(slice.reason.unwrap().contains("below the 6000 that every h100-pcie has"));
    // Two right figures do not outweigh a wrong one.
    let mixed = [
        (Quantity::IntegerRate, Ok(10_000)),
        (Quantity::MatrixRate, Ok(10_000)),
        (Quantity::MemoryRate, Ok(5_999)),
    ];
    assert_eq!(judged(&trial(1, &mixed), None).tier, Tier::Claimed);
    // Any processor is a processor, once it computes.
    let any = [Expectation { quantity: Quantity::IntegerRate, typical: 0, least: 0 }];
    let cpu = Claim { class: ChipClass::CPU, memory_bytes: 0, expected: &any };
    let of =
        |result| judge(&cpu, &trial(1, &[(Quantity::IntegerRate, result)]), None, &[], period());
    assert_eq!((of(Ok(1)).tier, of(Ok(1)).score), (Tier::Proven, SCORE_MAX));
    assert_eq!(of(Err(Miss::Silent)).tier, Tier::Claimed);
    // A class of which nothing is known is never better than measured.
    let verdict = judge(&claim(&[]), &all(1, u64::MAX), None, &[], period());
    assert_eq!((verdict.tier, verdict.score), (Tier::Measured, SCORE_FLOOR));
}

#[test]
fn misses_halve_wrong_answers_end_and_proving_again_restores() {
    let good = judged(&all(1, 9_000), None);
    let late = judged(&trial(2, &KINDS.map(|q| (q, Err(Miss::Late)))), Some(&good));
    assert_eq!(
        (late.tier, late.score, late.expires_at_ms),
        (Tier::Proven, 450, good.expires_at_ms)
    );
    assert!(late.reason.as_ref().unwrap().contains("in trial 2 it answered too late"));
    let silent = judged(&trial(3, &[(Quantity::IntegerRate, Err(Miss::Silent))]), Some(&late));
    assert_eq!(silent.score, 225);
    // The evidence of trial 1 has died by trial 4: with it goes the tier.
    let dead = judged(&trial(4, &[(Quantity::IntegerRate, Err(Miss::Silent))]), Some(&silent));
    assert_eq!((dead.tier, dead.score), (Tier::Claimed, SCORE_FLOOR));
    assert!(!dead.counts_at(dead.at_ms));
    assert_eq!(judged(&all(5, 9_000), Some(&dead)).score, 900, "appeal");
    let wrong = trial(2, &[(KINDS[0], Ok(9_000)), (KINDS[1], Err(Miss::Rejected))]);
    let wrong = judged(&wrong, Some(&good));
    assert_eq!((wrong.tier, wrong.score), (Tier::Claimed, SCORE_FLOOR));
    assert!(!wrong.counts_at(wrong.at_ms));
    assert!(!wrong.evidence.iter().any(|m| m.provenance == Provenance::Proven));
    assert_eq!(judged(&all(3, 9_000), Some(&wrong)).score, 900, "nobody is banned");
    let declined = judged(&trial(2, &[(KINDS[0], Err(Miss::Declined))]), Some(&good));
    assert_eq!((declined.tier, declined.score), (Tier::Proven, 900));
}

#[test]
fn another_claim_an_expired_verdict_and_an_older_trial_change_nothing() {
    let good = judged(&all(1, 10_000), None);
    let part = trial(2, &[(Quantity::IntegerRate, Ok(10_000))]);
    assert_eq!(judged(&part, Some(&good)).tier, Tier::Proven, "the rest still counts");
    let other = Verdict { class: Some("rtx-4090".parse().unwrap()), ..good.clone() };
    assert_eq!(judged(&part, Some(&other)).tier, Tier::Measured);
    let expired = Verdict { expires_at_ms: part.at_ms, ..good };
    assert_eq!(judged(&part, Some(&expired)), judged(&part, None));
    let newer = judged(&all(3, 7_000), None);
    assert_eq!(judged(&all(2, 10_000), Some(&newer)), newer);
}

#[test]
fn a_score_ages_by_halves() {
    let verdict = judged(&all(0, 10_000), None);
    let at = |hours: i64, minutes: i64| score_at(&verdict, hours * HOUR as i64 + minutes * 60_000);
    assert_eq!([at(0, 0), at(1, 0), at(1, 30), at(2, 0)], [1_000, 1_000, 750, 500]);
    assert_eq!([at(2, 59), at(3, 0), at(900, 0)], [255, 0, 0]);
}

#[test]
fn remarks_are_bounded_and_in_one_order() {
    let remark = |n: i64| Signal { code: "é".repeat(100), text: "é".repeat(999), at_ms: n };
    let remarks: Vec<_> = (0..40).map(remark).collect();
    let expected = expected();
    let of = |s: &[Signal]| judge(&claim(&expected), &all(1, 10_000), None, s, period());
    let verdict = of(&remarks);
    assert!(verdict.is_bounded());
    assert_eq!(verdict.signals[0].at_ms, 39);
    let reversed: Vec<_> = remarks.iter().rev().cloned().collect();
    assert_eq!(of(&reversed), verdict);
}

fn miss() -> impl Strategy<Value = Miss> {
    prop_oneof![Just(Miss::Declined), Just(Miss::Silent), Just(Miss::Late), Just(Miss::Rejected)]
}

fn findings() -> impl Strategy<Value = Vec<Finding>> {
    let value = prop_oneof![0u64..20_000, Just(u64::MAX)];
    let result = prop_oneof![3 => value.prop_map(Ok), 1 => miss().prop_map(Err)];
    let one = (0usize..3, result);
    let finding = one.prop_map(|(kind, result)| Finding { quantity: KINDS[kind], result });
    prop::collection::vec(finding, 0..6)
}

/// Trials at growing times, some close together and some after a verdict's life.
fn history() -> impl Strategy<Value = Vec<Trial>> {
    prop::collection::vec((findings(), 0u64..4 * HOUR), 1..8).prop_map(|parts| {
        let mut now = 0;
        let step = |(i, (findings, pause)): (usize, (Vec<Finding>, u64))| {
            now += pause as i64;
            Trial { id: TrialId(i as u64 + 1), at_ms: now, findings }
        };
        parts.into_iter().enumerate().map(step).collect()
    })
}

fn play(history: &[Trial]) -> Verdict {
    let step = |earlier: Option<Verdict>, trial: &Trial| Some(judged(trial, earlier.as_ref()));
    history.iter().fold(None, step).unwrap()
}

proptest! {
    #[test]
    fn no_verdict_is_better_than_its_evidence(history in history()) {
        let verdict = play(&history);
        prop_assert!(verdict.is_bounded());
        prop_assert!((SCORE_FLOOR..=SCORE_MAX).contains(&verdict.score));
        let proven: Vec<&Measure> =
            verdict.evidence.iter().filter(|m| m.provenance == Provenance::Proven).collect();
        for m in &proven {
            // Every figure stands in the trial that it names.
            let shown = history.iter().find(|t| Some(t.id) == m.trial).unwrap();
            prop_assert_eq!(shown.at_ms, m.at_ms);
            let found = |f: &Finding| f.quantity == m.quantity && f.result == Ok(m.value);
            prop_assert!(shown.findings.iter().any(found));
            prop_assert!(u128::from(verdict.score) <= u128::from(m.value / 10).max(1));
            if verdict.counts_at(verdict.at_ms) {
                prop_assert!(verdict.expires_at_ms <= m.at_ms + period().life_ms());
            }
        }
        match verdict.tier {
            Tier::Proven => {
                prop_assert_eq!(proven.len(), 3);
                prop_assert!(proven.iter().all(|m| m.value >= 6_000));
            }
            Tier::Measured => prop_assert!(!proven.is_empty()),
            Tier::Claimed => prop_assert!(!verdict.counts_at(verdict.at_ms)),
        }
        prop_assert_eq!(verdict.class.is_some(), verdict.tier != Tier::Claimed);
    }

    #[test]
    fn more_is_never_worse(
        history in history(), at in 0usize..8, which in 0usize..6, more in 0u64..20_000,
    ) {
        let mut better = history.clone();
        let at = at % better.len();
        let Some(finding) = better[at].findings.get_mut(which) else { return Ok(()) };
        finding.result = Ok(finding.result.unwrap_or(0).saturating_add(more));
        // A miss that becomes a figure may contradict the claim: only a figure that grows must
        // not cost anything.
        if history[at].findings[which].result.is_err() { return Ok(()); }
        let (was, is) = (play(&history[..=at]), play(&better[..=at]));
        prop_assert!(is.score >= was.score && is.tier >= was.tier);
        prop_assert!(is.expires_at_ms >= was.expires_at_ms);
    }

    #[test]
    fn order_of_findings_is_irrelevant(history in history(), turn in 0usize..6) {
        let mut turned = history.clone();
        for trial in &mut turned {
            let n = trial.findings.len().max(1);
            trial.findings.rotate_left(turn % n);
            trial.findings.reverse();
        }
        prop_assert_eq!(play(&history), play(&turned));
    }

    #[test]
    fn age_only_takes_away(
        history in history(), a in 0i64..5 * HOUR as i64, b in 0i64..5 * HOUR as i64,
    ) {
        let verdict = play(&history);
        let score = |ms: i64| score_at(&verdict, verdict.at_ms + ms);
        prop_assert!(score(a.max(b)) <= score(a.min(b)));
        prop_assert!(score(a) <= verdict.score);
        prop_assert_eq!(score(3 * HOUR as i64), 0);
    }

    #[test]
    fn what_was_proven_for_another_class_never_upgrades(
        history in history(), last in findings(),
    ) {
        let mut earlier = play(&history);
        if earlier.class.is_none() { return Ok(()); }
        let trial = Trial { id: TrialId(99), at_ms: earlier.at_ms, findings: last };
        earlier.class = Some(ChipClass::CPU);
        prop_assert_eq!(judged(&trial, Some(&earlier)), judged(&trial, None));
    }
}
