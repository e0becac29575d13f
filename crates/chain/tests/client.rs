//! The unmodified `solana-rpc-client` against a served chain.

mod common;

use common::{Served, config, serve};
use ionet_chain::{Chain, ChainConfig, ChainError};
use serde_json::json;
use solana_account_decoder::UiAccountEncoding;
use solana_address::Address;
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_rpc_client_types::config::{
    RpcAccountInfoConfig, RpcProgramAccountsConfig, RpcSimulateTransactionAccountsConfig,
    RpcSimulateTransactionConfig, UiDataSliceConfig,
};
use solana_rpc_client_types::filter::{Memcmp, RpcFilterType};
use solana_rpc_client_types::response::{OptionalContext, RpcKeyedAccount};
use solana_signer::Signer;
use solana_system_interface::instruction::{create_account, transfer};
use solana_transaction::Transaction;

const SOL: u64 = 1_000_000_000;
const FEE: u64 = 5_000;

async fn signed(chain: &Served, signers: &[&Keypair], instructions: &[Instruction]) -> Transaction {
    let blockhash = chain.client.get_latest_blockhash().await.unwrap();
    Transaction::new_signed_with_payer(instructions, Some(&signers[0].pubkey()), signers, blockhash)
}

#[tokio::test]
async fn airdrop_transfer_and_confirm() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (alice, bob) = (Keypair::new(), Keypair::new());
    chain.airdrop(&alice.pubkey(), 2 * SOL).await;
    // The same airdrop again, with the same blockhash, is another transaction.
    chain.airdrop(&alice.pubkey(), 2 * SOL).await;
    assert_eq!(chain.client.get_balance(&alice.pubkey()).await.unwrap(), 4 * SOL);

    let pay = [transfer(&alice.pubkey(), &bob.pubkey(), SOL)];
    let transaction = signed(&chain, &[&alice], &pay).await;
    let fee = chain.client.get_fee_for_message(&transaction.message).await.unwrap();
    assert_eq!(fee, FEE);
    let signature = chain.client.send_and_confirm_transaction(&transaction).await.unwrap();
    let finalized = CommitmentConfig::finalized();
    let balance = chain.client.get_balance_with_commitment(&bob.pubkey(), finalized).await;
    assert_eq!(balance.unwrap().value, SOL);
    assert_eq!(chain.client.get_balance(&alice.pubkey()).await.unwrap(), 3 * SOL - FEE);
    assert_eq!(chain.client.get_signature_status(&signature).await.unwrap(), Some(Ok(())));
    chain.stop().await;
}

/// The calls that the `solana` command makes for balance, airdrop, transfer and confirm.
#[test]
fn the_blocking_client_does_what_the_command_line_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let chain = runtime.block_on(async { serve(ChainConfig { slot_ms: 20, ..config(&path) }) });
    let client = solana_rpc_client::rpc_client::RpcClient::new_with_commitment(
        chain.rpc_url.clone(),
        CommitmentConfig::confirmed(),
    );
    let (alice, bob) = (Keypair::new(), Keypair::new());
    assert!(client.get_version().unwrap().solana_core.starts_with("4."));
    assert!(client.get_health().is_ok());
    let blockhash = client.get_latest_blockhash().unwrap();
    let signature =
        client.request_airdrop_with_blockhash(&alice.pubkey(), SOL, &blockhash).unwrap();
    let confirmed = CommitmentConfig::confirmed();
    client.confirm_transaction_with_spinner(&signature, &blockhash, confirmed).unwrap();
    assert_eq!(client.get_balance(&alice.pubkey()).unwrap(), SOL);

    let (blockhash, last_valid) = client.get_latest_blockhash_with_commitment(confirmed).unwrap();
    assert!(client.get_block_height().unwrap() <= last_valid);
    assert!(client.is_blockhash_valid(&blockhash, confirmed).unwrap());
    let pay = transfer(&alice.pubkey(), &bob.pubkey(), SOL / 2);
    let transaction =
        Transaction::new_signed_with_payer(&[pay], Some(&alice.pubkey()), &[&alice], blockhash);
    assert_eq!(client.get_fee_for_message(&transaction.message).unwrap(), FEE);
    let minimum = client.get_minimum_balance_for_rent_exemption(0).unwrap();
    assert_eq!(minimum, 890_880);
    let signature = client.send_and_confirm_transaction_with_spinner(&transaction).unwrap();
    let encoding = solana_transaction_status_client_types::UiTransactionEncoding::Base64;
    let stored = client.get_transaction(&signature, encoding).unwrap();
    assert_eq!(stored.transaction.transaction.decode().unwrap(), transaction.into());
    assert_eq!(stored.transaction.meta.unwrap().fee, FEE);
    assert!(stored.block_time.is_some());
    let epoch = client.get_epoch_info().unwrap();
    assert!(epoch.absolute_slot >= stored.slot - 1 && epoch.epoch == 0);
    assert_eq!(client.get_genesis_hash().unwrap().to_string(), chain.genesis_hash);
    client.get_identity().unwrap();
    client.get_epoch_schedule().unwrap();
    assert_eq!(client.get_cluster_nodes().unwrap().len(), 1);
    assert!(client.get_vote_accounts().unwrap().current.is_empty());
    assert!(client.get_recent_prioritization_fees(&[]).is_ok());
    runtime.block_on(chain.stop());
}

