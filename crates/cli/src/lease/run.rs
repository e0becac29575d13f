//! Carries plans out: shows them, asks, sends, and goes around what is refused.

use super::act::{Act, Hands, for_whom};
use super::book::Book;
use super::market::Market;
use super::plan::{Plan, Wait};
use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use base64::Engine as _;
use ionet_core::{ClusterId, rfc3339};
use ionet_ledger::interface::ED25519_PROGRAM;
use ionet_ledger::{Address, Instruction, KeypairFile, LedgerError, Signer, wire};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Lamports that the chain takes for each signature, those of receipts included.
const LAMPORTS_PER_SIGNATURE: u64 = 5_000;
/// Lamports in a SOL.
const SOL: u64 = 1_000_000_000;

/// Options of every command that signs.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct How {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Show the transactions and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Key that acts, such as a session key, where it is not the wallet, which pays
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Offer so much for each compute unit, where the chain is busy
    #[arg(long, value_name = "MICROLAMPORTS")]
    priority_fee: Option<u64>,
}

/// The keys at hand.
pub(crate) struct Keys {
    payer: KeypairFile,
    actor: Option<KeypairFile>,
    price: Option<u64>,
}

impl Keys {
    /// The wallet, and the key that `how` names.
    pub(crate) fn load(context: &Context, how: &How) -> Result<Self> {
        let actor = how.key.as_deref().map(KeypairFile::load).transpose()?;
        Ok(Self { payer: context.key()?, actor, price: how.priority_fee })
    }

    /// Who pays and who acts.
    pub(crate) fn hands(&self) -> Hands {
        let payer = self.payer.address();
        let actor = self.actor.as_ref().map_or(payer, |key| key.address());
        Hands { payer, actor, price: self.price }
    }

    fn signers(&self) -> Vec<&dyn Signer> {
        let payer: &dyn Signer = &self.payer;
        std::iter::once(payer).chain(self.actor.as_ref().map(|key| key as &dyn Signer)).collect()
    }
}

/// A lease with what is to be done to it.
pub(crate) struct Task {
    /// The lease.
    pub(crate) book: Book,
    /// What is to be done.
    pub(crate) plan: Plan,
}

#[derive(Serialize)]
struct Done {
    what: String,
    helps: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Transaction>,
}

#[derive(Serialize)]
struct Transaction {
    bytes: usize,
    accounts: usize,
    signatures: usize,
    /// The message with a blockhash of zeros, in base64.
    message: String,
}

#[derive(Serialize)]
struct Report {
    lease: String,
    cluster: ClusterId,
    state: &'static str,
    steps: Vec<Done>,
    waits: Vec<Wait>,
    notes: Vec<String>,
}

/// Shows what is to be done, asks, does it, and tells what came of it.
pub(crate) async fn carry_out(
    context: &Context,
    market: &Market,
    tasks: Vec<Task>,
    keys: &Keys,
    how: &How,
) -> Result<()> {
    let hands = keys.hands();
    let sender = Sender { market, keys, hands };
    let tasks: Vec<Task> = tasks.into_iter().map(|task| sender.fitted(task)).collect();
    let count: usize = tasks.iter().map(|task| task.plan.acts.len()).sum();
    if count == 0 || how.dry_run {
        let reports: Vec<_> = tasks.iter().map(|task| sender.planned(task, true)).collect();
        return answer(context, &reports, if how.dry_run { "nothing was sent" } else { "" });
    }
    for task in &tasks {
        context.out.say(render(&sender.planned(task, false), ""));
    }
    let cost = sender.cost(&tasks);
    context.out.say(cost.text(&hands.payer, count));
    sender.can_pay(&cost).await?;
    context.out.confirm(&format!("Send {}?", transactions(count)), how.yes)?;
    sender.send_all(context, &tasks).await
}

struct Cost {
    fees: u64,
    rents: u64,
    owners: BTreeSet<Address>,
}

