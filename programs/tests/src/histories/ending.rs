//! The end of a history: everything is closed, drawn and reclaimed, by those who may, and
//! nothing of any lease is left.

use super::moves::Move;
use super::tally::Tally;
use super::world::World;
use crate::model::{Derived, Key, Part, Record, find};
use ionet_market_interface::account::{CloseReason, LeaseState};
use ionet_market_interface::build::{self, Ix};
use ionet_market_interface::limits::CLAIM_WINDOW_S;

fn one(ix: Ix) -> Vec<Part> {
    vec![Part::Market(ix)]
}

/// Ends everything. Whatever a history left behind, this must succeed.
pub(super) fn end(world: &mut World, tally: &mut Tally) -> Result<(), String> {
    world.agrees_everywhere()?;
    thaw(world, tally)?;
    let leases: Vec<Key> = world.chain.leases().map(|(at, _)| *at).collect();
    for at in &leases {
        close(world, at, tally)?;
    }
    // Past every claim window, and past what the chain's time may have run backwards.
    let behind = world.chain.latest - world.chain.now;
    let longest = i64::from(CLAIM_WINDOW_S.1) + 1;
    world.act(&Move::Pass(behind + longest), tally)?;
    for at in &leases {
        settle(world, at, tally)?;
    }
    let devices: Vec<(Key, Key, Key)> =
        world.chain.devices().map(|(at, d)| (*at, d.supplier, d.rent_payer)).collect();
    for (at, supplier, rent_payer) in devices {
        world.must(one(build::retire_device(supplier, at, rent_payer)), tally)?;
    }
    world.agrees_everywhere()?;
    nothing_is_left(world, &leases)
}

fn thaw(world: &mut World, tally: &mut Tally) -> Result<(), String> {
    let frozen = world
        .chain
        .accounts
        .iter()
        .filter(|(_, account)| matches!(&account.record, Record::Token(token) if token.frozen));
    let frozen: Vec<Key> = frozen.map(|(at, _)| *at).collect();
    for at in frozen {
        world.act(&Move::Freeze { at, frozen: false }, tally)?;
    }
    Ok(())
}

/// The token account of a person for a lease's mint.
pub(super) fn account_of(world: &World, owner: &Key, mint: &Key) -> Key {
    let index = world.cast.mints.iter().position(|known| known == mint).expect("a known mint");
    let person = world.cast.people.iter().find(|person| person.at == *owner);
    person.expect("a known person").tokens[index]
}

/// The same, for a key that a spoiled instruction made up: an account is made for it.
fn any_account_of(world: &mut World, owner: &Key, mint: &Key) -> Key {
    if world.cast.people.iter().any(|person| person.at == *owner) {
        return account_of(world, owner, mint);
    }
    world.make_token_account(owner, mint)
}

fn close(world: &mut World, at: &Key, tally: &mut Tally) -> Result<(), String> {
    let Some(lease) = world.chain.lease(at) else { return Ok(()) };
    if lease.state != LeaseState::Open {
        return Ok(());
    }
    let to = account_of(world, &lease.renter, &lease.mint);
    let (renter, vault) = (lease.renter, lease.vault);
    let ix = build::close(renter, *at, vault, Some(to), 0, CloseReason::None);
    world.must(one(ix), tally)
}

/// From a closed lease to nothing.
fn settle(world: &mut World, at: &Key, tally: &mut Tally) -> Result<(), String> {
    let lease = world.chain.lease(at).expect("a lease").clone();
    let to = account_of(world, &lease.renter, &lease.mint);
    if lease.state == LeaseState::Closed {
        world.must(one(build::finalize(*at, lease.vault, to)), tally)?;
    }
    for number in 0..lease.pages_made {
        let page_at = find(Derived::Page(*at, number)).0;
        let Some(page) = world.chain.page(&page_at).cloned() else { continue };
        for (index, line) in page.lines.iter().enumerate() {
            let index = index as u8;
            if line.is_live() {
                let device = find(Derived::Device(line.device)).0;
                let end = build::end_line(lease.renter, *at, page_at, &[device], 0, &[index]);
                world.must(one(end), tally)?;
            }
            if line.owed() > line.paid {
                let to = any_account_of(world, &line.payout, &lease.mint);
                let pay = build::withdraw(*at, page_at, lease.vault, &[to], &[index]);
                world.must(one(pay), tally)?;
            }
        }
        world.must(one(build::reclaim_page(*at, page_at, page.rent_payer)), tally)?;
    }
    let config = find(Derived::Config).0;
    let Record::Config(settings) = &world.chain.at(&config).record else {
        return Err("there is no configuration".to_owned());
    };
    let owner = settings.now.fee_owner;
    let fees_to = any_account_of(world, &owner, &lease.mint);
    world.must(one(build::sweep_fees(config, *at, lease.vault, fees_to)), tally)?;
    world.must(one(build::reclaim_lease(*at, lease.vault, to, lease.rent_payer)), tally)
}

/// Only the configuration and the counters stay, and every token is in a person's account.
fn nothing_is_left(world: &World, leases: &[Key]) -> Result<(), String> {
    for (at, account) in &world.chain.accounts {
        let may_stay = match &account.record {
            Record::Config(_)
            | Record::Counter(_)
            | Record::Mint
            | Record::Wallet
            | Record::Alien => true,
            // A vault belongs to its lease.
            Record::Token(token) => !leases.contains(&token.owner),
            Record::Device(_) | Record::Lease(_) | Record::Page(_) => false,
        };
        if !may_stay {
            return Err(format!("left for ever: {at:02x?} {account:?}"));
        }
    }
    Ok(())
}
