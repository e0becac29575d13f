//! Whether a chip earns more as several of other classes.

use super::joins::Join;
use super::pools::Prices;
use super::table::{Row, Rows};
use ionet_core::ChipClass;

/// Branches after which the search gives up: the table then counts as unproven.
const BRANCHES_MAX: u32 = 2_000_000;

/// A better use of a chip than its own class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combination {
    /// What the chip really is.
    pub chip: ChipClass,
    /// What it poses as, and how often.
    pub poses: Vec<(ChipClass, u64)>,
    /// What it earns so.
    pub earns: u64,
    /// What it would earn as itself.
    pub honest: u64,
}

/// Why a table is not fit to pay by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Arbitrage {
    /// Somebody gains by lying.
    #[error(
        "a {} earns {} as {}, and {} as itself",
        .0.chip, .0.earns, listed(&.0.poses), .0.honest
    )]
    Found(Combination),
    /// Somebody gains by joining.
    #[error(
        "{} earn {} as one {}, and {} apart",
        listed(&.0.chips), .0.earns, .0.posed, .0.apart
    )]
    Joined(Join),
    /// Too many combinations to be sure.
    #[error("whether somebody gains by lying about a {0} is undecided: too many combinations")]
    Undecided(ChipClass),
}

/// Classes and how many of each, for people.
pub fn listed(chips: &[(ChipClass, u64)]) -> String {
    let each: Vec<_> = chips.iter().map(|(class, count)| format!("{count} x {class}")).collect();
    each.join(", ")
}

/// Fails if any chip of the table, at its typical rates, earns more as several, of other classes or
/// its own, in any pools at these prices. What is earned is weight times price.
pub fn arbitrage(rows: &Rows, prices: &Prices) -> Result<(), Arbitrage> {
    let rows = rows.priced(prices);
    rows.rows().try_for_each(|chip| {
        let mut others: Vec<&Row> = rows.rows().collect();
        others.sort_by_key(|row| (std::cmp::Reverse(row.weight), row.class));
        let mut search = Search { chip, branches: 0, poses: Vec::new() };
        search.branch(&others, chip.typical(), 0)
    })
}

struct Search<'a> {
    chip: &'a Row,
    branches: u32,
    poses: Vec<(ChipClass, u64)>,
}

impl Search<'_> {
    /// Tries each number of the first class, then the others on what is left.
    fn branch(&mut self, classes: &[&Row], left: [u64; 4], earned: u64) -> Result<(), Arbitrage> {
        let honest = self.chip.weight;
        if earned > honest {
            let (chip, poses) = (self.chip.class, self.poses.clone());
            return Err(Arbitrage::Found(Combination { chip, poses, earns: earned, honest }));
        }
        self.branches += 1;
        if self.branches > BRANCHES_MAX {
            return Err(Arbitrage::Undecided(self.chip.class));
        }
        let Some((first, rest)) = classes.split_first() else { return Ok(()) };
        if bound(classes, left) <= u128::from(honest - earned) {
            return Ok(());
        }
        let least = first.least();
        // Each least is positive: the table has no zeros and no spread of all.
        let most = left.iter().zip(least).map(|(left, least)| left / least.max(1)).min();
        for count in (0..=most.unwrap_or(0)).rev() {
            let mut after = left;
            for (after, least) in after.iter_mut().zip(least) {
                *after -= least * count;
            }
            if count > 0 {
                self.poses.push((first.class, count));
            }
            // A sum that does not fit is more than any honest earning, too.
            let earns = earned.saturating_add(first.weight.saturating_mul(count));
            self.branch(rest, after, earns)?;
            if count > 0 {
                self.poses.pop();
            }
        }
        Ok(())
    }
}

/// No combination that fits earns more: for each resource, all of it sold at the dearest price
/// that a class pays for it. The least over resources; rounded up, against the table.
fn bound(classes: &[&Row], left: [u64; 4]) -> u128 {
    let of = |resource: usize| {
        let dearest = classes.iter().map(|row| {
            let least = u128::from(row.least()[resource].max(1));
            (u128::from(left[resource]) * u128::from(row.weight)).div_ceil(least)
        });
        dearest.max().unwrap_or(0)
    };
    (0..4).map(of).min().unwrap_or(0)
}
