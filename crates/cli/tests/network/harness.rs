//! One local network for all tests, and what they ask of it.

use ionet_core::{ClusterId, Wallet};
use ionet_ledger::token::associated_account;
use ionet_ledger::{Address, KeypairFile, Ledger, Signer as _, addresses};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Devices of the network.
pub(crate) const WORKERS: usize = 4;
/// For whatever is to happen: a loaded machine may be slow, and no test asserts a time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// All further renters that any test brought, with these.
fn strangers(more: &[Address]) -> BTreeSet<Address> {
    let mut known = STRANGERS.lock().unwrap_or_else(PoisonError::into_inner);
    known.extend(more);
    known.clone()
}

/// A running local network in a home of its own.
pub(crate) struct Network {
    home: tempfile::TempDir,
}

static SHARED: Mutex<Weak<Network>> = Mutex::new(Weak::new());
static TURN: Mutex<()> = Mutex::new(());
/// Further renters that tests brought: what their leases still lock comes back to them later.
static STRANGERS: Mutex<BTreeSet<Address>> = Mutex::new(BTreeSet::new());

/// A test's turn with the network. The network goes down with the last test that holds it.
pub(crate) struct Turn {
    pub(crate) network: Arc<Network>,
    _turn: MutexGuard<'static, ()>,
}

impl std::ops::Deref for Turn {
    type Target = Network;
    fn deref(&self) -> &Network {
        &self.network
    }
}

/// Waits for this test's turn; starts the network if it does not run.
pub(crate) fn turn() -> Turn {
    // A test that failed poisons nothing: the next one waits for idle devices anyway.
    let network = {
        let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let network = Arc::new(Network::up());
            *shared = Arc::downgrade(&network);
            network
        })
    };
    let turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    network.rest();
    Turn { network, _turn: turn }
}

impl Network {
    fn up() -> Self {
        let network = Self { home: tempfile::tempdir().unwrap() };
        network.ok(&["up", "--workers", &WORKERS.to_string()]);
        network
    }

    /// Where everything of it lies.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// `ionet --json` with these arguments, as the renter.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ionet"));
        command.arg("--json").args(args).env("IONET_HOME", self.home());
        for name in ["IONET_WALLET", "IONET_COORDINATOR", "IONET_RPC"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts it.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs it, expects success, and returns its last JSON value.
    pub(crate) fn ok(&self, args: &[&str]) -> Value {
        succeeded(args, &self.run(args))
    }

    /// Runs it, expects this exit code, and returns its JSON error.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> Value {
        failed(code, args, &self.run(args))
    }

    /// A cluster of so many devices, ready.
    pub(crate) fn create(&self, devices: usize) -> Cluster {
        // The devices of the cluster before may be stopping their parts still.
        until("enough devices are idle", || self.idle() >= devices);
        let made = self.ok(&create_args(&devices.to_string()));
        Cluster::of(&made)
    }

    /// A cluster as the coordinator shows it.
    pub(crate) fn show(&self, id: &str) -> Value {
        self.ok(&["cluster", "show", id])
    }

    /// Closes a cluster and waits until its devices are free again.
    pub(crate) fn close(&self, id: &str) {
        self.ok(&["cluster", "close", id]);
    }

    /// Waits until nothing runs and every device is idle.
    pub(crate) fn rest(&self) {
        until("all devices are idle", || {
            let output = self.run(&["cluster", "list"]);
            if let Ok(Value::Array(clusters)) = serde_json::from_slice(&output.stdout) {
                for cluster in clusters {
                    let state = cluster["state"].as_str().unwrap_or_default();
                    if state != "stopping" && state != "quoted" {
                        self.run(&["cluster", "close", cluster["id"].as_str().unwrap()]);
                    }
                }
            }
            self.idle() == WORKERS
        });
    }

