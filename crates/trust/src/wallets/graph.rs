//! The built graph: clusters, and the shortest path that links two wallets.

use super::build::{Kind, Record};
use super::timing::{Batch, Timing};
use ionet_core::Wallet;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Not visited yet.
const NONE: u32 = u32::MAX;

/// A wallet, or a machine that devices were enrolled on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A wallet.
    Wallet(Wallet),
    /// The hash of a machine.
    Machine([u8; 32]),
}

/// How two nodes are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// One fed the other.
    Fed,
    /// Devices of one are paid to the other.
    Payout,
    /// Devices of the wallet were enrolled on the machine.
    Machine,
}

/// What shows a link that money made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The asset.
    pub asset: u8,
    /// Base units in all.
    pub amount: u64,
    /// Slot of the largest of the transfers.
    pub slot: u64,
    /// Unix seconds of its block.
    pub at: i64,
    /// The first bytes of its transaction's signature.
    pub transaction: [u8; 7],
}

/// One step of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Who paid, or whose device it is.
    pub from: Node,
    /// Who was paid, or the machine.
    pub to: Node,
    /// What links them.
    pub link: Link,
    /// The transfer; none for machines.
    pub evidence: Option<Evidence>,
}

/// Wallets that one hand feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// In order of their addresses.
    pub wallets: Vec<Wallet>,
    /// Those of them that own devices.
    pub owners: Vec<Wallet>,
    /// How many machines they share or have.
    pub machines: usize,
}

/// Wallets, what links them, and the clusters that follow. Numbers are places in the order of
/// addresses; machines come after the wallets.
pub struct Graph {
    names: Vec<[u8; 32]>,
    machines: Vec<[u8; 32]>,
    links: Vec<Record>,
    /// Of each node, where its links begin in `near`.
    begin: Vec<u32>,
    near: Vec<u32>,
    /// Of each node, the least of its cluster.
    root: Vec<u32>,
    /// Of each node, how many owners its cluster has; only at roots.
    owners_in: Vec<u32>,
    owners: Vec<bool>,
    hubs: Vec<bool>,
    timings: BTreeMap<u32, Timing>,
    batches: BTreeMap<u32, Batch>,
}

impl Graph {
    pub(super) fn new(
        names: Vec<[u8; 32]>,
        machines: Vec<[u8; 32]>,
        links: Vec<Record>,
        owners: Vec<bool>,
        hubs: Vec<bool>,
        timings: BTreeMap<u32, Timing>,
        batches: BTreeMap<u32, Batch>,
    ) -> Self {
        let nodes = names.len() + machines.len();
        let root = components(nodes, &links);
        let mut owners_in = vec![0; nodes];
        for (wallet, _) in owners.iter().enumerate().filter(|(_, is)| **is) {
            owners_in[root[wallet] as usize] += 1;
        }
        let (begin, near) = neighbours(nodes, &links);
        Self {
            names,
            machines,
            links,
            begin,
            near,
            root,
            owners_in,
            owners,
            hubs,
            timings,
            batches,
        }
    }

    /// How many wallets there are.
    pub fn wallets(&self) -> usize {
        self.names.len()
    }

    /// How many links.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// The wallet with this number.
    pub fn wallet(&self, number: u32) -> Option<Wallet> {
        self.names.get(number as usize).copied().map(Wallet)
    }

    pub(super) fn number(&self, wallet: &Wallet) -> Option<u32> {
        self.names.binary_search(&wallet.0).ok().map(|at| at as u32)
    }

    fn node(&self, number: u32) -> Node {
        let at = number as usize;
        match self.names.get(at) {
            Some(name) => Node::Wallet(Wallet(*name)),
            None => Node::Machine(self.machines[at - self.names.len()]),
        }
    }

    /// Whether nothing is linked through this wallet.
    pub fn is_hub(&self, wallet: &Wallet) -> bool {
        self.number(wallet).is_some_and(|number| self.hubs[number as usize])
    }

    /// Whether both belong to one cluster. A wallet that was never seen belongs to none.
    pub fn are_linked(&self, a: &Wallet, b: &Wallet) -> bool {
        match (self.number(a), self.number(b)) {
            (Some(a), Some(b)) => self.root[a as usize] == self.root[b as usize],
            _ => false,
        }
    }

    /// The cluster of a wallet; `None` if it was never seen.
    pub fn cluster(&self, wallet: &Wallet) -> Option<Cluster> {
        let root = self.root[self.number(wallet)? as usize];
        let of_it = |number: &usize| self.root[*number] == root;
        let wallets: Vec<usize> = (0..self.names.len()).filter(of_it).collect();
        let owners = wallets.iter().filter(|at| self.owners[**at]);
        Some(Cluster {
            owners: owners.map(|at| Wallet(self.names[*at])).collect(),
            machines: (self.names.len()..self.root.len()).filter(of_it).count(),
            wallets: wallets.into_iter().map(|at| Wallet(self.names[at])).collect(),
        })
    }

    /// For each cluster of at least two nodes its least wallet and its size, largest first.
    pub fn clusters(&self) -> Vec<(Wallet, u32)> {
        let mut sizes = vec![0u32; self.root.len()];
        self.root.iter().for_each(|root| sizes[*root as usize] += 1);
        let large = (0..self.names.len()).filter(|at| sizes[*at] > 1);
        let mut all: Vec<_> = large.map(|at| (Wallet(self.names[at]), sizes[at])).collect();
        all.sort_by_key(|(wallet, size)| (std::cmp::Reverse(*size), *wallet));
        all
    }

