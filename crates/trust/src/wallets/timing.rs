//! Bot-like timing: when a feeder fed, and what a hub paid out in one go.
//!
//! **Regular:** with `n` intervals `d` between `n + 1` feedings, the squared coefficient of
//! variation `n * sum(d^2) / sum(d)^2 - 1` is below 1/16. Payments that come at random times (a
//! Poisson process) have 1. Of eight such, one in some thousands looks regular; a test counts them.
//!
//! **Burst:** at least half of all feedings, and at least eight, lie within ten minutes.
//!
//! Salaries are regular and an airdrop is a burst: this makes a link firmer that is there anyway,
//! and never makes one.

use super::build::{Kind, Record};
use std::collections::BTreeMap;

/// Fewer feedings have no pattern.
pub(super) const FEEDINGS_MIN: usize = 8;
/// Seconds that are one burst.
const BURST_SECONDS: u32 = 600;
/// One over the largest squared variation that is regular.
const REGULAR: u128 = 16;

/// When a wallet fed others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How many feedings it was computed from.
    pub feedings: u32,
    /// They came at regular intervals.
    pub regular: bool,
    /// The most of them within ten minutes, if that is a burst.
    pub burst: Option<u32>,
    /// The most of them that are of one amount, to the last unit.
    pub alike: u32,
}

impl Timing {
    /// Of feedings at these unix seconds, sorted; `alike` of them of one amount. Nothing if there
    /// are too few to tell.
    pub fn of(times: &[u32], alike: u32) -> Option<Self> {
        if times.len() < FEEDINGS_MIN {
            return None;
        }
        let most = busiest(times);
        let burst = (most >= FEEDINGS_MIN && most * 2 >= times.len()).then_some(most as u32);
        let feedings = times.len() as u32;
        Some(Self { feedings, regular: is_regular(times), burst, alike })
    }

    /// Whether any of it is like a machine's.
    pub fn is_bot_like(&self) -> bool {
        self.regular || self.burst.is_some()
    }
}

fn is_regular(times: &[u32]) -> bool {
    let gaps = times.windows(2).map(|pair| u128::from(pair[1] - pair[0]));
    let count = times.len() as u128 - 1;
    let sum = u128::from(times[times.len() - 1] - times[0]);
    let squares: u128 = gaps.map(|gap| gap * gap).sum();
    // All at once has no interval: that is a burst. Sums are below 2^96 even for 2^32 feedings.
    sum > 0 && (count * squares - sum * sum) * REGULAR < sum * sum
}

/// The most of sorted `times` that lie within a burst's length.
fn busiest(times: &[u32]) -> usize {
    let mut start = 0;
    let mut most = 0;
    for (end, time) in times.iter().enumerate() {
        while time - times[start] > BURST_SECONDS {
            start += 1;
        }
        most = most.max(end - start + 1);
    }
    most
}

/// Wallets that a hub paid the same amount, to the last unit, within ten minutes. This links
/// nobody: strangers withdraw round amounts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Number of the hub; see [`super::Graph::wallet`].
    pub hub: u32,
    /// The asset.
    pub asset: u8,
    /// Base units to each.
    pub amount: u64,
    /// Unix seconds of the first and the last.
    pub from_to: (u32, u32),
    /// How many owners of devices are among them.
    pub owners: u32,
}

/// The timing of every feeder whose feedings are bot-like, by its number.
pub(super) fn feeders(links: &[Record]) -> BTreeMap<u32, Timing> {
    let mut order: Vec<u32> = (0..links.len() as u32).collect();
    let link = |at: &u32| &links[*at as usize];
    order.sort_unstable_by_key(|at| (link(at).from, link(at).at, *at));
    let mut found = BTreeMap::new();
    for run in order.chunk_by(|a, b| link(a).from == link(b).from) {
        if run.len() < FEEDINGS_MIN {
            continue;
        }
        let times: Vec<u32> = run.iter().map(|at| link(at).at).collect();
        let mut amounts: Vec<_> = run.iter().map(|at| (link(at).kind(), link(at).amount)).collect();
        amounts.sort_unstable();
        let alike = amounts.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap_or(0);
        if let Some(timing) = Timing::of(&times, alike as u32).filter(Timing::is_bot_like) {
            found.insert(link(&run[0]).from, timing);
        }
    }
    found
}

