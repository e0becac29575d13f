//! A network for tests: mints, settings, wallets and devices, on any chain.

use ed25519_dalek::{Signer as _, SigningKey};
use ionet_ledger::interface::account::{SessionRights, Vouch};
use ionet_ledger::interface::instruction::Offer;
use ionet_ledger::interface::statement::registration;
use ionet_ledger::interface::{Rate, Timestamp};
use ionet_ledger::{
    Address, Bootstrap, Keypair, KeypairFile, Ledger, LedgerError, NetworkKeys, NetworkMints,
    OpenLeaseOrder, RegistrationConsent, Signer, addresses, bootstrap, mint_tokens,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(crate) const SOL: u64 = 1_000_000_000;
pub(crate) const USDC: u64 = 1_000_000;
/// One dollar an hour, so that seconds of a test are worth whole base units.
pub(crate) const RATE: u64 = USDC;
/// Longest wait for the chain's own clock, or for a transaction to be shown.
const PATIENCE: Duration = Duration::from_secs(90);
/// The first keys of every network are the operators'; wallets come after them.
const OPERATORS: u64 = 16;

/// The same keys in every run, so that two chains see the same addresses and bumps. `space`
/// keeps two networks on one chain apart.
pub(crate) fn key(space: u8, number: u64) -> KeypairFile {
    let mut seed = [space; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    KeypairFile::in_memory(Keypair::new_from_array(seed))
}

/// Who may upgrade the program of a network, and so configure it.
pub(crate) fn admin(space: u8) -> KeypairFile {
    key(space, 0)
}

pub(crate) fn operators(space: u8) -> NetworkKeys {
    NetworkKeys {
        admin: admin(space),
        coordinator: key(space, 1),
        fee_owner: key(space, 2),
        usdc_mint: key(space, 3),
        io_mint: key(space, 4),
    }
}

/// How long a test's leases wait, in seconds: as short as the chain's blocks allow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) accept_s: u8,
    pub(crate) claim_window_s: u32,
}

impl Pace {
    /// A chain with a block every few milliseconds.
    pub(crate) const QUICK: Pace = Pace { accept_s: 2, claim_window_s: 1 };
    /// A chain where a transaction takes a second, and ten when the machine is busy.
    pub(crate) const SOLANA: Pace = Pace { accept_s: 20, claim_window_s: 5 };

    pub(crate) fn wish(self) -> Bootstrap {
        Bootstrap { claim_window_s: self.claim_window_s, grace_s: 1, ..Bootstrap::LOCAL }
    }
}

pub(crate) struct Network {
    pub(crate) ledger: Ledger,
    pub(crate) keys: NetworkKeys,
    pub(crate) mints: NetworkMints,
    pub(crate) genesis: [u8; 32],
    pub(crate) pace: Pace,
    space: u8,
    drawn: AtomicU64,
}

impl Network {
    pub(crate) async fn start(ledger: Ledger, space: u8, pace: Pace) -> Self {
        let keys = operators(space);
        let mints = bootstrap(&ledger, &keys, &pace.wish()).await.unwrap();
        let genesis = ledger.connection().genesis_hash().await.unwrap();
        Self { ledger, keys, mints, genesis, pace, space, drawn: AtomicU64::new(OPERATORS) }
    }

    pub(crate) fn new_key(&self) -> KeypairFile {
        key(self.space, self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) async fn wallet(&self, usdc: u64) -> KeypairFile {
        let wallet = self.new_key();
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

    pub(crate) async fn now(&self) -> i64 {
        self.ledger.connection().clock().await.unwrap()
    }

    pub(crate) fn offer(&self, supplier: &Address, until: i64) -> Offer {
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

    pub(crate) fn consent(
        &self,
        device: &SigningKey,
        supplier: &Address,
        expires: i64,
    ) -> RegistrationConsent {
        let key = device.verifying_key().to_bytes();
        let program = self.ledger.program();
        let statement = registration(
            &self.genesis,
            program.as_array(),
            &key,
            supplier.as_array(),
            Timestamp(expires),
        );
        let signature = device.sign(&statement).to_bytes();
        RegistrationConsent { device: key, expires, signature }
    }

    pub(crate) async fn device(&self, supplier: &KeypairFile, seed: u8) -> [u8; 32] {
        let device = SigningKey::from_bytes(&[seed; 32]);
        let now = self.now().await;
        let consent = self.consent(&device, &supplier.address(), now + 600);
        let offer = self.offer(&supplier.address(), now + 86_400);
        self.ledger.register_device(supplier, &consent, offer).await.unwrap();
        consent.device
    }

    pub(crate) async fn order(
        &self,
        renter: &KeypairFile,
        slots: u16,
        deposit: u64,
    ) -> OpenLeaseOrder {
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
    pub(crate) async fn usdc(&self, wallets: &[&KeypairFile], leases: &[Address]) -> u64 {
        let mut sum = 0;
        for wallet in wallets {
            sum += self.ledger.tokens(&wallet.address(), &self.mints.usdc).await.unwrap();
        }
        for lease in leases {
            let vault = addresses::vault(&self.ledger.program(), lease).0;
            sum += self.ledger.token_account(&vault).await.unwrap().map_or(0, |a| a.amount);
        }
        sum
    }

    /// Waits on the chain's own clock.
    pub(crate) async fn until(&self, instant: i64) {
        let patience = Instant::now() + PATIENCE;
        while self.now().await < instant {
            assert!(Instant::now() < patience, "the chain's clock stands");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The market program's own reason for a refusal; nothing where it was another's.
pub(crate) fn why<T>(
    result: Result<T, LedgerError>,
) -> Option<ionet_ledger::interface::MarketError> {
    match result {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.market(),
    }
}
