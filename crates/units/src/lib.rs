//! Money, rates and time as integers in types of their own, for clients and on-chain programs.
//!
//! **Invariant:** `no_std`, no allocation, no float, no 128-bit integer: the programs' compiler
//! has none of them. Every division says in its name which way it rounds.
//!
//! ```
//! use ionet_units::{Rate, Seconds, BaseUnits};
//! // A tenth of a dollar an hour (USDC has six decimals), for ninety seconds.
//! let rate = Rate(100_000);
//! assert_eq!(rate.earned_floor(Seconds(90)), Some(BaseUnits(2_500)));
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod amount;
mod arith;
#[cfg(feature = "serde")]
mod text;
mod time;

pub use amount::{BaseUnits, Bps, Io, Rate, Usdc};
pub use arith::{checked_mul, mul_div_ceil, mul_div_floor};
pub use time::{SECONDS_PER_HOUR, Seconds, Timestamp};