    /// How many devices are idle.
    fn idle(&self) -> usize {
        let output = self.run(&["device", "list"]);
        let devices: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let all = devices.as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|d| d["state"] == "idle").count()
    }

    /// Process ids of the network's processes whose command line holds all of `words`.
    pub(crate) fn processes(&self, words: &[&str]) -> Vec<u32> {
        let home = format!("IONET_HOME={}", self.home().display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let (line, environment) = (read("cmdline"), read("environ"));
            let args: Vec<_> = line.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
            let ours = environment.split(|b| *b == 0).any(|v| v == home.as_bytes());
            if ours && words.iter().all(|w| args.iter().any(|a| a == w)) {
                found.push(pid);
            }
        }
        found
    }

    /// Sends a signal to the one process whose command line holds all of `words`.
    pub(crate) fn signal(&self, signal: &str, words: &[&str]) -> u32 {
        let pids = self.processes(words);
        assert_eq!(pids.len(), 1, "one process with {words:?}: {pids:?}");
        let sent = Command::new("kill").args([signal, &pids[0].to_string()]).status().unwrap();
        assert!(sent.success());
        pids[0]
    }

    /// Kills the coordinator as a power cut would, and waits until its successor answers.
    pub(crate) fn kill_coordinator(&self) {
        let words = ["coordinator", "start"];
        let old = self.signal("-KILL", &words);
        until("another coordinator runs", || {
            self.processes(&words).first().is_some_and(|pid| *pid != old)
        });
        until("the coordinator answers", || self.run(&["device", "list"]).status.success());
    }

    fn settings(&self) -> toml::Table {
        let text = std::fs::read_to_string(self.home().join("config.toml")).unwrap();
        text.parse().unwrap()
    }

    /// The chain, past every part of ours but the client.
    pub(crate) fn ledger(&self) -> Ledger {
        let settings = self.settings();
        Ledger::connect(settings["rpc_url"].as_str().unwrap())
    }

    fn key(&self, path: impl Into<PathBuf>) -> Address {
        KeypairFile::load(&self.home().join(path.into())).unwrap().address()
    }

    /// The renter.
    pub(crate) fn renter(&self) -> Address {
        self.key("wallet.json")
    }

    /// Every supplier.
    pub(crate) fn suppliers(&self) -> Vec<Address> {
        (1..=WORKERS).map(|n| self.key(format!("local/suppliers/supplier-{n}.json"))).collect()
    }

    /// Everyone's USDC, in wallets, for fees and in vaults: what must never change in sum. All
    /// amounts come from one reading of the chain: money moves while a lease runs, and would be
    /// seen twice or not at all between two of them.
    pub(crate) fn usdc(&self, others: &[Address]) -> Holdings {
        let (ledger, runtime) = (self.ledger(), runtime());
        runtime.block_on(async {
            let config = ledger.config().await.unwrap();
            let mint = Address::from(config.now.mints[0]);
            let of = |owner: &Address| associated_account(owner, &mint);
            let coordinator = self.key("local/keys/coordinator.json");
            let leases = ledger.leases_of_coordinator(&coordinator).await.unwrap();
            let ours = leases.iter().filter(|(_, l)| l.mint == config.now.mints[0]);
            let vaults: Vec<_> =
                ours.map(|(lease, _)| addresses::vault(&ledger.program(), lease).0).collect();
            let suppliers: Vec<_> = self.suppliers().iter().map(of).collect();
            let others: Vec<_> = strangers(others).iter().map(of).collect();
            let single = [of(&self.renter()), of(&Address::from(config.now.fee_owner))];
            let asked = [&single[..], &suppliers, &others, &vaults].concat();
            assert!(asked.len() <= 100, "more accounts than one reading of the chain takes");
            let accounts = ledger.token_accounts(&asked).await.unwrap();
            let amounts: Vec<_> =
                accounts.iter().map(|a| a.as_ref().map_or(0, |a| a.amount)).collect();
            let (single, rest) = amounts.split_at(single.len());
            let (paid, rest) = rest.split_at(suppliers.len());
            let (other, locked) = rest.split_at(others.len());
            let sum = |amounts: &[u64]| amounts.iter().sum::<u64>();
            Holdings {
                renter: single[0],
                fees: single[1],
                suppliers: sum(paid),
                others: sum(other),
                vaults: sum(locked),
            }
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell_logs();
        }
        // The link on the PATH, the packet filter's table and what else `up` made go with it.
        let output = self.run(&["down", "--purge", "--yes"]);
        if !output.status.success() {
            eprintln!("down: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

impl Network {
    /// The last lines of every log, for whoever reads a failed run.
    pub(crate) fn tell_logs(&self) {
        let Ok(entries) = std::fs::read_dir(self.home().join("local/logs")) else { return };
        for path in entries.flatten().map(|e| e.path()) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            eprintln!("--- {}", path.display());
            for line in &lines[lines.len().saturating_sub(25)..] {
                eprintln!("{line}");
            }
        }
    }
}

/// Base units of USDC, by who has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Holdings {
    pub(crate) renter: u64,
    pub(crate) suppliers: u64,
    pub(crate) fees: u64,
    pub(crate) vaults: u64,
    pub(crate) others: u64,
}

impl Holdings {
    pub(crate) fn sum(&self) -> u64 {
        self.renter + self.suppliers + self.fees + self.vaults + self.others
    }
}

/// A ready cluster.
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) shown: Value,
    pub(crate) dashboard_url: String,
    pub(crate) ray_address: String,
    pub(crate) token: String,
}

