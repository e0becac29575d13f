//! The coordinator: matches renters with devices, starts clusters, watches them, recovers, and
//! vouches on-chain for the seconds that devices serve. It holds no one's money.

pub mod api;
mod config;
pub mod control;
pub mod log;

pub use config::{Config, ConfigError};
pub use control::{Control, ControlError, DeviceStream};

// From the lead, 23:23: `market.rs` and `market/` hold every chain step of the executor (bind,
// start, end_lines, attest, close, withdraw, finalize, reclaim: all idempotent), the chain views
// (LeaseView, LeaseClockView, DeviceTerms) and the receipt signer. Do not write those again:
// add `pub mod market;` once ionet-network exports its types, and drop this note.
