//! `register_device`, `update_device`, `retire_device`.

use ionet_program_tests::interface::instruction::Offer;
use ionet_program_tests::interface::statement::{Receipt, registration};
use ionet_program_tests::interface::{MarketError, PROGRAM_ID, Rate, Timestamp, seeds};
use ionet_program_tests::{GENESIS, Key, Market, Refusal, START, Tamper, USDC, Wallet};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// When a statement of these tests expires.
const UNTIL: i64 = START + 3_600;

fn key(device: &Keypair) -> Key {
    device.pubkey().to_bytes()
}

/// Registers with this instruction right before.
fn register(
    market: &mut Market,
    before: &[Instruction],
    supplier: &Wallet,
    device: &Key,
    until: i64,
) -> Result<(), Refusal> {
    let offer = market.offer(supplier, 2, USDC);
    let ix = market.wrap(&market.register_ix(supplier, device, offer, until, false));
    let all: Vec<Instruction> = before.iter().cloned().chain([ix]).collect();
    market.send(&all, &[&supplier.key]).map(|_| ())
}

#[test]
fn a_device_agrees_by_a_signed_statement() {
    let mut market = Market::new();
    let (supplier, device) = (market.wallet(0), market.new_key());
    let statement = market.statement_ix(&device, &supplier.at(), UNTIL);
    register(&mut market, &[statement], &supplier, &key(&device), UNTIL).unwrap();
    let at = market.device_at(&key(&device));
    let record = market.device(&at.record);
    assert_eq!((record.device, record.supplier), (key(&device), supplier.at()));
    assert_eq!((record.units_total, record.units_bound), (2, 0));
    assert_eq!(record.rent_payer, supplier.at());
}

#[test]
fn without_exactly_that_statement_nobody_enrols_it() {
    let mut market = Market::new();
    let (supplier, thief, device) = (market.wallet(0), market.wallet(0), market.new_key());
    let (me, him, it) = (supplier.at(), thief.at(), key(&device));
    let good = market.statement_ix(&device, &me, UNTIL);
    let until = Timestamp(UNTIL);
    let text = |genesis: &Key, program: &Key| registration(genesis, program, &it, &me, until);
    let other_chain = market.signed_ix(&device, &text(&[1; 32], &PROGRAM_ID));
    let other_program = market.signed_ix(&device, &text(&GENESIS, &[1; 32]));
    let by_thief = market.signed_ix(&thief.key, &text(&GENESIS, &PROGRAM_ID));
    let receipt = Receipt { lease: it, page: 0, index: 0, generation: 0, served_s: 0 };
    let receipt = market.signed_ix(&device, &receipt.signing_bytes(&GENESIS, &PROGRAM_ID));
    let mut two = good.clone();
    two.data[0] = 2;
    let mut elsewhere = good.clone();
    // The message is said to stand in another instruction of this transaction.
    elsewhere.data[14..16].copy_from_slice(&0u16.to_le_bytes());
    let noise = ionet_program_tests::transfer(&me, &me, &me, 0);
    let noise = Instruction { data: vec![17], ..noise };
    let mismatch = Err(Refusal::Market(MarketError::StatementMismatch));
    let missing = Err(Refusal::Market(MarketError::StatementMissing));
    for (at, (before, why)) in [
        (vec![], missing),
        (vec![other_chain], mismatch.clone()),
        (vec![other_program], mismatch.clone()),
        (vec![by_thief], mismatch.clone()),
        (vec![receipt], mismatch.clone()),
        (vec![elsewhere], mismatch.clone()),
    ]
    .into_iter()
    .enumerate()
    {
        eprintln!("case {at}");
        assert_eq!(register(&mut market, &before, &supplier, &it, UNTIL), why);
    }
    // Two signatures of which the second is not there: the precompile itself refuses.
    assert!(register(&mut market, &[two], &supplier, &it, UNTIL).is_err());
    // The statement names another wallet, another time, or does not stand right before.
    assert_eq!(register(&mut market, std::slice::from_ref(&good), &thief, &it, UNTIL), mismatch);
    assert_eq!(
        register(&mut market, std::slice::from_ref(&good), &supplier, &it, UNTIL + 1),
        mismatch
    );
    assert!(register(&mut market, &[good.clone(), noise], &supplier, &it, UNTIL).is_err());
    assert_ne!(him, me);
    register(&mut market, &[good], &supplier, &it, UNTIL).unwrap();
}

#[test]
fn a_statement_expires_and_is_not_good_for_ever() {
    let mut market = Market::new();
    let (supplier, device) = (market.wallet(0), market.new_key());
    let week = 7 * 86_400;
    for (until, good) in
        [(START - 1, false), (START + week + 1, false), (i64::MAX, false), (START + week, true)]
    {
        let statement = market.statement_ix(&device, &supplier.at(), until);
        let result = register(&mut market, &[statement], &supplier, &key(&device), until);
        let expired = Err(Refusal::Market(MarketError::StatementExpired));
        assert_eq!(result, if good { Ok(()) } else { expired });
    }
}

