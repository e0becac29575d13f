//! `ionet wallet graph` and `ionet wallet link`: who funded whom, read from any Solana endpoint.

use crate::context::{Context, now_unix, parse_wallet};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::wallet::{address_of, ledger, mints};
use ionet_core::{Amount, Asset, Wallet, rfc3339};
use ionet_ledger::transfers::{Bounds, Currency, History, Wanted};
use ionet_ledger::{Address, Ledger, Signature};
use ionet_trust::wallets::{
    Builder, Evidence, Grade, Graph, Link, Node, Reason, Step, Timing, Transfer,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A thousandth of a SOL: a little more than what a wallet must hold to be there at all.
const SOL_FLOOR: u64 = 1_000_000;
/// Tenths of a whole USDC or IO.
const TOKEN_FLOOR_TENTHS: u64 = 1;
/// Wallets that are looked up among the market's suppliers: one request each.
const OWNERS_ASKED_MAX: usize = 64;
/// Transactions that are read of each account.
const TRANSACTIONS_MAX: usize = 100;

/// How far to read.
#[derive(Debug, clap::Args)]
pub(crate) struct Reach {
    /// Steps from wallet to wallet
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=8))]
    depth: u32,
    /// Requests to the endpoint, at the most
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    /// Requests a second; public endpoints allow few
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    per_second: u32,
    /// Pages of 1,000 signatures after which a wallet is too busy to be a person's
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pages: u32,
    /// An exchange or a tap: nothing is linked through it; more than once for several
    #[arg(long, value_name = "ADDRESS")]
    exchange: Vec<String>,
}

/// What was read, and the graph of it.
struct Read {
    graph: Graph,
    history: History,
    assets: Vec<(Asset, Address)>,
    signatures: BTreeMap<[u8; 7], Signature>,
    owners: BTreeSet<Wallet>,
}

/// The cluster of a wallet, and its grade.
pub(crate) async fn graph(context: &Context, wallet: Option<&str>, reach: &Reach) -> Result<()> {
    let wallet = match wallet {
        Some(text) => parse_wallet(text)?,
        None => context.wallet()?,
    };
    let read = read(context, &[wallet], reach).await?;
    let cluster = read.graph.cluster(&wallet).map_or_else(|| vec![wallet], |c| c.wallets);
    // Each link once: where its payer is looked at.
    let of_it = |w: &Wallet| {
        let steps = read.graph.steps_of(w).into_iter();
        steps.filter(|step| step.from == Node::Wallet(*w)).collect::<Vec<_>>()
    };
    let links: Vec<Step> = cluster.iter().flat_map(of_it).collect();
    let grade = read.graph.grade(&wallet, 0);
    let suppliers: Vec<&Wallet> = cluster.iter().filter(|w| read.owners.contains(w)).collect();
    let answer = json!({
        "wallet": wallet,
        "cluster": &cluster,
        "suppliers": &suppliers,
        "hub": read.graph.is_hub(&wallet),
        "links": links.iter().map(|step| read.json(step)).collect::<Vec<_>>(),
        "grade": grade.factor,
        "reasons": reasons(&grade),
        "read": read.coverage(),
    });
    context.out.answer(&answer, || {
        let mut text = format!("wallet   {wallet}\n");
        text.push_str(&format!(
            "cluster  {} wallets, {} of them suppliers\n",
            cluster.len(),
            suppliers.len()
        ));
        text.push_str(&format!("grade    {} of 1000\n", grade.factor));
        reasons(&grade).iter().for_each(|reason| text.push_str(&format!("         {reason}\n")));
        if !links.is_empty() {
            text.push('\n');
        }
        links.iter().for_each(|step| text.push_str(&format!("{}\n", read.words(step))));
        text + &read.caveat()
    })
}

