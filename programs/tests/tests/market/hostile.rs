//! Records and choices that cannot be.

use crate::edit;
use ionet_program_tests::interface::MarketError;
use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::{Key, Market, Tamper, USDC};

/// What is done to a record's bytes.
type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_record_is_refused() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, page, key) = (running.lease.lease, running.lease.page(0), market.coordinator_key());
    let good = market.attest_ix(&market.coordinator, &running.lease, 0, &[(0, 0)]);
    let damages: [(Key, Damage); 12] = [
        (lease, |data| data[0] = 0),
        (lease, |data| data[1] = 2),
        (lease, |data| data.push(0)),
        (lease, |data| data.truncate(463)),
        (lease, |data| data[4] = 9), // a state that there is not
        (page, |data| data[0] = 4),
        (page, |data| data[1] = 2),
        (page, |data| data[3] = 0),  // no room
        (page, |data| data[3] = 25), // more than there is
        (page, |data| data[4] = 25), // more lines than room
        (page, |data| data.truncate(79)),
        (page, |data| data.truncate(3_343)),
    ];
    for (at, (account, damage)) in damages.into_iter().enumerate() {
        eprintln!("case {at}");
        let before = market.account(&account).unwrap().data;
        edit::bytes(&mut market, &account, damage);
        market.refused(good.clone(), &[&key], MarketError::WrongKind);
        edit::bytes(&mut market, &account, |data| *data = before);
    }
    market.ok(good, &[&key]);
}

/// Of records that are only read, too.
#[test]
fn damaged_settings_are_refused() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let offer = market.offer(&running.supplier, 4, USDC);
    let good = market.update_ix(&running.supplier, &running.device, offer);
    let config = good.accounts[2].address;
    let damages: [Damage; 4] =
        [|data| data[0] = 3, |data| data[1] = 0, |data| data.push(0), |data| data.truncate(383)];
    let before = market.account(&config).unwrap().data;
    for damage in damages {
        edit::bytes(&mut market, &config, damage);
        market.refused(good.clone(), &[&running.supplier.key], MarketError::WrongKind);
        edit::bytes(&mut market, &config, |data| data.clone_from(&before));
    }
    market.ok(good, &[&running.supplier.key]);
}

#[test]
fn choices_that_do_not_exist_are_refused() {
    let mut market = Market::new();
    let renter = market.wallet(100 * USDC);
    let (open, lease) = market.open_ix(&renter, 0, &market.terms());
    for (at, value) in [(4, 3), (4, 255), (5, 4), (5, 255)] {
        let ix = open.clone().data(|data| data[at] = value);
        market.refused(ix, &[&renter.key], MarketError::BadInstruction);
    }
    market.ok(open, &[&renter.key]);
    let close = market.close_ix(&renter, &lease, CloseReason::None);
    for (at, value) in [(9, 4), (9, 255), (10, 2), (10, 255)] {
        let ix = close.clone().data(|data| data[at] = value);
        market.refused(ix, &[&renter.key], MarketError::BadInstruction);
    }
    market.ok(close, &[&renter.key]);
}
