//! Input that no friendly client would send.

mod common;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use common::{Served, config, http_post, serve};
use serde_json::{Value, json};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{Message, VersionedMessage};
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use solana_transaction::versioned::VersionedTransaction;

const SOL: u64 = 1_000_000_000;

async fn chain(dir: &tempfile::TempDir) -> Served {
    serve(config(dir.path()))
}

fn encode(transaction: &VersionedTransaction) -> String {
    BASE64_STANDARD.encode(bincode::serialize(transaction).unwrap())
}

async fn send(chain: &Served, text: String) -> Value {
    chain.call("sendTransaction", json!([text, { "encoding": "base64" }])).await
}

async fn signed(
    chain: &Served,
    payer: &Keypair,
    instructions: &[Instruction],
) -> VersionedTransaction {
    let blockhash = chain.client.get_latest_blockhash().await.unwrap();
    let message = Message::new_with_blockhash(instructions, Some(&payer.pubkey()), &blockhash);
    VersionedTransaction::try_new(VersionedMessage::Legacy(message), &[payer]).unwrap()
}

#[tokio::test]
async fn malformed_calls_get_the_codes_of_the_standard() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let cases = [
        ("", -32700),
        ("{", -32700),
        ("\u{0}\u{1}", -32700),
        ("[]", -32600),
        ("1", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"getSlot"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"getSlot"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"noSuchMethod"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getBalance"}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getBalance","params":{"a":1}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getBalance","params":[7]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getBalance","params":["0OIl"]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"getBalance","params":["11"]}"#, -32602),
    ];
    for (body, code) in cases {
        assert_eq!(chain.post(body).await["error"]["code"], code, "{body}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(chain.post(deep).await["error"]["code"], -32700);
    chain.stop().await;
}

#[tokio::test]
async fn batches_are_answered_in_order_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let answer = chain
        .post(
            r#"[{"jsonrpc":"2.0","id":"a","method":"getHealth"},
                {"jsonrpc":"2.0","method":"getHealth"},
                7,
                {"jsonrpc":"2.0","id":2,"method":"nope"}]"#,
        )
        .await;
    assert_eq!(answer.as_array().unwrap().len(), 3, "a notification gets no answer");
    assert_eq!(answer[0], json!({ "jsonrpc": "2.0", "id": "a", "result": "ok" }));
    assert_eq!(answer[1]["error"]["code"], -32600);
    assert_eq!(answer[2]["error"]["code"], -32601);
    let many: Vec<Value> =
        (0..257).map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "getHealth" })).collect();
    let answer = chain.post(Value::Array(many).to_string()).await;
    assert_eq!(answer["error"]["code"], -32600);
    chain.stop().await;
}

#[tokio::test]
async fn a_giant_body_is_refused_and_the_node_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let (status, _) = http_post(&chain.rpc_url, " ".repeat(2 * 1024 * 1024)).await;
    assert_eq!(status, 413);
    assert_eq!(chain.call("getHealth", json!([])).await["result"], "ok");
    chain.stop().await;
}

#[tokio::test]
async fn undecodable_transactions_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let cases = [
        json!(["", { "encoding": "base64" }]),
        json!(["!!!!", { "encoding": "base64" }]),
        json!(["AAAA", { "encoding": "base64" }]),
        json!(["0OIl"]),
        json!(["1111"]),
        json!(["1111", { "encoding": "jsonParsed" }]),
        json!([BASE64_STANDARD.encode([1; 1_232]), { "encoding": "base64" }]),
        json!(["A".repeat(10_000), { "encoding": "base64" }]),
        json!(["1".repeat(10_000), { "encoding": "base58" }]),
    ];
    for params in cases {
        assert_eq!(chain.error_code("sendTransaction", params.clone()).await, -32602, "{params}");
        assert_eq!(chain.error_code("simulateTransaction", params).await, -32602);
    }
    chain.stop().await;
}

