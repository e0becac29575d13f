//! The market program as the coordinator uses it: what the chain says, in the words of
//! `ionet-network`, and each money step, safe to repeat.
//!
//! Every step first reads what the chain already has and does only the rest: after a crash in
//! the middle, the same step again brings the same end. No step retries by itself.

pub(crate) mod receipts;
mod steps;
mod views;

pub use receipts::ReceiptSigner;
pub(crate) use steps::is_fenced;
pub use steps::{BindOutcome, MarketStepError};
pub use views::SeenDevice;
pub(crate) use views::stood_before_s;

use ionet_core::{Asset, ChainRef, GenesisHash, Key32 as _, ProgramId, Wallet};
use ionet_ledger::{Address, KeypairFile, Ledger, LedgerError, Signer as _};
use ionet_network::At;
use std::sync::Arc;

/// The coordinator's hand on the market program.
#[derive(Clone)]
pub struct Market {
    ledger: Arc<Ledger>,
    key: Arc<KeypairFile>,
    chain: ChainRef,
    usdc: Wallet,
    io: Wallet,
    fee_bps: u16,
    claim_window_s: u64,
    min_deposit: [u64; 2],
}

pub(crate) fn address(wallet: &Wallet) -> Address {
    Address::from(wallet.0)
}

impl Market {
    /// Reads the market's configuration and checks that its mints are those of our settings.
    pub async fn open(
        ledger: Ledger,
        key: KeypairFile,
        usdc: Wallet,
        io: Wallet,
    ) -> Result<Self, MarketStepError> {
        let config = ledger.config().await?;
        let genesis = ledger.connection().genesis_hash().await?;
        if config.genesis_hash != genesis {
            return Err(MarketStepError::OtherChain);
        }
        if config.now.mints != [usdc.0, io.0] {
            return Err(MarketStepError::OtherMints);
        }
        let program = ProgramId::from_bytes(ledger.program().to_bytes());
        Ok(Self {
            chain: ChainRef { genesis: GenesisHash(genesis), program },
            fee_bps: config.now.fee_bps.0,
            claim_window_s: u64::from(config.now.claim_window_s),
            min_deposit: config.now.min_deposit.map(|d| d.0),
            ledger: Arc::new(ledger),
            key: Arc::new(key),
            usdc,
            io,
        })
    }

    /// Which market on which chain.
    pub fn chain(&self) -> ChainRef {
        self.chain
    }

    /// The coordinator's on-chain key: leases name it, receipts are signed by it.
    pub fn coordinator(&self) -> Wallet {
        Wallet(self.key.address().to_bytes())
    }

    /// The fee of new leases in `asset`, in basis points.
    pub fn fee_bps(&self, asset: Asset) -> u16 {
        match asset {
            Asset::Usdc => self.fee_bps,
            Asset::Io => 0,
        }
    }

    /// Seconds between closing a lease and its last refund.
    pub fn claim_window_s(&self) -> u64 {
        self.claim_window_s
    }

    /// Smallest deposit in base units of `asset`.
    pub fn min_deposit(&self, asset: Asset) -> u64 {
        match asset {
            Asset::Usdc => self.min_deposit[0],
            Asset::Io => self.min_deposit[1],
        }
    }

    /// The mint of an asset.
    pub fn mint(&self, asset: Asset) -> Wallet {
        match asset {
            Asset::Usdc => self.usdc,
            Asset::Io => self.io,
        }
    }

    fn asset(&self, mint: &[u8; 32]) -> Option<Asset> {
        [Asset::Usdc, Asset::Io].into_iter().find(|asset| self.mint(*asset).0 == *mint)
    }

    /// The chain's own clock.
    pub async fn clock(&self) -> Result<At, LedgerError> {
        Ok(At::from_seconds(self.ledger.connection().clock().await?))
    }

    /// The coordinator's key.
    pub(crate) fn key(&self) -> &KeypairFile {
        &self.key
    }

    /// The client underneath.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Signs receipts.
    pub fn receipts(&self) -> ReceiptSigner {
        ReceiptSigner::new(Arc::clone(&self.key), self.chain)
    }
}
