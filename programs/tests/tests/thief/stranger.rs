//! No key at all: what any wallet can do.

use crate::day::{AGREED_RATE, DAY_S, Day, LOOK_S, Plan, TICK_S, UNITS};
use crate::outcome::{Loss, Row, at_most};
use ionet_program_tests::interface::account::Vouch;
use ionet_program_tests::{Terms, USDC};
use std::sync::OnceLock;

const KEY: &str = "none: any stranger";

/// A lease of its own, with itself as coordinator, that binds free units and never starts them.
fn hold(day: &mut Day) {
    let own = &day.thief;
    let coordinator = Some(own.at());
    let terms = Terms { deposit: USDC, coordinator, session: [0; 32], ..day.terms() };
    let lease = day.market.open(own, 0, &terms);
    let free = UNITS - 1;
    let lines: Vec<_> = day.devices.iter().map(|d| (d, free, AGREED_RATE)).collect();
    let ix = day.market.bind_ix(own, &lease, 0, &lines);
    day.market.ok(ix, &[&day.thief.key]);
    day.foreign = Some(lease);
}

/// Again, for as long as it is let.
fn hold_again(day: &mut Day) -> bool {
    let Some(lease) = day.foreign else { return false };
    let (own, key) = (&day.thief, day.thief.key.insecure_clone());
    let lines: Vec<_> = day.devices.iter().map(|d| (d, UNITS - 1, AGREED_RATE)).collect();
    let ix = day.market.bind_ix(own, &lease, 0, &lines);
    day.market.run(ix, &[&key]).is_ok()
}

fn holds_units(looks: bool, when: &'static str) -> Row {
    let plan = Plan { suppliers_look: looks, ..Plan::new(Vouch::Either) };
    let (mut held_s, mut again) = (0, 0);
    let outcome = Day::running(plan).run(|day| {
        if day.elapsed() == 0 {
            return hold(day);
        }
        if !day.is_open() {
            return;
        }
        let held =
            |d: &&ionet_program_tests::DeviceAt| day.market.device(&d.record).units_free() == 0;
        held_s += TICK_S * day.devices.iter().filter(held).count() as i64;
        again += usize::from(hold_again(day));
    });
    assert_eq!(again, 0, "held already, or accepted no more");
    let lost = at_most(AGREED_RATE, held_s);
    let (bound, by) = match looks {
        true => (LOOK_S + TICK_S, "until suppliers look, end the lines and name coordinators"),
        false => (DAY_S, "unsold units of devices that accept any coordinator"),
    };
    let bound = 2 * at_most(AGREED_RATE, bound);
    let does = "binds free units to a lease of its own and never starts them";
    Row::new(KEY, does, when, &outcome).beside(Loss { who: "suppliers", lost, bound, by }).tight(90)
}

/// All plays without a key.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(play)
}

fn play() -> Vec<Row> {
    vec![holds_units(false, "nobody looks"), holds_units(true, "suppliers look")]
}

#[test]
fn a_stranger_holds_units_until_suppliers_name_their_coordinators() {
    assert_eq!(rows().len(), 2);
}
