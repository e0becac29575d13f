//! `ionet lease show`: what a lease holds, and who can draw what and when.

use super::LeaseName;
use super::book::{Book, Payee, due};
use super::list::in_vault;
use super::market::Market;
use super::steps::resolve;
use crate::context::Context;
use crate::failure::Result;
use crate::output::{duration, number};
use ionet_core::{Amount, ClusterId, DeviceId, rfc3339};
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::{LeaseState, LineState, SessionRights, Vouch};
use ionet_ledger::{Address, PlacedLine, Signer as _};
use serde::Serialize;

#[derive(Serialize)]
struct Shown {
    lease: String,
    cluster: ClusterId,
    state: &'static str,
    close_reason: String,
    renter: String,
    coordinator: String,
    session: Option<String>,
    session_may_close: bool,
    vouch: &'static str,
    you_are: Vec<&'static str>,
    asset: String,
    mint: String,
    vault: String,
    money: Money,
    clock: Clock,
    lines: Vec<Line>,
    parties: Vec<Party>,
    next: Vec<Next>,
}

/// Base units.
#[derive(Serialize)]
struct Money {
    deposit: u64,
    committed: u64,
    left: u64,
    owed: u64,
    paid: u64,
    fees: u64,
    fees_paid: u64,
    refunded: u64,
    refundable: u64,
    in_vault: u64,
}

/// Unix seconds by the chain's clock.
#[derive(Serialize)]
struct Clock {
    now: i64,
    lease_seconds: u64,
    runs: bool,
    money_ends_at: Option<i64>,
    expires_at: i64,
    anyone_closes_at: Option<i64>,
    closed_at: Option<i64>,
    claims_until: Option<i64>,
}

#[derive(Serialize)]
struct Line {
    line: String,
    device: DeviceId,
    payout_owner: String,
    units: u16,
    rate: u64,
    state: &'static str,
    served_s: u64,
    claimable_s: u64,
    owed: u64,
    paid: u64,
    due: u64,
    rejectable_until: Option<i64>,
    yours: bool,
}

#[derive(Serialize)]
struct Party {
    who: String,
    role: &'static str,
    now: u64,
    /// More, at most, by receipts of seconds that nobody vouched for yet.
    by_receipts: u64,
    token_account: &'static str,
}

#[derive(Serialize)]
struct Next {
    command: String,
    what: String,
    helps: &'static str,
    from: i64,
}

/// Does it. Works without a wallet.
pub(super) async fn run(context: &Context, program: Option<&str>, name: LeaseName) -> Result<()> {
    let wallet = context.key().ok().map(|key| key.address());
    let market = Market::open(context, program).await?;
    let address = resolve(&market, name, wallet.as_ref()).await?;
    let book = Book::read(&market, address, wallet.as_ref()).await?;
    let shown = show(&book, wallet.as_ref());
    context.out.answer(&shown, || render(context, &book, &shown))
}

fn show(book: &Book, wallet: Option<&Address>) -> Shown {
    let lease = &book.lease;
    let session = (lease.session != [0; 32]).then(|| Address::from(lease.session).to_string());
    Shown {
        lease: book.address.to_string(),
        cluster: book.cluster(),
        state: book.state(),
        close_reason: format!("{:?}", lease.close_reason),
        renter: book.renter().to_string(),
        coordinator: Address::from(lease.coordinator).to_string(),
        session_may_close: session.is_some() && lease.session_rights.has(SessionRights::CLOSE),
        session,
        vouch: match lease.vouch {
            Vouch::Either => "either",
            Vouch::Coordinator => "coordinator",
            Vouch::Session => "session",
        },
        you_are: roles(book, wallet),
        asset: book.asset.to_string().to_lowercase(),
        mint: Address::from(lease.mint).to_string(),
        vault: Address::from(lease.vault).to_string(),
        money: money(book),
        clock: clock(book),
        lines: book.lines().map(|line| show_line(book, line, wallet)).collect(),
        parties: parties(book),
        next: next(book),
    }
}

