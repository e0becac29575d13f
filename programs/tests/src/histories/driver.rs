//! Makes steps: mostly such that can succeed where the chain stands, and every now and then one
//! that is wrong in some way.

use super::cast::{AUTHORITY, Cast, GENESIS, Person, RENTERS, STRANGER};
use super::moves::{Move, send};
use super::world::World;
use crate::model::{Derived, Key, Lease, Line, Page, Part, Record, find};
use ionet_market_interface::account::{LeaseState, Settings};
use ionet_market_interface::build::{self, Ix};
use ionet_market_interface::instruction::{InitConfig, Tag};
use ionet_market_interface::{BaseUnits, Bps, PROGRAM_ID};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Steps out of a hundred that are made wrong on purpose.
const SPOILED: u32 = 12;
/// Transactions out of a hundred that hold several instructions.
const JOINT: u32 = 7;
/// How often another kind of step is tried when nothing suits the first.
const TRIES: usize = 6;

/// How far ahead an edge of time is jumped to: beyond it, too much would end at once.
const EDGE_S: i64 = 100_000;

/// What a step can be, and how often.
const KINDS: &[(Kind, u32)] = &[
    (Kind::Pass, 15),
    (Kind::Give, 2),
    (Kind::Freeze, 2),
    (Kind::Approve, 2),
    (Kind::Call(Tag::InitConfig), 1),
    (Kind::Call(Tag::SetConfig), 1),
    (Kind::Call(Tag::ApplyConfig), 1),
    (Kind::Call(Tag::RegisterDevice), 5),
    (Kind::Call(Tag::UpdateDevice), 3),
    (Kind::Call(Tag::RetireDevice), 1),
    (Kind::Call(Tag::OpenLease), 5),
    (Kind::Call(Tag::TopUp), 3),
    (Kind::Call(Tag::Bind), 13),
    (Kind::Call(Tag::Start), 12),
    (Kind::Call(Tag::Reject), 5),
    (Kind::Call(Tag::EndLine), 8),
    (Kind::Call(Tag::Attest), 11),
    (Kind::Call(Tag::ClaimReceipt), 6),
    (Kind::Call(Tag::Withdraw), 10),
    (Kind::Call(Tag::Close), 4),
    (Kind::Call(Tag::Refund), 4),
    (Kind::Call(Tag::Finalize), 6),
    (Kind::Call(Tag::SweepFees), 4),
    (Kind::Call(Tag::ReclaimPage), 6),
    (Kind::Call(Tag::ReclaimLease), 6),
];

#[derive(Clone, Copy)]
enum Kind {
    Pass,
    Give,
    Freeze,
    Approve,
    Call(Tag),
}

/// Chooses in view of the chain.
pub(super) struct Driver<'a> {
    pub(super) world: &'a World,
    pub(super) cast: &'a Cast,
    pub(super) rng: StdRng,
}

impl<'a> Driver<'a> {
    pub(super) fn new(world: &'a World, rng: StdRng) -> Self {
        Self { world, cast: &world.cast, rng }
    }

    /// The first step of every history: the configuration is made.
    pub(super) fn begin(&mut self) -> Move {
        send(vec![Part::Market(self.init_config())])
    }

    /// The next step.
    pub(super) fn next(&mut self) -> Move {
        for _ in 0..TRIES {
            let kinds = KINDS.choose_weighted(&mut self.rng, |kind| kind.1);
            let made = match kinds.expect("weights").0 {
                Kind::Pass => Some(self.pass()),
                Kind::Give => self.give(),
                Kind::Freeze => self.freeze(),
                Kind::Approve => Some(self.approve()),
                Kind::Call(tag) => self.transaction(tag),
            };
            if let Some(made) = made {
                return made;
            }
        }
        self.pass()
    }

    fn transaction(&mut self, tag: Tag) -> Option<Move> {
        let mut parts = self.call(tag, 0)?;
        while self.chance(JOINT) {
            let again = self.chance(30);
            let tag = if again { tag } else { *Tag::ALL.choose(&mut self.rng).expect("a tag") };
            let place = parts.len() as u8;
            parts.extend(self.call(tag, place).unwrap_or_default());
        }
        if self.chance(SPOILED) {
            self.spoil(&mut parts);
        }
        // Solana would not take it at all.
        while !self.world.transaction(&parts).1 {
            parts.pop();
        }
        (!parts.is_empty()).then(|| send(parts))
    }