impl Cost {
    fn text(&self, payer: &Address, count: usize) -> String {
        let sol = |lamports: u64| format!("{}.{:09} SOL", lamports / SOL, lamports % SOL);
        let mut text = format!(
            "{}; the wallet {payer} pays {} in fees of the chain",
            transactions(count),
            sol(self.fees)
        );
        if self.owners.len() == 1 && self.owners.contains(payer) {
            let rent = sol(self.rents);
            text.push_str(&format!(
                ", and {rent} of rent for its own token account, which is missing"
            ));
        } else if !self.owners.is_empty() {
            let who: Vec<_> = self.owners.iter().take(3).map(Address::to_string).collect();
            let more = self.owners.len().saturating_sub(who.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text.push_str(&format!(
                ", and {} of rent for missing token accounts of {}{more}",
                sol(self.rents),
                who.join(", ")
            ));
        }
        text
    }
}

/// The most lamports that an offered price comes to: the chain counts the units that were asked
/// for, by default so many an instruction. Rounded up, against the payer.
fn priority(price: u64, instructions: usize) -> u64 {
    const UNITS_PER_INSTRUCTION: u64 = 200_000;
    const MICROLAMPORTS: u64 = 1_000_000;
    let units = UNITS_PER_INSTRUCTION.saturating_mul(instructions as u64);
    price.saturating_mul(units).div_ceil(MICROLAMPORTS)
}

struct Sender<'a> {
    market: &'a Market,
    keys: &'a Keys,
    hands: Hands,
}

