//! `claim_receipt`: a supplier cashes a receipt alone, and no other receipt counts.

use ionet_program_tests::interface::account::{CloseReason, Vouch};
use ionet_program_tests::interface::statement::Receipt;
use ionet_program_tests::interface::{MarketError, PROGRAM_ID};
use ionet_program_tests::{GENESIS, Market, Refusal, Running, Terms, USDC, books};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// One line at a dollar an hour that has run for 100 s.
struct Scene {
    market: Market,
    running: Running,
}

impl Scene {
    fn new(terms: impl FnOnce(&mut Terms)) -> Self {
        let mut market = Market::new();
        let running = market.running(terms);
        market.pass(100);
        Self { market, running }
    }

    fn receipt(&self, served_s: u64) -> Receipt {
        let lease = &self.running.lease;
        let generation = self.market.line(lease, 0, 0).generation;
        Receipt { lease: lease.lease, page: 0, index: 0, generation, served_s }
    }

    fn claim_ix(&self, served: u64) -> Instruction {
        self.market.wrap(&self.market.claim_ix(&self.running.lease, 0, 0, served))
    }

    fn send(&mut self, all: &[Instruction]) -> Result<(), Refusal> {
        self.market.send(all, &[]).map(|_| ())
    }

    /// Claims `served` with whatever was signed. Nobody but the network's payer signs.
    fn claim(&mut self, signer: &Keypair, message: &[u8], served: u64) -> Result<(), Refusal> {
        let proof = self.market.signed_ix(signer, message);
        let claim = self.claim_ix(served);
        self.send(&[proof, claim])
    }

    fn claim_own(&mut self, signer: &Keypair, served: u64) -> Result<(), Refusal> {
        let message = self.receipt(served).signing_bytes(&GENESIS, &PROGRAM_ID);
        self.claim(signer, &message, served)
    }

    fn served(&self) -> u64 {
        self.market.line(&self.running.lease, 0, 0).served.0
    }
}

fn no(why: MarketError) -> Result<(), Refusal> {
    Err(Refusal::Market(why))
}

fn by_coordinator(terms: &mut Terms) {
    terms.vouch = Vouch::Coordinator;
}

#[test]
fn a_supplier_cashes_its_last_receipt_alone() {
    let mut scene = Scene::new(by_coordinator);
    let key = scene.market.coordinator_key();
    let usdc = scene.market.mints[0];
    let before = books(&scene.market).in_circulation(&usdc);
    scene.claim_own(&key, 90).unwrap();
    assert_eq!(scene.served(), 90);
    // The same again, and an older one: nothing changes.
    scene.claim_own(&key, 90).unwrap();
    scene.claim_own(&key, 10).unwrap();
    assert_eq!(scene.served(), 90);
    let to = scene.running.supplier.tokens[0];
    let pay = scene.market.withdraw_ix(&scene.running.lease, 0, &[(0, to)]);
    scene.market.ok(pay, &[]);
    assert_eq!(scene.market.balance(&to), USDC * 90 / 3_600);
    assert_eq!(books(&scene.market).in_circulation(&usdc), before);
}

#[test]
fn a_receipt_says_exactly_one_thing() {
    let mut scene = Scene::new(by_coordinator);
    let key = scene.market.coordinator_key();
    let right = scene.receipt(50);
    let wrong = [
        Receipt { lease: [1; 32], ..right },
        Receipt { page: 1, ..right },
        Receipt { index: 1, ..right },
        Receipt { generation: right.generation - 1, ..right },
        Receipt { served_s: 51, ..right },
    ];
    let mismatch = no(MarketError::StatementMismatch);
    for receipt in wrong {
        let message = receipt.signing_bytes(&GENESIS, &PROGRAM_ID);
        assert_eq!(scene.claim(&key, &message, 50), mismatch, "{receipt:?}");
    }
    let elsewhere = right.signing_bytes(&[8; 32], &PROGRAM_ID);
    assert_eq!(scene.claim(&key, &elsewhere, 50), mismatch, "another chain");
    let other = right.signing_bytes(&GENESIS, &[8; 32]);
    assert_eq!(scene.claim(&key, &other, 50), mismatch, "another program");
    assert_eq!(scene.served(), 0);
}

#[test]
fn only_those_whom_the_lease_names_can_sign_one() {
    let (session, stranger) = (Keypair::new(), Keypair::new());
    let named = session.pubkey().to_bytes();
    let not_allowed = no(MarketError::NotAllowed);
    let mut scene = Scene::new(|terms| (terms.vouch, terms.session) = (Vouch::Session, named));
    let coordinator = scene.market.coordinator_key();
    assert_eq!(scene.claim_own(&stranger, 10), not_allowed);
    assert_eq!(scene.claim_own(&coordinator, 10), not_allowed);
    scene.claim_own(&session, 10).unwrap();
    let mut scene = Scene::new(|terms| (terms.vouch, terms.session) = (Vouch::Coordinator, named));
    let renter = scene.running.renter.key.insecure_clone();
    assert_eq!(scene.claim_own(&session, 10), not_allowed);
    assert_eq!(scene.claim_own(&renter, 10), not_allowed);
}

#[test]
fn a_receipt_for_longer_than_the_time_is_refused() {
    let mut scene = Scene::new(by_coordinator);
    let key = scene.market.coordinator_key();
    assert_eq!(scene.claim_own(&key, 101), no(MarketError::ServedPastClock));
    scene.claim_own(&key, 100).unwrap();
}

#[test]
fn receipts_count_until_the_claim_window_ends() {
    let mut scene = Scene::new(by_coordinator);
    let key = scene.market.coordinator_key();
    let renter = scene.running.renter.key.insecure_clone();
    let lease = scene.running.lease;
    let close = scene.market.close_ix(&scene.running.renter, &lease, CloseReason::None);
    scene.market.ok(close, &[&renter]);
    let until = scene.market.lease(&lease.lease).claims_until().0;
    scene.market.set_time(until);
    scene.claim_own(&key, 70).unwrap();
    scene.market.set_time(until + 1);
    assert_eq!(scene.claim_own(&key, 80), no(MarketError::ClaimWindowOver));
}

#[test]
fn the_signature_must_stand_right_before() {
    let mut scene = Scene::new(by_coordinator);
    let key = scene.market.coordinator_key();
    let message = scene.receipt(50).signing_bytes(&GENESIS, &PROGRAM_ID);
    let ix = scene.claim_ix(50);
    let missing = no(MarketError::StatementMissing);
    assert_eq!(scene.send(std::slice::from_ref(&ix)), missing);
    let proof = scene.market.signed_ix(&key, &message);
    assert_eq!(scene.send(&[ix.clone(), proof.clone()]), missing);
    assert_eq!(scene.send(&[proof.clone(), ix.clone(), ix.clone()]), missing);
    // The precompile may look elsewhere: the message here, the bytes that it checks over there.
    let mut pointing = scene.market.signed_ix(&key, b"something else");
    let mut forged = scene.market.signed_ix(&key, &message);
    forged.data[14..16].copy_from_slice(&0u16.to_le_bytes());
    forged.data[10..12].copy_from_slice(&112u16.to_le_bytes());
    forged.data[12..14].copy_from_slice(&14u16.to_le_bytes());
    let signature: Vec<u8> = pointing.data[48..112].to_vec();
    forged.data[48..112].copy_from_slice(&signature);
    pointing.data.truncate(126);
    let sent = scene.send(&[pointing, forged, ix.clone()]);
    assert_eq!(sent, no(MarketError::StatementMismatch));
    scene.send(&[proof, ix]).unwrap();
}
