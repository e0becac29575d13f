//! The durable state, for readers: everything that RPC may show without the history tables.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use solana_account::{AccountSharedData, ReadableAccount};
use solana_address::Address;

use crate::blockhash::{Blockhashes, Window};

/// Accounts, with an index by owner. Account data is shared with the virtual machine's copy.
#[derive(Default)]
pub(crate) struct Accounts {
    by_address: HashMap<Address, AccountSharedData>,
    by_owner: HashMap<Address, BTreeSet<Address>>,
}

impl Accounts {
    pub(crate) fn get(&self, address: &Address) -> Option<&AccountSharedData> {
        self.by_address.get(address)
    }

    /// Sets an account, or removes it when `None`.
    pub(crate) fn set(&mut self, address: Address, account: Option<AccountSharedData>) {
        let new_owner = account.as_ref().map(|account| *account.owner());
        let old = match account {
            Some(account) => self.by_address.insert(address, account),
            None => self.by_address.remove(&address),
        };
        let old_owner = old.as_ref().map(|account| *account.owner());
        if old_owner == new_owner {
            return;
        }
        if let Some(owner) = old_owner
            && let Some(owned) = self.by_owner.get_mut(&owner)
        {
            owned.remove(&address);
            if owned.is_empty() {
                self.by_owner.remove(&owner);
            }
        }
        if let Some(owner) = new_owner {
            self.by_owner.entry(owner).or_default().insert(address);
        }
    }

    /// Accounts of one owner, in order of address.
    pub(crate) fn owned_by(
        &self,
        owner: &Address,
    ) -> impl Iterator<Item = (&Address, &AccountSharedData)> {
        self.by_owner
            .get(owner)
            .into_iter()
            .flatten()
            .filter_map(|address| self.by_address.get_key_value(address))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Address, &AccountSharedData)> {
        self.by_address.iter()
    }

    pub(crate) fn map(&self) -> &HashMap<Address, AccountSharedData> {
        &self.by_address
    }
}

/// The durable state at one instant.
pub(crate) struct View {
    /// The open slot: transactions committed now carry it.
    pub(crate) slot: u64,
    pub(crate) unix_timestamp: i64,
    pub(crate) window: Window,
    pub(crate) accounts: Accounts,
    pub(crate) transaction_count: u64,
    /// False while the store refuses writes.
    pub(crate) healthy: bool,
}

impl View {
    /// The last closed block's slot.
    pub(crate) fn closed_slot(&self) -> u64 {
        self.slot.saturating_sub(1)
    }
}

/// What every part of the node shares.
pub(crate) struct Shared {
    view: RwLock<View>,
    pub(crate) blockhashes: Blockhashes,
    pub(crate) genesis_hash: solana_hash::Hash,
    pub(crate) identity: Address,
}

impl Shared {
    pub(crate) fn new(
        view: View,
        blockhashes: Blockhashes,
        genesis_hash: solana_hash::Hash,
        identity: Address,
    ) -> Self {
        Self { view: RwLock::new(view), blockhashes, genesis_hash, identity }
    }

    /// Reads the view. Never held across an await.
    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_index_follows_every_change() {
        let (program_a, program_b) = (Address::new_unique(), Address::new_unique());
        let address = Address::new_unique();
        let mut accounts = Accounts::default();
        accounts.set(address, Some(AccountSharedData::new(1, 0, &program_a)));
        assert_eq!(accounts.owned_by(&program_a).count(), 1);
        accounts.set(address, Some(AccountSharedData::new(1, 0, &program_b)));
        assert_eq!(accounts.owned_by(&program_a).count(), 0);
        assert_eq!(accounts.owned_by(&program_b).count(), 1);
        accounts.set(address, None);
        assert_eq!(accounts.owned_by(&program_b).count(), 0);
        assert!(accounts.get(&address).is_none());
    }
}
