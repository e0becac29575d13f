//! The coordinator's leaders: an older one does nothing, and nobody else is bothered by epochs.

use ionet_program_tests::interface::MarketError;
use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::{Market, Tamper, USDC};

#[test]
fn an_older_leader_does_nothing() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, key, who) = (running.lease, market.coordinator_key(), &market.coordinator);
    let lines = [(&running.device, 1, USDC)];
    let bind = |epoch| market.bind_epoch_ix(who, &lease, 0, epoch, &lines);
    let epoch = |ix: ionet_program_tests::interface::build::Ix, epoch: u64| {
        ix.data(|data| data[1..9].copy_from_slice(&epoch.to_le_bytes()))
    };
    let start = market.start_ix(who, &lease, 0, &[1]);
    let end = market.end_ix(who, &lease, 0, &[(0, &running.device)]);
    let attest = market.attest_ix(who, &lease, 0, &[(0, 5)]);
    let close = market.close_ix(who, &lease, CloseReason::Finished);
    let (new, same, old) = (bind(7), bind(7), bind(6));
    market.ok(new, &[&key]);
    market.pass(10);
    market.refused(old, &[&key], MarketError::StaleEpoch);
    for ix in [&start, &end, &attest, &close] {
        for older in [0, 6] {
            market.refused(epoch(ix.clone(), older), &[&key], MarketError::StaleEpoch);
        }
    }
    market.ok(same, &[&key]);
    for ix in [start, attest, end] {
        market.ok(epoch(ix, 7), &[&key]);
    }
    market.refused(epoch(close.clone(), 6), &[&key], MarketError::StaleEpoch);
    market.ok(epoch(close, u64::MAX), &[&key]);
}

/// Renter and supplier name no epoch: whatever the coordinator did, they leave.
#[test]
fn epochs_hold_nobody_else_up() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, key) = (running.lease, market.coordinator_key());
    let lines = [(&running.device, 1, USDC)];
    let highest = market.bind_epoch_ix(&market.coordinator, &lease, 0, u64::MAX, &lines);
    market.ok(highest, &[&key]);
    market.pass(10);
    let vouch = market.attest_ix(&running.renter, &lease, 0, &[(0, 10)]);
    market.ok(vouch, &[&running.renter.key]);
    let ends = market.end_ix(&running.supplier, &lease, 0, &[(0, &running.device)]);
    market.ok(ends, &[&running.supplier.key]);
    market.close(&running.renter, &lease);
    market.ok(market.withdraw_ix(&lease, 0, &[(0, running.supplier.tokens[0])]), &[]);
}
