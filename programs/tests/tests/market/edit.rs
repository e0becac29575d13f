//! Accounts made other than the program would make them.

use ionet_program_tests::interface::account::Lease;
use ionet_program_tests::{Key, Market};
use solana_account::Account;
use solana_address::Address;

/// Changes an account as nobody on a chain can.
pub(crate) fn account(market: &mut Market, at: &Key, change: impl FnOnce(&mut Account)) {
    let mut found = market.account(at).unwrap_or_default();
    change(&mut found);
    market.svm.set_account(Address::from(*at), found).unwrap();
}

/// Changes an account's bytes.
pub(crate) fn bytes(market: &mut Market, at: &Key, change: impl FnOnce(&mut Vec<u8>)) {
    account(market, at, |found| change(&mut found.data));
}

/// Changes a lease's record.
pub(crate) fn lease(market: &mut Market, at: &Key, change: impl FnOnce(&mut Lease)) {
    let mut record = market.lease(at);
    change(&mut record);
    bytes(market, at, |data| record.encode(data).unwrap());
}

/// A new account with these bytes and this owner.
pub(crate) fn made(market: &mut Market, data: Vec<u8>, owner: &Key) -> Key {
    let at = solana_signer::Signer::pubkey(&market.new_key()).to_bytes();
    let owner = Address::from(*owner);
    let made = Account { lamports: 100_000_000, data, owner, ..Account::default() };
    market.svm.set_account(Address::from(at), made).unwrap();
    at
}