fn roles(book: &Book, wallet: Option<&Address>) -> Vec<&'static str> {
    let Some(wallet) = wallet else { return Vec::new() };
    let key = wallet.to_bytes();
    let mut roles = Vec::new();
    if book.lease.renter == key {
        roles.push("renter");
    }
    if book.lease.session == key {
        roles.push("session key");
    }
    if book.lease.coordinator == key {
        roles.push("coordinator");
    }
    if book.lines().any(|line| book.is_mine(line, wallet)) {
        roles.push("supplier");
    }
    roles
}

fn money(book: &Book) -> Money {
    let lease = &book.lease;
    let committed = book.committed();
    let refundable = match lease.state {
        LeaseState::Closed => lease.refundable().get(),
        LeaseState::Open | LeaseState::Finalized => 0,
    };
    Money {
        deposit: lease.deposit.get(),
        committed,
        left: lease.deposit.get().saturating_sub(committed),
        owed: lease.owed.get(),
        paid: lease.paid.get(),
        fees: lease.fees.get(),
        fees_paid: lease.fees_swept.get(),
        refunded: lease.refunded.get(),
        refundable,
        in_vault: in_vault(lease),
    }
}

fn clock(book: &Book) -> Clock {
    let lease = &book.lease;
    let ends = lease.clock().runs_until();
    let open = lease.state == LeaseState::Open;
    Clock {
        now: book.now.0,
        lease_seconds: lease.v_at(book.now).get(),
        runs: open && book.now < ends,
        money_ends_at: open.then_some(ends.0),
        expires_at: lease.expires_at.0,
        anyone_closes_at: book.anyone_closes_at().map(|at| at.0),
        closed_at: (!open).then_some(lease.closed_at.0),
        claims_until: (!open).then(|| lease.claims_until().0),
    }
}

/// Seconds of a line that a receipt could still add.
fn claimable(book: &Book, line: &PlacedLine) -> u64 {
    let over = match book.lease.state {
        LeaseState::Open => false,
        LeaseState::Closed => book.window_over(),
        LeaseState::Finalized => true,
    };
    if over {
        return 0;
    }
    let most = line.line.served_max(book.lease.v_at(book.now));
    most.get().saturating_sub(line.line.served.get())
}

fn show_line(book: &Book, l: &PlacedLine, wallet: Option<&Address>) -> Line {
    let until = l.line.accept_until(book.lease.accept_s);
    let rejectable = book.lease.accept_s > 0
        && matches!(l.line.state, LineState::Started | LineState::Ended)
        && l.line.started_at != Timestamp(0)
        && book.now <= until;
    Line {
        line: format!("{}/{}", l.page, l.index),
        device: DeviceId(l.line.device),
        payout_owner: Address::from(l.line.payout_owner).to_string(),
        units: l.line.units,
        rate: l.line.rate.0,
        state: match l.line.state {
            LineState::Bound => "bound",
            LineState::Started => "started",
            LineState::Ended => "ended",
            LineState::Rejected => "rejected",
        },
        served_s: l.line.served.get(),
        claimable_s: claimable(book, l),
        owed: l.line.owed().map_or(0, |owed| owed.get()),
        paid: l.line.paid.get(),
        due: due(l),
        rejectable_until: rejectable.then_some(until.0),
        yours: wallet.is_some_and(|wallet| book.is_mine(l, wallet)),
    }
}

