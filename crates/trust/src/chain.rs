//! The chain of rounds: what each multiplies follows from what the one before it found, so that
//! rounds of one device cannot be shared out, nor begun before the beacon.

use crate::expand::Seed;
use crate::hash::{Hash, Purpose};
use crate::shape::Shape;
use ionet_core::{ChipId, DeviceId};

/// An unpredictable value that everybody learns at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Beacon(pub [u8; 32]);

/// The key under which a chip proves: the device's own for its first one. Work for one chip is none
/// for another.
pub fn proving_key(chip: ChipId) -> DeviceId {
    match chip.number {
        0 => chip.device,
        number => DeviceId(Purpose::Chip.hash(&[&chip.device.0, &[number]])),
    }
}

/// Most rounds in one proof: its roots are 16 KiB then.
pub const ROUNDS_MAX: u32 = 512;

/// The seed of B: the same for every device of the hour.
pub fn shared_seed(beacon: &Beacon, shape: Shape) -> Seed {
    Purpose::SharedMatrix.seed(&[&beacon.0, &shape.bytes()])
}

/// What a device commits to before the deadline: its rounds, by one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Commitment(pub Hash);

/// A device's rounds, as far as their roots are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    shape: Shape,
    beacon: Beacon,
    device: DeviceId,
    roots: Vec<Hash>,
}

impl Chain {
    /// Of a device that has done nothing yet this hour.
    pub fn new(shape: Shape, beacon: Beacon, device: DeviceId) -> Self {
        Self { shape, beacon, device, roots: Vec::new() }
    }

    /// With these roots; none if they are more than [`ROUNDS_MAX`].
    pub fn with_roots(
        shape: Shape,
        beacon: Beacon,
        device: DeviceId,
        roots: Vec<Hash>,
    ) -> Option<Self> {
        let fits = roots.len() <= ROUNDS_MAX as usize;
        fits.then_some(Self { shape, beacon, device, roots })
    }

    /// From which it grows.
    pub const fn beacon(&self) -> Beacon {
        self.beacon
    }

    /// What a round multiplies.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whose rounds they are.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// Rounds so far: the number of the next one.
    pub fn rounds(&self) -> u32 {
        self.roots.len() as u32
    }

    /// The roots so far.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// The seed of a round's A; none unless all rounds before it are there.
    pub fn seed(&self, round: u32) -> Option<Seed> {
        let before = match (round as usize).checked_sub(1) {
            None => Purpose::FirstLink.hash(&[&self.shape.bytes(), &self.beacon.0]),
            Some(before) => *self.roots.get(before)?,
        };
        let round = round.to_le_bytes();
        Some(Purpose::OwnMatrix.seed(&[&self.beacon.0, &self.device.0, &round, &before]))
    }

    /// Adds a round's root; false when there are [`ROUNDS_MAX`] already.
    pub fn push(&mut self, root: Hash) -> bool {
        let fits = self.rounds() < ROUNDS_MAX;
        if fits {
            self.roots.push(root);
        }
        fits
    }

    /// The commitment to the rounds so far: how many, whose, in which hour, on what shape.
    pub fn commitment(&self) -> Commitment {
        let (shape, rounds) = (self.shape.bytes(), self.rounds().to_le_bytes());
        let mut parts: Vec<&[u8]> = vec![&shape, &self.beacon.0, &self.device.0, &rounds];
        parts.extend(self.roots.iter().map(|root| &root[..]));
        Commitment(Purpose::Commitment.hash(&parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Entries;

    fn chain(device: u8, beacon: u8, side: u32, roots: &[Hash]) -> Chain {
        let shape = Shape::new(Entries::Nibble, side, 32).unwrap();
        let (beacon, device) = (Beacon([beacon; 32]), DeviceId([device; 32]));
        Chain::with_roots(shape, beacon, device, roots.to_vec()).unwrap()
    }

    #[test]
    fn whatever_differs_changes_seed_and_commitment() {
        let base = chain(1, 1, 64, &[[5; 32]]);
        let others = [
            chain(2, 1, 64, &[[5; 32]]),
            chain(1, 2, 64, &[[5; 32]]),
            chain(1, 1, 64, &[[6; 32]]),
            chain(1, 1, 64, &[[5; 32], [5; 32]]),
            chain(1, 1, 64, &[]),
            chain(1, 1, 128, &[[5; 32]]),
        ];
        for other in others {
            assert_ne!(base.commitment(), other.commitment(), "{other:?}");
        }
        assert_ne!(base.seed(1), chain(1, 1, 64, &[[6; 32]]).seed(1));
        assert_ne!(base.seed(0), base.seed(1));
        assert_ne!(base.seed(0), chain(2, 1, 64, &[]).seed(0));
        assert_ne!(base.seed(0), chain(1, 1, 128, &[]).seed(0));
        assert_eq!(base.seed(2), None, "round 1 is not known");
    }

    #[test]
    fn a_chain_has_an_end() {
        let mut long = chain(1, 1, 64, &[]);
        while long.push([9; 32]) {}
        assert_eq!(long.rounds(), ROUNDS_MAX);
        let (shape, beacon, device) = (long.shape(), Beacon([1; 32]), long.device());
        let more = vec![[0; 32]; ROUNDS_MAX as usize + 1];
        assert_eq!(Chain::with_roots(shape, beacon, device, more), None);
    }
}
