//! A whole chain: its accounts and its time.

use super::Key;
use super::account::{Account, Device, Lease, Page, Record, Token};
use super::transaction::{Call, Flags, No, Part, Proof};
use ionet_market_interface::build::Ix;
use std::collections::BTreeMap;

/// Everything that the program and its people own.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) accounts: BTreeMap<Key, Account>,
    /// What the chain's Clock shows.
    pub(crate) now: i64,
    /// The latest that it ever showed.
    pub(crate) latest: i64,
    pub(crate) slot: u64,
    /// May upgrade the program.
    pub(crate) authority: Key,
    /// The upgradeable loader's account of the program.
    pub(crate) program_data: Key,
}

/// Lamports that make an account of so many bytes exempt from rent, on Solana today.
pub(crate) fn rent(bytes: usize) -> u64 {
    (128 + bytes as u64) * 6_960
}

static UNUSED: Account = Account::UNUSED;

impl Chain {
    /// The account at this address.
    pub(crate) fn at(&self, address: &Key) -> &Account {
        self.accounts.get(address).unwrap_or(&UNUSED)
    }

    /// Writes an account; one without lamports is gone.
    pub(crate) fn put(&mut self, address: Key, account: Account) {
        if account.lamports == 0 {
            self.accounts.remove(&address);
        } else {
            self.accounts.insert(address, account);
        }
    }

    pub(crate) fn device(&self, address: &Key) -> Option<&Device> {
        if let Record::Device(found) = &self.at(address).record { Some(found) } else { None }
    }

    pub(crate) fn lease(&self, address: &Key) -> Option<&Lease> {
        if let Record::Lease(found) = &self.at(address).record { Some(found) } else { None }
    }

    pub(crate) fn page(&self, address: &Key) -> Option<&Page> {
        if let Record::Page(found) = &self.at(address).record { Some(found) } else { None }
    }

    pub(crate) fn token(&self, address: &Key) -> Option<&Token> {
        if let Record::Token(found) = &self.at(address).record { Some(found) } else { None }
    }

    pub(crate) fn leases(&self) -> impl Iterator<Item = (&Key, &Lease)> {
        self.accounts.iter().filter_map(|(at, account)| match &account.record {
            Record::Lease(lease) => Some((at, &**lease)),
            _ => None,
        })
    }

    pub(crate) fn pages(&self) -> impl Iterator<Item = (&Key, &Page)> {
        self.accounts.iter().filter_map(|(at, account)| match &account.record {
            Record::Page(page) => Some((at, page)),
            _ => None,
        })
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = (&Key, &Device)> {
        self.accounts.iter().filter_map(|(at, account)| match &account.record {
            Record::Device(device) => Some((at, device)),
            _ => None,
        })
    }

    /// The chain's time moves, also backwards; a slot passes.
    pub(crate) fn set_time(&mut self, now: i64) {
        self.now = now;
        self.latest = self.latest.max(now);
        self.slot += 1;
    }

    /// Takes a transaction: all of it, or nothing and which part refused why. Returns what it
    /// changed.
    pub(crate) fn take(&mut self, parts: &[Part]) -> Result<Vec<(Key, Account)>, (usize, No)> {
        let flags = Flags::of(parts);
        let mut changed = Vec::new();
        let mut before: Option<&Proof> = None;
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Signed(proof) if proof.is_taken(parts) => before = Some(proof),
                Part::Signed(_) => return Err((at, No::Elsewhere)),
                Part::Market(ix) => {
                    let mut call = self.call(&flags, ix, before.take(), &mut changed);
                    call.run().map_err(|why| (at, why))?;
                }
            }
        }
        for (address, account) in &changed {
            self.put(*address, account.clone());
        }
        Ok(changed)
    }

    fn call<'a>(
        &'a self,
        flags: &'a Flags,
        ix: &'a Ix,
        before: Option<&'a Proof>,
        changed: &'a mut Vec<(Key, Account)>,
    ) -> Call<'a> {
        Call { chain: self, flags, ix, before, changed }
    }
}
