//! LiteSVM, with what Solana checks and LiteSVM does not.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use litesvm::LiteSVM;
use litesvm::types::TransactionMetadata;
use solana_account::{Account, AccountSharedData, ReadableAccount};
use solana_address::Address;
use solana_clock::Clock;
use solana_epoch_schedule::EpochSchedule;
use solana_hash::Hash;
use solana_message::SanitizedMessage;
use solana_nonce::state::DurableNonce;
use solana_sdk_ids::{bpf_loader_upgradeable, native_loader, system_program, sysvar};
use solana_signature::Signature;
use solana_slot_hashes::SlotHashes;
#[allow(deprecated)]
use solana_sysvar::recent_blockhashes::{IterItem, RecentBlockhashes};
use solana_transaction::sanitized::{MessageHash, SanitizedTransaction};
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use crate::blockhash::{Blockhashes, Window};
use crate::error::ChainError;
use crate::limits::{
    ACCOUNT_LOCKS_MAX, LAMPORTS_PER_SIGNATURE, LOG_BYTES_MAX, SLOT_HASHES, SLOTS_PER_EPOCH,
};

/// Accounts that follow from the slot: never stored, always derived.
pub(crate) const DERIVED_SYSVARS: [Address; 3] =
    [sysvar::clock::ID, sysvar::slot_hashes::ID, sysvar::recent_blockhashes::ID];

/// First byte of an upgradeable loader's ProgramData account.
const PROGRAM_DATA_TAG: u8 = 3;

/// The instant that programs see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instant {
    pub(crate) slot: u64,
    pub(crate) unix_timestamp: i64,
    pub(crate) epoch_start_timestamp: i64,
}

/// An account after a transaction that changed it.
pub(crate) struct Change {
    pub(crate) address: Address,
    pub(crate) after: Option<AccountSharedData>,
}

/// What a transaction did.
pub(crate) struct Outcome {
    pub(crate) result: Result<(), TransactionError>,
    pub(crate) meta: TransactionMetadata,
    pub(crate) changes: Vec<Change>,
}

/// What a transaction would do.
pub(crate) struct Simulation {
    pub(crate) result: Result<(), TransactionError>,
    pub(crate) meta: TransactionMetadata,
    pub(crate) post_accounts: Vec<(Address, AccountSharedData)>,
}

/// How a transaction proves that it is recent.
pub(crate) enum Age {
    /// Its blockhash is one of the window.
    Recent,
    /// It advances this durable nonce.
    Nonce(Address),
}

/// The virtual machine broke down in the middle of a transaction: its memory is not to be used.
#[derive(Debug)]
pub(crate) struct Broken;

/// The virtual machine.
pub(crate) struct Svm {
    lite: LiteSVM,
}

impl Svm {
    /// The machine of an empty chain: built-in programs, sysvars and SPL programs.
    pub(crate) fn base() -> Self {
        let mut lite = LiteSVM::default()
            .with_mainnet_features()
            .with_builtins()
            .with_precompiles()
            .with_sysvars();
        // LiteSVM starts at a slot of mainnet. Programs must not be newer than our first block.
        lite.set_sysvar(&Clock::default());
        lite.set_sysvar(&EpochSchedule::custom(SLOTS_PER_EPOCH, SLOTS_PER_EPOCH, false));
        let lite = lite
            .with_feature_accounts()
            .with_default_programs()
            .with_sigverify(false)
            .with_blockhash_check(false)
            .with_transaction_history(0)
            .with_log_bytes_limit(Some(LOG_BYTES_MAX));
        Self { lite }
    }

    /// The machine of a stored chain.
    pub(crate) fn from_accounts(
        stored: &HashMap<Address, AccountSharedData>,
    ) -> Result<Self, ChainError> {
        let mut svm = Self::base();
        let gone: Vec<Address> = svm
            .accounts()
            .map(|(address, _)| *address)
            .filter(|address| !stored.contains_key(address) && !DERIVED_SYSVARS.contains(address))
            .collect();
        for address in gone {
            svm.set(address, None)?;
        }
        let mut changed: Vec<(&Address, &AccountSharedData)> = stored
            .iter()
            .filter(|(address, account)| svm.get(address).as_ref() != Some(*account))
            .collect();
        let changed_set: HashSet<Address> = changed.iter().map(|(address, _)| **address).collect();
        // A program whose code changed must be loaded again although its own account did not.
        for (address, account) in stored {
            let reload = account.executable()
                && bpf_loader_upgradeable::check_id(account.owner())
                && !changed_set.contains(address)
                && changed_set.contains(&program_data_address(address));
            if reload {
                changed.push((address, account));
            }
        }
        changed.sort_by_key(|(address, account)| (load_order(account), **address));
        for (address, account) in changed {
            svm.set(*address, Some(account.clone()))?;
        }
        Ok(svm)
    }

