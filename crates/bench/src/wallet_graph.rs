//! The graph of who funded whom, of ten million transfers, beside the usual way to build it: a hash
//! map of addresses and petgraph.

use crate::counted;
use crate::stats::{seconds, thousands};
use anyhow::{Context as _, ensure};
use ionet_core::Wallet;
use ionet_trust::wallets::{Builder, Graph, RECORD_BYTES, Transfer};
use petgraph::algo::astar;
use petgraph::graph::{NodeIndex, UnGraph};
use petgraph::unionfind::UnionFind;
use std::collections::HashMap;
use std::time::Instant;

/// Transfers.
const TRANSFERS: u64 = 10_000_000;
/// Wallets that they are drawn from.
const WALLETS: u64 = 4_000_000;
/// Runs of each, in turn.
const RUNS: usize = 3;
/// After all of them.
const NOW: i64 = 1_800_000_000;
const FLOOR: u64 = 1_000_000;

/// SplitMix64: the same figures in every run.
fn mixed(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn wallet(number: u64) -> Wallet {
    let mut bytes = [0; 32];
    for (word, chunk) in (0u64..).zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&mixed(number * 4 + word).to_le_bytes());
    }
    Wallet(bytes)
}

/// A wallet's number: the share of the draws that go to the first `x` of all wallets is the cube
/// root of `x`, a power law.
fn drawn(draw: u64) -> u64 {
    let unit = u128::from(draw);
    let cube = (((unit * unit) >> 64) * unit) >> 64;
    ((cube * u128::from(WALLETS)) >> 64) as u64
}

/// Transfer number `i`: the sender by the power law, the receiver by it one time in two.
fn transfer(i: u64) -> Transfer {
    let draw = |salt: u64| mixed(i * 8 + salt);
    let to = if draw(0) & 1 == 0 { drawn(draw(1)) } else { draw(1) % WALLETS };
    let [_, transaction @ ..] = draw(2).to_be_bytes();
    Transfer {
        from: wallet(drawn(draw(3))),
        to: wallet(to),
        asset: 0,
        amount: FLOOR / 4 + draw(4) % (1 << 30),
        slot: i / 1_000,
        at: 1_700_000_000 + (i / 2_500) as i64,
        transaction,
    }
}

/// Seconds of one run, and the most bytes at once.
struct Run {
    build: f64,
    path: f64,
    peak: i64,
    found: String,
}

fn ours() -> anyhow::Result<Run> {
    let started = Instant::now();
    let (graph, peak) = counted::peaked(|| -> anyhow::Result<Graph> {
        let mut builder = Builder::new(&[FLOOR], NOW, TRANSFERS as usize)?;
        for i in 0..TRANSFERS {
            builder.transfer(&transfer(i))?;
        }
        Ok(builder.build())
    });
    let (graph, build) = (graph?, started.elapsed().as_secs_f64());
    let clusters = graph.clusters();
    let (first, size) = *clusters.first().context("there is a cluster")?;
    let members = graph.cluster(&first).context("it has members")?.wallets;
    let last = members.last().context("one at least")?;
    let started = Instant::now();
    let path = graph.path(&first, last).context("they are linked")?;
    let found = format!(
        "{} wallets, {} links, {} clusters, the largest of {}; a path of {} links",
        thousands(graph.wallets() as u64),
        thousands(graph.links() as u64),
        thousands(clusters.len() as u64),
        thousands(u64::from(size)),
        path.len(),
    );
    Ok(Run { build, path: started.elapsed().as_secs_f64(), peak, found })
}

type Usual = (UnGraph<(), ()>, UnionFind<u32>);

/// Every transfer an edge; no rule of what feeds whom, no evidence.
#[allow(clippy::disallowed_types)]
fn usual() -> anyhow::Result<Run> {
    let started = Instant::now();
    let ((graph, clusters), peak) = counted::peaked(|| -> Usual {
        let mut numbers: HashMap<[u8; 32], NodeIndex> = HashMap::new();
        let mut graph = UnGraph::with_capacity(0, TRANSFERS as usize);
        for i in 0..TRANSFERS {
            let t = transfer(i);
            let [from, to] =
                [t.from, t.to].map(|w| *numbers.entry(w.0).or_insert_with(|| graph.add_node(())));
            graph.add_edge(from, to, ());
        }
        let mut clusters = UnionFind::new(graph.node_count() as u32 as usize);
        for edge in graph.edge_indices() {
            let (a, b) = graph.edge_endpoints(edge).expect("it was just listed");
            clusters.union(a.index() as u32, b.index() as u32);
        }
        (graph, clusters)
    });
    let build = started.elapsed().as_secs_f64();
    let start = NodeIndex::new(0);
    let far = (0..graph.node_count() as u32).rev().find(|n| clusters.equiv(0, *n));
    let end = NodeIndex::new(far.context("it is linked with itself")? as usize);
    let started = Instant::now();
    let path = astar(&graph, start, |n| n == end, |_| 1u32, |_| 0);
    let (cost, _) = path.context("they are linked")?;
    let found = format!(
        "{} wallets, {} edges; a path of {cost}",
        thousands(graph.node_count() as u64),
        thousands(graph.edge_count() as u64)
    );
    Ok(Run { build, path: started.elapsed().as_secs_f64(), peak, found })
}

/// The section's text.
pub(crate) fn measure() -> anyhow::Result<String> {
    let generated = Instant::now();
    let sum = (0..TRANSFERS).fold(0u64, |sum, i| sum.wrapping_add(transfer(i).amount));
    let generated = generated.elapsed().as_secs_f64();
    ensure!(sum != 0, "the transfers are made");
    let mut runs = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        runs.0.push(ours()?);
        runs.1.push(usual()?);
    }
    let column = |runs: &[Run]| {
        let build: Vec<f64> = runs.iter().map(|r| r.build).collect();
        let path: Vec<f64> = runs.iter().map(|r| r.path).collect();
        let peak = runs.iter().map(|r| r.peak).max().unwrap_or(0) as u64;
        let each = peak / TRANSFERS;
        let bytes = format!("{} MiB, {each} bytes a transfer", thousands(peak >> 20));
        (seconds(&build), seconds(&path), bytes, runs[0].found.clone())
    };
    let (ours, usual) = (column(&runs.0), column(&runs.1));
    Ok(format!(
        "\
{} synthetic transfers between {} wallets by a power law, from nothing to clusters and to
one explanation, on one thread; median (least to most) of {RUNS} runs in turn. Making the transfers
themselves takes {generated:.2} s, which is part of every build below.

| | `trust::wallets` | reference: `HashMap` and petgraph |
| --- | --- | --- |
| build and components | {} | {} |
| one shortest path | {} | {} |
| most bytes at once | {} | {} |
| found | {} | {} |

The reference makes an edge of every transfer and one cluster of nearly everything. Ours drops
repeated transfers, leaves out hubs and dust, keeps for each link its evidence, and numbers wallets
in the order of their addresses; a transfer is a record of {RECORD_BYTES} bytes until the links are
known.",
        thousands(TRANSFERS),
        thousands(WALLETS),
        ours.0,
        usual.0,
        ours.1,
        usual.1,
        ours.2,
        usual.2,
        ours.3,
        usual.3
    ))
}
