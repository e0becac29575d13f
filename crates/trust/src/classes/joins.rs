//! Whether chips earn more as one of a dearer class than as themselves.
//!
//! Rounds can be shared out by rows, so integer and matrix rates add up. A pass over memory cannot:
//! its pairs are drawn anew over *all* pages, by the root of the pass before ([`crossing`] has the
//! argument and the formula). At the least rate of a class, `L` bytes read and written a second, a
//! pass over `M` bytes takes `2 M / L`. A chip that holds a share `h` of the pages takes in
//! `M h (1 - h) / 2` in each, over ports that carry `B` each way. So
//!
//! ```text
//! h (1 - h) <= 4 B / L          h <= R / L          h M <= its memory
//! ```
//!
//! where `R` is the chip's own rate: a T4 behind sixteen lanes of PCIe 3 holds a nineteenth of an
//! H100's pages, whatever its memory. Shares may add up to more than one: copies are pages held.
//! All rounding, fabrics without any limit of their own, and links that reach only one neighbour
//! counted as if they reached all, are in the joiners' favour.
//!
//! What is left is a covering problem in whole numbers, over three resources: both rates, and pages
//! held. [`cheapest_join`] branches over classes; a branch ends where even the cheapest chip for
//! one resource cannot fill it below what was found. It takes sets of several classes.
//!
//! Not in the check: the memory of the machine around the cards, which costs nobody a weight. A
//! processor that mixes and hashes as fast as its memory is one more chip that holds pages
//! ([`Host`]). Beside cards with slow memory it holds most of them, and then only rates tell
//! classes apart. No weights are free of gain then; the red team's page says who gains.

use super::arbitrage::Arbitrage;
use super::pools::Prices;
use super::table::{Row, Rows};
use ionet_core::ChipClass;

/// Branches after which the search gives up: the table then counts as unproven.
const BRANCHES_MAX: u32 = 2_000_000;
/// Both rates, and MiB of pages.
const RESOURCES: usize = 3;

/// Chips that together are taken for one of another class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// What they pose as.
    pub posed: ChipClass,
    /// What it earns.
    pub earns: u64,
    /// Which and how many they are.
    pub chips: Vec<(ChipClass, u64)>,
    /// What they would earn as themselves.
    pub apart: u64,
}

/// A machine's own memory, with a processor that mixes and hashes as fast as that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// GB/s read and written.
    pub stream: u64,
    /// GB/s each way to its cards, all together.
    pub link: u64,
}

impl Host {
    /// A large server's at the best: 7 tenths of twelve channels of DDR5-4800 (460 GB/s), and 128
    /// lanes of PCIe 5. From public figures of AMD's EPYC 9004, not looked up.
    pub const SERVER: Self = Self { stream: 322, link: 512 };
}

/// Fails if any chips of the table earn more as one of another class than apart, at these prices.
pub fn joins(rows: &Rows, prices: &Prices) -> Result<(), Arbitrage> {
    rows.rows().try_for_each(|target| match cheapest_join(rows, prices, target.class, None)? {
        Some(join) if join.apart < join.earns => Err(Arbitrage::Joined(join)),
        Some(_) | None => Ok(()),
    })
}

/// The chips of other classes that earn least apart and reach the least of this one together.
/// None if no number of any does, or the class is not in the table. A host holds what it can.
pub fn cheapest_join(
    rows: &Rows,
    prices: &Prices,
    class: ChipClass,
    host: Option<Host>,
) -> Result<Option<Join>, Arbitrage> {
    let rows = rows.priced(prices);
    let Some(target) = rows.get(class) else { return Ok(None) };
    let mut parts: Vec<Part<'_>> = rows.rows().filter_map(|row| Part::of(row, target)).collect();
    parts.sort_by_key(|part| (std::cmp::Reverse(part.row.weight), part.row.class));
    let [integer, matrix, _, _] = target.least();
    let beside = host.map_or(0, |host| held_mib(host.stream, host.link, u64::MAX, target));
    let need = [integer, matrix, pages_mib(target) - beside];
    let mut search = Search { class, best: None, branches: 0, chips: Vec::new() };
    search.branch(&parts, need, 0)?;
    let join = |(apart, chips)| Join { posed: class, earns: target.weight, chips, apart };
    Ok(search.best.map(join))
}