#[tokio::test]
async fn program_accounts_are_filtered_and_sliced() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let payer = Keypair::new();
    chain.airdrop(&payer.pubkey(), 10 * SOL).await;
    // The system program lets anyone give an account to any program.
    let program = Address::new_unique();
    let mut sized = Vec::new();
    for bytes in [8, 8, 200] {
        let account = Keypair::new();
        let create = create_account(&payer.pubkey(), &account.pubkey(), SOL, bytes, &program);
        let transaction = signed(&chain, &[&payer, &account], &[create]).await;
        chain.client.send_and_confirm_transaction(&transaction).await.unwrap();
        sized.push((account.pubkey(), bytes));
    }
    let all = chain.client.get_program_ui_accounts_with_config(
        &program,
        RpcProgramAccountsConfig {
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                ..RpcAccountInfoConfig::default()
            },
            ..RpcProgramAccountsConfig::default()
        },
    );
    assert_eq!(all.await.unwrap().len(), 3);
    let count = |filters: Vec<RpcFilterType>| {
        let config = RpcProgramAccountsConfig {
            filters: Some(filters),
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                data_slice: Some(UiDataSliceConfig { offset: 4, length: 100 }),
                ..RpcAccountInfoConfig::default()
            },
            with_context: Some(true),
            sort_results: None,
        };
        let call = chain.call("getProgramAccounts", json!([program.to_string(), config]));
        async move {
            let answer = call.await;
            let rows: OptionalContext<Vec<RpcKeyedAccount>> =
                serde_json::from_value(answer["result"].clone()).unwrap();
            assert!(matches!(rows, OptionalContext::Context(_)));
            rows.parse_value()
        }
    };
    let big = count(vec![RpcFilterType::DataSize(200)]).await;
    assert_eq!(big.len(), 1);
    assert_eq!(big[0].pubkey, sized[2].0.to_string());
    assert_eq!(big[0].account.data.decode().unwrap().len(), 100);
    assert_eq!(big[0].account.space, Some(200));
    let zeros = RpcFilterType::Memcmp(Memcmp::new_raw_bytes(0, vec![0; 8]));
    assert_eq!(count(vec![zeros.clone()]).await.len(), 3);
    assert_eq!(count(vec![zeros, RpcFilterType::DataSize(8)]).await.len(), 2);
    let ones = RpcFilterType::Memcmp(Memcmp::new_raw_bytes(0, vec![1]));
    assert_eq!(count(vec![ones]).await.len(), 0);
    let beyond = RpcFilterType::Memcmp(Memcmp::new_raw_bytes(usize::MAX, vec![0]));
    assert_eq!(count(vec![beyond]).await.len(), 0);
    chain.stop().await;
}

