//! The market program. Accounts, instructions and errors are in `ionet-market-interface`; the
//! contract is told in `docs/money.md`.
//!
//! One file per instruction in `ix`. Each checks everything first and then acts: records are
//! written before tokens move. **Invariant:** an account with our owner and a kind byte was made
//! here at its canonical address, so owner, kind and the relations between records are checked,
//! and addresses are derived once, when an account is made.
#![no_std]

mod access;
mod cpi;
mod emit;
mod ix;
mod signed;
mod token;

use access::Outcome;
use ionet_market_interface::instruction::{Tag, split_tag};
use ionet_market_interface::{MarketError, limits};
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address, ProgramResult};

#[cfg(any(target_os = "solana", target_arch = "bpf"))]
mod entry {
    use super::{ACCOUNTS, process};
    pinocchio::program_entrypoint!(process, ACCOUNTS);
    pinocchio::no_allocator!();
    pinocchio::nostd_panic_handler!();
}

/// Accounts that one instruction can be given: as many as a transaction can lock.
#[allow(dead_code)]
const ACCOUNTS: usize = limits::TRANSACTION_ACCOUNTS_MAX;

/// Takes one instruction.
#[inline(always)]
pub fn process(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    dispatch(program, accounts, data).map_err(|error| ProgramError::Custom(error.code()))
}

// At most five registers of arguments on this machine: a plain number comes back, so no sixth.
#[inline(never)]
fn dispatch(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let (tag, rest) = split_tag(data).map_err(|_| MarketError::BadInstruction)?;
    match tag {
        Tag::InitConfig => ix::init_config::run(program, accounts, rest),
        Tag::SetConfig => ix::set_config::run(program, accounts, rest),
        Tag::ApplyConfig => ix::apply_config::run(program, accounts, rest),
        Tag::RegisterDevice => ix::register_device::run(program, accounts, rest),
        Tag::UpdateDevice => ix::update_device::run(program, accounts, rest),
        Tag::RetireDevice => ix::retire_device::run(program, accounts, rest),
        Tag::OpenLease => ix::open_lease::run(program, accounts, rest),
        Tag::TopUp => ix::top_up::run(program, accounts, rest),
        Tag::Bind => ix::bind::run(program, accounts, rest),
        Tag::Start => ix::start::run(program, accounts, rest),
        Tag::Reject => ix::reject::run(program, accounts, rest),
        Tag::EndLine => ix::end_line::run(program, accounts, rest),
        Tag::Attest => ix::attest::run(program, accounts, rest),
        Tag::ClaimReceipt => ix::claim_receipt::run(program, accounts, rest),
        Tag::Withdraw => ix::withdraw::run(program, accounts, rest),
        Tag::Close => ix::close::run(program, accounts, rest),
        Tag::Refund => ix::refund::run(program, accounts, rest),
        Tag::Finalize => ix::finalize::run(program, accounts, rest),
        Tag::SweepFees => ix::sweep_fees::run(program, accounts, rest),
        Tag::ReclaimPage => ix::reclaim_page::run(program, accounts, rest),
        Tag::ReclaimLease => ix::reclaim_lease::run(program, accounts, rest),
    }
}
