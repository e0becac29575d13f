//! The coordinator: matches renters with devices, starts clusters, watches them, recovers, and
//! vouches on-chain for the seconds that devices serve. It holds no one's money.

pub mod api;
mod clock;
mod config;
pub mod control;
pub mod log;
pub mod market;
mod present;
pub mod sessions;

pub use clock::{Clock, NowMs};
pub use config::{Config, ConfigError};
pub use control::{Control, ControlError, DeviceStream};

/// Seconds between a quote's end and the latest start, which the lease lasts longer than the
/// renter's own time: opening, binding and starting are not taken from it.
pub(crate) const START_ALLOWANCE_S: i64 = 900;
