//! What no proof shows: places, and whose addresses are used. It stands beside verdicts.

use super::Effort;
use crate::draw::{Count, stream};
use crate::links::Link;
use crate::report::{Basis, Section};
use ionet_core::Region;
use ionet_trust::signals::{Landmark, Measured, built_in, rates, rule_out};

/// A12: a device in Frankfurt that claims to be elsewhere, and holds its answers back.
pub(super) fn regions(effort: Effort) -> Section {
    let mut section = Section::new(
        Basis::Ran,
        "A12-regions",
        &["claims", "0 ms held back", "20 ms", "50 ms", "100 ms", "150 ms"],
    );
    let near = Landmark { name: "frankfurt".into(), latitude: 50_110, longitude: 8_680 };
    for claimed in ["eu-central", "eu-west", "us-east", "us-west", "oceania"] {
        let region: Region = claimed.parse().expect("a region");
        let mut cells = vec![claimed.to_string()];
        for held_ms in [0u64, 20, 50, 100, 150] {
            let mut rng = stream(effort.seed, &format!("{claimed} {held_ms}"));
            let mut seen = Count::default();
            for _ in 0..effort.trials.min(100) {
                let link = Link::LogNormal(4_000.0, 0.5);
                // The least of five round trips.
                let trip = (0..5).map(|_| link.delay_us(&mut rng) + held_ms * 1_000).min();
                let round_trip_us = u32::try_from(trip.unwrap_or(1)).unwrap_or(u32::MAX).max(1);
                let measured = [Measured { landmark: near.clone(), round_trip_us }];
                let ruling = rule_out(region, &measured, 0).expect("a landmark on the Earth");
                seen.add(ruling.contradicted.is_some());
            }
            if claimed == "eu-central" {
                section.must("who is where it says is never contradicted", seen.hits == 0);
            }
            if claimed == "oceania" && held_ms == 0 {
                section.must("Frankfurt is not Oceania", seen.hits == seen.of);
            }
            cells.push(format!("{:.0} %", seen.share() * 100.0));
        }
        section.rows.push(cells);
    }
    section
}

/// A13: addresses of hosting providers, seen from outside.
pub(super) fn hosting() -> Section {
    let mut section = Section::new(Basis::Ran, "A13-hosting", &["connects from", "remark"]);
    let ranges = built_in().expect("the built-in ranges are right");
    for (what, address) in [
        ("a cloud's range", "45.32.1.1"),
        ("a documentation range, as a home line would look", "203.0.113.7"),
        ("the cloud, through a home line's tunnel", "203.0.113.7"),
    ] {
        let found = ranges.provider(address.parse().expect("an address"));
        section.must(what, found.is_some() == (address == "45.32.1.1"));
        section.row(&[&what, &found.map_or("none", |p| p.name.as_str())]);
    }
    section
}

/// A11: signs of a slice, over chips whose owners published what the driver says.
pub(super) fn slices() -> Section {
    let mut section =
        Section::new(Basis::Ran, "A11-slices", &["published chips", "of them taken for a slice"]);
    let rates = rates();
    section.must("no whole chip is taken for a slice", rates.wrong == 0);
    section.must("every slice shows by its name", rates.slices_seen == rates.slices);
    let whole = format!("{} whole, {} under a hypervisor", rates.wholes, rates.wholes_virtual);
    section.row(&[&whole, &rates.wrong]);
    section.row(&[&format!("{} slices", rates.slices), &rates.slices_seen]);
    section
}