/// The chain of links from one wallet to another.
pub(crate) async fn link(context: &Context, a: &str, b: &str, reach: &Reach) -> Result<()> {
    let (a, b) = (parse_wallet(a)?, parse_wallet(b)?);
    if a == b {
        return Err(Failure::usage("name two different wallets"));
    }
    let read = read(context, &[a, b], reach).await?;
    let path = read.graph.path(&a, &b);
    let steps = path.as_ref().map(|p| p.iter().map(|step| read.json(step)).collect::<Vec<_>>());
    let answer = json!({ "from": a, "to": b, "path": steps, "read": read.coverage() });
    context.out.answer(&answer, || {
        let text = match &path {
            None => format!("nothing links {a}\nwith {b} within what was read\n"),
            Some(path) => path.iter().map(|step| read.words(step) + "\n").collect(),
        };
        text + &read.caveat()
    })
}

async fn read(context: &Context, start: &[Wallet], reach: &Reach) -> Result<Read> {
    let ledger = ledger(context)?;
    // Elsewhere than on our chains there may be no market: SOL alone then.
    let assets = match mints(&ledger).await {
        Ok(mints) => mints.to_vec(),
        Err(e) if e.kind == Kind::Unreachable => return Err(e),
        Err(_) => Vec::new(),
    };
    let mut wanted = vec![Wanted { currency: Currency::Sol, floor: SOL_FLOOR }];
    wanted.extend(assets.iter().map(|(asset, mint)| Wanted {
        currency: Currency::Token(*mint),
        // A tenth of a whole one: exact, since both have decimals.
        floor: TOKEN_FLOOR_TENTHS * 10u64.pow(asset.decimals() - 1),
    }));
    let bounds = Bounds {
        depth: reach.depth,
        pages: reach.pages,
        transactions: TRANSACTIONS_MAX,
        requests: reach.requests,
        pause: Duration::from_secs(1) / reach.per_second,
    };
    let addresses: Vec<Address> = start.iter().map(address_of).collect();
    let exchanges =
        reach.exchange.iter().map(|text| parse_wallet(text)).collect::<Result<Vec<_>>>()?;
    let history = History::read(ledger.connection(), &addresses, &wanted, &bounds).await?;
    let owners =
        if assets.is_empty() { BTreeSet::new() } else { owners(&ledger, &history).await? };

    let floors: Vec<u64> = wanted.iter().map(|w| w.floor).collect();
    let mut builder =
        Builder::new(&floors, now_unix(), history.transfers.len()).or_internal("the graph")?;
    let mut signatures = BTreeMap::new();
    let mut refused = None;
    for t in &history.transfers {
        let asset = wanted.iter().position(|w| w.currency == t.currency);
        let asset = asset.expect("only what is wanted is read") as u8;
        let transaction = *t.signature.as_array().first_chunk().expect("a signature has 64 bytes");
        signatures.insert(transaction, t.signature);
        let (from, to) = (Wallet(t.from.to_bytes()), Wallet(t.to.to_bytes()));
        let (amount, slot, at) = (t.amount, t.slot, t.at);
        let transfer = Transfer { from, to, asset, amount, slot, at, transaction };
        refused = builder.transfer(&transfer).err().or(refused);
    }
    if let Some(why) = refused {
        context.out.say(format!("some transfers are left out: {why}"));
    }
    let busy = history.busy.iter().map(|at| Wallet(at.to_bytes()));
    for hub in busy.chain(exchanges) {
        builder.hub(&hub).or_internal("the graph")?;
    }
    for owner in &owners {
        builder.owner(owner).or_internal("the graph")?;
    }
    Ok(Read { graph: builder.build(), history, assets, signatures, owners })
}

/// Which of the wallets that were read own devices.
async fn owners(ledger: &Ledger, history: &History) -> Result<BTreeSet<Wallet>> {
    let mut owners = BTreeSet::new();
    for address in history.read.iter().take(OWNERS_ASKED_MAX) {
        if !ledger.devices_of_supplier(address).await?.is_empty() {
            owners.insert(Wallet(address.to_bytes()));
        }
    }
    Ok(owners)
}

