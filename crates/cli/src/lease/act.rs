//! What can be done to a lease, each as instructions of one transaction.

use super::book::{Book, Payee, due};
use ionet_ledger::interface::account::{CloseReason, LeaseState};
use ionet_ledger::token::{associated_account, create_associated_account};
use ionet_ledger::{Address, Instruction, Ledger, Page, PlacedLine, SignedReceipt, wire};
use std::collections::BTreeSet;

/// One thing to do. Lists are of one page, and can be halved where they do not fit.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Add money.
    TopUp(u64),
    /// Cash receipts.
    Claim(Address, Vec<SignedReceipt>),
    /// Refuse lines in their acceptance window.
    Reject(Address, Vec<PlacedLine>),
    /// Stop lines' meters and free their devices.
    End(Address, Vec<PlacedLine>),
    /// Pay lines what they have earned.
    Withdraw(Address, Vec<PlacedLine>),
    /// Close, with the refund in the same call where the renter's account can take it.
    Close(CloseReason, bool),
    /// Pay back what no line can claim.
    Refund,
    /// Pay back what nobody claimed.
    Finalize,
    /// Pay the fees.
    Sweep,
    /// Close pages.
    ReclaimPages(Vec<Page>),
    /// Close lease and vault.
    ReclaimLease,
}

/// Whose keys an act needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hands {
    /// Pays the chain's fees and rents.
    pub(crate) payer: Address,
    /// Acts; usually the same.
    pub(crate) actor: Address,
    /// Micro-lamports that are offered for each compute unit, on a busy chain.
    pub(crate) price: Option<u64>,
}

/// The compute budget's instruction that offers a price.
fn offer(price: u64) -> Instruction {
    const COMPUTE_BUDGET: &str = "ComputeBudget111111111111111111111111111111";
    const SET_COMPUTE_UNIT_PRICE: u8 = 3;
    let program_id = COMPUTE_BUDGET.parse().expect("a constant address");
    let data = [&[SET_COMPUTE_UNIT_PRICE][..], &price.to_le_bytes()].concat();
    Instruction { program_id, accounts: Vec::new(), data }
}

impl Act {
    /// Its instructions, with the token accounts made that they pay to.
    pub(crate) fn instructions(
        &self,
        ledger: &Ledger,
        genesis: &[u8; 32],
        book: &Book,
        hands: &Hands,
    ) -> Vec<Instruction> {
        let exits = ledger.exits(book.address, &book.lease);
        let mint = Address::from(book.lease.mint);
        let made = self.accounts_made(book);
        let made = made.iter().map(|owner| create_associated_account(&hands.payer, owner, &mint));
        let mut list: Vec<_> = hands.price.map(offer).into_iter().chain(made).collect();
        let actor = &hands.actor;
        match self {
            Act::TopUp(amount) => {
                let source = associated_account(actor, &mint);
                list.push(exits.top_up(actor, &source, *amount));
            }
            Act::Claim(page, receipts) => {
                list.extend(receipts.iter().flat_map(|r| exits.claim(page, r, genesis)));
            }
            Act::Reject(page, lines) => list.push(exits.reject(actor, page, lines)),
            Act::End(page, lines) => list.push(exits.end(actor, page, lines)),
            Act::Withdraw(page, lines) => list.push(exits.withdraw(page, lines)),
            Act::Close(reason, refund) => list.push(exits.close(actor, *refund, *reason)),
            Act::Refund => list.push(exits.refund()),
            Act::Finalize => list.push(exits.finalize()),
            Act::Sweep => list.push(exits.sweep_fees(&book.fee_owner)),
            Act::ReclaimPages(pages) => list.extend(pages.iter().map(|p| exits.reclaim_page(p))),
            Act::ReclaimLease => list.push(exits.reclaim_lease()),
        }
        list
    }

    /// Owners whose token accounts it makes, because they are not there.
    pub(crate) fn accounts_made(&self, book: &Book) -> BTreeSet<Address> {
        let paid: Vec<Address> = match self {
            Act::Withdraw(_, lines) => {
                lines.iter().map(|l| Address::from(l.line.payout_owner)).collect()
            }
            Act::Close(_, true) | Act::Refund | Act::Finalize => vec![book.renter()],
            Act::Sweep => vec![book.fee_owner],
            Act::Close(_, false)
            | Act::TopUp(_)
            | Act::Claim(..)
            | Act::Reject(..)
            | Act::End(..)
            | Act::ReclaimPages(_)
            | Act::ReclaimLease => Vec::new(),
        };
        paid.into_iter().filter(|owner| book.payee(owner) == Payee::Missing).collect()
    }

