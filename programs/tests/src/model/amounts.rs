//! Sums of money in 128 bits, with the rounding of the table in `docs/money.md`.

use super::No;
use ionet_market_interface::MarketError;

/// Rates are per hour.
const HOUR_S: u128 = 3_600;
/// Basis points in one whole.
const WHOLE_BPS: u128 = 10_000;

/// What is earned in `served` seconds: down, against the supplier.
pub(crate) fn earned(rate: u64, served: u128) -> u128 {
    u128::from(rate) * served / HOUR_S
}

/// The fee on it: up, against the renter.
pub(crate) fn fee(owed: u128, bps: u16) -> u128 {
    (owed * u128::from(bps)).div_ceil(WHOLE_BPS)
}

/// A rate with its fee: up, against the renter.
pub(crate) fn gross(rate: u64, bps: u16) -> u128 {
    u128::from(rate) + (u128::from(rate) * u128::from(bps)).div_ceil(WHOLE_BPS)
}

/// What is set aside for `elapsed` seconds: up, against the renter.
pub(crate) fn set_aside(gross: u128, elapsed: u128) -> u128 {
    (gross * elapsed).div_ceil(HOUR_S)
}

/// Whole seconds that `funds` last: down, against the lease. `None`: for ever.
pub(crate) fn lasts(funds: u128, gross: u128) -> Option<u128> {
    (funds * HOUR_S).checked_div(gross)
}

/// The chain's sums end at 64 bits.
pub(crate) fn fits(sum: u128) -> Result<u128, No> {
    if sum <= u128::from(u64::MAX) { Ok(sum) } else { Err(No::Market(MarketError::Overflow)) }
}

/// An instant `seconds` later, or the last one that a chain can tell.
pub(crate) fn later(instant: i64, seconds: u64) -> i64 {
    let exact = i128::from(instant) + i128::from(seconds);
    i64::try_from(exact).unwrap_or(i64::MAX)
}
