//! Addresses that follow from seeds, with their bumps.

use ionet_market_interface::seeds;
use solana_address::Address;

/// An address and the bump that puts it off the curve.
pub type Derived = (Address, u8);

fn derive(seeds: &[&[u8]], program: &Address) -> Derived {
    Address::find_program_address(seeds, program)
}

/// The program's configuration.
pub fn config(program: &Address) -> Derived {
    derive(&seeds::config(), program)
}

/// A renter's counter.
pub fn renter(program: &Address, renter: &Address) -> Derived {
    derive(&seeds::renter(renter.as_array()), program)
}

/// The record of the device with this key.
pub fn device(program: &Address, device_key: &[u8; 32]) -> Derived {
    derive(&seeds::device(device_key), program)
}

/// A renter's lease of this counter.
pub fn lease(program: &Address, renter: &Address, counter: u64) -> Derived {
    derive(&seeds::lease(renter.as_array(), &seeds::number(counter)), program)
}

/// A lease's vault.
pub fn vault(program: &Address, lease: &Address) -> Derived {
    derive(&seeds::vault(lease.as_array()), program)
}

/// A page of a lease.
pub fn page(program: &Address, lease: &Address, number: u16) -> Derived {
    derive(&seeds::page(lease.as_array(), &seeds::page_number(number)), program)
}

/// The loader's account that holds a program's code and its upgrade authority.
pub fn program_data(program: &Address) -> Address {
    let loader = Address::from(ionet_market_interface::UPGRADEABLE_LOADER);
    derive(&[program.as_ref()], &loader).0
}
