//! Prints what each instruction costs in compute units, as a markdown table.
//!
//! `cargo run -p ionet-program-tests --bin compute_units`

mod worst;

use ionet_program_tests::interface::account::CloseReason;
use ionet_program_tests::interface::build::Ix;
use ionet_program_tests::interface::statement::Receipt;
use ionet_program_tests::interface::{PROGRAM_ID, limits};
use ionet_program_tests::{
    DeviceAt, Features, GENESIS, Key, LeaseAt, Market, Terms, USDC, Wallet, transfer,
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::collections::BTreeMap;

/// Scenes with keys of their own: the cost of finding an address depends on it.
const SCENES: usize = 40;
/// The same with calls as large as they can be.
const CROWDS: usize = 5;
/// Lines in the calls that are said to be of many.
const MANY: usize = 8;

/// Compute units of one row: each run's, per call or per line.
#[derive(Default)]
struct Row {
    units: Vec<u64>,
}

/// In the order in which they are first seen.
#[derive(Default)]
struct Table {
    order: Vec<String>,
    rows: BTreeMap<String, Row>,
}

impl Table {
    fn add(&mut self, name: &str, units: u64) {
        if !self.rows.contains_key(name) {
            self.order.push(name.to_owned());
        }
        self.rows.entry(name.to_owned()).or_default().units.push(units);
    }

    fn print(mut self) {
        println!("| instruction | p50 | worst | runs |");
        println!("| --- | ---: | ---: | ---: |");
        for name in &self.order {
            let units = &mut self.rows.get_mut(name).expect("a row").units;
            units.sort_unstable();
            let (p50, worst) = (units[units.len() / 2], units[units.len() - 1]);
            println!("| {name} | {p50} | {worst} | {} |", units.len());
        }
    }
}

struct Bench {
    market: Market,
    table: Table,
}

impl Bench {
    fn run(&mut self, name: &str, ix: Ix, signers: &[&Keypair]) -> u64 {
        let wrapped = self.market.wrap(&ix);
        self.send(name, &[wrapped], signers)
    }

    fn send(&mut self, name: &str, all: &[Instruction], signers: &[&Keypair]) -> u64 {
        let meta = self.market.send(all, signers).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        self.table.add(name, meta.compute_units_consumed);
        meta.compute_units_consumed
    }

    /// What each line beyond the first adds.
    fn per_line(&mut self, name: &str, one: u64, many: u64) {
        let each = many.saturating_sub(one).div_ceil(MANY as u64 - 1);
        self.table.add(&format!("{name}, each further line"), each);
    }

    fn scene(&mut self) {
        let (supplier, renter) = (self.market.wallet(USDC), self.market.wallet(1_000 * USDC));
        let pay = transfer(&supplier.tokens[0], &renter.tokens[0], &supplier.at(), 1);
        self.send("token transfer (p-token), for comparison", &[pay], &[&supplier.key]);
        let devices = self.register(&supplier);
        let offer = self.market.offer(&supplier, 2, USDC / 2);
        let ix = self.market.update_ix(&supplier, &devices[0], offer);
        self.run("update_device", ix, &[&supplier.key]);

        let terms = Terms { slots_max: 40, rate_total_max: 90 * USDC, ..self.market.terms() };
        let terms = Terms { deposit: 100 * USDC, accept_s: 60, ..terms };
        let (ix, _) = self.market.open_ix(&renter, 0, &terms);
        self.run("open_lease, the renter's first", ix, &[&renter.key]);
        let (ix, lease) = self.market.open_ix(&renter, 1, &terms);
        self.run("open_lease, later ones", ix, &[&renter.key]);
        let ix = self.market.top_up_ix(&renter, 0, &lease, USDC);
        self.run("top_up", ix, &[&renter.key]);
        self.serve(&supplier, &renter, &lease, &devices);
        self.settle(&supplier, &renter, &lease, &devices);
    }

    fn register(&mut self, supplier: &Wallet) -> Vec<DeviceAt> {
        let mut devices = Vec::new();
        for with_statement in [true, false].into_iter().cycle().take(MANY + 3) {
            let key = self.market.new_key();
            let device = self.market.device_at(&key.pubkey().to_bytes());
            let (offer, until) = (self.market.offer(supplier, 1, USDC), self.market.now() + 60);
            let ix = self.market.register_ix(supplier, &device.key, offer, until, !with_statement);
            let ix = self.market.wrap(&ix);
            if with_statement {
                let statement = self.market.statement_ix(&key, &supplier.at(), until);
                self.send("register_device, by a statement", &[statement, ix], &[&supplier.key]);
            } else {
                self.send("register_device, both sign", &[ix], &[&supplier.key, &key]);
            }
            devices.push(device);
        }
        devices
    }

    fn serve(&mut self, supplier: &Wallet, renter: &Wallet, lease: &LeaseAt, all: &[DeviceAt]) {
        let key = self.market.coordinator_key();
        let lines: Vec<_> = all.iter().map(|device| (device, 1, USDC)).collect();
        let page = self.market.bind_ix(&self.market.coordinator, lease, 0, &lines[..1]);
        self.run("bind, one line in a new page", page, &[&key]);
        let ix = self.market.bind_ix(&self.market.coordinator, lease, 0, &lines[1..2]);
        let one = self.run("bind, one line", ix, &[&key]);
        let ix = self.market.bind_ix(&self.market.coordinator, lease, 0, &lines[2..2 + MANY]);
        let many = self.run(&format!("bind, {MANY} lines"), ix, &[&key]);
        self.per_line("bind", one, many);

        let indexes: Vec<u8> = (1..=MANY as u8).collect();
        let ix = self.market.start_ix(&self.market.coordinator, lease, 0, &[0]);
        let one = self.run("start, one line", ix, &[&key]);
        let ix = self.market.start_ix(&self.market.coordinator, lease, 0, &indexes);
        let many = self.run(&format!("start, {MANY} lines"), ix, &[&key]);
        self.per_line("start", one, many);
        let rejected = (MANY as u8, &all[MANY]);
        let ix = self.market.reject_ix(renter, lease, 0, &[rejected]);
        self.run("reject, one line", ix, &[&renter.key]);
        // Three odd numbers, so that no division is an easy one.
        self.market.pass(1_237);
        let start = self.market.start_ix(&self.market.coordinator, lease, 0, &[MANY as u8 + 1]);
        self.market.ok(start, &[&key]);
        self.market.pass(1_237);

        let ix = self.market.attest_ix(&self.market.coordinator, lease, 0, &[(0, 1_001)]);
        let one = self.run("attest, one line", ix, &[&key]);
        let served: Vec<(u8, u64)> =
            (1..=MANY as u8 + 1).filter(|i| *i != rejected.0).map(|i| (i, 1_003)).collect();
        let ix = self.market.attest_ix(&self.market.coordinator, lease, 0, &served);
        let many = self.run(&format!("attest, {MANY} lines"), ix, &[&key]);
        self.per_line("attest", one, many);
        self.claim(lease, &key, 1_207);

        let to = supplier.tokens[0];
        let ix = self.market.withdraw_ix(lease, 0, &[(0, to)]);
        let one = self.run("withdraw, one line", ix, &[]);
        let lines: Vec<(u8, Key)> = served.iter().map(|line| (line.0, to)).collect();
        let ix = self.market.withdraw_ix(lease, 0, &lines);
        let many = self.run(&format!("withdraw, {MANY} lines"), ix, &[]);
        self.per_line("withdraw", one, many);
    }

    fn claim(&mut self, lease: &LeaseAt, key: &Keypair, served_s: u64) {
        let generation = self.market.line(lease, 0, 0).generation;
        let receipt = Receipt { lease: lease.lease, page: 0, index: 0, generation, served_s };
        let signed = self.market.signed_ix(key, &receipt.signing_bytes(&GENESIS, &PROGRAM_ID));
        let claim = self.market.wrap(&self.market.claim_ix(lease, 0, 0, served_s));
        self.send("claim_receipt", &[signed, claim], &[]);
    }

    fn settle(&mut self, supplier: &Wallet, renter: &Wallet, lease: &LeaseAt, all: &[DeviceAt]) {
        let ends = self.market.end_ix(supplier, lease, 0, &[(0, &all[0])]);
        let one = self.run("end_line, one line", ends, &[&supplier.key]);
        let lines: Vec<(u8, &DeviceAt)> = (1..MANY).map(|i| (i as u8, &all[i])).collect();
        let lines = [&lines[..], &[(MANY as u8 + 1, &all[MANY + 1])]].concat();
        let ends = self.market.end_ix(renter, lease, 0, &lines);
        let many = self.run(&format!("end_line, {MANY} lines"), ends, &[&renter.key]);
        self.per_line("end_line", one, many);
        let ix = self.market.close_ix(renter, lease, CloseReason::None);
        self.run("close, with its refund", ix, &[&renter.key]);
        self.run("refund", self.market.refund_ix(lease), &[]);
        let until = self.market.lease(&lease.lease).claims_until().0;
        self.market.set_time(until + 1);
        self.run("finalize", self.market.finalize_ix(lease), &[]);
        self.run("sweep_fees", self.market.sweep_ix(lease), &[]);
        let rest = self.market.withdraw_ix(lease, 0, &[(0, supplier.tokens[0])]);
        self.market.ok(rest, &[]);
        let ix = self.market.reclaim_page_ix(lease, 0, &self.market.coordinator);
        self.run("reclaim_page", ix, &[]);
        self.run("reclaim_lease", self.market.reclaim_lease_ix(lease), &[]);
        let ix = self.market.retire_ix(supplier, &all[0]);
        self.run("retire_device", ix, &[&supplier.key]);
    }
}

fn main() {
    let features = Features::from_env();
    let mut bench = Bench { market: Market::bare(features), table: Table::default() };
    let settings = bench.market.settings();
    let (authority, admin) =
        (bench.market.authority.insecure_clone(), bench.market.admin.key.insecure_clone());
    let ix = bench.market.init_config_ix(&settings);
    bench.run("init_config", ix, &[&authority]);
    bench.run("set_config", bench.market.set_config_ix(&settings), &[&admin]);
    bench.market.pass(i64::from(settings.config_cooldown_s));
    bench.run("apply_config", bench.market.apply_config_ix(), &[]);
    for _ in 0..SCENES {
        bench.scene();
    }
    for _ in 0..CROWDS {
        worst::scene(&mut bench);
        worst::rejected(&mut bench);
    }
    println!("Compute units of whole transactions, on the bytecode, {features:?} features.");
    println!("A transaction may use {}; unless it asks, 200,000 an instruction.\n", 1_400_000);
    bench.table.print();
    println!("\nLines in one call at most: {} (bind).", limits::BIND_LINES_MAX);
}