#[test]
fn a_device_is_registered_once_and_at_its_own_address() {
    let mut market = Market::new();
    let (supplier, other) = (market.wallet(0), market.wallet(0));
    let device = market.new_key();
    let offer = market.offer(&supplier, 1, USDC);
    let good = market.register_ix(&supplier, &key(&device), offer, 0, true);
    let signers = [&supplier.key, &device];
    let another = market.register(&other, 1, USDC);
    market.refused(good.clone().swap(2, another.record), &signers, MarketError::WrongAddress);
    let bump = good.clone().data(|d| d[1] = d[1].wrapping_sub(1));
    market.refused(bump, &signers, MarketError::WrongAddress);
    market.refused(
        good.clone().swap(0, other.at()).unsigned(0),
        &signers,
        MarketError::MissingSigner,
    );
    market.ok(good.clone(), &signers);
    market.refused(good, &signers, MarketError::AlreadyExists);
    let stolen = market.register_ix(&other, &key(&device), offer, 0, true);
    market.refused(stolen, &[&other.key, &device], MarketError::AlreadyExists);
}

#[test]
fn offers_must_make_sense() {
    let mut market = Market::new();
    let supplier = market.wallet(0);
    let at = market.register(&supplier, 2, USDC);
    let good = market.offer(&supplier, 2, USDC);
    for offer in [
        Offer { units_total: 0, ..good },
        Offer { payout_owner: [0; 32], ..good },
        Offer { coordinators_len: 5, ..good },
        Offer { coordinators_len: 255, ..good },
        Offer { expires_at: Timestamp(START), ..good },
        Offer { expires_at: Timestamp(i64::MIN), ..good },
    ] {
        let ix = market.update_ix(&supplier, &at, offer);
        market.refused(ix, &[&supplier.key], MarketError::BadArgument);
        let device = market.new_key();
        let ix = market.register_ix(&supplier, &key(&device), offer, 0, true);
        market.refused(ix, &[&supplier.key, &device], MarketError::BadArgument);
    }
    let ix = market.update_ix(&supplier, &at, Offer { asks: [Rate(u64::MAX); 2], ..good });
    market.ok(ix, &[&supplier.key]);
}

#[test]
fn only_the_supplier_changes_and_retires_it_and_not_while_it_is_bound() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (supplier, device) = (&running.supplier, &running.device);
    let thief = market.wallet(0);
    let offer = market.offer(supplier, 1, 5);
    let change = market.update_ix(&thief, device, offer);
    market.refused(change, &[&thief.key], MarketError::NotSupplier);
    let change = market.update_ix(supplier, device, offer);
    market.refused(change.clone().unsigned(0), &[], MarketError::MissingSigner);
    let record = running.lease.lease;
    market.refused(change.clone().swap(1, record), &[&supplier.key], MarketError::WrongKind);
    market.refused(change.clone().swap(2, record), &[&supplier.key], MarketError::WrongKind);
    market.ok(change, &[&supplier.key]);
}

#[test]
fn units_in_use_stay_and_a_retired_device_gives_its_rent_back() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (supplier, device) = (&running.supplier, &running.device);
    market.bind(&running.lease, 0, &[(device, 2, 2 * USDC)]);
    let fewer = market.offer(supplier, 2, USDC);
    let ix = market.update_ix(supplier, device, fewer);
    market.refused(ix, &[&supplier.key], MarketError::DeviceInUse);
    let retire = market.retire_ix(supplier, device);
    market.refused(retire.clone(), &[&supplier.key], MarketError::DeviceInUse);
    let ends = market.end_ix(supplier, &running.lease, 0, &[(0, device), (1, device)]);
    market.ok(ends, &[&supplier.key]);
    let thief = market.wallet(0);
    let his = market.retire_ix(&thief, device);
    market.refused(his, &[&thief.key], MarketError::NotSupplier);
    let astray = retire.clone().swap(2, thief.at());
    market.refused(astray, &[&supplier.key], MarketError::WrongAddress);
    let (rent, before) = (market.lamports(&device.record), market.lamports(&supplier.at()));
    market.ok(retire, &[&supplier.key]);
    assert_eq!(market.lamports(&supplier.at()), before + rent);
    assert!(market.account(&device.record).is_none());
}

