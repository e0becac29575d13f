//! `open_lease`: a renter locks a deposit against slots.

use crate::access::{Outcome, args, key, load, load_mut, now, signs, store, take};
use crate::{cpi, emit, token};
use ionet_market_interface::account::{
    CloseReason, Config, Kind, LAYOUT_VERSION, Lease, LeaseState, RenterCounter,
};
use ionet_market_interface::instruction::{OpenLease, Tag};
use ionet_market_interface::limits::{ACCEPT_S_MAX, LEASE_S_MAX, SLOTS_MAX};
use ionet_market_interface::{
    BaseUnits, MarketError, Rate, Seconds, TOKEN_PROGRAM, Timestamp, seeds,
};
use pinocchio::cpi::Seed;
use pinocchio::{AccountView, Address};

const TOKEN: Address = Address::new_from_array(TOKEN_PROGRAM);
/// Size of a token account.
const VAULT_LEN: usize = 165;

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let args: OpenLease = args(data)?;
    let ([renter, payer, config, counter, lease, vault, mint, source, token_program, _system], _) =
        take::<10>(accounts)?;
    signs(renter)?;
    let now = now()?;
    check_terms(&args, now)?;
    let settings = load::<Config>(program, config)?.now;
    let mint_index = settings.mint_index(key(mint)).ok_or(MarketError::WrongMint)?;
    cpi::is_token_program(token_program)?;
    token::is_mint(mint)?;
    if args.deposit < settings.min_deposit[usize::from(mint_index)] {
        return Err(MarketError::DepositTooSmall);
    }
    token::is_source(source, key(mint), args.deposit)?;
    count(program, renter, payer, counter, &args)?;
    make(program, payer, lease, vault, key(renter), &args)?;
    cpi::initialize_vault(vault, mint, lease.address())?;
    let record = Lease {
        kind: Kind::Lease as u8,
        version: LAYOUT_VERSION,
        bump: args.lease_bump,
        vault_bump: args.vault_bump,
        state: LeaseState::Open,
        vouch: args.vouch,
        session_rights: args.session_rights,
        mint_index,
        close_reason: CloseReason::None,
        accept_s: args.accept_s,
        fee_bps: settings.fee_for(mint_index),
        slots_max: args.slots_max,
        slots_live: 0,
        pages_made: 0,
        pages_live: 0,
        claim_window_s: settings.claim_window_s,
        grace_s: settings.grace_s,
        reserved: [0; 4],
        counter: args.counter,
        renter: *key(renter),
        session: args.session,
        mint: *key(mint),
        vault: *key(vault),
        coordinator: args.coordinator,
        policy_hash: args.policy_hash,
        rent_payer: *key(payer),
        deposit: args.deposit,
        committed: BaseUnits::ZERO,
        gross_rate: Rate::ZERO,
        v: Seconds::ZERO,
        changed_at: now,
        stands_since: Timestamp(0),
        rate_per_slot_max: args.rate_per_slot_max,
        rate_total_max: args.rate_total_max,
        rate_live: Rate::ZERO,
        opened_at: now,
        expires_at: args.expires_at,
        closed_at: Timestamp(0),
        owed: BaseUnits::ZERO,
        paid: BaseUnits::ZERO,
        fees: BaseUnits::ZERO,
        fees_swept: BaseUnits::ZERO,
        refunded: BaseUnits::ZERO,
        epoch: 0,
        seen_at: now,
        reserved_2: [0; 48],
    };
    store(lease, &record)?;
    cpi::pay_in(source, vault, renter, args.deposit)?;
    emit::account(Tag::OpenLease, lease)
}

fn check_terms(args: &OpenLease, now: Timestamp) -> Outcome {
    if args.expires_at <= now || args.expires_at > now.saturating_add(Seconds(LEASE_S_MAX)) {
        return Err(MarketError::BadTerm);
    }
    let sensible = args.deposit > BaseUnits::ZERO
        && args.slots_max > 0
        && args.slots_max <= SLOTS_MAX
        && args.accept_s <= ACCEPT_S_MAX
        && args.rate_per_slot_max > Rate::ZERO
        && args.rate_total_max > Rate::ZERO
        && args.coordinator != [0; 32];
    if sensible { Ok(()) } else { Err(MarketError::BadArgument) }
}

/// Takes the renter's next number. The counter is never closed, so no lease's address is ever
/// used again; it is made with the first lease.
#[inline(never)]
fn count(
    program: &Address,
    renter: &AccountView,
    payer: &AccountView,
    counter: &mut AccountView,
    args: &OpenLease,
) -> Outcome {
    let mut record = if cpi::is_unused(counter) {
        let bump = cpi::is_canonical(program, counter, &seeds::renter(key(renter)))?;
        if bump != args.counter_bump {
            return Err(MarketError::WrongAddress);
        }
        let seeds = [
            Seed::from(seeds::RENTER),
            Seed::from(key(renter)),
            Seed::from(core::slice::from_ref(&bump)),
        ];
        cpi::create(&cpi::New {
            payer,
            account: counter,
            space: RenterCounter::LEN,
            owner: program,
            seeds: &seeds,
        })?;
        RenterCounter {
            kind: Kind::RenterCounter as u8,
            version: LAYOUT_VERSION,
            bump,
            reserved: [0; 5],
            renter: *key(renter),
            next: 0,
            rent_payer: *key(payer),
        }
    } else {
        load_mut::<RenterCounter>(program, counter)?
    };
    if record.renter != *key(renter) {
        return Err(MarketError::WrongAddress);
    }
    if record.next != args.counter {
        return Err(MarketError::WrongCounter);
    }
    record.next = record.next.checked_add(1).ok_or(MarketError::Overflow)?;
    store(counter, &record)
}

/// Makes the two accounts. Their bumps are the client's: the counter is used once, so there can
/// be no second lease of this number, whatever its bump.
#[inline(always)]
fn make(
    program: &Address,
    payer: &AccountView,
    lease: &AccountView,
    vault: &AccountView,
    renter: &[u8; 32],
    args: &OpenLease,
) -> Outcome {
    let number = seeds::number(args.counter);
    let seeds = [
        Seed::from(seeds::LEASE),
        Seed::from(renter),
        Seed::from(&number),
        Seed::from(core::slice::from_ref(&args.lease_bump)),
    ];
    cpi::create(&cpi::New {
        payer,
        account: lease,
        space: Lease::LEN,
        owner: program,
        seeds: &seeds,
    })?;
    let seeds = [
        Seed::from(seeds::VAULT),
        Seed::from(key(lease)),
        Seed::from(core::slice::from_ref(&args.vault_bump)),
    ];
    cpi::create(&cpi::New { payer, account: vault, space: VAULT_LEN, owner: &TOKEN, seeds: &seeds })
}
