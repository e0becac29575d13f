//! The market program: a file per instruction, then what must hold across them. One binary,
//! because each would link the whole virtual machine.

mod attest;
mod bind;
mod close;
mod config;
mod device;
mod end_line;
mod finalize;
mod open_lease;
mod own_address;
mod random_histories;
mod receipts;
mod reclaim;
mod reject;
mod start;
mod sweep_fees;
mod top_up;
mod traps;
mod withdraw;
