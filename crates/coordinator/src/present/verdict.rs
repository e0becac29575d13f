//! A verdict as anyone may see it.

use ionet_api::{DeviceFigure, DeviceSignal, DeviceVerdict};
use ionet_core::{Measure, Quantity, Verdict};
use ionet_network::At;
use ionet_trust::verdict::score_at;

/// The verdict as it stands at `now`: tier and score shrink with age, evidence does not.
pub(super) fn verdict(verdict: &Verdict, now: At) -> DeviceVerdict {
    let signal = |s: &ionet_core::Signal| DeviceSignal {
        code: s.code.clone(),
        text: s.text.clone(),
        at_ms: s.at_ms,
    };
    DeviceVerdict {
        tier: verdict.tier_at(now.0),
        score: score_at(verdict, now.0),
        score_judged: verdict.score,
        class: verdict.class.map(|class| class.as_str().to_owned()),
        figures: verdict.evidence.iter().map(figure).collect(),
        signals: verdict.signals.iter().map(signal).collect(),
        reason: verdict.reason.clone(),
        at_ms: verdict.at_ms,
        expires_at_ms: verdict.expires_at_ms,
    }
}

/// A figure as anyone may see it.
pub(crate) fn figure(measure: &Measure) -> DeviceFigure {
    DeviceFigure {
        name: name(measure.quantity).to_owned(),
        value: measure.value,
        known: measure.provenance,
        at_ms: measure.at_ms,
        trial: measure.trial.map(|trial| trial.0),
    }
}

/// The quantity with its unit last.
pub(crate) const fn name(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::IntegerRate => "integer_multiply_adds_per_s",
        Quantity::MatrixRate => "matrix_multiply_adds_per_s",
        Quantity::MemoryRate => "memory_bytes_per_s",
        Quantity::MemoryBytes => "memory_bytes",
        Quantity::RoundTrip => "round_trip_us",
        Quantity::NetworkRate => "network_bytes_per_s",
        Quantity::DiskRate => "disk_bytes_per_s",
    }
}