    /// Two acts that do the same, where it is about more than one thing.
    fn halves(&self) -> Option<[Act; 2]> {
        fn split<T: Clone>(all: &[T], act: impl Fn(Vec<T>) -> Act) -> Option<[Act; 2]> {
            let (a, b) = all.split_at(all.len() / 2);
            (!a.is_empty()).then(|| [act(a.to_vec()), act(b.to_vec())])
        }
        match self {
            Act::Claim(page, all) => split(all, |some| Act::Claim(*page, some)),
            Act::Reject(page, all) => split(all, |some| Act::Reject(*page, some)),
            Act::End(page, all) => split(all, |some| Act::End(*page, some)),
            Act::Withdraw(page, all) => split(all, |some| Act::Withdraw(*page, some)),
            Act::ReclaimPages(all) => split(all, Act::ReclaimPages),
            Act::TopUp(_)
            | Act::Close(..)
            | Act::Refund
            | Act::Finalize
            | Act::Sweep
            | Act::ReclaimLease => None,
        }
    }

    /// Halved until each part fits one transaction.
    pub(crate) fn fitted(
        self,
        ledger: &Ledger,
        genesis: &[u8; 32],
        book: &Book,
        hands: &Hands,
    ) -> Vec<Act> {
        let size = wire(&self.instructions(ledger, genesis, book, hands), &hands.payer);
        match self.halves() {
            Some(halves) if !size.fits() => halves
                .into_iter()
                .flat_map(|half| half.fitted(ledger, genesis, book, hands))
                .collect(),
            _ => vec![self],
        }
    }

    /// Its parts, to be tried one by one where the whole was refused.
    pub(crate) fn parts(&self) -> Option<[Act; 2]> {
        self.halves()
    }

    /// What it does, for people.
    pub(crate) fn what(&self, book: &Book) -> String {
        match self {
            Act::TopUp(amount) => format!("add {} to the deposit", book.text(*amount)),
            Act::Claim(_, receipts) => {
                let at = receipts.iter().map(|r| {
                    format!("{}/{} at {} s", r.receipt.page, r.receipt.index, r.receipt.served_s)
                });
                format!("claim by receipt: {}", listed(at, receipts.len()))
            }
            Act::Reject(_, lines) => format!("reject {}", lines_named(lines)),
            Act::End(_, lines) => format!("end {}", lines_named(lines)),
            Act::Withdraw(_, lines) => {
                let sum = lines.iter().map(due).fold(0, u64::saturating_add);
                format!("pay {} what was earned: {}", lines_named(lines), book.text(sum))
            }
            Act::Close(_, refund) => close_words(book, *refund),
            Act::Refund => {
                format!("refund the renter {}", book.text(book.lease.refundable().get()))
            }
            Act::Finalize => "finalize: all that nobody claimed goes back to the renter".to_owned(),
            Act::Sweep => {
                let due = book.lease.fees.get().saturating_sub(book.lease.fees_swept.get());
                format!("pay the network's fee: {}", book.text(due))
            }
            Act::ReclaimPages(pages) => {
                let numbers = pages.iter().map(|page| page.number.to_string());
                format!("remove page {}", listed(numbers, pages.len()))
            }
            Act::ReclaimLease => "remove the lease and its vault".to_owned(),
        }
    }

    /// Whom it helps.
    pub(crate) fn helps(&self) -> &'static str {
        match self {
            Act::Claim(..) | Act::Withdraw(..) => "supplier",
            Act::End(..) => "supplier, whose device is free then",
            Act::TopUp(_) | Act::Reject(..) | Act::Close(..) | Act::Refund | Act::Finalize => {
                "renter"
            }
            Act::Sweep => "network",
            Act::ReclaimPages(_) | Act::ReclaimLease => "whoever paid the rent",
        }
    }
}

/// Whom something helps, in a sentence.
pub(crate) fn for_whom(helps: &str) -> String {
    let article = if helps.starts_with("whoever") { "" } else { "the " };
    format!("for {article}{helps}")
}

fn close_words(book: &Book, refund: bool) -> String {
    let free = book.lease.deposit.get().saturating_sub(book.committed());
    match (book.lease.state, refund) {
        (LeaseState::Open, true) => {
            format!("close: every line ends, about {} come back at once", book.text(free))
        }
        _ => "close: every line ends; the refund waits for the renter's token account".to_owned(),
    }
}

/// Most things that a sentence names.
const NAMED_MAX: usize = 6;

fn listed(names: impl Iterator<Item = String>, count: usize) -> String {
    let mut text = names.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if count > NAMED_MAX {
        text.push_str(&format!(" and {} more", count - NAMED_MAX));
    }
    text
}

/// Lines by page and index.
pub(crate) fn lines_named(lines: &[PlacedLine]) -> String {
    let names = lines.iter().map(|l| format!("{}/{}", l.page, l.index));
    let noun = if lines.len() == 1 { "line" } else { "lines" };
    format!("{noun} {}", listed(names, lines.len()))
}
