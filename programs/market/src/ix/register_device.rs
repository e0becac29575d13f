//! `register_device`: a supplier registers a device whose key agreed: it signs the transaction,
//! or signed a statement that the Ed25519 precompile checked right before.

use crate::access::{Outcome, args, clock, key, load, signs, store, take};
use crate::ix::update_device::{check_offer, set_offer};
use crate::signed::signer_before;
use crate::{cpi, emit};
use ionet_market_interface::account::{Config, Device, Kind, LAYOUT_VERSION};
use ionet_market_interface::instruction::{RegisterDevice, Tag};
use ionet_market_interface::limits::STATEMENT_S_MAX;
use ionet_market_interface::statement::registration;
use ionet_market_interface::{MarketError, Rate, Seconds, Timestamp, seeds};
use pinocchio::cpi::Seed;
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let args: RegisterDevice = args(data)?;
    let ([supplier, payer, device, config, device_key, sysvar, _system], _) = take::<7>(accounts)?;
    signs(supplier)?;
    let (now, slot) = clock()?;
    check_offer(&args.offer, now)?;
    if !device_key.is_signer() {
        let settings: Config = load(program, config)?;
        if args.statement_expires < now
            || args.statement_expires > now.saturating_add(Seconds(STATEMENT_S_MAX))
        {
            return Err(MarketError::StatementExpired);
        }
        let statement = registration(
            &settings.genesis_hash,
            program.as_array(),
            key(device_key),
            key(supplier),
            args.statement_expires,
        );
        if signer_before(sysvar, &statement)? != *key(device_key) {
            return Err(MarketError::StatementMismatch);
        }
    }
    // One record per device key: with a second address its units could be sold twice.
    let bump = cpi::is_canonical(program, device, &seeds::device(key(device_key)))?;
    if bump != args.bump {
        return Err(MarketError::WrongAddress);
    }
    let seeds = [
        Seed::from(seeds::DEVICE),
        Seed::from(key(device_key)),
        Seed::from(core::slice::from_ref(&bump)),
    ];
    cpi::create(&cpi::New {
        payer,
        account: device,
        space: Device::LEN,
        owner: program,
        seeds: &seeds,
    })?;
    let mut record = Device {
        kind: Kind::Device as u8,
        version: LAYOUT_VERSION,
        bump,
        coordinators_len: 0,
        accepts_any: false,
        reserved: 0,
        units_total: 0,
        units_bound: 0,
        reserved_2: [0; 6],
        device: *key(device_key),
        supplier: *key(supplier),
        payout_owner: args.offer.payout_owner,
        payout_next: [0; 32],
        payout_next_at: Timestamp(0),
        asks: [Rate::ZERO; 2],
        coordinators: [[0; 32]; 4],
        expires_at: Timestamp(0),
        generation: slot,
        registered_at: now,
        rent_payer: *key(payer),
        reserved_3: [0; 64],
    };
    set_offer(&mut record, &args.offer);
    store(device, &record)?;
    emit::account(Tag::RegisterDevice, device)
}
