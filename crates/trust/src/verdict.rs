//! From a trial to a verdict: how far a device's chips are known, how well they do, and how long
//! that counts.
//!
//! ```text
//! score = min over kinds of floor(1000 x proven / typical), within [SCORE_FLOOR, SCORE_MAX]
//! ```
//!
//! The *least* over kinds, because a claim is a claim to all of them: a chip with the integer
//! rate of its class and a tenth of its memory rate is another chip.
//!
//! * **Tier.** *Proven* if every figure by which the class is told apart is proven at no less than
//!   the class's least; *measured* if one at least is proven and none contradicts the claim;
//!   *claimed* otherwise. A figure below the least contradicts the claim, whatever else is proven.
//! * **A trial that is missed** (late, silent) halves the score and leaves the rest until it
//!   expires: multiplicative decrease, as in Chiu and Jain's analysis of fair rates (1989), so
//!   that `k` misses in a row leave `2^-k` and one bad link costs little. It never reaches zero.
//! * **A wrong answer** ends the verdict at once: the arithmetic is exact, so nothing but a
//!   damaged or a lying device gives one, and what it proved before says nothing of it now.
//! * **Declining** a kind of work costs nothing: what is not proven is not in the tier.
//! * **Appeal** is to prove again, at any time, and restores all. A longer memory would punish
//!   only the honest: whoever has a worse record than a newcomer enrols as one (Friedman and
//!   Resnick, *The Social Cost of Cheap Pseudonyms*, 2001). So nobody is ever banned.
//! * **Age.** [`score_at`]: whole until the next trial is due, then halved each period; after
//!   [`LIFE_PERIODS`] periods the verdict counts for nothing.
//!
//! ```
//! use ionet_core::*;
//! use ionet_trust::verdict::*;
//!
//! let expected = [Expectation { quantity: Quantity::IntegerRate, typical: 1_000, least: 600 }];
//! let claim = Claim { class: ChipClass::CPU, memory_bytes: 0, expected: &expected };
//! let passed = Trial {
//!     id: TrialId(7),
//!     at_ms: 0,
//!     findings: vec![Finding { quantity: Quantity::IntegerRate, result: Ok(900) }],
//! };
//! let period = Period::from_ms(3_600_000);
//! let verdict = judge(&claim, &passed, None, &[], period);
//! assert_eq!((verdict.tier, verdict.score), (Tier::Proven, 900));
//! let missed = Trial {
//!     id: TrialId(8),
//!     at_ms: 3_600_000,
//!     findings: vec![Finding { quantity: Quantity::IntegerRate, result: Err(Miss::Late) }],
//! };
//! let lower = judge(&claim, &missed, Some(&verdict), &[], period);
//! assert_eq!((lower.tier, lower.score), (Tier::Proven, 450));
//! assert_eq!(lower.expires_at_ms, verdict.expires_at_ms);
//! ```

use ionet_core::{
    ChipClass, EVIDENCE_MAX, Measure, Provenance, Quantity, SCORE_MAX, SIGNALS_MAX, Signal,
    TEXT_BYTES_MAX, Tier, TrialId, Verdict,
};

/// Periods after which a proof counts for nothing: one that was missed by accident, and one more
/// to appeal in.
pub const LIFE_PERIODS: i64 = 3;
/// The least score: a device that waits for its next trial is not worth nothing, and is not out.
pub const SCORE_FLOOR: u16 = 1;
/// Longest time between trials: a day. More, and a verdict would outlive what people remember.
pub const PERIOD_MS_MAX: u64 = 86_400_000;

/// Time between two trials of all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(i64);

impl Period {
    /// Of this many milliseconds, brought within 1 and [`PERIOD_MS_MAX`].
    pub fn from_ms(ms: u64) -> Self {
        Self(i64::try_from(ms.clamp(1, PERIOD_MS_MAX)).unwrap_or(i64::MAX))
    }

    /// Milliseconds that a proof counts.
    pub const fn life_ms(self) -> i64 {
        self.0 * LIFE_PERIODS
    }
}

/// What a device of a class does, in the unit that the quantity names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// What of.
    pub quantity: Quantity,
    /// What an undisturbed one does: a score of [`SCORE_MAX`]. 0: the class names no rate, and
    /// any meets it.
    pub typical: u64,
    /// Below it, it is no device of the class.
    pub least: u64,
}

/// What a device says that it is, and what would follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The class of its chips.
    pub class: ChipClass,
    /// Bytes of their memory; 0: it has none of its own.
    pub memory_bytes: u64,
    /// Every figure by which the class is told apart, each once. None: nothing is known of the
    /// class yet, and no device of it is better than measured.
    pub expected: &'a [Expectation],
}

/// Why a task proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Miss {
    /// The device said that it cannot do such work, or not now.
    Declined,
    /// The device did not answer.
    Silent,
    /// The commitment, or the proof, came after its time.
    Late,
    /// The proof does not hold.
    Rejected,
}

impl Miss {
    /// What happened, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Declined => "declined the work",
            Self::Silent => "did not answer",
            Self::Late => "answered too late",
            Self::Rejected => "gave a wrong answer",
        }
    }
}

