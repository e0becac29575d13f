//! `ionet lease claim`: a supplier cashes its receipts, alone.

use super::book::Book;
use super::market::Market;
use super::plan::{self, Payouts, Plan};
use super::receipt::{Gain, Useless, check_signature, judge};
use super::run::{How, Keys, Task, carry_out};
use super::source::{self, Source};
use super::steps::resolve;
use super::{LEASES_MAX, LeaseName};
use crate::context::Context;
use crate::failure::{Failure, Result};
use ionet_ledger::{Address, SignedReceipt};
use ionet_wire::message;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Options of `lease claim`.
#[derive(Debug, clap::Args)]
pub(crate) struct ClaimArgs {
    /// Only of this lease: address, or id of its cluster
    lease: Option<LeaseName>,
    /// A worker's state folder, a folder of such, or a file of `worker receipts export`
    /// [default: this home's workers]
    #[arg(long, value_name = "DIR|FILE")]
    receipts: Option<PathBuf>,
    /// Do not make token accounts that are missing
    #[arg(long)]
    no_new_accounts: bool,
    #[command(flatten)]
    how: How,
}

/// A receipt with what it is worth.
struct Judged {
    receipt: message::SignedReceipt,
    worth: Result<Gain, Useless>,
}

/// Does it.
pub(super) async fn run(context: &Context, program: Option<&str>, args: ClaimArgs) -> Result<()> {
    let keys = Keys::load(context, &args.how)?;
    let sources = source::find(context, args.receipts.as_deref())?;
    say_sources(context, &sources);
    let market = Market::open(context, program).await?;
    let actor = keys.hands().actor;
    let only = match args.lease {
        None => None,
        Some(LeaseName::Address(address)) => Some(address),
        // A cluster's id stands in the receipts too, whoever the wallet is.
        Some(LeaseName::Cluster(id)) => match named(&sources, id) {
            Some(address) => Some(address),
            None => Some(resolve(&market, LeaseName::Cluster(id), Some(&actor)).await?),
        },
    };
    let (judged, books) = judge_all(context, &market, &sources, only.as_ref(), &actor).await?;
    say_useless(context, &judged);
    if judged.is_empty() {
        return Err(nothing_of(&sources, only.as_ref()));
    }
    let payouts = Payouts { only: Some(&actor), make_accounts: !args.no_new_accounts };
    let mut tasks = Vec::new();
    for book in books {
        let of_book = |judged: &&Judged| judged.receipt.lease.0 == book.address.to_bytes();
        let gains: Vec<Gain> =
            judged.iter().filter(of_book).filter_map(|j| j.worth.clone().ok()).collect();
        let mut plan = Plan::default();
        plan::claim(&book, &gains, payouts, &mut plan);
        plan.notes.extend(judged.iter().filter(of_book).filter_map(useless_note));
        tasks.push(Task { book, plan });
    }
    if tasks.iter().all(|task| task.plan.acts.is_empty()) && context.out.json {
        return unbooked(context, &judged, tasks, &market, &keys, &args.how).await;
    }
    carry_out(context, &market, tasks, &keys, &args.how).await
}

/// Where nothing can be done, programs still learn why: also for leases that do not exist.
async fn unbooked(
    context: &Context,
    judged: &[Judged],
    tasks: Vec<Task>,
    market: &Market,
    keys: &Keys,
    how: &How,
) -> Result<()> {
    #[derive(Serialize)]
    struct Refused {
        lease: String,
        line: String,
        served_s: u64,
        why: String,
    }
    if !tasks.is_empty() {
        return carry_out(context, market, tasks, keys, how).await;
    }
    let refused = |j: &Judged| {
        Some(Refused {
            lease: j.receipt.lease.to_string(),
            line: format!("{}/{}", j.receipt.page, j.receipt.line),
            served_s: j.receipt.served_s,
            why: j.worth.as_ref().err()?.to_string(),
        })
    };
    let all: Vec<Refused> = judged.iter().filter_map(refused).collect();
    context.out.answer(&serde_json::json!({ "useless": all }), String::new)
}

fn named(sources: &[Source], id: ionet_core::ClusterId) -> Option<Address> {
    let mut all = sources.iter().flat_map(|source| &source.receipts.receipts);
    let found = all.find(|r| ionet_core::ClusterId::of_lease(&r.lease) == id)?;
    Some(Address::from(found.lease.0))
}

