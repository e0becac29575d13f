//! Tests of the market program on its committed bytecode, in Solana's virtual machine.
//!
//! [`Market`] is a chain with the program, two mints and a configuration. Instructions are built
//! with `ionet_market_interface::build`, as the real client does, and sent as v0 transactions
//! within Solana's limits, which the machine used here does not check by itself.
//!
//! `IONET_FEATURES=all` runs every test with all of Solana's features on; unset, with those
//! of its main network. `IONET_MARKET_SO` names other bytecode than the committed one.
//! `IONET_FUZZ_STEPS` and `IONET_FUZZ_SEED` steer `random_histories`.

mod books;
mod figures;
pub mod histories;
mod instructions;
mod logs;
mod machine;
mod market;
mod model;
mod scene;
mod tamper;
mod token;

pub use books::{Books, books};
pub use figures::thousands;
pub use instructions::build_top_up;
pub use logs::{CutLog, logged};
pub use machine::{Features, Refusal, bytecode};
pub use market::{GENESIS, Market, Wallet};
pub use scene::{DeviceAt, LeaseAt, Running, Terms};
pub use tamper::Tamper;
pub use token::{
    Allowed, TOKEN_2022, approve, delegate, freeze, set_balance, set_close_authority, thaw,
    token_account, transfer,
};

pub use ionet_market_interface as interface;

/// An account's address or a public key, as plain bytes.
pub type Key = [u8; 32];

/// A dollar in base units.
pub const USDC: u64 = 1_000_000;
/// One SOL in lamports.
pub const SOL: u64 = 1_000_000_000;
/// When every test's chain begins, in unix seconds.
pub const START: i64 = 1_800_000_000;
