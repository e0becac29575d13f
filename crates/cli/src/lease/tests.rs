//! Plans and transactions of leases that no chain has to hold.

use super::act::{Act, Hands};
use super::book::{Book, Payee};
use super::plan::settle;
use super::*;
use ionet_ledger::interface::account::{Lease, LeaseState, Line, LineState};
use ionet_ledger::interface::limits::LINES_PER_PAGE;
use ionet_ledger::interface::statement::Receipt;
use ionet_ledger::interface::{BaseUnits, Bps, Rate, Seconds, Timestamp};
use ionet_ledger::{Ledger, Page, PlacedLine, SignedReceipt, wire};
use std::collections::{BTreeMap, BTreeSet};

const RENTER: [u8; 32] = [3; 32];
/// When the lease was opened.
const START: i64 = 1_000;

/// Open since [`START`], four dollars an hour, funded for an hour; an hour of claim window.
fn lease(state: LeaseState) -> Lease {
    let mut bytes = vec![0u8; Lease::LEN];
    bytes[..9].copy_from_slice(&[4, 1, 0, 0, 1, 0, 0, 0, 0]);
    let mut lease = Lease::decode(&bytes).expect("zeros are a lease");
    lease.state = state;
    lease.renter = RENTER;
    lease.mint = [4; 32];
    lease.vault = [5; 32];
    lease.rent_payer = RENTER;
    lease.coordinator = [6; 32];
    lease.fee_bps = Bps(0);
    lease.claim_window_s = 3_600;
    lease.grace_s = 600;
    lease.deposit = BaseUnits(4_000_000);
    lease.changed_at = Timestamp(START);
    lease.seen_at = Timestamp(START);
    lease.expires_at = Timestamp(START + 100_000);
    if state == LeaseState::Open {
        lease.gross_rate = Rate(4_000_000);
    } else {
        lease.closed_at = Timestamp(START);
        lease.refunded = BaseUnits(4_000_000);
    }
    lease
}

fn address(n: u16, kind: u8) -> [u8; 32] {
    let mut key = [kind; 32];
    key[..2].copy_from_slice(&n.to_le_bytes());
    key
}

/// A full page whose lines have each another device and owner, and earned a dollar.
fn page(number: u16) -> Page {
    let line = |index: u8| {
        let n = number * u16::from(LINES_PER_PAGE) + u16::from(index);
        let line = Line {
            device: address(n, 20),
            payout_owner: address(n, 30),
            rate: Rate(1_000_000),
            generation: 1,
            bound_at: Timestamp(START),
            started_at: Timestamp(START),
            v_start: Seconds(0),
            v_end: Seconds(0),
            served: Seconds(3_600),
            paid: BaseUnits(0),
            units: 1,
            state: LineState::Started,
            reserved: [0; 5],
        };
        PlacedLine { page: number, index, line }
    };
    Page {
        address: Address::from(address(number, 40)),
        number,
        rent_payer: Address::from([6; 32]),
        lines: (0..LINES_PER_PAGE).map(line).collect(),
    }
}

fn payees(pages: &[Page], others: Payee) -> BTreeMap<Address, Payee> {
    let owner = |l: &PlacedLine| (Address::from(l.line.payout_owner), others);
    let lines = pages.iter().flat_map(|page| page.lines.iter().map(owner));
    lines.chain([(Address::from(RENTER), Payee::Ready), (Address::from([2; 32]), others)]).collect()
}

fn hands() -> Hands {
    Hands { payer: Address::from([7; 32]), actor: Address::from([8; 32]), price: None }
}

#[test]
fn leases_and_lines_are_named_as_they_are_shown() {
    let address = Address::from([7; 32]);
    assert_eq!(address.to_string().parse(), Ok(LeaseName::Address(address)));
    assert!(matches!("clu_aaaaaaaaaaaaaaaa".parse(), Ok(LeaseName::Cluster(_))));
    for bad in ["", "clu_", "7", "0x00", &"1".repeat(200)] {
        assert!(bad.parse::<LeaseName>().is_err(), "{bad}");
    }
    assert_eq!(line_name("0/3"), Ok((0, 3)));
    for bad in ["", "3", "0/256", "70000/1", "-1/0", "0/1/2", "a/b"] {
        assert!(line_name(bad).is_err(), "{bad}");
    }
}

