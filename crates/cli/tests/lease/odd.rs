//! Addresses that nobody would derive. Whoever opens a lease chooses the bumps of lease and
//! vault, whoever binds that of the page: no choice may hide a supplier's or a renter's money.

use crate::world::{Person, RATE, USDC, World, earned};
use ionet_ledger::interface::account::{SessionRights, Vouch};
use ionet_ledger::interface::build::{self, Ix, OpenLeaseAccounts};
use ionet_ledger::interface::instruction::{Bind, BindLine, OpenLease, Served};
use ionet_ledger::interface::{BaseUnits, Rate, Seconds, Timestamp, seeds};
use ionet_ledger::token::associated_account;
use ionet_ledger::{Address, Signer, addresses};

/// The address of these seeds that stands below the usual one, with its bump.
fn odd(seeds: &[&[u8]], usual: u8, program: &Address) -> (Address, u8) {
    let try_bump = |bump: u8| {
        let seeds: Vec<&[u8]> =
            seeds.iter().copied().chain([std::slice::from_ref(&bump)]).collect();
        Some((Address::create_program_address(&seeds, program).ok()?, bump))
    };
    (0..usual).rev().find_map(try_bump).expect("about half of all bumps are good")
}

fn bytes(address: &Address) -> [u8; 32] {
    address.to_bytes()
}

fn send(w: &World, ix: &Ix, signer: &dyn Signer) {
    let list = [w.ledger.instruction(ix)];
    w.wait(w.ledger.connection().send(&list, &[signer])).unwrap();
}

/// A lease and a vault at odd addresses.
fn open(w: &World, renter: &Person) -> Address {
    let (program, key) = (w.ledger.program(), bytes(&renter.address()));
    let usual = addresses::lease(&program, &renter.address(), 0);
    let (lease, lease_bump) = odd(&seeds::lease(&key, &seeds::number(0)), usual.1, &program);
    let usual = addresses::vault(&program, &lease);
    let (vault, vault_bump) = odd(&seeds::vault(&bytes(&lease)), usual.1, &program);
    let (counter, counter_bump) = addresses::renter(&program, &renter.address());
    let accounts = OpenLeaseAccounts {
        renter: key,
        payer: key,
        config: bytes(&addresses::config(&program).0),
        counter: bytes(&counter),
        lease: bytes(&lease),
        vault: bytes(&vault),
        mint: bytes(&w.mints.usdc),
        source: bytes(&associated_account(&renter.address(), &w.mints.usdc)),
    };
    let args = OpenLease {
        counter_bump,
        lease_bump,
        vault_bump,
        vouch: Vouch::Either,
        session_rights: SessionRights::NONE,
        accept_s: 0,
        slots_max: 1,
        counter: 0,
        deposit: BaseUnits(USDC),
        rate_per_slot_max: Rate(RATE),
        rate_total_max: Rate(2 * RATE),
        expires_at: Timestamp(w.now() + 3_600),
        session: [0; 32],
        coordinator: bytes(&w.keys.coordinator.address()),
        policy_hash: [7; 32],
    };
    send(w, &build::open_lease(&accounts, &args), &renter.key);
    lease
}

/// A page at an odd address, with a line that started and served two seconds.
fn serve(w: &World, lease: &Address, device: &[u8; 32]) {
    let (program, boss) = (w.ledger.program(), &w.keys.coordinator);
    let (key, lease_key) = (bytes(&boss.address()), bytes(lease));
    let usual = addresses::page(&program, lease, 0);
    let (page, page_bump) =
        odd(&seeds::page(&lease_key, &seeds::page_number(0)), usual.1, &program);
    let page = bytes(&page);
    let at = bytes(&addresses::device(&program, device).0);
    let bind = Bind { epoch: 1, page: 0, page_bump, capacity: 1 };
    let line = [BindLine { units: 1, rate: Rate(RATE) }];
    send(w, &build::bind(key, key, lease_key, page, &[at], &bind, &line), boss);
    send(w, &build::start(key, lease_key, page, 1, &[0]), boss);
    w.until(w.now() + 3);
    let served = [Served { index: 0, served: Seconds(2) }];
    send(w, &build::attest(key, lease_key, page, 1, &served), boss);
}

#[test]
fn a_lease_whose_addresses_are_odd_is_found_paid_and_removed() {
    let w = World::new(1, 600);
    let (renter, supplier) = (w.person("renter", 10 * USDC), w.person("supplier", 0));
    let device = w.device(&supplier);
    let lease = open(&w, &renter);
    serve(&w, &lease, &device);

    let listed = w.ok(&supplier, &["lease", "list", "--supplier"]);
    assert_eq!(
        (&listed[0]["lease"], &listed[0]["due"]),
        (&lease.to_string().into(), &earned(2).into())
    );
    w.ok(&supplier, &["lease", "withdraw", "--all", "--yes"]);
    assert_eq!(w.usdc(&supplier.address()), earned(2));
    w.ok(&renter, &["lease", "close", &lease.to_string(), "--yes"]);
    w.until(w.record(&lease).claims_until().0 + 1);
    w.ok(&renter, &["lease", "settle", "--all", "--yes"]);
    assert!(w.is_gone(&lease));
    assert_eq!(w.sum(&[&renter, &supplier], &[]), 10 * USDC);
}
