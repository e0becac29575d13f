//! What is to be done with a lease now, and what must wait: decided from its book alone.

use super::act::{Act, lines_named};
use super::book::{Book, Payee, due};
use super::receipt::Gain;
use crate::failure::{Failure, Kind, Result};
use ionet_core::rfc3339;
use ionet_ledger::interface::account::{CloseReason, LeaseState};
use ionet_ledger::{Address, Page, PlacedLine};
use serde::Serialize;

/// Something that can be done later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Wait {
    /// What.
    pub(crate) what: String,
    /// Unix seconds from when on.
    pub(crate) from: i64,
    /// Whom it helps.
    pub(crate) helps: &'static str,
}

/// What to do, in this order, and what cannot be done.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// To do.
    pub(crate) acts: Vec<Act>,
    /// To do later.
    pub(crate) waits: Vec<Wait>,
    /// What stands in the way of what.
    pub(crate) notes: Vec<String>,
}

/// Whose lines are paid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payouts<'a> {
    /// Only lines of this supplier; `None`: everybody's.
    pub(crate) only: Option<&'a Address>,
    /// Whether missing token accounts are made for their owners.
    pub(crate) make_accounts: bool,
}

/// Pays out what lines have earned. Returns the lines that cannot be paid.
pub(crate) fn withdraw(book: &Book, payouts: Payouts, plan: &mut Plan) -> Vec<PlacedLine> {
    let mut stuck = Vec::new();
    for page in &book.pages {
        let wanted =
            |l: &&PlacedLine| due(l) > 0 && payouts.only.is_none_or(|actor| book.is_mine(l, actor));
        let (pay, left) = payable(book, payouts, page.lines.iter().filter(wanted).cloned());
        stuck.extend(left);
        if !pay.is_empty() {
            plan.acts.push(Act::Withdraw(page.address, pay));
        }
    }
    note_stuck(book, &stuck, plan);
    stuck
}

/// Lines that can be paid, and those that cannot.
fn payable(
    book: &Book,
    payouts: Payouts,
    lines: impl Iterator<Item = PlacedLine>,
) -> (Vec<PlacedLine>, Vec<PlacedLine>) {
    lines.partition(|l| match book.payee(&Address::from(l.line.payout_owner)) {
        Payee::Ready => true,
        Payee::Missing => payouts.make_accounts,
        Payee::Blocked => false,
    })
}

fn note_stuck(book: &Book, stuck: &[PlacedLine], plan: &mut Plan) {
    for line in stuck {
        let owner = Address::from(line.line.payout_owner);
        let why = match book.payee(&owner) {
            Payee::Blocked => "is frozen or belongs to somebody else: only its owner can mend that",
            _ => "is missing, and was not to be made",
        };
        let what = lines_named(std::slice::from_ref(line));
        plan.notes.push(format!(
            "{what} is not paid {}: the token account of {owner} {why}",
            book.text(due(line))
        ));
    }
}

/// Cashes receipts and pays their lines out, by page.
pub(crate) fn claim(book: &Book, gains: &[Gain], payouts: Payouts, plan: &mut Plan) {
    for page in &book.pages {
        let of_page: Vec<&Gain> = gains.iter().filter(|g| g.line.page == page.number).collect();
        if !of_page.is_empty() {
            let receipts = of_page.iter().map(|g| g.receipt).collect();
            plan.acts.push(Act::Claim(page.address, receipts));
        }
        // Lines as they will stand, and others of the same supplier that have something due.
        let grown = |l: &PlacedLine| {
            let gain = of_page.iter().find(|g| g.line.index == l.index);
            gain.map_or_else(|| l.clone(), |g| g.line.clone())
        };
        let wanted = |l: &PlacedLine| {
            let mine = payouts.only.is_none_or(|actor| book.is_mine(l, actor));
            let claimed = of_page.iter().any(|g| g.line.index == l.index);
            due(l) > 0 && (mine || claimed)
        };
        let lines = page.lines.iter().map(grown).filter(|l| wanted(l));
        let (pay, stuck) = payable(book, payouts, lines);
        if !pay.is_empty() {
            plan.acts.push(Act::Withdraw(page.address, pay));
        }
        note_stuck(book, &stuck, plan);
    }
}

