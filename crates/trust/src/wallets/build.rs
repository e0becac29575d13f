//! From transfers to links. Transfers come in any order and any number of times; what is built
//! depends on the set of them alone.

use super::graph::Graph;
use super::intern::Interner;
use super::{ASSETS_MAX, FED_MAJOR, FED_MINOR, HUB_DEGREE, HUB_OWNERS, MINOR_FEEDINGS_MIN, timing};
use ionet_core::Wallet;

/// The most transfers of one graph: 8 GiB of records.
pub const TRANSFERS_MAX: usize = 1 << 28;
/// What a transfer takes while the graph is built. Of it remains what links; a wallet takes some
/// 120 bytes more at the most, 60 in the end.
pub const RECORD_BYTES: usize = size_of::<Record>();

/// Money that went from one wallet to another. Accounts are resolved to their owners by whoever
/// reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Who paid.
    pub from: Wallet,
    /// Who got it.
    pub to: Wallet,
    /// Which asset: its place among the floors that the builder was given.
    pub asset: u8,
    /// Base units.
    pub amount: u64,
    /// The chain's slot.
    pub slot: u64,
    /// Unix seconds of the block.
    pub at: i64,
    /// The first seven bytes of the transaction's signature: with the slot, enough to find it.
    pub transaction: [u8; 7],
}

/// Why something that came in does not count. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// More than [`ASSETS_MAX`] floors, or a floor of zero, which would let dust link.
    #[error("a graph counts 1 to {ASSETS_MAX} assets, each with a floor above zero")]
    Floors,
    /// There is no floor for this asset.
    #[error("asset number {0} has no floor")]
    Asset(u8),
    /// A time after the reader's own, or before 1970: such a block was not made yet.
    #[error("a block of unix second {at} cannot have been seen at {now}")]
    Time {
        /// The block's.
        at: i64,
        /// The reader's.
        now: i64,
    },
    /// Slots fit 32 bits for another forty years.
    #[error("slot {0} is over the limit")]
    Slot(u64),
    /// Too many wallets or transfers.
    #[error("more than {TRANSFERS_MAX} transfers or 2^31 wallets")]
    TooMany,
}

/// A transfer, or a link, in 32 bytes. The order is the order of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    pub(super) to: u32,
    pub(super) from: u32,
    pub(super) slot: u32,
    pub(super) at: u32,
    pub(super) amount: u64,
    tag: u64,
}

/// What a [`Record`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Fed(u8),
    Payout(u8),
    Machine,
}

/// Tags of payouts are those of transfers plus this.
const PAYOUT: u8 = 0x80;
/// Neither a transfer nor a payout.
const MACHINE: u8 = 0xff;
/// Set in the tag of a feeding, until it is known whether it counts: less than half of it all.
const MINOR: u64 = 0x40 << 56;

impl Record {
    fn tagged(kind: Kind, transaction: [u8; 7]) -> u64 {
        let kind = match kind {
            Kind::Fed(asset) => asset,
            Kind::Payout(asset) => PAYOUT | asset,
            Kind::Machine => MACHINE,
        };
        let [a, b, c, d, e, f, g] = transaction;
        u64::from_be_bytes([kind, a, b, c, d, e, f, g])
    }

    pub(super) fn kind(&self) -> Kind {
        match self.tag.to_be_bytes()[0] {
            MACHINE => Kind::Machine,
            kind if kind & PAYOUT != 0 => Kind::Payout(kind & !PAYOUT),
            asset => Kind::Fed(asset & (ASSETS_MAX as u8 - 1)),
        }
    }

    fn is_minor(&self) -> bool {
        self.kind() != Kind::Machine && self.tag & MINOR != 0
    }

    pub(super) fn transaction(&self) -> [u8; 7] {
        let [_, rest @ ..] = self.tag.to_be_bytes();
        rest
    }
}

/// Takes what was read, in any order.
pub struct Builder {
    now: i64,
    floors: Vec<u64>,
    names: Interner,
    machines: Interner,
    records: Vec<Record>,
    payouts: Vec<Record>,
    enrolled: Vec<(u32, u32)>,
    owners: Vec<u32>,
    hubs: Vec<u32>,
}

impl Builder {
    /// For assets with these floors, in base units: what is less from one wallet to another feeds
    /// nobody. `now` is the reader's time in unix seconds; `transfers` how many are expected.
    pub fn new(floors: &[u64], now: i64, transfers: usize) -> Result<Self, InputError> {
        if floors.is_empty() || floors.len() > ASSETS_MAX || floors.contains(&0) {
            return Err(InputError::Floors);
        }
        Ok(Self {
            now,
            floors: floors.to_vec(),
            names: Interner::default(),
            machines: Interner::default(),
            records: Vec::with_capacity(transfers.min(TRANSFERS_MAX)),
            payouts: Vec::new(),
            enrolled: Vec::new(),
            owners: Vec::new(),
            hubs: Vec::new(),
        })
    }