/// The batch that each owner of devices was fed in, by the owner's number.
pub(super) fn batches(links: &[Record], hubs: &[bool], owners: &[bool]) -> BTreeMap<u32, Batch> {
    let of_hub = |link: &&Record| hubs[link.from as usize] && owners[link.to as usize];
    let mut fed: Vec<&Record> = links.iter().filter(of_hub).collect();
    fed.sort_unstable_by_key(|link| (link.from, link.kind(), link.amount, link.at, link.to));
    let mut found = BTreeMap::new();
    let alike =
        |a: &&Record, b: &&Record| (a.from, a.kind(), a.amount) == (b.from, b.kind(), b.amount);
    for alike in fed.chunk_by(alike) {
        let mut rest = alike;
        while let Some(first) = rest.first() {
            let within = rest.partition_point(|link| link.at - first.at <= BURST_SECONDS);
            let Kind::Fed(asset) = first.kind() else { break };
            if within < FEEDINGS_MIN {
                rest = &rest[1..];
                continue;
            }
            let (batch, after) = rest.split_at(within);
            rest = after;
            let (hub, amount, owners) = (first.from, first.amount, within as u32);
            let from_to = (first.at, batch[within - 1].at);
            let batch_of = Batch { hub, asset, amount, from_to, owners };
            for link in batch {
                let known = found.entry(link.to).or_insert(batch_of);
                if known.owners < owners {
                    *known = batch_of;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clockwork_is_regular_and_people_are_not() {
        let clockwork: Vec<u32> = (0..20).map(|i| 1_000 + i * 3_600 + i * i % 60).collect();
        let timing = Timing::of(&clockwork, 20).unwrap();
        assert!(timing.regular && timing.burst.is_none() && timing.alike == 20);
        let person = [0, 5_000, 5_100, 90_000, 91_000, 400_000, 400_060, 700_000, 2_000_000];
        assert!(!Timing::of(&person, 1).unwrap().is_bot_like());
        assert_eq!(Timing::of(&clockwork[..7], 1), None, "seven have no pattern");
    }

    #[test]
    fn a_burst_is_half_of_all_within_ten_minutes() {
        let burst: Vec<u32> = (0..8).map(|i| i * 75).chain((1..=8).map(|i| i * 86_400)).collect();
        assert_eq!(Timing::of(&burst, 1).unwrap().burst, Some(8));
        let thin: Vec<u32> = (0..8).map(|i| i * 75).chain((1..=9).map(|i| i * 86_400)).collect();
        assert_eq!(Timing::of(&thin, 1).unwrap().burst, None);
        let at_once = [7; 9];
        let timing = Timing::of(&at_once, 9).unwrap();
        assert!(!timing.regular && timing.burst == Some(9));
        let extremes = [0, 0, 0, 0, 0, 0, 0, u32::MAX];
        assert!(!Timing::of(&extremes, 1).unwrap().regular);
    }

    /// How often eight feedings at random times look regular: the figure of the module's text.
    #[test]
    fn random_times_seldom_look_regular() {
        let mut state = 1u64;
        let mut drawn = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 32) as u32 % 2_592_000
        };
        let mut regular = 0;
        for _ in 0..100_000 {
            let mut times: [u32; 8] = std::array::from_fn(|_| drawn());
            times.sort_unstable();
            regular += u32::from(Timing::of(&times, 1).unwrap().regular);
        }
        // Uniform times of a month have the intervals of a Poisson process.
        assert!((1..100).contains(&regular), "{regular} of 100,000");
    }
}
