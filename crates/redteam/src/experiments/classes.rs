//! Chips that answer for others: by the calibration data, whose rates are data sheets' so far.

use super::Effort;
use crate::draw::stream;
use crate::links::Link;
use crate::report::{Basis, Section};
use crate::workers::Joined;
use crate::world::{World, trial};
use ionet_trust::classes::{CALIBRATION, Row, Rows, arbitrage};

/// A18: which chip passes for which dearer class, by which rates.
pub(super) fn poses() -> Section {
    let mut section = Section::new(
        Basis::Computed,
        "A18-poses",
        &["chip", "passes for, by integer rate alone", "by integer and matrix", "by all four"],
    );
    let rows = Rows::parse(CALIBRATION).expect("the built-in data is right");
    for chip in rows.rows() {
        let passes = |kinds: usize| {
            let dearer = rows.rows().filter(|row| row.weight > chip.weight);
            let reach = |row: &&Row| {
                let (has, least) = (chip.typical(), row.least());
                has.iter().zip(least).take(kinds).all(|(has, least)| *has >= least)
            };
            let names: Vec<_> = dearer.filter(reach).map(|row| row.class.to_string()).collect();
            if names.is_empty() { "none".into() } else { names.join(", ") }
        };
        let all = passes(4);
        section.must(format!("{} passes by all four for: {all}", chip.class), all == "none");
        section.row(&[&chip.class, &passes(1), &passes(2), &all]);
    }
    let checked = arbitrage(&rows);
    section.must(format!("no chip earns more as several others: {checked:?}"), checked.is_ok());
    section
}

/// Several weak chips as one: what it takes, and that the protocol takes it.
pub(super) fn joined(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Partly("joins of 2, 4 and 8 that prove as one"),
        "joined",
        &[
            "posed as",
            "weight",
            "cheapest by integer and matrix",
            "weight",
            "cheapest by all but the link",
            "weight",
        ],
    );
    let mut rng = stream(effort.seed, "joined");
    for chips in [2, 4, 8] {
        let world = World::new(&mut rng);
        let mut attacker = Joined::new(chips, 1_000 / chips, 200);
        let judged = trial(&world, &mut attacker, &Link::NONE, &mut rng);
        section.must(
            format!("{chips} joined chips prove as one (known weakness)"),
            judged[0].passes(),
        );
    }
    let rows = Rows::parse(CALIBRATION).expect("the built-in data is right");
    for target in rows.rows() {
        let cheapest = |kinds: usize| {
            let need = |row: &Row| {
                let pairs = row.typical().into_iter().zip(target.least()).take(kinds);
                pairs.map(|(has, least)| least.div_ceil(has)).max().unwrap_or(1)
            };
            let others = rows.rows().filter(|row| row.class != target.class);
            let best = others.map(|row| (need(row) * row.weight, need(row), row.class)).min();
            best.map(|(weight, count, class)| {
                let wins = if weight < target.weight { " **wins**" } else { "" };
                (format!("{count} x {class}"), format!("{weight}{wins}"))
            })
        };
        let (Some(two), Some(four)) = (cheapest(2), cheapest(4)) else { continue };
        section.row(&[&target.class, &target.weight, &two.0, &two.1, &four.0, &four.1]);
    }
    section
}