    fn record(&mut self, t: &Transfer, kind: Kind) -> Result<Record, InputError> {
        if usize::from(t.asset) >= self.floors.len() {
            return Err(InputError::Asset(t.asset));
        }
        let late = InputError::Time { at: t.at, now: self.now };
        if t.at > self.now {
            return Err(late);
        }
        let at = u32::try_from(t.at).map_err(|_| late)?;
        // The last number stands for a wallet that never acted.
        let slot = u32::try_from(t.slot).ok().filter(|slot| *slot != u32::MAX);
        let slot = slot.ok_or(InputError::Slot(t.slot))?;
        let from = self.names.number(&t.from.0).ok_or(InputError::TooMany)?;
        let to = self.names.number(&t.to.0).ok_or(InputError::TooMany)?;
        let tag = Record::tagged(kind, t.transaction);
        Ok(Record { to, from, slot, at, amount: t.amount, tag })
    }

    /// Money moved. What a wallet sends to itself says nothing and is skipped.
    pub fn transfer(&mut self, transfer: &Transfer) -> Result<(), InputError> {
        if self.records.len() >= TRANSFERS_MAX {
            return Err(InputError::TooMany);
        }
        let record = self.record(transfer, Kind::Fed(transfer.asset))?;
        if record.from != record.to {
            self.records.push(record);
        }
        Ok(())
    }

    /// Devices of the wallet `from` were paid to `to`, at least once: `amount` in all, the
    /// evidence being the last payment. Less than the asset's floor does not count, or naming a
    /// stranger's address would be enough to be linked with them.
    pub fn payout(&mut self, payout: &Transfer) -> Result<(), InputError> {
        if self.payouts.len() >= TRANSFERS_MAX {
            return Err(InputError::TooMany);
        }
        let record = self.record(payout, Kind::Payout(payout.asset))?;
        if record.from != record.to && payout.amount >= self.floors[usize::from(payout.asset)] {
            self.payouts.push(record);
        }
        Ok(())
    }

    /// A device of `owner` was enrolled on the machine with this hash.
    pub fn machine(&mut self, owner: &Wallet, machine: &[u8; 32]) -> Result<(), InputError> {
        if self.enrolled.len() >= TRANSFERS_MAX {
            return Err(InputError::TooMany);
        }
        let owner = self.names.number(&owner.0).ok_or(InputError::TooMany)?;
        let machine = self.machines.number(machine).ok_or(InputError::TooMany)?;
        self.enrolled.push((owner, machine));
        self.owners.push(owner);
        Ok(())
    }

    /// A wallet owns devices: grades count these, not the wallets in between.
    pub fn owner(&mut self, owner: &Wallet) -> Result<(), InputError> {
        let owner = self.names.number(&owner.0).ok_or(InputError::TooMany)?;
        self.owners.push(owner);
        Ok(())
    }

    /// A wallet is known as an exchange, or too busy to be read: nothing links through it.
    pub fn hub(&mut self, hub: &Wallet) -> Result<(), InputError> {
        let hub = self.names.number(&hub.0).ok_or(InputError::TooMany)?;
        self.hubs.push(hub);
        Ok(())
    }

    /// The graph of what came in.
    pub fn build(mut self) -> Graph {
        let (names, ranks) = self.names.ranked();
        let (machines, machine_ranks) = self.machines.ranked();
        let renamed = |numbers: &[u32]| {
            let mut marked = vec![false; names.len()];
            numbers.iter().for_each(|number| marked[ranks[*number as usize] as usize] = true);
            marked
        };
        let owners = renamed(&self.owners);
        let listed = renamed(&self.hubs);
        for record in self.records.iter_mut().chain(&mut self.payouts) {
            record.to = ranks[record.to as usize];
            record.from = ranks[record.from as usize];
        }
        self.records.sort_unstable();
        self.records.dedup();

        let mut found = feedings(&self.records, names.len(), &self.floors, &owners);
        drop(self.records);
        let hubs: Vec<bool> = found
            .peers
            .iter()
            .zip(&listed)
            .map(|(peers, listed)| *listed || peers.are_a_hubs())
            .collect();
        let batches = timing::batches(&found.links, &hubs, &owners);
        found.links.retain(|link| !hubs[link.from as usize] && !hubs[link.to as usize]);
        drop_chance_feeders(&mut found.links, names.len());
        let timings = timing::feeders(&found.links);

        self.payouts.sort_unstable();
        self.payouts.dedup_by_key(|p| (p.to, p.from));
        self.payouts.retain(|p| !hubs[p.from as usize] && !hubs[p.to as usize]);
        found.links.append(&mut self.payouts);
        let wallets = names.len() as u32;
        let mut enrolled: Vec<_> = self
            .enrolled
            .iter()
            .map(|(owner, machine)| {
                (wallets + machine_ranks[*machine as usize], ranks[*owner as usize])
            })
            .collect();
        enrolled.sort_unstable();
        enrolled.dedup();
        let tag = Record::tagged(Kind::Machine, [0; 7]);
        let link = |(to, from)| Record { to, from, slot: 0, at: 0, amount: 0, tag };
        found.links.extend(enrolled.into_iter().map(link));
        Graph::new(names, machines, found.links, owners, hubs, timings, batches)
    }
}

