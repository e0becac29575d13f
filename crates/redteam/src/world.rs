//! One trial in virtual time: real commitments, real questions, real proofs, and a clock that
//! only counts.
//!
//! A chip's speed is measured against what is typical of the class that is claimed: the typical
//! chip does a round in [`ROUND_US`]. Rounds are real products of small matrices; how long one
//! takes is the cost model's to say.

use crate::links::Link;
use ionet_core::DeviceId;
use ionet_trust::record::rate;
use ionet_trust::{
    Beacon, Challenge, Commitment, Entries, Hour, Opening, Precommitment, Proof, Rejection, Secret,
    Shape,
};
use rand::Rng;
use rand::rngs::StdRng;

/// Virtual microseconds that a typical chip needs for a round.
pub const ROUND_US: u64 = 1_000_000;
/// Thousandths of the typical rate below which a device is not of the class: the spread of every
/// row of the calibration data.
pub const LEAST: u64 = 750;

/// A trial's public side, and what the coordinator keeps to itself until the deadline.
pub struct World {
    /// What is multiplied.
    pub shape: Shape,
    /// The start's beacon.
    pub beacon: Beacon,
    /// Virtual microseconds of work.
    pub time_us: u64,
    /// Virtual microseconds that a commitment may take on its way.
    pub grace_us: u64,
    /// Leaves that a proof opens.
    pub openings: usize,
    late: Beacon,
    secret: Secret,
}

impl World {
    /// With beacons and a secret from `rng`: matrices of side 64, leaves of 16, 64 openings, 12
    /// seconds of work and one of grace.
    pub fn new(rng: &mut StdRng) -> Self {
        Self {
            shape: Shape::new(Entries::Byte, 64, 16).expect("a shape"),
            beacon: Beacon(rng.random()),
            time_us: 12 * ROUND_US,
            grace_us: 1_000_000,
            openings: 64,
            late: Beacon(rng.random()),
            secret: Secret(rng.random()),
        }
    }

    /// What was promised before.
    pub fn promised(&self) -> Precommitment {
        self.secret.precommitment()
    }

    /// The question: nobody but the verifier has it before all commitments are in.
    pub fn question(&self) -> Challenge {
        Challenge::new(&self.beacon, &self.late, &self.secret, &self.promised())
            .expect("the secret is the promised one")
    }

    /// Everything that the verifier knows after the deadline.
    pub fn hour(&self) -> Hour {
        Hour::new(self.shape, self.beacon, self.question(), self.openings)
    }

    /// A question that a coordinator could have made with another late block.
    pub fn hour_of_block(&self, late: [u8; 32]) -> Hour {
        let challenge = Challenge::new(&self.beacon, &Beacon(late), &self.secret, &self.promised())
            .expect("the secret is the promised one");
        Hour::new(self.shape, self.beacon, challenge, self.openings)
    }
}

/// A commitment on its way.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// In whose name.
    pub device: DeviceId,
    /// What it says.
    pub commitment: Commitment,
    /// Of how many rounds: the device knows.
    pub rounds: u32,
    /// Virtual microseconds from the start's arrival to its sending.
    pub after_us: u64,
}

/// Somebody who answers in trials, honestly or not, for one device or several.
pub trait Attacker {
    /// Works, and says what is sent when. It sees the world's public side only.
    fn commit(&mut self, world: &World) -> Vec<Sent>;

    /// Opens what is asked.
    fn open(&mut self, device: DeviceId, asked: &[Opening]) -> Proof;
}

/// What came of one device's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Rounds that were proven; none: late, or why the proof does not hold.
    pub rounds: Result<u32, Option<Rejection>>,
    /// Thousandths of the typical rate that follow; 0 if nothing was proven.
    pub speed: u64,
}

impl Judged {
    /// Whether it is taken for a chip of its class.
    pub fn passes(&self) -> bool {
        self.rounds.is_ok() && self.speed >= LEAST
    }
}

/// One trial: all commit, then all are asked, and the protocol's own verifier judges.
pub fn trial(
    world: &World,
    attacker: &mut dyn Attacker,
    link: &Link,
    rng: &mut StdRng,
) -> Vec<Judged> {
    let sent = attacker.commit(world);
    let hour = world.hour();
    let judged = sent.iter().map(|sent| {
        // The start's way there, and the commitment's way back.
        let arrived = sent.after_us + link.delay_us(rng) + link.delay_us(rng);
        if arrived > world.time_us + world.grace_us {
            return Judged { rounds: Err(None), speed: 0 };
        }
        let proof = attacker.open(sent.device, &hour.asks(sent.device, sent.rounds));
        let rounds = hour.verify(sent.device, &sent.commitment, &proof).map_err(Some);
        let speed = rounds.map_or(0, |rounds| speed(world.shape, rounds, arrived));
        Judged { rounds, speed }
    });
    judged.collect()
}

/// Thousandths of the typical rate.
pub fn speed(shape: Shape, rounds: u32, took_us: u64) -> u64 {
    let typical = rate(shape, 1, ROUND_US);
    rate(shape, rounds, took_us).saturating_mul(1_000) / typical
}

/// A device's key.
pub fn device(number: u8) -> DeviceId {
    DeviceId([number; 32])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::stream;
    use crate::workers::Honest;

    #[test]
    fn who_is_as_fast_as_typical_passes_and_who_is_half_as_fast_does_not() {
        let mut rng = stream(1, "world");
        for (speed, passes) in [(1_000, true), (760, true), (700, false), (500, false)] {
            let world = World::new(&mut rng);
            let judged = trial(&world, &mut Honest::of_speed(speed), &Link::NONE, &mut rng);
            assert_eq!(judged[0].passes(), passes, "{speed}: {judged:?}");
        }
    }

    #[test]
    fn what_comes_late_proves_nothing() {
        let mut rng = stream(1, "late");
        let mut world = World::new(&mut rng);
        world.grace_us = 0;
        let slow = Link::Recorded(vec![600_000]);
        let judged = trial(&world, &mut Honest::of_speed(1_000), &slow, &mut rng);
        assert_eq!(judged[0], Judged { rounds: Err(None), speed: 0 });
    }
}
