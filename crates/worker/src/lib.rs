//! The supplier's agent: reads the hardware, holds a session with the coordinator, runs the
//! parts of clusters that it is told to run, keeps the receipts that it earns.
//!
//! **Invariant:** what is wanted is on disk before anything is done about it, so a worker that
//! is killed goes on where it was, and its containers never notice.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use ionet_worker::{Worker, WorkerConfig};
//! let config = WorkerConfig::load("worker.toml".as_ref())?;
//! Worker::run(config, ionet_worker::signals()?).await?;
//! # Ok(()) }
//! ```

mod agent;
mod backoff;
mod board;
mod config;
mod containers;
pub mod enrol;
mod host;
pub mod inventory;
mod key;
mod lock;
mod metrics;
mod parts;
mod portable;
mod proving;
mod receipts;
mod session;
mod signals;
mod store;
mod streams;
mod tend;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod underneath;
mod worker;

pub use config::{ConfigError, Containers, CoordinatorAddress, WorkerConfig};
pub use host::HostError;
pub use key::{DeviceKey, KeyError, request};
pub use lock::LockError;
pub use portable::{Receipts, ReceiptsError};
pub use signals::signals;
pub use store::StoreError;
pub use underneath::Underneath;
pub use worker::{Stop, Worker, WorkerError, purge};
