//! A chain with the program, its configuration and wallets.

use crate::machine::{self, Features, Refusal};
use crate::{Key, SOL, START, token};
use ionet_market_interface::account::{Config, Device, Lease, Line, PageRef, Settings};
use ionet_market_interface::build::Ix;
use ionet_market_interface::{BaseUnits, Bps, MarketError, PROGRAM_ID, seeds};
use litesvm::LiteSVM;
use litesvm::types::TransactionMetadata;
use solana_account::Account;
use solana_address::Address;
use solana_clock::Clock;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;

/// A key with some SOL and a token account in each mint.
#[derive(Debug)]
pub struct Wallet {
    /// Signs.
    pub key: Keypair,
    /// Its accounts in USDC and IO.
    pub tokens: [Key; 2],
}

impl Wallet {
    /// Its public key.
    pub fn at(&self) -> Key {
        self.key.pubkey().to_bytes()
    }
}

/// The chain.
pub struct Market {
    /// Solana's virtual machine.
    pub svm: LiteSVM,
    /// May upgrade the program.
    pub authority: Keypair,
    /// May propose settings.
    pub admin: Wallet,
    /// Whom leases name unless they say otherwise.
    pub coordinator: Wallet,
    /// Gets the fees.
    pub fee_owner: Wallet,
    /// Somebody else altogether.
    pub stranger: Wallet,
    /// USDC and IO.
    pub mints: [Key; 2],
    /// Mints both and freezes.
    pub mint_authority: Key,
    payer: Keypair,
    keys: u64,
}

/// The hash of this chain's first block.
pub const GENESIS: Key = [0x6e; 32];

impl Default for Market {
    fn default() -> Self {
        Self::new()
    }
}

impl Market {
    /// A chain with its configuration made.
    pub fn new() -> Self {
        Self::with_features(Features::from_env())
    }

    /// The same with other features of Solana.
    pub fn with_features(features: Features) -> Self {
        let mut market = Self::bare(features);
        let ix = market.init_config_ix(&market.settings());
        let authority = market.authority.insecure_clone();
        market.ok(ix, &[&authority]);
        market
    }

    /// A chain without a configuration.
    pub fn bare(features: Features) -> Self {
        let mut keys = 0;
        let mut next = || {
            keys += 1;
            keypair(keys)
        };
        let (payer, authority) = (next(), next());
        let [usdc, io, mint_authority] = [next(), next(), next()].map(|k| k.pubkey().to_bytes());
        let mut svm = machine::start(features, &authority.pubkey().to_bytes());
        for mint in [usdc, io] {
            token::make_mint(&mut svm, mint, mint_authority);
        }
        let mut wallet = |svm: &mut LiteSVM| make_wallet(svm, next(), &[usdc, io], 0);
        let admin = wallet(&mut svm);
        let coordinator = wallet(&mut svm);
        let fee_owner = wallet(&mut svm);
        let stranger = wallet(&mut svm);
        give_lamports(&mut svm, &payer, 1_000_000 * SOL);
        let mints = [usdc, io];
        let mut market = Self {
            svm,
            authority,
            admin,
            coordinator,
            fee_owner,
            stranger,
            mints,
            mint_authority,
            payer,
            keys,
        };
        market.set_time(START);
        market
    }

    /// The settings that [`Market::new`] starts with.
    pub fn settings(&self) -> Settings {
        Settings {
            fee_bps: Bps(200),
            reserved: [0; 6],
            claim_window_s: 600,
            grace_s: 300,
            payout_cooldown_s: 3_600,
            config_cooldown_s: 7_200,
            min_deposit: [BaseUnits(1_000), BaseUnits(10)],
            admin: self.admin.at(),
            fee_owner: self.fee_owner.at(),
            mints: self.mints,
        }
    }

    /// A key that nothing else has; the same in every run.
    pub fn new_key(&mut self) -> Keypair {
        self.keys += 1;
        keypair(self.keys)
    }

    /// A new wallet with so much of each mint.
    pub fn wallet(&mut self, amount: u64) -> Wallet {
        let key = self.new_key();
        make_wallet(&mut self.svm, key, &self.mints, amount)
    }

    /// A further token account for an owner.
    pub fn token_account(&mut self, mint: Key, owner: Key, amount: u64) -> Key {
        let address = self.new_key().pubkey().to_bytes();
        token::make_account(&mut self.svm, address, mint, owner, amount);
        address
    }

    /// A mint that the configuration does not allow.
    pub fn foreign_mint(&mut self) -> Key {
        let (mint, authority) = (self.new_key().pubkey().to_bytes(), self.mint_authority);
        token::make_mint(&mut self.svm, mint, authority);
        mint
    }

    /// Copies an account's bytes to a new address under another owner: an impostor.
    pub fn copy_of(&mut self, address: &Key, owner: Key) -> Key {
        let data = self.account(address).expect("an account to copy").data;
        let to = self.new_key().pubkey().to_bytes();
        token::put(&mut self.svm, to, data, owner);
        to
    }

