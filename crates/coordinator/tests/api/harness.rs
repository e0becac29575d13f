//! A server on loopback, a loop that answers as it is told, and wallets.

use ed25519_dalek::{Signer, SigningKey};
use ionet_api::{
    Challenge, Cluster, ClusterEvent, CreateCluster, Device, DeviceStateName, LeaseTerms,
    MemberView, Money, Network, Problem, ProblemCode, Quote, StateName, Token, Vouched,
};
use ionet_coordinator::api::{ApiConfig, ApiStore, Rates, serve};
use ionet_coordinator::checks::Checks;
use ionet_coordinator::control::{ClusterView, Driver, Request, Views, channel};
use ionet_coordinator::trial::Archive;
use ionet_coordinator::{ControlError, DeviceStream};
use ionet_core::{
    Amount, Asset, ClusterId, ClusterSpec, DeviceId, GenesisHash, ProgramId, Role, SignatureBytes,
    Wallet,
};
use ionet_trust::inside::Served;
use ionet_wire::frame;
use ionet_wire::message::{ExecFrame, Purpose};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

/// Where the tests' clock starts, in Unix milliseconds.
pub(crate) const START_MS: i64 = 1_795_471_248_000;
/// A device of the scripted network; `SUPPLIER` owns it.
pub(crate) const DEVICE: DeviceId = DeviceId([7; 32]);

/// What the scripted loop did and may do.
pub(crate) struct Script {
    pub(crate) created: AtomicUsize,
    pub(crate) closed: AtomicUsize,
    /// One permit for each creation that may go on.
    pub(crate) gate: Semaphore,
    pub(crate) views: Views,
    pub(crate) announcements: broadcast::Sender<(ClusterId, u64)>,
}

pub(crate) struct Net {
    pub(crate) address: SocketAddr,
    pub(crate) script: Arc<Script>,
    pub(crate) http: reqwest::Client,
    clock: Arc<AtomicI64>,
    stopping: CancellationToken,
    served: tokio::task::JoinHandle<()>,
    dir: Option<tempfile::TempDir>,
}

impl Net {
    pub(crate) async fn start() -> Self {
        Self::with_rates(Rates::default()).await
    }

    pub(crate) async fn with_rates(rates: Rates) -> Self {
        Self::in_dir(tempfile::tempdir().unwrap(), rates).await
    }

