//! Every record replaced by another of its type: of another lease, device, renter or supplier.

use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::interface::build::Ix;
use ionet_program_tests::{Books, Market, Running, Tamper, USDC, Wallet, books, transfer};
use solana_keypair::Keypair;
use solana_signer::Signer;

/// A second lease with a line of another supplier's device, running like the first.
fn second(market: &mut Market) -> Running {
    market.running(|_| {})
}

fn coordinator(market: &Market) -> Wallet {
    Wallet { key: market.coordinator_key(), tokens: market.coordinator.tokens }
}

fn same(a: &Books, b: &Books) -> bool {
    (&a.devices, &a.leases, &a.lines, &a.tokens) == (&b.devices, &b.leases, &b.lines, &b.tokens)
}

/// `ours` is what the lease's own people send. In each place where `theirs` names another
/// account, that account stands instead: refused, and nothing changes.
#[track_caller]
fn each_swap_is_refused(market: &mut Market, ours: &Ix, theirs: &Ix, signers: &[&Keypair]) {
    let places: Vec<usize> = (0..ours.accounts.len())
        .filter(|at| !ours.accounts[*at].signer && ours.accounts[*at] != theirs.accounts[*at])
        .collect();
    assert!(!places.is_empty());
    let before = books(market);
    for at in places {
        eprintln!("instruction {}, place {at}", ours.data[0]);
        let swapped = ours.clone().swap(at, theirs.accounts[at].address);
        market.fails(swapped, signers);
        assert!(same(&before, &books(market)));
    }
    let untouched = market.svm.clone();
    market.ok(ours.clone(), signers);
    market.svm = untouched;
}

#[test]
fn no_record_stands_in_for_another_of_its_type() {
    let mut market = Market::new();
    let (a, b) = (second(&mut market), second(&mut market));
    let who = coordinator(&market);
    for running in [&a, &b] {
        market.bind(&running.lease, 0, &[(&running.device, 1, USDC)]);
    }
    market.pass(60);
    for running in [&a, &b] {
        market.attest(&running.lease, 0, &[(0, 30)]);
    }
    let each: [fn(&Market, &Wallet, &Running) -> Ix; 7] = [
        |m, w, r| m.start_ix(w, &r.lease, 0, &[1]),
        |m, w, r| m.attest_ix(w, &r.lease, 0, &[(0, 40)]),
        |m, w, r| m.end_ix(w, &r.lease, 0, &[(0, &r.device)]),
        |m, w, r| m.close_ix(w, &r.lease, CloseReason::Finished),
        |m, _, r| m.withdraw_ix(&r.lease, 0, &[(0, r.supplier.tokens[0])]),
        |m, _, r| m.sweep_ix(&r.lease),
        |m, _, r| m.top_up_ix(&r.renter, 0, &r.lease, 1),
    ];
    for make in each {
        let (ours, theirs) = (make(&market, &who, &a), make(&market, &who, &b));
        let signs = |key: &&Keypair| {
            let at = key.pubkey().to_bytes();
            ours.accounts.iter().any(|meta| meta.signer && meta.address == at)
        };
        let signers: Vec<&Keypair> = [&who.key, &a.renter.key].into_iter().filter(signs).collect();
        each_swap_is_refused(&mut market, &ours, &theirs, &signers);
    }
}

#[test]
fn nor_in_what_follows_closing() {
    let mut market = Market::new();
    let (a, b) = (second(&mut market), second(&mut market));
    market.pass(60);
    for running in [&a, &b] {
        market.attest(&running.lease, 0, &[(0, 30)]);
        let close = market.close_only_ix(&running.renter, &running.lease, CloseReason::None);
        market.ok(close, &[&running.renter.key]);
    }
    let who = coordinator(&market);
    let pair = |make: &dyn Fn(&Running) -> Ix| (make(&a), make(&b));
    let (ours, theirs) = pair(&|r| market.refund_ix(&r.lease));
    each_swap_is_refused(&mut market, &ours, &theirs, &[]);
    let until = market.lease(&b.lease.lease).claims_until().0;
    market.set_time(until + 1);
    let (ours, theirs) = pair(&|r| market.finalize_ix(&r.lease));
    each_swap_is_refused(&mut market, &ours, &theirs, &[]);
    for running in [&a, &b] {
        market.finalize(&running.lease);
        let to = running.supplier.tokens[0];
        market.ok(market.withdraw_ix(&running.lease, 0, &[(0, to)]), &[]);
        market.ok(market.sweep_ix(&running.lease), &[]);
        let free = market.end_ix(&who, &running.lease, 0, &[(0, &running.device)]);
        market.ok(free, &[&who.key]);
    }
    let (ours, theirs) = pair(&|r| market.reclaim_page_ix(&r.lease, 0, &market.coordinator));
    each_swap_is_refused(&mut market, &ours, &theirs, &[]);
    for running in [&a, &b] {
        market.ok(market.reclaim_page_ix(&running.lease, 0, &market.coordinator), &[]);
    }
    let stranger = market.wallet(1);
    let gift = transfer(&stranger.tokens[0], &a.lease.vault, &stranger.at(), 1);
    market.send(&[gift], &[&stranger.key]).unwrap();
    let (ours, theirs) = pair(&|r| market.reclaim_lease_ix(&r.lease));
    each_swap_is_refused(&mut market, &ours, &theirs, &[]);
}

#[test]
fn devices_and_counters_are_nobody_elses() {
    let mut market = Market::new();
    let (a, b) = (second(&mut market), second(&mut market));
    let offer = market.offer(&a.supplier, 4, USDC);
    let (ours, theirs) = (
        market.update_ix(&a.supplier, &a.device, offer),
        market.update_ix(&a.supplier, &b.device, offer),
    );
    each_swap_is_refused(&mut market, &ours, &theirs, &[&a.supplier.key]);
    let idle = [market.register(&a.supplier, 1, 1), market.register(&b.supplier, 1, 1)];
    let (ours, theirs) =
        (market.retire_ix(&a.supplier, &idle[0]), market.retire_ix(&b.supplier, &idle[1]));
    each_swap_is_refused(&mut market, &ours, &theirs, &[&a.supplier.key]);
    let terms = market.terms();
    let (ours, theirs) =
        (market.open_ix(&a.renter, 1, &terms).0, market.open_ix(&b.renter, 1, &terms).0);
    each_swap_is_refused(&mut market, &ours, &theirs, &[&a.renter.key]);
}
