//! Who must sign, who pays, and what must be writable: instruction by instruction.

use ionet_program_tests::interface::account::{CloseReason, SessionRights};
use ionet_program_tests::interface::{MarketError, PROGRAM_ID};
use ionet_program_tests::{
    Features, Market, Refusal, Tamper, USDC, Wallet, approve, books, build_top_up,
};
use solana_address::Address;
use solana_instruction::AccountMeta;
use solana_signer::Signer;

/// An owned copy of the chain's coordinator.
fn coordinator(market: &Market) -> Wallet {
    Wallet { key: market.coordinator_key(), tokens: market.coordinator.tokens }
}

#[test]
fn everyone_who_must_sign_signs() {
    let mut market = Market::new();
    let session = market.wallet(0);
    let running = market.running(|terms| {
        terms.accept_s = 60;
        terms.session = session.at();
        terms.session_rights = SessionRights::ALL;
    });
    let (lease, renter) = (running.lease, &running.renter);
    let (supplier, device) = (&running.supplier, &running.device);
    let idle = market.register(supplier, 1, USDC);
    market.bind(&lease, 0, &[(device, 1, USDC)]);
    let who = coordinator(&market);
    let offer = market.offer(supplier, 4, USDC);
    let key = market.new_key();
    let device_key = key.pubkey().to_bytes();
    let line = [(0, device)];
    let all = [
        market.set_config_ix(&market.settings()),
        market.register_ix(supplier, &device_key, offer, 0, true).swap(1, renter.at()),
        market.update_ix(supplier, device, offer),
        market.retire_ix(supplier, &idle),
        market.open_ix(renter, 1, &market.terms()).0.swap(1, session.at()),
        market.top_up_ix(renter, 0, &lease, USDC),
        market.bind_ix(&who, &lease, 0, &[(device, 1, USDC)]).swap(1, renter.at()),
        market.start_ix(&who, &lease, 0, &[1]),
        market.reject_ix(renter, &lease, 0, &line),
        market.end_ix(supplier, &lease, 0, &line),
        market.attest_ix(renter, &lease, 0, &[(0, 0)]),
        market.close_ix(renter, &lease, CloseReason::None),
    ];
    let admin = market.admin.key.insecure_clone();
    let keys = [&admin, &supplier.key, &renter.key, &session.key, &who.key, &key]
        .map(|k| k.insecure_clone());
    for (at, ix) in all.into_iter().enumerate() {
        eprintln!("case {at}");
        let without = ix.clone().unsigned(0);
        let sign = |ix: &ionet_program_tests::interface::build::Ix| {
            let signs = |k: &&solana_keypair::Keypair| {
                let at = k.pubkey().to_bytes();
                ix.accounts.iter().any(|meta| meta.signer && meta.address == at)
            };
            keys.iter().filter(signs).map(|k| k.insecure_clone()).collect::<Vec<_>>()
        };
        let signers = sign(&without);
        market.refused(without, &signers.iter().collect::<Vec<_>>(), MarketError::MissingSigner);
        // With it, the same passes: on a chain of its own, for some of them exclude each other.
        let (signers, before) = (sign(&ix), market.svm.clone());
        market.ok(ix, &signers.iter().collect::<Vec<_>>());
        market.svm = before;
    }
}

#[test]
fn whoever_pays_the_rent_signs() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter, supplier) = (running.lease, &running.renter, &running.supplier);
    let (victim, who) = (market.wallet(0), coordinator(&market));
    let device = market.new_key();
    let offer = market.offer(supplier, 1, USDC);
    let at = device.pubkey().to_bytes();
    let lines = [(&running.device, 1, USDC)];
    // The first page has lines already: the next one is new, and costs rent.
    let open = market.open_ix(renter, 1, &market.terms()).0;
    let register = market.register_ix(supplier, &at, offer, 0, true);
    let bind = market.bind_ix(&who, &lease, 1, &lines);
    for (ix, signers) in [
        (open, vec![&renter.key]),
        (register, vec![&supplier.key, &device]),
        (bind, vec![&who.key]),
    ] {
        let stolen = ix.swap(1, victim.at());
        market.refused(stolen.clone().unsigned(1), &signers, MarketError::MissingSigner);
        let mut with: Vec<_> = signers.clone();
        with.push(&victim.key);
        market.refused(stolen.readonly(1), &with, MarketError::NotWritable);
    }
    let mut bare = Market::bare(Features::from_env());
    let (authority, victim) = (bare.authority.insecure_clone(), bare.wallet(0));
    let init = bare.init_config_ix(&bare.settings()).swap(0, victim.at());
    bare.refused(init.clone().unsigned(0), &[&authority], MarketError::MissingSigner);
    bare.ok(init, &[&authority, &victim.key]);
}

