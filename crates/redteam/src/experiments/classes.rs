//! Chips that answer for others: by the calibration data, whose rates are data sheets' so far.

use super::Effort;
use crate::draw::stream;
use crate::links::Link;
use crate::report::{Basis, Section};
use crate::workers::Joined;
use crate::world::{World, trial};
use ionet_trust::classes::{
    CALIBRATION, Row, Rows, VALUE_MAX, arbitrage, cheapest_join, joins, listed,
};

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

/// Several weak chips as one: the protocol takes it for rounds; what it costs by all rates.
pub(super) fn joined(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Partly("joins of 2, 4 and 8 that prove rounds as one"),
        "joined",
        &[
            "posed as",
            "earns",
            "cheapest by both units",
            "earn apart",
            "cheapest over their links",
            "earn apart",
        ],
    );
    let mut rng = stream(effort.seed, "joined");
    for chips in [2, 4, 8] {
        let world = World::new(&mut rng);
        let mut attacker = Joined::new(chips, 1_000 / chips, 200);
        let judged = trial(&world, &mut attacker, &Link::NONE, &mut rng);
        section
            .must(format!("{chips} joined chips prove rounds as one (known)"), judged[0].passes());
    }
    let rows = Rows::parse(CALIBRATION).expect("the built-in data is right");
    // As if nothing had to cross, and nobody's memory were asked for.
    let mut units = Rows::default();
    for row in rows.rows() {
        let freely = Row { stream: VALUE_MAX, memory: 1, link: VALUE_MAX, ..row.clone() };
        units.merge(freely).expect("a row");
    }
    for target in rows.rows() {
        let cells = [&units, &rows].map(|rows| match cheapest_join(rows, target.class) {
            Ok(Some(join)) => {
                let wins = if join.apart < join.earns { " **wins**" } else { "" };
                (listed(&join.chips), format!("{}{wins}", join.apart))
            }
            Ok(None) => ("none".to_owned(), "-".to_owned()),
            Err(error) => (error.to_string(), "?".to_owned()),
        });
        let [units, links] = cells;
        section.row(&[&target.class, &target.weight, &units.0, &units.1, &links.0, &links.1]);
    }
    let checked = joins(&rows);
    section.must(format!("nobody earns more by joining: {checked:?}"), checked.is_ok());
    section
}
