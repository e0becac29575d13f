//! "Who can take what" of `docs/money.md`: one test per lost key.

use crate::world::{
    BALANCE, GENESIS, Key, Refusal, START, World, at, device_at, page_at, pda, signed,
    to_instruction,
};
use ionet_market_interface::account::{CloseReason, SessionRights, Vouch};
use ionet_market_interface::instruction::{RegisterDevice, Served, SetConfig, UpdateDevice};
use ionet_market_interface::statement::registration;
use ionet_market_interface::{
    BaseUnits, Bps, MarketError, PROGRAM_ID, Rate, Seconds, Timestamp, build, limits, seeds,
};
use solana_keypair::Keypair;

fn refused(error: MarketError) -> Result<(), Refusal> {
    Err(Refusal::Market(error))
}

fn vouch(world: &mut World, who: &Keypair, lease: Key, index: u8, s: u64) -> Result<(), Refusal> {
    let served = [Served { index, served: Seconds(s) }];
    let ix = build::attest(at(who), lease, page_at(&lease, 0).0, 0, &served);
    world.run(&ix, &[who])
}

fn start(world: &mut World, lease: Key, lines: &[u8]) {
    let who = world.coordinator.insecure_clone();
    let ix = build::start(at(&who), lease, page_at(&lease, 0).0, 0, lines);
    world.run(&ix, &[&who]).unwrap();
}

#[test]
fn a_lost_coordinator_key_takes_at_most_the_ceilings_until_the_lease_expires() {
    let mut w = World::new();
    let (renter, renter_token) = w.wallet();
    let (thief, thief_token) = w.wallet();
    let key = w.coordinator.insecure_clone();
    let device = at(&w.register(&thief, 9, 1));
    let opened = w
        .open(&renter, renter_token, 500_000_000, |args| {
            args.slots_max = 2;
            args.rate_per_slot_max = Rate(10_000_000);
            args.rate_total_max = Rate(15_000_000);
            args.expires_at = Timestamp(START + 7_200);
        })
        .unwrap();
    let (lease, vault, page) = (opened.lease, opened.vault, page_at(&opened.lease, 0).0);
    let dear = w.bind(lease, 0, &[(device, 1, 10_000_001)]);
    assert_eq!(dear, refused(MarketError::RateAboveSlotCeiling));
    // With its fee of two per cent the second line would be one base unit too much.
    let both = w.bind(lease, 0, &[(device, 1, 10_000_000), (device, 1, 4_705_883)]);
    assert_eq!(both, refused(MarketError::RateAboveTotalCeiling));
    w.bind(lease, 0, &[(device, 1, 10_000_000), (device, 1, 4_705_882)]).unwrap();
    let third = w.bind(lease, 0, &[(device, 1, 1)]);
    assert_eq!(third, refused(MarketError::SlotsExhausted));
    start(&mut w, lease, &[0, 1]);
    w.pass(3_600);
    assert_eq!(vouch(&mut w, &key, lease, 0, 3_601), refused(MarketError::ServedPastClock));
    w.pass(400 * 86_400);
    assert_eq!(vouch(&mut w, &key, lease, 0, 7_201), refused(MarketError::ServedPastClock));
    vouch(&mut w, &key, lease, 0, 7_200).unwrap();
    vouch(&mut w, &key, lease, 1, 7_200).unwrap();
    let close = |to| build::close(at(&key), lease, vault, to, 0, CloseReason::Finished);
    let stolen = w.run(&close(Some(thief_token)), &[&key]);
    assert_eq!(stolen, refused(MarketError::WrongTokenOwner));
    w.run(&close(Some(renter_token)), &[&key]).unwrap();
    let pay = build::withdraw(lease, page, vault, &[thief_token; 2], &[0, 1]);
    w.run(&pay, &[]).unwrap();
    w.pass(61);
    w.run(&build::finalize(lease, vault, renter_token), &[]).unwrap();
    let taken = BALANCE - w.balance(renter_token);
    assert!(taken <= 2 * 15_000_000, "{taken} of two hours at the ceiling");
    assert_eq!(w.balance(thief_token), BALANCE + 2 * (10_000_000 + 4_705_882));
}

#[test]
fn a_lost_coordinator_key_does_not_vouch_where_only_the_session_may() {
    let mut w = World::new();
    let (renter, renter_token) = w.wallet();
    let (supplier, _) = w.wallet();
    let device = at(&w.register(&supplier, 1, 1));
    let session = Keypair::new();
    let opened = w
        .open(&renter, renter_token, 1_000_000, |args| {
            (args.vouch, args.session) = (Vouch::Session, at(&session));
        })
        .unwrap();
    w.bind(opened.lease, 0, &[(device, 1, 3_600)]).unwrap();
    start(&mut w, opened.lease, &[0]);
    w.pass(10);
    let key = w.coordinator.insecure_clone();
    assert_eq!(vouch(&mut w, &key, opened.lease, 0, 1), refused(MarketError::NotAllowed));
    vouch(&mut w, &session, opened.lease, 0, 5).unwrap();
    vouch(&mut w, &renter, opened.lease, 0, 6).unwrap();
}

