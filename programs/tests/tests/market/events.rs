//! Events: whoever reads only logs can keep the books of every lease and every person.

use ionet_program_tests::histories::{Histories, Listener, STEPS};
use ionet_program_tests::interface::account::{
    Config, Device, Kind, Lease, LeaseState, Line, LineState, PageRef,
};
use ionet_program_tests::interface::event::{
    Bound, Closed, Event, FeesSwept, LeaseReclaimed, Metered, PageReclaimed, Paid, Payment,
    Refunded, ToppedUp, Vouched,
};
use ionet_program_tests::interface::instruction::{Items, Served, Tag};
use ionet_program_tests::interface::{BaseUnits, PROGRAM_ID, Rate, TOKEN_PROGRAM, Timestamp};
use ionet_program_tests::{Key, Market, Terms, USDC, logged};
use litesvm::LiteSVM;
use solana_account::ReadableAccount as _;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Histories that are heard; each with its ending.
const HISTORIES: u64 = 6;

/// Owner and mint.
type Purse = (Key, Key);

/// Books that are kept from logs alone.
#[derive(Default)]
struct Books {
    config: Option<Config>,
    devices: BTreeMap<Key, Device>,
    leases: BTreeMap<Key, (Lease, BTreeMap<u16, Vec<Line>>)>,
    /// What the last transaction paid out, to whom.
    received: BTreeMap<Purse, u64>,
    /// What it took in, by mint.
    taken: BTreeMap<Key, u64>,
    /// Events of each instruction.
    heard: BTreeMap<Tag, u64>,
}

impl Books {
    fn read(&mut self, log: &[String]) {
        self.received.clear();
        self.taken.clear();
        for bytes in logged(log).expect("a log that was not cut") {
            let (tag, event) = Event::decode(&bytes).expect("an event");
            *self.heard.entry(tag).or_default() += 1;
            self.take(tag, event);
        }
    }

    fn take(&mut self, tag: Tag, event: Event) {
        match event {
            Event::Config(_, config) => self.config = Some(config),
            Event::Device(of, device) => drop(self.devices.insert(of.account, device)),
            Event::DeviceRetired(gone, ()) => {
                self.devices.remove(&gone.account).expect("a device that is known");
            }
            Event::Opened(of, lease) => {
                *self.taken.entry(lease.mint).or_default() += lease.deposit.0;
                let before = self.leases.insert(of.account, (lease, BTreeMap::new()));
                assert!(before.is_none(), "an address that is used twice");
            }
            Event::ToppedUp(head, ()) => self.topped_up(&head),
            Event::Bound(head, lines) => self.bound(&head, &lines),
            Event::Metered(head, indexes) => {
                for index in indexes.iter() {
                    self.metered(tag, &head, index.expect("an index"));
                }
                let lease = &mut self.lease(&head.lease).0;
                (lease.v, lease.committed) = (head.v, head.committed);
                assert_eq!(lease.gross_rate, head.gross_rate, "the sum of running rates");
            }
            Event::Vouched(head, served) => self.vouched(&head, &served),
            Event::Paid(head, payments) => self.paid(&head, &payments),
            Event::Closed(head, ()) => self.closed(&head),
            Event::Refunded(head, ()) => self.refunded(tag, &head),
            Event::FeesSwept(head, ()) => self.swept(&head),
            Event::PageReclaimed(head, ()) => self.page_gone(&head),
            Event::LeaseReclaimed(head, ()) => self.lease_gone(&head),
        }
    }

    fn lease(&mut self, at: &Key) -> &mut (Lease, BTreeMap<u16, Vec<Line>>) {
        self.leases.get_mut(at).expect("a lease that is known")
    }

    fn receives(&mut self, owner: Key, mint: Key, amount: BaseUnits) {
        *self.received.entry((owner, mint)).or_default() += amount.0;
    }

    fn topped_up(&mut self, head: &ToppedUp) {
        let lease = &mut self.lease(&head.lease).0;
        assert_eq!(lease.deposit.0 + head.amount.0, head.deposit.0, "deposits add up");
        (lease.deposit, lease.committed, lease.v) = (head.deposit, head.committed, head.v);
        let mint = lease.mint;
        *self.taken.entry(mint).or_default() += head.amount.0;
    }

