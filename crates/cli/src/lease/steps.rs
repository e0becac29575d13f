//! The commands that sign, one plan each.

use super::book::{Book, gone};
use super::list::{Found, supplied, supplied_by};
use super::market::Market;
use super::plan::{self, Payouts, Plan};
use super::run::{How, Keys, Task, carry_out};
use super::{LEASES_MAX, LeaseName, LinesArgs, OneArgs, Step};
use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use ionet_core::{ClusterId, Wallet};
use ionet_ledger::Address;
use ionet_ledger::interface::account::LeaseState;
use ionet_ledger::token::associated_account;
use std::collections::BTreeSet;

/// Which leases.
#[derive(Debug, clap::Args)]
#[group(id = "which", required = true, multiple = false)]
pub(crate) struct Which {
    /// Address, or id of its cluster
    lease: Option<LeaseName>,
    /// All of yours, as renter or supplier
    #[arg(long)]
    all: bool,
}

/// Options of `lease withdraw`.
#[derive(Debug, clap::Args)]
pub(crate) struct WithdrawArgs {
    #[command(flatten)]
    which: Which,
    /// Pay every supplier, not only yourself
    #[arg(long)]
    everyone: bool,
    /// Do not make token accounts that are missing
    #[arg(long)]
    no_new_accounts: bool,
    #[command(flatten)]
    how: How,
}

/// Options of `lease settle`.
#[derive(Debug, clap::Args)]
pub(crate) struct SettleArgs {
    #[command(flatten)]
    which: Which,
    /// Do not make token accounts that are missing
    #[arg(long)]
    no_new_accounts: bool,
    #[command(flatten)]
    how: How,
}

/// Options of `lease top-up`.
#[derive(Debug, clap::Args)]
pub(crate) struct TopUpArgs {
    /// Address, or id of its cluster.
    lease: LeaseName,
    /// How much, such as 0.5
    #[arg(long)]
    amount: String,
    #[command(flatten)]
    how: How,
}

/// Finds a lease by its name.
pub(crate) async fn resolve(
    market: &Market,
    name: LeaseName,
    wallet: Option<&Address>,
) -> Result<Address> {
    let id = match name {
        LeaseName::Address(address) => return Ok(address),
        LeaseName::Cluster(id) => id,
    };
    let names = |address: &Address| ClusterId::of_lease(&Wallet(address.to_bytes())) == id;
    if let Some(wallet) = wallet {
        let rented = market.ledger.leases_of_renter(wallet).await?;
        if let Some((address, _)) = rented.iter().find(|(address, _)| names(address)) {
            return Ok(*address);
        }
        let supplied = supplied_by(market, wallet).await?;
        if let Some(address) = supplied.leases.into_iter().find(names) {
            return Ok(address);
        }
    }
    Err(Failure::not_found(format!(
        "no lease of {id} on this chain is this wallet's, as renter or supplier: never opened, \
         another wallet's, or settled and removed"
    ))
    .hint("name the lease by its address, or the wallet with --wallet"))
}

async fn opened(context: &Context, program: Option<&str>, how: &How) -> Result<(Market, Keys)> {
    let keys = Keys::load(context, how)?;
    Ok((Market::open(context, program).await?, keys))
}

async fn book(market: &Market, keys: &Keys, name: LeaseName) -> Result<Book> {
    let actor = keys.hands().actor;
    let address = resolve(market, name, Some(&actor)).await?;
    Book::read(market, address, Some(&actor)).await
}

/// A command with one lease and one thing to do.
pub(super) async fn one(
    context: &Context,
    program: Option<&str>,
    args: OneArgs,
    step: Step,
) -> Result<()> {
    let (market, keys) = opened(context, program, &args.how).await?;
    let book = book(&market, &keys, args.lease).await?;
    let plan = match step {
        Step::Close => plan::close(&book, &keys.hands().actor)?,
        Step::Refund => plan::refund(&book)?,
        Step::Finalize => plan::finalize(&book)?,
        Step::Reclaim => plan::reclaim_only(&book)?,
        Step::SweepFees => {
            let mut plan = Plan::default();
            plan::sweep(&book, true, &mut plan);
            plan
        }
    };
    carry_out(context, &market, vec![Task { book, plan }], &keys, &args.how).await
}

/// `lease end` and `lease reject`.
pub(super) async fn lines(
    context: &Context,
    program: Option<&str>,
    args: LinesArgs,
    reject: bool,
) -> Result<()> {
    let (market, keys) = opened(context, program, &args.how).await?;
    let book = book(&market, &keys, args.lease).await?;
    let plan = super::lines::plan(&book, &keys.hands().actor, &args.lines, reject)?;
    carry_out(context, &market, vec![Task { book, plan }], &keys, &args.how).await
}

