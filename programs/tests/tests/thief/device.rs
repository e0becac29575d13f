//! A device's own key.

use crate::day::{AGREED_RATE, Day, Plan, UNITS};
use crate::outcome::Row;
use ionet_program_tests::Market;
use ionet_program_tests::interface::account::Vouch;
use ionet_program_tests::interface::{MarketError, limits};
use std::sync::OnceLock;

const KEY: &str = "device";

/// It enrols the device for a supplier of its own, again and again.
fn enrols() -> Row {
    let outcome = Day::running(Plan::new(Vouch::Either)).run(|day| {
        if day.elapsed() % 3_600 != 0 {
            return;
        }
        let device = day.device_key(0);
        let at = day.devices[0];
        let offer = day.market.offer(&day.thief, UNITS, 1);
        let ix = day.market.register_ix(&day.thief, &at.key, offer, 0, true);
        let keys = [&day.thief.key, &device];
        day.market.refused(ix, &keys, MarketError::AlreadyExists);
        let until = day.market.now() + limits::STATEMENT_S_MAX as i64;
        let statement = day.market.statement_ix(&device, &day.thief.at(), until);
        let ix = day.market.register_ix(&day.thief, &at.key, offer, until, false);
        let ix = day.market.wrap(&ix);
        assert!(day.market.send(&[statement, ix], &[&day.thief.key]).is_err(), "it is enrolled");
        for ix in
            [day.market.update_ix(&day.thief, &at, offer), day.market.retire_ix(&day.thief, &at)]
        {
            day.market.refused(ix, &keys[..1], MarketError::NotSupplier);
        }
    });
    Row::new(KEY, "enrols the device for itself", "nobody looks", &outcome)
        .bound("suppliers", 0, "one record a device, and its supplier never changes")
        .harmless()
}

/// All plays with this key.
pub(crate) fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(play)
}

fn play() -> Vec<Row> {
    vec![enrols()]
}

#[test]
fn a_lost_device_key_takes_nothing() {
    assert_eq!(rows().len(), 1);
}

#[test]
fn before_it_is_enrolled_it_costs_its_supplier_the_key() {
    let mut market = Market::new();
    let (supplier, thief) = (market.wallet(0), market.wallet(0));
    let device = market.new_key();
    let key = market.device_at(&solana_signer::Signer::pubkey(&device).to_bytes()).key;
    let offer = market.offer(&thief, 1, 1);
    let ix = market.register_ix(&thief, &key, offer, 0, true);
    market.ok(ix, &[&thief.key, &device]);
    let offer = market.offer(&supplier, UNITS, AGREED_RATE);
    let ix = market.register_ix(&supplier, &key, offer, 0, true);
    market.refused(ix, &[&supplier.key, &device], MarketError::AlreadyExists);
    market.register(&supplier, UNITS, AGREED_RATE);
}
