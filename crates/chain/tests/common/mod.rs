//! A served chain for tests.

#![allow(dead_code, reason = "each test binary uses another part")]

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use ionet_chain::{Chain, ChainConfig, ChainError, SlotControl};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentConfig;
use solana_keypair::Keypair;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A chain that answers on free ports, until it is stopped.
pub(crate) struct Served {
    pub(crate) client: RpcClient,
    pub(crate) rpc_url: String,
    pub(crate) ws_url: String,
    pub(crate) slots: SlotControl,
    pub(crate) faucet: Keypair,
    pub(crate) genesis_hash: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ChainError>>,
}

/// Settings on free ports; slots move only by hand unless the test sets `slot_ms`.
pub(crate) fn config(data_dir: &Path) -> ChainConfig {
    ChainConfig {
        rpc_addr: "127.0.0.1:0".parse().unwrap(),
        ws_addr: "127.0.0.1:0".parse().unwrap(),
        slot_ms: 3_600_000,
        ..ChainConfig::new(data_dir)
    }
}

pub(crate) fn serve(config: ChainConfig) -> Served {
    let chain = Chain::open(config).unwrap();
    let rpc_url = format!("http://{}", chain.rpc_addr());
    let ws_url = format!("ws://{}", chain.ws_addr());
    let (slots, faucet) = (chain.slots(), chain.faucet());
    let genesis_hash = chain.genesis_hash().to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(chain.serve(async {
        let _ = stopped.await;
    }));
    let client = RpcClient::new_with_commitment(rpc_url.clone(), CommitmentConfig::confirmed());
    Served { client, rpc_url, ws_url, slots, faucet, genesis_hash, stop, task }
}

impl Served {
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    /// Posts raw bytes and gives the answer's JSON.
    pub(crate) async fn post(&self, body: impl Into<String>) -> Value {
        let (_, text) = http_post(&self.rpc_url, body.into()).await;
        serde_json::from_str(&text).unwrap()
    }

    /// Calls a method and gives the whole answer.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        self.post(
            json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string(),
        )
        .await
    }

    /// Calls a method that must fail and gives its error code.
    pub(crate) async fn error_code(&self, method: &str, params: Value) -> i64 {
        let answer = self.call(method, params).await;
        answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error in {answer}"))
    }

    pub(crate) async fn airdrop(&self, to: &solana_address::Address, lamports: u64) {
        let signature = self.client.request_airdrop(to, lamports).await.unwrap();
        eventually(|| async {
            self.client.confirm_transaction(&signature).await.unwrap().then_some(())
        })
        .await;
    }
}

/// One HTTP POST, by hand: the test controls every byte.
pub(crate) async fn http_post(url: &str, body: String) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses a giant body may close before it is all written.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// Polls until there is something, with a deadline.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(mut poll: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not happen in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
