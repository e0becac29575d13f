//! Findings for people and programs.

use crate::output::{Output, Paint, bytes as size, number};
use ionet_core::Quantity;
use ionet_inside::{Check, Finding, Outcome};
use serde_json::{Value, json};
use std::path::Path;

/// What was found, and where the evidence lies.
pub(super) fn json(check: &Check, findings: &[Finding], evidence: &Path) -> Value {
    json!({
        "cluster": check.cluster,
        "lease": check.lease,
        "renter": check.renter,
        "at_ms": check.at_ms,
        "light": check.plan.light,
        "fine": !findings.iter().any(|f| f.outcome.is_bad()),
        "findings": findings,
        "evidence": evidence,
    })
}

/// A table of them.
pub(super) fn table(out: Output, check: &Check, findings: &[Finding]) -> String {
    let headings = ["device", "per chip and hour", "what", "shown", "sold", "", "why"];
    let mut table = out.table(headings);
    for found in findings {
        let member = &check.members[found.member as usize];
        let text = |value: Option<u64>| value.map_or("-".to_owned(), |v| figure(found.quantity, v));
        table.add_row([
            found.device.to_string().into(),
            number(&member.price),
            name(found.quantity).into(),
            number(text(found.value)),
            number(text(found.least)),
            verdict(out, found.outcome).into(),
            found.why.clone().into(),
        ]);
    }
    table.to_string()
}

/// What is wrong, in a sentence a figure.
pub(super) fn complaints(findings: &[Finding]) -> String {
    let bad = findings.iter().filter(|f| f.outcome.is_bad());
    let line = |f: &Finding| {
        let what = name(f.quantity);
        match (f.value, f.least) {
            (Some(value), Some(least)) => {
                let (value, least) = (figure(f.quantity, value), figure(f.quantity, least));
                format!("{}: {what} {value}, less than {least} ({})", f.device, f.why)
            }
            _ => format!("{}: {what}: {}", f.device, f.why),
        }
    };
    bad.map(line).collect::<Vec<_>>().join("; ")
}

fn verdict(out: Output, outcome: Outcome) -> String {
    match outcome {
        Outcome::Fine => out.paint(Paint::Green, "fine"),
        Outcome::Unknown => out.paint(Paint::Grey, "none"),
        Outcome::Short => out.paint(Paint::Red, "short"),
        Outcome::Broken => out.paint(Paint::Red, "broken"),
    }
}

fn name(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::IntegerRate => "integer rate",
        Quantity::MatrixRate => "matrix rate",
        Quantity::MemoryRate => "memory rate",
        Quantity::MemoryBytes => "memory",
        Quantity::RoundTrip => "round trip",
        Quantity::NetworkRate => "network",
        Quantity::DiskRate => "disk",
    }
}

fn figure(quantity: Quantity, value: u64) -> String {
    match quantity {
        Quantity::IntegerRate | Quantity::MatrixRate => {
            format!("{}.{:02} G/s", value / 1_000_000_000, value % 1_000_000_000 / 10_000_000)
        }
        Quantity::MemoryBytes => size(value),
        Quantity::RoundTrip => format!("{value} us"),
        Quantity::MemoryRate | Quantity::NetworkRate | Quantity::DiskRate => {
            format!("{} MB/s", value / 1_000_000)
        }
    }
}
