use ionet_core::{SignatureBytes, Wallet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// See and change the wallet's clusters.
    Clusters,
    /// See the wallet's clusters.
    ClustersRead,
    /// Reach into clusters: tunnel, logs, exec, the Ray token.
    Access,
    /// Drain the wallet's devices.
    Devices,
}

/// "Let me sign in."
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// Who.
    #[schema(value_type = String)]
    pub wallet: Wallet,
    /// For what; empty: everything but nothing that moves money, which only the chain does.
    #[serde(default)]
    pub scopes: Vec<Scope>,
}

/// A message for the wallet to sign, in the Sign-In-With-Solana form.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Challenge {
    /// The exact text.
    pub message: String,
    /// Unix seconds.
    pub expires_at: i64,
}

/// The signed message.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The text as it was given.
    pub message: String,
    /// The wallet's signature over it, base58.
    #[schema(value_type = String)]
    pub signature: SignatureBytes,
}

/// A short-lived bearer token. It speaks for a wallet towards this coordinator only: it can
/// neither spend nor speak for a device.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// For the `Authorization: Bearer` header.
    pub token: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Unix seconds.
    pub expires_at: i64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}
