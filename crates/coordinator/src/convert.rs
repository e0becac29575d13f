//! From what the chain holds to what the core is told.

use ionet_core::{Asset, Vouch, Wallet};
use ionet_ledger::Address;
use ionet_ledger::interface::account::{self, CloseReason, Device, Lease, LeaseState};
use ionet_ledger::interface::limits::{MINT_IO, MINT_USDC};
use ionet_network::{
    At, DeviceTerms, EndReason, LeaseClockView, LeaseStatus, LeaseTerms, LeaseView,
};
use ionet_placement::Asks;
use ionet_units::Rate;

/// What the chain's record of a device says to the coordinator `us`.
pub(crate) fn device_terms(record: &Device, us: Wallet) -> DeviceTerms {
    let ask = |index: u8| Some(record.asks[usize::from(index)].0).filter(|rate| *rate > 0);
    DeviceTerms {
        units_total: record.units_total,
        asks: Asks { usdc: ask(MINT_USDC), io: ask(MINT_IO) },
        generation: record.generation,
        accepts_us: record.accepts(&us.0),
        expires_at: At::from(record.expires_at),
    }
}

/// A lease as the core reads it. None for a mint that no network of ours has.
pub(crate) fn lease_view(address: &Address, lease: &Lease) -> Option<LeaseView> {
    let asset = match lease.mint_index {
        MINT_USDC => Asset::Usdc,
        MINT_IO => Asset::Io,
        _ => return None,
    };
    let status = match lease.state {
        LeaseState::Open => LeaseStatus::Open,
        LeaseState::Closed => LeaseStatus::Closed {
            closed_at: At::from(lease.closed_at),
            claims_until: At::from(lease.claims_until()),
            refunded: lease.refunded,
        },
        LeaseState::Finalized => LeaseStatus::Finalized { refunded: lease.refunded },
    };
    Some(LeaseView {
        lease: Wallet(address.to_bytes()),
        renter: Wallet(lease.renter),
        coordinator: Wallet(lease.coordinator),
        asset,
        policy_hash: lease.policy_hash,
        terms: LeaseTerms {
            deposit: lease.deposit,
            slots_max: lease.slots_max,
            rate_per_slot_max: lease.rate_per_slot_max,
            rate_total_max: lease.rate_total_max,
            fee: lease.fee_bps,
            vouch: vouch(lease.vouch),
            expires_at: At::from(lease.expires_at),
        },
        status,
    })
}

fn vouch(vouch: account::Vouch) -> Vouch {
    match vouch {
        account::Vouch::Either => Vouch::Either,
        account::Vouch::Coordinator => Vouch::Coordinator,
        account::Vouch::Session => Vouch::Session,
    }
}

/// The lease's clock, for warnings and the end.
pub(crate) fn lease_clock(lease: &Lease, chain_now: At) -> LeaseClockView {
    let clock = lease.clock();
    // What was set aside by now, fees included; rounded up like the program does.
    let committed = clock
        .gross_rate
        .reserved_ceil(clock.elapsed(chain_now.timestamp()))
        .and_then(|more| clock.committed.checked_add(more))
        .unwrap_or(clock.deposit)
        .min(clock.deposit);
    let stands = clock.gross_rate == Rate::ZERO;
    let until = if stands { clock.expires_at } else { clock.runs_until() };
    LeaseClockView { deposit: clock.deposit, committed, runs_until: At::from(until) }
}

/// The chain's word for why the coordinator closes a lease.
pub(crate) fn close_reason(reason: &EndReason) -> CloseReason {
    match reason {
        EndReason::NoCapacity { .. } => CloseReason::NoCapacity,
        EndReason::Expired | EndReason::QuoteExpired => CloseReason::Expired,
        EndReason::DepositSpent => CloseReason::DepositExhausted,
        EndReason::StartTimedOut { .. } | EndReason::StartFailed { .. } => CloseReason::StartFailed,
        EndReason::LeaseMismatch { .. } => CloseReason::Policy,
        EndReason::Coordinator { .. } => CloseReason::CoordinatorLeaves,
        EndReason::Renter | EndReason::ClosedOnChain => CloseReason::Finished,
    }
}
