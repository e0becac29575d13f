//! The coordinator's key.

use crate::day::{
    AGREED_RATE, Coordinator, DAY_S, Day, FEE_BPS, LOOK_S, MINT, Plan, RATE_PER_SLOT_MAX,
    RATE_TOTAL_MAX, SLOTS_MAX, TICK_S,
};
use crate::honest::{DRAW_S, PATIENCE_S, SPARE_S_MAX};
use crate::outcome::{Row, at_most, fee};
use ionet_program_tests::interface::account::{CloseReason, LeaseState, LineState, Vouch};
use ionet_program_tests::interface::{MarketError, build};
use ionet_program_tests::{USDC, build_top_up};
use std::sync::OnceLock;

const KEY: &str = "coordinator";
const CEILING: &str = "the ceiling in total, until someone closes or the lease expires";

/// A deposit that the ceilings use up within three hours.
const SHORT_DEPOSIT: u64 = 20 * USDC;
/// What the renter's client may add to it.
const CAP: u64 = 50 * USDC;

fn plan(vouch: Vouch, renter_looks: bool) -> Plan {
    Plan { renter_looks, coordinator: Coordinator::OnlySigns, ..Plan::new(vouch) }
}

/// The dearest rates that the ceilings leave room for.
fn dearest() -> Vec<u64> {
    let mut left = RATE_TOTAL_MAX;
    let mut rates = Vec::new();
    while left > 1 && rates.len() < usize::from(SLOTS_MAX) {
        let mut rate = RATE_PER_SLOT_MAX.min(left);
        while rate + fee(rate, FEE_BPS) > left {
            rate -= 1;
        }
        rates.push(rate);
        left -= rate + fee(rate, FEE_BPS);
    }
    rates
}

/// Ends the line of every honest device.
fn end_honest(day: &mut Day) {
    let key = day.market.coordinator_key();
    for stint in day.stints.clone() {
        let line = [(stint.index, &stint.device)];
        let ix = day.market.end_ix(&day.market.coordinator, &day.lease, stint.page, &line);
        day.market.ok(ix, &[&key]);
    }
}

/// Throws the honest devices out and fills every slot with devices of the thief's, as dear as
/// may be.
fn fill(day: &mut Day) {
    let key = day.market.coordinator_key();
    end_honest(day);
    let device = day.market.register(&day.thief, SLOTS_MAX, 1);
    let first = day.lines_on(0).len() as u8;
    let rates = dearest();
    let lines: Vec<_> = rates.iter().map(|rate| (&device, 1, *rate)).collect();
    day.market.bind(&day.lease, 0, &lines);
    let indexes: Vec<u8> = (first..).take(rates.len()).collect();
    day.market.start(&day.lease, 0, &indexes);
    let (lease, coordinator) = (day.lease, &day.market.coordinator);
    let more = day.market.bind_ix(coordinator, &lease, 0, &[(&device, 1, 1)]);
    assert!(day.market.run(more, &[&key]).is_err(), "nothing goes beyond the ceilings");
}

/// Vouches for all that the clock allows on the thief's lines. Whether it was taken.
fn vouch_for_own(day: &mut Day) -> bool {
    let v = day.market.lease(&day.lease.lease).v_at(day.time());
    let own = day.lines().into_iter().filter(|line| line.2.payout_owner == day.thief.at());
    let served: Vec<(u8, u64)> = own
        .filter(|line| line.2.state == LineState::Started)
        .map(|(_, index, line)| (index, line.served_max(v).0))
        .collect();
    let ix = day.market.attest_ix(&day.market.coordinator, &day.lease, 0, &served);
    let key = day.market.coordinator_key();
    day.market.run(ix, &[&key]).is_ok()
}

/// The whole ceiling, for as long as it goes.
fn fills_the_ceilings(plan: Plan, when: &'static str) -> Row {
    let mut taken = 0;
    let outcome = Day::running(plan).run(|day| {
        match day.elapsed() {
            0 => fill(day),
            since if since % 3_600 == 0 || !day.is_open() => {
                taken += usize::from(vouch_for_own(day));
            }
            _ => {}
        };
    });
    let row = Row::new(KEY, "replaces all devices by its own at the ceilings", when, &outcome);
    let whole = at_most(RATE_TOTAL_MAX, outcome.open_s) + u64::from(SLOTS_MAX);
    if plan.vouch == Vouch::Session {
        assert_eq!(taken, 0, "only the session's word counts");
        return row.bound("renter", 0, "`vouch: session`").harmless();
    }
    let limit = if plan.renter_looks { LOOK_S } else { DAY_S };
    assert!(outcome.open_s <= limit);
    let (bound, by) = match plan.deposit + plan.cap {
        money if money < whole => (money, "the deposit, and what may be added to it"),
        _ => (whole, CEILING),
    };
    assert!(outcome.thief > 0);
    row.bound("renter", bound, by).tight(99)
}

