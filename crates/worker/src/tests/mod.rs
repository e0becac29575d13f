//! Sessions and parts against a scripted coordinator over real QUIC.

mod hostile;
mod life;
mod memory;
mod podman;
mod proving;
mod rig;
mod seen;
mod streams;
