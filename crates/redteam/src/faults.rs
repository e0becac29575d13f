//! A verifier that checks can be taken out of, to see that attackers then win: a red team that
//! cannot fail shows nothing.

use crate::world::World;
use ionet_core::DeviceId;
use ionet_trust::{Beacon, Hour};
use ionet_trust::{
    Chain, Challenge, Commitment, Opening, Place, Precommitment, Proof, Secret, leaf, root_of,
    shared_seed,
};

/// A check that may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// None: as sound as the protocol's own.
    Nothing,
    /// Roots need not be the committed ones.
    Commitment,
    /// Leaves need not be in the tree.
    Path,
    /// Leaves need not be products.
    Product,
    /// Openings follow from the commitment, which the prover makes.
    Question,
}

/// What is asked, in the sound way or from the prover's own commitment.
pub fn asks(
    world: &World,
    hour: &Hour,
    missing: Missing,
    device: DeviceId,
    commitment: &Commitment,
    rounds: u32,
) -> Vec<Opening> {
    if missing != Missing::Question {
        return hour.asks(device, rounds);
    }
    let secret = Secret(commitment.0);
    let promised: Precommitment = secret.precommitment();
    let own = Challenge::new(&world.beacon, &Beacon(commitment.0), &secret, &promised);
    let own = own.expect("its own promise");
    own.openings(world.shape, device, rounds, world.openings)
}

/// The check, with one part of it missing. Each product is computed anew.
pub fn accepts(
    world: &World,
    asked: &[Opening],
    missing: Missing,
    device: DeviceId,
    commitment: &Commitment,
    proof: &Proof,
) -> bool {
    let shape = world.shape;
    let chain = Chain::with_roots(shape, world.beacon, device, proof.roots.clone());
    let Some(chain) = chain.filter(|chain| chain.rounds() > 0) else { return false };
    if missing != Missing::Commitment && chain.commitment() != *commitment {
        return false;
    }
    let b = shared_seed(&world.beacon, shape).matrix(shape);
    let right = |opening: &Opening, values: &[i32]| {
        let Some(seed) = chain.seed(opening.round) else { return false };
        let mut row = vec![0; shape.side()];
        seed.row(shape, opening.place.row, &mut row);
        let first = opening.place.segment * shape.width();
        values.iter().enumerate().all(|(n, value)| {
            let column = b.iter().skip(first + n).step_by(shape.side());
            let sum: i64 = row.iter().zip(column).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum();
            sum == i64::from(*value)
        })
    };
    let held = |opening: &Opening, values: &[i32], path: &[[u8; 32]]| {
        let place: Place = opening.place;
        let found = leaf(opening.round, place, values);
        chain.roots().get(opening.round as usize) == Some(&root_of(place.index(shape), found, path))
    };
    asked.len() == proof.opened.len()
        && asked.iter().zip(&proof.opened).all(|(opening, opened)| {
            opened.values.len() == shape.width()
                && opened.path.len() == shape.depth()
                && (missing == Missing::Path || held(opening, &opened.values, &opened.path))
                && (missing == Missing::Product || right(opening, &opened.values))
        })
}
