//! The first block: made once, stored, the same for ever.

use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use solana_account::{AccountSharedData, ReadableAccount};
use solana_address::Address;
use solana_hash::Hash;
use solana_sdk_ids::system_program;

use crate::config::ChainConfig;
use crate::error::ChainError;
use crate::svm::{DERIVED_SYSVARS, Svm};

const HASH_DOMAIN: &[u8] = b"ionet-chain genesis v1";
const IDENTITY_DOMAIN: &[u8] = b"ionet-chain identity v1";

/// Everything that a new chain starts with.
pub(crate) struct Genesis {
    pub(crate) hash: Hash,
    pub(crate) seed: [u8; 32],
    pub(crate) identity: Address,
    pub(crate) unix_timestamp: i64,
    /// In order of address.
    pub(crate) accounts: Vec<(Address, AccountSharedData)>,
}

impl Genesis {
    /// Draws a new chain.
    pub(crate) fn create(config: &ChainConfig, faucet: Address) -> Result<Self, ChainError> {
        let mut svm = Svm::base();
        svm.set(
            faucet,
            Some(AccountSharedData::new(config.faucet_lamports, 0, &system_program::ID)),
        )?;
        for program in &config.programs {
            svm.add_program(program.id, &program.elf, program.upgrade_authority)
                .map_err(|reason| ChainError::GenesisProgram { id: program.id, reason })?;
        }
        let mut accounts: Vec<(Address, AccountSharedData)> = svm
            .accounts()
            .filter(|(address, _)| !DERIVED_SYSVARS.contains(address))
            .map(|(address, account)| (*address, account.clone()))
            .collect();
        accounts.sort_by_key(|(address, _)| *address);
        let seed: [u8; 32] = rand::random();
        let unix_timestamp = unix_now();
        Ok(Self {
            hash: hash(&seed, unix_timestamp, &accounts),
            identity: Address::from(sha256(&[IDENTITY_DOMAIN, &seed])),
            seed,
            unix_timestamp,
            accounts,
        })
    }
}

/// Wall clock, unix seconds.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn hash(seed: &[u8; 32], time: i64, accounts: &[(Address, AccountSharedData)]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(HASH_DOMAIN);
    // The seed itself stays secret: only its hash goes in.
    hasher.update(sha256(&[HASH_DOMAIN, seed]));
    hasher.update(time.to_le_bytes());
    for (address, account) in accounts {
        hasher.update(address.as_ref());
        hasher.update(account.lamports().to_le_bytes());
        hasher.update(account.owner().as_ref());
        hasher.update([u8::from(account.executable())]);
        hasher.update((account.data().len() as u64).to_le_bytes());
        hasher.update(account.data());
    }
    Hash::new_from_array(hasher.finalize().into())
}
