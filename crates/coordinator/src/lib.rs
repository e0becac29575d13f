//! The coordinator: matches renters with devices, starts clusters, watches them, recovers, and
//! vouches on-chain for the seconds that devices serve. It holds no one's money.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use ionet_coordinator::{Config, Coordinator};
//! let config = Config::load("coordinator.toml".as_ref())?;
//! let coordinator = Coordinator::open(config).await?;
//! coordinator.run(async { let _ = tokio::signal::ctrl_c().await; }).await?;
//! # Ok(()) }
//! ```

pub mod api;
pub mod checks;
mod clock;
mod config;
pub mod control;
mod coordinator;
mod leader;
pub mod log;
pub mod market;
mod metrics;
mod present;
mod private;
mod seal;
pub mod sessions;
pub mod trial;

pub use clock::{Clock, NowMs};
pub use config::{Config, ConfigError};
pub use control::{Control, ControlError, DeviceStream, Judged};
pub use coordinator::{Coordinator, CoordinatorError, Surroundings};
pub use leader::LeaderError;

/// Seconds between a quote's end and the latest start, which the lease lasts longer than the
/// renter's own time: opening, binding and starting are not taken from it.
pub(crate) const START_ALLOWANCE_S: i64 = 900;
