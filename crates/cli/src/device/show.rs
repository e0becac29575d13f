//! What is known of a device, for people.

use crate::output::{Output, Paint, bytes, duration, number};
use ionet_api::{Device, DeviceFigure, DeviceStateName, DeviceVerdict};
use ionet_core::{Inventory, Provenance, Tier, rfc3339};

/// The state in one word.
pub(super) fn state_of(device: &Device) -> String {
    let name = serde_json::to_value(device.state).ok();
    name.as_ref().and_then(|v| v.as_str()).unwrap_or("unknown").to_owned()
}

/// Devices, one a line.
pub(super) fn table(out: Output, devices: &[Device]) -> String {
    if devices.is_empty() {
        return "no devices; `ionet up` starts some, `ionet device request` enrols one".into();
    }
    let headings =
        ["device", "state", "chip", "known", "score", "free", "region", "egress", "asks"];
    let mut table = out.table(headings);
    for d in devices {
        let asks: Vec<_> = d.asks.iter().map(|a| a.text.as_str()).collect();
        let tier = d.verdict.as_ref().map_or(Tier::Claimed, |v| v.tier);
        // Without a class that the evidence bears out there is nothing to compare with.
        let score = d.verdict.as_ref().filter(|v| v.score > 0 && v.class.is_some());
        table.add_row([
            d.id.to_string().into(),
            state_of(d).into(),
            d.chip.clone().into(),
            painted(out, tier).into(),
            number(score.map_or("-".to_owned(), |v| percent(v.score))),
            number(format!("{}/{}", d.chips_free, d.chips)),
            d.region.clone().into(),
            d.egress.clone().into(),
            number(asks.join(", ")),
        ]);
    }
    table.to_string()
}

/// One device with everything that is known of it at `now_ms`.
pub(super) fn text(out: Output, device: &Device, now_ms: i64) -> String {
    let mut text = table(out, std::slice::from_ref(device));
    text.push_str("\n\n");
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<10} {value}\n"));
    line("supplier", device.supplier.to_string());
    let judged = device.verdict.as_ref().and_then(|v| v.reason.as_ref());
    if let Some(reason) = device.reason.as_ref().filter(|r| judged != Some(r)) {
        line("reason", reason.clone());
    }
    if let Some(next) = device.next_trial_ms {
        let due = next <= now_ms;
        line("next trial", if due { "now".into() } else { format!("in {}", age(next, now_ms)) });
    }
    for (name, value) in device.inventory.iter().flat_map(machine) {
        line(name, value);
    }
    match &device.verdict {
        Some(verdict) => text.push_str(&verdict_text(out, device, verdict, now_ms)),
        None => line("verdict", format!("none yet: what it is made of is {}", claimed(device))),
    }
    text
}

fn claimed(device: &Device) -> &'static str {
    match device.state {
        DeviceStateName::Proving => "claimed, and being proven",
        _ => "claimed",
    }
}

fn machine(i: &Inventory) -> [(&'static str, String); 5] {
    let (whole, milli) = (i.slice.cpu_milli / 1_000, i.slice.cpu_milli % 1_000);
    let sold = bytes(i.slice.memory_bytes);
    [
        ("machine", format!("{}, {} (claimed)", i.hostname, i.os)),
        ("CPU", format!("{} x {} (claimed)", i.cpu.threads, i.cpu.model)),
        ("memory", format!("{} (claimed)", bytes(i.memory_bytes))),
        ("chips", format!("{} (claimed)", chips(i))),
        ("for sale", format!("{whole}.{milli:03} threads, {sold} of memory")),
    ]
}

/// Chips of one model and memory in one word.
fn chips(i: &Inventory) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for chip in &i.chips {
        let memory = match chip.memory_bytes {
            0 => String::new(),
            memory => format!(" with {}", bytes(memory)),
        };
        let kind = format!("{}{memory}", chip.model);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} x {kind}")).collect();
    kinds.join(", ")
}

