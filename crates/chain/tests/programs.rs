//! Programs of the chain: ours from genesis, SPL tokens, nonces, lookup tables.

mod common;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use common::{Served, config, serve};
use ionet_chain::{Chain, ChainConfig, ChainError, GenesisProgram};
use serde_json::{Value, json};
use solana_address::{Address, address};
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{AddressLookupTableAccount, Message, VersionedMessage, v0};
use solana_signer::Signer;
use solana_system_interface::instruction::{
    advance_nonce_account, create_account, create_nonce_account, transfer,
};
use solana_transaction::versioned::VersionedTransaction;

const SOL: u64 = 1_000_000_000;
const FEE: u64 = 5_000;
const TOKEN: Address = address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
const ATA: Address = address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
const MEMO: Address = address!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
const LOOKUP: Address = address!("AddressLookupTab1e1111111111111111111111111");
const LOADER: Address = address!("BPFLoaderUpgradeab1e11111111111111111111111");

async fn latest(chain: &Served) -> Hash {
    chain.client.get_latest_blockhash().await.unwrap()
}

fn sign(signers: &[&Keypair], instructions: &[Instruction], hash: Hash) -> VersionedTransaction {
    let message = Message::new_with_blockhash(instructions, Some(&signers[0].pubkey()), &hash);
    VersionedTransaction::try_new(VersionedMessage::Legacy(message), signers).unwrap()
}

async fn send(chain: &Served, transaction: &VersionedTransaction, skip_preflight: bool) -> Value {
    let text = BASE64_STANDARD.encode(bincode::serialize(transaction).unwrap());
    let config = json!({ "encoding": "base64", "skipPreflight": skip_preflight });
    chain.call("sendTransaction", json!([text, config])).await
}