#[test]
fn what_changes_must_be_writable() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter, supplier) = (running.lease, &running.renter, &running.supplier);
    let payer = market.wallet(0);
    let who = coordinator(&market);
    let device = market.new_key();
    let offer = market.offer(supplier, 1, USDC);
    let open = market.open_ix(renter, 1, &market.terms()).0.swap(1, payer.at());
    let register = market
        .register_ix(supplier, &device.pubkey().to_bytes(), offer, 0, true)
        .swap(1, payer.at());
    let bind = market.bind_ix(&who, &lease, 1, &[(&running.device, 1, USDC)]).swap(1, payer.at());
    let top_up = market.top_up_ix(renter, 0, &lease, USDC);
    let cases = [
        (open, vec![&renter.key, &payer.key], vec![1, 3, 4, 5, 7]),
        (register, vec![&supplier.key, &device, &payer.key], vec![1, 2]),
        (bind, vec![&who.key, &payer.key], vec![1, 2, 3, 5]),
        (top_up, vec![&renter.key], vec![1, 2, 3]),
    ];
    for (ix, signers, places) in cases {
        for at in places {
            eprintln!("place {at} of {}", ix.data[0]);
            market.refused(ix.clone().readonly(at), &signers, MarketError::NotWritable);
        }
        market.ok(ix, &signers);
    }
}

#[test]
fn rent_payers_must_be_writable() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, supplier) = (running.lease, &running.supplier);
    market.close(&running.renter, &lease);
    market.finalize(&lease);
    market.ok(market.end_ix(supplier, &lease, 0, &[(0, &running.device)]), &[&supplier.key]);
    let retire = market.retire_ix(supplier, &running.device);
    let page = market.reclaim_page_ix(&lease, 0, &market.coordinator);
    let record = market.reclaim_lease_ix(&lease);
    for (ix, at, signers) in
        [(retire, 2, vec![&supplier.key]), (page, 2, vec![]), (record, 3, vec![])]
    {
        market.refused(ix.clone().readonly(at), &signers, MarketError::NotWritable);
        market.ok(ix, &signers);
    }
}

#[test]
fn another_signature_in_the_transaction_gives_no_right() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (lease, renter, supplier) = (running.lease, &running.renter, &running.supplier);
    let thief = market.wallet(0);
    market.pass(100);
    market.attest(&lease, 0, &[(0, 100)]);
    let before = books(&market).tokens;
    let close = market.close_ix(&thief, &lease, CloseReason::None);
    let attest = market.attest_ix(&thief, &lease, 0, &[(0, 1)]);
    let end = market.end_ix(&thief, &lease, 0, &[(0, &running.device)]);
    let pay = market.withdraw_ix(&lease, 0, &[(0, thief.tokens[0])]);
    let friend = market.wallet(100 * USDC);
    let other = market.open(&friend, 0, &market.terms());
    let spend = build_top_up(&thief.at(), &renter.tokens[0], &other, 1);
    let signers = [&thief.key, &renter.key, &supplier.key];
    for (ix, why) in [
        (close, Some(MarketError::ClockRuns)),
        (attest, Some(MarketError::NotCoordinator)),
        (end, Some(MarketError::NotAllowed)),
        (pay, Some(MarketError::WrongTokenOwner)),
        (spend, None),
    ] {
        // All of them sign the same transaction, and stand at the end of the accounts too.
        let mut wrapped = market.wrap(&ix);
        assert_eq!(wrapped.program_id, Address::from(PROGRAM_ID));
        for who in [renter.at(), supplier.at(), thief.at()] {
            wrapped.accounts.push(AccountMeta::new(Address::from(who), true));
        }
        let result = market.send(&[wrapped], &signers).map(|_| ()).unwrap_err();
        assert!(why.is_none_or(|why| result == Refusal::Market(why)), "{result:?}");
    }
    let after = books(&market).tokens;
    assert!(before.iter().all(|(at, held)| after[at] == *held), "nothing has moved");
}

#[test]
fn a_delegate_spends_no_more_than_its_cap_whoever_else_signs() {
    let mut market = Market::new();
    let session = market.wallet(0);
    let running = market.running(|terms| terms.session = session.at());
    let (renter, lease) = (&running.renter, running.lease);
    let cap = approve(&renter.tokens[0], &session.at(), &renter.at(), USDC);
    market.send(&[cap], &[&renter.key]).unwrap();
    let more = build_top_up(&session.at(), &renter.tokens[0], &lease, USDC + 1);
    market.fails(more, &[&session.key]);
    market.ok(build_top_up(&session.at(), &renter.tokens[0], &lease, USDC), &[&session.key]);
    assert_eq!(market.balance(&session.tokens[0]), 0);
}
