//! What can go wrong between us and the chain.

use crate::signer::SignerError;
use ionet_market_interface::MarketError;
use solana_address::Address;
use solana_signature::Signature;

/// What can go wrong between us and the chain.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The endpoint does not answer, or answers nonsense.
    #[error("the chain at {url} does not answer")]
    Unavailable {
        /// Where it was looked for.
        url: String,
        /// Why.
        source: Box<solana_rpc_client_api::client_error::Error>,
    },
    /// The market program refused. Nothing was changed.
    #[error("the market program refused: {0}")]
    Market(MarketError),
    /// The chain refused the transaction for another reason. Nothing was changed.
    #[error("the chain refused the transaction: {message}")]
    Refused {
        /// The chain's words.
        message: String,
        /// The program's log, where there is one.
        logs: Vec<String>,
    },
    /// The transaction's blockhash expired before it was seen: it can no longer take effect.
    #[error("the chain did not confirm {signature} in time; it can no longer take effect")]
    Expired {
        /// Of the transaction.
        signature: Signature,
    },
    /// The wallet cannot pay.
    #[error("the wallet {wallet} cannot pay: {what}")]
    Funds {
        /// Whose.
        wallet: Address,
        /// What is missing.
        what: String,
    },
    /// There is no such account.
    #[error("no {kind} at {address}")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// Where.
        address: Address,
    },
    /// An account does not hold what it should.
    #[error("the {kind} at {address} is malformed: {why}")]
    Malformed {
        /// What was looked for.
        kind: &'static str,
        /// Where.
        address: Address,
        /// What is wrong with it.
        why: String,
    },
    /// A transaction of ours would not fit the network's packet.
    #[error(
        "a transaction of {bytes} bytes is over the limit of {max}",
        max = crate::TRANSACTION_BYTES_MAX
    )]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// The chain has no block where there must be one: it stands still, or the endpoint has
    /// forgotten it.
    #[error("the chain shows no block at slot {slot}")]
    NoBlock {
        /// Where it was looked for.
        slot: u64,
    },
    /// The signer failed.
    #[error(transparent)]
    Signer(SignerError),
}

impl LedgerError {
    /// Whether trying the same again later may work.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Expired { .. } | Self::NoBlock { .. })
    }

    /// The market program's own reason, where it refused.
    pub fn market(&self) -> Option<MarketError> {
        match self {
            Self::Market(error) => Some(*error),
            _ => None,
        }
    }
}
