//! A market on LiteSVM with the committed bytecode: keys, mints, devices, and the checks that
//! LiteSVM leaves out (transaction size, accounts in a transaction).

use ionet_market_interface::account::{Lease, PageRef, SessionRights, Settings};
use ionet_market_interface::account::{Line, RenterCounter, Vouch};
use ionet_market_interface::build::{self, Ix, OpenLeaseAccounts};
use ionet_market_interface::instruction::{
    Bind, BindLine, InitConfig, Offer, OpenLease, RegisterDevice,
};
use ionet_market_interface::statement::{ed25519_instruction, registration};
use ionet_market_interface::{
    BaseUnits, Bps, ED25519_PROGRAM, MarketError, PROGRAM_ID, Rate, TOKEN_PROGRAM, Timestamp,
    UPGRADEABLE_LOADER, limits, seeds,
};
use litesvm::LiteSVM;
use solana_address::Address;
use solana_clock::Clock;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_message::{VersionedMessage, v0::Message};
use solana_signer::Signer;
use solana_transaction::versioned::VersionedTransaction;

pub(crate) type Key = [u8; 32];

/// Hash of the chain's first block in these tests.
pub(crate) const GENESIS: Key = [9; 32];
/// What a test's chain begins at.
pub(crate) const START: i64 = 1_800_000_000;
/// Each wallet's first balance.
pub(crate) const BALANCE: u64 = 1_000_000_000;
const LAMPORTS: u64 = 1_000_000_000_000;

/// What a refused transaction said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// One of ours.
    Market(MarketError),
    /// Something else, as text.
    Other(String),
}

pub(crate) fn program() -> Address {
    Address::from(PROGRAM_ID)
}

pub(crate) fn pda(seeds: &[&[u8]]) -> (Key, u8) {
    let (address, bump) = Address::find_program_address(seeds, &program());
    (address.to_bytes(), bump)
}

pub(crate) fn at(key: &Keypair) -> Key {
    key.pubkey().to_bytes()
}

pub(crate) fn to_instruction(ix: &Ix) -> Instruction {
    let meta = |m: &build::Meta| AccountMeta {
        pubkey: Address::from(m.address),
        is_signer: m.signer,
        is_writable: m.writable,
    };
    Instruction {
        program_id: program(),
        accounts: ix.accounts.iter().map(meta).collect(),
        data: ix.data.clone(),
    }
}

pub(crate) struct World {
    pub(crate) svm: LiteSVM,
    pub(crate) payer: Keypair,
    pub(crate) authority: Keypair,
    pub(crate) admin: Keypair,
    pub(crate) fee_owner: Keypair,
    pub(crate) coordinator: Keypair,
    pub(crate) mints: [Key; 2],
    pub(crate) config: Key,
    pub(crate) last_units: u64,
    tokens: Vec<Key>,
}

