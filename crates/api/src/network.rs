use ionet_core::{GenesisHash, ProgramId, Wallet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a client must know before it signs anything. A wise client compares the chain's part
/// with what the chain itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Network {
    /// Software version of the coordinator.
    pub version: String,
    /// The chain.
    #[schema(value_type = String)]
    pub genesis: GenesisHash,
    /// The market program.
    #[schema(value_type = String)]
    pub program: ProgramId,
    /// Solana JSON-RPC that the coordinator uses, for clients without one of their own.
    pub rpc_url: String,
    /// WebSocket beside it.
    pub ws_url: String,
    /// Mint of USDC.
    #[schema(value_type = String)]
    pub usdc_mint: Wallet,
    /// Mint of IO.
    #[schema(value_type = String)]
    pub io_mint: Wallet,
    /// The coordinator's on-chain key: leases name it.
    #[schema(value_type = String)]
    pub coordinator: Wallet,
    /// The coordinator's QUIC identity, for devices.
    pub device_endpoint: String,
    /// Socket addresses where devices reach it.
    pub device_addresses: Vec<String>,
    /// Facilitation fee for USDC in basis points.
    pub fee_bps: u16,
    /// Seconds between closing a lease and its last refund.
    pub claim_window_s: u64,
    /// Version of Ray in the default image.
    pub ray_version: String,
    /// Version of Python in the default image.
    pub python_version: String,
}
