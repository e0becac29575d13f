//! `claim_receipt`: a supplier cashes a receipt alone, and no other receipt counts.

use crate::world::{GENESIS, Key, Refusal, World, at, page_at, signed, to_instruction};
use ionet_market_interface::account::{CloseReason, Vouch};
use ionet_market_interface::instruction::ClaimReceipt;
use ionet_market_interface::statement::Receipt;
use ionet_market_interface::{MarketError, PROGRAM_ID, Seconds, build};
use solana_keypair::Keypair;

struct Scene {
    world: World,
    renter: Keypair,
    renter_token: Key,
    supplier_token: Key,
    lease: Key,
    vault: Key,
    page: Key,
}

impl Scene {
    /// One line at 3,600,000 an hour (1,000 a second) that has run for 100 s.
    fn new(vouch: Vouch, session: Key) -> Self {
        let mut world = World::new();
        let (renter, renter_token) = world.wallet();
        let (supplier, supplier_token) = world.wallet();
        let device = world.register(&supplier, 1, 3_600_000);
        let change = |args: &mut ionet_market_interface::instruction::OpenLease| {
            (args.vouch, args.session) = (vouch, session);
        };
        let opened = world.open(&renter, renter_token, 10_000_000, change).unwrap();
        world.bind(opened.lease, 0, &[(at(&device), 1, 3_600_000)]).unwrap();
        let page = page_at(&opened.lease, 0).0;
        let coordinator = world.coordinator.insecure_clone();
        let start = build::start(at(&coordinator), opened.lease, page, 0, &[0]);
        world.run(&start, &[&coordinator]).unwrap();
        world.pass(100);
        let (lease, vault) = (opened.lease, opened.vault);
        Self { world, renter, renter_token, supplier_token, lease, vault, page }
    }

    fn receipt(&self, served_s: u64) -> Receipt {
        let generation = self.world.line(self.page, 0).generation;
        Receipt { lease: self.lease, page: 0, index: 0, generation, served_s }
    }

    /// Claims `served` with whatever was signed. Nobody but the fee's payer signs.
    fn claim(&mut self, signer: &Keypair, message: &[u8], served: u64) -> Result<(), Refusal> {
        let args = ClaimReceipt { index: 0, served: Seconds(served) };
        let ix = build::claim_receipt(self.lease, self.page, self.world.config, &args);
        self.world.send(&[signed(signer, message), to_instruction(&ix)], &[])
    }

    fn claim_own(&mut self, signer: &Keypair, served: u64) -> Result<(), Refusal> {
        let message = self.receipt(served).signing_bytes(&GENESIS, &PROGRAM_ID);
        self.claim(signer, &message, served)
    }

    fn served(&self) -> u64 {
        self.world.line(self.page, 0).served.0
    }
}

const MISMATCH: Result<(), Refusal> = Err(Refusal::Market(MarketError::StatementMismatch));
const NOT_ALLOWED: Result<(), Refusal> = Err(Refusal::Market(MarketError::NotAllowed));

#[test]
fn a_supplier_cashes_its_last_receipt_alone() {
    let mut s = Scene::new(Vouch::Coordinator, [0; 32]);
    let key = s.world.coordinator.insecure_clone();
    let before = s.world.held() + s.world.balance(s.vault);
    s.claim_own(&key, 90).unwrap();
    assert_eq!(s.served(), 90);
    // The same again, and an older one: nothing changes.
    s.claim_own(&key, 90).unwrap();
    s.claim_own(&key, 10).unwrap();
    assert_eq!(s.served(), 90);
    let withdraw = build::withdraw(s.lease, s.page, s.vault, &[s.supplier_token], &[0]);
    s.world.run(&withdraw, &[]).unwrap();
    assert_eq!(s.world.balance(s.supplier_token), crate::world::BALANCE + 90_000);
    assert_eq!(s.world.held() + s.world.balance(s.vault), before);
}

