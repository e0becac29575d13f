//! One file per instruction, under the name that the interface gives it.

pub(crate) mod apply_config;
pub(crate) mod attest;
pub(crate) mod bind;
pub(crate) mod claim_receipt;
pub(crate) mod close;
pub(crate) mod end_line;
pub(crate) mod finalize;
pub(crate) mod init_config;
pub(crate) mod open_lease;
pub(crate) mod reclaim_lease;
pub(crate) mod reclaim_page;
pub(crate) mod refund;
pub(crate) mod register_device;
pub(crate) mod reject;
pub(crate) mod retire_device;
pub(crate) mod set_config;
pub(crate) mod start;
pub(crate) mod sweep_fees;
pub(crate) mod top_up;
pub(crate) mod update_device;
pub(crate) mod withdraw;
