//! What renters saw of a device from inside their containers, for people.

use super::show::{age, human};
use crate::output::Output;
use ionet_api::{CheckSummary, Device, DeviceFigure};
use ionet_core::Provenance;

/// Checks that are shown: the newest.
const SHOWN_MAX: usize = 5;

/// The newest checks; nothing where there are none.
pub(super) fn text(out: Output, device: &Device, checks: &[CheckSummary], now_ms: i64) -> String {
    if checks.is_empty() {
        return String::new();
    }
    let mut table = out.table(["check", "age", "renter", "what it showed"]);
    for check in checks.iter().take(SHOWN_MAX) {
        let mut said = what(device, check);
        if check.renter == device.supplier {
            said.push_str(" (its own supplier's word)");
        }
        if check.light {
            said.push_str(" (beside a workload)");
        }
        table.add_row([
            check.check.clone(),
            age(now_ms, check.at_ms),
            check.renter.to_string(),
            said,
        ]);
    }
    let more = match checks.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        n => format!("and {n} older\n"),
    };
    format!(
        "\nrenters looked from inside; each is its renter's word alone\n{table}\n{more}\
         `ionet cluster check --replay CHECK` computes one again\n"
    )
}

fn what(device: &Device, check: &CheckSummary) -> String {
    let mine = check.devices.iter().filter(|d| d.device == device.id).flat_map(|d| &d.figures);
    let said = mine.map(|figure| {
        let shown = figure.value.map(|value| {
            human(&DeviceFigure {
                name: figure.name.clone(),
                value,
                known: Provenance::Measured,
                at_ms: check.at_ms,
                trial: None,
            })
        });
        match (shown, figure.outcome.as_str()) {
            (Some((name, value)), "short") => format!("{name} {value}, short"),
            (Some((name, value)), _) => format!("{name} {value}"),
            (None, "broken") => format!("{}: not shown", figure.name),
            (None, other) => format!("{}: {other}", figure.name),
        }
    });
    said.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_api::{CheckedDevice, CheckedFigure, DeviceStateName};
    use ionet_core::{ClusterId, DeviceId, Wallet};

    const OUT: Output = Output { json: false, colour: false, interactive: false };

    fn device() -> Device {
        Device {
            id: DeviceId([1; 32]),
            supplier: Wallet([2; 32]),
            state: DeviceStateName::Idle,
            reason: None,
            chip: "cpu".into(),
            chips: 1,
            chips_free: 1,
            region: "local".into(),
            egress: "none".into(),
            verdict: None,
            next_trial_ms: None,
            asks: Vec::new(),
            last_seen_ms: None,
            clusters: Vec::new(),
            inventory: None,
        }
    }

    fn check(renter: u8, outcome: &str, value: Option<u64>) -> CheckSummary {
        let figure = CheckedFigure {
            name: "integer_multiply_adds_per_s".into(),
            value,
            outcome: outcome.into(),
        };
        let of = |n: u8| CheckedDevice { device: DeviceId([n; 32]), figures: vec![figure.clone()] };
        CheckSummary {
            check: "ab".repeat(32),
            cluster: ClusterId::of_lease(&Wallet([3; 32])),
            lease: Wallet([3; 32]),
            renter: Wallet([renter; 32]),
            at_ms: 20_000,
            received_ms: 30_000,
            light: false,
            devices: vec![of(1), of(9)],
        }
    }

    #[test]
    fn each_check_says_whose_word_it_is_and_how_it_is_computed_again() {
        assert_eq!(text(OUT, &device(), &[], 80_000), "");
        let checks = [
            check(7, "short", Some(12_345_678_901)),
            check(2, "fine", Some(1)),
            check(8, "broken", None),
        ];
        let shown = text(OUT, &device(), &checks, 80_000);
        for part in [
            "integer rate 12.34 G multiply-adds/s, short",
            "(its own supplier's word)",
            "integer_multiply_adds_per_s: not shown",
            "1m 00s",
            &"ab".repeat(32),
            "each is its renter's word alone",
            "`ionet cluster check --replay CHECK`",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        assert_eq!(shown.matches("12.34 G").count(), 1, "another device's figures are not its");
        let many = vec![check(7, "fine", Some(1)); SHOWN_MAX + 2];
        assert!(text(OUT, &device(), &many, 0).contains("and 2 older"));
    }
}
