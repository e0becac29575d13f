//! A supplier's key.

use crate::day::{AGREED_RATE, COOLDOWN_S, DAY_S, Day, LOOK_S, MINT, Plan, TICK_S, UNITS};
use crate::outcome::{Loss, Row, at_most};
use ionet_program_tests::interface::account::Vouch;
use ionet_program_tests::interface::instruction::Offer;
use ionet_program_tests::interface::{MarketError, Rate};
use ionet_program_tests::{Terms, USDC, Wallet};
use std::sync::OnceLock;

const KEY: &str = "supplier";

fn plan(suppliers_look: bool) -> Plan {
    Plan { suppliers_look, ..Plan::new(Vouch::Either) }
}

/// The stolen key's own, which every play uses.
const LOST: usize = 0;

/// Writes a record with the lost key, if that is still its supplier's.
fn write(day: &mut Day, change: impl FnOnce(&mut Offer)) {
    let (key, device) = (&day.suppliers[LOST], day.devices[LOST]);
    let mut offer = day.market.offer(key, UNITS, AGREED_RATE);
    change(&mut offer);
    let ix = day.market.update_ix(key, &device, offer);
    let signer = key.key.insecure_clone();
    if day.moved.contains(&LOST) {
        day.market.refused(ix, &[&signer], MarketError::NotSupplier);
    } else {
        day.market.ok(ix, &[&signer]);
    }
}

/// Ends the device's line on the honest lease.
fn end(day: &mut Day) {
    for stint in day.stints.clone() {
        if stint.device == day.devices[LOST] && day.runs(&stint) {
            let (key, line) = (&day.suppliers[LOST], [(stint.index, &stint.device)]);
            let ix = day.market.end_ix(key, &day.lease, stint.page, &line);
            day.market.ok(ix, &[&key.key]);
        }
    }
}

/// Another payout owner; when it is in force, work in progress is ended so that new lines pay it.
fn redirects(looks: bool, ends: bool, when: &'static str) -> Row {
    let outcome = Day::running(plan(looks)).run(|day| {
        let thief = day.thief.at();
        let at = day.elapsed();
        if at % 3_600 == 0 && at < DAY_S {
            write(day, |offer| offer.payout_owner = thief);
        }
        if ends && at == COOLDOWN_S && !looks {
            end(day);
        }
    });
    let does = match ends {
        true => "names its own payout owner, and ends lines so that new ones pay it",
        false => "names its own payout owner while lines run",
    };
    let row = Row::new(KEY, does, when, &outcome);
    if looks {
        return row
            .bound("suppliers", 0, "the cool-down: the device moves to a new key")
            .harmless();
    }
    if !ends {
        return row
            .bound("suppliers", 0, "lines keep the payout owner of their binding")
            .harmless();
    }
    let bound = at_most(AGREED_RATE, DAY_S - COOLDOWN_S);
    assert!(outcome.thief > 0);
    row.bound("suppliers", bound, "what it earns after the cool-down").tight(99)
}

/// A lease of the thief's own, with itself as coordinator, takes all of the device at next to
/// nothing.
fn hire_for_nothing(day: &mut Day) {
    let own: &Wallet = &day.thief;
    let terms = Terms {
        deposit: USDC,
        coordinator: Some(own.at()),
        vouch: Vouch::Session,
        session: [0; 32],
        ..day.terms()
    };
    let lease = day.market.open(own, 0, &terms);
    let line = [(&day.devices[LOST], UNITS, u64::from(UNITS))];
    let bind = day.market.bind_ix(own, &lease, 0, &line);
    let start = day.market.start_ix(own, &lease, 0, &[0]);
    for ix in [bind, start] {
        day.market.ok(ix, &[&day.thief.key]);
    }
    day.foreign = Some(lease);
}

/// Seconds of the day in which the device served nobody honest.
fn idle_s(served_s: u64) -> i64 {
    DAY_S - served_s as i64
}

/// It sells the device to itself for a base unit an hour.
fn undersells(looks: bool, when: &'static str) -> Row {
    let mut served_s = 0;
    let outcome = Day::running(plan(looks)).run(|day| {
        if day.elapsed() == 0 {
            end(day);
            write(day, |offer| offer.asks[MINT] = Rate(1));
            hire_for_nothing(day);
        }
        let device = day.devices[LOST];
        served_s = day.stints.iter().filter(|s| s.device == device).map(|s| s.served_s).sum();
    });
    let row = Row::new(KEY, "asks one base unit and hires the device itself", when, &outcome);
    let lost = at_most(AGREED_RATE, idle_s(served_s));
    let (bound, by) = match looks {
        true => (LOOK_S + TICK_S, "unsold time until the supplier looks"),
        false => (DAY_S, "unsold time"),
    };
    let bound = at_most(AGREED_RATE, bound);
    row.beside(Loss { who: "the supplier", lost, bound, by }).tight(90)
}

/// It takes the device off the market.
fn retires(looks: bool, when: &'static str) -> Row {
    let mut served_s = 0;
    let outcome = Day::running(plan(looks)).run(|day| {
        if day.elapsed() == 0 {
            let ix = day.market.retire_ix(&day.suppliers[LOST], &day.devices[LOST]);
            let key = day.suppliers[LOST].key.insecure_clone();
            day.market.refused(ix.clone(), &[&key], MarketError::DeviceInUse);
            end(day);
            let had = day.market.lamports(&day.suppliers[LOST].at());
            day.market.ok(ix, &[&key]);
            assert!(day.market.lamports(&day.suppliers[LOST].at()) > had, "rent to its payer");
        }
        let device = day.devices[LOST].key;
        let own = day.stints.iter().filter(|s| s.device.key == device);
        served_s = own.map(|s| s.served_s).sum();
    });
    let row = Row::new(KEY, "ends the device's lines and retires it", when, &outcome);
    let lost = at_most(AGREED_RATE, idle_s(served_s));
    let (bound, by) = match looks {
        true => (LOOK_S + TICK_S, "unsold time until the supplier looks"),
        false => (DAY_S, "unsold time"),
    };
    let bound = at_most(AGREED_RATE, bound);
    row.beside(Loss { who: "the supplier", lost, bound, by }).tight(90)
}

/// All plays with this key.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(play)
}

fn play() -> Vec<Row> {
    vec![
        redirects(false, true, "nobody looks"),
        redirects(true, true, "the supplier looks"),
        redirects(false, false, "nobody looks"),
        undersells(false, "nobody looks"),
        undersells(true, "the supplier looks"),
        retires(false, "nobody looks"),
        retires(true, "the supplier looks"),
    ]
}

#[test]
fn a_lost_supplier_key_takes_what_is_earned_after_the_cool_down() {
    assert_eq!(rows().len(), 7);
}
