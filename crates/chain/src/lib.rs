//! An embedded Solana chain: one process, one operator, the real virtual machine.
//!
//! The node executes transactions on LiteSVM (the same sBPF bytecode, system programs and
//! fees as Solana), orders them into blocks, keeps everything in SQLite, and answers the part of
//! Solana's JSON-RPC and WebSocket API that `solana-rpc-client`, the `solana` command and
//! web3.js need. It protects nobody from its operator: it is for development and for private
//! networks.
//!
//! # What is promised
//!
//! * A transaction is shown by an answer or a notification only after all of its writes are on
//!   disk, in one atomic SQLite transaction. Here `processed`, `confirmed` and `finalized` are
//!   therefore the same thing.
//! * The genesis hash is drawn once, at creation, and stays the same for ever.
//! * A signature is accepted once in the life of the chain.
//!
//! # Slots and blocks
//!
//! Every slot is a block, so block height equals slot. Blocks without transactions leave no row:
//! the blockhash of a slot is derived from a secret seed of the chain and the slot's number, and
//! so any empty block can be answered for later without having been stored.
//!
//! # Limits
//!
//! History is kept for ever: nothing is pruned. Votes, gossip and snapshots do not exist.
//! `jsonParsed` spells out accounts, not instructions.
//!
//! ```no_run
//! # async fn run() -> Result<(), ionet_chain::ChainError> {
//! use ionet_chain::{Chain, ChainConfig};
//!
//! let chain = Chain::open(ChainConfig::new("data/chain"))?;
//! println!("RPC on {}, genesis {}", chain.rpc_addr(), chain.genesis_hash());
//! chain.serve(async { tokio::signal::ctrl_c().await.ok(); }).await
//! # }
//! ```

mod blockhash;
mod chain;
mod config;
mod error;
mod events;
mod faucet;
mod genesis;
pub mod limits;
mod metrics;
mod node;
mod record;
mod rpc;
mod store;
mod svm;
mod tokens;
mod transaction;
mod view;
mod ws;

pub use chain::{Chain, SlotControl};
pub use config::{ChainConfig, GenesisProgram};
pub use error::ChainError;
pub use store::{StoreError, WriteHook, WriteStep};