impl Sender<'_> {
    fn instructions(&self, act: &Act, book: &Book) -> Vec<Instruction> {
        let genesis = &self.market.config.genesis_hash;
        act.instructions(&self.market.ledger, genesis, book, &self.hands)
    }

    fn fitted(&self, task: Task) -> Task {
        let Task { book, mut plan } = task;
        let (ledger, genesis) = (&self.market.ledger, &self.market.config.genesis_hash);
        let acts = std::mem::take(&mut plan.acts);
        plan.acts =
            acts.into_iter().flat_map(|a| a.fitted(ledger, genesis, &book, &self.hands)).collect();
        Task { book, plan }
    }

    /// The plan as a report; `whole` with its transactions.
    fn planned(&self, task: &Task, whole: bool) -> Report {
        let steps = task.plan.acts.iter().map(|act| {
            let wire = wire(&self.instructions(act, &task.book), &self.hands.payer);
            let transaction = Transaction {
                bytes: wire.bytes,
                accounts: wire.accounts,
                signatures: wire.signatures,
                message: base64::engine::general_purpose::STANDARD.encode(&wire.message),
            };
            done(act, &task.book, None, None, whole.then_some(transaction))
        });
        report(task, steps.collect())
    }

    fn cost(&self, tasks: &[Task]) -> Cost {
        let mut cost = Cost { fees: 0, rents: 0, owners: BTreeSet::new() };
        let mut made = BTreeSet::new();
        for task in tasks {
            for act in &task.plan.acts {
                let list = self.instructions(act, &task.book);
                let receipts =
                    list.iter().filter(|ix| ix.program_id.to_bytes() == ED25519_PROGRAM).count();
                let signatures = wire(&list, &self.hands.payer).signatures + receipts;
                let offered = self.hands.price.map_or(0, |price| priority(price, list.len()));
                let fee = LAMPORTS_PER_SIGNATURE * signatures as u64;
                cost.fees = cost.fees.saturating_add(fee).saturating_add(offered);
                for owner in act.accounts_made(&task.book) {
                    if made.insert((owner, task.book.lease.mint)) {
                        cost.rents = cost.rents.saturating_add(self.market.account_rent);
                        cost.owners.insert(owner);
                    }
                }
            }
        }
        cost
    }

    async fn can_pay(&self, cost: &Cost) -> Result<()> {
        let payer = self.hands.payer;
        let held = self.market.ledger.connection().lamports(&payer).await?;
        let needed = cost.fees.saturating_add(cost.rents);
        if held >= needed {
            return Ok(());
        }
        let sol = |lamports: u64| format!("{}.{:09}", lamports / SOL, lamports % SOL);
        let text = format!(
            "the wallet {payer} has {} SOL, and {} are needed; nothing was sent",
            sol(held),
            sol(needed)
        );
        Err(Failure::new(Kind::Money, text)
            .hint("send it a little SOL, or pay with another wallet: --wallet"))
    }

    /// Sends everything. What the chain refuses is told, and the rest goes on.
    async fn send_all(&self, context: &Context, tasks: &[Task]) -> Result<()> {
        let mut reports = Vec::new();
        let (mut sent, mut refused) = (0, 0);
        for task in tasks {
            let mut steps = Vec::new();
            let mut broken = None;
            for act in &task.plan.acts {
                // What is not paid yet keeps the lease: no use in trying to remove it.
                if matches!(act, Act::ReclaimLease) && steps.iter().any(failed) {
                    let why = "not tried: something before it was refused".to_owned();
                    steps.push(done(act, &task.book, None, Some(why), None));
                    continue;
                }
                if let Err(error) = self.send(context, act, &task.book, &mut steps).await {
                    broken = Some(error);
                    break;
                }
            }
            sent += steps.iter().filter(|step| step.signature.is_some()).count();
            refused += steps.iter().filter(|step| failed(step)).count();
            reports.push(report(task, steps));
            if let Some(error) = broken {
                return Err(broken_off(error, sent, &reports));
            }
        }
        if refused > 0 {
            return Err(some_refused(context, sent, refused, &reports));
        }
        answer(context, &reports, "")
    }

    /// Sends one act; where the chain refuses it, each half by itself, so that one bad line
    /// keeps nobody else's money. An error means that the chain cannot be reached any more.
    async fn send(
        &self,
        context: &Context,
        act: &Act,
        book: &Book,
        steps: &mut Vec<Done>,
    ) -> Result<(), LedgerError> {
        let mut waiting = vec![act.clone()];
        while let Some(act) = waiting.pop() {
            let list = self.instructions(&act, book);
            let sent = self.market.ledger.connection().send(&list, &self.keys.signers()).await;
            match sent {
                Ok(signature) => {
                    context.out.say(format!("done: {}", act.what(book)));
                    steps.push(done(&act, book, Some(signature.to_string()), None, None));
                }
                Err(error @ (LedgerError::Market(_) | LedgerError::Refused { .. })) => {
                    match act.parts() {
                        Some([first, second]) => waiting.extend([second, first]),
                        None => {
                            context.out.say(format!("refused: {}: {error}", act.what(book)));
                            steps.push(done(&act, book, None, Some(error.to_string()), None));
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// How many, in words.
fn transactions(count: usize) -> String {
    format!("{count} {}", if count == 1 { "transaction" } else { "transactions" })
}

fn failed(step: &Done) -> bool {
    step.error.is_some()
}

fn done(
    act: &Act,
    book: &Book,
    signature: Option<String>,
    error: Option<String>,
    transaction: Option<Transaction>,
) -> Done {
    Done { what: act.what(book), helps: act.helps(), signature, error, transaction }
}

fn report(task: &Task, steps: Vec<Done>) -> Report {
    Report {
        lease: task.book.address.to_string(),
        cluster: task.book.cluster(),
        state: task.book.state(),
        steps,
        waits: task.plan.waits.clone(),
        notes: task.plan.notes.clone(),
    }
}

fn broken_off(error: LedgerError, sent: usize, reports: &[Report]) -> Failure {
    let mut failure = Failure::from(error);
    failure.message = format!("{}; {} confirmed before", failure.message, transactions(sent));
    failure.hint =
        Some("run the same command again: it reads what is done and does the rest".to_owned());
    failure.detail = serde_json::to_value(reports).ok();
    failure
}

fn some_refused(context: &Context, sent: usize, refused: usize, reports: &[Report]) -> Failure {
    for report in reports {
        context.out.say(render(report, "done"));
    }
    let noun = if refused == 1 { "step" } else { "steps" };
    let sent = transactions(sent);
    let text = format!("the chain refused {refused} {noun}; {sent} confirmed");
    let mut failure = Failure::new(Kind::Money, text)
        .hint("what was refused stands above, with its reason; the rest is done");
    failure.detail = serde_json::to_value(reports).ok();
    failure
}

fn answer(context: &Context, reports: &[Report], last: &str) -> Result<()> {
    context.out.answer(&reports, || {
        let mut text = reports.iter().map(|r| render(r, "nothing to do now")).collect::<Vec<_>>();
        if reports.is_empty() {
            text.push("no lease with anything to do".to_owned());
        }
        if !last.is_empty() {
            text.push(last.to_owned());
        }
        text.join("\n")
    })
}

fn render(report: &Report, empty: &str) -> String {
    let mut text = format!("lease {} of {}\n", report.lease, report.cluster);
    for (n, step) in report.steps.iter().enumerate() {
        text.push_str(&format!("  {}. {} ({})\n", n + 1, step.what, for_whom(step.helps)));
        if let Some(t) = &step.transaction {
            let (bytes, accounts) = (t.bytes, t.accounts);
            text.push_str(&format!("     {bytes} bytes, {accounts} accounts\n"));
        }
        if let Some(signature) = &step.signature {
            text.push_str(&format!("     {signature}\n"));
        }
        if let Some(error) = &step.error {
            text.push_str(&format!("     refused: {error}\n"));
        }
    }
    if report.steps.is_empty() {
        text.push_str(&format!("  {empty}\n"));
    }
    for note in &report.notes {
        text.push_str(&format!("  note: {note}\n"));
    }
    for wait in &report.waits {
        text.push_str(&format!("  from {}: {}\n", rfc3339(wait.from), wait.what));
    }
    text
}
