//! A real chain with the committed bytecode, real wallets, and a coordinator that can be
//! started, dropped without warning and started again from the same folder.

use crate::device::{Device, DeviceKeys};
use ed25519_dalek::{Signer as _, SigningKey};
use ionet_api::{Cluster, CreateCluster, Quote, StateName};
use ionet_chain::{Chain, ChainConfig, GenesisProgram};
use ionet_coordinator::log::Faults;
use ionet_coordinator::{
    Clock, Config, Control, ControlError, Coordinator, CoordinatorError, Surroundings,
};
use ionet_core::{
    ChainRef, ClusterId, ClusterSpec, DeviceGrant, DeviceId, DeviceRequest, Enrolment, GenesisHash,
    ProgramId, SignatureBytes, SignedGrant, SignedRequest, Wallet,
};
use ionet_ledger::interface::account::{SessionRights, Vouch};
use ionet_ledger::interface::instruction::Offer;
use ionet_ledger::interface::{PROGRAM_ID, Rate, Timestamp};
use ionet_ledger::token::associated_account;
use ionet_ledger::{
    Address, Bootstrap, Keypair, KeypairFile, Ledger, NetworkKeys, NetworkMints, OpenLeaseOrder,
    RegistrationConsent, SessionGrant, Signer, addresses, bootstrap, mint_tokens,
};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);
const SOL: u64 = 1_000_000_000;
pub(crate) const USDC: u64 = 1_000_000;
/// What each device asks an hour: seconds of a test are worth whole base units.
pub(crate) const ASK: u64 = USDC;

pub(crate) fn key() -> KeypairFile {
    KeypairFile::in_memory(Keypair::new())
}

pub(crate) fn wallet_of(key: &KeypairFile) -> Wallet {
    Wallet(key.address().to_bytes())
}

/// Polls until there is something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut poll: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The coordinator's clock: this machine's, and as much as a test adds.
#[derive(Clone, Default)]
pub(crate) struct TestClock {
    ahead_ms: Arc<AtomicI64>,
}

impl TestClock {
    pub(crate) fn jump(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Unix milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock().now().0
    }

    fn clock(&self) -> Clock {
        let ahead = self.ahead_ms.clone();
        Clock::new(Arc::new(move || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            since.as_millis() as i64 + ahead.load(Ordering::SeqCst)
        }))
    }
}

/// A coordinator that runs.
pub(crate) struct Running {
    pub(crate) control: Control,
    pub(crate) rest: SocketAddr,
    task: JoinHandle<Result<(), CoordinatorError>>,
}

impl Running {
    /// Drops everything at once, as kill -9 would.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// How it ended by itself.
    pub(crate) async fn ended(self) -> Result<(), CoordinatorError> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").unwrap()
    }
}