fn verdict_text(out: Output, device: &Device, verdict: &DeviceVerdict, now_ms: i64) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<10} {value}\n"));
    let score = match (&verdict.class, verdict.score, verdict.score_judged) {
        (_, 0, _) => "it counts for nothing any more".to_owned(),
        (None, ..) => format!("nothing shows yet that it is a {}", device.chip),
        (Some(class), now, then) if now == then => {
            format!("{} of what a {class} does", percent(now))
        }
        (Some(class), now, then) => {
            format!("{} of what a {class} does ({} when judged)", percent(now), percent(then))
        }
    };
    line("verdict", format!("{}, {score}", painted(out, verdict.tier)));
    let judged = format!("{} ago", age(now_ms, verdict.at_ms));
    let until = rfc3339(verdict.expires_at_ms.div_euclid(1_000));
    line(
        "judged",
        match verdict.expires_at_ms > now_ms {
            true => format!(
                "{judged}; counts until {until} (for {})",
                age(verdict.expires_at_ms, now_ms)
            ),
            false => format!("{judged}; has not counted since {until}"),
        },
    );
    if let Some(reason) = &verdict.reason {
        line("because", reason.clone());
    }
    if !verdict.figures.is_empty() {
        let mut table = out.table(["figure", "value", "known", "age", "trial"]);
        for figure in &verdict.figures {
            let (name, value) = human(figure);
            table.add_row([
                name.into(),
                number(value),
                known(out, figure.known).into(),
                number(age(now_ms, figure.at_ms)),
                number(figure.trial.map_or("-".to_owned(), |t| t.to_string())),
            ]);
        }
        text.push_str(&format!("\n{table}\n"));
    }
    for (i, signal) in verdict.signals.iter().enumerate() {
        let head = if i == 0 { "\nseen besides, which lowers nothing by itself\n" } else { "" };
        let since = age(now_ms, signal.at_ms);
        text.push_str(&format!("{head}  {}: {} ({since} ago)\n", signal.code, signal.text));
    }
    let newest = verdict.figures.iter().filter_map(|f| f.trial).max();
    text.push('\n');
    if verdict.signals.iter().any(|signal| signal.code.starts_with("shared-")) {
        let owner = device.supplier;
        text.push_str(&format!("`ionet wallet graph {owner}` shows who funded its wallet\n"));
    }
    if let Some(trial) = newest {
        text.push_str(&format!("`ionet verify replay {trial}` checks that trial yourself\n"));
    }
    text.push_str(&format!("`ionet verify {}` asks for another\n", device.id));
    text
}

/// Time from `earlier` to `later`, both unix milliseconds.
pub(super) fn age(later_ms: i64, earlier_ms: i64) -> String {
    duration(later_ms.saturating_sub(earlier_ms).max(0).unsigned_abs() / 1_000)
}

/// Thousandths for people.
fn percent(thousandths: u16) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// A tier in its colour.
pub(crate) fn painted(out: Output, tier: Tier) -> String {
    let colour = match tier {
        Tier::Claimed => Paint::Grey,
        Tier::Measured => Paint::Yellow,
        Tier::Proven => Paint::Green,
    };
    out.paint(colour, tier.as_str())
}

fn known(out: Output, provenance: Provenance) -> String {
    painted(
        out,
        match provenance {
            Provenance::Claimed => Tier::Claimed,
            Provenance::Measured => Tier::Measured,
            Provenance::Proven => Tier::Proven,
        },
    )
}

/// A figure's name and value for people. One that this version does not know is shown as it is.
pub(super) fn human(figure: &DeviceFigure) -> (String, String) {
    let value = figure.value;
    let per_second = || format!("{}/s", bytes(value));
    let (name, shown) = match figure.name.as_str() {
        "integer_multiply_adds_per_s" => ("integer rate", multiply_adds(value)),
        "matrix_multiply_adds_per_s" => ("matrix rate", multiply_adds(value)),
        "memory_bytes_per_s" => ("memory rate", per_second()),
        "memory_bytes" => ("memory", bytes(value)),
        "round_trip_us" => ("round trip", format!("{}.{:03} ms", value / 1_000, value % 1_000)),
        "network_bytes_per_s" => ("network rate", per_second()),
        "disk_bytes_per_s" => ("disk rate", per_second()),
        other => (other, value.to_string()),
    };
    (name.to_owned(), shown)
}

