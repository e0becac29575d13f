//! Makes a failing history small: steps are left out as long as it still fails.

use super::{Failure, Histories, Plan, Tally};

/// Runs that making a history small may take.
const RUNS: usize = 250;

/// A history with steps left out that still fails.
#[derive(Clone, Debug)]
pub struct Replay {
    /// How it fails.
    pub failure: Failure,
    /// Steps that are needed, ascending.
    pub needed: Vec<usize>,
}

impl Histories {
    /// Leaves steps out: first large parts, then single ones.
    pub fn shrink(&self, failure: &Failure) -> Replay {
        let mut best = failure.clone();
        let mut without = vec![false; failure.steps];
        without.iter_mut().skip(failure.step + 1).for_each(|out| *out = true);
        let mut runs = 0;
        let mut part = failure.step.div_ceil(2).max(1);
        loop {
            let mut smaller = false;
            for from in (1..=failure.step).step_by(part) {
                let upto = (from + part).min(failure.step + 1);
                let mut tried = without.clone();
                tried.iter_mut().take(upto).skip(from).for_each(|out| *out = true);
                if tried == without || runs >= RUNS {
                    continue;
                }
                runs += 1;
                if let Err(found) = self.without(failure, &tried) {
                    (without, best, smaller) = (tried, found, true);
                }
            }
            if part == 1 && !smaller || runs >= RUNS {
                break;
            }
            part = part.div_ceil(2);
        }
        let needed = (0..failure.steps).filter(|step| !without[*step]).collect();
        Replay { failure: best, needed }
    }

    fn without(&self, failure: &Failure, without: &[bool]) -> Result<(), Failure> {
        let Failure { seed, steps, .. } = *failure;
        self.play(&Plan { seed, steps, without, aloud: false }, &mut Tally::default())
    }

    /// Runs a small history again and tells each of its steps on standard error.
    pub fn tell(&self, seed: u64, steps: usize, needed: &[usize]) -> Result<(), Failure> {
        let mut without = vec![true; steps];
        needed.iter().filter(|step| **step < steps).for_each(|step| without[*step] = false);
        let plan = Plan { seed, steps, without: &without, aloud: true };
        self.play(&plan, &mut Tally::default())
    }
}