#[test]
fn a_receipt_says_exactly_one_thing() {
    let mut s = Scene::new(Vouch::Coordinator, [0; 32]);
    let key = s.world.coordinator.insecure_clone();
    let right = s.receipt(50);
    let wrong = [
        Receipt { lease: [1; 32], ..right },
        Receipt { page: 1, ..right },
        Receipt { index: 1, ..right },
        Receipt { generation: right.generation - 1, ..right },
        Receipt { served_s: 51, ..right },
    ];
    for receipt in wrong {
        let message = receipt.signing_bytes(&GENESIS, &PROGRAM_ID);
        assert_eq!(s.claim(&key, &message, 50), MISMATCH, "{receipt:?}");
    }
    let elsewhere = right.signing_bytes(&[8; 32], &PROGRAM_ID);
    assert_eq!(s.claim(&key, &elsewhere, 50), MISMATCH, "another chain");
    let other = right.signing_bytes(&GENESIS, &[8; 32]);
    assert_eq!(s.claim(&key, &other, 50), MISMATCH, "another program");
    assert_eq!(s.served(), 0);
}

#[test]
fn only_those_whom_the_lease_names_can_sign_one() {
    let session = Keypair::new();
    let stranger = Keypair::new();
    let mut s = Scene::new(Vouch::Session, at(&session));
    let coordinator = s.world.coordinator.insecure_clone();
    assert_eq!(s.claim_own(&stranger, 10), NOT_ALLOWED);
    assert_eq!(s.claim_own(&coordinator, 10), NOT_ALLOWED);
    s.claim_own(&session, 10).unwrap();
    let mut s = Scene::new(Vouch::Coordinator, at(&session));
    let renter = s.renter.insecure_clone();
    assert_eq!(s.claim_own(&session, 10), NOT_ALLOWED);
    assert_eq!(s.claim_own(&renter, 10), NOT_ALLOWED);
}

#[test]
fn a_receipt_for_longer_than_the_time_is_refused() {
    let mut s = Scene::new(Vouch::Coordinator, [0; 32]);
    let key = s.world.coordinator.insecure_clone();
    assert_eq!(s.claim_own(&key, 101), Err(Refusal::Market(MarketError::ServedPastClock)));
    s.claim_own(&key, 100).unwrap();
}

#[test]
fn receipts_count_until_the_claim_window_ends() {
    let mut s = Scene::new(Vouch::Coordinator, [0; 32]);
    let (key, renter) = (s.world.coordinator.insecure_clone(), s.renter.insecure_clone());
    let refund = Some(s.renter_token);
    let close = build::close(at(&renter), s.lease, s.vault, refund, 0, CloseReason::None);
    s.world.run(&close, &[&renter]).unwrap();
    s.world.pass(60);
    s.claim_own(&key, 70).unwrap();
    s.world.pass(1);
    assert_eq!(s.claim_own(&key, 80), Err(Refusal::Market(MarketError::ClaimWindowOver)));
}

#[test]
fn the_signature_must_stand_right_before() {
    let mut s = Scene::new(Vouch::Coordinator, [0; 32]);
    let key = s.world.coordinator.insecure_clone();
    let message = s.receipt(50).signing_bytes(&GENESIS, &PROGRAM_ID);
    let args = ClaimReceipt { index: 0, served: Seconds(50) };
    let ix = to_instruction(&build::claim_receipt(s.lease, s.page, s.world.config, &args));
    let missing = Err(Refusal::Market(MarketError::StatementMissing));
    assert_eq!(s.world.send(std::slice::from_ref(&ix), &[]), missing);
    let proof = signed(&key, &message);
    assert_eq!(s.world.send(&[ix.clone(), proof.clone()], &[]), missing);
    assert_eq!(s.world.send(&[proof.clone(), ix.clone(), ix.clone()], &[]), missing);
    // The precompile may look elsewhere: the message here, the bytes that it checks over there.
    let mut pointing = signed(&key, b"something else");
    let mut forged = signed(&key, &message);
    forged.data[14..16].copy_from_slice(&0u16.to_le_bytes());
    forged.data[10..12].copy_from_slice(&112u16.to_le_bytes());
    forged.data[12..14].copy_from_slice(&14u16.to_le_bytes());
    let signature: Vec<u8> = pointing.data[48..112].to_vec();
    forged.data[48..112].copy_from_slice(&signature);
    pointing.data.truncate(126);
    assert_eq!(s.world.send(&[pointing, forged, ix.clone()], &[]), MISMATCH);
    s.world.send(&[proof, ix], &[]).unwrap();
}
