//! `ionet lease list`, and how leases of a wallet are found on the chain.

use super::LEASES_MAX;
use super::book::{Book, due, state};
use super::market::{Market, text};
use crate::context::{Context, parse_wallet};
use crate::failure::Result;
use crate::output::number;
use crate::wallet::address_of;
use ionet_core::{ClusterId, Wallet, rfc3339};
use ionet_ledger::Address;
use ionet_ledger::interface::account::{Device, Lease, LeaseState};
use serde::Serialize;
use std::collections::BTreeSet;

/// Most devices whose lines are looked for one by one: each takes two dozen questions to the
/// chain. A supplier of more is found through the addresses that it is paid at.
const DEVICES_SEARCHED_MAX: usize = 8;
/// Most addresses that are looked for, the wallet itself first: a supplier has a few at most.
const OWNERS_SEARCHED_MAX: usize = 32;

/// Options of `lease list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Leases with lines of your devices, or that pay you
    #[arg(long)]
    supplier: bool,
    /// Of another wallet
    #[arg(long, value_name = "ADDRESS")]
    of: Option<String>,
}

#[derive(Serialize)]
struct Row {
    lease: String,
    cluster: ClusterId,
    role: &'static str,
    state: &'static str,
    asset: String,
    deposit: u64,
    in_vault: u64,
    lines: Option<usize>,
    owed: Option<u64>,
    due: Option<u64>,
    until: i64,
    #[serde(skip)]
    text: [String; 2],
}

/// Where a supplier's money is.
pub(crate) struct Supplied {
    /// Leases with a line of it.
    pub(crate) leases: BTreeSet<Address>,
    /// Its devices.
    pub(crate) devices: Vec<Device>,
}

/// Leases as books, and how many were left off.
pub(crate) struct Found {
    /// Read.
    pub(crate) books: Vec<Book>,
    left_off: usize,
}

impl Found {
    /// Says that there are more.
    pub(crate) fn say_left_off(&self, context: &Context) {
        if self.left_off > 0 {
            context.out.say(format!("{} leases more: run it again for the rest", self.left_off));
        }
    }
}

/// Finds the leases that pay `wallet`, its devices' present payout owners, or that hold a line
/// of one of its devices.
pub(crate) async fn supplied_by(market: &Market, wallet: &Address) -> Result<Supplied> {
    let devices = market.ledger.devices_of_supplier(wallet).await?;
    let next = |device: &Device| device.payout_next != [0; 32];
    let owners: BTreeSet<Address> = devices
        .iter()
        .map(|device| Address::from(device.payout_owner))
        .chain(devices.iter().filter(|d| next(d)).map(|d| Address::from(d.payout_next)))
        .filter(|owner| owner != wallet)
        .collect();
    let mut leases = BTreeSet::new();
    for owner in std::iter::once(wallet).chain(&owners).take(OWNERS_SEARCHED_MAX) {
        leases.extend(market.ledger.leases_paying(owner).await?);
    }
    // Lines keep the owner of their binding; those of an older one are found by their device.
    let bound: Vec<&Device> = devices.iter().filter(|d| d.units_bound > 0).collect();
    if bound.len() <= DEVICES_SEARCHED_MAX {
        for device in bound {
            leases.extend(market.ledger.leases_of_device(&device.device).await?);
        }
    }
    Ok(Supplied { leases, devices })
}

/// The books of those leases.
pub(crate) async fn supplied(market: &Market, wallet: &Address) -> Result<Found> {
    let Supplied { leases, devices } = supplied_by(market, wallet).await?;
    let left_off = leases.len().saturating_sub(LEASES_MAX);
    let some: Vec<Address> = leases.into_iter().take(LEASES_MAX).collect();
    let mut books = Vec::new();
    for (address, lease) in some.iter().zip(market.ledger.leases(&some).await?) {
        // Reclaimed since the search.
        let Some(lease) = lease else { continue };
        let book = Book::read_all(market, *address, lease, &devices).await?;
        // Somebody else's line, where the payout owner is shared.
        if book.lines().any(|line| book.is_mine(line, wallet)) {
            books.push(book);
        }
    }
    Ok(Found { books, left_off })
}

