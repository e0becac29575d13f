//! Making a network on a chain that carries the program: mints, configuration, first funds.
//! Every step looks first, so it can be repeated after a crash.

use crate::connection::Connection;
use crate::error::LedgerError;
use crate::signer::{KeypairFile, Signer};
use crate::token::{
    MINT_BYTES, TOKEN_PROGRAM, associated_account, create_account, create_associated_account,
    initialize_mint, mint_to,
};
use crate::{Ledger, addresses};
use ionet_market_interface::account::Settings;
use ionet_market_interface::instruction::InitConfig;
use ionet_market_interface::{BaseUnits, Bps};
use solana_address::Address;

/// Lamports in a SOL.
const SOL: u64 = 1_000_000_000;
/// What an operator's key gets when it has less than a tenth of it.
const OPERATING_LAMPORTS: u64 = 100 * SOL;
/// Decimals of USDC on Solana.
const USDC_DECIMALS: u8 = 6;
/// Decimals of IO on Solana.
const IO_DECIMALS: u8 = 8;

/// The keys that make a network. The admin is the program's upgrade authority, the
/// configuration's admin and the mints' authority.
#[derive(Debug)]
pub struct NetworkKeys {
    /// See above.
    pub admin: KeypairFile,
    /// The coordinator that is to be funded.
    pub coordinator: KeypairFile,
    /// Whose token accounts take the fees.
    pub fee_owner: KeypairFile,
    /// Address of the USDC mint.
    pub usdc_mint: KeypairFile,
    /// Address of the IO mint.
    pub io_mint: KeypairFile,
}

/// The mints of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkMints {
    /// USDC.
    pub usdc: Address,
    /// IO.
    pub io: Address,
}

/// What a network is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Fee for USDC in basis points.
    pub fee_bps: u16,
    /// Seconds after closing in which served seconds may be claimed.
    pub claim_window_s: u32,
    /// Seconds that a lease's clock must stand before anyone may close it.
    pub grace_s: u32,
    /// Seconds before a supplier's new payout address takes effect.
    pub payout_cooldown_s: u32,
    /// Seconds before new settings take effect.
    pub config_cooldown_s: u32,
    /// Smallest deposit in base units: USDC, IO.
    pub min_deposit: [u64; 2],
}

impl Bootstrap {
    /// A local network: everything as on a public one, but with a claim window of a minute so
    /// that a newcomer sees the last refund.
    pub const LOCAL: Bootstrap = Bootstrap {
        fee_bps: 200,
        claim_window_s: 60,
        grace_s: 600,
        payout_cooldown_s: 86_400,
        config_cooldown_s: 86_400,
        min_deposit: [1_000, 1_000],
    };
}

/// Makes the mints and the configuration if they are not there, and funds the operators' keys
/// from the chain's faucet.
pub async fn bootstrap(
    ledger: &Ledger,
    keys: &NetworkKeys,
    wish: &Bootstrap,
) -> Result<NetworkMints, LedgerError> {
    let connection = ledger.connection();
    for key in [&keys.admin, &keys.coordinator, &keys.fee_owner] {
        if connection.lamports(&key.address()).await? < OPERATING_LAMPORTS / 10 {
            connection.airdrop(&key.address(), OPERATING_LAMPORTS).await?;
        }
    }
    make_mint(connection, &keys.admin, &keys.usdc_mint, USDC_DECIMALS).await?;
    make_mint(connection, &keys.admin, &keys.io_mint, IO_DECIMALS).await?;
    let mints = NetworkMints { usdc: keys.usdc_mint.address(), io: keys.io_mint.address() };
    let config = addresses::config(&ledger.program()).0;
    if connection.account(&config).await?.is_none() {
        let genesis_hash = connection.genesis_hash().await?;
        let settings = Settings {
            fee_bps: Bps(wish.fee_bps),
            reserved: [0; 6],
            claim_window_s: wish.claim_window_s,
            grace_s: wish.grace_s,
            payout_cooldown_s: wish.payout_cooldown_s,
            config_cooldown_s: wish.config_cooldown_s,
            min_deposit: wish.min_deposit.map(BaseUnits),
            admin: keys.admin.address().to_bytes(),
            fee_owner: keys.fee_owner.address().to_bytes(),
            mints: [mints.usdc.to_bytes(), mints.io.to_bytes()],
        };
        let admin = keys.admin.address();
        let args = InitConfig { bump: 0, genesis_hash, settings };
        let ix = ledger.instructions().init_config(&admin, &admin, args);
        connection.send(&[ix], &[&keys.admin]).await?;
    }
    Ok(mints)
}

async fn make_mint(
    connection: &Connection,
    admin: &KeypairFile,
    mint: &KeypairFile,
    decimals: u8,
) -> Result<(), LedgerError> {
    if connection.account(&mint.address()).await?.is_some() {
        return Ok(());
    }
    let rent = connection
        .rpc()
        .get_minimum_balance_for_rent_exemption(MINT_BYTES as usize)
        .await
        .map_err(|e| connection.failed(e))?;
    let (payer, at) = (admin.address(), mint.address());
    let steps = [
        create_account(&payer, &at, rent, MINT_BYTES, &TOKEN_PROGRAM),
        initialize_mint(&at, &payer, decimals),
    ];
    connection.send(&steps, &[admin, mint]).await?;
    Ok(())
}

/// Makes `amount` base units of a development mint for `owner`.
pub async fn mint_tokens(
    connection: &Connection,
    authority: &KeypairFile,
    mint: &Address,
    owner: &Address,
    amount: u64,
) -> Result<(), LedgerError> {
    let (payer, account) = (authority.address(), associated_account(owner, mint));
    let steps =
        [create_associated_account(&payer, owner, mint), mint_to(mint, &account, &payer, amount)];
    connection.send(&steps, &[authority]).await?;
    Ok(())
}
