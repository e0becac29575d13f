//! Checking proofs: in a millisecond each, after one computation an hour for the whole network.
//!
//! A leaf is the product of a row of A with a piece of B, so for any vector `r` its product with
//! `r` is that of the row with `V = B_j r`. With `r` drawn after the leaf was committed to, a
//! wrong leaf passes with a probability of at most 1/(2^61 - 1): what it differs by is a nonzero
//! vector modulo the prime, and at most one in 2^61 - 1 vectors is orthogonal to it (R. Freivalds,
//! 1977). The row and the piece cost `side + width` multiplications.

use crate::chain::{Beacon, Chain, Commitment, shared_seed};
use crate::challenge::{Challenge, Opening};
use crate::field::{Element, dot};
use crate::hash::{leaf, root_of};
use crate::proof::{Opened, Proof};
use crate::shape::Shape;
use ionet_core::DeviceId;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its roots are not those that the device committed to.
    #[error("the roots are not those of the commitment")]
    Commitment,
    /// There is nothing to open.
    #[error("no rounds were done")]
    NoRounds,
    /// It opens another number of leaves than were asked for.
    #[error("{found} leaves were opened, not {expected}")]
    Openings {
        /// How many were asked for.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A leaf or its path has another size.
    #[error("opening {0} has another size than the shape says")]
    Size(usize),
    /// A leaf is not in its round's tree at its place.
    #[error("opening {0} is not what was committed to")]
    Path(usize),
    /// A leaf is not what the multiplication gives.
    #[error("opening {0} is not the product")]
    Product(usize),
}

/// One hour's common knowledge, ready to check proofs with.
pub struct Hour {
    shape: Shape,
    beacon: Beacon,
    challenge: Challenge,
    openings: usize,
    vectors: Vec<Element>,
    /// For each segment, B's piece times the segment's vector: `side` numbers.
    products: Vec<Element>,
}

impl Hour {
    /// Computes what all proofs share: `side` squared multiplications.
    pub fn new(shape: Shape, beacon: Beacon, challenge: Challenge, openings: usize) -> Self {
        let vectors = challenge.vectors(shape);
        let seed = shared_seed(&beacon, shape);
        let (side, width) = (shape.side(), shape.width());
        let mut products = vec![Element::default(); side * shape.segments()];
        let mut row = vec![0; side];
        for k in 0..side {
            seed.row(shape, k, &mut row);
            let pieces = row.chunks_exact(width).zip(vectors.chunks_exact(width));
            for (segment, (piece, r)) in pieces.enumerate() {
                products[segment * side + k] = dot(piece, r);
            }
        }
        Self { shape, beacon, challenge, openings, vectors, products }
    }

    /// What is multiplied.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Leaves that each proof opens.
    pub fn openings(&self) -> usize {
        self.openings
    }

    /// What a device with so many rounds has to open.
    pub fn asks(&self, device: DeviceId, rounds: u32) -> Vec<Opening> {
        self.challenge.openings(self.shape, device, rounds, self.openings)
    }

    /// The rounds that `device` has proven to have done between the beacon and its commitment.
    pub fn verify(
        &self,
        device: DeviceId,
        commitment: &Commitment,
        proof: &Proof,
    ) -> Result<u32, Rejection> {
        let chain = Chain::with_roots(self.shape, self.beacon, device, proof.roots.clone())
            .filter(|chain| chain.commitment() == *commitment)
            .ok_or(Rejection::Commitment)?;
        if chain.rounds() == 0 {
            return Err(Rejection::NoRounds);
        }
        let asked = self.asks(device, chain.rounds());
        if asked.len() != proof.opened.len() {
            let (expected, found) = (asked.len(), proof.opened.len());
            return Err(Rejection::Openings { expected, found });
        }
        let mut row = vec![0; self.shape.side()];
        for (number, (opening, opened)) in asked.iter().zip(&proof.opened).enumerate() {
            self.check(&chain, number, *opening, opened, &mut row)?;
        }
        Ok(chain.rounds())
    }

    fn check(
        &self,
        chain: &Chain,
        number: usize,
        opening: Opening,
        opened: &Opened,
        row: &mut [i8],
    ) -> Result<(), Rejection> {
        let (shape, place) = (self.shape, opening.place);
        if opened.values.len() != shape.width() || opened.path.len() != shape.depth() {
            return Err(Rejection::Size(number));
        }
        let found = leaf(opening.round, place, &opened.values);
        let root = root_of(place.index(shape), found, &opened.path);
        if chain.roots()[opening.round as usize] != root {
            return Err(Rejection::Path(number));
        }
        // The round is one of the chain's, so everything before it is known.
        let seed = chain.seed(opening.round).ok_or(Rejection::NoRounds)?;
        seed.row(shape, place.row, row);
        let (side, width) = (shape.side(), shape.width());
        let r = &self.vectors[place.segment * width..][..width];
        let v = &self.products[place.segment * side..][..side];
        if dot(&opened.values, r) != dot(row, v) {
            return Err(Rejection::Product(number));
        }
        Ok(())
    }
}