#[test]
fn a_payout_change_waits_and_can_be_called_off() {
    let mut market = Market::new();
    let (supplier, new) = (market.wallet(0), market.wallet(0));
    let at = market.register(&supplier, 4, USDC);
    let mut offer = market.offer(&supplier, 4, USDC);
    let paid_to = |market: &Market| market.device(&at.record).payout_at(Timestamp(market.now()));
    offer.payout_owner = new.at();
    market.ok(market.update_ix(&supplier, &at, offer), &[&supplier.key]);
    market.pass(3_599);
    // Asking again does not start the wait anew, and it is not over yet.
    market.ok(market.update_ix(&supplier, &at, offer), &[&supplier.key]);
    assert_eq!(paid_to(&market), supplier.at());
    offer.payout_owner = supplier.at();
    market.ok(market.update_ix(&supplier, &at, offer), &[&supplier.key]);
    market.pass(10_000);
    assert_eq!(paid_to(&market), supplier.at(), "called off");
    offer.payout_owner = new.at();
    market.ok(market.update_ix(&supplier, &at, offer), &[&supplier.key]);
    market.pass(3_600);
    assert_eq!(paid_to(&market), new.at());
}

/// Addresses of a program exist for about every second bump: only the first of them counts.
#[test]
fn a_device_has_one_record() {
    let mut market = Market::new();
    let supplier = market.wallet(0);
    let device = market.new_key();
    let offer = market.offer(&supplier, 1, USDC);
    let good = market.register_ix(&supplier, &key(&device), offer, 0, true);
    let canonical = good.data[1];
    let others = (0..canonical).rev().filter_map(|bump| {
        let seeds: [&[u8]; 3] = [seeds::DEVICE, &key(&device), &[bump]];
        let at = Address::create_program_address(&seeds, &Address::from(PROGRAM_ID)).ok()?;
        Some((bump, at.to_bytes()))
    });
    for (bump, at) in others.take(3) {
        let second = good.clone().swap(2, at).data(|data| data[1] = bump);
        market.refused(second, &[&supplier.key, &device], MarketError::WrongAddress);
    }
    market.ok(good, &[&supplier.key, &device]);
}

/// A receipt names a generation: one of an earlier life of the device is of no use.
#[test]
fn generations_grow_over_a_devices_lives() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (supplier, renter) = (&running.supplier, &running.renter);
    let device = market.new_key();
    let at = market.device_at(&key(&device));
    let offer = market.offer(supplier, 1, USDC);
    let register = market.register_ix(supplier, &at.key, offer, 0, true);
    market.ok(register.clone(), &[&supplier.key, &device]);
    market.bind(&running.lease, 0, &[(&at, 1, USDC)]);
    market.ok(market.end_ix(renter, &running.lease, 0, &[(1, &at)]), &[&renter.key]);
    market.ok(market.retire_ix(supplier, &at), &[&supplier.key]);
    for _ in 0..3 {
        market.pass(1);
    }
    market.ok(register, &[&supplier.key, &device]);
    market.bind(&running.lease, 0, &[(&at, 1, USDC)]);
    let lines = market.lines(&running.lease.page(0));
    assert!(lines[1].generation < lines[2].generation);
}

#[test]
fn a_line_keeps_the_payout_owner_of_its_binding() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    let (supplier, device) = (&running.supplier, &running.device);
    let new = market.wallet(0);
    let mut offer = market.offer(supplier, 4, USDC);
    offer.payout_owner = new.at();
    market.ok(market.update_ix(supplier, device, offer), &[&supplier.key]);
    market.pass(3_599);
    market.bind(&running.lease, 0, &[(device, 1, USDC)]);
    market.pass(1);
    market.bind(&running.lease, 0, &[(device, 1, USDC)]);
    let owners = market.lines(&running.lease.page(0)).into_iter().map(|line| line.payout_owner);
    assert!(owners.eq([supplier.at(), supplier.at(), new.at()]));
}

#[test]
fn a_payout_change_is_neither_hurried_nor_put_off() {
    let mut market = Market::new();
    let (supplier, new) = (market.wallet(0), market.wallet(0));
    let at = market.register(&supplier, 4, USDC);
    let mut offer = market.offer(&supplier, 4, USDC);
    let back = market.update_ix(&supplier, &at, offer);
    offer.payout_owner = new.at();
    let change = market.update_ix(&supplier, &at, offer);
    let paid_to = |market: &Market| market.device(&at.record).payout_at(Timestamp(market.now()));
    market.ok(change.clone(), &[&supplier.key]);
    market.ok(back.clone(), &[&supplier.key]);
    assert_eq!(market.device(&at.record).payout_next_at, Timestamp(0), "called off");
    market.ok(change.clone(), &[&supplier.key]);
    market.pass(3_599);
    market.ok(change, &[&supplier.key]);
    market.pass(1);
    assert_eq!(paid_to(&market), new.at(), "asking again does not prolong the wait");
    // The way back is a change like any other.
    market.ok(back, &[&supplier.key]);
    assert_eq!(paid_to(&market), new.at());
    market.pass(3_599);
    assert_eq!(paid_to(&market), new.at());
    market.pass(1);
    assert_eq!(paid_to(&market), supplier.at());
}
