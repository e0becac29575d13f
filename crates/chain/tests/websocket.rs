//! Subscriptions over WebSocket.

mod common;

use std::time::Duration;

use common::{Served, config, serve};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use solana_transaction::Transaction;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const SOL: u64 = 1_000_000_000;
const PATIENCE: Duration = Duration::from_secs(30);

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn connect(chain: &Served) -> Self {
        Self(tokio_tungstenite::connect_async(&chain.ws_url).await.unwrap().0)
    }

    async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap();
            match message.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                _ => continue,
            }
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        self.0.send(Message::text(call.to_string())).await.unwrap();
        loop {
            let answer = self.next().await;
            if answer["id"] == 7 {
                return answer;
            }
        }
    }

    /// The next notification of one subscription.
    async fn told(&mut self, subscription: &Value) -> Value {
        loop {
            let mut message = self.next().await;
            if message["params"]["subscription"] == *subscription {
                return message["params"]["result"].take();
            }
        }
    }
}

async fn pay(chain: &Served, from: &Keypair, to: &Keypair, lamports: u64) -> Transaction {
    let blockhash = chain.client.get_latest_blockhash().await.unwrap();
    Transaction::new_signed_with_payer(
        &[transfer(&from.pubkey(), &to.pubkey(), lamports)],
        Some(&from.pubkey()),
        &[from],
        blockhash,
    )
}

#[tokio::test]
async fn a_signature_is_told_before_and_after_the_fact() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (alice, bob) = (Keypair::new(), Keypair::new());
    chain.airdrop(&alice.pubkey(), SOL).await;
    let transaction = pay(&chain, &alice, &bob, SOL / 2).await;
    let signature = transaction.signatures[0].to_string();

    let mut socket = Socket::connect(&chain).await;
    let ahead = socket.call("signatureSubscribe", json!([signature])).await["result"].clone();
    assert!(ahead.is_u64());
    chain.client.send_transaction(&transaction).await.unwrap();
    let told = socket.told(&ahead).await;
    assert_eq!(told["value"], json!({ "err": null }));
    assert!(told["context"]["slot"].is_u64());

    // It is over: the subscription is gone, and a new one is told at once.
    let gone = socket.call("signatureUnsubscribe", json!([ahead])).await;
    assert_eq!(gone["error"]["code"], -32602);
    let late = socket.call("signatureSubscribe", json!([signature])).await["result"].clone();
    assert_eq!(socket.told(&late).await["value"], json!({ "err": null }));
    chain.stop().await;
}

#[tokio::test]
async fn accounts_programs_logs_and_slots_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (alice, bob) = (Keypair::new(), Keypair::new());
    chain.airdrop(&alice.pubkey(), SOL).await;
    let mut socket = Socket::connect(&chain).await;
    let bob_key = bob.pubkey().to_string();
    let system = "11111111111111111111111111111111";
    let base64 = json!({ "encoding": "base64" });
    let account = socket.call("accountSubscribe", json!([bob_key, base64])).await;
    let program = socket.call("programSubscribe", json!([system, base64])).await;
    let logs = socket.call("logsSubscribe", json!([{ "mentions": [bob_key] }])).await;
    let all = socket.call("logsSubscribe", json!(["all"])).await;
    let slot = socket.call("slotSubscribe", json!([])).await;
    let root = socket.call("rootSubscribe", json!([])).await;

    let transaction = pay(&chain, &alice, &bob, SOL / 2).await;
    chain.client.send_transaction(&transaction).await.unwrap();
    let told = socket.told(&account["result"]).await;
    assert_eq!(told["value"]["lamports"], SOL / 2);
    assert_eq!(told["value"]["data"], json!(["", "base64"]));
    let open = chain.slots.advance(1).await.unwrap();

    // One socket keeps the order: everything of the transaction came before the slot.
    let mut seen = Vec::new();
    let slot_told = loop {
        let mut message = socket.next().await;
        let subscription = message["params"]["subscription"].clone();
        let result = message["params"]["result"].take();
        if subscription == slot["result"] {
            break result;
        }
        seen.push((subscription, result));
    };
    assert_eq!(slot_told, json!({ "slot": open, "parent": open - 1, "root": open - 1 }));
    assert_eq!(socket.told(&root["result"]).await, open - 1);
    let of = |id: &Value| seen.iter().filter(|(s, _)| s == id).map(|(_, r)| r).collect::<Vec<_>>();
    assert_eq!(of(&program["result"]).len(), 2, "alice's account and bob's");
    let signature = transaction.signatures[0].to_string();
    for id in [&logs["result"], &all["result"]] {
        assert_eq!(of(id)[0]["value"]["signature"], signature);
        assert!(!of(id)[0]["value"]["logs"].as_array().unwrap().is_empty());
    }

    // After unsubscribing, only slots are told.
    for (method, id) in [
        ("accountUnsubscribe", &account),
        ("programUnsubscribe", &program),
        ("logsUnsubscribe", &logs),
        ("logsUnsubscribe", &all),
        ("rootUnsubscribe", &root),
    ] {
        assert_eq!(socket.call(method, json!([id["result"]])).await["result"], true);
    }
    let transaction = pay(&chain, &alice, &bob, 1).await;
    chain.client.send_transaction(&transaction).await.unwrap();
    chain.slots.advance(1).await.unwrap();
    assert_eq!(socket.next().await["params"]["subscription"], slot["result"]);
    chain.stop().await;
}

#[tokio::test]
async fn an_account_that_is_emptied_is_told_as_gone() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (alice, bob) = (Keypair::new(), Keypair::new());
    chain.airdrop(&alice.pubkey(), SOL).await;
    let mut socket = Socket::connect(&chain).await;
    let key = alice.pubkey().to_string();
    let account = socket.call("accountSubscribe", json!([key, { "encoding": "base64" }])).await;
    let transaction = pay(&chain, &alice, &bob, SOL - 5_000).await;
    chain.client.send_transaction(&transaction).await.unwrap();
    assert_eq!(socket.told(&account["result"]).await["value"]["lamports"], 0);
    let gone = chain.call("getAccountInfo", json!([key])).await;
    assert_eq!(gone["result"]["value"], Value::Null);
    chain.stop().await;
}

#[tokio::test]
async fn bad_and_too_many_subscriptions_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let mut socket = Socket::connect(&chain).await;
    for (method, params, code) in [
        ("signatureSubscribe", json!(["abc"]), -32602),
        ("accountSubscribe", json!([]), -32602),
        ("programSubscribe", json!([7]), -32602),
        ("logsSubscribe", json!([{ "mentions": [] }]), -32602),
        ("noSubscribe", json!([]), -32601),
        ("slotUnsubscribe", json!([12_345]), -32602),
    ] {
        assert_eq!(socket.call(method, params).await["error"]["code"], code, "{method}");
    }
    socket.0.send(Message::text("{")).await.unwrap();
    assert_eq!(socket.next().await["error"]["code"], -32700);
    for _ in 0..ionet_chain::limits::WS_SUBSCRIPTIONS_MAX {
        assert!(socket.call("slotSubscribe", json!([])).await["result"].is_u64());
    }
    assert_eq!(socket.call("slotSubscribe", json!([])).await["error"]["code"], -32602);

    // A giant message ends its own connection only.
    socket.0.send(Message::text("x".repeat(1024 * 1024))).await.ok();
    while let Some(Ok(_)) = tokio::time::timeout(PATIENCE, socket.0.next()).await.unwrap() {}
    let mut other = Socket::connect(&chain).await;
    assert!(other.call("slotSubscribe", json!([])).await["result"].is_u64());
    chain.stop().await;
}
