//! Settings of a chain.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use solana_address::Address;

use crate::limits::BLOCKHASH_AGE_MAX;
use crate::store::WriteHook;

/// A program that is on the chain from its first block.
#[derive(Clone)]
pub struct GenesisProgram {
    /// The program's address.
    pub id: Address,
    /// The ELF file.
    pub elf: Vec<u8>,
    /// Who may upgrade it; nobody if `None`.
    pub upgrade_authority: Option<Address>,
}

impl fmt::Debug for GenesisProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenesisProgram")
            .field("id", &self.id)
            .field("elf_bytes", &self.elf.len())
            .field("upgrade_authority", &self.upgrade_authority)
            .finish()
    }
}

/// Settings of a chain. `programs` and `faucet_lamports` matter only when the chain is created.
#[derive(Clone)]
pub struct ChainConfig {
    /// Where the database, the lock and the faucet's key lie; created if missing.
    pub data_dir: PathBuf,
    /// JSON-RPC over HTTP. Port 0 takes a free one.
    pub rpc_addr: SocketAddr,
    /// JSON-RPC over WebSocket. Port 0 takes a free one.
    pub ws_addr: SocketAddr,
    /// Length of a slot, milliseconds; at least 1.
    pub slot_ms: u64,
    /// Programs of the first block.
    pub programs: Vec<GenesisProgram>,
    /// Native tokens of the faucet at creation, lamports. They are the whole supply beside the
    /// rent deposits of built-in accounts.
    pub faucet_lamports: u64,
    /// The most that one `requestAirdrop` hands out, lamports.
    pub airdrop_lamports_max: u64,
    /// Blocks for which a blockhash stays usable; Solana's 150 unless a test needs less.
    pub blockhash_age_max: u64,
    /// Called before each write to the store; for tests that make the n-th write fail.
    pub write_hook: Option<Arc<dyn WriteHook>>,
}

impl ChainConfig {
    /// Settings for a chain in `data_dir`, where Solana's tools look first: RPC on
    /// 127.0.0.1:8899, WebSocket on 8900.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            rpc_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 8899)),
            ws_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 8900)),
            slot_ms: 400,
            programs: Vec::new(),
            faucet_lamports: 500_000_000_000_000_000,
            airdrop_lamports_max: 1_000_000_000_000_000,
            blockhash_age_max: BLOCKHASH_AGE_MAX,
            write_hook: None,
        }
    }
}

impl fmt::Debug for ChainConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainConfig")
            .field("data_dir", &self.data_dir)
            .field("rpc_addr", &self.rpc_addr)
            .field("ws_addr", &self.ws_addr)
            .field("slot_ms", &self.slot_ms)
            .field("programs", &self.programs)
            .field("faucet_lamports", &self.faucet_lamports)
            .finish_non_exhaustive()
    }
}