#[tokio::test]
async fn every_encoding_of_an_account_decodes_to_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let clock = solana_sdk_ids::sysvar::clock::ID;
    for encoding in
        [UiAccountEncoding::Base58, UiAccountEncoding::Base64, UiAccountEncoding::Base64Zstd]
    {
        let config =
            RpcAccountInfoConfig { encoding: Some(encoding), ..RpcAccountInfoConfig::default() };
        let found = chain.client.get_ui_account_with_config(&clock, config).await.unwrap();
        let account = found.value.unwrap().to_account().unwrap();
        let slot = u64::from_le_bytes(account.data[..8].try_into().unwrap());
        assert_eq!(slot, found.context.slot, "the clock is that of the open slot");
    }
    let parsed =
        chain.call("getAccountInfo", json!([clock.to_string(), { "encoding": "jsonParsed" }]));
    assert_eq!(parsed.await["result"]["value"]["data"]["parsed"]["type"], "clock");
    let both = [clock, Address::new_unique()];
    let found = chain.client.get_multiple_accounts(&both).await.unwrap();
    assert!(found[0].is_some() && found[1].is_none());
    chain.stop().await;
}

#[tokio::test]
async fn a_blockhash_expires_with_its_window() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(ChainConfig { blockhash_age_max: 5, ..config(dir.path()) });
    let payer = Keypair::new();
    chain.airdrop(&payer.pubkey(), SOL).await;
    let (hash, last_valid) = chain
        .client
        .get_latest_blockhash_with_commitment(CommitmentConfig::confirmed())
        .await
        .unwrap();
    let pay = |lamports| {
        Transaction::new_signed_with_payer(
            &[transfer(&payer.pubkey(), &payer.pubkey(), lamports)],
            Some(&payer.pubkey()),
            &[&payer],
            hash,
        )
    };
    while chain.slots.advance(0).await.unwrap() < last_valid {
        chain.slots.advance(1).await.unwrap();
        chain
            .client
            .send_and_confirm_transaction(&pay(chain.slots.advance(0).await.unwrap()))
            .await
            .unwrap();
    }
    // One block later it is over, and the client can know it by the height.
    chain.slots.advance(1).await.unwrap();
    let valid = chain.client.is_blockhash_valid(&hash, CommitmentConfig::processed()).await;
    assert!(!valid.unwrap());
    let error = chain.client.send_transaction(&pay(999)).await.unwrap_err();
    assert_eq!(
        error.get_transaction_error(),
        Some(solana_transaction_error::TransactionError::BlockhashNotFound)
    );
    let none = chain.call(
        "getFeeForMessage",
        json!([base64::Engine::encode(
            &base64::prelude::BASE64_STANDARD,
            pay(999).message.serialize()
        )]),
    );
    assert!(none.await["result"]["value"].is_null());
    chain.slots.advance(1).await.unwrap();
    assert!(chain.client.get_block_height().await.unwrap() > last_valid);
    chain.stop().await;
}

#[tokio::test]
async fn a_restart_finds_the_same_chain_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (payer, account) = (Keypair::new(), Keypair::new());
    chain.airdrop(&payer.pubkey(), 10 * SOL).await;
    let owner = Address::new_unique();
    let create = create_account(&payer.pubkey(), &account.pubkey(), SOL, 33, &owner);
    let transaction = signed(&chain, &[&payer, &account], &[create]).await;
    let signature = chain.client.send_and_confirm_transaction(&transaction).await.unwrap();
    chain.slots.advance(3).await.unwrap();
    let questions = [
        ("getGenesisHash", json!([])),
        ("getIdentity", json!([])),
        ("getTransactionCount", json!([])),
        ("getTransaction", json!([signature.to_string(), { "encoding": "json" }])),
        ("getBlock", json!([1, { "encoding": "base64" }])),
        ("getBlock", json!([2])),
        ("getBlock", json!([0, { "transactionDetails": "none" }])),
        ("getSignaturesForAddress", json!([payer.pubkey().to_string()])),
    ];
    let mut before = Vec::new();
    for (method, params) in &questions {
        let answer = chain.call(method, params.clone()).await;
        assert!(answer["error"].is_null(), "{answer}");
        before.push(answer);
    }
    let accounts = all_accounts(&chain).await;
    let blockhash = chain.client.get_latest_blockhash().await.unwrap();
    let slot = chain.slots.advance(0).await.unwrap();
    chain.stop().await;

    let chain = serve(config(dir.path()));
    for ((method, params), before) in questions.iter().zip(before) {
        assert_eq!(chain.call(method, params.clone()).await, before, "{method}");
    }
    assert_eq!(all_accounts(&chain).await, accounts);
    assert_eq!(chain.slots.advance(0).await.unwrap(), slot + 1, "a clean stop skips no slot");
    // A transaction signed before the restart is as good as after it.
    let pay = transfer(&payer.pubkey(), &owner, SOL);
    let transaction =
        Transaction::new_signed_with_payer(&[pay], Some(&payer.pubkey()), &[&payer], blockhash);
    chain.client.send_and_confirm_transaction(&transaction).await.unwrap();
    chain.stop().await;
}