impl Read {
    fn amount(&self, evidence: &Evidence) -> String {
        match usize::from(evidence.asset).checked_sub(1).and_then(|at| self.assets.get(at)) {
            Some((asset, _)) => Amount::new(*asset, evidence.amount).to_string(),
            None => {
                let (whole, rest) =
                    (evidence.amount / 1_000_000_000, evidence.amount % 1_000_000_000);
                format!("{whole}.{rest:09} SOL")
            }
        }
    }

    fn words(&self, step: &Step) -> String {
        let did = match step.link {
            Link::Fed => "fed",
            Link::Payout => "has its devices paid to",
            Link::Machine => "enrolled devices on",
        };
        let mut text = format!("{} {did} {}", name(&step.from), name(&step.to));
        if let Some(evidence) = &step.evidence {
            let Evidence { slot, at, .. } = evidence;
            let amount = self.amount(evidence);
            text.push_str(&format!("\n    {amount}, slot {slot}, {}", rfc3339(*at)));
            if let Some(signature) = self.signatures.get(&evidence.transaction) {
                text.push_str(&format!("\n    {signature}"));
            }
        }
        text
    }

    fn json(&self, step: &Step) -> Value {
        let kind = match step.link {
            Link::Fed => "fed",
            Link::Payout => "payout",
            Link::Machine => "machine",
        };
        let evidence = step.evidence.as_ref().map(|evidence| {
            let signature = self.signatures.get(&evidence.transaction).map(ToString::to_string);
            let Evidence { amount: base_units, slot, at, .. } = evidence;
            let amount = self.amount(evidence);
            json!({ "amount": amount, "base_units": base_units, "slot": slot, "at": at,
                "signature": signature })
        });
        let (from, to) = (name(&step.from), name(&step.to));
        json!({ "from": from, "to": to, "link": kind, "evidence": evidence })
    }

    fn coverage(&self) -> Value {
        let History { transfers, busy, read, unread, unreadable, requests } = &self.history;
        let busy: Vec<String> = busy.iter().map(ToString::to_string).collect();
        json!({ "transfers": transfers.len(), "wallets": read.len(), "unread": unread.len(),
            "busy": busy, "unreadable_transactions": unreadable, "requests": requests })
    }

    /// What this does not show.
    fn caveat(&self) -> String {
        let History { transfers, busy, read, unread, .. } = &self.history;
        let mut text = format!(
            "\nread {} transfers of {} wallets; {} more were found and not read (--depth, \
             --requests)\n",
            transfers.len(),
            read.len(),
            unread.len()
        );
        for hub in busy {
            text.push_str(&format!("too busy to read, links nobody: {hub}\n"));
        }
        text
    }
}

fn name(node: &Node) -> String {
    match node {
        Node::Wallet(wallet) => wallet.to_string(),
        Node::Machine(hash) => format!("machine {}", hex::encode(&hash[..8])),
    }
}

fn reasons(grade: &Grade) -> Vec<String> {
    let words = |reason: &Reason| match reason {
        Reason::Linked { link, near, others } => {
            let how = match link {
                Link::Fed => "fed by a source that it shares",
                Link::Payout => "paid to an address that it shares",
                Link::Machine => "enrolled on a machine that it shares",
            };
            format!("{how} with other suppliers: {near} within four links, {others} in all")
        }
        Reason::Timing { feeder, timing } => {
            let Timing { feedings, regular, burst, alike } = timing;
            let how = match (regular, burst) {
                (_, Some(most)) => format!("{most} of {feedings} within ten minutes"),
                (true, None) => format!("{feedings} at regular intervals"),
                (false, None) => format!("{feedings}"),
            };
            format!("{feeder} fed others like a machine: {how}, {alike} of one amount")
        }
        Reason::Batch(batch) => {
            format!("paid by an exchange in one batch with {} suppliers", batch.owners - 1)
        }
        Reason::Human(score) => format!("vouched for as a person: {score} of 1000"),
    };
    grade.reasons.iter().map(words).collect()
}