    async fn in_dir(dir: tempfile::TempDir, rates: Rates) -> Self {
        let (control, driver) = channel(network());
        let script = Arc::new(Script {
            created: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            gate: Semaphore::new(1_000),
            views: driver.views.clone(),
            announcements: driver.announcements.clone(),
        });
        tokio::spawn(play(driver, script.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = Arc::new(AtomicI64::new(START_MS));
        let time = clock.clone();
        let config = ApiConfig {
            rates,
            clock: Arc::new(move || time.load(Ordering::SeqCst)),
            trials: Some(Archive::open(dir.path()).unwrap()),
            checks: Some(Checks::open(dir.path()).unwrap()),
            ..ApiConfig::for_address(address)
        };
        let stopping = CancellationToken::new();
        let store = ApiStore::open(dir.path()).unwrap();
        let served = tokio::spawn(serve(listener, control, store, config, stopping.clone()));
        // Another crate's features give reqwest TLS without saying whose. An error: it was said.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, script, http, clock, stopping, served, dir: Some(dir) }
    }

    /// Stops the server and starts another on the same data.
    pub(crate) async fn restart(mut self) -> Self {
        self.stopping.cancel();
        let dir = self.dir.take().unwrap();
        (&mut self.served).await.unwrap();
        Self::in_dir(dir, Rates::default()).await
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // A server that hangs fails the test instead of stopping it.
        let url = format!("http://{}{path}", self.address);
        self.http.request(method, url).timeout(Duration::from_secs(60))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    pub(crate) async fn challenge(&self, key: &SigningKey, scopes: &[&str]) -> Challenge {
        let asked = json!({"wallet": wallet(key), "scopes": scopes});
        self.post("/v1/auth/challenge", &asked).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn redeem(&self, key: &SigningKey, message: &str) -> Response {
        let signature = SignatureBytes(key.sign(message.as_bytes()).to_bytes());
        let signed = json!({"message": message, "signature": signature});
        self.post("/v1/auth/token", &signed).send().await.unwrap()
    }

    pub(crate) async fn token(&self, key: &SigningKey, scopes: &[&str]) -> String {
        let challenge = self.challenge(key, scopes).await;
        let response = self.redeem(key, &challenge.message).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json::<Token>().await.unwrap().token
    }

    pub(crate) async fn create(&self, token: &str, key: &str, lease: u8) -> Response {
        let body = create_body(lease);
        let request = self.post("/v1/clusters", &body).bearer_auth(token);
        request.header("idempotency-key", key).send().await.unwrap()
    }

    /// A ready cluster of a wallet.
    pub(crate) fn put_cluster(&self, renter: Wallet, lease: u8, state: StateName) -> ClusterId {
        let cluster = cluster(renter, Wallet([lease; 32]), state);
        let (id, last) = (cluster.id, cluster.last_event);
        let events = (1..=last).map(|seq| event(seq, state)).collect();
        let ray_token = (state == StateName::Ready).then(|| "f".repeat(64));
        let served = vec![Served { device: DEVICE, from_ms: START_MS, until_ms: None }];
        self.script.views.put_cluster(ClusterView { cluster, events, served, ray_token });
        let _ = self.script.announcements.send((id, last));
        id
    }
}

pub(crate) async fn problem(response: Response, status: u16, code: ProblemCode) -> Problem {
    let (got, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    assert_eq!(headers["content-type"], "application/problem+json", "{text}");
    let problem: Problem = serde_json::from_str(&text).unwrap();
    assert_eq!(problem.code, code, "{text}");
    if !headers.contains_key("idempotent-replayed") {
        assert_eq!(headers["x-request-id"], problem.request_id.as_str());
    }
    problem
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn wallet(key: &SigningKey) -> Wallet {
    Wallet(key.verifying_key().to_bytes())
}

pub(crate) fn network() -> Network {
    Network {
        version: "0.1.0".into(),
        genesis: GenesisHash([1; 32]),
        program: ProgramId([2; 32]),
        rpc_url: "http://127.0.0.1:8899".into(),
        ws_url: "ws://127.0.0.1:8900".into(),
        usdc_mint: Wallet([3; 32]),
        io_mint: Wallet([4; 32]),
        coordinator: Wallet([5; 32]),
        device_endpoint: String::new(),
        device_addresses: vec![],
        fee_bps: 100,
        claim_window_s: 60,
        ray_version: "2.60.0".into(),
        python_version: "3.11".into(),
    }
}

fn usdc(base_units: u64) -> Money {
    Amount::new(Asset::Usdc, base_units).into()
}

fn terms(spec: &ClusterSpec) -> LeaseTerms {
    LeaseTerms {
        coordinator: Wallet([5; 32]),
        asset: Asset::Usdc,
        mint: Wallet([3; 32]),
        slots: u32::from(spec.devices),
        chips_per_slot: spec.chips_per_device,
        rate_per_chip_max: 1_000,
        rate_total_max: 3_000,
        deposit: 3_030,
        expires_at: START_MS / 1_000 + 3_600,
        policy_hash: "00".repeat(32),
        fee_bps: 100,
    }
}

fn spec() -> ClusterSpec {
    ClusterSpec::from_json(br#"{"devices":1,"chip":"cpu"}"#).unwrap()
}

fn quote(spec: ClusterSpec) -> Quote {
    let terms = terms(&spec);
    Quote {
        spec,
        devices: vec![],
        rate: usdc(1_000),
        cost_max: usdc(1_010),
        terms,
        expires_at: START_MS / 1_000 + 60,
        seal: "seal".into(),
    }
}

pub(crate) fn create_body(lease: u8) -> serde_json::Value {
    let body = CreateCluster { quote: quote(spec()), lease: Wallet([lease; 32]) };
    serde_json::to_value(body).unwrap()
}

pub(crate) fn event(seq: u64, state: StateName) -> ClusterEvent {
    let kind = "state".to_owned();
    ClusterEvent {
        seq,
        at_ms: START_MS,
        kind,
        text: format!("event {seq}"),
        state,
        request_id: None,
    }
}

pub(crate) fn cluster(renter: Wallet, lease: Wallet, state: StateName) -> Cluster {
    let member = MemberView {
        device: DEVICE,
        supplier: wallet(&key(9)),
        role: Role::Head,
        state: "ready".into(),
        detail: None,
        tier: Default::default(),
        ip: "10.0.0.2".into(),
        rate: usdc(1_000),
        line: None,
        served_s: 0,
    };
    Cluster {
        id: ClusterId::of_lease(&lease),
        renter,
        state,
        reason: None,
        spec: spec(),
        lease,
        terms: terms(&spec()),
        members: vec![member],
        steps: vec![],
        created_at_ms: START_MS,
        ready_at_ms: None,
        owed: None,
        paid_until: None,
        last_event: 3,
    }
}

pub(crate) fn device(supplier: Wallet) -> Device {
    Device {
        id: DEVICE,
        supplier,
        state: DeviceStateName::Hired,
        reason: None,
        chip: "cpu".into(),
        chips: 1,
        chips_free: 0,
        region: "local".into(),
        egress: "none".into(),
        verdict: None,
        next_trial_ms: None,
        asks: vec![],
        last_seen_ms: None,
        clusters: vec!["clu_secret".into()],
        inventory: None,
    }
}

/// The scripted loop.
async fn play(mut driver: Driver, script: Arc<Script>) {
    while let Some(request) = driver.requests.recv().await {
        let script = script.clone();
        // Each on its own, so that one that waits at the gate holds no other up.
        tokio::spawn(async move {
            match request {
                Request::Quote { spec, reply } => drop(reply.send(price(*spec))),
                Request::Create { renter, body, reply, .. } => {
                    script.gate.acquire().await.unwrap().forget();
                    script.created.fetch_add(1, Ordering::SeqCst);
                    drop(reply.send(created(&script, renter, *body)));
                }
                Request::Close { renter, cluster: id, reply, .. } => {
                    script.closed.fetch_add(1, Ordering::SeqCst);
                    let lease = Wallet([1; 32]);
                    assert_eq!(id, ClusterId::of_lease(&lease), "the tests close this one only");
                    drop(reply.send(Ok(cluster(renter, lease, StateName::Stopping))));
                }
                // As the loop does where every receipt says something new.
                Request::Vouch { receipts, reply, .. } => {
                    let taken = receipts.len() as u32;
                    drop(reply.send(Ok(Vouched { taken, refused: Vec::new() })));
                }
                Request::Drain { supplier, device: id, reply, .. } => {
                    let mine = id == DEVICE && supplier == wallet(&key(9));
                    let answer = if mine {
                        Ok(device(supplier))
                    } else {
                        Err(ControlError::NotFound { what: "device" })
                    };
                    drop(reply.send(answer));
                }
                // Nothing of the REST interface asks for these.
                Request::Provers { reply } => drop(reply.send(Ok(Vec::new()))),
                Request::JudgeAll { reply, .. } => drop(reply.send(Ok(()))),
                Request::Judge { reply, .. } => {
                    drop(reply.send(Err(ControlError::NotFound { what: "device" })));
                }
                Request::OpenStream { purpose, reply, .. } => drop(reply.send(Ok(part(purpose)))),
            }
        });
    }
}

fn price(spec: ClusterSpec) -> Result<Quote, ControlError> {
    if spec.chip.as_str() != "cpu" {
        return Err(ControlError::NoCapacity {
            message: "no device fits: 4 lack the chip".into(),
            detail: json!({"chip": 4}),
        });
    }
    Ok(quote(spec))
}

/// The lease's first byte says what comes of its creation.
fn created(script: &Script, renter: Wallet, body: CreateCluster) -> Result<Cluster, ControlError> {
    match body.lease.0[0] {
        200 => Err(ControlError::QuoteExpired("the quote has expired".into())),
        201 => Err(ControlError::ChainUnavailable("secret-host:8899 refused".into())),
        202 => panic!("the loop's own fault"),
        _ => {
            let cluster = cluster(renter, body.lease, StateName::Quoted);
            let (events, served) = (vec![], vec![]);
            let view = ClusterView { cluster: cluster.clone(), events, served, ray_token: None };
            script.views.put_cluster(view);
            Ok(cluster)
        }
    }
}

/// What a part says on each kind of stream.
fn part(purpose: Purpose) -> DeviceStream {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    match purpose {
        Purpose::Dial { port } => drop(tokio::spawn(shout(theirs, port))),
        Purpose::Logs { tail, .. } => drop(tokio::spawn(log(theirs, tail))),
        Purpose::Exec { argv, .. } => drop(tokio::spawn(run(theirs, argv))),
        Purpose::Prove | Purpose::ProveChip { .. } | Purpose::Unknown => (),
    }
    DeviceStream::new(ours)
}

/// Greets at once; answers in capitals only after the caller has ended its direction.
async fn shout(mut stream: DuplexStream, port: u16) {
    stream.write_all(format!("port {port};").as_bytes()).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    said.make_ascii_uppercase();
    let _ = stream.write_all(&said).await;
}

async fn log(mut stream: DuplexStream, tail: u32) {
    for line in 0..tail {
        stream.write_all(format!("line {line}\n").as_bytes()).await.unwrap();
    }
}

/// Repeats its words and its input; ends with the number of bytes that it was given.
async fn run(mut stream: DuplexStream, argv: Vec<String>) {
    let words = ExecFrame::Stderr { bytes: argv.join(" ").into_bytes() };
    frame::write(&mut stream, &words).await.unwrap();
    let mut count = 0;
    while let Ok(ExecFrame::Stdin { bytes }) = frame::read(&mut stream).await {
        if bytes.is_empty() {
            frame::write(&mut stream, &ExecFrame::Exit { code: count }).await.unwrap();
            return;
        }
        count += bytes.len() as i64;
        frame::write(&mut stream, &ExecFrame::Stdout { bytes }).await.unwrap();
    }
}
