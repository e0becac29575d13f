//! Whether chips earn more as one of a dearer class than as themselves.
//!
//! Rounds can be shared out by rows, so integer and matrix rates add up. A pass over memory cannot:
//! its pairs are drawn anew over *all* pages, by the root of the pass before. A chip that holds a
//! share `s` of the pages shares `2 s (1 - s)` of all pairs with others, and of each at least one
//! page crosses to or from it, since both are needed to mix and neither can be told in fewer
//! bytes. Of `M` bytes in pairs that is `M s (1 - s)` a pass, over ports that carry `B` each way,
//! so a pass takes at least `M s (1 - s) / 2B`. At a rate of `L` bytes read and written a second it
//! takes `2 M / L`. So
//!
//! ```text
//! s (1 - s) <= 4 B / L          s <= R / L          s M <= its memory
//! ```
//!
//! where `R` is the chip's own rate: a T4 behind sixteen lanes of PCIe 3 holds a twentieth of an
//! H100's pages, whatever its memory. All rounding, fabrics without any limit of their own, and
//! links that reach only one neighbour counted as if they reached all, are in the joiners' favour.
//!
//! What is left is a covering problem in whole numbers, over three resources: both rates, and pages
//! held. [`cheapest_join`] branches over classes; a branch ends where even the cheapest chip for
//! one resource cannot fill it below what was found.

use super::arbitrage::Arbitrage;
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

/// Fails if any chips of the table earn more as one of another class than apart.
pub fn joins(rows: &Rows) -> Result<(), Arbitrage> {
    rows.rows().try_for_each(|target| match cheapest_join(rows, target.class)? {
        Some(join) if join.apart < join.earns => Err(Arbitrage::Joined(join)),
        Some(_) | None => Ok(()),
    })
}

/// The chips of other classes that earn least apart and reach the least of this one together.
/// None if no number of any does, or the class is not in the table.
pub fn cheapest_join(rows: &Rows, class: ChipClass) -> Result<Option<Join>, Arbitrage> {
    let Some(target) = rows.get(class) else { return Ok(None) };
    let mut parts: Vec<Part<'_>> = rows.rows().filter_map(|row| Part::of(row, target)).collect();
    parts.sort_by_key(|part| (std::cmp::Reverse(part.row.weight), part.row.class));
    let [integer, matrix, _, _] = target.least();
    let need = [integer, matrix, pages_mib(target)];
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
        let gives = [integer, matrix, held_mib(row, target)];
        (row.class != target.class).then_some(Self { row, gives })
    }
}

