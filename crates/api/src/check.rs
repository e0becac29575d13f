//! What renters saw from inside of their containers, handed in and shown.

use ionet_core::{ChainRef, ClusterId, DeviceId, SignatureBytes, Wallet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Largest body of a check that is handed in, in bytes: sixteen members with their proofs.
pub const CHECK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A check as its renter signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedCheck {
    /// The record: the very text that was signed.
    pub record: String,
    /// For which program on which chain it was signed: `genesis` and `program`.
    #[schema(value_type = Object)]
    pub chain: ChainRef,
    /// The renter's signature.
    #[schema(value_type = String)]
    pub signature: SignatureBytes,
}

/// A check that is kept, and what follows from it. `GET /v1/checks/{check}` has its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckSummary {
    /// Its name: the hash of its record, in hex.
    pub check: String,
    /// Of which cluster.
    #[schema(value_type = String)]
    pub cluster: ClusterId,
    /// Its lease.
    #[schema(value_type = String)]
    pub lease: Wallet,
    /// Whose word it is.
    #[schema(value_type = String)]
    pub renter: Wallet,
    /// Unix milliseconds of the check, by the renter's clock.
    pub at_ms: i64,
    /// Unix milliseconds of its coming.
    pub received_ms: i64,
    /// Whether it ran beside a workload: then no figure is too low.
    pub light: bool,
    /// What it says of each device.
    pub devices: Vec<CheckedDevice>,
}

/// What a check says of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckedDevice {
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// One a kind.
    pub figures: Vec<CheckedFigure>,
}

/// One figure of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckedFigure {
    /// What of, with its unit last, as in a device's figures.
    pub name: String,
    /// How much was shown; none: nothing.
    pub value: Option<u64>,
    /// `fine`, `unknown`, `short` or `broken`, against what the network says was sold and not
    /// against the renter's own demands.
    pub outcome: String,
}
