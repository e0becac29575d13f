//! Chips that answer for others: by the calibration data, whose rates are data sheets' so far.

use super::Effort;
use crate::draw::stream;
use crate::links::Link;
use crate::report::{Basis, Section};
use crate::workers::Joined;
use crate::world::{World, trial};
use ionet_trust::classes::{
    CALIBRATION, Host, Prices, Row, Rows, Source, VALUE_MAX, arbitrage, cheapest_join, joins,
    listed,
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
    let checked = arbitrage(&rows, &Prices::default());
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
            "cheapest beside a server's memory",
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
    let (units, prices) = (by_units(&rows), Prices::default());
    let mut gains = Vec::new();
    for target in rows.rows() {
        let mut join = |rows: &Rows, host: Option<Host>| match cheapest_join(
            rows,
            &prices,
            target.class,
            host,
        ) {
            Ok(Some(join)) => {
                let wins = join.apart < join.earns;
                if wins && host.is_some() {
                    gains.push(target.class.to_string());
                }
                let mark = if wins { " **wins**" } else { "" };
                (listed(&join.chips), format!("{}{mark}", join.apart))
            }
            Ok(None) => ("none".to_owned(), "-".to_owned()),
            Err(error) => (error.to_string(), "?".to_owned()),
        };
        let [units, links, beside] =
            [(&units, None), (&rows, None), (&rows, Some(Host::SERVER))].map(|(r, h)| join(r, h));
        section.row(&[
            &target.class,
            &target.weight,
            &units.0,
            &units.1,
            &links.0,
            &links.1,
            &beside.0,
            &beside.1,
        ]);
    }
    let checked = joins(&rows, &prices);
    section.must(format!("nobody earns more by joining: {checked:?}"), checked.is_ok());
    section.must(format!("gain beside a server's memory (known): {gains:?}"), !gains.is_empty());
    section
}

/// As if nothing had to cross, and nobody's memory were asked for.
fn by_units(rows: &Rows) -> Rows {
    let mut units = Rows::default();
    for row in rows.rows() {
        let source = Source::Measured("of both units alone".to_owned());
        let (stream, link) = (VALUE_MAX, VALUE_MAX);
        units.merge(Row { stream, link, memory: 1, source, ..row.clone() }).expect("a row");
    }
    units
}