/// Closes the lease, if `actor` may.
pub(crate) fn close(book: &Book, actor: &Address) -> Result<Plan> {
    if book.lease.state != LeaseState::Open {
        let when = rfc3339(book.lease.closed_at.0);
        return Err(Failure::refused(format!("the lease was closed at {when} already"))
            .hint("`ionet lease settle` does all that is left to do"));
    }
    let reason = book.may_close(actor).ok_or_else(|| may_not_close(book, actor))?;
    let mut plan = Plan::default();
    push_close(book, reason, &mut plan);
    plan.waits.push(Wait {
        what: "the renter gets what nobody has claimed: `ionet lease settle`".to_owned(),
        from: book.now.0.saturating_add(i64::from(book.lease.claim_window_s)).saturating_add(1),
        helps: "renter",
    });
    Ok(plan)
}

fn push_close(book: &Book, reason: CloseReason, plan: &mut Plan) {
    let refund = book.payee(&book.renter()) != Payee::Blocked;
    if !refund {
        plan.notes.push(
            "the renter's token account is frozen or not the renter's: the refund waits in the \
             vault, `ionet lease refund` pays it later"
                .to_owned(),
        );
    }
    plan.acts.push(Act::Close(reason, refund));
}

fn may_not_close(book: &Book, actor: &Address) -> Failure {
    let mut text = format!(
        "{actor} is neither the lease's renter ({}) nor a session key that may close it",
        book.renter()
    );
    if let Some(at) = book.anyone_closes_at() {
        text.push_str(&format!("; anyone can from {} on, if no money is added", rfc3339(at.0)));
    }
    Failure::new(Kind::Auth, text).hint("--wallet or --key names the file of another key")
}

/// Pays the refund that closing could not.
pub(crate) fn refund(book: &Book) -> Result<Plan> {
    if book.lease.state == LeaseState::Open {
        return Err(Failure::refused("the lease is open: nothing can be refunded yet")
            .hint("`ionet lease close` ends it and refunds what is left"));
    }
    let mut plan = Plan::default();
    if book.lease.state == LeaseState::Finalized || book.lease.refundable().get() == 0 {
        plan.notes.push("the refund was paid already".to_owned());
    } else if book.payee(&book.renter()) == Payee::Blocked {
        plan.notes.push(renter_blocked(book));
    } else {
        plan.acts.push(Act::Refund);
    }
    Ok(plan)
}

fn renter_blocked(book: &Book) -> String {
    format!(
        "the token account of the renter {} is frozen or belongs to somebody else: nothing can be \
         paid to it until that is mended",
        book.renter()
    )
}

/// Ends the claim window's wait.
pub(crate) fn finalize(book: &Book) -> Result<Plan> {
    let mut plan = Plan::default();
    match book.lease.state {
        LeaseState::Open => {
            return Err(Failure::refused("the lease is open").hint(
                "`ionet lease close` ends it; what nobody claims comes back after its claim window",
            ));
        }
        LeaseState::Finalized => plan.notes.push("it was finalized already".to_owned()),
        LeaseState::Closed if book.window_over() => {
            push_finalize(book, &mut plan);
        }
        LeaseState::Closed => plan.waits.push(wait_for_window(book)),
    }
    Ok(plan)
}

fn push_finalize(book: &Book, plan: &mut Plan) -> bool {
    if book.payee(&book.renter()) == Payee::Blocked {
        plan.notes.push(renter_blocked(book));
        return false;
    }
    plan.acts.push(Act::Finalize);
    true
}

fn wait_for_window(book: &Book) -> Wait {
    let lease = &book.lease;
    let kept = lease.owed.get().saturating_add(lease.fees.get());
    let rest = lease.deposit.get().saturating_sub(lease.refunded.get()).saturating_sub(kept);
    Wait {
        what: format!(
            "finalize: at most {} that nobody claims go back to the renter",
            book.text(rest)
        ),
        from: lease.claims_until().0.saturating_add(1),
        helps: "renter",
    }
}