/// MiB of pages that a pass over the class's memory has.
const fn pages_mib(target: &Row) -> u64 {
    target.memory << 10
}

/// A class as a part of a join.
struct Part<'a> {
    row: &'a Row,
    gives: [u64; RESOURCES],
}

impl<'a> Part<'a> {
    /// None of the target's own class.
    fn of(row: &'a Row, target: &Row) -> Option<Self> {
        let [integer, matrix, _, _] = row.typical();
        let held = held_mib(row.stream, row.link, row.memory << 10, target);
        let gives = [integer, matrix, held];
        (row.class != target.class).then_some(Self { row, gives })
    }
}

/// The most MiB of the target's pages that a chip of these rates in GB/s, and of so many MiB, can
/// hold while all keep up with the target's least rate.
fn held_mib(stream: u64, link: u64, memory_mib: u64, target: &Row) -> u64 {
    let (pages, least) = (u128::from(pages_mib(target)), u128::from(target.least()[2]));
    let giga = |rate: u64| u128::from(rate) * 1_000_000_000;
    let streamed = (pages * giga(stream)).div_ceil(least);
    let most = pages.min(streamed).min(u128::from(memory_mib));
    // What comes in during a pass of 2 M / L, doubled. All numbers are far below 2^128: pages
    // below 2^41, rates below 2^60.
    let crosses = |held: u128| held * (pages - held) / pages * least <= 4 * giga(link) * pages;
    if crosses(most) {
        return most as u64;
    }
    // Up to a half, more pages are more crossings: the last that do.
    let (mut low, mut high) = (0, most.min(pages / 2));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if crosses(middle) { low = middle } else { high = middle - 1 }
    }
    low as u64
}

struct Search {
    class: ChipClass,
    /// What the cheapest earn apart, and which they are.
    best: Option<(u64, Vec<(ChipClass, u64)>)>,
    branches: u32,
    chips: Vec<(ChipClass, u64)>,
}