/// Every account of every owner that matters, as bytes.
async fn all_accounts(chain: &Served) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for owner in [
        "11111111111111111111111111111111",
        "NativeLoader1111111111111111111111111111111",
        "BPFLoader2111111111111111111111111111111111",
        "BPFLoaderUpgradeab1e11111111111111111111111",
        "Feature111111111111111111111111111111111111",
    ] {
        let params = json!([owner, { "encoding": "base64" }]);
        let rows = chain.call("getProgramAccounts", params).await["result"].clone();
        assert!(!rows.as_array().unwrap().is_empty(), "{owner}");
        all.push(rows);
    }
    all
}

#[tokio::test]
async fn simulation_shows_accounts_and_keeps_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (payer, to) = (Keypair::new(), Address::new_unique());
    chain.airdrop(&payer.pubkey(), 2 * SOL).await;
    let mut transaction = signed(&chain, &[&payer], &[transfer(&payer.pubkey(), &to, SOL)]).await;
    transaction.message.recent_blockhash = solana_hash::Hash::default();
    let simulate = |replace_recent_blockhash| {
        let accounts = RpcSimulateTransactionAccountsConfig {
            encoding: None,
            addresses: vec![to.to_string(), Address::new_unique().to_string()],
        };
        chain.client.simulate_transaction_with_config(
            &transaction,
            RpcSimulateTransactionConfig {
                replace_recent_blockhash,
                accounts: Some(accounts),
                inner_instructions: true,
                ..RpcSimulateTransactionConfig::default()
            },
        )
    };
    let stale = simulate(false).await.unwrap().value;
    assert_eq!(stale.err.unwrap().to_string(), "Blockhash not found");
    assert_eq!(stale.accounts, Some(vec![None, None]));
    let done = simulate(true).await.unwrap().value;
    assert!(done.err.is_none());
    let accounts = done.accounts.unwrap();
    assert_eq!(accounts[0].as_ref().unwrap().lamports, SOL);
    assert!(accounts[1].is_none());
    assert_eq!(done.units_consumed, Some(150));
    assert_eq!(done.fee, Some(FEE));
    assert!(done.replacement_blockhash.is_some());
    assert_eq!(chain.client.get_balance(&to).await.unwrap(), 0);
    chain.stop().await;
}

