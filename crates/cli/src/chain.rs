//! `ionet chain`: the embedded chain as a process.

use crate::context::{Context, parse_wallet};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::wallet::address_of;
use ionet_chain::{Chain, ChainConfig, GenesisProgram};
use ionet_ledger::interface::PROGRAM_ID;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The market program's bytecode, as it is committed.
pub(crate) const MARKET_ELF: &[u8] = include_bytes!("../../../programs/market/market.so");

/// The embedded chain.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ChainCommand {
    /// Run it here until Ctrl-C
    Start(StartArgs),
    /// Whether it answers, its slot, clock and programs
    Status,
}

/// Options of `chain start`.
#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// Where its state is
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// JSON-RPC over HTTP
    #[arg(long, default_value = "127.0.0.1:8899")]
    pub(crate) listen: SocketAddr,
    /// JSON-RPC over WebSocket
    #[arg(long, default_value = "127.0.0.1:8900")]
    pub(crate) listen_ws: SocketAddr,
    /// Who may upgrade the market program; only read when the chain is created
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) upgrade_authority: Option<String>,
}

/// Does it.
pub(crate) async fn run(context: &Context, command: ChainCommand) -> Result<()> {
    match command {
        ChainCommand::Start(args) => start(args).await,
        ChainCommand::Status => status(context).await,
    }
}

async fn start(args: StartArgs) -> Result<()> {
    let authority = args.upgrade_authority.as_deref().map(parse_wallet).transpose()?;
    let mut config = ChainConfig::new(args.data_dir);
    config.rpc_addr = args.listen;
    config.ws_addr = args.listen_ws;
    config.programs.push(GenesisProgram {
        id: PROGRAM_ID.into(),
        elf: MARKET_ELF.to_vec(),
        upgrade_authority: authority.as_ref().map(address_of),
    });
    // Opening replays nothing but may read much: not on the threads that serve.
    let chain = tokio::task::spawn_blocking(move || Chain::open(config))
        .await
        .or_internal("chain")?
        .or_fail(Kind::Refused, "chain")?;
    tracing::info!(rpc = %chain.rpc_addr(), ws = %chain.ws_addr(), genesis = %chain.genesis_hash(),
        "chain is open");
    chain.serve(crate::local::stop_signal()).await.or_internal("chain")
}

async fn status(context: &Context) -> Result<()> {
    let ledger = crate::wallet::ledger(context)?;
    let chain = ledger.connection();
    let genesis = ionet_core::GenesisHash(chain.genesis_hash().await?);
    let clock = chain.clock().await?;
    let slot = chain.rpc().get_slot().await.or_fail(Kind::Unreachable, "chain")?;
    let config = match ledger.config().await {
        Ok(config) => Some(config.now),
        Err(ionet_ledger::LedgerError::NotFound { .. }) => None,
        Err(e) => return Err(Failure::from(e)),
    };
    let answer = serde_json::json!({
        "rpc_url": context.rpc_url(), "genesis": genesis, "slot": slot, "clock": clock,
        "program": ledger.program().to_string(),
        "fee_bps": config.map(|c| c.fee_bps), "claim_window_s": config.map(|c| c.claim_window_s),
    });
    context.out.answer(&answer, || {
        let market = match &config {
            Some(c) => format!("fee {}, claim window {} s", c.fee_bps, c.claim_window_s),
            None => "not configured yet".to_owned(),
        };
        format!(
            "chain    {}\ngenesis  {genesis}\nslot     {slot}\nclock    {}\nmarket   {} ({market})",
            context.rpc_url(),
            ionet_core::rfc3339(clock),
            ledger.program(),
        )
    })
}