/// The worst page: every line pays another owner, who has no token account.
#[test]
fn whatever_is_planned_fits_the_network_and_leaves_nothing_out() {
    let ledger = Ledger::connect("http://127.0.0.1:1");
    let pages: Vec<Page> = (0..40).map(page).collect();
    let page = &pages[0];
    let receipts = page.lines.iter().map(|l| SignedReceipt {
        receipt: Receipt {
            lease: [1; 32],
            page: 0,
            index: l.index,
            generation: 1,
            served_s: u64::MAX,
        },
        signer: [9; 32],
        signature: [9; 64],
    });
    let acts = [
        (Act::Claim(page.address, receipts.collect()), 24),
        (Act::Withdraw(page.address, page.lines.clone()), 24),
        (Act::End(page.address, page.lines.clone()), 24),
        (Act::Reject(page.address, page.lines.clone()), 24),
        (Act::ReclaimPages(pages.clone()), 40),
    ];
    let busy = Hands { price: Some(5), ..hands() };
    for (account, signers) in [(Payee::Missing, busy), (Payee::Ready, hands())] {
        let book =
            Book::of(lease(LeaseState::Closed), pages.clone(), START, payees(&pages, account));
        for (act, count) in acts.clone() {
            let name = act.what(&book);
            let parts = act.fitted(&ledger, &[0; 32], &book, &signers);
            let mut named = BTreeSet::new();
            for part in &parts {
                let list = part.instructions(&ledger, &[0; 32], &book, &signers);
                let wire = wire(&list, &signers.payer);
                assert!(wire.fits(), "{name}: {} bytes, {} accounts", wire.bytes, wire.accounts);
                match part {
                    Act::Claim(_, all) => {
                        named.extend(all.iter().map(|r| u16::from(r.receipt.index)))
                    }
                    Act::Withdraw(_, all) | Act::End(_, all) | Act::Reject(_, all) => {
                        named.extend(all.iter().map(|l| u16::from(l.index)));
                    }
                    Act::ReclaimPages(all) => named.extend(all.iter().map(|p| p.number)),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(named.len(), count, "{name}");
        }
    }
}

/// The kinds of acts of a plan, in order, repetitions left out.
fn kinds(book: &Book, actor: [u8; 32]) -> Vec<&'static str> {
    let mut kinds: Vec<_> = settle(book, &Address::from(actor), true)
        .acts
        .iter()
        .map(|act| match act {
            Act::TopUp(_) => "top-up",
            Act::Claim(..) => "claim",
            Act::Reject(..) => "reject",
            Act::End(..) => "end",
            Act::Withdraw(..) => "withdraw",
            Act::Close(..) => "close",
            Act::Refund => "refund",
            Act::Finalize => "finalize",
            Act::Sweep => "sweep",
            Act::ReclaimPages(_) => "pages",
            Act::ReclaimLease => "lease",
        })
        .collect();
    kinds.dedup();
    kinds
}

#[test]
fn settling_does_what_is_due_and_never_closes_what_runs() {
    let stranger = [8; 32];
    let book = |state, now, account, extra: fn(&mut Lease)| {
        let pages = vec![page(0)];
        let mut lease = lease(state);
        lease.pages_made = 1;
        lease.pages_live = 1;
        extra(&mut lease);
        let payees = payees(&pages, account);
        Book::of(lease, pages, now, payees)
    };
    let (open, closed, finalized) = (LeaseState::Open, LeaseState::Closed, LeaseState::Finalized);
    let plain: fn(&mut Lease) = |_| ();
    let unpaid: fn(&mut Lease) = |lease| lease.refunded = BaseUnits(0);
    let fees: fn(&mut Lease) = |lease| lease.fees = BaseUnits(9);
    let cases = [
        (open, START + 60, Payee::Ready, plain, vec!["withdraw"]),
        // The money ends after an hour; ten minutes later anyone closes.
        (open, START + 4_199, Payee::Ready, plain, vec!["withdraw"]),
        (open, START + 4_200, Payee::Ready, plain, vec!["close", "end", "withdraw"]),
        (closed, START + 3_600, Payee::Ready, plain, vec!["end", "withdraw"]),
        (closed, START + 3_600, Payee::Ready, unpaid, vec!["end", "withdraw", "refund"]),
        (
            closed,
            START + 3_601,
            Payee::Ready,
            unpaid,
            vec!["end", "withdraw", "finalize", "pages", "lease"],
        ),
        (
            finalized,
            START + 9_999,
            Payee::Missing,
            fees,
            vec!["end", "withdraw", "sweep", "pages", "lease"],
        ),
        // A frozen account keeps its own page and the lease, and nobody's money but its own.
        (finalized, START + 9_999, Payee::Blocked, fees, vec!["end"]),
    ];
    for (state, now, account, extra, wanted) in cases {
        let book = book(state, now, account, extra);
        assert_eq!(kinds(&book, stranger), wanted, "{state:?} at {now}, {account:?}");
    }
    // Not even the renter's own settling closes a lease that runs: closing is said by its name.
    assert_eq!(kinds(&book(open, START + 60, Payee::Ready, plain), RENTER), ["withdraw"]);
}

#[test]
fn one_blocked_owner_keeps_only_the_own_page() {
    let pages = vec![page(0), page(1)];
    let mut all = payees(&pages, Payee::Ready);
    all.insert(Address::from(pages[1].lines[5].line.payout_owner), Payee::Blocked);
    let mut lease = lease(LeaseState::Finalized);
    (lease.pages_made, lease.pages_live) = (2, 2);
    let book = Book::of(lease, pages, START + 9_999, all);
    let plan = settle(&book, &Address::from(RENTER), true);
    let paid = plan.acts.iter().map(|act| match act {
        Act::Withdraw(_, lines) => lines.len(),
        _ => 0,
    });
    assert_eq!(paid.sum::<usize>(), 47);
    let removed = plan.acts.iter().filter_map(|act| match act {
        Act::ReclaimPages(pages) => Some(pages.iter().map(|p| p.number).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(removed.collect::<Vec<_>>(), [[0]]);
    assert!(!plan.acts.iter().any(|act| matches!(act, Act::ReclaimLease)));
    assert!(plan.notes.iter().any(|note| note.contains("line 1/5 is not paid 1.000000 USDC")));
}