    fn bound(&mut self, head: &Bound, new: &Items<Line>) {
        for line in new.iter().map(Result::unwrap) {
            let device = self.device(&line.device);
            device.units_bound += line.units;
            device.generation = line.generation;
        }
        let (lease, pages) = self.lease(&head.lease);
        let lines = pages.entry(head.page).or_insert_with(|| {
            lease.pages_made += 1;
            lease.pages_live += 1;
            Vec::new()
        });
        assert_eq!(lines.len(), usize::from(head.first), "lines are appended");
        for line in new.iter().map(Result::unwrap) {
            lease.slots_live += 1;
            lease.rate_live.0 += gross(lease, &line).0;
            lines.push(line);
        }
    }

    fn device(&mut self, key: &Key) -> &mut Device {
        self.devices.values_mut().find(|device| device.device == *key).expect("a known device")
    }

    fn metered(&mut self, tag: Tag, head: &Metered, index: u8) {
        let (lease, pages) = self.lease(&head.lease);
        let line = &mut pages.get_mut(&head.page).expect("a page")[usize::from(index)];
        let (was, rate) = (*line, gross(lease, line));
        match tag {
            Tag::Start => {
                (line.state, line.v_start) = (LineState::Started, head.v);
                lease.gross_rate.0 += rate.0;
            }
            Tag::EndLine => {
                line.state = LineState::Ended;
                if was.state == LineState::Started {
                    line.v_end = head.v;
                }
            }
            _ => {
                line.state = LineState::Rejected;
                (line.v_end, line.served.0) = (line.v_start, 0);
            }
        }
        if tag == Tag::Start || !was.is_live() {
            return;
        }
        lease.slots_live -= 1;
        lease.rate_live.0 -= rate.0;
        if was.state == LineState::Started && lease.state == LeaseState::Open {
            lease.gross_rate.0 -= rate.0;
        }
        self.device(&was.device).units_bound -= was.units;
    }

    fn vouched(&mut self, head: &Vouched, served: &Items<Served>) {
        let (lease, pages) = self.lease(&head.lease);
        let lines = pages.get_mut(&head.page).expect("a page");
        for said in served.iter().map(Result::unwrap) {
            let line = &mut lines[usize::from(said.index)];
            line.served = line.served.max(said.served);
        }
        let (mut owed, mut fees) = (0, 0);
        for line in pages.values().flatten() {
            owed += line.owed().unwrap().0;
            fees += line.fee(lease.fee_bps).unwrap().0;
        }
        assert_eq!((owed, fees), (head.owed.0, head.fees.0), "what lines earned adds up");
        (lease.owed, lease.fees) = (head.owed, head.fees);
    }

    fn paid(&mut self, head: &Paid, payments: &Items<Payment>) {
        for payment in payments.iter().map(Result::unwrap) {
            let (lease, pages) = self.lease(&head.lease);
            let line = &mut pages.get_mut(&head.page).expect("a page")[usize::from(payment.index)];
            line.paid.0 += payment.amount.0;
            lease.paid.0 += payment.amount.0;
            let (owner, mint) = (line.payout_owner, lease.mint);
            self.receives(owner, mint, payment.amount);
        }
        assert_eq!(self.lease(&head.lease).0.paid, head.paid, "payments add up");
    }

    fn closed(&mut self, head: &Closed) {
        let lease = &mut self.lease(&head.lease).0;
        (lease.state, lease.close_reason) = (LeaseState::Closed, head.reason);
        (lease.closed_at, lease.v, lease.committed) = (head.at, head.v, head.committed);
        (lease.gross_rate, lease.refunded) = (Rate::ZERO, head.amount);
        let (renter, mint) = (lease.renter, lease.mint);
        self.receives(renter, mint, head.amount);
    }