    /// Loads an upgradeable program and names its upgrade authority.
    pub(crate) fn add_program(
        &mut self,
        id: Address,
        elf: &[u8],
        upgrade_authority: Option<Address>,
    ) -> Result<(), String> {
        self.lite.add_program(id, elf).map_err(|error| error.to_string())?;
        let Some(authority) = upgrade_authority else { return Ok(()) };
        let address = program_data_address(&id);
        let mut account: Account =
            self.lite.get_account(&address).ok_or("the loader kept no program data")?;
        // ProgramData: tag u32, slot u64, Option tag u8, authority 32 bytes.
        let header = account.data.get_mut(12..45).ok_or("program data is too short")?;
        header[0] = 1;
        header[1..].copy_from_slice(authority.as_ref());
        self.lite.set_account(address, account).map_err(|error| error.to_string())
    }

    pub(crate) fn get(&self, address: &Address) -> Option<AccountSharedData> {
        self.lite.accounts_db().get_account(address)
    }

    /// Sets an account, or removes it when `None`.
    pub(crate) fn set(
        &mut self,
        address: Address,
        account: Option<AccountSharedData>,
    ) -> Result<(), ChainError> {
        let account: Account = account.map(Into::into).unwrap_or_default();
        self.lite
            .set_account(address, account)
            .map_err(|error| ChainError::StoredAccount { address, reason: error.to_string() })
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&Address, &AccountSharedData)> {
        self.lite.accounts_db().inner.iter()
    }

    /// Moves the sysvars to an instant.
    pub(crate) fn set_instant(&mut self, now: Instant, hashes: &Blockhashes, window: &Window) {
        let epoch = now.slot / SLOTS_PER_EPOCH;
        self.lite.set_sysvar(&Clock {
            slot: now.slot,
            epoch_start_timestamp: now.epoch_start_timestamp,
            epoch,
            leader_schedule_epoch: epoch.saturating_add(1),
            unix_timestamp: now.unix_timestamp,
        });
        let recent: Vec<(u64, Hash)> = (now.slot.saturating_sub(SLOT_HASHES)..now.slot)
            .rev()
            .map(|slot| (slot, hashes.at(slot)))
            .collect();
        self.lite.set_sysvar(&SlotHashes::new(&recent));
        #[allow(deprecated)]
        self.lite.set_sysvar(&RecentBlockhashes::from_iter(
            window.newest_first().map(|(slot, hash)| IterItem(slot, hash, LAMPORTS_PER_SIGNATURE)),
        ));
    }

    /// Resolves lookup tables and checks what LiteSVM leaves out.
    pub(crate) fn sanitize(
        &self,
        transaction: VersionedTransaction,
    ) -> Result<SanitizedTransaction, TransactionError> {
        let sanitized = SanitizedTransaction::try_create(
            transaction,
            MessageHash::Compute,
            Some(false),
            self.lite.accounts_db(),
            &HashSet::new(),
        )?;
        SanitizedTransaction::validate_account_locks(sanitized.message(), ACCOUNT_LOCKS_MAX)?;
        Ok(sanitized)
    }

    /// How the transaction proves that it is recent; a blockhash of the window wins.
    pub(crate) fn age(
        &self,
        message: &SanitizedMessage,
        window: &Window,
    ) -> Result<Age, TransactionError> {
        if window.slot_of(message.recent_blockhash()).is_some() {
            return Ok(Age::Recent);
        }
        let nonce = message.get_durable_nonce().and_then(|address| {
            let account = self.get(address)?;
            let nonce = parse_nonce(&account)?;
            let signed = message.get_ix_signers(0).any(|signer| *signer == nonce.authority);
            (nonce.hash == *message.recent_blockhash() && signed).then_some(*address)
        });
        nonce.map(Age::Nonce).ok_or(TransactionError::BlockhashNotFound)
    }

