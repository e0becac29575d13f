//! Exits: the binary against a real chain node, with no coordinator anywhere.

mod bad;
mod exits;
mod node;
mod odd;
mod relay;
mod vouch;
mod world;
