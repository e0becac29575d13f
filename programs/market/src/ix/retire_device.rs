//! `retire_device`: a supplier removes a device that no line holds.

use crate::access::{Outcome, args, close_record, is_at, key, load_mut, signs, take};
use crate::emit;
use ionet_market_interface::MarketError;
use ionet_market_interface::account::Device;
use ionet_market_interface::event::DeviceRetired;
use ionet_market_interface::instruction::{Nothing, Tag};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let Nothing {} = args(data)?;
    let ([supplier, device, rent_payer], _) = take::<3>(accounts)?;
    signs(supplier)?;
    let record: Device = load_mut(program, device)?;
    if record.supplier != *key(supplier) {
        return Err(MarketError::NotSupplier);
    }
    if record.units_bound != 0 {
        return Err(MarketError::DeviceInUse);
    }
    is_at(rent_payer, &record.rent_payer)?;
    let rent = device.lamports();
    close_record(device, rent_payer)?;
    emit::event(Tag::RetireDevice, &DeviceRetired { account: *key(device), rent });
    Ok(())
}
