//! Attackers against the real protocol: they commit and prove with `ionet-trust`'s own chains and
//! are judged by its own verifier, at a small size and in virtual time.
//!
//! Each experiment gives a table with what was counted, and says whether what must be caught was
//! ([`report::Section::holds`]). `docs/verification.md` is written by the command that ran them.
//! Nothing is counted as caught that was not run.

pub mod algebra;
pub mod draw;
pub mod experiments;
pub mod faults;
pub mod forgetful;
pub mod links;
pub mod report;
pub mod workers;
pub mod world;
