//! The unmodified `solana-rpc-client` against a served chain.

mod common;

use common::{config, serve};
use solana_commitment_config::CommitmentConfig;
use solana_keypair::Keypair;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use solana_transaction::Transaction;

const SOL: u64 = 1_000_000_000;
const FEE: u64 = 5_000;

#[tokio::test]
async fn airdrop_transfer_and_confirm() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (alice, bob) = (Keypair::new(), Keypair::new());
    chain.airdrop(&alice.pubkey(), 2 * SOL).await;
    // The same airdrop again, with the same blockhash, is another transaction.
    chain.airdrop(&alice.pubkey(), 2 * SOL).await;
    assert_eq!(chain.client.get_balance(&alice.pubkey()).await.unwrap(), 4 * SOL);

    let blockhash = chain.client.get_latest_blockhash().await.unwrap();
    let transaction = Transaction::new_signed_with_payer(
        &[transfer(&alice.pubkey(), &bob.pubkey(), SOL)],
        Some(&alice.pubkey()),
        &[&alice],
        blockhash,
    );
    let signature = chain.client.send_and_confirm_transaction(&transaction).await.unwrap();
    let finalized = CommitmentConfig::finalized();
    let balance = chain.client.get_balance_with_commitment(&bob.pubkey(), finalized).await;
    assert_eq!(balance.unwrap().value, SOL);
    assert_eq!(chain.client.get_balance(&alice.pubkey()).await.unwrap(), 3 * SOL - FEE);
    let status = chain.client.get_signature_status(&signature).await.unwrap();
    assert_eq!(status, Some(Ok(())));
    chain.stop().await;
}