/// An opened lease.
#[derive(Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) lease: Key,
    pub(crate) vault: Key,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut svm = LiteSVM::new();
        svm.add_program(program(), &ionet_program_tests::bytecode()).unwrap();
        let mut world = Self {
            svm,
            payer: Keypair::new(),
            authority: Keypair::new(),
            admin: Keypair::new(),
            fee_owner: Keypair::new(),
            coordinator: Keypair::new(),
            mints: [[0; 32]; 2],
            config: pda(&seeds::config()).0,
            last_units: 0,
            tokens: Vec::new(),
        };
        for key in [&world.payer, &world.authority, &world.admin, &world.coordinator] {
            let address = key.pubkey();
            world.svm.airdrop(&address, LAMPORTS).unwrap();
        }
        world.set_time(START);
        world.set_upgrade_authority();
        world.mints = [world.mint(6), world.mint(8)];
        let settings = world.settings();
        world.init(settings).unwrap();
        world
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            fee_bps: Bps(200),
            reserved: [0; 6],
            claim_window_s: 60,
            grace_s: 600,
            payout_cooldown_s: 3_600,
            config_cooldown_s: 7_200,
            min_deposit: [BaseUnits(100); 2],
            admin: at(&self.admin),
            fee_owner: at(&self.fee_owner),
            mints: self.mints,
        }
    }

    fn init(&mut self, settings: Settings) -> Result<(), Refusal> {
        let args = InitConfig { bump: pda(&seeds::config()).1, genesis_hash: GENESIS, settings };
        let (data, payer, authority) =
            (self.program_data(), self.payer.insecure_clone(), self.authority.insecure_clone());
        let ix =
            build::init_config(at(&payer), at(&authority), self.config, PROGRAM_ID, data, &args);
        self.run(&ix, &[&payer, &authority])
    }

    fn program_data(&self) -> Key {
        let loader = Address::from(UPGRADEABLE_LOADER);
        Address::find_program_address(&[&PROGRAM_ID], &loader).0.to_bytes()
    }

    fn set_upgrade_authority(&mut self) {
        let address = Address::from(self.program_data());
        let mut account = self.svm.get_account(&address).unwrap();
        account.data[12] = 1;
        account.data[13..45].copy_from_slice(&at(&self.authority));
        self.svm.set_account(address, account).unwrap();
    }

    pub(crate) fn now(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    pub(crate) fn set_time(&mut self, unix: i64) {
        let mut clock = self.svm.get_sysvar::<Clock>();
        clock.unix_timestamp = unix;
        clock.slot += 1;
        self.svm.set_sysvar(&clock);
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.set_time(self.now() + seconds);
    }

    /// Writes an account of `owner` as it is: what LiteSVM lets a test do without its history.
    pub(crate) fn put(&mut self, owner: Key, data: Vec<u8>) -> Key {
        let key = Keypair::new();
        self.svm.airdrop(&key.pubkey(), 10_000_000_000).unwrap();
        let mut account = self.svm.get_account(&key.pubkey()).unwrap();
        account.owner = Address::from(owner);
        account.data = data;
        self.svm.set_account(key.pubkey(), account).unwrap();
        at(&key)
    }

    pub(crate) fn mint(&mut self, decimals: u8) -> Key {
        let mut data = vec![0; 82];
        data[44] = decimals;
        data[45] = 1;
        self.put(TOKEN_PROGRAM, data)
    }

    /// A token account; counted by [`World::held`].
    pub(crate) fn tokens(&mut self, owner: Key, mint: Key, amount: u64) -> Key {
        let mut data = vec![0; 165];
        data[..32].copy_from_slice(&mint);
        data[32..64].copy_from_slice(&owner);
        data[64..72].copy_from_slice(&amount.to_le_bytes());
        data[108] = 1;
        let key = self.put(TOKEN_PROGRAM, data);
        self.tokens.push(key);
        key
    }

    pub(crate) fn data(&self, key: Key) -> Option<Vec<u8>> {
        self.svm.get_account(&Address::from(key)).map(|a| a.data).filter(|d| !d.is_empty())
    }

    pub(crate) fn balance(&self, token: Key) -> u64 {
        let Some(data) = self.data(token) else { return 0 };
        u64::from_le_bytes(data[64..72].try_into().unwrap())
    }

    pub(crate) fn lease(&self, key: Key) -> Lease {
        Lease::decode(&self.data(key).unwrap()).unwrap()
    }

    pub(crate) fn line(&self, page: Key, index: u8) -> Line {
        PageRef::new(&self.data(page).unwrap()).unwrap().line(index).unwrap().unwrap()
    }

    pub(crate) fn run(&mut self, ix: &Ix, signers: &[&Keypair]) -> Result<(), Refusal> {
        self.send(&[to_instruction(ix)], signers)
    }

    /// Sends one transaction. The first signer pays its fee, unless the payer shall.
    pub(crate) fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<(), Refusal> {
        let mut unique: Vec<&Keypair> = vec![&self.payer];
        for key in signers {
            if unique.iter().all(|k| k.pubkey() != key.pubkey()) {
                unique.push(key);
            }
        }
        self.svm.expire_blockhash();
        let hash = self.svm.latest_blockhash();
        let message = Message::try_compile(&self.payer.pubkey(), instructions, &[], hash).unwrap();
        assert!(message.account_keys.len() <= limits::TRANSACTION_ACCOUNTS_MAX);
        let needed = usize::from(message.header.num_required_signatures);
        let message = VersionedMessage::V0(message);
        // Length byte, signatures, message.
        let size = 1 + 64 * needed + message.serialize().len();
        assert!(size <= limits::TRANSACTION_BYTES_MAX, "{size} bytes");
        let transaction = match VersionedTransaction::try_new(message, &unique) {
            Ok(transaction) => transaction,
            Err(error) => return Err(Refusal::Other(error.to_string())),
        };
        match self.svm.send_transaction(transaction) {
            Ok(meta) => {
                self.last_units = meta.compute_units_consumed;
                Ok(())
            }
            Err(failed) => Err(refusal(&format!("{:?}", failed.err))),
        }
    }

    /// A wallet with lamports, and its USDC account.
    pub(crate) fn wallet(&mut self) -> (Keypair, Key) {
        let key = Keypair::new();
        self.svm.airdrop(&key.pubkey(), LAMPORTS).unwrap();
        let token = self.tokens(at(&key), self.mints[0], BALANCE);
        (key, token)
    }

    pub(crate) fn offer(&self, supplier: &Keypair, units: u16, ask: u64) -> Offer {
        Offer {
            units_total: units,
            asks: [Rate(ask), Rate(0)],
            payout_owner: at(supplier),
            expires_at: Timestamp(START + 300 * 86_400),
            accepts_any: true,
            coordinators_len: 0,
            coordinators: [[0; 32]; 4],
        }
    }

    /// Registers a device by its signed statement.
    pub(crate) fn register(&mut self, supplier: &Keypair, units: u16, ask: u64) -> Keypair {
        let device = Keypair::new();
        let (statement, ix) = self.registration(supplier, &device, units, ask);
        self.send(&[statement, ix], &[supplier]).unwrap();
        device
    }

    /// The two instructions of a registration.
    pub(crate) fn registration(
        &self,
        supplier: &Keypair,
        device: &Keypair,
        units: u16,
        ask: u64,
    ) -> (Instruction, Instruction) {
        let expires = Timestamp(self.now() + 600);
        let message = registration(&GENESIS, &PROGRAM_ID, &at(device), &at(supplier), expires);
        let (address, bump) = pda(&seeds::device(&at(device)));
        let args = RegisterDevice {
            bump,
            statement_expires: expires,
            offer: self.offer(supplier, units, ask),
        };
        let ix = build::register_device(
            at(supplier),
            at(&self.payer),
            address,
            self.config,
            at(device),
            false,
            &args,
        );
        (signed(device, &message), to_instruction(&ix))
    }

    pub(crate) fn terms(&self, renter: &Keypair, deposit: u64) -> (OpenLease, Key) {
        let (counter, counter_bump) = pda(&seeds::renter(&at(renter)));
        let number =
            self.data(counter).map_or(0, |data| RenterCounter::decode(&data).unwrap().next);
        let (lease, lease_bump) = pda(&seeds::lease(&at(renter), &seeds::number(number)));
        let args = OpenLease {
            counter_bump,
            lease_bump,
            vault_bump: pda(&seeds::vault(&lease)).1,
            vouch: Vouch::Either,
            session_rights: SessionRights::NONE,
            accept_s: 0,
            slots_max: 8,
            counter: number,
            deposit: BaseUnits(deposit),
            rate_per_slot_max: Rate(1 << 40),
            rate_total_max: Rate(1 << 42),
            expires_at: Timestamp(self.now() + 30 * 86_400),
            session: [0; 32],
            coordinator: at(&self.coordinator),
            policy_hash: [5; 32],
        };
        (args, lease)
    }

    pub(crate) fn open_accounts(
        &self,
        renter: &Keypair,
        lease: Key,
        source: Key,
    ) -> OpenLeaseAccounts {
        OpenLeaseAccounts {
            renter: at(renter),
            payer: at(&self.payer),
            config: self.config,
            counter: pda(&seeds::renter(&at(renter))).0,
            lease,
            vault: pda(&seeds::vault(&lease)).0,
            mint: self.mints[0],
            source,
        }
    }

    pub(crate) fn open(
        &mut self,
        renter: &Keypair,
        source: Key,
        deposit: u64,
        change: impl FnOnce(&mut OpenLease),
    ) -> Result<Opened, Refusal> {
        let (mut args, lease) = self.terms(renter, deposit);
        change(&mut args);
        let accounts = self.open_accounts(renter, lease, source);
        self.run(&build::open_lease(&accounts, &args), &[renter])?;
        Ok(Opened { lease, vault: accounts.vault })
    }

    pub(crate) fn bind(
        &mut self,
        lease: Key,
        number: u16,
        lines: &[(Key, u16, u64)],
    ) -> Result<(), Refusal> {
        let coordinator = self.coordinator.insecure_clone();
        self.bind_as(&coordinator, 0, lease, number, lines)
    }

    pub(crate) fn bind_as(
        &mut self,
        coordinator: &Keypair,
        epoch: u64,
        lease: Key,
        number: u16,
        lines: &[(Key, u16, u64)],
    ) -> Result<(), Refusal> {
        let (page, page_bump) = page_at(&lease, number);
        let devices: Vec<Key> = lines.iter().map(|(key, _, _)| device_at(key)).collect();
        let wanted: Vec<BindLine> = lines
            .iter()
            .map(|(_, units, rate)| BindLine { units: *units, rate: Rate(*rate) })
            .collect();
        let args = Bind { epoch, page: number, page_bump, capacity: 24 };
        let payer = self.payer.insecure_clone();
        let ix = build::bind(at(coordinator), at(&payer), lease, page, &devices, &args, &wanted);
        self.run(&ix, &[coordinator])
    }
}

/// The precompile's instruction over `message`.
pub(crate) fn signed(key: &Keypair, message: &[u8]) -> Instruction {
    let signature: [u8; 64] = key.sign_message(message).into();
    Instruction {
        program_id: Address::from(ED25519_PROGRAM),
        accounts: Vec::new(),
        data: ed25519_instruction(&at(key), &signature, message),
    }
}

pub(crate) fn device_at(key: &Key) -> Key {
    pda(&seeds::device(key)).0
}

pub(crate) fn page_at(lease: &Key, number: u16) -> (Key, u8) {
    pda(&seeds::page(lease, &seeds::page_number(number)))
}

fn refusal(text: &str) -> Refusal {
    let code = text.split("Custom(").nth(1).and_then(|rest| rest.split(')').next());
    let ours = code.and_then(|c| c.parse().ok()).and_then(MarketError::from_code);
    ours.map_or_else(|| Refusal::Other(text.to_owned()), Refusal::Market)
}
