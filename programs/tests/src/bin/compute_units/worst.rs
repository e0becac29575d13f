//! The most that one call can be given: full pages, as many accounts as fit, each supplier
//! another one, and figures whose products do not fit 64 bits.

use crate::Bench;
use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::interface::limits::{ACCOUNT_LINES_MAX, BIND_LINES_MAX, LINES_PER_PAGE};
use ionet_program_tests::{DeviceAt, Key, LeaseAt, Terms, Wallet};

/// Base units an hour: times the seconds below it exceeds 64 bits.
const RATE: u64 = 4_000_000_000_000_007;
/// Served by each line; odd.
const SERVED_S: u64 = 10_007;
const DEPOSIT: u64 = 1_000_000_000_000_000_000;

struct Crowd {
    renter: Wallet,
    suppliers: Vec<Wallet>,
    devices: Vec<DeviceAt>,
    lease: LeaseAt,
}

/// A lease with a page's worth of devices, each another supplier's.
fn crowd(bench: &mut Bench) -> Crowd {
    let market = &mut bench.market;
    let renter = market.wallet(2 * DEPOSIT);
    let suppliers: Vec<Wallet> = (0..LINES_PER_PAGE).map(|_| market.wallet(0)).collect();
    let devices = suppliers.iter().map(|own| market.register(own, 1, RATE)).collect();
    let gross = RATE + RATE / 40;
    let terms = Terms {
        deposit: DEPOSIT,
        slots_max: u16::from(LINES_PER_PAGE),
        rate_per_slot_max: RATE,
        rate_total_max: gross * u64::from(LINES_PER_PAGE),
        accept_s: 60,
        ..market.terms()
    };
    let lease = market.open(&renter, 0, &terms);
    Crowd { renter, suppliers, devices, lease }
}

/// A life in which every call is as large as it can be.
pub(crate) fn scene(bench: &mut Bench) {
    let crowd = crowd(bench);
    let key = bench.market.coordinator_key();
    let lines: Vec<_> = crowd.devices.iter().map(|device| (device, 1, RATE)).collect();
    let all: Vec<u8> = (0..LINES_PER_PAGE).collect();
    let (first, rest) = lines.split_at(BIND_LINES_MAX);
    let coordinator = &bench.market.coordinator;
    let ix = bench.market.bind_ix(coordinator, &crowd.lease, 0, first);
    bench.run("the most: bind, 16 lines in a new page", ix, &[&key]);
    let ix = bench.market.bind_ix(&bench.market.coordinator, &crowd.lease, 0, rest);
    bench.market.ok(ix, &[&key]);
    let ix = bench.market.start_ix(&bench.market.coordinator, &crowd.lease, 0, &all);
    bench.run("the most: start, 24 lines", ix, &[&key]);
    bench.market.pass(SERVED_S as i64);
    let served: Vec<_> = all.iter().map(|index| (*index, SERVED_S)).collect();
    let ix = bench.market.attest_ix(&bench.market.coordinator, &crowd.lease, 0, &served);
    bench.run("the most: attest, 24 lines", ix, &[&key]);
    let to = crowd.suppliers.iter().map(|own| own.tokens[0]);
    let draws: Vec<(u8, Key)> = all.iter().copied().zip(to).collect();
    let (most, rest) = draws.split_at(ACCOUNT_LINES_MAX);
    let ix = bench.market.withdraw_ix(&crowd.lease, 0, most);
    bench.run("the most: withdraw, 20 lines of 20 suppliers", ix, &[]);
    let ix = bench.market.withdraw_ix(&crowd.lease, 0, &rest[..1]);
    bench.run("withdraw, one line of a full page", ix, &[]);
    bench.market.ok(bench.market.withdraw_ix(&crowd.lease, 0, &rest[1..]), &[]);
    end(bench, &crowd);
}

fn end(bench: &mut Bench, crowd: &Crowd) {
    let (lease, renter) = (crowd.lease, &crowd.renter);
    let lines: Vec<_> = (0..LINES_PER_PAGE).zip(&crowd.devices).collect();
    let (most, rest) = lines.split_at(ACCOUNT_LINES_MAX);
    let ix = bench.market.end_ix(renter, &lease, 0, most);
    bench.run("the most: end_line, 20 lines", ix, &[&renter.key]);
    bench.market.ok(bench.market.end_ix(renter, &lease, 0, rest), &[&renter.key]);
    let ix = bench.market.close_ix(renter, &lease, CloseReason::None);
    bench.market.ok(ix, &[&renter.key]);
    bench.market.finalize(&lease);
    bench.market.ok(bench.market.sweep_ix(&lease), &[]);
    let ix = bench.market.reclaim_page_ix(&lease, 0, &bench.market.coordinator);
    bench.run("the most: reclaim_page, 24 lines", ix, &[]);
}

/// A page's worth of lines that the renter refuses.
pub(crate) fn rejected(bench: &mut Bench) {
    let crowd = crowd(bench);
    let key = bench.market.coordinator_key();
    let lines: Vec<_> = crowd.devices.iter().map(|device| (device, 1, RATE)).collect();
    for some in lines.chunks(BIND_LINES_MAX) {
        let ix = bench.market.bind_ix(&bench.market.coordinator, &crowd.lease, 0, some);
        bench.market.ok(ix, &[&key]);
    }
    let all: Vec<u8> = (0..LINES_PER_PAGE).collect();
    let ix = bench.market.start_ix(&bench.market.coordinator, &crowd.lease, 0, &all);
    bench.market.ok(ix, &[&key]);
    bench.market.pass(7);
    let lines: Vec<_> = all.into_iter().zip(&crowd.devices).take(ACCOUNT_LINES_MAX).collect();
    let ix = bench.market.reject_ix(&crowd.renter, &crowd.lease, 0, &lines);
    bench.run("the most: reject, 20 lines", ix, &[&crowd.renter.key]);
}
