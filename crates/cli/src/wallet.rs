//! `ionet wallet`: keys and balances.

use crate::context::{Context, parse_wallet, wallet_of};
use crate::failure::{Failure, Kind, Result};
use crate::local::network::LocalNetwork;
use crate::output::number;
use crate::wallet_graph::{self, Reach};
use ionet_core::{Amount, Asset, ClusterId, Wallet};
use ionet_ledger::interface::account::{Lease, LeaseState};
use ionet_ledger::{Address, KeypairFile, Ledger, Signer as _, token};
use serde::Serialize;

/// Lamports in a SOL.
const SOL: u64 = 1_000_000_000;
/// The most that one airdrop of a local network gives: a hundred SOL.
const AIRDROP_SOL_MAX: u64 = 100;

/// Keys and balances.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a new key; never overwrites one
    New,
    /// Balances, open leases, and on a local network the suppliers' earnings
    Show {
        /// Of another wallet.
        address: Option<String>,
    },
    /// Print the address
    Address,
    /// On a local network: get SOL, USDC and IO from the tap
    Airdrop {
        /// SOL.
        #[arg(long, default_value_t = 10,
            value_parser = clap::value_parser!(u64).range(0..=AIRDROP_SOL_MAX))]
        sol: u64,
        /// USDC.
        #[arg(long, default_value = "100")]
        usdc: String,
        /// IO.
        #[arg(long, default_value = "100")]
        io: String,
        /// For another wallet.
        #[arg(long)]
        to: Option<String>,
    },
    /// Send USDC or IO to another wallet
    Send {
        /// To whom.
        to: String,
        /// How much, such as 1.5.
        amount: String,
        /// `usdc` or `io`.
        #[arg(long, default_value = "usdc", value_parser = asset)]
        asset: Asset,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// Who funded whom: the wallets that one hand feeds, and what a wallet counts for
    Graph {
        /// Of another wallet.
        address: Option<String>,
        /// How far to read.
        #[command(flatten)]
        reach: Reach,
    },
    /// What links two wallets, step by step with its evidence
    Link {
        /// The one.
        a: String,
        /// The other.
        b: String,
        /// How far to read.
        #[command(flatten)]
        reach: Reach,
    },
}

/// `usdc` or `io`.
pub(crate) fn asset(text: &str) -> std::result::Result<Asset, String> {
    match text.to_lowercase().as_str() {
        "usdc" => Ok(Asset::Usdc),
        "io" => Ok(Asset::Io),
        _ => Err("known are usdc and io".to_owned()),
    }
}

/// An amount from text that a person wrote.
pub(crate) fn amount(asset: Asset, text: &str) -> Result<Amount> {
    Amount::parse(asset, text).ok_or_else(|| {
        Failure::usage(format!("`{text}` is not an amount of {asset}")).hint(format!(
            "write it as 0.05, with at most {} digits after the point",
            asset.decimals()
        ))
    })
}

/// An address of the chain as a wallet, and back.
pub(crate) fn address_of(wallet: &Wallet) -> Address {
    Address::from(wallet.0)
}

/// Mints of the network's assets, as the chain's own configuration names them.
pub(crate) async fn mints(ledger: &Ledger) -> Result<[(Asset, Address); 2]> {
    let config = ledger.config().await?;
    let [usdc, io] = config.now.mints;
    Ok([(Asset::Usdc, Address::from(usdc)), (Asset::Io, Address::from(io))])
}

/// The ledger of the context's chain and program.
pub(crate) fn ledger(context: &Context) -> Result<Ledger> {
    Ok(match &context.settings.program {
        None => Ledger::connect(context.rpc_url()),
        Some(text) => Ledger::connect_to(context.rpc_url(), address_of(&parse_wallet(text)?)),
    })
}

/// Does it.
pub(crate) async fn run(context: &Context, command: WalletCommand) -> Result<()> {
    match command {
        WalletCommand::New => new(context),
        WalletCommand::Show { address } => show(context, address.as_deref()).await,
        WalletCommand::Address => {
            let wallet = context.wallet()?;
            context.out.answer(&serde_json::json!({ "address": wallet }), || wallet.to_string())
        }
        WalletCommand::Airdrop { sol, usdc, io, to } => {
            let to = match to {
                Some(text) => parse_wallet(&text)?,
                None => context.wallet()?,
            };
            let amounts = [amount(Asset::Usdc, &usdc)?, amount(Asset::Io, &io)?];
            airdrop(context, &to, sol, amounts).await
        }
        WalletCommand::Send { to, amount: text, asset, yes } => {
            let to = parse_wallet(&to)?;
            send(context, &to, amount(asset, &text)?, yes).await
        }
        WalletCommand::Graph { address, reach } => {
            wallet_graph::graph(context, address.as_deref(), &reach).await
        }
        WalletCommand::Link { a, b, reach } => wallet_graph::link(context, &a, &b, &reach).await,
    }
}

