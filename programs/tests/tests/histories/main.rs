//! Whole lives of leases on the bytecode: signed receipts, and thousands of random steps that
//! must conserve every token.

mod keys;
mod random;
mod receipts;
mod world;