#[tokio::test]
async fn an_oversize_transaction_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let payer = Keypair::new();
    chain.airdrop(&payer.pubkey(), SOL).await;
    let memo = solana_address::address!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
    let with_memo =
        |bytes| Instruction { program_id: memo, accounts: vec![], data: vec![b'x'; bytes] };
    let empty = signed(&chain, &payer, &[with_memo(200)]).await;
    let overhead = bincode::serialize(&empty).unwrap().len() - 200;

    let fits = signed(&chain, &payer, &[with_memo(1_232 - overhead)]).await;
    assert_eq!(bincode::serialize(&fits).unwrap().len(), 1_232);
    let answer = send(&chain, encode(&fits)).await;
    assert!(answer["result"].is_string(), "{answer}");

    let over = signed(&chain, &payer, &[with_memo(1_233 - overhead)]).await;
    let answer = send(&chain, encode(&over)).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert!(answer["error"]["message"].as_str().unwrap().contains("too large: 1233 bytes"));
    chain.stop().await;
}

#[tokio::test]
async fn a_wrong_signature_is_refused_with_and_without_preflight() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let payer = Keypair::new();
    chain.airdrop(&payer.pubkey(), SOL).await;
    let mut transaction =
        signed(&chain, &payer, &[transfer(&payer.pubkey(), &Address::new_unique(), SOL / 2)]).await;
    transaction.signatures[0] = Keypair::new().sign_message(b"something else");
    for skip in [false, true] {
        let params = json!([encode(&transaction), { "encoding": "base64", "skipPreflight": skip }]);
        assert_eq!(chain.error_code("sendTransaction", params).await, -32003);
    }
    let verify = json!([encode(&transaction), { "encoding": "base64", "sigVerify": true }]);
    assert_eq!(chain.error_code("simulateTransaction", verify).await, -32003);
    let both = json!([encode(&transaction),
        { "encoding": "base64", "sigVerify": true, "replaceRecentBlockhash": true }]);
    assert_eq!(chain.error_code("simulateTransaction", both).await, -32602);
    assert_eq!(chain.client.get_balance(&payer.pubkey()).await.unwrap(), SOL);
    chain.stop().await;
}

#[tokio::test]
async fn a_duplicate_is_refused_now_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let (payer, to) = (Keypair::new(), Address::new_unique());
    chain.airdrop(&payer.pubkey(), SOL).await;
    let transaction = signed(&chain, &payer, &[transfer(&payer.pubkey(), &to, SOL / 4)]).await;
    let text = encode(&transaction);
    assert!(send(&chain, text.clone()).await["result"].is_string());

    let answer = send(&chain, text.clone()).await;
    assert_eq!(answer["error"]["code"], -32002);
    assert_eq!(answer["error"]["data"]["err"], "AlreadyProcessed");
    // Without preflight it is dropped in silence.
    let silent = json!([text, { "encoding": "base64", "skipPreflight": true }]);
    assert!(chain.call("sendTransaction", silent.clone()).await["result"].is_string());
    assert_eq!(chain.client.get_balance(&to).await.unwrap(), SOL / 4);
    chain.stop().await;

    let chain = serve(config(dir.path()));
    let answer = send(&chain, text).await;
    assert_eq!(answer["error"]["data"]["err"], "AlreadyProcessed", "{answer}");
    chain.call("sendTransaction", silent).await;
    assert_eq!(chain.client.get_balance(&to).await.unwrap(), SOL / 4);
    chain.stop().await;
}

#[tokio::test]
async fn preflight_tells_what_failed_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let payer = Keypair::new();
    chain.airdrop(&payer.pubkey(), SOL).await;
    let too_much = [transfer(&payer.pubkey(), &Address::new_unique(), 2 * SOL)];
    let transaction = signed(&chain, &payer, &too_much).await;
    let answer = send(&chain, encode(&transaction)).await;
    assert_eq!(answer["error"]["code"], -32002);
    let data = &answer["error"]["data"];
    assert_eq!(data["err"], json!({ "InstructionError": [0, { "Custom": 1 }] }));
    assert!(data["logs"].as_array().unwrap().len() > 1);
    assert!(data["unitsConsumed"].is_u64());
    assert_eq!(chain.client.get_balance(&payer.pubkey()).await.unwrap(), SOL);

    // Without preflight it is put into a block, fails there, and pays its fee.
    let params = json!([encode(&transaction), { "encoding": "base64", "skipPreflight": true }]);
    let signature = chain.call("sendTransaction", params).await["result"].clone();
    assert_eq!(chain.client.get_balance(&payer.pubkey()).await.unwrap(), SOL - 5_000);
    let status = chain.call("getSignatureStatuses", json!([[signature]])).await;
    assert_eq!(status["result"]["value"][0]["err"], data["err"]);
    chain.stop().await;
}