fn parties(book: &Book) -> Vec<Party> {
    let account = |owner: &Address| match book.payee(owner) {
        Payee::Ready => "ready",
        Payee::Missing => "missing",
        Payee::Blocked => "blocked",
    };
    let renter = book.renter();
    let mut all = vec![Party {
        who: renter.to_string(),
        role: "renter",
        now: match book.lease.state {
            LeaseState::Open => book.lease.deposit.get().saturating_sub(book.committed()),
            LeaseState::Closed if book.window_over() => rest(book),
            LeaseState::Closed => book.lease.refundable().get(),
            LeaseState::Finalized => 0,
        },
        by_receipts: 0,
        token_account: account(&renter),
    }];
    let mut owners: Vec<Address> =
        book.lines().map(|l| Address::from(l.line.payout_owner)).collect();
    owners.sort();
    owners.dedup();
    for owner in owners {
        let lines = || book.lines().filter(|l| l.line.payout_owner == owner.to_bytes());
        let more = |l: &PlacedLine| {
            let mut grown = l.clone();
            let claimable = ionet_ledger::interface::Seconds(claimable(book, l));
            grown.line.served = grown.line.served.saturating_add(claimable);
            due(&grown).saturating_sub(due(l))
        };
        all.push(Party {
            who: owner.to_string(),
            role: "supplier",
            now: lines().map(due).fold(0, u64::saturating_add),
            by_receipts: lines().map(more).fold(0, u64::saturating_add),
            token_account: account(&owner),
        });
    }
    let fees = book.lease.fees.get().saturating_sub(book.lease.fees_swept.get());
    all.push(Party {
        who: book.fee_owner.to_string(),
        role: "network",
        now: fees,
        by_receipts: 0,
        token_account: account(&book.fee_owner),
    });
    all
}

/// What finalizing pays the renter.
fn rest(book: &Book) -> u64 {
    let lease = &book.lease;
    let kept = lease.reserved().map_or(0, |kept| kept.get());
    in_vault(lease).saturating_sub(kept)
}

fn next(book: &Book) -> Vec<Next> {
    let mut all = Vec::new();
    let mut push = |command: &str, what: String, helps, from: i64| {
        let command = format!("ionet lease {command} {}", book.address);
        all.push(Next { command, what, helps, from });
    };
    let now = book.now.0;
    let live = book.lines().any(|l| l.line.is_live());
    if book.lines().any(|l| claimable(book, l) > 0) {
        push("claim", "cash receipts for seconds not vouched for yet".into(), "supplier", now);
    }
    if book.lines().any(|l| due(l) > 0) {
        push("withdraw", "pay what lines have earned".into(), "supplier", now);
    }
    match book.lease.state {
        LeaseState::Open => {
            let free = book.lease.deposit.get().saturating_sub(book.committed());
            let what = format!("the renter gets {} back at once", book.text(free));
            push("close", what, "renter", now);
            if let Some(at) = book.anyone_closes_at() {
                push("settle", "anyone closes it, if no money is added".into(), "supplier", at.0);
            }
        }
        LeaseState::Closed => {
            if book.lease.refundable().get() > 0 && !book.window_over() {
                push("refund", book.text(book.lease.refundable().get()), "renter", now);
            }
            let from = book.lease.claims_until().0.saturating_add(1).max(now);
            let what = format!("the renter gets {} that nobody claimed", book.text(rest(book)));
            push("finalize", what, "renter", from);
        }
        LeaseState::Finalized => {
            push("settle", "pay what is due and remove it".into(), "whoever paid the rent", now);
        }
    }
    if live && book.lease.state != LeaseState::Open {
        push("settle", "end lines, which frees their devices".into(), "supplier", now);
    }
    all
}