impl Search {
    /// Tries each number of the first class, then the others for what is still needed.
    fn branch(
        &mut self,
        parts: &[Part<'_>],
        need: [u64; RESOURCES],
        spent: u64,
    ) -> Result<(), Arbitrage> {
        if need == [0; RESOURCES] {
            if self.best.as_ref().is_none_or(|(best, _)| spent < *best) {
                self.best = Some((spent, self.chips.clone()));
            }
            return Ok(());
        }
        self.branches += 1;
        if self.branches > BRANCHES_MAX {
            return Err(Arbitrage::Undecided(self.class));
        }
        let Some(rest) = bound(parts, need) else { return Ok(()) };
        let beaten = |spent: u128| self.best.as_ref().is_some_and(|(b, _)| spent >= u128::from(*b));
        if beaten(u128::from(spent) + rest) {
            return Ok(());
        }
        let Some((first, others)) = parts.split_first() else { return Ok(()) };
        // No more of them than fill all needs alone.
        let fills = |(need, gives): (&u64, &u64)| need.div_ceil((*gives).max(1));
        let most = need.iter().zip(&first.gives).map(fills).max().unwrap_or(0);
        for count in (0..=most.min(COUNT_MAX)).rev() {
            let mut after = need;
            for (after, gives) in after.iter_mut().zip(first.gives) {
                *after = after.saturating_sub(gives.saturating_mul(count));
            }
            if count > 0 {
                self.chips.push((first.row.class, count));
            }
            let apart = first.row.weight.saturating_mul(count);
            self.branch(others, after, spent.saturating_add(apart))?;
            if count > 0 {
                self.chips.pop();
            }
        }
        Ok(())
    }
}

/// Most chips of one class in a join: more are a data centre, not an attack on one row.
const COUNT_MAX: u64 = 256;

/// No join for what is still needed costs less: for each resource, all of it at the cheapest price
/// for which a class gives it; the dearest of these. None if one cannot be had at all.
fn bound(parts: &[Part<'_>], need: [u64; RESOURCES]) -> Option<u128> {
    let of = |resource: usize| {
        let cheapest = parts.iter().filter(|p| p.gives[resource] > 0).map(|part| {
            let price = u128::from(need[resource]) * u128::from(part.row.weight);
            price.div_ceil(u128::from(part.gives[resource]))
        });
        if need[resource] == 0 { Some(0) } else { cheapest.min() }
    };
    (0..RESOURCES).map(of).try_fold(0, |most, price| price.map(|price| most.max(price)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::tests::{class, measured, rows};
    use crate::classes::{Pool, crossing};
    use proptest::prelude::*;

    #[test]
    fn nobody_gains_by_joining() {
        if let Err(found) = joins(&rows(), &Prices::default()) {
            panic!("{found}");
        }
        let none = Prices::default();
        let join = cheapest_join(&rows(), &none, class("h100-sxm-80"), None).unwrap().unwrap();
        assert!(join.apart >= join.earns, "{join:?}");
        assert_eq!(cheapest_join(&Rows::default(), &none, class("t4"), None), Ok(None));
    }

    /// A join that is found stands by itself: by the pages that cross, not by the search's words.
    fn stands(join: &Join, rows: &Rows, prices: &Prices) {
        let target = rows.get(join.posed).unwrap();
        let [integer, matrix, least, all] = target.least().map(u128::from);
        let price = |row: &Row| row.weight * prices.of(&row.pool);
        let (mut sums, mut apart) = ([0; 2], 0);
        let mut held = 0;
        for (class, count) in &join.chips {
            let row = rows.get(*class).unwrap();
            let [has, has_matrix, streams, bytes] = row.typical();
            sums[0] += u128::from(has * count);
            sums[1] += u128::from(has_matrix * count);
            let mib = held_mib(row.stream, row.link, row.memory << 10, target);
            let bytes_held = mib << 20;
            assert!(bytes_held <= bytes);
            // A pass lasts 2 M / L; but for a MiB, which is rounded in the joiners' favour.
            let less = u128::from(bytes_held.saturating_sub(1 << 20));
            let comes_in = u128::from(crossing(target.memory << 30, less as u64));
            let carries = u128::from(row.link) * 1_000_000_000 * 2 * all / least;
            assert!(comes_in <= carries, "{join:?}");
            assert!(less * least <= all * u128::from(streams), "{join:?}");
            held += u128::from(bytes_held * count);
            apart += price(row) * count;
        }
        assert!(sums[0] >= integer && sums[1] >= matrix && held >= all, "{join:?}");
        assert_eq!((apart, price(target)), (join.apart, join.earns));
        assert!(apart < join.earns, "{join:?}");
    }

    #[test]
    fn a_class_that_is_too_cheap_to_join_is_named() {
        for (name, weight) in [("t4", 150), ("rtx-3060", 90), ("l4", 300)] {
            let mut rows = rows();
            let cheap = Row { weight, ..rows.get(class(name)).unwrap().clone() };
            rows.merge(cheap).unwrap();
            let Err(Arbitrage::Joined(join)) = joins(&rows, &Prices::default()) else {
                panic!("{name} at {weight}")
            };
            stands(&join, &rows, &Prices::default());
        }
    }

    #[test]
    fn a_richer_pool_is_joined_for_from_another() {
        let pool: Pool = "nvidia".parse().unwrap();
        let prices = Prices::default().with(pool, 3);
        let Err(Arbitrage::Joined(join)) = joins(&rows(), &prices) else { panic!("nothing") };
        stands(&join, &rows(), &prices);
        assert!(join.chips.iter().any(|(class, _)| rows().get(*class).unwrap().pool != {
            rows().get(join.posed).unwrap().pool.clone()
        }));
    }

    #[test]
    fn a_servers_memory_takes_pages_from_the_cards() {
        let (rows, none) = (rows(), Prices::default());
        let apart = |name: &str, host| {
            cheapest_join(&rows, &none, class(name), host).unwrap().unwrap().apart
        };
        for row in rows.rows() {
            let name = row.class.as_str();
            assert!(apart(name, Some(Host::SERVER)) <= apart(name, None), "{name}");
        }
        // What the check leaves out, and by how much: an A10 beside much memory, for an A6000.
        assert!(apart("a6000", Some(Host::SERVER)) <= rows.get(class("a10")).unwrap().weight);
    }

    #[test]
    fn a_slow_link_bounds_the_pages_that_a_chip_can_hold() {
        let rows = rows();
        let (t4, h100) = (rows.get(class("t4")).unwrap(), rows.get(class("h100-sxm-80")).unwrap());
        let memory = t4.memory << 10;
        let pages = pages_mib(h100);
        let held = held_mib(t4.stream, t4.link, memory, h100);
        assert!(held * 18 < pages && held * 20 > pages, "a nineteenth, not all it has: {held}");
        // With links like memory it holds what it can stream.
        let streamed = (pages * t4.typical()[2]).div_ceil(h100.least()[2]);
        assert_eq!(held_mib(t4.stream, 5_000, memory, h100), streamed.min(memory));
        // Whoever holds all has nothing to cross.
        assert_eq!(held_mib(h100.stream, 1, h100.memory << 10, h100), pages);
    }

    proptest! {
        /// Against trying everything, on tables of two other classes.
        #[test]
        fn the_search_finds_the_cheapest(numbers: [u8; 18]) {
            let n = numbers.map(|n| u64::from(n % 12) + 1);
            let text = [
                measured("t4", [n[0], n[1], n[2], n[3], n[15], 1, n[4]]),
                measured("l4", [n[5], n[6], n[7], n[8], n[16], 1, n[9]]),
                measured("h200", [n[10], n[11], n[12], n[13], n[17], 1, n[14]]),
            ];
            let rows = Rows::parse(&text.concat()).unwrap();
            let all: Vec<&Row> = rows.rows().collect();
            for at in 0..3 {
                let (target, a, b) = (all[at], all[(at + 1) % 3], all[(at + 2) % 3]);
                let least = target.least();
                let pages = target.memory << 10;
                // Each number of MiB is tried, from the most that memory and rate allow.
                let held = |row: &Row| {
                    let streamed = (pages * row.typical()[2]).div_ceil(least[2]);
                    let most = streamed.min(row.memory << 10).min(pages);
                    let link = u128::from(row.link) * 4_000_000_000 * u128::from(pages);
                    let carries = |mib: &u64| {
                        let shared = u128::from(*mib) * u128::from(pages - mib);
                        shared / u128::from(pages) * u128::from(least[2]) <= link
                    };
                    if carries(&most) { return most; }
                    (0..=most.min(pages / 2)).rev().find(carries).unwrap_or(0)
                };
                let (with_a, with_b) = (held(a), held(b));
                let reach = |x: u64, y: u64| {
                    let rate = |q: usize| x * a.typical()[q] + y * b.typical()[q] >= least[q];
                    rate(0) && rate(1) && x * with_a + y * with_b >= pages
                };
                let pairs = (0..150).flat_map(|x| (0..150).map(move |y| (x, y)));
                let costs = pairs.filter(|(x, y)| reach(*x, *y));
                let cheapest = costs.map(|(x, y)| x * a.weight + y * b.weight).min();
                let found = cheapest_join(&rows, &Prices::default(), target.class, None).unwrap();
                prop_assert_eq!(found.map(|join| join.apart), cheapest);
            }
        }
    }
}
