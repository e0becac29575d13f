//! What is tried. Each function is one table.

mod classes;
mod proofs;
mod signals;
mod times;

use crate::report::Section;

/// How much is tried, and from which chance.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// All chance follows from it.
    pub seed: u64,
    /// Trials for each point of a curve.
    pub trials: u64,
}

impl Effort {
    /// For the tables of the document.
    pub const FULL: Self = Self { seed: 8, trials: 400 };
    /// For `make test`.
    pub const FAST: Self = Self { seed: 8, trials: 12 };
}

/// All experiments.
pub fn all(effort: Effort) -> Vec<Section> {
    vec![
        proofs::partial(effort),
        proofs::persistent(effort),
        proofs::forgeries(effort),
        proofs::faults(effort),
        proofs::algebra(effort),
        proofs::memory(effort),
        times::speed(effort),
        times::honest(effort),
        times::lead(effort),
        times::identities(effort),
        times::two_networks(effort),
        times::coordinator(effort),
        times::tasks(effort),
        classes::poses(),
        classes::joined(effort),
        signals::regions(effort),
        signals::hosting(),
        signals::slices(),
    ]
}