    fn refunded(&mut self, tag: Tag, head: &Refunded) {
        let lease = &mut self.lease(&head.lease).0;
        assert_eq!(lease.refunded.0 + head.amount.0, head.refunded.0, "refunds add up");
        lease.refunded = head.refunded;
        if tag == Tag::Finalize {
            lease.state = LeaseState::Finalized;
        }
        let (renter, mint) = (lease.renter, lease.mint);
        self.receives(renter, mint, head.amount);
    }

    fn swept(&mut self, head: &FeesSwept) {
        let lease = &mut self.lease(&head.lease).0;
        assert_eq!(lease.fees_swept.0 + head.amount.0, head.swept.0, "fees add up");
        lease.fees_swept = head.swept;
        let mint = lease.mint;
        self.receives(head.owner, mint, head.amount);
    }

    fn page_gone(&mut self, head: &PageReclaimed) {
        let (lease, pages) = self.lease(&head.lease);
        lease.pages_live -= 1;
        pages.remove(&head.page).expect("a page that is known");
    }

    fn lease_gone(&mut self, head: &LeaseReclaimed) {
        let (lease, pages) = self.leases.remove(&head.lease).expect("a lease that is known");
        assert!(pages.is_empty());
        self.receives(lease.renter, lease.mint, head.amount);
    }
}

fn gross(lease: &Lease, line: &Line) -> Rate {
    lease.fee_bps.gross_ceil(line.rate).expect("a rate")
}

/// What is on the chain.
#[derive(Default)]
struct Found {
    config: Option<Config>,
    devices: BTreeMap<Key, Device>,
    leases: BTreeMap<Key, Lease>,
    pages: BTreeMap<(Key, u16), Vec<Line>>,
}

fn found(svm: &LiteSVM) -> Found {
    let mut found = Found::default();
    for (at, account) in &svm.accounts_db().inner {
        let (at, data) = (at.to_bytes(), account.data());
        if account.owner().to_bytes() != PROGRAM_ID || account.lamports() == 0 {
            continue;
        }
        match Kind::from_byte(data[0]).expect("a kind") {
            Kind::Config => found.config = Some(Config::decode(data).unwrap()),
            Kind::Device => drop(found.devices.insert(at, Device::decode(data).unwrap())),
            Kind::Lease => drop(found.leases.insert(at, Lease::decode(data).unwrap())),
            Kind::Page => {
                let page = PageRef::new(data).unwrap();
                let lines = page.lines().map(|(_, line)| line.unwrap()).collect();
                found.pages.insert((page.header().lease, page.header().number), lines);
            }
            Kind::RenterCounter => {}
        }
    }
    found
}

/// The books say what the accounts say, in all that they keep: only moments of the clock's and
/// the leader's own bookkeeping are not told.
fn compare(books: &Books, found: &Found) {
    assert_eq!(books.config, found.config);
    assert_eq!(books.devices, found.devices);
    let (kept, there): (BTreeSet<_>, BTreeSet<_>) =
        (books.leases.keys().collect(), found.leases.keys().collect());
    assert_eq!(kept, there, "leases");
    let mut pages = 0;
    for (at, (lease, kept)) in &books.leases {
        let there = found.leases[at];
        let untold = Lease {
            changed_at: there.changed_at,
            stands_since: there.stands_since,
            seen_at: there.seen_at,
            epoch: there.epoch,
            ..*lease
        };
        assert_eq!(untold, there, "a lease");
        for (number, lines) in kept {
            let there = &found.pages[&(*at, *number)];
            let untold = |(line, there): (&Line, &Line)| Line {
                started_at: if line.state == LineState::Bound {
                    Timestamp(0)
                } else {
                    there.started_at
                },
                ..*line
            };
            let lines: Vec<Line> = lines.iter().zip(there).map(untold).collect();
            assert_eq!(&lines, there, "lines");
            pages += 1;
        }
    }
    assert_eq!(pages, found.pages.len(), "pages");
}