async fn done(chain: &Served, signers: &[&Keypair], instructions: &[Instruction]) -> String {
    let transaction = sign(signers, instructions, latest(chain).await);
    let answer = send(chain, &transaction, false).await;
    answer["result"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The memo program's code, from a chain that has it.
async fn memo_elf() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let elf = chain.client.get_account(&MEMO).await.unwrap().data;
    chain.stop().await;
    elf
}

#[tokio::test]
async fn a_genesis_program_runs_and_names_its_upgrade_authority() {
    let (dir, id, authority) =
        (tempfile::tempdir().unwrap(), Address::new_unique(), Keypair::new());
    let elf = memo_elf().await;
    let program =
        GenesisProgram { id, elf: elf.clone(), upgrade_authority: Some(authority.pubkey()) };
    let with_program = ChainConfig { programs: vec![program], ..config(dir.path()) };
    serve(with_program).stop().await;
    // The program is on the chain now: no setting is needed to find it again.
    let chain = serve(config(dir.path()));
    let data_address = Address::find_program_address(&[id.as_ref()], &LOADER).0;
    let program = chain.client.get_account(&id).await.unwrap();
    assert!(program.executable && program.owner == LOADER);
    assert_eq!(program.data[4..36], data_address.to_bytes());
    let params = json!([data_address.to_string(), { "encoding": "base64" }]);
    let data = chain.call("getAccountInfo", params).await["result"]["value"]["data"][0].clone();
    let data = BASE64_STANDARD.decode(data.as_str().unwrap()).unwrap();
    // ProgramData: tag 3, slot 0, Some(authority), then the code.
    assert_eq!(data[..13], [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(data[13..45], authority.pubkey().to_bytes());
    assert_eq!(data[45..], elf);

    chain.airdrop(&authority.pubkey(), SOL).await;
    let note = Instruction { program_id: id, accounts: vec![], data: b"hello".to_vec() };
    let signature = done(&chain, &[&authority], &[note]).await;
    let stored = chain.call("getTransaction", json!([signature])).await;
    let logs = stored["result"]["meta"]["logMessages"].to_string();
    assert!(logs.contains("hello"), "{logs}");
    let parsed = json!([data_address.to_string(),
        { "encoding": "jsonParsed", "dataSlice": { "offset": 0, "length": 0 } }]);
    let parsed = chain.call("getAccountInfo", parsed).await;
    let info = &parsed["result"]["value"]["data"]["parsed"]["info"];
    assert_eq!(info["authority"], authority.pubkey().to_string());

    // The authority gives the program away: the loader takes its word, nobody else's.
    let give = |from: &Keypair| Instruction {
        program_id: LOADER,
        accounts: vec![
            AccountMeta::new(data_address, false),
            AccountMeta::new_readonly(from.pubkey(), true),
            AccountMeta::new_readonly(MEMO, false),
        ],
        data: vec![4, 0, 0, 0],
    };
    let stranger = Keypair::new();
    chain.airdrop(&stranger.pubkey(), SOL).await;
    let stolen = sign(&[&stranger], &[give(&stranger)], latest(&chain).await);
    assert_eq!(send(&chain, &stolen, false).await["error"]["code"], -32002);
    done(&chain, &[&authority], &[give(&authority)]).await;
    chain.stop().await;
}

#[tokio::test]
async fn a_genesis_program_that_is_no_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let id = Address::new_unique();
    let program = GenesisProgram { id, elf: b"not an elf".to_vec(), upgrade_authority: None };
    let with_program = ChainConfig { programs: vec![program], ..config(dir.path()) };
    match Chain::open(with_program).map(drop).unwrap_err() {
        ChainError::GenesisProgram { id: named, .. } => assert_eq!(named, id),
        error => panic!("{error:?}"),
    }
}

fn ata(owner: &Address, mint: &Address) -> Address {
    let seeds = [owner.as_ref(), TOKEN.as_ref(), mint.as_ref()];
    Address::find_program_address(&seeds, &ATA).0
}

fn create_ata(payer: &Address, owner: &Address, mint: &Address) -> Instruction {
    Instruction {
        program_id: ATA,
        accounts: vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new(ata(owner, mint), false),
            AccountMeta::new_readonly(*owner, false),
            AccountMeta::new_readonly(*mint, false),
            AccountMeta::new_readonly(Address::default(), false),
            AccountMeta::new_readonly(TOKEN, false),
        ],
        data: vec![],
    }
}

fn token_instruction(tag: u8, accounts: Vec<AccountMeta>, amount: u64) -> Instruction {
    let data = [&[tag][..], &amount.to_le_bytes()].concat();
    Instruction { program_id: TOKEN, accounts, data }
}

#[tokio::test]
async fn spl_tokens_are_shown_in_methods_and_records() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (alice, bob, mint) = (Keypair::new(), Keypair::new(), Keypair::new());
    chain.airdrop(&alice.pubkey(), 10 * SOL).await;
    let (a, m) = (alice.pubkey(), mint.pubkey());
    let rent = chain.client.get_minimum_balance_for_rent_exemption(82).await.unwrap();
    // InitializeMint2: tag 20, decimals, authority, no freeze authority.
    let init = [&[20, 6][..], a.as_ref(), &[0]].concat();
    let init =
        Instruction { program_id: TOKEN, accounts: vec![AccountMeta::new(m, false)], data: init };
    done(&chain, &[&alice, &mint], &[create_account(&a, &m, rent, 82, &TOKEN), init]).await;
    let (from, to) = (ata(&a, &m), ata(&bob.pubkey(), &m));
    let accounts =
        vec![AccountMeta::new(m, false), AccountMeta::new(from, false), AccountMeta::new(a, true)];
    let mint_to = token_instruction(7, accounts, 5_000_000);
    done(&chain, &[&alice], &[create_ata(&a, &a, &m), create_ata(&a, &bob.pubkey(), &m), mint_to])
        .await;
    let accounts = vec![
        AccountMeta::new(from, false),
        AccountMeta::new(to, false),
        AccountMeta::new_readonly(a, true),
    ];
    let signature = done(&chain, &[&alice], &[token_instruction(3, accounts, 1_500_000)]).await;

    let balance = chain.client.get_token_account_balance(&to).await.unwrap();
    assert_eq!((balance.amount.as_str(), balance.ui_amount_string.as_str()), ("1500000", "1.5"));
    let supply = chain.client.get_token_supply(&m).await.unwrap();
    assert_eq!((supply.amount.as_str(), supply.decimals), ("5000000", 6));
    let parsed = json!({ "encoding": "jsonParsed" });
    for filter in [json!({ "mint": m.to_string() }), json!({ "programId": TOKEN.to_string() })] {
        let params = json!([bob.pubkey().to_string(), filter, parsed]);
        let owned = chain.call("getTokenAccountsByOwner", params).await["result"]["value"].clone();
        assert_eq!(owned.as_array().unwrap().len(), 1);
        assert_eq!(owned[0]["pubkey"], to.to_string());
        let info = &owned[0]["account"]["data"]["parsed"]["info"];
        assert_eq!(info["tokenAmount"]["uiAmountString"], "1.5");
    }
    let largest = chain.call("getTokenLargestAccounts", json!([m.to_string()])).await;
    assert_eq!(largest["result"]["value"][0]["address"], from.to_string());
    let shown = chain.call("getAccountInfo", json!([m.to_string(), parsed])).await;
    assert_eq!(shown["result"]["value"]["data"]["parsed"]["info"]["supply"], "5000000");

    let stored = chain.call("getTransaction", json!([signature, parsed])).await["result"].clone();
    let amounts = |field: &str| -> Vec<String> {
        let rows = stored["meta"][field].as_array().unwrap().iter();
        let mut rows: Vec<_> =
            rows.map(|row| row["uiTokenAmount"]["amount"].as_str().unwrap().to_owned()).collect();
        rows.sort();
        rows
    };
    assert_eq!(amounts("preTokenBalances"), ["0", "5000000"]);
    assert_eq!(amounts("postTokenBalances"), ["1500000", "3500000"]);
    let instruction = &stored["transaction"]["message"]["instructions"][0];
    assert_eq!(instruction["programId"], TOKEN.to_string());
    assert_eq!(instruction["accounts"][0], from.to_string());
    chain.stop().await;
}

