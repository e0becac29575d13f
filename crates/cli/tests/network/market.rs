//! Refusals: each says what is missing, and costs nothing.

use crate::harness::{WORKERS, create_args, failed, said, succeeded, turn, until};
use ionet_ledger::{KeypairFile, Signer as _};

#[test]
fn what_cannot_be_had_is_refused_with_its_reason() {
    let net = turn();
    let before = net.usdc(&[]);
    let error = net.fails(4, &create_args("9"));
    let text = error["message"].as_str().unwrap();
    assert!(text.contains("9 devices wanted") && text.contains('4'), "{text}");

    let elsewhere =
        ["cluster", "create", "--devices", "1", "--chip", "cpu", "--region", "oceania", "--yes"];
    let error = net.fails(4, &elsewhere);
    assert!(error["message"].as_str().unwrap().contains("region"), "{error}");

    let cheap =
        ["cluster", "create", "--devices", "1", "--chip", "cpu", "--max-rate", "0.000001", "--yes"];
    let error = net.fails(4, &cheap);
    assert!(error["message"].as_str().unwrap().contains("more than"), "{error}");

    for nonsense in [
        ["cluster", "create", "--devices", "1", "--chip", "warp-drive", "--yes"],
        ["cluster", "create", "--devices", "0", "--chip", "cpu", "--yes"],
    ] {
        assert_eq!(net.run(&nonsense).status.code(), Some(2));
    }
    net.fails(3, &["cluster", "show", "clu_aaaaaaaaaaaaaaaa"]);
    assert_eq!(net.usdc(&[]), before);
}

#[test]
fn a_wallet_without_funds_is_told_so_before_it_signs() {
    let net = turn();
    let poor = net.home().join("poor.json");
    if !poor.exists() {
        KeypairFile::create(&poor).unwrap();
    }
    let args = create_args("1");
    let output = net.command(&args).env("IONET_WALLET", &poor).output().unwrap();
    let error = failed(5, &args, &output);
    assert!(error["message"].as_str().unwrap().contains("nothing was signed"), "{error}");
}

#[test]
fn of_two_renters_after_the_last_devices_one_gets_them_and_one_its_money() {
    let net = turn();
    let second = net.home().join("second.json");
    let other = KeypairFile::load_or_create(&second).unwrap().address();
    net.ok(&["wallet", "airdrop", "--to", &other.to_string()]);
    let before = net.usdc(&[other]);
    let wanted = (WORKERS - 1).to_string();
    let args = create_args(&wanted);
    let start = |wallet: Option<&std::path::Path>| {
        let mut command = net.command(&args);
        if let Some(wallet) = wallet {
            command.env("IONET_WALLET", wallet);
        }
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let (a, b) = (start(None), start(Some(&second)));
    let outputs = [a.wait_with_output().unwrap(), b.wait_with_output().unwrap()];
    let won: Vec<_> = outputs.iter().map(|o| o.status.success()).collect();
    assert_eq!(
        won.iter().filter(|w| **w).count(),
        1,
        "exactly one gets them: {} {}",
        said(&outputs[0]),
        said(&outputs[1])
    );
    let (winner, loser) = if won[0] { (0, 1) } else { (1, 0) };
    let made = succeeded(&args, &outputs[winner]);
    let error = failed(4, &args, &outputs[loser]);
    assert!(error["message"].as_str().unwrap().contains("wanted"), "{error}");
    until("the one who came second has its money back", || {
        let now = net.usdc(&[other]);
        assert_eq!(now.sum(), before.sum(), "{before:?} {now:?}");
        if won[0] { now.others == before.others } else { now.renter == before.renter }
    });
    let id = made["cluster"]["id"].as_str().unwrap();
    let wallet = if won[0] { net.home().join("wallet.json") } else { second };
    let closed =
        net.command(&["cluster", "close", id]).env("IONET_WALLET", wallet).output().unwrap();
    succeeded(&["cluster", "close"], &closed);
}

#[test]
fn a_lease_that_nobody_asked_a_cluster_for_is_the_renters_to_close() {
    use ionet_ledger::interface::account::{CloseReason, SessionRights, Vouch};
    let net = turn();
    let before = net.usdc(&[]);
    let (ledger, runtime) = (net.ledger(), crate::harness::runtime());
    let renter = KeypairFile::load(&net.home().join("wallet.json")).unwrap();
    let coordinator = KeypairFile::load(&net.home().join("local/keys/coordinator.json")).unwrap();
    runtime.block_on(async {
        let config = ledger.config().await.unwrap();
        let order = ionet_ledger::OpenLeaseOrder {
            counter: ledger.next_counter(&renter.address()).await.unwrap(),
            mint: config.now.mints[0].into(),
            deposit: 1_000_000,
            slots_max: 1,
            rate_per_slot_max: 1,
            rate_total_max: 2,
            expires_at: ledger.connection().clock().await.unwrap() + 3_600,
            accept_s: 0,
            session: None,
            session_rights: SessionRights::NONE,
            coordinator: coordinator.address(),
            vouch: Vouch::Either,
            policy_hash: [9; 32],
        };
        let (lease, _) = ledger.open_lease(&renter, &order).await.unwrap();
        assert_eq!(net_sum(&ledger, &lease).await, 1_000_000);
        let record = ledger.lease(&lease).await.unwrap().unwrap();
        ledger.close(&renter, &lease, &record, 0, CloseReason::Renter).await.unwrap();
        assert_eq!(net_sum(&ledger, &lease).await, 0, "everything came back at once");
    });
    assert_eq!(net.usdc(&[]), before);
}

async fn net_sum(ledger: &ionet_ledger::Ledger, lease: &ionet_ledger::Address) -> u64 {
    let vault = ionet_ledger::addresses::vault(&ledger.program(), lease).0;
    ledger.token_account(&vault).await.unwrap().map_or(0, |a| a.amount)
}