/// What came of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What the task was to prove.
    pub quantity: Quantity,
    /// The proven figure, or why there is none.
    pub result: Result<u64, Miss>,
}

/// What came of one device's part in a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Which.
    pub id: TrialId,
    /// Unix milliseconds of its start.
    pub at_ms: i64,
    /// One for each task, in any order. Of two for one quantity the worse counts.
    pub findings: Vec<Finding>,
}

/// The verdict that follows from a trial, given the one before it and what else was seen.
///
/// Of an earlier verdict only what still counts at the trial, of the same class and not from a
/// later trial, has any effect. Order of findings and of signals has none.
pub fn judge(
    claim: &Claim<'_>,
    trial: &Trial,
    earlier: Option<&Verdict>,
    signals: &[Signal],
    period: Period,
) -> Verdict {
    if let Some(later) = earlier.filter(|e| e.at_ms > trial.at_ms) {
        return later.clone();
    }
    let earlier =
        earlier.filter(|e| e.counts_at(trial.at_ms) && e.class.is_none_or(|c| c == claim.class));
    let worst = worst_of(trial);
    let evidence = evidence(claim, trial, earlier, worst, period);
    let shown = shown(claim, &evidence);
    let mut score = shown.score;
    if matches!(worst, Some(Miss::Late | Miss::Silent)) {
        score = earlier.map_or(score, |e| e.score.min(score)) / 2;
    }
    let proven_at = proven(&evidence).map(|m| m.at_ms).min();
    let counts = shown.tier != Tier::Claimed;
    let life_end = proven_at.map(|at| at.saturating_add(period.life_ms()));
    let expires_at_ms = life_end.filter(|_| counts).unwrap_or(trial.at_ms);
    Verdict {
        tier: shown.tier,
        score: score.clamp(SCORE_FLOOR, SCORE_MAX),
        class: counts.then_some(claim.class),
        reason: reason(claim, trial, &shown),
        evidence,
        signals: bounded(signals),
        at_ms: trial.at_ms,
        expires_at_ms,
    }
}

/// A verdict's score at `now_ms`: whole until a trial is due, halved with each period after it
/// (in between on a straight line, rounded down), nothing once it has expired.
///
/// The half-life is a period, a [`LIFE_PERIODS`]th of what the verdict lives: by its end a
/// quarter is left.
pub fn score_at(verdict: &Verdict, now_ms: i64) -> u16 {
    if !verdict.counts_at(now_ms) {
        return 0;
    }
    let since = proven(&verdict.evidence).map(|m| m.at_ms).min().unwrap_or(verdict.at_ms);
    // Down to a millisecond, rounded down.
    let period = (verdict.expires_at_ms.saturating_sub(since) / LIFE_PERIODS).max(1);
    let overdue = now_ms.saturating_sub(since).saturating_sub(period).max(0);
    let (halvings, rest) = (overdue / period, overdue % period);
    let whole = i64::from(verdict.score) >> halvings.min(15);
    // Wide enough for whatever life a verdict from elsewhere claims.
    let taken = i128::from(whole) * i128::from(rest) / (2 * i128::from(period));
    u16::try_from(i128::from(whole) - taken).unwrap_or(0)
}

fn proven(evidence: &[Measure]) -> impl Iterator<Item = &Measure> {
    evidence.iter().filter(|m| m.provenance == Provenance::Proven)
}

/// The worst of a trial's misses.
fn worst_of(trial: &Trial) -> Option<Miss> {
    trial.findings.iter().filter_map(|f| f.result.err()).max()
}

/// What a task for `quantity` proved: nothing if any such task missed, else the least.
fn result_of(trial: &Trial, quantity: Quantity) -> Option<Result<u64, Miss>> {
    let of = || trial.findings.iter().filter(|f| f.quantity == quantity).map(|f| f.result);
    let miss = of().filter_map(Result::err).max();
    miss.map(Err).or_else(|| of().filter_map(Result::ok).min().map(Ok))
}

/// One figure a quantity: what this trial proved, and what still counts of before.
fn evidence(
    claim: &Claim<'_>,
    trial: &Trial,
    earlier: Option<&Verdict>,
    worst: Option<Miss>,
    period: Period,
) -> Vec<Measure> {
    let lives = |m: &&Measure| m.at_ms.saturating_add(period.life_ms()) > trial.at_ms;
    let kept = earlier.map_or(&[][..], |e| &e.evidence).iter().filter(lives);
    // A wrong answer takes with it what was proven before, and beside it in the same trial.
    let wrong = worst == Some(Miss::Rejected);
    let kept = kept.filter(|m| !wrong || m.provenance != Provenance::Proven);
    let mut evidence: Vec<Measure> = kept.copied().collect();
    let mut quantities: Vec<_> = trial.findings.iter().map(|f| f.quantity).collect();
    quantities.sort();
    quantities.dedup();
    for quantity in quantities {
        if let Some(Ok(value)) = result_of(trial, quantity).filter(|_| !wrong) {
            evidence.retain(|m| m.quantity != quantity);
            evidence.push(Measure {
                quantity,
                value,
                provenance: Provenance::Proven,
                at_ms: trial.at_ms,
                trial: Some(trial.id),
            });
        }
    }
    let has_memory = evidence
        .iter()
        .any(|m| m.quantity == Quantity::MemoryBytes && m.provenance != Provenance::Claimed);
    if !has_memory {
        evidence.retain(|m| m.quantity != Quantity::MemoryBytes);
        if claim.memory_bytes > 0 {
            evidence.push(Measure {
                quantity: Quantity::MemoryBytes,
                value: claim.memory_bytes,
                provenance: Provenance::Claimed,
                at_ms: trial.at_ms,
                trial: None,
            });
        }
    }
    evidence.sort_by_key(|m| m.quantity);
    evidence.truncate(EVIDENCE_MAX);
    evidence
}

