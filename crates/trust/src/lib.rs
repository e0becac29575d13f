//! Is this chip real? The arithmetic of proving work, for verifiers and provers alike.
//!
//! At an unpredictable moment a [`Beacon`] starts all idle devices at once. Each multiplies, round
//! after round, matrices that grow from the beacon, its own key and what the round before found
//! ([`Chain`]), and sends one [`Commitment`] before the deadline. Only then is it known which
//! leaves of which products it must open ([`Challenge`]); each is checked in microseconds
//! ([`Hour`]). The rounds that it committed to, over the time, are its rate: nothing is measured
//! on the device, and nothing has a tolerance.
//!
//! Of a device that left out a share `e` of the leaves, `k` openings find nothing with probability
//! `(1 - e)^k`; that a wrong leaf is taken for right adds `2^-61` a leaf.
//!
//! **Invariant:** no I/O, no async, no clock, no entropy. When a beacon came, when a commitment
//! arrived, and what a rate is worth is the caller's to say.

mod chain;
mod challenge;
pub mod classes;
mod expand;
mod field;
mod hash;
pub mod inside;
pub mod memory;
mod proof;
pub mod record;
mod shape;
pub mod signals;
pub mod verdict;
mod verify;
pub mod wallets;

pub use chain::{Beacon, Chain, Commitment, ROUNDS_MAX, proving_key, shared_seed};
pub use challenge::{Challenge, Opening, Precommitment, Secret, WrongSecret};
pub use expand::Seed;
pub use field::{Element, P, dot};
pub use hash::{Hash, KERNEL_KEYS, Place, Tree, Trunk, leaf, node, root_of};
pub use proof::{Opened, Proof, ProofError, VERSION, length};
pub use shape::{Entries, SIDE_MAX, SIDE_MIN, Shape, ShapeError, WIDTH_MAX};
pub use verify::{Hour, Rejection};