fn new(context: &Context) -> Result<()> {
    let key = KeypairFile::create(context.wallet_path())?;
    crate::home::give_to_invoking_user(context.wallet_path());
    let wallet = wallet_of(&key);
    let path = context.wallet_path().display().to_string();
    context.out.answer(&serde_json::json!({ "address": wallet, "path": path }), || {
        format!("{wallet}\nThe key is in {path}: whoever has this file has the money. Copy it.")
    })
}

#[derive(Serialize)]
struct Balance {
    asset: String,
    base_units: u64,
    text: String,
}

#[derive(Serialize)]
struct OpenLease {
    lease: Wallet,
    cluster: ClusterId,
    state: &'static str,
    deposit: u64,
    /// What is still in the vault: the deposit less what was paid out or back.
    escrow: u64,
    text: String,
}

#[derive(Serialize)]
struct Earnings {
    supplier: Wallet,
    balances: Vec<Balance>,
}

#[derive(Serialize)]
struct Shown {
    wallet: Wallet,
    balances: Vec<Balance>,
    leases: Vec<OpenLease>,
    suppliers: Vec<Earnings>,
}

async fn show(context: &Context, address: Option<&str>) -> Result<()> {
    let wallet = match address {
        Some(text) => parse_wallet(text)?,
        None => context.wallet()?,
    };
    let ledger = ledger(context)?;
    let mints = mints(&ledger).await?;
    let mut suppliers = Vec::new();
    if address.is_none()
        && let Some(local) = LocalNetwork::load(&context.home)?
        && local.rpc_url() == context.rpc_url()
    {
        for supplier in local.suppliers() {
            let balances = tokens(&ledger, &supplier, &mints).await?;
            suppliers.push(Earnings { supplier, balances });
        }
    }
    let shown = Shown {
        balances: balances(&ledger, &wallet, &mints).await?,
        leases: leases(&ledger, &wallet, &mints).await?,
        wallet,
        suppliers,
    };
    context.out.answer(&shown, || render(context, &shown))
}

async fn balances(
    ledger: &Ledger,
    wallet: &Wallet,
    mints: &[(Asset, Address); 2],
) -> Result<Vec<Balance>> {
    let lamports = ledger.connection().lamports(&address_of(wallet)).await?;
    let text = format!("{}.{:09} SOL", lamports / SOL, lamports % SOL);
    let mut all = vec![Balance { asset: "sol".into(), base_units: lamports, text }];
    all.extend(tokens(ledger, wallet, mints).await?);
    Ok(all)
}

async fn tokens(
    ledger: &Ledger,
    wallet: &Wallet,
    mints: &[(Asset, Address); 2],
) -> Result<Vec<Balance>> {
    let mut all = Vec::new();
    for (asset, mint) in mints {
        let held = Amount::new(*asset, ledger.tokens(&address_of(wallet), mint).await?);
        all.push(Balance {
            asset: asset.to_string().to_lowercase(),
            base_units: held.base_units,
            text: held.to_string(),
        });
    }
    Ok(all)
}

async fn leases(
    ledger: &Ledger,
    wallet: &Wallet,
    mints: &[(Asset, Address); 2],
) -> Result<Vec<OpenLease>> {
    let mut found = ledger.leases_of_renter(&address_of(wallet)).await?;
    found.sort_by_key(|(_, lease)| lease.counter);
    Ok(found.into_iter().map(|(address, lease)| open_lease(address, &lease, mints)).collect())
}

fn open_lease(address: Address, lease: &Lease, mints: &[(Asset, Address); 2]) -> OpenLease {
    let at = Wallet(address.to_bytes());
    let mint = Address::from(lease.mint);
    let asset = mints.iter().find(|(_, m)| *m == mint).map_or(Asset::Usdc, |(a, _)| *a);
    let out = lease.paid.get() + lease.refunded.get() + lease.fees_swept.get();
    let escrow = lease.deposit.get().saturating_sub(out);
    OpenLease {
        lease: at,
        cluster: ClusterId::of_lease(&at),
        state: match lease.state {
            LeaseState::Open => "open",
            LeaseState::Closed => "closed",
            LeaseState::Finalized => "finalized",
        },
        deposit: lease.deposit.get(),
        escrow,
        text: Amount::new(asset, escrow).to_string(),
    }
}