/// The most MiB of the target's pages that a chip can hold while all keep up with its least rate.
fn held_mib(row: &Row, target: &Row) -> u64 {
    let (pages, least) = (u128::from(pages_mib(target)), u128::from(target.least()[2]));
    let [_, _, stream, bytes] = row.typical();
    let streamed = (pages * u128::from(stream)).div_ceil(least);
    let most = pages.min(streamed).min(u128::from(bytes >> 20));
    let ports = 4 * u128::from(row.link) * 1_000_000_000;
    // Of numbers far below 2^128: pages below 2^41 and rates below 2^60.
    let crosses = |held: u128| held * (pages - held) / pages * least <= ports * pages;
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
            self.branch(others, after, spent + first.row.weight * count)?;
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
    use crate::classes::CALIBRATION;
    use proptest::prelude::*;

    fn rows() -> Rows {
        Rows::parse(CALIBRATION).unwrap()
    }

    fn class(name: &str) -> ChipClass {
        name.parse().unwrap()
    }

    #[test]
    fn nobody_gains_by_joining() {
        if let Err(found) = joins(&rows()) {
            panic!("{found}");
        }
        let join = cheapest_join(&rows(), class("h100-sxm-80")).unwrap().unwrap();
        assert!(join.apart >= join.earns && join.chips.len() > 1, "{join:?}");
        assert_eq!(cheapest_join(&Rows::default(), class("t4")), Ok(None));
    }

    #[test]
    fn a_class_that_is_too_cheap_to_join_is_named_and_the_answer_holds_for_itself() {
        for (name, weight) in [("t4", 150), ("rtx-3060", 90), ("l4", 300)] {
            let mut rows = rows();
            let cheap = Row { weight, ..rows.get(class(name)).unwrap().clone() };
            rows.merge(cheap).unwrap();
            let Err(Arbitrage::Joined(join)) = joins(&rows) else { panic!("{name} at {weight}") };
            let target = rows.get(join.posed).unwrap();
            let (mut sums, mut apart) = ([0; RESOURCES], 0);
            for (class, count) in &join.chips {
                let part = Part::of(rows.get(*class).unwrap(), target).unwrap();
                sums.iter_mut().zip(part.gives).for_each(|(sum, gives)| *sum += gives * count);
                apart += part.row.weight * count;
            }
            let [integer, matrix, _, _] = target.least();
            let need = [integer, matrix, target.memory << 10];
            assert!(sums.iter().zip(need).all(|(sum, need)| *sum >= need), "{join:?}");
            assert_eq!((apart, target.weight), (join.apart, join.earns));
            assert!(apart < target.weight, "{join:?}");
        }
    }

    #[test]
    fn a_slow_link_bounds_the_pages_that_a_chip_can_hold() {
        let rows = rows();
        let (t4, h100) = (rows.get(class("t4")).unwrap(), rows.get(class("h100-sxm-80")).unwrap());
        let held = u128::from(held_mib(t4, h100));
        let (pages, least) = (u128::from(pages_mib(h100)), u128::from(h100.least()[2]));
        let carried = 4 * u128::from(t4.link) * 1_000_000_000;
        // s (1 - s) L <= 4 B, times the pages squared; a MiB more breaks it.
        let left = |held: u128| held * (pages - held) * least;
        let slack = pages * least;
        assert!(left(held) <= carried * pages * pages + slack);
        assert!(left(held + 1) > carried * pages * pages);
        assert!(held * 18 < pages && held * 20 > pages, "a nineteenth, not its 15 GiB: {held}");
        // With links like memory it holds what it can stream.
        let linked = Row { link: 5_000, ..t4.clone() };
        let streamed = pages * u128::from(t4.typical()[2]);
        assert_eq!(u128::from(held_mib(&linked, h100)), streamed.div_ceil(least));
        // Whoever holds all has nothing to cross.
        let whole = Row { link: 1, ..h100.clone() };
        assert_eq!(held_mib(&whole, h100), pages_mib(h100));
    }

    proptest! {
        /// Against trying everything, on tables of two other classes whose links are no limit.
        #[test]
        fn the_search_finds_the_cheapest(numbers: [u8; 15]) {
            let n = numbers.map(|n| u64::from(n % 12) + 1);
            let line = |name: &str, n: &[u64]| format!(
                "{name} | {} | {} | {} | {} | 900 | 1 | {} | data-sheet x\n",
                n[0], n[1], n[2], n[3], n[4]
            );
            let text = [line("t4", &n[..5]), line("l4", &n[5..10]), line("h200", &n[10..])];
            let rows = Rows::parse(&text.concat()).unwrap();
            let all: Vec<&Row> = rows.rows().collect();
            for at in 0..3 {
                let (target, a, b) = (all[at], all[(at + 1) % 3], all[(at + 2) % 3]);
                let least = target.least();
                let held = |row: &Row| {
                    let mib = (target.memory << 10) * row.typical()[2];
                    mib.div_ceil(least[2]).min(row.memory << 10).min(target.memory << 10)
                };
                let reach = |x: u64, y: u64| {
                    let rate = |q: usize| x * a.typical()[q] + y * b.typical()[q] >= least[q];
                    rate(0) && rate(1) && x * held(a) + y * held(b) >= target.memory << 10
                };
                let pairs = (0..150).flat_map(|x| (0..150).map(move |y| (x, y)));
                let costs = pairs.filter(|(x, y)| reach(*x, *y));
                let cheapest = costs.map(|(x, y)| x * a.weight + y * b.weight).min();
                let found = cheapest_join(&rows, target.class).unwrap();
                prop_assert_eq!(found.map(|join| join.apart), cheapest);
            }
        }
    }
}