/// The same devices at the ceiling, for a supplier who is in league: they really serve, and the
/// renter's client vouches for that.
fn rebinds_dearer(renter_looks: bool, when: &'static str) -> Row {
    let outcome = Day::running(plan(Vouch::Session, renter_looks)).run(|day| {
        if day.elapsed() > 0 {
            return;
        }
        end_honest(day);
        for stint in day.stints.clone() {
            assert!(day.hire(stint.supplier, stint.device, RATE_PER_SLOT_MAX));
        }
    });
    let more = RATE_PER_SLOT_MAX - AGREED_RATE;
    let bound = 2 * (at_most(more + fee(more, FEE_BPS), outcome.open_s) + 1);
    Row::new(KEY, "binds the same devices anew at the ceiling a slot", when, &outcome)
        .bound("renter", bound, "the ceiling a slot, less what was agreed")
        .tight(99)
}

/// It never vouches again, and nobody gets a receipt.
fn falls_silent(vouch: Vouch, when: &'static str) -> Row {
    let plan = Plan { coordinator: Coordinator::Gone, ..plan(vouch, false) };
    let outcome = Day::running(plan).run(|_| {});
    let row = Row::new(KEY, "falls silent: binds, starts, never vouches", when, &outcome);
    if vouch == Vouch::Session {
        return row.bound("suppliers", 0, "`vouch: session`").harmless();
    }
    let each = at_most(AGREED_RATE, PATIENCE_S);
    row.bound("suppliers", 2 * each, "what a supplier serves without a receipt")
        .bound("fee owner", 2 * fee(each, FEE_BPS), "the fee on it")
        .tight(99)
}

/// It hands out receipts a second ahead of the time, which a worker cannot tell from clocks that
/// differ, and ends the lines before the newest comes true: the program does not take that one,
/// and the one that the worker put aside is older.
fn overstates() -> Row {
    const AHEAD_S: u64 = 1;
    let plan = Plan { coordinator: Coordinator::Gone, ..plan(Vouch::Coordinator, false) };
    let outcome = Day::running(plan).run(|day| {
        let now = day.market.now();
        let running: Vec<_> = day.stints.iter().map(|stint| day.runs(stint)).collect();
        for (stint, _) in day.stints.iter_mut().zip(running).filter(|(_, runs)| *runs) {
            (stint.receipt_s, stint.receipt_at) = (stint.served_s + AHEAD_S, now);
        }
        if day.elapsed() == DRAW_S - TICK_S {
            end_honest(day);
        }
    });
    let each = at_most(AGREED_RATE, SPARE_S_MAX);
    let does = "hands out receipts a second ahead of the time, then ends the lines";
    Row::new(KEY, does, "`vouch: coordinator`", &outcome)
        .bound("suppliers", 2 * each, "a worker's second receipt is 20 minutes old at most")
        .bound("fee owner", 2 * fee(each, FEE_BPS), "the fee on it")
        .tight(94)
}

/// It signs as a leader of the last epoch there is, and so shuts the honest coordinator out.
fn fences(vouch: Vouch) -> Row {
    let plan = Plan { coordinator: Coordinator::Works, ..plan(vouch, false) };
    let mut refused = 0;
    let outcome = Day::running(plan).run(|day| {
        refused = day.refused;
        if day.elapsed() == 0 {
            let device = day.market.register(&day.thief, 1, 1);
            let (who, line) = (&day.market.coordinator, [(&device, 1, 1)]);
            let ix = day.market.bind_epoch_ix(who, &day.lease, 0, u64::MAX, &line);
            let key = day.market.coordinator_key();
            day.market.ok(ix, &[&key]);
        }
    });
    assert!(refused > 100, "its own leaders are older from then on: {refused}");
    Row::new(KEY, "shuts the honest coordinator out with a higher epoch", "nobody looks", &outcome)
        .bound("suppliers", 0, "receipts need no epoch")
        .harmless()
}

