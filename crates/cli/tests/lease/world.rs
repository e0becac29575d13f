//! A chain of its own (the binary's `ionet chain start`), people on it, and no coordinator: the
//! address that commands are told is a port where nobody listens.

use crate::node;
use ionet_core::{ChainRef, ClusterId, GenesisHash, ProgramId, SignatureBytes, Wallet};
use ionet_ledger::interface::account::{Lease, SessionRights, Vouch};
use ionet_ledger::interface::instruction::Offer;
use ionet_ledger::interface::statement::{Receipt, registration};
use ionet_ledger::interface::{PROGRAM_ID, Rate, Timestamp};
use ionet_ledger::{
    Address, Bootstrap, BoundLine, Keypair, KeypairFile, Ledger, NetworkKeys, NetworkMints,
    OpenLeaseOrder, RegistrationConsent, Signer as _, addresses, bootstrap, mint_tokens,
};
use ionet_wire::message::SignedReceipt;
use serde_json::Value;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const SOL: u64 = 1_000_000_000;
pub(crate) const USDC: u64 = 1_000_000;
/// A dollar an hour: a second is worth 277 base units.
pub(crate) const RATE: u64 = USDC;
/// For whatever is to happen: a loaded machine may be slow, and no test asserts a time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nobody listens there: port 1 needs root and is long forgotten.
pub(crate) const NOBODY: &str = "http://127.0.0.1:1";

pub(crate) struct World {
    pub(crate) home: tempfile::TempDir,
    pub(crate) url: String,
    pub(crate) ledger: Ledger,
    pub(crate) keys: NetworkKeys,
    pub(crate) mints: NetworkMints,
    pub(crate) chain: ChainRef,
    pub(crate) runtime: tokio::runtime::Runtime,
    node: Child,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

/// A wallet in a file.
pub(crate) struct Person {
    pub(crate) key: KeypairFile,
    pub(crate) file: PathBuf,
}

impl Person {
    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }
}

/// A lease with lines of `devices`, all started.
pub(crate) struct Opened {
    pub(crate) address: Address,
    pub(crate) started: i64,
    generations: Vec<u64>,
}

impl Opened {
    pub(crate) fn text(&self) -> String {
        self.address.to_string()
    }
}

/// How a lease is opened.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) deposit: u64,
    pub(crate) accept_s: u8,
    pub(crate) session: Option<(Address, SessionRights)>,
}

impl Terms {
    pub(crate) const PLAIN: Terms = Terms { deposit: 2 * USDC, accept_s: 0, session: None };
}

fn memory_key() -> KeypairFile {
    KeypairFile::in_memory(Keypair::new())
}