    /// The shortest chain of links from one wallet to another; of equally long ones always the
    /// same. Nothing if they are in no common cluster.
    pub fn path(&self, a: &Wallet, b: &Wallet) -> Option<Vec<Step>> {
        let (start, end) = (self.number(a)?, self.number(b)?);
        if self.root[start as usize] != self.root[end as usize] {
            return None;
        }
        // Backwards, so that following the links to the start gives the steps in order.
        let mut via = vec![NONE; self.root.len()];
        let mut waiting = VecDeque::from([end]);
        while via[start as usize] == NONE && start != end {
            let here = waiting.pop_front()?;
            for at in self.links_of(here) {
                let next = other(&self.links[*at as usize], here);
                if via[next as usize] == NONE && next != end {
                    via[next as usize] = *at;
                    waiting.push_back(next);
                }
            }
        }
        let mut steps = Vec::new();
        let mut here = start;
        while here != end {
            let link = &self.links[via[here as usize] as usize];
            steps.push(self.step(link));
            here = other(link, here);
        }
        Some(steps)
    }

    fn step(&self, record: &Record) -> Step {
        let (asset, link) = match record.kind() {
            Kind::Fed(asset) => (asset, Link::Fed),
            Kind::Payout(asset) => (asset, Link::Payout),
            Kind::Machine => (0, Link::Machine),
        };
        let evidence = (link != Link::Machine).then(|| Evidence {
            asset,
            amount: record.amount,
            slot: u64::from(record.slot),
            at: i64::from(record.at),
            transaction: record.transaction(),
        });
        Step { from: self.node(record.from), to: self.node(record.to), link, evidence }
    }

    /// Every link of a wallet, in a fixed order.
    pub fn steps_of(&self, wallet: &Wallet) -> Vec<Step> {
        let Some(number) = self.number(wallet) else { return Vec::new() };
        let links = self.links_of(number).iter();
        links.map(|at| self.step(&self.links[*at as usize])).collect()
    }

    fn links_of(&self, node: u32) -> &[u32] {
        let (from, to) = (self.begin[node as usize], self.begin[node as usize + 1]);
        &self.near[from as usize..to as usize]
    }

    /// What links a wallet directly, each kind with the neighbour's number.
    pub(super) fn ties(&self, wallet: u32) -> impl Iterator<Item = (Link, &Record)> {
        self.links_of(wallet).iter().map(|at| {
            let record = &self.links[*at as usize];
            let link = match record.kind() {
                Kind::Fed(_) => Link::Fed,
                Kind::Payout(_) => Link::Payout,
                Kind::Machine => Link::Machine,
            };
            (link, record)
        })
    }

    pub(super) fn owners_beside(&self, wallet: u32) -> u32 {
        let all = self.owners_in[self.root[wallet as usize] as usize];
        all - u32::from(self.owners[wallet as usize])
    }

    /// Owners beside a wallet that at most so many links part from it, among the nearest `nodes`.
    pub(super) fn owners_near(&self, wallet: u32, steps: u32, nodes: usize) -> u32 {
        let mut seen = BTreeSet::from([wallet]);
        let mut wave = vec![wallet];
        let mut found = 0;
        for _ in 0..steps {
            let mut next = Vec::new();
            for here in wave {
                for at in self.links_of(here) {
                    let node = other(&self.links[*at as usize], here);
                    if seen.len() < nodes && seen.insert(node) {
                        found += u32::from(self.owners.get(node as usize) == Some(&true));
                        next.push(node);
                    }
                }
            }
            wave = next;
        }
        found
    }

    /// When a wallet fed others, if that is like a machine.
    pub fn timing(&self, feeder: &Wallet) -> Option<Timing> {
        self.timing_of(self.number(feeder)?)
    }

    pub(super) fn timing_of(&self, feeder: u32) -> Option<Timing> {
        self.timings.get(&feeder).copied()
    }

    /// The batch in which a hub paid this owner together with others.
    pub fn batch(&self, owner: &Wallet) -> Option<Batch> {
        self.batches.get(&self.number(owner)?).copied()
    }
}

fn other(link: &Record, node: u32) -> u32 {
    if link.from == node { link.to } else { link.from }
}

/// For each node the least number of those that links join with it.
fn components(nodes: usize, links: &[Record]) -> Vec<u32> {
    fn root_of(parent: &mut [u32], mut node: u32) -> u32 {
        while parent[node as usize] != node {
            // Halving the path: each second node skips one.
            parent[node as usize] = parent[parent[node as usize] as usize];
            node = parent[node as usize];
        }
        node
    }
    let mut parent: Vec<u32> = (0..nodes as u32).collect();
    for link in links {
        let (a, b) = (root_of(&mut parent, link.from), root_of(&mut parent, link.to));
        parent[a.max(b) as usize] = a.min(b);
    }
    // A parent is never larger than its child: from below, each is final when it is read.
    for node in 0..nodes {
        parent[node] = parent[parent[node] as usize];
    }
    parent
}

/// Of each node its links, as slices of one list.
fn neighbours(nodes: usize, links: &[Record]) -> (Vec<u32>, Vec<u32>) {
    let mut begin = vec![0u32; nodes + 1];
    for link in links {
        begin[link.from as usize + 1] += 1;
        begin[link.to as usize + 1] += 1;
    }
    for node in 0..nodes {
        begin[node + 1] += begin[node];
    }
    let mut next = begin.clone();
    let mut near = vec![0u32; links.len() * 2];
    for (at, link) in (0u32..).zip(links) {
        for node in [link.from, link.to] {
            near[next[node as usize] as usize] = at;
            next[node as usize] += 1;
        }
    }
    (begin, near)
}
