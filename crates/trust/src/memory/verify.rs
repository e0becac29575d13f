//! Checking a proof: for each opening one mixing and about three paths of hashes, so microseconds.

use super::page::{hash_page, mix};
use super::proof::{Opened, Proof};
use super::size::{Memory, PASSES_MAX};
use super::trail::{Opening, Trail};
use crate::chain::{Beacon, Commitment};
use crate::challenge::Challenge;
use crate::hash::{node, root_of};
use ionet_core::DeviceId;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is nothing to open, or more than a proof holds.
    #[error("{0} roots are those of no proof")]
    Roots(usize),
    /// Its roots are not those that the device committed to.
    #[error("the roots are not those of the commitment")]
    Commitment,
    /// It opens another number of pairs than were asked for.
    #[error("{found} pairs were opened, not {expected}")]
    Openings {
        /// How many were asked for.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A path has another length than the memory says.
    #[error("opening {0} has another size than the memory says")]
    Size(usize),
    /// A page did not grow from the seed.
    #[error("opening {0} has a page that did not grow from the seed")]
    Seed(usize),
    /// A page is not under the root of the pass before, at its place.
    #[error("opening {0} has a page that was not there before the pass")]
    Before(usize),
    /// The pages, mixed, are not under the pass's root.
    #[error("opening {0} is not what mixing gives")]
    After(usize),
}

/// What all proofs of a trial over so much memory share.
#[derive(Debug, Clone, Copy)]
pub struct Verifier {
    memory: Memory,
    beacon: Beacon,
    challenge: Challenge,
    openings: usize,
}

impl Verifier {
    /// Asks everybody for so many openings.
    pub fn new(memory: Memory, beacon: Beacon, challenge: Challenge, openings: usize) -> Self {
        Self { memory, beacon, challenge, openings }
    }

    /// The passes that `device` has proven to have done, in its task with this number, between
    /// the beacon and its commitment. Whether they are enough to show that the memory was held
    /// is [`Memory::counts`]'s to say.
    pub fn verify(
        &self,
        device: DeviceId,
        task: u8,
        commitment: &Commitment,
        proof: &Proof,
    ) -> Result<u32, Rejection> {
        if !(2..=PASSES_MAX as usize + 1).contains(&proof.roots.len()) {
            return Err(Rejection::Roots(proof.roots.len()));
        }
        let mut trail = Trail::new(self.memory, self.beacon, device, task);
        for root in &proof.roots {
            trail.push(*root);
        }
        if trail.commitment() != *commitment {
            return Err(Rejection::Commitment);
        }
        let asked = trail.openings(&self.challenge, self.openings);
        if asked.len() != proof.opened.len() {
            let (expected, found) = (asked.len(), proof.opened.len());
            return Err(Rejection::Openings { expected, found });
        }
        for (number, (opening, opened)) in asked.iter().zip(&proof.opened).enumerate() {
            check(&trail, number, *opening, opened)?;
        }
        Ok(trail.passes())
    }
}

fn check(trail: &Trail, number: usize, opening: Opening, opened: &Opened) -> Result<(), Rejection> {
    let depth = trail.memory().depth();
    let lengths = opened.before.iter().all(|path| path.len() == depth);
    if !lengths || opened.after.len() + 1 != depth {
        return Err(Rejection::Size(number));
    }
    let Opening { pass, pair } = opening;
    // The opening was drawn from the trail's passes, so its root and the one before are there.
    let missing = Rejection::Roots(trail.roots().len());
    let (pairing, key) = trail.pass(pass).ok_or(missing)?;
    let earlier = trail.pass(pass - 1).map(|(pairing, _)| pairing);
    let (before, after) =
        (trail.roots()[pass as usize - 1], trail.roots().get(pass as usize).ok_or(missing)?);
    for (side, (page, path)) in opened.pages.iter().zip(&opened.before).enumerate() {
        let place = pairing.place(2 * pair + side as u32);
        if pass == 1 && *page != trail.page(place) {
            return Err(Rejection::Seed(number));
        }
        let leaf = earlier.map_or(place, |earlier| earlier.leaf(place));
        if root_of(leaf as usize, hash_page(page), path) != before {
            return Err(Rejection::Before(number));
        }
    }
    let [mut first, mut second] = opened.pages;
    mix(&key, pair, &mut first, &mut second);
    let both = node(&hash_page(&first), &hash_page(&second));
    if root_of(pair as usize, both, &opened.after) != *after {
        return Err(Rejection::After(number));
    }
    Ok(())
}