fn say_sources(context: &Context, sources: &[Source]) {
    for Source { path, receipts } in sources {
        let count = source::counted(receipts.receipts.len());
        let bad = match receipts.unreadable {
            0 => String::new(),
            n => format!(", and {n} that cannot be read"),
        };
        context.out.say(format!("{}: {count}{bad}", path.display()));
    }
}

/// Judges every receipt, reading each lease once. Of several for one line the best counts.
async fn judge_all(
    context: &Context,
    market: &Market,
    sources: &[Source],
    only: Option<&Address>,
    actor: &Address,
) -> Result<(Vec<Judged>, Vec<Book>)> {
    let chain = market.chain();
    let mut judged = Vec::new();
    let mut by_lease: BTreeMap<Address, Vec<(message::SignedReceipt, SignedReceipt)>> =
        BTreeMap::new();
    for source in sources {
        for receipt in &source.receipts.receipts {
            let lease = Address::from(receipt.lease.0);
            if only.is_some_and(|only| *only != lease) {
                continue;
            }
            match check_signature(receipt, &chain, source.receipts.chain.as_ref()) {
                Ok(signed) => by_lease.entry(lease).or_default().push((receipt.clone(), signed)),
                Err(why) => judged.push(Judged { receipt: receipt.clone(), worth: Err(why) }),
            }
        }
    }
    // Leases of long ago are gone; what is left is worked through in pieces.
    let addresses: Vec<Address> = by_lease.keys().copied().collect();
    let leases = market.ledger.leases(&addresses).await?;
    let devices = market.ledger.devices_of_supplier(actor).await?;
    let mut books = Vec::new();
    for ((address, receipts), lease) in by_lease.into_iter().zip(leases) {
        let book = match lease {
            None => None,
            Some(_) if books.len() >= LEASES_MAX => {
                context.out.say(format!("{address} is left for another run: {LEASES_MAX} at once"));
                continue;
            }
            Some(lease) => Some(Book::read_all(market, address, lease, &devices).await?),
        };
        judge_lease(book.as_ref(), receipts, &mut judged);
        books.extend(book);
    }
    Ok((judged, books))
}

fn judge_lease(
    book: Option<&Book>,
    mut receipts: Vec<(message::SignedReceipt, SignedReceipt)>,
    judged: &mut Vec<Judged>,
) {
    // The longest first, so that it wins.
    receipts.sort_by_key(|(r, _)| (r.page, r.line, std::cmp::Reverse(r.served_s)));
    let mut best: BTreeSet<(u16, u8)> = BTreeSet::new();
    let mut known = BTreeMap::new();
    for (receipt, signed) in receipts {
        let at = (receipt.page, receipt.line);
        let worth = match book {
            None => Err(Useless::NoLease),
            Some(_) if best.contains(&at) => Err(Useless::Older { known: known[&at] }),
            Some(book) => judge(book, &signed),
        };
        if worth.is_ok() {
            best.insert(at);
            known.insert(at, receipt.served_s);
        }
        judged.push(Judged { receipt, worth });
    }
}

fn useless_note(judged: &Judged) -> Option<String> {
    let why = judged.worth.as_ref().err()?;
    let r = &judged.receipt;
    Some(format!("receipt of line {}/{} over {} s: {why}", r.page, r.line, r.served_s))
}

/// Receipts whose lease is not there have no report of their own to stand in.
fn say_useless(context: &Context, judged: &[Judged]) {
    for j in judged {
        let booked =
            !matches!(j.worth, Err(Useless::NoLease | Useless::Signature | Useless::OtherChain(_)));
        if let (false, Some(note)) = (booked, useless_note(j)) {
            context.out.say(format!("lease {}: {note}", j.receipt.lease));
        }
    }
}

fn nothing_of(sources: &[Source], only: Option<&Address>) -> Failure {
    let paths: Vec<_> = sources.iter().map(|s| s.path.display().to_string()).collect();
    let of = only.map_or(String::new(), |lease| format!(" of lease {lease}"));
    Failure::not_found(format!("no receipts{of} in {}", paths.join(", "))).hint(
        "--receipts names another worker's folder or file; `ionet lease list --supplier` \
               shows what pays you without receipts",
    )
}
