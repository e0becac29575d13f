//! "Who can take what" of `docs/money.md`, played: for each key a thief who has it and nothing
//! else of its owner, for a day of lease time, against honest others.
//!
//! Losses are what people have less than they would have among honest ones, read from their
//! token accounts; bounds are computed here from what was agreed, never from the program's own
//! figures. The table in `docs/money.md` is made from these plays: `UPDATE_GOLDEN=1` writes it.

mod admin;
mod authority;
mod coordinator;
mod day;
mod device;
mod honest;
mod outcome;
mod renter;
mod session;
mod stranger;
mod supplier;
mod table;
