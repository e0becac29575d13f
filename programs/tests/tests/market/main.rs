//! The market program: a file per instruction, then what must hold across them. One binary,
//! because each would link the whole virtual machine.

mod addresses;
mod attest;
mod bad_days;
mod bind;
mod clock;
mod close;
mod config;
mod device;
mod edit;
mod end_line;
mod events;
mod fencing;
mod finalize;
mod hostile;
mod open_lease;
mod own_address;
mod random_histories;
mod receipts;
mod reclaim;
mod reject;
mod signers;
mod start;
mod statements;
mod sweep_fees;
mod tokens;
mod top_up;
mod traps;
mod withdraw;