#[tokio::test]
async fn blocks_hold_their_transactions_and_empty_ones_are_blocks_too() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let payer = Keypair::new();
    chain.airdrop(&payer.pubkey(), SOL).await;
    // The block of a transaction just seen is waited for: here it is closed meanwhile.
    let seen = chain.slots.advance(0).await.unwrap();
    let (waited, open) =
        tokio::join!(chain.call("getBlock", json!([seen])), chain.slots.advance(1));
    assert_eq!(waited["result"]["transactions"].as_array().unwrap().len(), 1);
    let open = open.unwrap();
    assert_eq!(chain.error_code("getBlock", json!([open])).await, -32004);
    let block = chain.call("getBlock", json!([open - 1])).await["result"].clone();
    assert_eq!(block["transactions"].as_array().unwrap().len(), 1);
    assert_eq!(block["transactions"][0]["meta"]["err"], json!(null));
    assert_eq!(block["blockHeight"], open - 1);
    let list = json!([open - 1, { "transactionDetails": "signatures", "rewards": false }]);
    let listed = chain.call("getBlock", list).await["result"].clone();
    assert_eq!(listed["signatures"].as_array().unwrap().len(), 1);
    assert!(listed["rewards"].is_null());
    let accounts = json!([open - 1, { "transactionDetails": "accounts" }]);
    let listed = chain.call("getBlock", accounts).await["result"].clone();
    let keys = &listed["transactions"][0]["transaction"]["accountKeys"];
    assert_eq!(
        keys[0],
        json!({ "pubkey": chain.faucet.pubkey().to_string(), "signer": true,
        "source": "transaction", "writable": true })
    );

    chain.slots.advance(500).await.unwrap();
    let mut parent = block;
    for slot in open..open + 400 {
        let empty = chain.call("getBlock", json!([slot])).await["result"].clone();
        assert_eq!(empty["previousBlockhash"], parent["blockhash"], "slot {slot}");
        assert_eq!(empty["parentSlot"], slot - 1);
        assert_eq!(empty["transactions"], json!([]));
        parent = empty;
    }
    let blocks = chain.client.get_blocks(3, Some(6)).await.unwrap();
    assert_eq!(blocks, [3, 4, 5, 6]);
    assert_eq!(chain.client.get_blocks_with_limit(3, 2).await.unwrap(), [3, 4]);
    assert_eq!(chain.client.get_first_available_block().await.unwrap(), 0);
    assert!(chain.client.get_block_time(open).await.unwrap() > 1_600_000_000);
    chain.stop().await;
}

#[tokio::test]
async fn history_is_paged_by_signature() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let payer = Keypair::new();
    chain.airdrop(&payer.pubkey(), SOL).await;
    let memo = solana_address::address!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
    let mut sent = Vec::new();
    for nth in 0..5u8 {
        let note =
            Instruction { program_id: memo, accounts: vec![], data: format!("note {nth}").into() };
        let transaction = signed(&chain, &[&payer], &[note]).await;
        sent.push(chain.client.send_and_confirm_transaction(&transaction).await.unwrap());
    }
    let page = |config: serde_json::Value| {
        let call =
            chain.call("getSignaturesForAddress", json!([payer.pubkey().to_string(), config]));
        async move {
            let answer = call.await["result"].clone();
            answer
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["signature"].clone())
                .collect::<Vec<_>>()
        }
    };
    let of =
        |range: &[usize]| range.iter().map(|n| json!(sent[*n].to_string())).collect::<Vec<_>>();
    assert_eq!(page(json!({ "limit": 2 })).await, of(&[4, 3]));
    assert_eq!(page(json!({ "before": sent[3].to_string(), "limit": 2 })).await, of(&[2, 1]));
    assert_eq!(page(json!({ "until": sent[2].to_string() })).await, of(&[4, 3]));
    let unknown = Keypair::new().sign_message(b"unknown").to_string();
    assert!(page(json!({ "before": unknown })).await.is_empty());
    let rows = chain.client.get_signatures_for_address(&payer.pubkey()).await.unwrap();
    assert_eq!(rows.len(), 6, "the airdrop too");
    assert_eq!(rows[0].memo.as_deref(), Some("[6] note 4"));
    chain.stop().await;
}

#[tokio::test]
async fn a_taken_port_and_a_directory_in_use_are_told_apart() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let chain = serve(config(dir.path()));
    let taken: std::net::SocketAddr =
        chain.rpc_url.strip_prefix("http://").unwrap().parse().unwrap();
    let on_taken = ChainConfig { rpc_addr: taken, ..config(other.path()) };
    match Chain::open(on_taken).map(drop).unwrap_err() {
        ChainError::PortTaken { service: "rpc", addr } => assert_eq!(addr, taken),
        error => panic!("{error:?}"),
    }
    assert!(std::fs::read_dir(other.path()).unwrap().next().is_none(), "nothing was written");
    assert!(matches!(
        Chain::open(config(dir.path())).map(drop).unwrap_err(),
        ChainError::DataDirBusy { .. }
    ));
    assert!(matches!(
        Chain::open(ChainConfig { slot_ms: 0, ..config(other.path()) }).map(drop).unwrap_err(),
        ChainError::Setting { setting: "slot_ms", .. }
    ));
    chain.stop().await;
}