/// Does it.
pub(super) async fn run(context: &Context, program: Option<&str>, args: ListArgs) -> Result<()> {
    let wallet = match &args.of {
        Some(text) => parse_wallet(text)?,
        None => context.wallet()?,
    };
    let wallet = address_of(&wallet);
    let market = Market::open(context, program).await?;
    let rows = if args.supplier {
        let found = supplied(&market, &wallet).await?;
        found.say_left_off(context);
        found.books.iter().map(|book| as_supplier(book, &wallet)).collect()
    } else {
        let mut found = market.ledger.leases_of_renter(&wallet).await?;
        found.sort_by_key(|(_, lease)| lease.counter);
        let row = |(address, lease): &(Address, Lease)| as_renter(&market, address, lease);
        found.iter().map(row).collect::<Result<Vec<_>>>()?
    };
    context.out.answer(&rows, || render(context, &rows, args.supplier))
}

/// What is in a lease's vault, strangers' gifts aside.
pub(crate) fn in_vault(lease: &Lease) -> u64 {
    let out = [lease.paid, lease.refunded, lease.fees_swept];
    let out = out.iter().fold(0u64, |sum, part| sum.saturating_add(part.get()));
    lease.deposit.get().saturating_sub(out)
}

/// What happens next by itself, and when.
fn until(lease: &Lease, now: i64) -> (i64, String) {
    match lease.state {
        LeaseState::Open => {
            let at = lease.clock().runs_until().0;
            let words = if at > now { "money ends" } else { "clock stands since" };
            (at, format!("{words} {}", rfc3339(at)))
        }
        LeaseState::Closed => {
            let at = lease.claims_until().0;
            let words = if at >= now { "claims until" } else { "to finalize since" };
            (at, format!("{words} {}", rfc3339(at)))
        }
        LeaseState::Finalized => (lease.closed_at.0, "to be removed".to_owned()),
    }
}

fn as_renter(market: &Market, address: &Address, lease: &Lease) -> Result<Row> {
    let asset = market.asset(address, lease)?;
    let (until, words) = until(lease, market.now.0);
    Ok(Row {
        lease: address.to_string(),
        cluster: ClusterId::of_lease(&Wallet(address.to_bytes())),
        role: "renter",
        state: state(lease.state),
        asset: asset.to_string().to_lowercase(),
        deposit: lease.deposit.get(),
        in_vault: in_vault(lease),
        lines: None,
        owed: None,
        due: None,
        until,
        text: [text(asset, in_vault(lease)), words],
    })
}

fn as_supplier(book: &Book, wallet: &Address) -> Row {
    let mine: Vec<_> = book.lines().filter(|line| book.is_mine(line, wallet)).collect();
    let owed = mine.iter().map(|l| l.line.owed().map_or(0, |owed| owed.get()));
    let owed = owed.fold(0, u64::saturating_add);
    let due = mine.iter().map(|line| due(line)).fold(0, u64::saturating_add);
    let (until, words) = until(&book.lease, book.now.0);
    Row {
        lease: book.address.to_string(),
        cluster: book.cluster(),
        role: "supplier",
        state: book.state(),
        asset: book.asset.to_string().to_lowercase(),
        deposit: book.lease.deposit.get(),
        in_vault: in_vault(&book.lease),
        lines: Some(mine.len()),
        owed: Some(owed),
        due: Some(due),
        until,
        text: [book.text(due), words],
    }
}

fn render(context: &Context, rows: &[Row], supplier: bool) -> String {
    if rows.is_empty() && supplier {
        return "no lease pays this wallet".to_owned();
    }
    if rows.is_empty() {
        return "this wallet rents nothing; --supplier lists what pays it".to_owned();
    }
    let money = if supplier { "to draw" } else { "in the vault" };
    let mut table = context.out.table(["lease", "cluster", "state", money, "next"]);
    for row in rows {
        table.add_row([
            row.lease.clone().into(),
            row.cluster.to_string().into(),
            row.state.into(),
            number(&row.text[0]),
            row.text[1].clone().into(),
        ]);
    }
    table.to_string()
}
