//! The coordinator between a real chain (the committed bytecode) and devices that speak real
//! QUIC; only the containers are made up.

mod asked;
mod device;
mod doors;
mod life;
mod manner;
mod proofs;
mod rest;
mod restart;
mod several;
mod signals;
mod tasks;
mod trials;
mod vouch;
mod world;