/// Multiply-adds a second, in powers of 1000 with two decimals, rounded down.
pub(crate) fn multiply_adds(n: u64) -> String {
    const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let (mut unit, mut scale) = (0, 1u64);
    while unit + 1 < UNITS.len() && n / scale >= 1_000 {
        scale *= 1_000;
        unit += 1;
    }
    if unit == 0 {
        return format!("{n} multiply-adds/s");
    }
    let hundredths = n / (scale / 100).max(1);
    let unit = UNITS[unit];
    format!("{}.{:02} {unit} multiply-adds/s", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_api::DeviceSignal;
    use ionet_core::{DeviceId, Wallet};

    const OUT: Output = Output { json: false, colour: false, interactive: false };

    fn device(verdict: Option<DeviceVerdict>) -> Device {
        Device {
            id: DeviceId([1; 32]),
            supplier: Wallet([2; 32]),
            state: DeviceStateName::Idle,
            reason: None,
            chip: "h100-pcie".into(),
            chips: 1,
            chips_free: 1,
            region: "local".into(),
            egress: "none".into(),
            verdict,
            next_trial_ms: None,
            asks: Vec::new(),
            last_seen_ms: None,
            clusters: Vec::new(),
            inventory: None,
        }
    }

    fn verdict() -> DeviceVerdict {
        let figure = |name: &str, value, known, trial| DeviceFigure {
            name: name.into(),
            value,
            known,
            at_ms: 10_000,
            trial,
        };
        DeviceVerdict {
            tier: Tier::Proven,
            score: 486,
            score_judged: 973,
            class: Some("h100-pcie".into()),
            figures: vec![
                figure("integer_multiply_adds_per_s", 12_345_678_901, Provenance::Proven, Some(41)),
                figure("memory_bytes", 80 << 30, Provenance::Claimed, None),
                figure("round_trip_us", 1_234, Provenance::Measured, None),
                figure("moon_phase", 3, Provenance::Claimed, None),
            ],
            signals: vec![DeviceSignal {
                code: "vgpu-profile".into(),
                text: "the driver names a slice".into(),
                at_ms: 0,
            }],
            reason: Some("in trial 42 it answered too late: proving again restores it".into()),
            at_ms: 20_000,
            expires_at_ms: 200_000,
        }
    }

    #[test]
    fn evidence_is_shown_with_how_it_is_known_and_since_when() {
        let shown = text(OUT, &device(Some(verdict())), 80_000);
        for part in [
            "proven, 48.6% of what a h100-pcie does (97.3% when judged)",
            "1m 00s ago; counts until 1970-01-01T00:03:20Z (for 2m 00s)",
            "because    in trial 42 it answered too late",
            "12.34 G multiply-adds/s  proven     1m 10s  41",
            "80.0 GiB  claimed",
            "1.234 ms  measured",
            "moon_phase",
            "vgpu-profile: the driver names a slice (1m 20s ago)",
            "`ionet verify replay 41`",
        ] {
            let squeezed = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(squeezed(&shown).contains(&squeezed(part)), "{part}\n{shown}");
        }
    }

    #[test]
    fn whoever_shares_with_other_wallets_is_looked_up_among_them() {
        let mut shared = verdict();
        shared.signals[0].code = "shared-payout".into();
        let shown = text(OUT, &device(Some(shared)), 80_000);
        let hint = format!("`ionet wallet graph {}`", Wallet([2; 32]));
        assert!(shown.contains(&hint), "{shown}");
    }

    #[test]
    fn an_expired_verdict_counts_for_nothing_and_none_is_said_to_be_none() {
        let old = DeviceVerdict { tier: Tier::Claimed, score: 0, ..verdict() };
        let shown = text(OUT, &device(Some(old)), 900_000);
        assert!(!shown.contains("wallet graph"), "{shown}");
        assert!(shown.contains("claimed, it counts for nothing any more"), "{shown}");
        assert!(shown.contains("has not counted since"), "{shown}");
        let proving =
            Device { state: DeviceStateName::Proving, next_trial_ms: Some(95_000), ..device(None) };
        let shown = text(OUT, &proving, 80_000);
        assert!(shown.contains("none yet: what it is made of is claimed, and being proven"));
        assert!(shown.contains("next trial in 15s"), "{shown}");
    }
}
