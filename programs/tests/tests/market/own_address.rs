//! Accounts of the program are made only where nobody holds the key. Found by random histories:
//! an address that signs by itself needs no seeds, so a renter could open a lease at a key of
//! its own, and take the deposit out of the vault with it while suppliers served.

use ionet_program_tests::interface::build::Ix;
use ionet_program_tests::interface::{MarketError, PROGRAM_ID, TOKEN_PROGRAM, seeds};
use ionet_program_tests::{Key, Market, USDC};
use solana_address::Address;
use solana_signer::Signer;

/// The account at this place of `open_lease` or `bind`, and that it signs.
fn own(mut ix: Ix, place: usize, key: Key) -> Ix {
    ix.accounts[place].address = key;
    ix.accounts[place].signer = true;
    ix
}

const LEASE: usize = 4;
const VAULT: usize = 5;
/// In `open_lease`'s data.
const VAULT_BUMP: usize = 3;
/// In `bind`.
const PAGE: usize = 3;

#[test]
fn a_lease_is_not_opened_at_a_key_of_the_renter() {
    let mut market = Market::new();
    let renter = market.wallet(1_000 * USDC);
    let key = market.new_key();
    let lease = key.pubkey().to_bytes();
    let (ix, _) = market.open_ix(&renter, 0, &market.terms());
    let mut ix = own(ix, LEASE, lease);
    let program = Address::from(PROGRAM_ID);
    let (vault, bump) = Address::find_program_address(&seeds::vault(&lease), &program);
    ix.accounts[VAULT].address = vault.to_bytes();
    ix.data[VAULT_BUMP] = bump;
    market.refused(ix, &[&renter.key, &key], MarketError::WrongAddress);
}

#[test]
fn a_vault_is_not_made_at_a_key_of_the_renter() {
    let mut market = Market::new();
    let renter = market.wallet(1_000 * USDC);
    let key = market.new_key();
    let (ix, _) = market.open_ix(&renter, 0, &market.terms());
    let ix = own(ix, VAULT, key.pubkey().to_bytes());
    market.refused(ix, &[&renter.key, &key], MarketError::WrongAddress);
    // Lamports there, or the renter's own wallet: the same.
    market.donate(&key.pubkey().to_bytes(), 50_000_000);
    let (ix, _) = market.open_ix(&renter, 0, &market.terms());
    let again = own(ix.clone(), VAULT, key.pubkey().to_bytes());
    market.refused(again, &[&renter.key, &key], MarketError::WrongAddress);
    market.refused(own(ix, VAULT, renter.at()), &[&renter.key], MarketError::WrongAddress);
    let wallet = market.account(&renter.at()).expect("a wallet");
    assert_ne!(wallet.owner.to_bytes(), TOKEN_PROGRAM);
}

#[test]
fn a_page_is_not_made_at_a_key_of_the_coordinator() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(1_000 * USDC));
    let device = market.register(&supplier, 4, USDC);
    let lease = market.open(&renter, 0, &market.terms());
    let key = market.new_key();
    let ix = market.bind_ix(&market.coordinator, &lease, 0, &[(&device, 1, USDC)]);
    let ix = own(ix, PAGE, key.pubkey().to_bytes());
    let coordinator = market.coordinator_key();
    market.refused(ix, &[&coordinator, &key], MarketError::WrongAddress);
}
