//! `ionet lease show` for people.

use super::act::for_whom;
use super::book::Book;
use super::show::{Clock, Line, Party, Shown};
use crate::context::Context;
use crate::output::{duration, number};
use ionet_core::{Amount, rfc3339};
use ionet_ledger::interface::account::LeaseState;

pub(super) fn render(context: &Context, book: &Book, shown: &Shown) -> String {
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
        let (command, what, helps) = (&next.command, &next.what, for_whom(next.helps));
        text.push_str(&format!("  {command}\n    {when}{what} ({helps})\n"));
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
    // Closing ended all lines at once; their records say so only when each is freed.
    let over = book.lease.state != LeaseState::Open;
    let mut table = context.out.table(headings);
    for l in lines.iter().take(LINES_SHOWN_MAX) {
        table.add_row([
            l.line.clone().into(),
            l.device.to_string().into(),
            if over && l.state == "started" { "stopped" } else { l.state }.into(),
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
