//! What was tried, and how often it was taken.

use super::moves::name;
use super::world::Verdict;
use crate::model::{No, Part};
use ionet_market_interface::instruction::Tag;
use std::collections::BTreeMap;
use std::fmt;

/// Counts of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Histories that came to their end.
    pub histories: u64,
    /// Steps: time that passed, gifts, frozen accounts, and transactions.
    pub steps: u64,
    /// Transactions, and those that were taken.
    pub transactions: (u64, u64),
    kinds: BTreeMap<&'static str, (u64, u64)>,
    refusals: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn count(&mut self, parts: &[Part], verdict: &Verdict) {
        let taken = verdict.is_ok();
        self.transactions.0 += 1;
        self.transactions.1 += u64::from(taken);
        for part in parts {
            let Part::Market(ix) = part else { continue };
            let kind = self.kinds.entry(name(ix)).or_default();
            kind.0 += 1;
            kind.1 += u64::from(taken);
        }
        if let Err((_, why)) = verdict {
            let why = match why {
                No::Market(error) => error.name(),
                No::Elsewhere | No::Seeds => "(another program)",
            };
            *self.refusals.entry(why).or_default() += 1;
        }
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.steps += other.steps;
        self.transactions.0 += other.transactions.0;
        self.transactions.1 += other.transactions.1;
        for (kind, (tried, taken)) in &other.kinds {
            let mine = self.kinds.entry(kind).or_default();
            *mine = (mine.0 + tried, mine.1 + taken);
        }
        for (why, times) in &other.refusals {
            *self.refusals.entry(why).or_default() += times;
        }
    }

    /// Instructions that were never taken.
    pub fn never_taken(&self) -> Vec<&'static str> {
        let taken = |name: &str| self.kinds.get(name).is_some_and(|kind| kind.1 > 0);
        Tag::ALL.iter().map(|tag| tag.name()).filter(|name| !taken(name)).collect()
    }
}

fn share(taken: u64, tried: u64) -> f64 {
    if tried == 0 { 0.0 } else { 100.0 * taken as f64 / tried as f64 }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tried, taken) = self.transactions;
        writeln!(f, "histories: {}, steps: {}", self.histories, self.steps)?;
        writeln!(f, "transactions: {tried}, taken: {:.1} %\n", share(taken, tried))?;
        writeln!(f, "| instruction | tried | taken | share |")?;
        writeln!(f, "| --- | ---: | ---: | ---: |")?;
        for (kind, (tried, taken)) in &self.kinds {
            writeln!(f, "| {kind} | {tried} | {taken} | {:.0} % |", share(*taken, *tried))?;
        }
        writeln!(f, "\n| refusal | times |")?;
        writeln!(f, "| --- | ---: |")?;
        for (why, times) in &self.refusals {
            writeln!(f, "| {why} | {times} |")?;
        }
        Ok(())
    }
}
