//! The renter's own key, in the hands of a renter who wants to pay less. Not lost, and still the
//! one that suppliers ask about.

use crate::day::{AGREED_RATE, Day, FEE_BPS, Plan};
use crate::honest::PATIENCE_S;
use crate::outcome::{Row, at_most, fee};
use ionet_program_tests::interface::account::Vouch;
use std::sync::OnceLock;

const KEY: &str = "renter";

/// Only it may vouch, and it never does.
fn never_vouches() -> Row {
    let plan = Plan { renter_vouches: false, ..Plan::new(Vouch::Session) };
    let outcome = Day::running(plan).run(|_| {});
    let each = at_most(AGREED_RATE, PATIENCE_S);
    Row::new(KEY, "never vouches", "`vouch: session`", &outcome)
        .bound("suppliers", 2 * each, "what a supplier serves without a receipt")
        .bound("fee owner", 2 * fee(each, FEE_BPS), "the fee on it")
        .tight(99)
}

/// It rejects every device after a minute of use.
fn rejects() -> Row {
    const ACCEPT_S: u8 = 120;
    let plan = Plan { accept_s: ACCEPT_S, ..Plan::new(Vouch::Either) };
    let outcome = Day::running(plan).run(|day| {
        if day.elapsed() == i64::from(ACCEPT_S) {
            for stint in day.stints.clone() {
                let line = [(stint.index, &stint.device)];
                let ix = day.market.reject_ix(&day.renter, &day.lease, stint.page, &line);
                day.market.ok(ix, &[&day.renter.key]);
            }
        }
    });
    let each = at_most(AGREED_RATE, i64::from(ACCEPT_S));
    let does = "rejects what serves, in the last second that it can";
    Row::new(KEY, does, "window of 120 s, the longest", &outcome)
        .bound("suppliers", 2 * each, "the acceptance window, once a device and lease")
        .bound("fee owner", 2 * fee(each, FEE_BPS), "the fee on it")
        .tight(99)
}

/// All plays with this key.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(play)
}

fn play() -> Vec<Row> {
    vec![never_vouches(), rejects()]
}

#[test]
fn a_renter_uses_at_most_what_suppliers_serve_on_trust() {
    assert_eq!(rows().len(), 2);
}