#[test]
fn an_older_leader_of_the_coordinator_is_fenced() {
    let mut w = World::new();
    let (renter, renter_token) = w.wallet();
    let (supplier, _) = w.wallet();
    let device = at(&w.register(&supplier, 4, 1));
    let lease = w.open(&renter, renter_token, 1_000_000, |_| ()).unwrap().lease;
    let key = w.coordinator.insecure_clone();
    w.bind_as(&key, 7, lease, 0, &[(device, 1, 9)]).unwrap();
    let old = w.bind_as(&key, 6, lease, 0, &[(device, 1, 9)]);
    assert_eq!(old, refused(MarketError::StaleEpoch));
    let old = build::start(at(&key), lease, page_at(&lease, 0).0, 6, &[0]);
    assert_eq!(w.run(&old, &[&key]), refused(MarketError::StaleEpoch));
    w.bind_as(&key, 7, lease, 0, &[(device, 1, 9)]).unwrap();
}

#[test]
fn a_lost_session_key_receives_nothing() {
    let mut w = World::new();
    let (renter, renter_token) = w.wallet();
    let (supplier, _) = w.wallet();
    let (session, session_token) = w.wallet();
    let device = at(&w.register(&supplier, 1, 1));
    let opened = w
        .open(&renter, renter_token, 1_000_000, |args| {
            (args.session, args.session_rights) = (at(&session), SessionRights::END);
        })
        .unwrap();
    let (lease, vault, page) = (opened.lease, opened.vault, page_at(&opened.lease, 0).0);
    let bind = w.bind_as(&session, 0, lease, 0, &[(device, 1, 3_600)]);
    assert_eq!(bind, refused(MarketError::NotCoordinator));
    w.bind(lease, 0, &[(device, 1, 3_600)]).unwrap();
    start(&mut w, lease, &[0]);
    w.pass(50);
    let close = build::close(at(&session), lease, vault, None, 0, CloseReason::None);
    assert_eq!(w.run(&close, &[&session]), refused(MarketError::ClockRuns));
    vouch(&mut w, &session, lease, 0, 50).unwrap();
    let wrong = refused(MarketError::WrongTokenOwner);
    let pay = build::withdraw(lease, page, vault, &[session_token], &[0]);
    assert_eq!(w.run(&pay, &[]), wrong);
    let close = build::close(at(&renter), lease, vault, Some(session_token), 0, CloseReason::None);
    assert_eq!(w.run(&close, &[&renter]), wrong);
    let close = build::close(at(&renter), lease, vault, None, 0, CloseReason::None);
    w.run(&close, &[&renter]).unwrap();
    assert_eq!(w.run(&build::refund(lease, vault, session_token), &[]), wrong);
    w.pass(61);
    assert_eq!(w.run(&build::finalize(lease, vault, session_token), &[]), wrong);
    // The renter approved nothing: the session key cannot spend the renter's tokens either.
    let other = w.open(&renter, renter_token, 1_000_000, |_| ()).unwrap();
    let (to, from) = (other.vault, renter_token);
    let ix = build::top_up(at(&session), from, other.lease, to, BaseUnits(1));
    assert!(matches!(w.run(&ix, &[&session]), Err(Refusal::Other(_))));
    assert_eq!(w.balance(session_token), BALANCE);
}

#[test]
fn a_lost_supplier_key_changes_the_payout_only_after_the_cool_down() {
    let mut w = World::new();
    let (renter, renter_token) = w.wallet();
    let (supplier, _) = w.wallet();
    let (thief, _) = w.wallet();
    let device = at(&w.register(&supplier, 3, 1));
    let lease = w.open(&renter, renter_token, 1_000_000, |_| ()).unwrap().lease;
    let page = page_at(&lease, 0).0;
    let mut offer = w.offer(&supplier, 3, 1);
    offer.payout_owner = at(&thief);
    let args = UpdateDevice { offer };
    let ix = |who| build::update_device(who, device_at(&device), w.config, &args);
    let (own, foreign) = (ix(at(&supplier)), ix(at(&thief)));
    assert_eq!(w.run(&foreign, &[&thief]), refused(MarketError::NotSupplier));
    w.run(&own, &[&supplier]).unwrap();
    w.pass(3_599);
    // Asking again does not shorten the wait, and does not prolong it either.
    w.run(&own, &[&supplier]).unwrap();
    w.bind(lease, 0, &[(device, 1, 9)]).unwrap();
    w.pass(1);
    w.bind(lease, 0, &[(device, 1, 9)]).unwrap();
    assert_eq!(w.line(page, 0).payout_owner, at(&supplier));
    assert_eq!(w.line(page, 1).payout_owner, at(&thief));
}

