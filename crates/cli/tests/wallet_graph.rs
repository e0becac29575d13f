//! `ionet wallet graph` and `link` on a chain without a market: SOL alone.

use ionet_chain::{Chain, ChainConfig};
use ionet_ledger::{Address, Connection};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::process::Command;

const SOL: u64 = 1_000_000_000;

/// The answer of the binary, which speaks to the chain at `url`.
async fn ionet(home: &std::path::Path, url: &str, args: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ionet"));
    command.args(args).arg("--json").env("IONET_HOME", home).env("IONET_RPC", url);
    command.env_remove("IONET_WALLET").env_remove("SUDO_UID");
    let done = command.stdin(std::process::Stdio::null()).output().await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{args:?}: {said}");
    serde_json::from_str(&said).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tap_links_two_wallets_until_it_is_named_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = ChainConfig {
        rpc_addr: anywhere,
        ws_addr: anywhere,
        slot_ms: 20,
        ..ChainConfig::new(folder.path().join("chain"))
    };
    let chain = Chain::open(config).unwrap();
    let url = format!("http://{}", chain.rpc_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(chain.serve(async move {
        let _ = stopped.await;
    }));
    let [a, b] = [Address::from([1; 32]), Address::from([2; 32])];
    let connection = Connection::new(&url);
    let paid = connection.airdrop(&a, SOL).await.unwrap();
    connection.airdrop(&b, 2 * SOL).await.unwrap();
    let [a, b] = [a, b].map(|address| address.to_string());

    let quick = ["--per-second", "1000"];
    let link = ["wallet", "link", a.as_str(), b.as_str()];
    let answer = ionet(folder.path(), &url, &[&link[..], &quick].concat()).await;
    let path = answer["path"].as_array().unwrap();
    assert_eq!(path.len(), 2, "{answer}");
    assert_eq!((&path[0]["to"], &path[1]["to"]), (&Value::from(a.as_str()), &b.as_str().into()));
    assert_eq!(path[0]["evidence"]["signature"], paid.to_string());
    assert_eq!(path[0]["evidence"]["amount"], "1.000000000 SOL");

    let graph = ["wallet", "graph", a.as_str()];
    let answer = ionet(folder.path(), &url, &[&graph[..], &quick].concat()).await;
    assert_eq!(answer["cluster"].as_array().unwrap().len(), 3, "{answer}");
    // Nobody of them supplies anything, so nobody counts for less.
    assert_eq!((&answer["grade"], &answer["links"][1]["link"]), (&1_000.into(), &"fed".into()));

    let tap = path[0]["from"].as_str().unwrap();
    let listed = ["--exchange", tap];
    let answer = ionet(folder.path(), &url, &[&link[..], &quick, &listed].concat()).await;
    assert_eq!(answer["path"], Value::Null);
    let _ = stop.send(());
    served.await.unwrap().unwrap();
}
