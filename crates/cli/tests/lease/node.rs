//! The chain under a test: the binary's own node, or Agave's validator where
//! `IONET_TEST_VALIDATOR` names one (run it in a network namespace: it listens everywhere).

use ionet_ledger::interface::PROGRAM_ID;
use ionet_ledger::{Address, Connection};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// From a validator's start to its first answer.
const START_MAX: Duration = Duration::from_secs(120);
/// The program's committed bytecode.
const SO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../programs/market/market.so");

/// Starts it in `home`, with the market program upgradeable by `authority`. Returns its endpoint.
pub(crate) fn start(home: &Path, authority: &Address) -> (Child, String) {
    match std::env::var("IONET_TEST_VALIDATOR") {
        Ok(validator) => start_validator(&validator, home, authority),
        Err(_) => start_node(home, authority),
    }
}

fn start_validator(validator: &str, home: &Path, authority: &Address) -> (Child, String) {
    const PORTS: u16 = 40;
    let free =
        |first: &u16| (*first..first + PORTS).all(|p| TcpListener::bind(("0.0.0.0", p)).is_ok());
    let port = (20_000..32_000).step_by(usize::from(PORTS)).find(free).expect("free ports");
    let number = |offset: u16| (port + offset).to_string();
    let node = Command::new(validator)
        .args(["--quiet", "--bind-address", "127.0.0.1", "--rpc-port", &number(0)])
        .args(["--faucet-port", &number(2), "--gossip-port", &number(3), "--faucet-sol", "1000000"])
        .args(["--dynamic-port-range", &format!("{}-{}", number(4), number(PORTS))])
        .arg("--ledger")
        .arg(home.join("ledger"))
        .arg("--upgradeable-program")
        .args([&Address::from(PROGRAM_ID).to_string(), SO, &authority.to_string()])
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|why| panic!("{validator}: {why}"));
    let url = format!("http://127.0.0.1:{port}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connection = Connection::new(&url);
        let patience = Instant::now() + START_MAX;
        while connection.rpc().get_health().await.is_err() {
            assert!(Instant::now() < patience, "the validator does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    (node, url)
}

fn start_node(home: &Path, authority: &Address) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ionet"));
    let data = home.join("chain");
    let listen = ["--listen", "127.0.0.1:0", "--listen-ws", "127.0.0.1:0"];
    command.args(["chain", "start", "--data-dir"]).arg(data).args(listen);
    command.args(["--upgrade-authority", &authority.to_string()]);
    command.env("IONET_HOME", home).env_remove("IONET_LOG");
    let mut node = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(node.stderr.take().unwrap());
    let mut line = String::new();
    let rpc = loop {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "the chain's node ended");
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(rpc) = told["rpc"].as_str() {
            break rpc.to_owned();
        }
    };
    // Nobody reads on: the node must not stop at a full pipe.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    (node, format!("http://{rpc}"))
}
