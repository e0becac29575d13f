//! The whole network, end to end: real processes, the real chain, real containers, real Ray.
//!
//! Needs root, Podman and the Ray image (`images/ray/build.sh`). The tests share one local
//! network and take turns: each starts where the one before left four idle devices.

mod check;
mod faults;
mod harness;
mod isolation;
mod market;
mod proving;
mod ray;
mod session;