    /// The chain's time, unix seconds.
    pub fn now(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    /// Sets the chain's time; a slot passes.
    pub fn set_time(&mut self, unix_timestamp: i64) {
        let clock: Clock = self.svm.get_sysvar();
        self.svm.set_sysvar(&Clock { unix_timestamp, slot: clock.slot + 1, ..clock });
    }

    /// So many seconds pass, backwards when negative.
    pub fn pass(&mut self, seconds: i64) {
        self.set_time(self.now().saturating_add(seconds));
    }

    /// An instruction of the program as Solana's type.
    pub fn wrap(&self, ix: &Ix) -> Instruction {
        let accounts = ix.accounts.iter().map(|meta| AccountMeta {
            pubkey: Address::from(meta.address),
            is_signer: meta.signer,
            is_writable: meta.writable,
        });
        Instruction {
            program_id: Address::from(PROGRAM_ID),
            accounts: accounts.collect(),
            data: ix.data.clone(),
        }
    }

    /// Sends instructions as one transaction. A key of its own pays the network's fee.
    #[track_caller]
    pub fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<TransactionMetadata, Refusal> {
        machine::send(&mut self.svm, &self.payer, instructions, signers)
    }

    /// The same with the network's fee on `payer`.
    #[track_caller]
    pub fn send_from(
        &mut self,
        payer: &Keypair,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<TransactionMetadata, Refusal> {
        machine::send(&mut self.svm, payer, instructions, signers)
    }

    /// Sends one instruction of the program.
    #[track_caller]
    pub fn run(&mut self, ix: Ix, signers: &[&Keypair]) -> Result<TransactionMetadata, Refusal> {
        let wrapped = self.wrap(&ix);
        self.send(&[wrapped], signers)
    }

    /// Sends one that must succeed.
    #[track_caller]
    pub fn ok(&mut self, ix: Ix, signers: &[&Keypair]) -> TransactionMetadata {
        match self.run(ix, signers) {
            Ok(meta) => meta,
            Err(refusal) => panic!("refused: {refusal:?}"),
        }
    }

    /// Sends one that must be refused for this reason.
    #[track_caller]
    pub fn refused(&mut self, ix: Ix, signers: &[&Keypair], why: MarketError) {
        assert_eq!(self.run(ix, signers).map(|_| ()), Err(Refusal::Market(why)));
    }

    /// Sends one that must fail, whoever refuses it.
    #[track_caller]
    pub fn fails(&mut self, ix: Ix, signers: &[&Keypair]) -> Refusal {
        self.run(ix, signers).map(|_| ()).expect_err("it must fail")
    }

    /// An account, if it is there.
    pub fn account(&self, address: &Key) -> Option<Account> {
        self.svm.get_account(&Address::from(*address)).filter(|found| found.lamports > 0)
    }

    /// An account's lamports.
    pub fn lamports(&self, address: &Key) -> u64 {
        self.account(address).map_or(0, |account| account.lamports)
    }

    /// Who pays the network's fee, and the configuration's rent.
    pub fn payer_at(&self) -> Key {
        self.payer.pubkey().to_bytes()
    }

    /// What a token account holds.
    #[track_caller]
    pub fn balance(&self, token_account: &Key) -> u64 {
        token::token_account(&self.svm, token_account).amount
    }

    #[track_caller]
    fn bytes(&self, address: &Key) -> Vec<u8> {
        self.account(address).expect("the account is there").data
    }

    /// The configuration.
    #[track_caller]
    pub fn config(&self) -> Config {
        Config::decode(&self.bytes(&config_at())).expect("the configuration")
    }

    /// The lease at this address.
    #[track_caller]
    pub fn lease(&self, address: &Key) -> Lease {
        Lease::decode(&self.bytes(address)).expect("a lease")
    }

    /// The device at this address.
    #[track_caller]
    pub fn device(&self, address: &Key) -> Device {
        Device::decode(&self.bytes(address)).expect("a device")
    }

    /// A page's lines.
    #[track_caller]
    pub fn lines(&self, page: &Key) -> Vec<Line> {
        let bytes = self.bytes(page);
        let page = PageRef::new(&bytes).expect("a page");
        page.lines().map(|(_, line)| line.expect("a line")).collect()
    }
}

fn keypair(number: u64) -> Keypair {
    let mut seed = [0x10; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    Keypair::new_from_array(seed)
}

fn give_lamports(svm: &mut LiteSVM, key: &Keypair, lamports: u64) {
    let account = Account { lamports, ..Account::default() };
    svm.set_account(key.pubkey(), account).expect("a wallet");
}

fn make_wallet(svm: &mut LiteSVM, key: Keypair, mints: &[Key; 2], amount: u64) -> Wallet {
    give_lamports(svm, &key, 100 * SOL);
    let owner = key.pubkey().to_bytes();
    let tokens = mints.map(|mint| {
        let seeds: [&[u8]; 2] = [&owner, &mint];
        let token_program = Address::from(ionet_market_interface::TOKEN_PROGRAM);
        let address = Address::find_program_address(&seeds, &token_program).0.to_bytes();
        token::make_account(svm, address, mint, owner, amount);
        address
    });
    Wallet { key, tokens }
}

/// An address of the program and its bump.
pub(crate) fn derive(seeds: &[&[u8]]) -> (Key, u8) {
    let (address, bump) = Address::find_program_address(seeds, &Address::from(PROGRAM_ID));
    (address.to_bytes(), bump)
}

/// The configuration's address.
pub(crate) fn config_at() -> Key {
    derive(&seeds::config()).0
}