/// Pays the fees that have accrued.
pub(crate) fn sweep(book: &Book, make_accounts: bool, plan: &mut Plan) -> bool {
    if book.lease.fees == book.lease.fees_swept {
        return true;
    }
    let stuck = match book.payee(&book.fee_owner) {
        Payee::Ready => None,
        Payee::Missing if make_accounts => None,
        Payee::Missing => Some("is missing, and was not to be made"),
        Payee::Blocked => Some("is frozen or belongs to somebody else"),
    };
    match stuck {
        None => plan.acts.push(Act::Sweep),
        Some(why) => plan.notes.push(format!(
            "the fee is not paid: the token account of its owner {} {why}",
            book.fee_owner
        )),
    }
    stuck.is_none()
}

/// Closes pages and lease where all is ended and paid, or is planned to be.
fn reclaim(book: &Book, stuck: &[PlacedLine], clean: bool, plan: &mut Plan) {
    let free = |page: &&Page| !stuck.iter().any(|l| l.page == page.number);
    let pages: Vec<Page> = book.pages.iter().filter(free).cloned().collect();
    let all = pages.len() == book.pages.len() && clean;
    if !pages.is_empty() {
        plan.acts.push(Act::ReclaimPages(pages));
    }
    if all {
        plan.acts.push(Act::ReclaimLease);
    } else {
        plan.notes.push("lease and rent stay until all is paid".to_owned());
    }
}

/// Only the last step: what `reclaim` does by itself.
pub(crate) fn reclaim_only(book: &Book) -> Result<Plan> {
    if book.lease.state != LeaseState::Finalized {
        return Err(Failure::refused(format!(
            "the lease is {}: only a finalized one can be removed",
            book.state()
        ))
        .hint("`ionet lease settle` does all that can be done before"));
    }
    let open: Vec<PlacedLine> =
        book.lines().filter(|l| l.line.is_live() || due(l) > 0).cloned().collect();
    let mut plan = Plan::default();
    if !open.is_empty() {
        plan.notes.push(format!("{} must be ended and paid first", lines_named(&open)));
    }
    let swept = book.lease.fees == book.lease.fees_swept;
    if !swept {
        plan.notes.push("the fee must be paid first: `ionet lease sweep-fees`".to_owned());
    }
    reclaim(book, &open, swept && open.is_empty(), &mut plan);
    Ok(plan)
}

/// All that can be done now, for everybody.
pub(crate) fn settle(book: &Book, actor: &Address, make_accounts: bool) -> Plan {
    let mut plan = Plan::default();
    let payouts = Payouts { only: None, make_accounts };
    let mut state = book.lease.state;
    if state == LeaseState::Open {
        // Closing a lease that still runs is a decision, and the renter's.
        if book.may_close(actor) == Some(CloseReason::ClockStood) {
            push_close(book, CloseReason::ClockStood, &mut plan);
            state = LeaseState::Closed;
            plan.waits.push(Wait {
                what: "finalize: what nobody claims goes back to the renter".to_owned(),
                from: book.now.0.saturating_add(i64::from(book.lease.claim_window_s) + 1),
                helps: "renter",
            });
        } else {
            plan.waits.extend(book.anyone_closes_at().map(|at| {
                Wait {
                    what: "anyone can close it, if no money is added; its renter can at any time: \
                       `ionet lease close`"
                        .to_owned(),
                    from: at.0,
                    helps: "renter",
                }
            }));
        }
    }
    if state != LeaseState::Open {
        for page in &book.pages {
            let live: Vec<_> = page.lines.iter().filter(|l| l.line.is_live()).cloned().collect();
            if !live.is_empty() {
                plan.acts.push(Act::End(page.address, live));
            }
        }
    }
    let stuck = withdraw(book, payouts, &mut plan);
    if book.lease.state == LeaseState::Closed {
        if !book.window_over() {
            if book.lease.refundable().get() > 0 {
                match book.payee(&book.renter()) {
                    Payee::Blocked => plan.notes.push(renter_blocked(book)),
                    _ => plan.acts.push(Act::Refund),
                }
            }
            plan.waits.push(wait_for_window(book));
        } else if push_finalize(book, &mut plan) {
            state = LeaseState::Finalized;
        }
    }
    if state == LeaseState::Finalized {
        let swept = sweep(book, make_accounts, &mut plan);
        reclaim(book, &stuck, swept && stuck.is_empty(), &mut plan);
    }
    plan
}
