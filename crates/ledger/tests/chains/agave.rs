//! The same story on Agave's own validator: `make test-agave`.

use crate::deploy::{deploy, upgrade, write_buffer};
use crate::embedded::{self, SO, SPACE};
use crate::network::{Network, Pace, SOL, admin, key};
use crate::told::{Step, Told};
use crate::{crowd, story};
use ionet_ledger::interface::PROGRAM_ID;
use ionet_ledger::{Address, Connection, KeypairFile, Ledger, LedgerError, Signer};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names the `solana-test-validator` to run.
const VALIDATOR: &str = "IONET_TEST_VALIDATOR";
/// From its start to its first answer; it takes three seconds on an idle machine.
const START_MAX: Duration = Duration::from_secs(120);
/// Two ports of RPC, the faucet, gossip, and what the validator takes for the rest.
const PORTS: u16 = 40;
/// The keys of the copy that is deployed, not preloaded.
const DEPLOYED: u8 = 2;

/// A validator in a folder of its own; it ends with this.
struct Validator {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Validator {
    /// Starts one that carries the market program from its first block, upgradeable by `admin`.
    async fn start(admin: &Address) -> Self {
        let binary = std::env::var(VALIDATOR).expect("run this by `make test-agave`");
        let folder = tempfile::tempdir().unwrap();
        let port = free_ports();
        let number = |offset: u16| (port + offset).to_string();
        let said = std::fs::File::create(folder.path().join("output")).unwrap();
        let child = Command::new(&binary)
            .arg("--quiet")
            .arg("--ledger")
            .arg(folder.path().join("ledger"))
            .args(["--bind-address", "127.0.0.1", "--rpc-port", &number(0)])
            .args(["--faucet-port", &number(2), "--gossip-port", &number(3)])
            .args(["--dynamic-port-range", &format!("{}-{}", number(4), number(PORTS))])
            .arg("--upgradeable-program")
            .args([&Address::from(PROGRAM_ID).to_string(), SO, &admin.to_string()])
            // No settings or wallet of whoever runs this.
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(said.try_clone().unwrap())
            .stdout(said)
            .spawn()
            .unwrap_or_else(|why| panic!("{binary}: {why}"));
        let url = format!("http://127.0.0.1:{port}");
        let mut validator = Self { child, url, folder };
        validator.answers().await;
        validator
    }

    async fn answers(&mut self) {
        let connection = Connection::new(&self.url);
        let patience = Instant::now() + START_MAX;
        while connection.rpc().get_health().await.is_err() {
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > patience {
                panic!("the validator does not start ({ended:?}):\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn last_words(&self) -> String {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let log = read(&self.folder.path().join("ledger/validator.log"));
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        let tail: Vec<&str> = lines.into_iter().rev().collect();
        format!("{}{}", read(&self.folder.path().join("output")), tail.join("\n"))
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        // It is gone already or goes now; there is nothing to do about either.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first of so many ports in a row that nobody uses.
fn free_ports() -> u16 {
    let free = |port: u16| {
        let at = (Ipv4Addr::UNSPECIFIED, port);
        TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok()
    };
    // Below the ports that systems hand out by themselves.
    (20_000..32_000)
        .step_by(usize::from(PORTS))
        .find(|first| (*first..first + PORTS).all(free))
        .expect("free ports")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs solana-test-validator: make test-agave"]
async fn the_same_story_on_agaves_validator() {
    let validator = Validator::start(&admin(SPACE).address()).await;
    let ledger = Ledger::connect(&validator.url);
    let version = ledger.connection().rpc().get_version().await.unwrap();
    let features = version.feature_set.unwrap_or_default();
    println!("solana-test-validator {}, feature set {features}", version.solana_core);
    story::a_stranger_cannot_configure(&ledger, SPACE).await;
    let n = Network::start(ledger, SPACE, Pace::SOLANA).await;
    let there = story::from_opening_to_reclaim(&n).await;
    let crowd_there = crowd::a_full_page(&n).await;

    let (_node, n) = embedded::network().await;
    let here = story::from_opening_to_reclaim(&n).await;
    let crowd_here = crowd::a_full_page(&n).await;
    println!("{:<32} {:>6} {:>9} {:>9} {:>6}", "transaction", "bytes", "embedded", "Agave", "fee");
    compare(&here, &there);
    compare(&crowd_here, &crowd_there);
}

/// Two chains took the same transactions, for the same fees.
fn compare(here: &Told, there: &Told) {
    let same = |told: &Told| -> Vec<_> {
        told.steps.iter().map(|step| (step.name, step.bytes, step.fee)).collect()
    };
    assert_eq!(same(here), same(there));
    for (Step { name, bytes, fee, units }, agave) in here.steps.iter().zip(&there.steps) {
        println!("{name:<32} {bytes:>6} {units:>9} {:>9} {fee:>6}", agave.units);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs solana-test-validator: make test-agave"]
async fn the_bytecode_can_be_deployed_and_upgraded() {
    let validator = Validator::start(&admin(SPACE).address()).await;
    let [owner, program, first, second, stranger] = [
        admin(DEPLOYED),
        key(DEPLOYED, 110),
        key(DEPLOYED, 111),
        key(DEPLOYED, 112),
        key(DEPLOYED, 113),
    ];
    let connection = Connection::new(&validator.url);
    for wallet in [&owner, &stranger] {
        connection.airdrop(&wallet.address(), 1_000 * SOL).await.unwrap();
    }
    let elf = std::fs::read(SO).unwrap();
    write_buffer(&connection, &owner, &first, &elf).await.unwrap();
    deploy(&connection, &owner, &first.address(), &program, elf.len()).await.unwrap();
    println!("deployed {} bytes of SBPF v{} at {}", elf.len(), elf[48], program.address());

    let ledger = Ledger::connect_to(&validator.url, program.address());
    story::a_stranger_cannot_configure(&ledger, DEPLOYED).await;
    let n = Network::start(ledger, DEPLOYED, Pace::SOLANA).await;
    let steps = story::from_opening_to_reclaim(&n).await.steps.len();
    println!("the story of {steps} transactions on the deployed copy: as on the preloaded one");

    let before = n.ledger.config().await.unwrap();
    a_stranger_cannot_upgrade(&connection, &stranger, &program.address(), &elf).await;
    write_buffer(&connection, &owner, &second, &elf).await.unwrap();
    upgrade(&connection, &owner, &second.address(), &program.address()).await.unwrap();
    assert_eq!(n.ledger.config().await.unwrap(), before, "an upgrade leaves accounts alone");
    crowd::a_full_page(&n).await;
    println!("upgraded by its authority; a lease of 24 devices on the upgraded copy");
}

async fn a_stranger_cannot_upgrade(
    connection: &Connection,
    stranger: &KeypairFile,
    program: &Address,
    elf: &[u8],
) {
    let buffer = key(DEPLOYED, 114);
    write_buffer(connection, stranger, &buffer, elf).await.unwrap();
    let refused = upgrade(connection, stranger, &buffer.address(), program).await;
    assert!(matches!(refused, Err(LedgerError::Refused { .. })), "{refused:?}");
}