#[tokio::test]
async fn an_unfunded_payer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    let payer = Keypair::new();
    let transaction =
        signed(&chain, &payer, &[transfer(&payer.pubkey(), &Address::new_unique(), 1)]).await;
    let answer = send(&chain, encode(&transaction)).await;
    assert_eq!(answer["error"]["data"]["err"], "AccountNotFound");
    // Without preflight: dropped, not in a block.
    let params = json!([encode(&transaction), { "encoding": "base64", "skipPreflight": true }]);
    let signature = chain.call("sendTransaction", params).await["result"].clone();
    let status = chain.call("getSignatureStatuses", json!([[signature]])).await;
    assert_eq!(status["result"]["value"][0], Value::Null);
    chain.stop().await;
}

#[tokio::test]
async fn questions_out_of_bounds_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain(&dir).await;
    // A program of many bytes, owned by the first loader.
    let token = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL";
    let key = Address::new_unique().to_string();
    let signature = solana_signature::Signature::default().to_string();
    let filter = json!({ "dataSize": 1 });
    let long = "1".repeat(200);
    let cases = [
        ("getAccountInfo", json!([token]), -32600),
        ("getAccountInfo", json!([token, { "encoding": "base58" }]), -32600),
        ("getAccountInfo", json!([token, { "encoding": "rot13" }]), -32602),
        ("getAccountInfo", json!([token, { "minContextSlot": 1_000_000 }]), -32016),
        ("getMultipleAccounts", json!([vec![&key; 101]]), -32602),
        ("getSignatureStatuses", json!([vec![&signature; 257]]), -32602),
        ("getSignaturesForAddress", json!([key, { "limit": 1_001 }]), -32602),
        ("getSignaturesForAddress", json!([key, { "limit": 0 }]), -32602),
        (
            "getProgramAccounts",
            json!([key, { "filters": [filter, filter, filter, filter, filter] }]),
            -32602,
        ),
        (
            "getProgramAccounts",
            json!([key, { "filters": [{ "memcmp": { "offset": 0, "bytes": long } }] }]),
            -32602,
        ),
        ("getMinimumBalanceForRentExemption", json!([u64::MAX]), -32602),
        ("getMinimumBalanceForRentExemption", json!([-1]), -32602),
        ("getBlock", json!([1_000_000]), -32004),
        ("getBlock", json!([u64::MAX]), -32004),
        ("getBlockTime", json!([1_000_000]), -32004),
        ("getBlocks", json!([0, 1_000_000]), -32602),
        ("getBlocksWithLimit", json!([0, 1_000_000]), -32602),
        ("getSlotLeaders", json!([0, 1_000_000]), -32602),
        ("getTransaction", json!(["abc"]), -32602),
        ("getTokenAccountBalance", json!([key]), -32602),
        ("getTokenSupply", json!([token]), -32602),
        ("getTokenAccountsByOwner", json!([key, { "programId": key }]), -32602),
        ("getTokenAccountsByOwner", json!([key, { "mint": key }]), -32602),
        ("requestAirdrop", json!([key, u64::MAX]), -32600),
        ("getFeeForMessage", json!(["!!"]), -32602),
        ("isBlockhashValid", json!(["xx"]), -32602),
    ];
    for (method, params, code) in cases {
        assert_eq!(chain.error_code(method, params.clone()).await, code, "{method} {params}");
    }
    chain.stop().await;
}
