//! `claim_receipt`: anyone with a signed receipt vouches for served seconds by it. A supplier
//! needs nobody else to be paid for what it has a receipt for.

use crate::access::{Outcome, args, key, load, load_mut, now, page, page_bytes, store, take};
use crate::emit::Listed;
use crate::ix::attest::{clock_for_claims, vouch};
use crate::signed::signer_before;
use ionet_market_interface::account::{Config, Lease, Vouch};
use ionet_market_interface::event::Vouched;
use ionet_market_interface::instruction::{ClaimReceipt, Served, Tag};
use ionet_market_interface::statement::Receipt;
use ionet_market_interface::{Address as Key, MarketError};
use pinocchio::{AccountView, Address};

#[inline(never)]
pub(crate) fn run(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> Outcome {
    let args: ClaimReceipt = args(data)?;
    let ([lease, page_account, config, sysvar], _) = take::<4>(accounts)?;
    let genesis_hash = load::<Config>(program, config)?.genesis_hash;
    let mut record: Lease = load_mut(program, lease)?;
    let now = now()?;
    let v = clock_for_claims(&mut record, now)?;
    let mut bytes = page_bytes(program, page_account)?;
    let mut page = page(&mut bytes, key(lease))?;
    let line = page.line(args.index)?.ok_or(MarketError::NoSuchLine)?;
    let receipt = Receipt {
        lease: *key(lease),
        page: page.header().number,
        index: args.index,
        generation: line.generation,
        served_s: args.served.0,
    };
    let message = receipt.signing_bytes(&genesis_hash, program.as_array());
    may_sign(&record, &signer_before(sysvar, &message)?)?;
    let served = Served { index: args.index, served: args.served };
    vouch(&mut record, &mut page, &served, v, now)?;
    store(lease, &record)?;
    let mut log = Listed::after::<Vouched>();
    log.push(&served)?;
    let (owed, fees) = (record.owed, record.fees);
    log.log(Tag::ClaimReceipt, &Vouched { lease: *key(lease), page: receipt.page, owed, fees });
    Ok(())
}

/// Whose receipts count: as with `attest`, but the leader epoch does not matter. A receipt of an
/// earlier leader stays good, since seconds only grow.
fn may_sign(lease: &Lease, signer: &Key) -> Outcome {
    let coordinator = lease.coordinator == *signer;
    let session = lease.session != [0; 32] && lease.session == *signer;
    let counts = match lease.vouch {
        Vouch::Coordinator => coordinator,
        Vouch::Session => session || lease.renter == *signer,
        Vouch::Either => coordinator || session || lease.renter == *signer,
    };
    if counts { Ok(()) } else { Err(MarketError::NotAllowed) }
}
