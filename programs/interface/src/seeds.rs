//! Seeds of the program's addresses. The client derives with `find_program_address`; the
//! program is given the bump and derives with it once, when an account is made.

/// Seed of the configuration.
pub const CONFIG: &[u8] = b"config";
/// First seed of a renter's counter.
pub const RENTER: &[u8] = b"renter";
/// First seed of a device.
pub const DEVICE: &[u8] = b"device";
/// First seed of a lease.
pub const LEASE: &[u8] = b"lease";
/// First seed of a lease's vault.
pub const VAULT: &[u8] = b"vault";
/// First seed of a page.
pub const PAGE: &[u8] = b"page";

/// Seeds of the configuration.
pub fn config() -> [&'static [u8]; 1] {
    [CONFIG]
}

/// Seeds of a renter's counter.
pub fn renter(renter: &[u8; 32]) -> [&[u8]; 2] {
    [RENTER, renter]
}

/// Seeds of a device, by its own key.
pub fn device(device_key: &[u8; 32]) -> [&[u8]; 2] {
    [DEVICE, device_key]
}

/// Seeds of a lease. `counter` is [`number`] of the renter's counter at opening.
pub fn lease<'a>(renter: &'a [u8; 32], counter: &'a [u8; 8]) -> [&'a [u8]; 3] {
    [LEASE, renter, counter]
}

/// Seeds of the token account that holds a lease's money.
pub fn vault(lease: &[u8; 32]) -> [&[u8]; 2] {
    [VAULT, lease]
}

/// Seeds of a page. `number` is [`page_number`] of its number.
pub fn page<'a>(lease: &'a [u8; 32], number: &'a [u8; 2]) -> [&'a [u8]; 3] {
    [PAGE, lease, number]
}

/// A counter as a seed.
pub fn number(counter: u64) -> [u8; 8] {
    counter.to_le_bytes()
}

/// A page's number as a seed.
pub fn page_number(number: u16) -> [u8; 2] {
    number.to_le_bytes()
}
