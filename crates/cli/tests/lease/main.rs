//! Exits: the binary against a real chain node, with no coordinator anywhere.

mod exits;
mod world;
