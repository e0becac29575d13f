//! Ending and rejecting lines by name, and who may.

use super::act::{Act, lines_named};
use super::book::Book;
use super::plan::Plan;
use super::receipt::page_of;
use crate::failure::{Failure, Kind, Result};
use ionet_core::rfc3339;
use ionet_ledger::interface::Timestamp;
use ionet_ledger::interface::account::{LeaseState, LineState, SessionRights};
use ionet_ledger::{Address, Page, PlacedLine};

/// Ends or rejects the named lines.
pub(crate) fn plan(
    book: &Book,
    actor: &Address,
    names: &[(u16, u8)],
    reject: bool,
) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut chosen: Vec<(&Page, Vec<PlacedLine>)> = Vec::new();
    for (number, index) in names {
        let missing = || Failure::not_found(format!("the lease has no line {number}/{index}"));
        let page = page_of(book, *number).ok_or_else(missing)?;
        let line = page.lines.iter().find(|l| l.index == *index).ok_or_else(missing)?;
        if reject {
            may_reject(book, actor, line)?
        } else {
            may_end(book, actor, line)?
        }
        match chosen.iter_mut().find(|(p, _)| p.number == *number) {
            Some((_, lines)) if lines.contains(line) => (),
            Some((_, lines)) => lines.push(line.clone()),
            None => chosen.push((page, vec![line.clone()])),
        }
    }
    for (page, lines) in chosen {
        let act = if reject { Act::Reject } else { Act::End };
        plan.acts.push(act(page.address, lines));
    }
    Ok(plan)
}

fn may_end(book: &Book, actor: &Address, line: &PlacedLine) -> Result<()> {
    let name = lines_named(std::slice::from_ref(line));
    if !line.line.is_live() {
        return Err(Failure::refused(format!("{name} has ended already")));
    }
    let lease = &book.lease;
    let key = actor.to_bytes();
    let may = lease.state != LeaseState::Open
        || lease.renter == key
        || lease.coordinator == key
        || lease.is_session(&key, SessionRights::END)
        || book.supplies(line);
    if may {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Auth,
        format!("{actor} is neither the lease's renter nor the supplier of {name}"),
    )
    .hint("--wallet or --key names the file of another key"))
}

fn may_reject(book: &Book, actor: &Address, line: &PlacedLine) -> Result<()> {
    let name = lines_named(std::slice::from_ref(line));
    let (lease, key) = (&book.lease, actor.to_bytes());
    if lease.renter != key && !lease.is_session(&key, SessionRights::END) {
        return Err(Failure::new(Kind::Auth, format!("only the renter can reject {name}"))
            .hint("--wallet or --key names the file of another key"));
    }
    let started = line.line.started_at != Timestamp(0) && line.line.state != LineState::Rejected;
    let until = line.line.accept_until(lease.accept_s);
    if lease.accept_s == 0 {
        return Err(Failure::refused("the lease was opened without an acceptance window")
            .hint("`ionet lease end` stops the line from now on"));
    }
    if !started || book.now > until || line.line.served.get() > 0 {
        let text = match line.line.state {
            LineState::Rejected => format!("{name} was rejected already"),
            LineState::Bound => format!("{name} was not started yet: there is nothing to reject"),
            _ => format!("{name} could be rejected until {} only", rfc3339(until.0)),
        };
        return Err(Failure::refused(text).hint("`ionet lease end` stops it from now on"));
    }
    Ok(())
}