    /// Executes a transaction and says which accounts it changed. Failed transactions pay their
    /// fee and advance their nonce, as on Solana.
    pub(crate) fn execute(
        &mut self,
        sanitized: &SanitizedTransaction,
        transaction: VersionedTransaction,
        age: &Age,
    ) -> Result<Outcome, Broken> {
        let before = self.writable_accounts(sanitized.message());
        let lite = &mut self.lite;
        let sent =
            catch_unwind(AssertUnwindSafe(|| lite.send_transaction(transaction).map_err(Box::new)))
                .map_err(|_| Broken)?;
        let (result, meta) = match sent {
            Ok(meta) => (Ok(()), meta),
            Err(failed) => (Err(failed.err), failed.meta),
        };
        if result.is_err()
            && was_charged(&meta)
            && let Age::Nonce(address) = age
        {
            self.advance_nonce(address, sanitized.message().recent_blockhash());
        }
        let changes = before
            .into_iter()
            .filter_map(|(address, before)| {
                let after = self.get(&address);
                (before != after).then_some(Change { address, after })
            })
            .collect();
        Ok(Outcome { result, meta, changes })
    }

    /// Executes a transaction without keeping anything.
    pub(crate) fn simulate(&self, transaction: VersionedTransaction) -> Result<Simulation, Broken> {
        let lite = &self.lite;
        let simulated = catch_unwind(AssertUnwindSafe(|| {
            lite.simulate_transaction(transaction).map_err(Box::new)
        }))
        .map_err(|_| Broken)?;
        Ok(match simulated {
            Ok(info) => {
                Simulation { result: Ok(()), meta: info.meta, post_accounts: info.post_accounts }
            }
            Err(failed) => {
                Simulation { result: Err(failed.err), meta: failed.meta, post_accounts: Vec::new() }
            }
        })
    }

    fn writable_accounts(
        &self,
        message: &SanitizedMessage,
    ) -> Vec<(Address, Option<AccountSharedData>)> {
        message
            .account_keys()
            .iter()
            .enumerate()
            .filter(|(index, _)| message.is_writable(*index))
            .map(|(_, address)| (*address, self.get(address)))
            .collect()
    }

    /// The next nonce follows from the one used, as LiteSVM does it for a success.
    fn advance_nonce(&mut self, address: &Address, used: &Hash) {
        let Some(mut account) = self.lite.get_account(address) else { return };
        let next = DurableNonce::from_blockhash(used);
        if let Some(slot) = account.data.get_mut(NONCE_HASH) {
            slot.copy_from_slice(next.as_hash().as_ref());
            let stored = self.lite.set_account(*address, account);
            debug_assert!(stored.is_ok(), "a nonce account is neither program nor sysvar");
        }
    }
}

/// Whether the failed transaction got as far as paying its fee: only then is it in a block.
pub(crate) fn was_charged(meta: &TransactionMetadata) -> bool {
    meta.signature != Signature::default()
}

/// The account that holds an upgradeable program's code.
pub(crate) fn program_data_address(program: &Address) -> Address {
    Address::find_program_address(&[program.as_ref()], &bpf_loader_upgradeable::ID).0
}

/// Code first, programs last: loading a program reads its code.
fn load_order(account: &AccountSharedData) -> u8 {
    let code = bpf_loader_upgradeable::check_id(account.owner())
        && account.data().first() == Some(&PROGRAM_DATA_TAG);
    let program = account.executable() && !native_loader::check_id(account.owner());
    match (code, program) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 2,
    }
}

struct Nonce {
    authority: Address,
    hash: Hash,
}

// Layout of an initialized nonce account: version u32 = 1, state u32 = 1, authority, hash, fee.
const NONCE_BYTES: usize = 80;
const NONCE_AUTHORITY: std::ops::Range<usize> = 8..40;
const NONCE_HASH: std::ops::Range<usize> = 40..72;
const NONCE_TAGS: [u8; 8] = [1, 0, 0, 0, 1, 0, 0, 0];

fn parse_nonce(account: &AccountSharedData) -> Option<Nonce> {
    let data = account.data();
    if !system_program::check_id(account.owner())
        || data.len() != NONCE_BYTES
        || !data.starts_with(&NONCE_TAGS)
    {
        return None;
    }
    let authority: [u8; 32] = data.get(NONCE_AUTHORITY)?.try_into().ok()?;
    let hash: [u8; 32] = data.get(NONCE_HASH)?.try_into().ok()?;
    Some(Nonce { authority: Address::from(authority), hash: Hash::new_from_array(hash) })
}