/// `lease withdraw`.
pub(super) async fn withdraw(
    context: &Context,
    program: Option<&str>,
    args: WithdrawArgs,
) -> Result<()> {
    let (market, keys) = opened(context, program, &args.how).await?;
    let actor = keys.hands().actor;
    let only = (!args.everyone).then_some(&actor);
    let payouts = Payouts { only, make_accounts: !args.no_new_accounts };
    let all = args.which.all;
    let books = match args.which.lease {
        Some(name) => vec![book(&market, &keys, name).await?],
        None => supplied_books(context, &market, &actor).await?,
    };
    let mut tasks = Vec::new();
    for book in books {
        let mut plan = Plan::default();
        plan::withdraw(&book, payouts, &mut plan);
        let idle = plan.acts.is_empty() && plan.notes.is_empty();
        if idle && all {
            continue;
        }
        if idle {
            plan.notes.push(nothing_due(&book, &actor, args.everyone));
        }
        tasks.push(Task { book, plan });
    }
    carry_out(context, &market, tasks, &keys, &args.how).await
}

fn nothing_due(book: &Book, actor: &Address, everyone: bool) -> String {
    let mine = book.lines().any(|l| book.is_mine(l, actor));
    match (everyone, mine) {
        (true, _) => "every line is paid what was vouched for".to_owned(),
        (false, true) => {
            "your lines are paid what was vouched for; `ionet lease claim` adds what your \
             receipts say"
                .to_owned()
        }
        (false, false) => {
            format!("no line of it pays {actor}; --everyone pays the others what they earned")
        }
    }
}

async fn supplied_books(context: &Context, market: &Market, actor: &Address) -> Result<Vec<Book>> {
    let found = supplied(market, actor).await?;
    found.say_left_off(context);
    let Found { books, .. } = found;
    Ok(books)
}

/// `lease settle`.
pub(super) async fn settle(
    context: &Context,
    program: Option<&str>,
    args: SettleArgs,
) -> Result<()> {
    let (market, keys) = opened(context, program, &args.how).await?;
    let actor = keys.hands().actor;
    let books = match args.which.lease {
        Some(name) => vec![book(&market, &keys, name).await?],
        None => all_books(context, &market, &actor).await?,
    };
    let make_accounts = !args.no_new_accounts;
    let tasks = books
        .into_iter()
        .map(|book| Task { plan: plan::settle(&book, &actor, make_accounts), book })
        .collect();
    carry_out(context, &market, tasks, &keys, &args.how).await
}

/// Leases of a wallet, in either role.
async fn all_books(context: &Context, market: &Market, actor: &Address) -> Result<Vec<Book>> {
    let mut books = supplied_books(context, market, actor).await?;
    let known: BTreeSet<Address> = books.iter().map(|book| book.address).collect();
    let mut rented = market.ledger.leases_of_renter(actor).await?;
    rented.sort_by_key(|(_, lease)| lease.counter);
    let devices = market.ledger.devices_of_supplier(actor).await?;
    for (address, lease) in rented {
        if known.contains(&address) {
            continue;
        }
        if books.len() >= LEASES_MAX {
            context.out.say(format!("more than {LEASES_MAX} leases: run it again for the rest"));
            break;
        }
        books.push(Book::read_all(market, address, lease, &devices).await?);
    }
    Ok(books)
}

/// `lease top-up`.
pub(super) async fn top_up(
    context: &Context,
    program: Option<&str>,
    args: TopUpArgs,
) -> Result<()> {
    let (market, keys) = opened(context, program, &args.how).await?;
    let actor = keys.hands().actor;
    let address = resolve(&market, args.lease, Some(&actor)).await?;
    let lease = market.ledger.lease(&address).await?.ok_or_else(|| gone(&address))?;
    let asset = market.asset(&address, &lease)?;
    let more = crate::wallet::amount(asset, &args.amount)?;
    if more.base_units == 0 {
        return Err(Failure::usage("nothing to add"));
    }
    if lease.state != LeaseState::Open {
        return Err(Failure::refused("the lease is closed: it takes no more money"));
    }
    if market.now >= lease.expires_at {
        return Err(Failure::refused("the lease's time is over: more money would not run it on")
            .hint("`ionet lease close` ends it and refunds what is left"));
    }
    let source = associated_account(&actor, &Address::from(lease.mint));
    let held = market.ledger.token_account(&source).await?.map_or(0, |account| account.amount);
    if held < more.base_units {
        let has = super::market::text(asset, held);
        return Err(Failure::new(Kind::Money, format!("{actor} has {has}, not {more}")));
    }
    let book = Book::read_all(&market, address, lease, &[]).await?;
    let plan = Plan { acts: vec![super::act::Act::TopUp(more.base_units)], ..Plan::default() };
    carry_out(context, &market, vec![Task { book, plan }], &keys, &args.how).await
}
