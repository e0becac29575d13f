//! Who can take what with which key.

mod keys;
mod world;