/// A renter who looks within the acceptance window rejects what it did not order, each time.
fn is_rejected() -> Row {
    let plan = Plan { accept_s: 120, ..plan(Vouch::Either, false) };
    let mut device = None;
    let mut tried = 0;
    let outcome = Day::running(plan).run(|day| {
        if day.elapsed() >= DAY_S {
            return;
        }
        let device = *device.get_or_insert_with(|| day.market.register(&day.thief, 9, 1));
        let at = day.elapsed() % 3_600;
        let key = day.market.coordinator_key();
        if at == 0 {
            let page = day.page();
            let first = day.lines_on(page).len() as u8;
            day.market.bind(&day.lease, page, &[(&device, 1, RATE_PER_SLOT_MAX)]);
            day.market.start(&day.lease, page, &[first]);
        } else if at == TICK_S {
            let (page, index, _) = *day.lines().last().expect("the line of a minute ago");
            let coordinator = &day.market.coordinator;
            let ix = day.market.attest_ix(coordinator, &day.lease, page, &[(index, 1)]);
            day.market.refused(ix, &[&key], MarketError::AcceptanceRunning);
            let ix = day.market.reject_ix(&day.renter, &day.lease, page, &[(index, &device)]);
            day.market.ok(ix, &[&day.renter.key]);
            tried += 1;
        }
    });
    assert_eq!(tried, 24);
    Row::new(KEY, "binds its own device, hour after hour", "the renter, every minute", &outcome)
        .bound("renter", 0, "rejection in the acceptance window")
        .harmless()
}

/// Every account that money could go to instead.
fn diverts(vouch: Vouch) -> Row {
    let outcome = Day::running(plan(vouch, false)).run(|day| {
        let at = day.elapsed();
        if at % 3_600 != 0 && day.is_open() {
            return;
        }
        let (lease, key) = (day.lease, day.market.coordinator_key());
        let own = day.thief.tokens[MINT];
        let (who, wrong) = (day.market.coordinator.at(), MarketError::WrongTokenOwner);
        if day.is_open() {
            let why = CloseReason::Finished;
            let ix = build::close(who, lease.lease, lease.vault, Some(own), 0, why);
            day.market.refused(ix, &[&key], wrong);
        }
        if day.line(0, 0).owed().is_some_and(|owed| owed > day.line(0, 0).paid) {
            let ix = day.market.withdraw_ix(&lease, 0, &[(0, own)]);
            day.market.refused(ix, &[], wrong);
        }
        if day.market.lease(&lease.lease).state == LeaseState::Closed {
            day.market.refused(build::refund(lease.lease, lease.vault, own), &[], wrong);
        }
        let take = build_top_up(&who, &day.renter.tokens[MINT], &lease, 1);
        day.market.fails(take, &[&key]);
    });
    let does = "asks for refunds and earnings to its own accounts";
    Row::new(KEY, does, "nobody looks", &outcome)
        .bound("renter", 0, "money goes to its recorded owner")
        .harmless()
}

/// It closes every lease of its own at once.
fn closes() -> Row {
    let outcome = Day::running(plan(Vouch::Either, false)).run(|day| {
        if day.elapsed() == 3_600 + TICK_S {
            let key = day.market.coordinator_key();
            let why = CloseReason::CoordinatorLeaves;
            let ix = day.market.close_ix(&day.market.coordinator, &day.lease, why);
            day.market.ok(ix, &[&key]);
            day.draw();
        }
    });
    Row::new(KEY, "closes the lease", "nobody looks", &outcome)
        .bound("suppliers", 0, "receipts, in the claim window")
        .harmless()
}

/// All plays with this key.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(play)
}

fn play() -> Vec<Row> {
    use Vouch::{Coordinator as Own, Either, Session};
    let short = Plan { deposit: SHORT_DEPOSIT, ..plan(Either, false) };
    vec![
        fills_the_ceilings(plan(Own, false), "`vouch: coordinator`, nobody looks"),
        fills_the_ceilings(plan(Either, false), "`vouch: either`, nobody looks"),
        fills_the_ceilings(plan(Session, false), "`vouch: session`, nobody looks"),
        fills_the_ceilings(plan(Own, true), "`vouch: coordinator`, the renter looks"),
        fills_the_ceilings(plan(Either, true), "`vouch: either`, the renter looks"),
        fills_the_ceilings(plan(Session, true), "`vouch: session`, the renter looks"),
        fills_the_ceilings(short, "a deposit of 20, nobody looks"),
        fills_the_ceilings(Plan { cap: CAP, ..short }, "and 50 to top up with, nobody looks"),
        rebinds_dearer(false, "`vouch: session`, nobody looks"),
        rebinds_dearer(true, "`vouch: session`, the renter looks"),
        falls_silent(Own, "`vouch: coordinator`"),
        falls_silent(Either, "`vouch: either`"),
        falls_silent(Session, "`vouch: session`"),
        overstates(),
        fences(Either),
        is_rejected(),
        diverts(Either),
        closes(),
    ]
}

#[test]
fn a_lost_coordinator_key_takes_at_most_the_ceilings_while_nobody_closes() {
    assert_eq!(rows().len(), 18);
}