struct Served {
    stop: tokio::sync::oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Everything around a coordinator.
pub(crate) struct World {
    pub(crate) ledger: Ledger,
    pub(crate) keys: NetworkKeys,
    pub(crate) mints: NetworkMints,
    pub(crate) chain_ref: ChainRef,
    pub(crate) config: Config,
    pub(crate) faults: Arc<Faults>,
    pub(crate) clock: TestClock,
    rpc: SocketAddr,
    ws: SocketAddr,
    served: Option<Served>,
    folder: tempfile::TempDir,
    wallets: std::sync::Mutex<Vec<Address>>,
    minted: AtomicU64,
}

fn open_chain(folder: PathBuf, rpc: SocketAddr, ws: SocketAddr, admin: Address) -> Chain {
    let so = concat!(env!("CARGO_MANIFEST_DIR"), "/../../programs/market/market.so");
    let program = GenesisProgram {
        id: Address::from(PROGRAM_ID),
        elf: std::fs::read(so).expect("the committed bytecode of the market program"),
        upgrade_authority: Some(admin),
    };
    let settings = ChainConfig {
        rpc_addr: rpc,
        ws_addr: ws,
        slot_ms: 40,
        programs: vec![program],
        ..ChainConfig::new(folder)
    };
    Chain::open(settings).unwrap()
}

fn serve(chain: Chain) -> Served {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        chain
            .serve(async move {
                let _ = stopped.await;
            })
            .await
            .unwrap();
    });
    Served { stop, task }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_window(2).await
    }

    /// With so many seconds between closing and the last refund.
    pub(crate) async fn with_window(claim_window_s: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = NetworkKeys {
            admin: key(),
            coordinator: KeypairFile::create(&folder.path().join("coordinator.json")).unwrap(),
            fee_owner: key(),
            usdc_mint: key(),
            io_mint: key(),
        };
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let admin = keys.admin.address();
        let chain = open_chain(folder.path().join("chain"), anywhere, anywhere, admin);
        let (rpc, ws) = (chain.rpc_addr(), chain.ws_addr());
        let served = serve(chain);
        let ledger = Ledger::connect(&format!("http://{rpc}"));
        let wish = Bootstrap { claim_window_s, grace_s: 1, ..Bootstrap::LOCAL };
        let mints = bootstrap(&ledger, &keys, &wish).await.unwrap();
        let genesis = ledger.connection().genesis_hash().await.unwrap();
        // A port that stays the same over restarts, so that devices find it again.
        let quic = UdpSocket::bind(anywhere).unwrap().local_addr().unwrap();
        let text = format!(
            "data_dir = {:?}\nkeypair = {:?}\nrest_addr = \"127.0.0.1:0\"\n\
             quic_addr = \"{quic}\"\nrpc_url = \"http://{rpc}\"\nws_url = \"ws://{ws}\"\n\
             program = \"{}\"\nusdc_mint = \"{}\"\nio_mint = \"{}\"\nchain_poll_ms = 50\n\
             plan_ms = 50\nidle_interval_ms = 300\nhired_interval_ms = 200\n",
            folder.path().join("coordinator"),
            folder.path().join("coordinator.json"),
            ProgramId(PROGRAM_ID),
            mints.usdc,
            mints.io,
        );
        let chain_ref = ChainRef { genesis: GenesisHash(genesis), program: ProgramId(PROGRAM_ID) };
        Self {
            ledger,
            chain_ref,
            config: Config::from_toml(&text).unwrap(),
            faults: Arc::new(Faults::none()),
            clock: TestClock::default(),
            rpc,
            ws,
            served: Some(served),
            wallets: std::sync::Mutex::new(vec![keys.fee_owner.address()]),
            minted: Default::default(),
            keys,
            mints,
            folder,
        }
    }

    /// Starts a coordinator from the same folder each time.
    pub(crate) async fn start(&self) -> Running {
        let surroundings = Surroundings { faults: self.faults.clone(), clock: self.clock.clock() };
        let coordinator = Coordinator::open_in(self.config.clone(), surroundings).await.unwrap();
        let (control, rest) = (coordinator.control(), coordinator.rest_addr().unwrap());
        let task = tokio::spawn(coordinator.run(std::future::pending()));
        Running { control, rest, task }
    }

    /// Stops the chain; `resume_chain` goes on with it.
    pub(crate) async fn stop_chain(&mut self) {
        let served = self.served.take().unwrap();
        served.stop.send(()).unwrap();
        served.task.await.unwrap();
    }

    pub(crate) async fn resume_chain(&mut self) {
        let folder = self.folder.path().join("chain");
        let chain = open_chain(folder, self.rpc, self.ws, self.keys.admin.address());
        self.served = Some(serve(chain));
    }

    pub(crate) async fn wallet(&self, usdc: u64) -> KeypairFile {
        let wallet = key();
        let at = wallet.address();
        self.ledger.connection().airdrop(&at, 10 * SOL).await.unwrap();
        if usdc > 0 {
            let (admin, mint) = (&self.keys.admin, &self.mints.usdc);
            mint_tokens(self.ledger.connection(), admin, mint, &at, usdc).await.unwrap();
            self.minted.fetch_add(usdc, Ordering::SeqCst);
        }
        self.wallets.lock().unwrap().push(at);
        wallet
    }

    pub(crate) async fn now(&self) -> i64 {
        self.ledger.connection().clock().await.unwrap()
    }

    /// Both signatures over an enrolment, after `edit`.
    pub(crate) fn enrolment(
        &self,
        device: &SigningKey,
        supplier: &KeypairFile,
        now: i64,
        edit: impl FnOnce(&mut DeviceRequest, &mut DeviceGrant),
    ) -> Enrolment {
        let (chain, wallet) = (self.chain_ref, wallet_of(supplier));
        let id = DeviceId(device.verifying_key().to_bytes());
        let mut request = DeviceRequest { device: id, supplier: wallet, chain, expires: now + 600 };
        let expires = now + 86_400;
        let mut grant = DeviceGrant { device: id, supplier: wallet, chain, granted: now, expires };
        edit(&mut request, &mut grant);
        let signature = SignatureBytes(device.sign(&request.signing_bytes()).to_bytes());
        let request = SignedRequest { request, signature };
        let signature = SignatureBytes(supplier.sign_now(&grant.signing_bytes()).into());
        Enrolment { request, grant: SignedGrant { grant, signature } }
    }

    /// A device's keys, registered on-chain under `supplier`.
    pub(crate) async fn register(&self, supplier: &KeypairFile) -> DeviceKeys {
        self.register_paid_to(supplier, wallet_of(supplier)).await
    }

    /// The same, whose earnings go to another wallet.
    pub(crate) async fn register_paid_to(
        &self,
        supplier: &KeypairFile,
        payout: Wallet,
    ) -> DeviceKeys {
        let secret = SigningKey::from_bytes(&rand::random());
        let now = self.now().await;
        let enrolment = self.enrolment(&secret, supplier, now, |_, _| ());
        let consent = RegistrationConsent {
            device: secret.verifying_key().to_bytes(),
            expires: enrolment.request.request.expires,
            signature: enrolment.request.signature.0,
        };
        let offer = Offer {
            units_total: 1,
            asks: [Rate(ASK), Rate(0)],
            payout_owner: payout.0,
            expires_at: Timestamp(now + 86_400),
            accepts_any: true,
            coordinators_len: 0,
            coordinators: [[0; 32]; 4],
        };
        self.ledger.register_device(supplier, &consent, offer).await.unwrap();
        DeviceKeys { secret: secret.to_bytes(), enrolment }
    }

    /// A registered device that runs and is admitted.
    pub(crate) async fn device(&self, at: &Running, supplier: &KeypairFile) -> Device {
        let device = Device::start(self.register(supplier).await, &at.control.network());
        let id = device.id;
        self.device_is(at, id, ionet_api::DeviceStateName::Idle).await;
        device
    }

    pub(crate) async fn device_is(
        &self,
        at: &Running,
        id: DeviceId,
        state: ionet_api::DeviceStateName,
    ) {
        let what = format!("{id} is {state:?}");
        eventually(&what, || async {
            at.control.device(id).filter(|d| d.state == state).map(drop)
        })
        .await;
    }

    pub(crate) async fn devices(&self, at: &Running, count: usize) -> Vec<(KeypairFile, Device)> {
        let mut all = Vec::new();
        for _ in 0..count {
            let supplier = self.wallet(0).await;
            let device = self.device(at, &supplier).await;
            all.push((supplier, device));
        }
        all
    }

    /// Where the next lease of a renter will stand, and its counter.
    pub(crate) async fn next_lease(&self, renter: &KeypairFile) -> (Wallet, u64) {
        let counter = self.ledger.next_counter(&renter.address()).await.unwrap();
        let program = Address::from(PROGRAM_ID);
        let at = addresses::lease(&program, &renter.address(), counter).0;
        (Wallet(at.to_bytes()), counter)
    }

    /// The order that a quote's terms ask a wallet to sign.
    pub(crate) fn order(&self, quote: &Quote, counter: u64) -> OpenLeaseOrder {
        let terms = &quote.terms;
        OpenLeaseOrder {
            counter,
            mint: Address::from(terms.mint.0),
            deposit: terms.deposit,
            slots_max: terms.slots as u16,
            rate_per_slot_max: terms.rate_per_chip_max * u64::from(terms.chips_per_slot),
            rate_total_max: terms.rate_total_max,
            expires_at: terms.expires_at,
            accept_s: 0,
            session: None,
            session_rights: SessionRights::NONE,
            coordinator: Address::from(terms.coordinator.0),
            vouch: Vouch::Either,
            policy_hash: quote.spec.policy_hash(),
        }
    }

    /// Quote, create, pay: as the command line does it.
    pub(crate) async fn create(
        &self,
        at: &Running,
        renter: &KeypairFile,
        spec: &str,
    ) -> Result<Cluster, ControlError> {
        self.create_with(at, renter, spec, None, |_| ()).await
    }

    /// The same, with another order and something for the session key.
    pub(crate) async fn create_with(
        &self,
        at: &Running,
        renter: &KeypairFile,
        spec: &str,
        grant: Option<SessionGrant>,
        edit: impl FnOnce(&mut OpenLeaseOrder),
    ) -> Result<Cluster, ControlError> {
        let quote = at.control.quote(spec_of(spec)).await?;
        let (lease, counter) = self.next_lease(renter).await;
        let mut order = self.order(&quote, counter);
        order.session = grant.map(|grant| grant.key);
        edit(&mut order);
        let body = CreateCluster { quote, lease };
        let cluster = at.control.create(wallet_of(renter), "test", body).await?;
        match grant {
            Some(grant) => self.ledger.open_lease_with(renter, &order, &grant).await.unwrap(),
            None => self.ledger.open_lease(renter, &order).await.unwrap(),
        };
        Ok(cluster)
    }

    /// So much time goes by for the coordinator, with devices that are heard meanwhile.
    pub(crate) async fn pass(&self, at: &Running, seconds: i64, devices: &[&Device]) {
        const STEP_S: i64 = 4;
        let mut left = seconds;
        while left > 0 {
            self.clock.jump(left.min(STEP_S) * 1_000);
            left -= STEP_S;
            let jumped = self.clock.now();
            eventually("every device is heard again", || async {
                let heard = |d: &&Device| at.control.device(d.id)?.last_seen_ms;
                devices.iter().all(|d| heard(d).is_some_and(|ms| ms >= jumped)).then_some(())
            })
            .await;
        }
    }

    /// Waits until a cluster has an event of a kind; its text.
    pub(crate) async fn has_event(&self, at: &Running, id: ClusterId, kind: &str) -> String {
        eventually(kind, || async {
            let events = at.control.events(id, 0);
            events.into_iter().find(|e| e.kind == kind).map(|e| e.text)
        })
        .await
    }

    /// Waits until a cluster is in a state; the cluster.
    pub(crate) async fn cluster_is(
        &self,
        at: &Running,
        id: ClusterId,
        state: StateName,
    ) -> Cluster {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let cluster = at.control.cluster(id);
            if let Some(cluster) = cluster.clone().filter(|c| c.state == state) {
                return cluster;
            }
            let events = at.control.events(id, 0);
            assert!(Instant::now() < deadline, "not {state:?}: {cluster:#?}\n{events:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the lease's accounts are gone: all money is where it belongs.
    pub(crate) async fn settled(&self, at: &Running, id: ClusterId) {
        let what = format!("{id} is settled");
        let lease = at.control.cluster(id).unwrap().lease;
        eventually(&what, || async {
            let events = at.control.events(id, 0);
            events.iter().find(|e| e.kind == "lease-reclaimed").map(drop)
        })
        .await;
        assert!(self.ledger.lease(&Address::from(lease.0)).await.unwrap().is_none());
    }

    pub(crate) async fn tokens(&self, wallet: &KeypairFile) -> u64 {
        self.ledger.tokens(&wallet.address(), &self.mints.usdc).await.unwrap()
    }

    /// Every base unit that was made is in some wallet. Only true once all is settled.
    pub(crate) async fn assert_conserved(&self) {
        let wallets = self.wallets.lock().unwrap().clone();
        let accounts: Vec<_> =
            wallets.iter().map(|w| associated_account(w, &self.mints.usdc)).collect();
        let mut sum = 0;
        for account in accounts {
            let found = self.ledger.token_account(&account).await.unwrap();
            sum += found.map_or(0, |a| a.amount);
        }
        assert_eq!(sum, self.minted.load(Ordering::SeqCst));
    }
}

pub(crate) fn spec_of(text: &str) -> ClusterSpec {
    ClusterSpec::from_json(text.as_bytes()).unwrap()
}

/// Two devices with CPUs, for an hour.
pub(crate) const TWO: &str = r#"{"devices":2,"chip":"cpu","ttl_seconds":3600}"#;
/// One.
pub(crate) const ONE: &str = r#"{"devices":1,"chip":"cpu","ttl_seconds":3600}"#;