fn render(context: &Context, book: &Book, shown: &Shown) -> String {
    let coin = |units: u64| Amount::new(book.asset, units).to_string();
    let (money, clock) = (&shown.money, &shown.clock);
    let you = if shown.you_are.is_empty() { "nobody here" } else { &shown.you_are.join(", ") };
    let mut text = format!(
        "lease        {}\ncluster      {}\nstate        {}\nyou are      {you}\nrenter       {}\n\
         coordinator  {}\nvouches      {}\n\n",
        shown.lease,
        shown.cluster,
        state_words(shown),
        shown.renter,
        shown.coordinator,
        match shown.vouch {
            "session" => "the renter or its session key",
            "coordinator" => "the coordinator",
            _ => "the coordinator, or the renter and its session key",
        },
    );
    text.push_str(&format!(
        "deposit      {}\ncommitted    {} (set aside for lines and fees)\nleft         {}\n\
         earned       {} by lines, of it paid {}\nfees         {}, of it paid {}\n\
         refunded     {}\n",
        coin(money.deposit),
        coin(money.committed),
        coin(money.left),
        coin(money.owed),
        coin(money.paid),
        coin(money.fees),
        coin(money.fees_paid),
        coin(money.refunded),
    ));
    text.push_str(&clock_words(clock));
    if !shown.lines.is_empty() {
        text.push_str(&format!("\n{}\n", line_table(context, book, &shown.lines)));
    }
    text.push_str(&format!("\n{}\n", party_table(context, book, &shown.parties)));
    if !shown.next.is_empty() {
        text.push_str("\nnext\n");
    }
    for next in &shown.next {
        let when = match next.from - clock.now {
            wait if wait > 0 => format!("from {} on: ", rfc3339(next.from)),
            _ => String::new(),
        };
        let (command, what, helps) = (&next.command, &next.what, next.helps);
        text.push_str(&format!("  {command}\n    {when}{what} (for the {helps})\n"));
    }
    text
}

fn state_words(shown: &Shown) -> String {
    match (shown.clock.closed_at, shown.clock.runs) {
        (Some(at), _) => format!("{} since {} ({})", shown.state, rfc3339(at), shown.close_reason),
        (None, true) => "open".to_owned(),
        (None, false) => "open, but its clock stands: nothing is earned".to_owned(),
    }
}

fn clock_words(clock: &Clock) -> String {
    let mut text =
        format!("clock        {} s of lease time at {}\n", clock.lease_seconds, rfc3339(clock.now));
    if let Some(ends) = clock.money_ends_at {
        let ends_in = match u64::try_from(ends - clock.now) {
            Ok(left) if left > 0 => format!("in {}", duration(left)),
            _ => "its clock stands".to_owned(),
        };
        text.push_str(&format!("money ends   {} ({ends_in})\n", rfc3339(ends)));
    }
    if let Some(until) = clock.claims_until {
        let over = if clock.now > until { " (over)" } else { "" };
        text.push_str(&format!("claims until {}{over}\n", rfc3339(until)));
    }
    text
}

/// Lines that people are shown; programs get all.
const LINES_SHOWN_MAX: usize = 100;

fn line_table(context: &Context, book: &Book, lines: &[Line]) -> String {
    let coin = |units: u64| {
        let text = Amount::new(book.asset, units).to_string();
        number(text.split(' ').next().unwrap_or_default())
    };
    let headings = ["line", "device", "state", "rate/h", "served", "owed", "paid", ""];
    let mut table = context.out.table(headings);
    for l in lines.iter().take(LINES_SHOWN_MAX) {
        table.add_row([
            l.line.clone().into(),
            l.device.to_string().into(),
            l.state.into(),
            coin(l.rate),
            number(format!("{} s", l.served_s)),
            coin(l.owed),
            coin(l.paid),
            if l.yours { "yours" } else { "" }.into(),
        ]);
    }
    let more = lines.len().saturating_sub(LINES_SHOWN_MAX);
    if more > 0 {
        format!("{table}\n{more} lines more: --json shows all")
    } else {
        table.to_string()
    }
}

fn party_table(context: &Context, book: &Book, parties: &[Party]) -> String {
    let open = book.lease.state == LeaseState::Open;
    let mut table = context.out.table(["can draw", "now", "more, by receipts", "token account"]);
    for party in parties.iter().take(LINES_SHOWN_MAX) {
        let on_close = if open && party.role == "renter" { " (by closing)" } else { "" };
        table.add_row([
            format!("{} {}", party.role, party.who).into(),
            number(format!("{}{on_close}", book.text(party.now))),
            number(if party.by_receipts > 0 {
                book.text(party.by_receipts)
            } else {
                String::new()
            }),
            party.token_account.into(),
        ]);
    }
    table.to_string()
}