impl World {
    /// With so many seconds of claim window and grace.
    pub(crate) fn new(claim_window_s: u32, grace_s: u32) -> Self {
        let home = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let admin = memory_key();
        let (node, url) = node::start(home.path(), &admin.address());
        let keys = NetworkKeys {
            admin,
            coordinator: memory_key(),
            fee_owner: memory_key(),
            usdc_mint: memory_key(),
            io_mint: memory_key(),
        };
        let ledger = Ledger::connect(&url);
        let wish = Bootstrap { claim_window_s, grace_s, ..Bootstrap::LOCAL };
        let mints = runtime.block_on(bootstrap(&ledger, &keys, &wish)).unwrap();
        let genesis = runtime.block_on(ledger.connection().genesis_hash()).unwrap();
        let chain = ChainRef { genesis: GenesisHash(genesis), program: ProgramId(PROGRAM_ID) };
        Self { home, url, ledger, keys, mints, chain, runtime, node }
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A wallet file with SOL, and USDC if any.
    pub(crate) fn person(&self, name: &str, usdc: u64) -> Person {
        let file = self.home.path().join(format!("{name}.json"));
        let key = KeypairFile::create(&file).unwrap();
        let (chain, address) = (self.ledger.connection(), key.address());
        self.wait(chain.airdrop(&address, 10 * SOL)).unwrap();
        if usdc > 0 {
            let (admin, mint) = (&self.keys.admin, &self.mints.usdc);
            self.wait(mint_tokens(chain, admin, mint, &address, usdc)).unwrap();
        }
        Person { key, file }
    }

    /// Registers a device of `supplier` with so many units, paid at `owner`.
    pub(crate) fn device_paid_at(
        &self,
        supplier: &Person,
        owner: &Address,
        units: u16,
    ) -> [u8; 32] {
        let device = memory_key();
        let key = device.address().to_bytes();
        let now = self.now();
        let wallet = supplier.address();
        let (genesis, expires) = (self.chain.genesis.0, now + 600);
        let statement =
            registration(&genesis, &PROGRAM_ID, &key, wallet.as_array(), Timestamp(expires));
        let signature = device.sign_now(&statement);
        let consent =
            RegistrationConsent { device: key, expires, signature: *signature.as_array() };
        let offer = Offer {
            units_total: units,
            asks: [Rate(RATE), Rate(0)],
            payout_owner: owner.to_bytes(),
            expires_at: Timestamp(now + 86_400),
            accepts_any: true,
            coordinators_len: 0,
            coordinators: [[0; 32]; 4],
        };
        self.wait(self.ledger.register_device(&supplier.key, &consent, offer)).unwrap();
        key
    }

    /// A device of one unit, paid to its supplier.
    pub(crate) fn device(&self, supplier: &Person) -> [u8; 32] {
        self.device_paid_at(supplier, &supplier.address(), 1)
    }

    /// Opens a lease, binds the devices and starts them all.
    pub(crate) fn lease(&self, renter: &Person, devices: &[[u8; 32]], terms: Terms) -> Opened {
        let slots = u16::try_from(devices.len()).unwrap();
        let counter = self.wait(self.ledger.next_counter(&renter.address())).unwrap();
        let order = OpenLeaseOrder {
            counter,
            mint: self.mints.usdc,
            deposit: terms.deposit,
            slots_max: slots,
            rate_per_slot_max: RATE,
            rate_total_max: 2 * RATE * u64::from(slots),
            expires_at: self.now() + 3_600,
            accept_s: terms.accept_s,
            session: terms.session.map(|s| s.0),
            session_rights: terms.session.map_or(SessionRights::NONE, |s| s.1),
            coordinator: self.keys.coordinator.address(),
            vouch: Vouch::Either,
            policy_hash: [7; 32],
        };
        let (address, _) = self.wait(self.ledger.open_lease(&renter.key, &order)).unwrap();
        let boss = &self.keys.coordinator;
        let lines: Vec<_> =
            devices.iter().map(|d| BoundLine { device: *d, units: 1, rate: RATE }).collect();
        let placed = self.wait(self.ledger.bind(boss, &address, &[], 1, &lines)).unwrap();
        for page in placed.chunk_by(|a, b| a.0 == b.0) {
            let indexes: Vec<u8> = page.iter().map(|at| at.1).collect();
            self.wait(self.ledger.start(boss, &address, page[0].0, 1, &indexes)).unwrap();
        }
        let lease = self.record(&address);
        let lines = self.wait(self.ledger.lines(&address, &lease)).unwrap();
        let generations = lines.iter().map(|l| l.line.generation).collect();
        Opened { address, started: self.now(), generations }
    }

    /// The coordinator's last word before it was lost: seconds of lines of page 0.
    pub(crate) fn vouched(&self, lease: &Opened, served: &[(u8, u64)]) {
        let boss = &self.keys.coordinator;
        self.wait(self.ledger.attest(boss, &lease.address, 0, 1, served)).unwrap();
    }

    /// A receipt of the coordinator.
    pub(crate) fn receipt(&self, lease: &Opened, line: u8, served_s: u64) -> SignedReceipt {
        self.receipt_by(&self.keys.coordinator, &self.chain, lease, line, served_s)
    }

    pub(crate) fn receipt_by(
        &self,
        signer: &KeypairFile,
        chain: &ChainRef,
        lease: &Opened,
        line: u8,
        served_s: u64,
    ) -> SignedReceipt {
        let address = Wallet(lease.address.to_bytes());
        let generation = lease.generations[usize::from(line)];
        let receipt = Receipt { lease: address.0, page: 0, index: line, generation, served_s };
        let bytes = receipt.signing_bytes(&chain.genesis.0, &chain.program.0);
        SignedReceipt {
            cluster: ClusterId::of_lease(&address),
            lease: address,
            page: 0,
            line,
            generation,
            served_s,
            signer: Wallet(signer.address().to_bytes()),
            signature: SignatureBytes(*signer.sign_now(&bytes).as_array()),
        }
    }

    /// A file as `ionet worker receipts export` writes it.
    pub(crate) fn file(&self, name: &str, chain: &ChainRef, receipts: &[SignedReceipt]) -> PathBuf {
        let path = self.home.path().join(name);
        let text = serde_json::json!({
            "format": "ionet-receipts:v1", "device": null, "chain": chain, "receipts": receipts,
        });
        std::fs::write(&path, text.to_string()).unwrap();
        path
    }

    /// The chain's clock.
    pub(crate) fn now(&self) -> i64 {
        self.wait(self.ledger.connection().clock()).unwrap()
    }

    /// Waits on the chain's own clock.
    pub(crate) fn until(&self, instant: i64) {
        let patience = Instant::now() + PATIENCE;
        while self.now() < instant {
            assert!(Instant::now() < patience, "the chain's clock stands");
            self.wait(async { tokio::time::sleep(Duration::from_millis(100)).await });
        }
    }

    pub(crate) fn record(&self, lease: &Address) -> Lease {
        self.wait(self.ledger.lease(lease)).unwrap().unwrap()
    }

    pub(crate) fn is_gone(&self, lease: &Address) -> bool {
        self.wait(self.ledger.lease(lease)).unwrap().is_none()
    }

    pub(crate) fn usdc(&self, owner: &Address) -> u64 {
        self.wait(self.ledger.tokens(owner, &self.mints.usdc)).unwrap()
    }

    pub(crate) fn lamports(&self, owner: &Address) -> u64 {
        self.wait(self.ledger.connection().lamports(owner)).unwrap()
    }

    /// Base units of every account that could hold any: what must never change in sum.
    pub(crate) fn sum(&self, people: &[&Person], leases: &[&Opened]) -> u64 {
        let fee = self.usdc(&self.keys.fee_owner.address());
        let held: u64 = people.iter().map(|p| self.usdc(&p.address())).sum();
        let vault = |l: &&Opened| {
            let at = addresses::vault(&self.ledger.program(), &l.address).0;
            self.wait(self.ledger.token_account(&at)).unwrap().map_or(0, |a| a.amount)
        };
        fee + held + leases.iter().map(vault).sum::<u64>()
    }

    /// `ionet --json` as `who`, from a home without any network, with nobody at the
    /// coordinator's address.
    pub(crate) fn command(&self, who: &Person, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ionet"));
        command.arg("--json").args(args).env("IONET_HOME", self.home.path().join("empty"));
        command.env("IONET_COORDINATOR", NOBODY).env("IONET_RPC", &self.url);
        command.env("IONET_WALLET", &who.file).env_remove("SUDO_UID").stdin(Stdio::null());
        command
    }

    /// Runs it, expects success, and returns its answer.
    pub(crate) fn ok(&self, who: &Person, args: &[&str]) -> Value {
        succeeded(args, &self.command(who, args).output().unwrap())
    }

    /// Runs it, expects this exit code, and returns its error.
    pub(crate) fn fails(&self, who: &Person, code: i32, args: &[&str]) -> Value {
        failed(code, args, &self.command(who, args).output().unwrap())
    }
}

pub(crate) fn succeeded(args: &[&str], output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {told} {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {told}"))
}

pub(crate) fn failed(code: i32, args: &[&str], output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told} {said}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["error"].clone()
}

/// Base units of a dollar an hour for so many seconds, rounded down.
pub(crate) fn earned(seconds: u64) -> u64 {
    RATE * seconds / 3_600
}