#[tokio::test]
async fn a_durable_nonce_outlives_the_window_and_is_used_up_even_by_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(ChainConfig { blockhash_age_max: 3, ..config(dir.path()) });
    let (payer, nonce, to) = (Keypair::new(), Keypair::new(), Address::new_unique());
    chain.airdrop(&payer.pubkey(), 10 * SOL).await;
    let (p, n) = (payer.pubkey(), nonce.pubkey());
    let create = create_nonce_account(&p, &n, &p, SOL);
    done(&chain, &[&payer, &nonce], &create).await;
    let stored = async || {
        let data = chain.client.get_account(&n).await.unwrap().data;
        Hash::new_from_array(data[40..72].try_into().unwrap())
    };
    let first = stored().await;
    let advance = advance_nonce_account(&n, &p);
    chain.slots.advance(10).await.unwrap();

    let pay = sign(&[&payer], &[advance.clone(), transfer(&p, &to, SOL)], first);
    let answer = send(&chain, &pay, false).await;
    assert!(answer["result"].is_string(), "{answer}");
    let second = stored().await;
    assert_ne!(second, first);
    // Neither again, nor another one with the used nonce.
    let again = send(&chain, &pay, false).await;
    assert_eq!(again["error"]["data"]["err"], "BlockhashNotFound");
    let used = sign(&[&payer], &[advance.clone(), transfer(&p, &to, 1)], first);
    assert_eq!(send(&chain, &used, false).await["error"]["data"]["err"], "BlockhashNotFound");

    // A failure in a block pays its fee and uses the nonce up.
    let before = chain.client.get_balance(&p).await.unwrap();
    let fails = sign(&[&payer], &[advance.clone(), transfer(&p, &to, 100 * SOL)], second);
    assert!(send(&chain, &fails, true).await["result"].is_string());
    assert_eq!(chain.client.get_balance(&p).await.unwrap(), before - FEE);
    let third = stored().await;
    assert_ne!(third, second);
    assert_eq!(send(&chain, &fails, false).await["error"]["data"]["err"], "BlockhashNotFound");

    // Somebody else's signature does not advance it.
    let stranger = Keypair::new();
    chain.airdrop(&stranger.pubkey(), SOL).await;
    let foreign = advance_nonce_account(&n, &stranger.pubkey());
    let foreign = sign(&[&stranger], &[foreign, transfer(&stranger.pubkey(), &to, 1)], third);
    assert_eq!(send(&chain, &foreign, false).await["error"]["data"]["err"], "BlockhashNotFound");

    // To advance a nonce first with a recent blockhash is legal, and the rest survives a restart.
    done(&chain, &[&payer], std::slice::from_ref(&advance)).await;
    let fourth = stored().await;
    assert_ne!(fourth, third);
    chain.stop().await;
    let chain = serve(ChainConfig { blockhash_age_max: 3, ..config(dir.path()) });
    let pay = sign(&[&payer], &[advance, transfer(&p, &to, 7)], fourth);
    assert!(send(&chain, &pay, false).await["result"].is_string());
    assert_eq!(chain.client.get_balance(&to).await.unwrap(), SOL + 7);
    chain.stop().await;
}

/// Makes a lookup table of `addresses` and waits until it may be used.
async fn lookup_table(chain: &Served, payer: &Keypair, addresses: &[Address]) -> Address {
    let p = payer.pubkey();
    let recent = chain.slots.advance(1).await.unwrap() - 1;
    let (table, bump) =
        Address::find_program_address(&[p.as_ref(), &recent.to_le_bytes()], &LOOKUP);
    let accounts = vec![
        AccountMeta::new(table, false),
        AccountMeta::new_readonly(p, true),
        AccountMeta::new(p, true),
        AccountMeta::new_readonly(Address::default(), false),
    ];
    let create = [&[0; 4][..], &recent.to_le_bytes(), &[bump]].concat();
    let instruction = |data| Instruction { program_id: LOOKUP, accounts: accounts.clone(), data };
    done(chain, &[payer], &[instruction(create)]).await;
    for chunk in addresses.chunks(20) {
        let mut extend = [&[2, 0, 0, 0][..], &(chunk.len() as u64).to_le_bytes()].concat();
        for address in chunk {
            extend.extend_from_slice(address.as_ref());
        }
        done(chain, &[payer], &[instruction(extend)]).await;
    }
    chain.slots.advance(1).await.unwrap();
    table
}

