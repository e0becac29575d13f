//! What can go wrong with a chain as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;

use solana_address::Address;

use crate::store::StoreError;

/// Why a chain could not be opened, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Another process listens there; choose another port.
    #[error("port {} is taken ({service} on {addr})", addr.port())]
    PortTaken {
        /// What wanted the port: `rpc` or `websocket`.
        service: &'static str,
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {addr} for {service}")]
    Listen {
        /// What wanted the address: `rpc` or `websocket`.
        service: &'static str,
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another chain process has this data directory open.
    #[error("the data directory {path} is in use by another chain process")]
    DataDirBusy {
        /// The directory.
        path: PathBuf,
    },
    /// A file of the data directory could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The faucet's key file is damaged.
    #[error("the faucet key {path} is not a Solana keypair file")]
    FaucetKey {
        /// The file.
        path: PathBuf,
    },
    /// A setting makes no sense.
    #[error("setting {setting}: {reason}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A program given for genesis is not one that the virtual machine loads.
    #[error("genesis program {id} does not load: {reason}")]
    GenesisProgram {
        /// The program.
        id: Address,
        /// What the loader said.
        reason: String,
    },
    /// The store failed.
    #[error("the chain's store failed")]
    Store(#[from] StoreError),
    /// The stored accounts could not be loaded into the virtual machine.
    #[error("stored account {address} does not load: {reason}")]
    StoredAccount {
        /// The account.
        address: Address,
        /// What the virtual machine said.
        reason: String,
    },
    /// The node thread ended although nobody asked it to.
    #[error("the chain node stopped unexpectedly")]
    NodeStopped,
    /// The HTTP server failed.
    #[error("the chain's server failed")]
    Server(#[source] std::io::Error),
}
