//! The session key: it acts for the renter in the renter's client.

use crate::day::{AGREED_RATE, Coordinator, DAY_S, Day, FEE_BPS, LOOK_S, MINT, Plan, TICK_S};
use crate::outcome::{Row, at_most, fee};
use ionet_program_tests::interface::MarketError;
use ionet_program_tests::interface::account::{CloseReason, Vouch};
use ionet_program_tests::{USDC, build_top_up, transfer};
use std::sync::OnceLock;

const KEY: &str = "session";

/// What the session key may top up.
const CAP: u64 = 50 * USDC;

/// A silent device of the thief's was hired as agreed; the stolen key vouches for it.
fn vouches_for_silence(plan: Plan, when: &'static str) -> Row {
    let plan = Plan { thief_is_hired: true, ..plan };
    let outcome = Day::running(plan).run(|day| {
        let own = day.stints.iter().find(|stint| stint.supplier.is_none()).expect("hired");
        let (page, index) = (own.page, own.index);
        let v = day.market.lease(&day.lease.lease).v_at(day.time());
        let most = day.line(page, index).served_max(v).0;
        let hourly = day.elapsed() % 3_600 == 0 || !day.is_open();
        if !hourly || most <= day.line(page, index).served.0 {
            return;
        }
        let (who, key) = (&day.session, day.session.key.insecure_clone());
        let ix = day.market.attest_ix(who, &day.lease, page, &[(index, most + 1)]);
        day.market.fails(ix, &[&key]);
        let ix = day.market.attest_ix(who, &day.lease, page, &[(index, most)]);
        if day.plan.vouch == Vouch::Coordinator {
            day.market.refused(ix, &[&key], MarketError::NotCoordinator);
        } else {
            day.market.ok(ix, &[&key]);
        }
    });
    let row = Row::new(KEY, "vouches for its own hired device, which is off", when, &outcome);
    if plan.vouch == Vouch::Coordinator {
        return row.bound("renter", 0, "`vouch: coordinator`").harmless();
    }
    let (seconds, by) = match (plan.coordinator, plan.renter_looks) {
        (Coordinator::Works, _) => (TICK_S, "the agreed rate until the coordinator replaces it"),
        (_, true) => (LOOK_S, "the agreed rate until the renter looks"),
        (_, false) => (DAY_S, "the agreed rate until the lease expires"),
    };
    let bound = at_most(AGREED_RATE + fee(AGREED_RATE, FEE_BPS), seconds) + 1;
    row.bound("renter", bound, by).tight(99)
}

/// Each device's first minute for nothing.
fn rejects() -> Row {
    const ACCEPT_S: u8 = 60;
    let plan = Plan { accept_s: ACCEPT_S, ..Plan::new(Vouch::Either) };
    let mut rejected = 0;
    let outcome = Day::running(plan).run(|day| {
        if day.elapsed() != i64::from(ACCEPT_S) {
            return;
        }
        for stint in day.stints.clone() {
            let line = [(stint.index, &stint.device)];
            let ix = day.market.reject_ix(&day.session, &day.lease, stint.page, &line);
            day.market.ok(ix, &[&day.session.key]);
            rejected += 1;
        }
    });
    let each = at_most(AGREED_RATE, i64::from(ACCEPT_S));
    Row::new(KEY, "rejects what serves, in the last second that it can", "window of 60 s", &outcome)
        .bound("suppliers", rejected * each, "the acceptance window, once a device and lease")
        .bound("fee owner", rejected * fee(each, FEE_BPS), "the fee on it")
        .tight(99)
}

/// It ends lines, and then the lease.
fn ends_and_closes() -> Row {
    let outcome = Day::running(Plan::new(Vouch::Either)).run(|day| {
        if day.elapsed() == 3_600 + TICK_S {
            for stint in day.stints.clone() {
                let line = [(stint.index, &stint.device)];
                let ix = day.market.end_ix(&day.session, &day.lease, stint.page, &line);
                day.market.ok(ix, &[&day.session.key]);
            }
        } else if day.elapsed() == 7_200 {
            let ix = day.market.close_ix(&day.session, &day.lease, CloseReason::None);
            day.market.ok(ix, &[&day.session.key]);
            day.draw();
        }
    });
    Row::new(KEY, "ends lines and closes the lease", "nobody looks", &outcome)
        .bound("suppliers", 0, "what was vouched for is owed; the renter is refunded")
        .harmless()
}

/// It spends its leave on top-ups that nobody needs.
fn tops_up() -> Row {
    let plan = Plan { cap: CAP, ..Plan::new(Vouch::Either) };
    let outcome = Day::running(plan).run(|day| {
        if day.elapsed() == 0 {
            let from = day.renter.tokens[MINT];
            let ix = build_top_up(&day.session.at(), &from, &day.lease, CAP);
            day.market.ok(ix, &[&day.session.key]);
        }
    });
    Row::new(KEY, "tops up by all that it may", "nobody looks", &outcome)
        .bound("renter", 0, "the lease refunds it")
        .harmless()
}

/// It asks SPL Token for what it may move, past the program.
fn takes_its_leave() -> Row {
    let plan = Plan { cap: CAP, ..Plan::new(Vouch::Either) };
    let outcome = Day::running(plan).run(|day| {
        if day.elapsed() == 0 {
            let (from, to) = (day.renter.tokens[MINT], day.thief.tokens[MINT]);
            let ix = transfer(&from, &to, &day.session.at(), CAP + 1);
            assert!(day.market.send(&[ix], &[&day.session.key]).is_err(), "beyond its cap");
            let ix = transfer(&from, &to, &day.session.at(), CAP);
            day.market.send(&[ix], &[&day.session.key]).expect("SPL Token's delegate");
        }
    });
    assert_eq!(outcome.thief, CAP);
    Row::new(KEY, "moves what it may top up with to itself, by SPL Token", "a cap of 50", &outcome)
        .bound("renter", CAP, "the delegate's cap")
        .tight(100)
}

/// All plays with this key.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(play)
}

fn play() -> Vec<Row> {
    use Vouch::{Coordinator as Own, Either, Session};
    let asleep = |vouch| Plan { coordinator: Coordinator::OnlySigns, ..Plan::new(vouch) };
    let looks = |vouch| Plan { renter_looks: true, ..asleep(vouch) };
    vec![
        vouches_for_silence(Plan::new(Own), "`vouch: coordinator`"),
        vouches_for_silence(Plan::new(Either), "`vouch: either`, the coordinator works"),
        vouches_for_silence(Plan::new(Session), "`vouch: session`, the coordinator works"),
        vouches_for_silence(looks(Either), "`vouch: either`, only the renter looks"),
        vouches_for_silence(asleep(Either), "`vouch: either`, nobody looks"),
        vouches_for_silence(asleep(Session), "`vouch: session`, nobody looks"),
        rejects(),
        ends_and_closes(),
        tops_up(),
        takes_its_leave(),
    ]
}

#[test]
fn a_lost_session_key_takes_at_most_the_agreed_rates_and_the_delegates_cap() {
    assert_eq!(rows().len(), 10);
}
