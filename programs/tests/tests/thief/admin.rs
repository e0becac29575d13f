//! The admin's key.

use crate::day::{AGREED_RATE, COOLDOWN_S, Coordinator, DAY_S, Day, FEE_BPS, LOOK_S, Plan, TICK_S};
use crate::honest::ATTEST_S;
use crate::outcome::{Row, at_most, earned, fee};
use ionet_program_tests::interface::account::{CloseReason, Settings, Vouch};
use ionet_program_tests::interface::{BaseUnits, Bps, MarketError, limits};
use std::sync::OnceLock;

const KEY: &str = "admin";
const COOLS: &str = "the cool-down: the honest admin proposes the old settings anew";

/// Proposes settings.
fn propose(day: &mut Day, settings: &Settings) {
    let (ix, key) = (day.market.set_config_ix(settings), day.market.admin.key.insecure_clone());
    day.market.ok(ix, &[&key]);
}

/// The worst settings that the program takes, and that worse ones are refused.
fn worst(day: &mut Day) -> Settings {
    let now = day.market.config().now;
    let beyond = [
        Settings { fee_bps: Bps(limits::FEE_BPS_MAX + 1), ..now },
        Settings { claim_window_s: 0, ..now },
        Settings { config_cooldown_s: 0, ..now },
        Settings { mints: [now.mints[1], now.mints[0]], ..now },
    ];
    let key = day.market.admin.key.insecure_clone();
    for settings in beyond {
        let ix = day.market.set_config_ix(&settings);
        day.market.refused(ix, &[&key], MarketError::BadSetting);
    }
    Settings {
        fee_bps: Bps(limits::FEE_BPS_MAX),
        claim_window_s: limits::CLAIM_WINDOW_S.0,
        grace_s: limits::GRACE_S.0,
        admin: day.thief.at(),
        fee_owner: day.thief.at(),
        ..now
    }
}

/// Settings come into force, and then a lease opens.
fn opened_under(plan: Plan, change: impl FnOnce(&mut Day) -> Settings) -> Day {
    let mut day = Day::new(plan);
    let settings = change(&mut day);
    propose(&mut day, &settings);
    day.market.pass(COOLDOWN_S - 1);
    let apply = day.market.apply_config_ix();
    day.market.refused(apply.clone(), &[], MarketError::CooldownRunning);
    day.market.pass(1);
    day.market.ok(apply, &[]);
    day.open();
    day
}

/// The fee's cap, paid to the thief, by leases that open afterwards.
fn charges() -> Row {
    let windows_as_before = |day: &mut Day| {
        let now = day.market.config().now;
        Settings { claim_window_s: now.claim_window_s, ..worst(day) }
    };
    let outcome = opened_under(Plan::new(Vouch::Either), windows_as_before).run(|_| {});
    let honest = 2 * earned(AGREED_RATE, DAY_S as u64);
    let (cap, agreed) = (u64::from(limits::FEE_BPS_MAX), FEE_BPS);
    assert!(outcome.thief > 0);
    Row::new(KEY, "the fee's cap, to itself", "leases opened after the cool-down", &outcome)
        .bound("renter", fee(honest, cap - agreed), "the cap of 5 %, less the old fee")
        .bound("fee owner", fee(honest, agreed), "its fee")
        .tight(99)
}

/// A claim window of a second, for leases that open afterwards: what is not on the chain when
/// the renter closes is lost.
fn shuts_the_window() -> Row {
    let day = opened_under(Plan::new(Vouch::Either), |day| {
        let now = day.market.config().now;
        Settings { claim_window_s: limits::CLAIM_WINDOW_S.0, ..now }
    });
    // The renter leaves right before the coordinator would have attested.
    let outcome = day.run(|day| {
        if day.elapsed() == 2 * ATTEST_S - TICK_S {
            let ix = day.market.close_ix(&day.renter, &day.lease, CloseReason::None);
            day.market.ok(ix, &[&day.renter.key]);
            day.plan.coordinator = Coordinator::OnlySigns;
        }
    });
    let each = at_most(AGREED_RATE, ATTEST_S);
    let when = "leases opened after the cool-down";
    Row::new(KEY, "a claim window of one second", when, &outcome)
        .bound("suppliers", 2 * each, "what was not attested yet when the lease closed")
        .bound("fee owner", 2 * fee(each, FEE_BPS), "the fee on it")
        .tight(85)
}

/// Leases that were open keep what they were opened with; only their fees go elsewhere.
fn meets_open_leases() -> Row {
    let outcome = Day::running(Plan::new(Vouch::Either)).run(|day| match day.elapsed() {
        0 => {
            let settings = worst(day);
            propose(day, &settings);
        }
        COOLDOWN_S => {
            day.market.ok(day.market.apply_config_ix(), &[]);
        }
        _ => {}
    });
    let bound = 2 * fee(earned(AGREED_RATE, DAY_S as u64), FEE_BPS);
    assert!(outcome.thief > 0);
    Row::new(KEY, "the worst settings, fees to itself", "leases that were open", &outcome)
        .bound("fee owner", bound, "fees that nobody had swept")
        .tight(99)
}

/// An honest admin who looks more often than the cool-down lasts.
fn is_called_off() -> Row {
    let mut honest = None;
    let outcome = Day::running(Plan::new(Vouch::Either)).run(|day| {
        let at = day.elapsed();
        if at >= DAY_S {
            return;
        }
        let honest = *honest.get_or_insert_with(|| day.market.config().now);
        if at % LOOK_S == 0 {
            propose(day, &honest);
        } else if at % LOOK_S == TICK_S {
            let settings = worst(day);
            propose(day, &settings);
        }
        let _early = day.market.run(day.market.apply_config_ix(), &[]);
    });
    Row::new(KEY, "the worst settings, every minute anew", "the honest admin looks", &outcome)
        .bound("fee owner", 0, COOLS)
        .harmless()
}

/// A deposit that nobody has.
fn shuts_the_door() -> Row {
    let outcome = Day::running(Plan::new(Vouch::Either)).run(|day| match day.elapsed() {
        0 => {
            let now = day.market.config().now;
            propose(day, &Settings { min_deposit: [BaseUnits(u64::MAX); 2], ..now });
        }
        COOLDOWN_S => {
            day.market.ok(day.market.apply_config_ix(), &[]);
            let (ix, _) = day.market.open_ix(&day.renter, 1, &day.terms());
            day.market.refused(ix, &[&day.renter.key], MarketError::DepositTooSmall);
        }
        _ => {}
    });
    Row::new(KEY, "a least deposit that nobody has", "nobody looks", &outcome)
        .bound("renter", 0, "nothing opens; open leases go on")
        .harmless()
}

/// All plays with this key.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(play)
}

fn play() -> Vec<Row> {
    vec![charges(), shuts_the_window(), meets_open_leases(), is_called_off(), shuts_the_door()]
}

#[test]
fn a_lost_admin_key_takes_fees_up_to_the_cap_after_the_cool_down() {
    assert_eq!(rows().len(), 5);
}