/// What figures show of a claim.
struct Shown {
    tier: Tier,
    score: u16,
    /// Below the least of the class: figure and least.
    against: Option<(Quantity, u64, u64)>,
    missing: Vec<Quantity>,
}

fn shown(claim: &Claim<'_>, evidence: &[Measure]) -> Shown {
    let of = |q: Quantity| proven(evidence).find(|m| m.quantity == q);
    let (mut score, mut against, mut missing) = (None, None, Vec::new());
    for e in claim.expected {
        let Some(figure) = of(e.quantity) else {
            missing.push(e.quantity);
            continue;
        };
        let thousandths = thousandths(figure.value, e.typical);
        score = Some(score.map_or(thousandths, |s: u16| s.min(thousandths)));
        if figure.value < e.least {
            against = Some((e.quantity, figure.value, e.least));
        }
    }
    let any = proven(evidence).next().is_some();
    let tier = match (any, &against) {
        (false, _) | (_, Some(_)) => Tier::Claimed,
        (true, None) if missing.is_empty() && !claim.expected.is_empty() => Tier::Proven,
        (true, None) => Tier::Measured,
    };
    Shown { tier, score: score.unwrap_or(SCORE_FLOOR), against, missing }
}

/// `value` of `typical` in thousandths, rounded down, at most [`SCORE_MAX`]. A class of which
/// nothing is typical yet is met by anything.
fn thousandths(value: u64, typical: u64) -> u16 {
    let exact = u128::from(value) * u128::from(SCORE_MAX);
    let score = exact.checked_div(u128::from(typical)).unwrap_or(u128::from(SCORE_MAX));
    u16::try_from(score).unwrap_or(SCORE_MAX).min(SCORE_MAX)
}

/// What a figure is called, and its unit.
pub const fn name_of(quantity: Quantity) -> (&'static str, &'static str) {
    match quantity {
        Quantity::IntegerRate => ("integer rate", "multiply-adds/s"),
        Quantity::MatrixRate => ("matrix rate", "multiply-adds/s"),
        Quantity::MemoryRate => ("memory rate", "bytes/s"),
        Quantity::MemoryBytes => ("memory", "bytes"),
        Quantity::RoundTrip => ("round trip", "microseconds"),
        Quantity::NetworkRate => ("network rate", "bytes/s"),
        Quantity::DiskRate => ("disk rate", "bytes/s"),
    }
}

/// Why the verdict is not better, and what would make it so.
fn reason(claim: &Claim<'_>, trial: &Trial, shown: &Shown) -> Option<String> {
    let mut all = Vec::new();
    if let Some(miss) = worst_of(trial) {
        all.push(format!("in trial {} it {}: proving again restores it", trial.id, miss.words()));
    }
    if let Some((quantity, value, least)) = shown.against {
        let ((name, unit), class) = (name_of(quantity), claim.class);
        all.push(format!(
            "its {name} of {value} {unit} is below the {least} that every {class} has: it is not \
             taken for one until it proves more"
        ));
    } else if shown.tier == Tier::Measured && claim.expected.is_empty() {
        all.push(format!("what a {} does is not known yet", claim.class));
    } else if shown.tier == Tier::Measured && !shown.missing.is_empty() {
        let names: Vec<_> = shown.missing.iter().map(|q| name_of(*q).0).collect();
        all.push(format!("not proven yet: {}", names.join(", ")));
    }
    (!all.is_empty()).then(|| cut(&all.join("; ")))
}

/// Remarks within their limits, the newest, in one order.
fn bounded(signals: &[Signal]) -> Vec<Signal> {
    let mut all: Vec<Signal> = signals
        .iter()
        .map(|s| Signal {
            code: cut_to(&s.code, ionet_core::CODE_BYTES_MAX),
            text: cut(&s.text),
            ..*s
        })
        .collect();
    all.sort_by(|a, b| (b.at_ms, &a.code, &a.text).cmp(&(a.at_ms, &b.code, &b.text)));
    all.dedup();
    all.truncate(SIGNALS_MAX);
    all
}

fn cut(text: &str) -> String {
    cut_to(text, TEXT_BYTES_MAX)
}

/// At most `bytes` bytes of `text`, whole characters.
fn cut_to(text: &str, bytes: usize) -> String {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
