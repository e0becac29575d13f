//! Pools of rewards, and what each pays.

use super::table::VALUE_MAX;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Most letters of a pool's name.
const NAME_MAX: usize = 32;
/// Highest price: times a weight, far below 2^64.
pub const PRICE_MAX: u64 = VALUE_MAX;

/// Which rewards a class divides with others: small letters, digits and dashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pool(String);

/// No name of a pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pool is named by 1 to {NAME_MAX} small letters, digits and dashes")]
pub struct NoPool;

impl FromStr for Pool {
    type Err = NoPool;
    fn from_str(name: &str) -> Result<Self, NoPool> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain);
        fits.then(|| Self(name.to_owned())).ok_or(NoPool)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a unit of weight earns in each pool, against the others: a pool's reward over the weights
/// that share it. One where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices(BTreeMap<Pool, u64>);

impl Prices {
    /// The same, with another price for one pool; [`PRICE_MAX`] stands for more.
    #[must_use]
    pub fn with(mut self, pool: Pool, price: u64) -> Self {
        self.0.insert(pool, price.min(PRICE_MAX));
        self
    }

    /// Of a pool.
    pub fn of(&self, pool: &Pool) -> u64 {
        self.0.get(pool).copied().unwrap_or(1)
    }
}