/// What everyone but the vaults holds.
fn purses(svm: &LiteSVM) -> BTreeMap<Purse, u64> {
    let leases = found(svm).leases;
    let mut purses = BTreeMap::new();
    for account in svm.accounts_db().inner.values() {
        if account.owner().to_bytes() == TOKEN_PROGRAM && account.data().len() == 165 {
            let data = account.data();
            let (mint, owner): (Key, Key) =
                (data[..32].try_into().unwrap(), data[32..64].try_into().unwrap());
            if !leases.contains_key(&owner) {
                let amount = u64::from_le_bytes(data[64..72].try_into().unwrap());
                *purses.entry((owner, mint)).or_default() += amount;
            }
        }
    }
    purses
}

/// Everyone got exactly what the events say, and nobody gave more than was paid in.
fn compare_purses(books: &Books, before: &BTreeMap<Purse, u64>, after: &BTreeMap<Purse, u64>) {
    let mut taken: BTreeMap<Key, u64> = BTreeMap::new();
    for (purse, amount) in after {
        let had = before.get(purse).copied().unwrap_or(0);
        let got = books.received.get(purse).copied().unwrap_or(0);
        let gave = (had + got).checked_sub(*amount).expect("nobody got more than was told");
        *taken.entry(purse.1).or_default() += gave;
    }
    taken.retain(|_, amount| *amount > 0);
    assert_eq!(taken, books.taken, "what came in");
    assert!(books.received.iter().all(|(purse, got)| *got == 0 || after.contains_key(purse)));
}

fn listener(books: &Rc<RefCell<Books>>) -> Listener {
    let (books, mut before) = (books.clone(), BTreeMap::new());
    Box::new(move |svm, log| match log {
        None => before = purses(svm),
        Some(log) => {
            let mut books = books.borrow_mut();
            books.read(log);
            compare(&books, &found(svm));
            compare_purses(&books, &before, &purses(svm));
        }
    })
}

#[test]
fn books_kept_from_logs_alone_are_those_of_the_chain() {
    let histories = Histories::new();
    let mut heard: BTreeMap<Tag, u64> = BTreeMap::new();
    for seed in 0..HISTORIES {
        let books = Rc::new(RefCell::new(Books::default()));
        let run = histories.run_heard(seed, STEPS, listener(&books));
        run.unwrap_or_else(|failure| panic!("{failure}"));
        for (tag, times) in &books.borrow().heard {
            *heard.entry(*tag).or_default() += times;
        }
    }
    for tag in Tag::ALL {
        assert!(heard.get(tag).is_some_and(|times| *times > 0), "no {} was heard", tag.name());
    }
}

#[test]
fn a_refused_instruction_changes_no_books() {
    let mut market = Market::new();
    let running = market.running(|_| {});
    market.pass(60);
    let key = market.coordinator_key();
    let good = market.attest_ix(&market.coordinator, &running.lease, 0, &[(0, 30)]);
    let bad = market.attest_ix(&market.coordinator, &running.lease, 0, &[(0, 61)]);
    let both = [market.wrap(&good), market.wrap(&bad)];
    assert!(market.send(&both, &[&key]).is_err(), "all or nothing");
    assert_eq!(market.line(&running.lease, 0, 0).served.0, 0);
}

#[test]
fn the_largest_events_are_not_cut() {
    let mut market = Market::new();
    let (supplier, renter) = (market.wallet(0), market.wallet(1_000 * USDC));
    let devices: Vec<_> = (0..16).map(|_| market.register(&supplier, 2, USDC)).collect();
    let terms = Terms { slots_max: 16, rate_total_max: 90 * USDC, ..market.terms() };
    let lease = market.open(&renter, 0, &terms);
    let lines: Vec<_> = devices.iter().map(|device| (device, 1, USDC)).collect();
    let key = market.coordinator_key();
    let ix = market.bind_ix(&market.coordinator, &lease, 0, &lines);
    let meta = market.ok(ix, &[&key]);
    let events = logged(&meta.logs).expect("a whole log");
    let (tag, event) = Event::decode(&events[0]).expect("an event");
    let Event::Bound(_, told) = event else { panic!("{event:?}") };
    assert_eq!((tag, told.len()), (Tag::Bind, 16));
}
