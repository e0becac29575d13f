//! `register_device`: a supplier registers a device whose key agreed: it signs the transaction,
//! or signed a statement that the Ed25519 precompile checked right before.

use crate::access::{Outcome, args, clock, is_at, key, load, signs, store, take};
use crate::cpi;
use crate::ix::update_device::{check_offer, set_offer};
use ionet_market_interface::account::{Config, Device, Kind, LAYOUT_VERSION};
use ionet_market_interface::instruction::RegisterDevice;
use ionet_market_interface::limits::STATEMENT_S_MAX;
use ionet_market_interface::statement::{ED25519_HEAD, REGISTRATION_LEN, registration};
use ionet_market_interface::{
    ED25519_PROGRAM, INSTRUCTIONS_SYSVAR, MarketError, Rate, Seconds, Timestamp, seeds,
};
use pinocchio::cpi::Seed;
use pinocchio::sysvars::instructions::Instructions;
use pinocchio::{AccountView, Address};

const ED25519: Address = Address::new_from_array(ED25519_PROGRAM);

/// One signature, everything inside this very instruction: signature at 48, key at 16, message
/// at 112. Any other form could point the precompile at other bytes than those read here.
const HEAD: [u8; ED25519_HEAD] =
    [1, 0, 48, 0, 255, 255, 16, 0, 255, 255, 112, 0, REGISTRATION_LEN as u8, 0, 255, 255];

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
        is_stated_before(sysvar, key(device_key), &statement)?;
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
    store(device, &record)
}

/// The instruction right before this one is the precompile's, over this key and message.
#[inline(never)]
fn is_stated_before(
    sysvar: &AccountView,
    device: &[u8; 32],
    statement: &[u8; REGISTRATION_LEN],
) -> Outcome {
    is_at(sysvar, &INSTRUCTIONS_SYSVAR)?;
    let missing = MarketError::StatementMissing;
    let all = Instructions::try_from(sysvar).map_err(|_| missing)?;
    let before = all.get_instruction_relative(-1).map_err(|_| missing)?;
    if *before.get_program_id() != ED25519 {
        return Err(missing);
    }
    let data = before.get_instruction_data();
    let same = data.len() == ED25519_HEAD + 96 + REGISTRATION_LEN
        && data[..16] == HEAD
        && data[16..48] == *device
        && data[112..] == *statement;
    if same { Ok(()) } else { Err(MarketError::StatementMismatch) }
}