#[test]
fn a_lost_device_key_enrols_nothing_without_its_supplier() {
    let mut w = World::new();
    let (supplier, _) = w.wallet();
    let (thief, _) = w.wallet();
    let device = Keypair::new();
    let (statement, _) = w.registration(&supplier, &device, 1, 1);
    let (_, theirs) = w.registration(&thief, &device, 1, 1);
    let stolen = w.send(&[statement.clone(), theirs], &[&thief]);
    assert_eq!(stolen, refused(MarketError::StatementMismatch));
    let (_, own) = w.registration(&supplier, &device, 1, 1);
    assert_eq!(
        w.send(std::slice::from_ref(&own), &[&supplier]),
        refused(MarketError::StatementMissing)
    );
    // For another chain, and by another key.
    let expires = Timestamp(w.now() + 600);
    let elsewhere = registration(&[1; 32], &PROGRAM_ID, &at(&device), &at(&supplier), expires);
    let sent = w.send(&[signed(&device, &elsewhere), own.clone()], &[&supplier]);
    assert_eq!(sent, refused(MarketError::StatementMismatch));
    let right = registration(&GENESIS, &PROGRAM_ID, &at(&device), &at(&supplier), expires);
    let sent = w.send(&[signed(&thief, &right), own.clone()], &[&supplier]);
    assert_eq!(sent, refused(MarketError::StatementMismatch));
    w.pass(601);
    let late = w.send(&[statement, own], &[&supplier]);
    assert_eq!(late, refused(MarketError::StatementExpired));
    // A statement that would be good for ever is not taken.
    let never = Timestamp(w.now() + limits::STATEMENT_S_MAX as i64 + 1);
    let (record, bump) = pda(&seeds::device(&at(&device)));
    let offer = w.offer(&supplier, 1, 1);
    let args = RegisterDevice { bump, statement_expires: never, offer };
    let payer = at(&w.payer);
    let ix =
        build::register_device(at(&supplier), payer, record, w.config, at(&device), false, &args);
    let long = registration(&GENESIS, &PROGRAM_ID, &at(&device), &at(&supplier), never);
    let sent = w.send(&[signed(&device, &long), to_instruction(&ix)], &[&supplier]);
    assert_eq!(sent, refused(MarketError::StatementExpired));
}

#[test]
fn a_lost_admin_key_charges_at_most_the_cap_and_only_later() {
    let mut w = World::new();
    let (renter, renter_token) = w.wallet();
    let admin = w.admin.insecure_clone();
    let before = w.open(&renter, renter_token, 1_000_000, |_| ()).unwrap().lease;
    let propose = |w: &mut World, change: &dyn Fn(&mut SetConfig)| {
        let mut args = SetConfig { settings: w.settings() };
        change(&mut args);
        let ix = build::set_config(at(&admin), w.config, &args);
        w.run(&ix, &[&admin])
    };
    let bad = refused(MarketError::BadSetting);
    assert_eq!(propose(&mut w, &|a| a.settings.fee_bps = Bps(501)), bad);
    assert_eq!(propose(&mut w, &|a| a.settings.mints[0] = [7; 32]), bad);
    assert_eq!(propose(&mut w, &|a| a.settings.config_cooldown_s = 0), bad);
    assert_eq!(propose(&mut w, &|a| a.settings.claim_window_s = 0), bad);
    propose(&mut w, &|a| a.settings.fee_bps = Bps(500)).unwrap();
    let apply = build::apply_config(w.config);
    w.pass(7_199);
    assert_eq!(w.run(&apply, &[]), refused(MarketError::CooldownRunning));
    w.pass(1);
    w.run(&apply, &[]).unwrap();
    assert_eq!(w.run(&apply, &[]), refused(MarketError::NothingPending));
    let after = w.open(&renter, renter_token, 1_000_000, |_| ()).unwrap().lease;
    assert_eq!(w.lease(before).fee_bps, Bps(200));
    assert_eq!(w.lease(after).fee_bps, Bps(500));
    let stranger = renter;
    let args = SetConfig { settings: w.settings() };
    let ix = build::set_config(at(&stranger), w.config, &args);
    assert_eq!(w.run(&ix, &[&stranger]), refused(MarketError::NotAdmin));
}