fn render(context: &Context, shown: &Shown) -> String {
    let out = context.out;
    let mut text = format!("wallet  {}\n\n", shown.wallet);
    let mut table = out.table(["asset", "balance"]);
    for balance in &shown.balances {
        let (value, unit) = balance.text.split_once(' ').unwrap_or((&balance.text, ""));
        table.add_row([unit.into(), number(value)]);
    }
    text.push_str(&format!("{table}\n"));
    if !shown.leases.is_empty() {
        let mut table = out.table(["lease of", "state", "in escrow"]);
        for lease in &shown.leases {
            table.add_row([
                lease.cluster.to_string().into(),
                lease.state.into(),
                number(&lease.text),
            ]);
        }
        text.push_str(&format!("\n{table}\n"));
    }
    if !shown.suppliers.is_empty() {
        let mut table = out.table(["supplier of this network", "USDC", "IO"]);
        for supplier in &shown.suppliers {
            let value =
                |i: usize| supplier.balances[i].text.split(' ').next().unwrap_or("").to_owned();
            table.add_row([
                supplier.supplier.to_string().into(),
                number(value(0)),
                number(value(1)),
            ]);
        }
        text.push_str(&format!("\n{table}\n"));
    }
    text
}

async fn airdrop(context: &Context, to: &Wallet, sol: u64, amounts: [Amount; 2]) -> Result<()> {
    let local = LocalNetwork::load(&context.home)?
        .filter(|l| l.rpc_url() == context.rpc_url())
        .ok_or_else(|| {
            Failure::refused("an airdrop needs the local network of this machine")
                .hint("start one with `ionet up`; elsewhere, buy or earn")
        })?;
    fund(&context.chain(), &local, to, sol, amounts).await?;
    context.out.say(format!("{to} was given {sol} SOL, {}, {}", amounts[0], amounts[1]));
    let text = if *to == context.wallet()? { None } else { Some(to.to_string()) };
    show(context, text.as_deref()).await
}

/// Gives a wallet of a local network its first money.
pub(crate) async fn fund(
    chain: &ionet_ledger::Connection,
    local: &LocalNetwork,
    to: &Wallet,
    sol: u64,
    amounts: [Amount; 2],
) -> Result<()> {
    let address = address_of(to);
    if sol > 0 {
        chain.airdrop(&address, sol.saturating_mul(SOL)).await?;
    }
    let admin = KeypairFile::load(&local.admin_key()).map_err(|e| {
        Failure::from(e).hint("the tap's key is root's: run this with sudo, or as who ran `up`")
    })?;
    for amount in amounts.iter().filter(|a| a.base_units > 0) {
        let mint = address_of(&local.mint(amount.asset)?);
        ionet_ledger::mint_tokens(chain, &admin, &mint, &address, amount.base_units).await?;
    }
    Ok(())
}

async fn send(context: &Context, to: &Wallet, amount: Amount, yes: bool) -> Result<()> {
    let key = context.key()?;
    let ledger = ledger(context)?;
    let mints = mints(&ledger).await?;
    let (_, mint) = mints.iter().find(|(a, _)| *a == amount.asset).expect("both assets are there");
    let held = ledger.tokens(&key.address(), mint).await?;
    if held < amount.base_units {
        let has = Amount::new(amount.asset, held);
        return Err(Failure::new(Kind::Money, format!("the wallet has {has}, not {amount}")));
    }
    context.out.confirm(&format!("Send {amount} to {to}?"), yes)?;
    let from = key.address();
    let owner = address_of(to);
    let decimals = amount.asset.decimals() as u8;
    let steps = [
        token::create_associated_account(&from, &owner, mint),
        token::transfer_checked(
            &token::associated_account(&from, mint),
            mint,
            &token::associated_account(&owner, mint),
            &from,
            amount.base_units,
            decimals,
        ),
    ];
    let signature = ledger.connection().send(&steps, &[&key]).await?;
    let answer = serde_json::json!({ "signature": signature.to_string(), "amount": amount });
    context.out.answer(&answer, || format!("sent {amount} to {to}: {signature}"))
}
