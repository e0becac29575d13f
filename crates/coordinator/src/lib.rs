//! The coordinator: matches renters with devices, starts clusters, watches them, recovers, and
//! vouches on-chain for the seconds that devices serve. It holds no one's money.

mod config;
pub mod control;
pub mod log;

pub use config::{Config, ConfigError};
pub use control::{Control, ControlError, DeviceStream};
