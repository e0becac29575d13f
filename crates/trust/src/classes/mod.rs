//! What a chip of each class does and is worth: the table, the data it was made from, and the
//! check that nobody earns more by pretending to be something else.
//!
//! A class is a region: a chip of it proves at least `typical x (1 - spread)` of each rate, and
//! its memory. Figures say where they come from ([`Source`]); those of data sheets are claims, and
//! stand with a wide spread until a machine was measured.
//!
//! # No arbitrage
//!
//! All devices prove at the same instant, so a chip that answers for several shares each of its
//! rates, and its memory, among them. Each identity needs no more than its class's least
//! ([`Row::least`]). [`arbitrage`] looks for whole numbers of identities that fit into one chip and
//! earn more than it does. It branches over classes; a branch ends where even the dearest use of
//! one resource cannot earn more: with prices `y` on resources such that each identity pays at
//! least its weight, a rest `r` earns at most `y . r` (weak duality of the linear programme), and
//! prices on one resource alone are such prices. All in whole numbers, so an answer is exact. It is
//! more than the linear programme says: two thirds of an identity earn nothing. What one chip can
//! imitate must be worth no more than the whole.
//!
//! A chip's own class is among those that it may answer for. It never pays: memory has no spread,
//! so its own class takes all of it, and every class needs some. The other way round, [`joins`]
//! asks for chips that earn more as one than apart, over the links that they have.
//!
//! What is earned is weight times what the class's pool pays for a unit of it ([`Prices`]): with
//! other prices the same questions are asked again, also across pools. Weights that pass exist only
//! while regions of classes are far enough apart; classes that reach each other's least must be
//! paid alike. Those in the data were chosen so.
//!
//! Not in the check: faster kernels than those that rates were measured with. A chip is taken to do
//! what is typical of it by the same work, and a sheet's row takes half of the peak for that.
//! [`joins`] says what else is not.
//!
//! A class that needs nothing has no bound at all, so no such row is read: processors are not in
//! the table, and must be paid by proven rate or not at all.

mod arbitrage;
mod crossing;
mod file;
mod joins;
mod pools;
mod sheet;
mod table;

pub use arbitrage::{Arbitrage, Combination, arbitrage, listed};
pub use crossing::crossing;
pub use joins::{Host, Join, cheapest_join, joins};
pub use pools::{NoPool, PRICE_MAX, Pool, Prices};
pub use sheet::Sheet;
pub use table::{Mistake, Row, Rows, Source, TableError, VALUE_MAX};

use ionet_core::ChipClass;

/// The data that this version knows.
pub const CALIBRATION: &str = include_str!("../../data/calibration.toml");

/// What was proven of a chip. A rate that was not proven is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proven {
    /// Multiply-adds of bytes a second.
    pub integer: Option<u64>,
    /// Multiply-adds of half bytes a second.
    pub matrix: Option<u64>,
    /// Bytes streamed a second.
    pub stream: Option<u64>,
    /// Bytes held at once.
    pub bytes: Option<u64>,
}

/// How well evidence bears out a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The class.
    pub class: ChipClass,
    /// Thousandths of what is typical, the least of the proven kinds, at most 1000; rounded down.
    pub score: u16,
    /// What was not proven: while anything is missing, the class is claimed.
    pub missing: Vec<&'static str>,
}

const KINDS: [&str; 4] = ["integer rate", "matrix rate", "stream rate", "memory"];

/// The classes that evidence does not contradict, best first: those with the most weight.
pub fn fits(rows: &Rows, proven: &Proven) -> Vec<Fit> {
    let found = [proven.integer, proven.matrix, proven.stream, proven.bytes];
    let mut fits: Vec<(u64, Fit)> = Vec::new();
    for row in rows.rows() {
        let least = row.least();
        let contradicted =
            found.iter().zip(least).any(|(found, least)| found.is_some_and(|f| f < least));
        if contradicted || found == [None; 4] {
            continue;
        }
        let missing = KINDS.iter().zip(found).filter(|(_, f)| f.is_none()).map(|(k, _)| *k);
        let typical = row.typical();
        let share = |(f, typical): (&Option<u64>, u64)| {
            f.map(|f| (u128::from(f) * 1000 / u128::from(typical)).min(1000) as u16)
        };
        let score = found.iter().zip(typical).filter_map(share).min().unwrap_or(0);
        fits.push((row.weight, Fit { class: row.class, score, missing: missing.collect() }));
    }
    fits.sort_by_key(|(weight, fit)| (std::cmp::Reverse(*weight), fit.class));
    fits.into_iter().map(|(_, fit)| fit).collect()
}

#[cfg(test)]
mod tests;
