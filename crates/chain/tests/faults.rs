//! Every write of a commit is made to fail once: nothing half done is ever shown.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use common::{config, eventually, serve};
use ionet_chain::{ChainConfig, StoreError, WriteHook, WriteStep};
use serde_json::json;
use solana_keypair::Keypair;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use solana_transaction::Transaction;

const SOL: u64 = 1_000_000_000;
const FEE: u64 = 5_000;
/// Any number: far more steps than a commit of one transfer has.
const STEPS_MAX: i64 = 100;

/// Lets `left` writes pass and fails the next one; below zero it lets everything pass.
struct Countdown {
    left: AtomicI64,
    failed: AtomicI64,
}

impl Countdown {
    fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(-1), failed: AtomicI64::new(0) })
    }

    fn arm(&self, writes: i64) {
        self.left.store(writes, Ordering::SeqCst);
    }

    fn disarm(&self) -> bool {
        self.left.swap(-1, Ordering::SeqCst) == -1
    }
}

impl WriteHook for Countdown {
    fn before(&self, step: WriteStep) -> Result<(), StoreError> {
        match self.left.load(Ordering::SeqCst) {
            -1 => Ok(()),
            0 => {
                self.left.store(-1, Ordering::SeqCst);
                self.failed.fetch_add(1, Ordering::SeqCst);
                Err(StoreError::Hook(step))
            }
            left => {
                self.left.store(left - 1, Ordering::SeqCst);
                Ok(())
            }
        }
    }
}

#[tokio::test]
async fn a_failed_write_leaves_no_trace_wherever_it_fails() {
    let dir = tempfile::tempdir().unwrap();
    let hook = Countdown::new();
    let with_hook = ChainConfig { write_hook: Some(hook.clone()), ..config(dir.path()) };
    let chain = serve(with_hook);
    let (alice, bob) = (Keypair::new(), Keypair::new());
    chain.airdrop(&alice.pubkey(), SOL).await;
    chain.airdrop(&bob.pubkey(), SOL).await;
    let (mut alice_has, mut bob_has) = (SOL, SOL);
    let mut fault_at: i64 = 0;
    loop {
        let blockhash = chain.client.get_latest_blockhash().await.unwrap();
        let transaction = Transaction::new_signed_with_payer(
            &[transfer(&alice.pubkey(), &bob.pubkey(), 1 + fault_at.unsigned_abs())],
            Some(&alice.pubkey()),
            &[&alice],
            blockhash,
        );
        let signature = transaction.signatures[0];
        hook.arm(fault_at);
        let sent = chain.client.send_transaction(&transaction).await;
        let fault_hit = hook.disarm();
        if !fault_hit {
            assert!(sent.is_ok());
            break;
        }
        assert!(sent.is_err(), "a transaction that is not durable must not be told as sent");
        let status = chain.client.get_signature_status(&signature).await.unwrap();
        assert_eq!(status, None, "fault {fault_at}");
        assert_eq!(chain.client.get_balance(&alice.pubkey()).await.unwrap(), alice_has);
        assert_eq!(chain.client.get_balance(&bob.pubkey()).await.unwrap(), bob_has);
        assert_eq!(chain.error_code("getHealth", json!([])).await, -32005);

        // The very same transaction goes through once the disk is well again.
        chain.client.send_transaction(&transaction).await.unwrap();
        alice_has -= 1 + fault_at.unsigned_abs() + FEE;
        bob_has += 1 + fault_at.unsigned_abs();
        assert_eq!(chain.client.get_balance(&alice.pubkey()).await.unwrap(), alice_has);
        assert_eq!(chain.client.get_balance(&bob.pubkey()).await.unwrap(), bob_has);
        assert_eq!(chain.call("getHealth", json!([])).await["result"], "ok");
        chain.slots.advance(1).await.unwrap();
        fault_at += 1;
        assert!(fault_at < STEPS_MAX);
    }
    assert!(fault_at >= 9, "begin, 2 accounts, block, transaction, 3 addresses, meta, commit");
    assert_eq!(hook.failed.load(Ordering::SeqCst), fault_at);

    // Blocks count on without holes, and the state is the same after a restart.
    let signatures = chain.client.get_signatures_for_address(&bob.pubkey()).await.unwrap();
    assert_eq!(signatures.len() as i64, fault_at + 2);
    chain.stop().await;
    let chain = serve(config(dir.path()));
    assert_eq!(
        chain.client.get_balance(&bob.pubkey()).await.unwrap(),
        bob_has + 1 + fault_at.unsigned_abs()
    );
    chain.stop().await;
}

#[tokio::test]
async fn slots_wait_while_the_store_refuses_to_reserve_them() {
    let dir = tempfile::tempdir().unwrap();
    let hook = Countdown::new();
    let chain = serve(ChainConfig { write_hook: Some(hook.clone()), ..config(dir.path()) });
    let start = chain.slots.advance(0).await.unwrap();
    hook.arm(0);
    let reached = chain.slots.advance(40).await.unwrap();
    // One tick of the forty met the fault; the next one reserved anew.
    assert_eq!(reached, start + 39);
    assert!(hook.disarm());
    eventually(|| async {
        (chain.call("getHealth", json!([])).await["result"] == "ok").then_some(())
    })
    .await;
    chain.stop().await;
}

#[tokio::test]
async fn genesis_that_fails_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    for fault_at in [0, 1, 50, 200] {
        let hook = Countdown::new();
        hook.arm(fault_at);
        let with_hook = ChainConfig { write_hook: Some(hook), ..config(dir.path()) };
        assert!(ionet_chain::Chain::open(with_hook).is_err());
    }
    let chain = serve(config(dir.path()));
    let faucet = chain.client.get_balance(&chain.faucet.pubkey()).await.unwrap();
    assert_eq!(faucet, 500_000_000 * SOL);
    chain.stop().await;
}