/// With whom a wallet dealt.
#[derive(Debug, Clone, Copy, Default)]
struct Peers {
    all: u32,
    owners: u32,
}

impl Peers {
    fn are_a_hubs(self) -> bool {
        self.all >= HUB_DEGREE && self.owners < self.all / HUB_OWNERS
    }

    fn add(&mut self, is_owner: bool) {
        self.all = self.all.saturating_add(1);
        self.owners = self.owners.saturating_add(u32::from(is_owner));
    }
}

struct Found {
    links: Vec<Record>,
    peers: Vec<Peers>,
}

/// Who fed whom, and with whom each dealt. `records` are sorted and distinct.
fn feedings(records: &[Record], wallets: usize, floors: &[u64], owners: &[bool]) -> Found {
    // The slot in which each first sent something; none did that of `u32::MAX`.
    let mut acted = vec![u32::MAX; wallets];
    for record in records {
        let first = &mut acted[record.from as usize];
        *first = record.slot.min(*first);
    }
    let mut found = Found { links: Vec::new(), peers: vec![Peers::default(); wallets] };
    for group in records.chunk_by(|a, b| a.to == b.to) {
        let (to, until) = (group[0].to as usize, acted[group[0].to as usize]);
        let early = |record: &&Record| record.slot <= until;
        let mut had = [0u128; ASSETS_MAX];
        group.iter().filter(early).for_each(|r| had[asset(r)] += u128::from(r.amount));
        for pair in group.chunk_by(|a, b| a.from == b.from) {
            let from = pair[0].from as usize;
            let mut all = [0u64; ASSETS_MAX];
            let mut gave = [0u128; ASSETS_MAX];
            let mut largest = [None::<&Record>; ASSETS_MAX];
            for record in pair {
                let at = asset(record);
                all[at] = all[at].saturating_add(record.amount);
                if early(&record) {
                    gave[at] += u128::from(record.amount);
                    if largest[at].is_none_or(|r| r.amount < record.amount) {
                        largest[at] = Some(record);
                    }
                }
            }
            if all.iter().zip(floors).any(|(sum, floor)| sum >= floor) {
                found.peers[to].add(owners[from]);
                found.peers[from].add(owners[to]);
            }
            for (at, floor) in floors.iter().enumerate() {
                if gave[at] >= u128::from(*floor) && gave[at] * FED_MINOR > had[at] {
                    let evidence = largest[at].expect("it gave something");
                    let minor = if gave[at] * FED_MAJOR > had[at] { 0 } else { MINOR };
                    // More than there can be of any asset: what is shown saturates.
                    let amount = u64::try_from(gave[at]).unwrap_or(u64::MAX);
                    found.links.push(Record { amount, tag: evidence.tag | minor, ..*evidence });
                }
            }
        }
    }
    found
}

/// Leaves of minor feedings those whose feeder does so often, and clears their mark. `links` are in
/// the order of who was fed.
fn drop_chance_feeders(links: &mut Vec<Record>, wallets: usize) {
    let (mut last, mut fed) = (vec![u32::MAX; wallets], vec![0u32; wallets]);
    for link in links.iter().filter(|link| link.is_minor()) {
        let from = link.from as usize;
        // One wallet that is fed in two assets is one.
        if last[from] != link.to {
            last[from] = link.to;
            fed[from] += 1;
        }
    }
    links.retain_mut(|link| {
        let counts = !link.is_minor() || fed[link.from as usize] >= MINOR_FEEDINGS_MIN;
        link.tag &= !MINOR;
        counts
    });
}

fn asset(record: &Record) -> usize {
    match record.kind() {
        Kind::Fed(asset) => usize::from(asset),
        Kind::Payout(_) | Kind::Machine => unreachable!("only transfers are among the records"),
    }
}