    /// An instruction, with the statement before it that it needs.
    fn call(&mut self, tag: Tag, place: u8) -> Option<Vec<Part>> {
        let made = match tag {
            Tag::InitConfig => Some(self.init_config()),
            Tag::SetConfig => Some(self.set_config()),
            Tag::ApplyConfig => Some(build::apply_config(find(Derived::Config).0)),
            Tag::RegisterDevice => return self.register_device(place),
            Tag::UpdateDevice => self.update_device(),
            Tag::RetireDevice => self.retire_device(),
            Tag::OpenLease => self.open_lease(),
            Tag::TopUp => self.top_up(),
            Tag::Bind => self.bind(),
            Tag::Start => self.start(),
            Tag::Reject => self.reject(),
            Tag::EndLine => self.end_line(),
            Tag::Attest => self.attest(),
            Tag::ClaimReceipt => return self.claim_receipt(place),
            Tag::Withdraw => self.withdraw(),
            Tag::Close => self.close(),
            Tag::Refund => self.refund(),
            Tag::Finalize => self.finalize(),
            Tag::SweepFees => self.sweep_fees(),
            Tag::ReclaimPage => self.reclaim_page(),
            Tag::ReclaimLease => self.reclaim_lease(),
        };
        made.map(|ix| vec![Part::Market(ix)])
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.rng).expect("something to choose from")
    }

    pub(super) fn person(&mut self, of: std::ops::Range<usize>) -> &'a Person {
        &self.cast.people[self.rng.random_range(of)]
    }

    pub(super) fn anyone(&mut self) -> Key {
        self.person(0..self.cast.people.len()).at
    }

    /// Somebody, but seldom the one who should.
    pub(super) fn actor(&mut self, right: Key) -> Key {
        if self.chance(94) { right } else { self.anyone() }
    }

    /// Whose key this is.
    pub(super) fn person_of(&self, key: &Key) -> Option<&'a Person> {
        self.cast.people.iter().find(|person| person.at == *key)
    }

    /// A token account of this person for a lease.
    pub(super) fn account_of(&self, owner: &Key, mint_index: u8) -> Key {
        let person = self.person_of(owner).unwrap_or(&self.cast.people[STRANGER]);
        person.tokens[usize::from(mint_index & 1)]
    }

    /// A lease that fits, or now and then any.
    pub(super) fn lease(&mut self, fits: impl Fn(&Lease) -> bool) -> Option<(Key, &'a Lease)> {
        let any = self.chance(4);
        let leases = self.world.chain.leases().filter(|(_, lease)| any || fits(lease));
        let found: Vec<(Key, &Lease)> = leases.map(|(at, lease)| (*at, lease)).collect();
        found.choose(&mut self.rng).copied()
    }

    /// Lines that fit, all of one page: its lease, the page, and indexes.
    pub(super) fn lines(
        &mut self,
        fits: impl Fn(&Lease, &Line) -> bool,
    ) -> Option<(&'a Lease, Key, &'a Page, Vec<u8>)> {
        let any = self.chance(4);
        let chain = &self.world.chain;
        let mut found = Vec::new();
        for (at, page) in chain.pages() {
            let Some(lease) = chain.lease(&page.lease) else { continue };
            let fit = |line: &Line| any || fits(lease, line);
            if page.lines.iter().any(fit) {
                found.push((lease, *at, page));
            }
        }
        let (lease, at, page) = found.choose(&mut self.rng).copied()?;
        let numbers = 0..page.lines.len() as u8;
        let fit: Vec<u8> =
            numbers.filter(|i| any || fits(lease, &page.lines[usize::from(*i)])).collect();
        let many = self.one(&[1, 1, 1, 2, 3, 8]);
        let mut chosen: Vec<u8> = fit.choose_multiple(&mut self.rng, many).copied().collect();
        if self.chance(2) {
            chosen.push(chosen[0]);
        }
        Some((lease, at, page, chosen))
    }

    pub(super) fn epoch(&mut self, lease: &Lease) -> u64 {
        match self.rng.random_range(0..40) {
            0 => lease.epoch.saturating_sub(1),
            1 | 2 => lease.epoch.saturating_add(1),
            _ => lease.epoch,
        }
    }

    fn pass(&mut self) -> Move {
        if self.chance(25)
            && let Some(made) = self.pass_to_an_edge()
        {
            return made;
        }
        let rng = &mut self.rng;
        Move::Pass(match rng.random_range(0..20) {
            0 => -rng.random_range(1..100),
            1 => 0,
            2 => rng.random_range(3_600..40_000),
            3 => rng.random_range(40_000..400_000),
            4..12 => rng.random_range(1..40),
            _ => rng.random_range(1..1_500),
        })
    }

    /// To the second at which something ends, or the one before or after it.
    fn pass_to_an_edge(&mut self) -> Option<Move> {
        let chain = &self.world.chain;
        let mut edges: Vec<i64> = Vec::new();
        for (_, lease) in chain.leases() {
            let ends = i64::try_from(lease.clock.paid_until()).unwrap_or(i64::MAX);
            let grace = i64::from(lease.grace_s);
            edges.extend([lease.clock.expires_at, ends, ends.saturating_add(grace)]);
            if lease.state == LeaseState::Closed {
                edges.push(lease.claims_until());
            }
        }
        for (_, page) in chain.pages() {
            let Some(lease) = chain.lease(&page.lease) else { continue };
            let window = i64::from(lease.accept_s);
            let started = page.lines.iter().filter(|line| line.started_at != 0);
            edges.extend(started.map(|line| line.started_at.saturating_add(window)));
        }
        for (_, device) in chain.devices() {
            edges.push(device.offer.expires_at.0);
            edges.extend(device.payout_next.map(|next| next.1));
        }
        if let Record::Config(config) = &chain.at(&find(Derived::Config).0).record {
            edges.push(config.next_at);
        }
        edges.retain(|edge| (0..EDGE_S).contains(&edge.saturating_sub(chain.now)));
        let edge = *edges.choose(&mut self.rng)?;
        Some(Move::Pass(edge - chain.now + self.rng.random_range(-1..=1)))
    }

    fn give(&mut self) -> Option<Move> {
        let chain = &self.world.chain;
        if self.chance(50) {
            let from = self.cast.people[STRANGER].tokens[self.rng.random_range(0..2)];
            let mint = chain.token(&from)?.mint;
            let leases: Vec<Key> =
                chain.leases().filter(|l| l.1.mint == mint).map(|l| l.1.vault).collect();
            let to = *leases.choose(&mut self.rng)?;
            return Some(Move::GiveTokens { from, to, amount: self.rng.random_range(1..5_000) });
        }
        // An address that will be used, as often as one that is.
        let renter = self.person(RENTERS).at;
        let next = find(Derived::Lease(renter, self.next_number(&renter))).0;
        let lease = chain.leases().map(|l| *l.0).next().unwrap_or(next);
        let pages = chain.lease(&lease).map_or(0, |lease| lease.pages_made);
        let device = self.cast.devices[self.rng.random_range(0..self.cast.devices.len())].1;
        let to = self.one(&[
            next,
            find(Derived::Vault(next)).0,
            find(Derived::Counter(renter)).0,
            find(Derived::Page(lease, pages)).0,
            find(Derived::Device(device)).0,
            lease,
            find(Derived::Config).0,
        ]);
        // What an empty address holds must exempt it from rent, or no transaction leaves it so.
        let amount = self.one(&[890_880, 1_000_000, 50_000_000]);
        Some(Move::GiveLamports { to, amount })
    }

    fn freeze(&mut self) -> Option<Move> {
        let chain = &self.world.chain;
        let tokens = |frozen: bool| -> Vec<Key> {
            let accounts = chain.accounts.iter().filter(|(_, account)| {
                matches!(&account.record, Record::Token(token) if token.frozen == frozen)
            });
            accounts.map(|(at, _)| *at).collect()
        };
        let frozen = tokens(true);
        if !frozen.is_empty() && self.chance(70) {
            return Some(Move::Freeze { at: self.one(&frozen), frozen: false });
        }
        Some(Move::Freeze { at: self.one(&tokens(false)), frozen: true })
    }

    fn approve(&mut self) -> Move {
        let owner = self.person(RENTERS);
        let at = owner.tokens[self.rng.random_range(0..2)];
        let most = self.one(&[1, 999, 1_000_000, 30_000_000]);
        let who = self.anyone();
        let delegate = (self.chance(80) && who != owner.at).then_some((who, most));
        Move::Approve { at, delegate }
    }

    /// The number of a renter's next lease.
    pub(super) fn next_number(&self, renter: &Key) -> u64 {
        match &self.world.chain.at(&find(Derived::Counter(*renter)).0).record {
            Record::Counter(counter) => counter.next,
            _ => 0,
        }
    }

    pub(super) fn settings(&mut self) -> Settings {
        use super::cast::{ADMIN, FEE_OWNER};
        let [usdc, io, _] = self.cast.mints;
        let people = &self.cast.people;
        Settings {
            fee_bps: Bps(self.one(&[0, 1, 200, 333, 500])),
            reserved: [0; 6],
            claim_window_s: self.one(&[1, 60, 600, 86_400]),
            grace_s: self.one(&[1, 300, 86_400]),
            payout_cooldown_s: self.one(&[1, 3_600, 86_400]),
            config_cooldown_s: self.one(&[1, 60, 7_200]),
            min_deposit: [BaseUnits(self.one(&[0, 1_000])), BaseUnits(10)],
            admin: people[ADMIN].at,
            fee_owner: people[FEE_OWNER].at,
            mints: [usdc, io],
        }
    }

    fn init_config(&mut self) -> Ix {
        let (config, bump) = find(Derived::Config);
        let authority = self.cast.people[AUTHORITY].at;
        let args = InitConfig { bump, genesis_hash: GENESIS, settings: self.settings() };
        let data = self.world.chain.program_data;
        build::init_config(authority, authority, config, PROGRAM_ID, data, &args)
    }
}