impl Cluster {
    /// From the answer of `cluster create`.
    pub(crate) fn of(made: &Value) -> Self {
        let (shown, access) = (made["cluster"].clone(), &made["access"]);
        assert_eq!(shown["state"], "ready", "{made}");
        let token = std::fs::read_to_string(access["token_path"].as_str().unwrap()).unwrap();
        Self {
            id: shown["id"].as_str().unwrap().to_owned(),
            dashboard_url: access["dashboard_url"].as_str().unwrap().to_owned(),
            ray_address: access["ray_address"].as_str().unwrap().to_owned(),
            token: token.trim().to_owned(),
            shown,
        }
    }

    /// Devices, head first.
    pub(crate) fn devices(&self) -> Vec<String> {
        let members = self.shown["members"].as_array().unwrap();
        members.iter().map(|m| m["device"].as_str().unwrap().to_owned()).collect()
    }

    /// Addresses inside the cluster, head first.
    pub(crate) fn ips(&self) -> Vec<String> {
        let members = self.shown["members"].as_array().unwrap();
        members.iter().map(|m| m["ip"].as_str().unwrap().to_owned()).collect()
    }

    /// The lease's address.
    pub(crate) fn lease(&self) -> Address {
        let lease: Wallet = self.shown["lease"].as_str().unwrap().parse().unwrap();
        let id: ClusterId = self.id.parse().unwrap();
        assert_eq!(ClusterId::of_lease(&lease), id);
        Address::from(lease.0)
    }

    /// Names and start instants of its containers: what a restart of anything else must not
    /// change.
    pub(crate) fn containers(&self) -> Vec<String> {
        let filter = format!("label=io.ionet.cluster={}", self.id);
        let args =
            ["ps", "--no-trunc", "--filter", &filter, "--format", "{{.Names}} {{.StartedAt}}"];
        let output = Command::new("podman").args(args).output().unwrap();
        let mut lines: Vec<_> =
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// Arguments of a create that asks nothing.
pub(crate) fn create_args(devices: &str) -> [&str; 11] {
    [
        "cluster",
        "create",
        "--devices",
        devices,
        "--chip",
        "cpu",
        "--region",
        "any",
        "--ttl",
        "1h",
        "--yes",
    ]
}

/// The last JSON value of a command that must have succeeded.
pub(crate) fn succeeded(args: &[&str], output: &Output) -> Value {
    assert!(output.status.success(), "ionet {args:?}: {}", said(output));
    last_json(output).unwrap_or(Value::Null)
}

/// The JSON error of a command that must have ended with `code`.
pub(crate) fn failed(code: i32, args: &[&str], output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(code), "ionet {args:?}: {}", said(output));
    last_json(output).map(|v| v["error"].clone()).unwrap_or(Value::Null)
}

fn last_json(output: &Output) -> Option<Value> {
    serde_json::Deserializer::from_slice(&output.stdout).into_iter().flatten().last()
}

/// Both streams of a command.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Looks again and again until `done`.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "still not: {what}");
        std::thread::park_timeout(Duration::from_millis(300));
    }
}

/// For the few calls past the command line.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}
