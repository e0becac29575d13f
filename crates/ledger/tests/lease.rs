//! The life of a lease through the typed client, on the real node and the real bytecode.

use ed25519_dalek::{Signer as _, SigningKey};
use ionet_chain::{Chain, ChainConfig, GenesisProgram};
use ionet_ledger::interface::account::{CloseReason, SessionRights, Vouch};
use ionet_ledger::interface::instruction::Offer;
use ionet_ledger::interface::statement::registration;
use ionet_ledger::interface::{MarketError, PROGRAM_ID, Rate, Timestamp};
use ionet_ledger::token::associated_account;
use ionet_ledger::{
    Address, Bootstrap, BoundLine, Keypair, KeypairFile, Ledger, LedgerError, NetworkKeys,
    NetworkMints, OpenLeaseOrder, RegistrationConsent, Signer, bootstrap, mint_tokens,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const SOL: u64 = 1_000_000_000;
const USDC: u64 = 1_000_000;
/// One dollar an hour, so that seconds of a test are worth whole base units.
const RATE: u64 = USDC;

struct Network {
    ledger: Ledger,
    keys: NetworkKeys,
    mints: NetworkMints,
    genesis: [u8; 32],
    _folder: tempfile::TempDir,
    _stop: tokio::sync::oneshot::Sender<()>,
}

fn key() -> KeypairFile {
    KeypairFile::in_memory(Keypair::new())
}

async fn network() -> Network {
    let folder = tempfile::tempdir().unwrap();
    let so = concat!(env!("CARGO_MANIFEST_DIR"), "/../../programs/market/market.so");
    let admin = key();
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let program = GenesisProgram {
        id: Address::from(PROGRAM_ID),
        elf: std::fs::read(so).expect("the committed bytecode of the market program"),
        upgrade_authority: Some(admin.address()),
    };
    let chain = Chain::open(ChainConfig {
        rpc_addr: anywhere,
        ws_addr: anywhere,
        slot_ms: 20,
        programs: vec![program],
        ..ChainConfig::new(folder.path())
    })
    .unwrap();
    let ledger = Ledger::connect(&format!("http://{}", chain.rpc_addr()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(chain.serve(async move {
        let _ = stopped.await;
    }));
    let keys = NetworkKeys {
        admin,
        coordinator: key(),
        fee_owner: key(),
        usdc_mint: key(),
        io_mint: key(),
    };
    let wish = Bootstrap { claim_window_s: 1, grace_s: 1, ..Bootstrap::LOCAL };
    let mints = bootstrap(&ledger, &keys, &wish).await.unwrap();
    let genesis = ledger.connection().genesis_hash().await.unwrap();
    Network { ledger, keys, mints, genesis, _folder: folder, _stop: stop }
}

impl Network {
    async fn wallet(&self, usdc: u64) -> KeypairFile {
        let wallet = key();
        self.ledger.connection().airdrop(&wallet.address(), 10 * SOL).await.unwrap();
        if usdc > 0 {
            self.mint(&wallet.address(), usdc).await;
        }
        wallet
    }

    async fn mint(&self, owner: &Address, usdc: u64) {
        let (admin, mint) = (&self.keys.admin, &self.mints.usdc);
        mint_tokens(self.ledger.connection(), admin, mint, owner, usdc).await.unwrap();
    }

    async fn now(&self) -> i64 {
        self.ledger.connection().clock().await.unwrap()
    }

    fn offer(&self, supplier: &Address, until: i64) -> Offer {
        Offer {
            units_total: 1,
            asks: [Rate(RATE), Rate(0)],
            payout_owner: supplier.to_bytes(),
            expires_at: Timestamp(until),
            accepts_any: true,
            coordinators_len: 0,
            coordinators: [[0; 32]; 4],
        }
    }

    fn consent(
        &self,
        device: &SigningKey,
        supplier: &Address,
        expires: i64,
    ) -> RegistrationConsent {
        let key = device.verifying_key().to_bytes();
        let statement =
            registration(&self.genesis, &PROGRAM_ID, &key, supplier.as_array(), Timestamp(expires));
        let signature = device.sign(&statement).to_bytes();
        RegistrationConsent { device: key, expires, signature }
    }

    async fn device(&self, supplier: &KeypairFile, seed: u8) -> [u8; 32] {
        let device = SigningKey::from_bytes(&[seed; 32]);
        let now = self.now().await;
        let consent = self.consent(&device, &supplier.address(), now + 600);
        let offer = self.offer(&supplier.address(), now + 86_400);
        self.ledger.register_device(supplier, &consent, offer).await.unwrap();
        consent.device
    }

    async fn order(&self, renter: &KeypairFile, slots: u16, deposit: u64) -> OpenLeaseOrder {
        let counter = self.ledger.next_counter(&renter.address()).await.unwrap();
        OpenLeaseOrder {
            counter,
            mint: self.mints.usdc,
            deposit,
            slots_max: slots,
            rate_per_slot_max: RATE,
            rate_total_max: 2 * RATE * u64::from(slots),
            expires_at: self.now().await + 3_600,
            accept_s: 0,
            session: None,
            session_rights: SessionRights::NONE,
            coordinator: self.keys.coordinator.address(),
            vouch: Vouch::Either,
            policy_hash: [7; 32],
        }
    }

    /// Base units of every account that could hold any: what must never change in sum.
    async fn usdc(&self, wallets: &[&KeypairFile], leases: &[Address]) -> u64 {
        let mut sum = 0;
        for wallet in wallets {
            sum += self.ledger.tokens(&wallet.address(), &self.mints.usdc).await.unwrap();
        }
        for lease in leases {
            let vault = ionet_ledger::addresses::vault(&self.ledger.program(), lease).0;
            sum += self.ledger.token_account(&vault).await.unwrap().map_or(0, |a| a.amount);
        }
        sum
    }

    /// Waits on the chain's own clock.
    async fn until(&self, instant: i64) {
        let patience = Instant::now() + Duration::from_secs(60);
        while self.now().await < instant {
            assert!(Instant::now() < patience, "the chain's clock stands");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_from_opening_to_reclaim_conserves_every_base_unit() {
    let n = network().await;
    let (renter, supplier) = (n.wallet(100 * USDC).await, n.wallet(0).await);
    let wallets = [&renter, &supplier, &n.keys.fee_owner];
    let (one, two) = (n.device(&supplier, 1).await, n.device(&supplier, 2).await);
    assert_eq!(n.ledger.devices_of_supplier(&supplier.address()).await.unwrap().len(), 2);

    let order = n.order(&renter, 2, 10 * USDC).await;
    let (lease, _) = n.ledger.open_lease(&renter, &order).await.unwrap();
    assert_eq!(n.usdc(&wallets, &[lease]).await, 100 * USDC);
    let seen = n.ledger.leases_of_coordinator(&order.coordinator).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].0, seen[0].1.policy_hash), (lease, [7; 32]));

    let boss = &n.keys.coordinator;
    let lines = [one, two].map(|device| BoundLine { device, units: 1, rate: RATE });
    let placed = n.ledger.bind(boss, &lease, &[], 1, &lines).await.unwrap();
    assert_eq!(placed, [(0, 0), (0, 1)]);
    assert_eq!(n.ledger.device(&one).await.unwrap().unwrap().units_bound, 1);
    n.ledger.start(boss, &lease, 0, 1, &[0, 1]).await.unwrap();
    let started = n.now().await;
    n.until(started + 3).await;
    n.ledger.attest(boss, &lease, 0, 1, &[(0, 2), (1, 1)]).await.unwrap();

    let record = n.ledger.lease(&lease).await.unwrap().unwrap();
    n.ledger.close(&renter, &lease, &record, 0, CloseReason::Renter).await.unwrap();
    assert_eq!(n.usdc(&wallets, &[lease]).await, 100 * USDC);
    let closed = n.ledger.lease(&lease).await.unwrap().unwrap();
    assert!(closed.refunded.0 > 0, "closing refunds at once what no line can claim");

    let placed = n.ledger.lines(&lease, &closed).await.unwrap();
    let held: Vec<_> = placed.iter().map(|l| (l.index, l.line.device)).collect();
    n.ledger.end_lines(boss, &lease, 0, 1, &held).await.unwrap();
    assert_eq!(n.ledger.device(&one).await.unwrap().unwrap().units_bound, 0);
    // Anyone may have the suppliers paid: here the renter sends it.
    n.ledger.withdraw(&renter, &lease, &closed, &placed).await.unwrap();
    let owed = [2, 1].map(|s: u64| RATE * s / 3_600).iter().sum::<u64>();
    assert_eq!(n.ledger.tokens(&supplier.address(), &n.mints.usdc).await.unwrap(), owed);

    n.until(closed.claims_until().0 + 1).await;
    let lease_now = n.ledger.lease(&lease).await.unwrap().unwrap();
    n.ledger.finalize(boss, &lease, &lease_now).await.unwrap();
    n.ledger.sweep_fees(boss, &lease, &lease_now).await.unwrap();
    n.ledger.reclaim(boss, &lease, &lease_now).await.unwrap();
    assert_eq!(n.ledger.lease(&lease).await.unwrap(), None);
    assert_eq!(n.usdc(&wallets, &[]).await, 100 * USDC);
    let fee = n.ledger.tokens(&n.keys.fee_owner.address(), &n.mints.usdc).await.unwrap();
    let left = n.ledger.tokens(&renter.address(), &n.mints.usdc).await.unwrap();
    assert_eq!(left, 100 * USDC - owed - fee);
    assert!(fee >= owed / 50, "two percent, rounded up: {fee} of {owed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_typed_and_change_nothing() {
    let n = network().await;
    let renter = n.wallet(5 * USDC).await;
    let supplier = n.wallet(0).await;
    let market = |result: Result<_, LedgerError>| result.map(drop).unwrap_err().market();

    let small = OpenLeaseOrder { deposit: 1, ..n.order(&renter, 1, 1).await };
    let refused = n.ledger.open_lease(&renter, &small).await;
    assert_eq!(market(refused.map(|_| ())), Some(MarketError::DepositTooSmall));

    let poor = n.order(&renter, 1, 50 * USDC).await;
    assert!(n.ledger.open_lease(&renter, &poor).await.is_err(), "more than the wallet holds");
    assert_eq!(n.ledger.tokens(&renter.address(), &n.mints.usdc).await.unwrap(), 5 * USDC);

    // A device that consented to another wallet.
    let device = SigningKey::from_bytes(&[9; 32]);
    let now = n.now().await;
    let consent = n.consent(&device, &renter.address(), now + 600);
    let offer = n.offer(&supplier.address(), now + 86_400);
    let stolen = n.ledger.register_device(&supplier, &consent, offer).await;
    assert!(stolen.is_err());
    assert_eq!(n.ledger.device(&consent.device).await.unwrap(), None);

    // A coordinator that is not the lease's.
    let order = n.order(&renter, 1, USDC).await;
    let (lease, _) = n.ledger.open_lease(&renter, &order).await.unwrap();
    let device = n.device(&supplier, 3).await;
    let line = [BoundLine { device, units: 1, rate: RATE }];
    let stranger = n.wallet(0).await;
    let bound = n.ledger.bind(&stranger, &lease, &[], 1, &line).await;
    assert_eq!(market(bound.map(|_| ())), Some(MarketError::NotCoordinator));
    let cheap = [BoundLine { device, units: 1, rate: RATE - 1 }];
    let bound = n.ledger.bind(&n.keys.coordinator, &lease, &[], 1, &cheap).await;
    assert_eq!(market(bound.map(|_| ())), Some(MarketError::RateBelowAsk));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named() {
    let ledger = Ledger::connect("http://127.0.0.1:1");
    let error = ledger.config().await.unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[test]
fn associated_accounts_are_those_of_the_field() {
    // An address that no key can sign for, and not the same both ways round.
    let (owner, mint) = (Address::from([1; 32]), Address::from([2; 32]));
    let at = associated_account(&owner, &mint);
    assert!(!at.is_on_curve());
    assert_ne!(at, associated_account(&mint, &owner));
}
