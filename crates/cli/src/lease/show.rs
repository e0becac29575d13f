//! `ionet lease show`: what a lease holds, and who can draw what and when.

use super::LeaseName;
use super::book::{Book, Payee, due};
use super::list::in_vault;
use super::market::Market;
use super::show_text::render;
use super::steps::resolve;
use crate::context::Context;
use crate::failure::Result;
use ionet_core::{ClusterId, DeviceId};
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::{LeaseState, LineState, SessionRights, Vouch};
use ionet_ledger::{Address, PlacedLine, Signer as _};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Shown {
    pub(super) lease: String,
    pub(super) cluster: ClusterId,
    pub(super) state: &'static str,
    pub(super) close_reason: String,
    pub(super) renter: String,
    pub(super) coordinator: String,
    pub(super) session: Option<String>,
    pub(super) session_may_close: bool,
    pub(super) vouch: &'static str,
    pub(super) you_are: Vec<&'static str>,
    pub(super) asset: String,
    pub(super) mint: String,
    pub(super) vault: String,
    pub(super) money: Money,
    pub(super) clock: Clock,
    pub(super) lines: Vec<Line>,
    pub(super) parties: Vec<Party>,
    pub(super) next: Vec<Next>,
}

/// Base units.
#[derive(Serialize)]
pub(super) struct Money {
    pub(super) deposit: u64,
    pub(super) committed: u64,
    pub(super) left: u64,
    pub(super) owed: u64,
    pub(super) paid: u64,
    pub(super) fees: u64,
    pub(super) fees_paid: u64,
    pub(super) refunded: u64,
    pub(super) refundable: u64,
    pub(super) in_vault: u64,
}

/// Unix seconds by the chain's clock.
#[derive(Serialize)]
pub(super) struct Clock {
    pub(super) now: i64,
    pub(super) lease_seconds: u64,
    pub(super) runs: bool,
    pub(super) money_ends_at: Option<i64>,
    pub(super) expires_at: i64,
    pub(super) anyone_closes_at: Option<i64>,
    pub(super) closed_at: Option<i64>,
    pub(super) claims_until: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Line {
    pub(super) line: String,
    pub(super) device: DeviceId,
    pub(super) payout_owner: String,
    pub(super) units: u16,
    pub(super) rate: u64,
    pub(super) state: &'static str,
    pub(super) served_s: u64,
    pub(super) claimable_s: u64,
    pub(super) owed: u64,
    pub(super) paid: u64,
    pub(super) due: u64,
    pub(super) rejectable_until: Option<i64>,
    pub(super) yours: bool,
}

#[derive(Serialize)]
pub(super) struct Party {
    pub(super) who: String,
    pub(super) role: &'static str,
    pub(super) now: u64,
    /// More, at most, by receipts of seconds that nobody vouched for yet.
    pub(super) by_receipts: u64,
    pub(super) token_account: &'static str,
}

#[derive(Serialize)]
pub(super) struct Next {
    pub(super) command: String,
    pub(super) what: String,
    pub(super) helps: &'static str,
    pub(super) from: i64,
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
            let what = "that, then pay what is due and remove the lease".to_owned();
            push("settle", what, "whoever paid the rent", from);
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