async fn through_table(
    chain: &Served,
    payer: &Keypair,
    instruction: Instruction,
    table: AddressLookupTableAccount,
) -> VersionedTransaction {
    let message =
        v0::Message::try_compile(&payer.pubkey(), &[instruction], &[table], latest(chain).await);
    VersionedTransaction::try_new(VersionedMessage::V0(message.unwrap()), &[payer]).unwrap()
}

#[tokio::test]
async fn lookup_tables_work_and_64_accounts_are_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let payer = Keypair::new();
    chain.airdrop(&payer.pubkey(), 10 * SOL).await;
    let addresses: Vec<Address> = (0..70).map(|_| Address::new_unique()).collect();
    let key = lookup_table(&chain, &payer, &addresses).await;
    let table = AddressLookupTableAccount { key, addresses: addresses.clone() };
    // A transfer with further accounts, which the system program leaves alone.
    let with_accounts = |count: usize| {
        let mut pay = transfer(&payer.pubkey(), &addresses[0], SOL);
        pay.accounts
            .extend(addresses[1..count].iter().map(|key| AccountMeta::new_readonly(*key, false)));
        pay
    };
    // Payer and system program are two of the 64.
    let fits = through_table(&chain, &payer, with_accounts(62), table.clone()).await;
    let answer = send(&chain, &fits, false).await;
    let signature = answer["result"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    assert_eq!(chain.client.get_balance(&addresses[0]).await.unwrap(), SOL);

    let over = through_table(&chain, &payer, with_accounts(63), table).await;
    let answer = send(&chain, &over, false).await;
    assert_eq!(answer["error"]["code"], -32002);
    assert_eq!(answer["error"]["data"]["err"], "TooManyAccountLocks");

    // A v0 transaction is shown only to those who say that they know version 0.
    assert_eq!(chain.error_code("getTransaction", json!([signature])).await, -32015);
    let version = json!({ "maxSupportedTransactionVersion": 0 });
    let stored = chain.call("getTransaction", json!([signature, version])).await["result"].clone();
    assert_eq!(stored["version"], 0);
    assert_eq!(stored["meta"]["loadedAddresses"]["writable"][0], addresses[0].to_string());
    assert_eq!(stored["meta"]["loadedAddresses"]["readonly"].as_array().unwrap().len(), 61);
    assert_eq!(stored["meta"]["preBalances"].as_array().unwrap().len(), 64);
    let slot = stored["slot"].clone();
    chain.slots.advance(1).await.unwrap();
    assert_eq!(chain.error_code("getBlock", json!([slot])).await, -32015);
    let parsed = json!({ "maxSupportedTransactionVersion": 0, "encoding": "jsonParsed" });
    let block = chain.call("getBlock", json!([slot, parsed])).await["result"].clone();
    let keys = &block["transactions"][0]["transaction"]["message"]["accountKeys"];
    assert_eq!(keys.as_array().unwrap().len(), 64);
    assert_eq!(keys[63]["source"], "lookupTable");
    // Found by an address that only the table names.
    let found = chain.client.get_signatures_for_address(&addresses[5]).await.unwrap();
    assert_eq!(found.len(), 1);
    chain.stop().await;
}

#[tokio::test]
async fn the_ed25519_precompile_checks_signatures() {
    let dir = tempfile::tempdir().unwrap();
    let chain = serve(config(dir.path()));
    let (payer, signer) = (Keypair::new(), Keypair::new());
    chain.airdrop(&payer.pubkey(), SOL).await;
    let check = |message: &[u8], signature: &[u8]| {
        // One signature; key, signature and message inside this instruction (index u16::MAX).
        let mut data = vec![1, 0];
        for word in [48u16, u16::MAX, 16, u16::MAX, 112, message.len() as u16, u16::MAX] {
            data.extend(word.to_le_bytes());
        }
        data.extend(signer.pubkey().to_bytes());
        data.extend(signature);
        data.extend(message);
        let program_id = address!("Ed25519SigVerify111111111111111111111111111");
        Instruction { program_id, accounts: vec![], data }
    };
    let signature: [u8; 64] = signer.sign_message(b"yes").into();
    for (message, fine) in [(&b"yes"[..], true), (b"no!", false)] {
        let instruction = check(message, &signature);
        let transaction = sign(&[&payer], &[instruction], latest(&chain).await);
        let answer = send(&chain, &transaction, false).await;
        assert_eq!(answer["result"].is_string(), fine, "{answer}");
    }
    chain.stop().await;
}
