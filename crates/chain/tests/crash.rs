//! The node is killed with SIGKILL under load, many times over: what was told as done is there,
//! nothing is there by half, and every lamport is accounted for.

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Served, config, eventually, serve};
use ionet_chain::{Chain, ChainConfig};
use solana_keypair::Keypair;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use solana_transaction::Transaction;

const CHILD_DIR: &str = "IONET_CHAIN_TEST_CHILD_DIR";
const URL_FILE: &str = "url.txt";
const SOL: u64 = 1_000_000_000;
const FEE: u64 = 5_000;
const ROUNDS: usize = 4;
const SENDERS: usize = 6;
/// Confirmed transfers before the kill, each round another number.
const CONFIRMED_BEFORE_KILL: [usize; ROUNDS] = [1, 23, 60, 111];

/// Not a test by itself: the process that is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_serves_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let dir = Path::new(&dir);
    let chain = Chain::open(ChainConfig { slot_ms: 20, ..config(dir) }).unwrap();
    let draft = dir.join("url.new");
    std::fs::write(&draft, format!("http://{}", chain.rpc_addr())).unwrap();
    std::fs::rename(draft, dir.join(URL_FILE)).unwrap();
    chain.serve(std::future::pending()).await.unwrap();
}

fn spawn_child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_serves_until_it_is_killed", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[derive(Clone)]
struct Sent {
    signature: Signature,
    confirmed: bool,
}

/// Sends transfers of one payer until the node is gone. Each is another amount.
async fn send_until_dead(
    url: String,
    payer: Arc<Keypair>,
    to: solana_address::Address,
    round: usize,
    confirmed: Arc<AtomicUsize>,
) -> Vec<Sent> {
    let client = RpcClient::new_with_timeout(url, Duration::from_secs(20));
    let mut sent = Vec::new();
    for nth in 1.. {
        let Ok(blockhash) = client.get_latest_blockhash().await else { break };
        let lamports = nth * 10 + round as u64;
        let transaction = Transaction::new_signed_with_payer(
            &[transfer(&payer.pubkey(), &to, lamports)],
            Some(&payer.pubkey()),
            &[payer.as_ref()],
            blockhash,
        );
        let signature = transaction.signatures[0];
        let answered = client.send_transaction(&transaction).await.is_ok();
        // A status is the strictest sign: what it shows must survive.
        let status = client.get_signature_status(&signature).await;
        let seen = matches!(status, Ok(Some(Ok(()))));
        sent.push(Sent { signature, confirmed: answered || seen });
        if seen {
            confirmed.fetch_add(1, Ordering::SeqCst);
        }
        if status.is_err() {
            break;
        }
    }
    sent
}

async fn history(chain: &Served, address: &solana_address::Address) -> Vec<Signature> {
    let mut all = Vec::new();
    loop {
        let config = GetConfirmedSignaturesForAddress2Config {
            before: all.last().copied(),
            ..GetConfirmedSignaturesForAddress2Config::default()
        };
        let page =
            chain.client.get_signatures_for_address_with_config(address, config).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().map(|row| row.signature.parse::<Signature>().unwrap()));
    }
}

/// Replays the stored transactions of a payer and compares with its stored balance.
async fn check_payer(chain: &Served, payer: &Keypair, to: &solana_address::Address) -> u64 {
    let mut payer_has = 0;
    let mut to_has = SOL;
    let mut signatures = history(chain, &payer.pubkey()).await;
    signatures.reverse();
    for signature in &signatures {
        let stored = chain.call(
            "getTransaction",
            serde_json::json!([signature.to_string(), { "encoding": "json" }]),
        );
        let stored = stored.await;
        let meta = &stored["result"]["meta"];
        assert!(meta["err"].is_null(), "{stored}");
        let keys = &stored["result"]["transaction"]["message"]["accountKeys"];
        let at = |address: &solana_address::Address| {
            keys.as_array().unwrap().iter().position(|key| *key == address.to_string())
        };
        let payer_at = at(&payer.pubkey()).unwrap();
        assert_eq!(meta["preBalances"][payer_at], payer_has, "no transaction between is missing");
        payer_has = meta["postBalances"][payer_at].as_u64().unwrap();
        if let Some(to_at) = at(to) {
            assert_eq!(meta["preBalances"][to_at], to_has);
            to_has = meta["postBalances"][to_at].as_u64().unwrap();
        }
    }
    assert_eq!(chain.client.get_balance(&payer.pubkey()).await.unwrap(), payer_has);
    assert_eq!(chain.client.get_balance(to).await.unwrap(), to_has);
    signatures.len() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_and_nothing_is_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let payers: Vec<Arc<Keypair>> = (0..SENDERS).map(|_| Arc::new(Keypair::new())).collect();
    let recipients: Vec<_> = (0..SENDERS).map(|_| Keypair::new().pubkey()).collect();
    let chain = serve(config(dir.path()));
    let supply_at_first = chain.client.supply().await.unwrap().value.total;
    let genesis_hash = chain.genesis_hash.clone();
    for (payer, recipient) in payers.iter().zip(&recipients) {
        chain.airdrop(&payer.pubkey(), 100 * SOL).await;
        chain.airdrop(recipient, SOL).await;
    }
    chain.stop().await;

    let mut all_sent = Vec::new();
    let mut last_slot = 0;
    for (round, wanted) in CONFIRMED_BEFORE_KILL.into_iter().enumerate() {
        let url_file = dir.path().join(URL_FILE);
        let _ = std::fs::remove_file(&url_file);
        let mut child = spawn_child(dir.path());
        let url = eventually(|| async { std::fs::read_to_string(&url_file).ok() }).await;
        let confirmed = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = payers
            .iter()
            .zip(&recipients)
            .map(|(payer, to)| {
                let (payer, confirmed) = (Arc::clone(payer), Arc::clone(&confirmed));
                tokio::spawn(send_until_dead(url.clone(), payer, *to, round, confirmed))
            })
            .collect();
        eventually(|| async { (confirmed.load(Ordering::SeqCst) >= wanted).then_some(()) }).await;
        child.kill().unwrap();
        child.wait().unwrap();
        for sender in senders {
            all_sent.extend(sender.await.unwrap());
        }

        let chain = serve(config(dir.path()));
        assert_eq!(chain.genesis_hash, genesis_hash);
        let slot = chain.slots.advance(0).await.unwrap();
        assert!(slot > last_slot, "slots never go back");
        last_slot = slot;
        for sent in all_sent.iter().filter(|sent| sent.confirmed) {
            let status = chain.client.get_signature_status(&sent.signature).await.unwrap();
            assert_eq!(status, Some(Ok(())), "a confirmed transaction is lost");
        }
        let mut in_history = 0;
        for (payer, to) in payers.iter().zip(&recipients) {
            in_history += check_payer(&chain, payer, to).await;
        }
        let counted = chain.client.get_transaction_count().await.unwrap();
        // Airdrops to the recipients are not in the payers' histories.
        assert_eq!(counted, in_history + SENDERS as u64);
        let supply = chain.client.supply().await.unwrap().value.total;
        assert_eq!(supply, supply_at_first - counted * FEE);
        chain.stop().await;
    }
    let confirmed = all_sent.iter().filter(|sent| sent.confirmed).count();
    assert!(confirmed >= CONFIRMED_BEFORE_KILL.iter().sum::<usize>());
}
