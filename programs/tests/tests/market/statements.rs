//! Signed statements that nobody signed.

use ionet_program_tests::interface::account::Vouch;
use ionet_program_tests::interface::statement::{Receipt, ed25519_instruction, registration};
use ionet_program_tests::interface::{
    ED25519_PROGRAM, MarketError, PROGRAM_ID, TOKEN_PROGRAM, Timestamp,
};
use ionet_program_tests::{GENESIS, Key, Market, Refusal, Running, START, Tamper, USDC};
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_signer::Signer;

use crate::edit;

const UNTIL: i64 = START + 3_600;

fn precompile(data: Vec<u8>) -> Instruction {
    Instruction { program_id: Address::from(ED25519_PROGRAM), accounts: vec![], data }
}

/// Registers a device that did not sign, with this instruction right before.
fn register(
    market: &mut Market,
    before: Instruction,
    device: &Key,
    sysvar: Option<Key>,
) -> Refusal {
    let supplier = market.wallet(0);
    let offer = market.offer(&supplier, 2, USDC);
    let mut ix = market.register_ix(&supplier, device, offer, UNTIL, false);
    if let Some(fake) = sysvar {
        ix = ix.swap(5, fake);
    }
    let ix = market.wrap(&ix);
    market.send(&[before, ix], &[&supplier.key]).map(|_| ()).unwrap_err()
}

#[test]
fn the_instructions_are_read_from_the_sysvar_alone() {
    let mut market = Market::new();
    let device = market.new_key();
    let key = device.pubkey().to_bytes();
    let sysvar = ionet_program_tests::interface::INSTRUCTIONS_SYSVAR;
    let fake = edit::made(&mut market, vec![0; 400], &[0; 32]);
    let statement = market.statement_ix(&device, &[1; 32], UNTIL);
    let refusal = register(&mut market, statement.clone(), &key, Some(fake));
    assert_eq!(refusal, Refusal::Market(MarketError::WrongAddress));
    // At the right address the statement is read, and names somebody else.
    let refusal = register(&mut market, statement, &key, Some(sysvar));
    assert_eq!(refusal, Refusal::Market(MarketError::StatementMismatch));
}

/// SPL Token's `InitializeAccount` has number 1 and ignores what follows, so it takes the very
/// bytes that the precompile would have checked.
#[test]
fn another_program_checks_no_signature() {
    let mut market = Market::new();
    let (supplier, victim) = (market.wallet(0), market.new_key().pubkey().to_bytes());
    let text = registration(&GENESIS, &PROGRAM_ID, &victim, &supplier.at(), Timestamp(UNTIL));
    let forged = ed25519_instruction(&victim, &[7; 64], &text);
    let account = edit::made(&mut market, vec![0; 165], &TOKEN_PROGRAM);
    let rent = solana_address::address!("SysvarRent111111111111111111111111111111111");
    let accounts = [account, market.mints[0], supplier.at(), rent.to_bytes()];
    let accounts = accounts.map(|key| AccountMeta::new(Address::from(key), false));
    let program_id = Address::from(TOKEN_PROGRAM);
    let before = Instruction { program_id, accounts: accounts.into(), data: forged };
    let offer = market.offer(&supplier, 2, USDC);
    let ix = market.register_ix(&supplier, &victim, offer, UNTIL, false);
    let ix = market.wrap(&ix);
    market.send(std::slice::from_ref(&before), &[]).expect("the token program takes it");
    edit::bytes(&mut market, &account, |data| data.fill(0));
    let refusal = market.send(&[before, ix], &[&supplier.key]).map(|_| ());
    assert_eq!(refusal, Err(Refusal::Market(MarketError::StatementMissing)));
}

#[test]
fn a_statement_without_a_signature_is_none() {
    let mut market = Market::new();
    let device = market.new_key().pubkey().to_bytes();
    // Of no signature at all the precompile says that it is good.
    let refusal = register(&mut market, precompile(vec![0, 0]), &device, None);
    assert_eq!(refusal, Refusal::Market(MarketError::StatementMismatch));
}

fn receipt(market: &Market, running: &Running, served_s: u64) -> Receipt {
    let generation = market.line(&running.lease, 0, 0).generation;
    Receipt { lease: running.lease.lease, page: 0, index: 0, generation, served_s }
}

#[test]
fn a_strangers_receipt_counts_nowhere() {
    for vouch in [Vouch::Either, Vouch::Coordinator, Vouch::Session] {
        let mut market = Market::new();
        let running = market.running(|terms| terms.vouch = vouch);
        market.pass(100);
        let text = receipt(&market, &running, 50).signing_bytes(&GENESIS, &PROGRAM_ID);
        for stranger in [market.new_key(), running.supplier.key.insecure_clone()] {
            let proof = market.signed_ix(&stranger, &text);
            let claim = market.wrap(&market.claim_ix(&running.lease, 0, 0, 50));
            let result = market.send(&[proof, claim], &[]).map(|_| ());
            assert_eq!(result, Err(Refusal::Market(MarketError::NotAllowed)));
        }
    }
}

/// The key zero is a point of small order: whoever checks signatures loosely finds some for it
/// that nobody made. A lease without a session key holds zero in its place.
#[test]
fn nobody_signs_for_the_key_zero() {
    let mut market = Market::new();
    let running = market.running(|terms| terms.vouch = Vouch::Session);
    market.pass(100);
    let mut signature = [0; 64];
    signature[0] = 1; // The neutral point, and the scalar zero.
    for served in 1..=40 {
        let text = receipt(&market, &running, served).signing_bytes(&GENESIS, &PROGRAM_ID);
        let proof = precompile(ed25519_instruction(&[0; 32], &signature, &text));
        let claim = market.wrap(&market.claim_ix(&running.lease, 0, 0, served));
        assert!(market.send(&[proof, claim], &[]).is_err(), "{served} seconds");
    }
}
