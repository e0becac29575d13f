//! The bare chain that every history begins with, and its people.

use super::world::World;
use crate::model::{Account, Chain, Key, Record, Token};
use crate::{Features, SOL, START, USDC, machine, token};
use ionet_market_interface::{INSTRUCTIONS_SYSVAR, PROGRAM_ID, SYSTEM_PROGRAM, TOKEN_PROGRAM};
use litesvm::LiteSVM;
use solana_account::Account as ChainAccount;
use solana_address::Address;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// Who rents. The last of them supplies too.
pub(super) const RENTERS: Range<usize> = 0..3;
/// Who supplies.
pub(super) const SUPPLIERS: Range<usize> = 2..5;
/// Whom leases name.
pub(super) const COORDINATORS: Range<usize> = 5..7;
/// Session keys.
pub(super) const SESSIONS: Range<usize> = 7..9;
/// The first admin.
pub(super) const ADMIN: usize = 9;
/// The first fee owner.
pub(super) const FEE_OWNER: usize = 10;
/// May upgrade the program.
pub(super) const AUTHORITY: usize = 11;
/// Has no part in anything.
pub(super) const STRANGER: usize = 12;
/// Pays the rent for others.
pub(super) const SPONSOR: usize = 13;
const PEOPLE: usize = 14;
/// Device keys that can be registered.
const DEVICES: usize = 12;

/// The hash of this chain's first block.
pub(super) const GENESIS: Key = [0x6e; 32];

/// A key with SOL and a token account in each mint.
pub(super) struct Person {
    pub(super) key: Keypair,
    pub(super) at: Key,
    /// In both allowed mints, and in a foreign one.
    pub(super) tokens: [Key; 3],
}

/// Everybody, and the keys that they use.
pub(super) struct Cast {
    pub(super) people: Vec<Person>,
    pub(super) devices: Vec<(Keypair, Key)>,
    /// USDC, IO, and one that is not allowed.
    pub(super) mints: [Key; 3],
    /// Accounts of other programs that look like ours, and programs.
    pub(super) aliens: Vec<Key>,
    /// Pays the network's fees and is in no instruction.
    pub(super) payer: Address,
}

/// A bare chain to copy.
pub(super) struct Stage {
    svm: LiteSVM,
    chain: Chain,
    cast: Rc<Cast>,
}

struct Keys(u64);

impl Keys {
    fn next(&mut self) -> Keypair {
        self.0 += 1;
        let mut seed = [0x21; 32];
        seed[..8].copy_from_slice(&self.0.to_le_bytes());
        Keypair::new_from_array(seed)
    }

    fn address(&mut self) -> Key {
        self.next().pubkey().to_bytes()
    }
}

impl Stage {
    pub(super) fn new(features: Features) -> Self {
        let mut keys = Keys(0);
        let people: Vec<Person> = (0..PEOPLE)
            .map(|_| {
                let key = keys.next();
                let at = key.pubkey().to_bytes();
                Person { key, at, tokens: [(); 3].map(|()| keys.address()) }
            })
            .collect();
        let authority = people[AUTHORITY].at;
        // Nobody signs transactions here: who signs is what the message says. Statements are
        // signed and checked as ever.
        let svm = machine::start(features, &authority)
            .with_sigverify(false)
            .with_blockhash_check(false)
            .with_transaction_history(0)
            .with_log_bytes_limit(Some(0));
        let mints = [(); 3].map(|()| keys.address());
        let devices = (0..DEVICES).map(|_| keys.next()).map(|key| {
            let at = key.pubkey().to_bytes();
            (key, at)
        });
        let devices = devices.collect();
        let (payer, alien) = (keys.next().pubkey(), keys.address());
        let aliens = vec![alien, TOKEN_PROGRAM, SYSTEM_PROGRAM, INSTRUCTIONS_SYSVAR, PROGRAM_ID];
        let chain = Chain {
            accounts: BTreeMap::new(),
            now: START,
            latest: START,
            slot: 0,
            authority,
            program_data: machine::program_data(),
        };
        let cast = Rc::new(Cast { people, devices, mints, aliens, payer });
        let mut stage = Self { svm, chain, cast };
        stage.furnish(&mut keys);
        stage
    }

    fn furnish(&mut self, keys: &mut Keys) {
        let cast = Rc::clone(&self.cast);
        let authority = keys.address();
        for mint in cast.mints {
            token::make_mint(&mut self.svm, mint, authority);
            self.note(mint, Record::Mint);
        }
        for (i, person) in cast.people.iter().enumerate() {
            self.wallet(&person.at);
            let (mint, [usdc, io, foreign]) = (cast.mints, person.tokens);
            // One renter is so rich that sums come near to 64 bits.
            let amount = match i {
                1 => 1 << 62,
                _ if RENTERS.contains(&i) || i == STRANGER => 1_000_000 * USDC,
                _ if SESSIONS.contains(&i) => 50 * USDC,
                _ => 0,
            };
            self.tokens(usdc, mint[0], person.at, amount);
            self.tokens(io, mint[1], person.at, amount);
            self.tokens(foreign, mint[2], person.at, USDC);
        }
        let payer = ChainAccount { lamports: u64::MAX / 4, ..ChainAccount::default() };
        self.svm.set_account(cast.payer, payer).expect("the payer");
        // The bytes of a lease, but not ours.
        token::put(&mut self.svm, cast.aliens[0], [4, 1].repeat(232), TOKEN_PROGRAM);
        for alien in &cast.aliens {
            self.note(*alien, Record::Alien);
        }
        let data = machine::program_data();
        self.note(data, Record::Alien);
    }

    /// Lamports of accounts that no instruction touches do not matter.
    fn note(&mut self, at: Key, record: Record) {
        self.chain.put(at, Account { lamports: 1, record });
    }

    fn wallet(&mut self, at: &Key) {
        let lamports = 1_000_000 * SOL;
        let account = ChainAccount { lamports, ..ChainAccount::default() };
        self.svm.set_account(Address::from(*at), account).expect("a wallet");
        self.chain.put(*at, Account { lamports, record: Record::Wallet });
    }

    fn tokens(&mut self, at: Key, mint: Key, owner: Key, amount: u64) {
        token::make_account(&mut self.svm, at, mint, owner, amount);
        let lamports = self.svm.get_balance(&Address::from(at)).expect("a token account");
        let token = Token { mint, owner, amount, frozen: false, delegate: None };
        self.chain.put(at, Account { lamports, record: Record::Token(token) });
    }

    /// A copy of the chain to live on, from this second on.
    pub(super) fn world(&self, begins_at: i64) -> World {
        let mut world = World::new(self.svm.clone(), self.chain.clone(), Rc::clone(&self.cast));
        world.chain.latest = begins_at;
        world.set_time(begins_at);
        world
    }
}
