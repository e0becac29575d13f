//! The market program that these commands speak to, and what is checked before it is believed.

use crate::context::{Context, parse_wallet};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::wallet::address_of;
use ionet_core::{Amount, Asset, ChainRef, GenesisHash, ProgramId};
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::{Config, Lease};
use ionet_ledger::token::{MINT_BYTES, TOKEN_PROGRAM};
use ionet_ledger::{Address, Found, Ledger, LedgerError};

/// Bytes that a token account rents.
const TOKEN_ACCOUNT_BYTES: usize = ionet_ledger::token::TOKEN_ACCOUNT_BYTES;

/// A market program on a chain. Both were checked to belong together.
pub(crate) struct Market {
    /// Its client.
    pub(crate) ledger: Ledger,
    /// Its settings.
    pub(crate) config: Config,
    /// The chain's own clock when this was read.
    pub(crate) now: Timestamp,
    /// Lamports of rent for one token account.
    pub(crate) account_rent: u64,
}

impl Market {
    /// The program named by flag or settings, else this release's own.
    pub(crate) async fn open(context: &Context, program: Option<&str>) -> Result<Self> {
        let ledger = match program {
            Some(text) => Ledger::connect_to(context.rpc_url(), address_of(&parse_wallet(text)?)),
            None => crate::wallet::ledger(context)?,
        };
        let url = context.rpc_url();
        let genesis = ledger.connection().genesis_hash().await?;
        let config = ledger.config().await.map_err(|error| no_market(error, &ledger, url))?;
        same_chain(&ledger, &config, genesis, context)?;
        check_decimals(&ledger, &config).await?;
        let now = Timestamp(ledger.connection().clock().await?);
        let rent = ledger
            .connection()
            .rpc()
            .get_minimum_balance_for_rent_exemption(TOKEN_ACCOUNT_BYTES)
            .await
            .or_fail(Kind::Unreachable, format!("the chain at {url}"))?;
        Ok(Self { ledger, config, now, account_rent: rent })
    }

    /// What signed statements must name.
    pub(crate) fn chain(&self) -> ChainRef {
        ChainRef {
            genesis: GenesisHash(self.config.genesis_hash),
            program: ProgramId(self.ledger.program().to_bytes()),
        }
    }

    /// What a lease is paid in.
    pub(crate) fn asset(&self, address: &Address, lease: &Lease) -> Result<Asset> {
        let [usdc, io] = self.config.now.mints;
        match lease.mint {
            mint if mint == usdc => Ok(Asset::Usdc),
            mint if mint == io => Ok(Asset::Io),
            _ => Err(Failure::refused(format!(
                "the lease {address} is paid in a mint that the program does not allow"
            ))),
        }
    }
}

/// `units` of `asset` for people.
pub(crate) fn text(asset: Asset, units: u64) -> String {
    Amount::new(asset, units).to_string()
}

fn no_market(error: LedgerError, ledger: &Ledger, url: &str) -> Failure {
    match error {
        LedgerError::NotFound { .. } => Failure::not_found(format!(
            "there is no market program {} on the chain at {url}, or it was never set up",
            ledger.program()
        ))
        .hint("--rpc names another chain, --program another copy of the program"),
        LedgerError::Malformed { .. } => Failure::refused(format!(
            "what {url} answers for the market program {} makes no sense: {error}",
            ledger.program()
        ))
        .hint("--program names the program, --rpc another endpoint; nothing was signed"),
        other => other.into(),
    }
}

/// A program that was set up for another chain is a copy in the wrong place: statements that
/// are signed for it would hold elsewhere.
fn same_chain(
    ledger: &Ledger,
    config: &Config,
    genesis: [u8; 32],
    context: &Context,
) -> Result<()> {
    let (found, named) = (GenesisHash(genesis), GenesisHash(config.genesis_hash));
    if found != named {
        return Err(Failure::new(
            Kind::Auth,
            format!(
                "the market program {} was set up for the chain {named}, but {} serves the chain \
                 {found}; nothing was signed",
                ledger.program(),
                context.rpc_url()
            ),
        )
        .hint("name that chain's endpoint with --rpc"));
    }
    match &context.settings.genesis {
        Some(agreed) if *agreed != found.to_string() => Err(Failure::new(
            Kind::Auth,
            format!(
                "{} serves the chain {found}, but {} says to sign for {agreed} only; nothing was \
                 signed",
                context.rpc_url(),
                context.home.config().display()
            ),
        )
        .hint("name that chain's endpoint with --rpc, or remove `genesis` from the settings")),
        _ => Ok(()),
    }
}

/// Amounts are shown and read with the decimals that this release knows: they must be the mints'.
async fn check_decimals(ledger: &Ledger, config: &Config) -> Result<()> {
    const DECIMALS_AT: usize = 44;
    let mints = config.now.mints;
    let addresses = mints.map(Address::from);
    let found = ledger.connection().found(&addresses).await?;
    for ((asset, mint), found) in [Asset::Usdc, Asset::Io].into_iter().zip(mints).zip(found) {
        if mint == [0; 32] {
            continue; // not set yet: no lease can be paid in it
        }
        let is_mint =
            |found: &Found| found.owner == TOKEN_PROGRAM && found.data.len() as u64 == MINT_BYTES;
        let decimals = found.filter(is_mint).map(|found| u32::from(found.data[DECIMALS_AT]));
        if decimals != Some(asset.decimals()) {
            return Err(Failure::refused(format!(
                "the mint {} is not {asset} as this ionet knows it, with {} decimals",
                Address::from(mint),
                asset.decimals()
            ))
            .hint("update ionet, or check --program; nothing was signed"));
        }
    }
    Ok(())
}
