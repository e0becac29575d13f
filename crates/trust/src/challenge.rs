//! What is asked after the deadline. Nothing of it may be known before, nor follow from what a
//! prover sends: with a tenth of garbage, a few hundred tries would find a lucky commitment.

use crate::chain::{Beacon, ROUNDS_MAX};
use crate::expand::Seed;
use crate::field::Element;
use crate::hash::{Hash, Place, Purpose};
use crate::shape::Shape;
use ionet_core::DeviceId;

/// A value that the coordinator drew before the hour and keeps to itself until the deadline. Its
/// hash binds it before any of the hour's blocks exists: it can choose neither a veil nor a
/// question.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// What is published before the hour begins.
    pub fn precommitment(&self) -> Precommitment {
        Precommitment(Purpose::Precommitment.hash(&[&self.0]))
    }

    /// What is mixed into the beacon of a trial's task with this number, so that nobody who merely
    /// sees its block knows it. It is told with the task's start, and tells nothing of the secret.
    pub(crate) fn veil(&self, task: usize) -> Hash {
        Purpose::Veil.hash(&[&self.0, &(task as u64).to_le_bytes()])
    }
}

/// The hash of a [`Secret`]: binds the coordinator without telling anybody anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Precommitment(pub Hash);

/// The revealed value is not the one that was committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret does not belong to the hour's precommitment")]
pub struct WrongSecret;

/// An hour's challenge: from a beacon of after the deadline, which the coordinator cannot choose,
/// and from its secret, which whoever makes the beacon does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge(Hash);

impl Challenge {
    /// Made of both, once the secret is revealed.
    pub fn new(
        start: &Beacon,
        late: &Beacon,
        secret: &Secret,
        promised: &Precommitment,
    ) -> Result<Self, WrongSecret> {
        if secret.precommitment() != *promised {
            return Err(WrongSecret);
        }
        Ok(Self(Purpose::Challenge.hash(&[&start.0, &late.0, &secret.0])))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The random vector of each segment, one after the other: the same for all devices, so that
    /// the product with B is computed once an hour.
    pub fn vectors(&self, shape: Shape) -> Vec<Element> {
        let seed = Purpose::Vectors.seed(&[&self.0, &shape.bytes()]);
        seed.elements(shape.side())
    }

    /// The leaves that a device has to open of its `rounds`, in order; drawn with replacement.
    /// Empty if it has none or too many rounds.
    pub fn openings(
        &self,
        shape: Shape,
        device: DeviceId,
        rounds: u32,
        count: usize,
    ) -> Vec<Opening> {
        if rounds == 0 || rounds > ROUNDS_MAX {
            return Vec::new();
        }
        let seed: Seed =
            Purpose::Openings.seed(&[&self.0, &shape.bytes(), &device.0, &rounds.to_le_bytes()]);
        let leaves = shape.leaves() as u64;
        let opening = |drawn: u64| Opening {
            round: (drawn / leaves) as u32,
            place: Place::of_index(shape, (drawn % leaves) as usize),
        };
        seed.indices(count, leaves * u64::from(rounds)).into_iter().map(opening).collect()
    }
}

/// A leaf that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Of which round.
    pub round: u32,
    /// Where in it.
    pub place: Place,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Entries;

    fn challenge(late: u8, secret: u8) -> Challenge {
        let secret = Secret([secret; 32]);
        let promised = secret.precommitment();
        Challenge::new(&Beacon([1; 32]), &Beacon([late; 32]), &secret, &promised).unwrap()
    }

    #[test]
    fn another_secret_than_promised_is_refused() {
        let promised = Secret([1; 32]).precommitment();
        let (start, late) = (Beacon([1; 32]), Beacon([2; 32]));
        let made = Challenge::new(&start, &late, &Secret([2; 32]), &promised);
        assert_eq!(made, Err(WrongSecret));
        assert!(!format!("{:?}", Secret([2; 32])).contains('2'));
    }

    #[test]
    fn nobody_alone_decides_what_is_opened() {
        let shape = Shape::new(Entries::Byte, 64, 16).unwrap();
        let asked = |c: Challenge, device: u8, rounds: u32| {
            c.openings(shape, DeviceId([device; 32]), rounds, 20)
        };
        let base = asked(challenge(2, 2), 1, 8);
        assert_eq!(base, asked(challenge(2, 2), 1, 8));
        assert_ne!(base, asked(challenge(3, 2), 1, 8));
        assert_ne!(base, asked(challenge(2, 3), 1, 8));
        assert_ne!(base, asked(challenge(2, 2), 2, 8));
        assert_ne!(challenge(2, 2).vectors(shape), challenge(2, 3).vectors(shape));
    }

    #[test]
    fn every_leaf_of_every_round_can_be_asked_for() {
        let shape = Shape::new(Entries::Byte, 64, 64).unwrap();
        let asked = challenge(2, 2).openings(shape, DeviceId([1; 32]), 2, 4_000);
        let kinds: std::collections::BTreeSet<_> =
            asked.iter().map(|o| (o.round, o.place.row, o.place.segment)).collect();
        assert_eq!(kinds.len(), 128);
        let none = challenge(2, 2).openings(shape, DeviceId([1; 32]), 0, 9);
        let many = challenge(2, 2).openings(shape, DeviceId([1; 32]), ROUNDS_MAX + 1, 9);
        assert!(none.is_empty() && many.is_empty());
    }
}
