//! The model's accounts as the interface's layouts, to compare with what the bytecode wrote.

use super::account::{Account, Config, Device, Lease, Line, Page, Record, Token};
use super::{Key, NOBODY};
use ionet_market_interface::account as layout;
use ionet_market_interface::account::{Kind, LAYOUT_VERSION, SessionRights};
use ionet_market_interface::{BaseUnits, Bps, Field, Rate, Seconds, Timestamp};

impl Account {
    /// The bytes that the program should have written, for accounts that are its own.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match &self.record {
            Record::Config(config) => Some(written(&config_layout(config))),
            Record::Counter(counter) => Some(written(&layout::RenterCounter {
                kind: Kind::RenterCounter as u8,
                version: LAYOUT_VERSION,
                bump: counter.bump,
                reserved: [0; 5],
                renter: counter.renter,
                next: counter.next,
                rent_payer: counter.rent_payer,
            })),
            Record::Device(device) => Some(written(&device_layout(device))),
            Record::Lease(lease) => Some(written(&lease_layout(lease))),
            Record::Page(page) => Some(page_bytes(page)),
            Record::Wallet | Record::Token(_) | Record::Mint | Record::Alien => None,
        }
    }

    /// Bytes that an account of this kind has.
    pub(crate) fn len(&self) -> usize {
        match &self.record {
            Record::Config(_) => 384,
            Record::Counter(_) => 80,
            Record::Device(_) => 416,
            Record::Lease(_) => 464,
            Record::Page(page) => page_len(page.capacity),
            Record::Token(_) => 165,
            Record::Mint => 82,
            Record::Wallet | Record::Alien => 0,
        }
    }
}

/// Bytes of a page for so many lines.
pub(crate) fn page_len(capacity: u8) -> usize {
    80 + 136 * usize::from(capacity)
}

fn written<T: Field>(record: &T) -> Vec<u8> {
    let mut out = vec![0; T::LEN];
    record.write(&mut out);
    out
}

/// Sums were kept within 64 bits when they were made.
fn narrow(sum: u128) -> u64 {
    u64::try_from(sum).expect("a sum of 64 bits")
}

fn units(sum: u128) -> BaseUnits {
    BaseUnits(narrow(sum))
}

fn config_layout(config: &Config) -> layout::Config {
    layout::Config {
        kind: Kind::Config as u8,
        version: LAYOUT_VERSION,
        bump: config.bump,
        reserved: [0; 5],
        now: config.now,
        genesis_hash: config.genesis,
        next_at: Timestamp(config.next_at),
        next: config.next,
    }
}

fn device_layout(device: &Device) -> layout::Device {
    let offer = &device.offer;
    let (payout_next, payout_next_at) = device.payout_next.unwrap_or((NOBODY, 0));
    layout::Device {
        kind: Kind::Device as u8,
        version: LAYOUT_VERSION,
        bump: device.bump,
        coordinators_len: offer.coordinators_len,
        accepts_any: offer.accepts_any,
        reserved: 0,
        units_total: offer.units_total,
        units_bound: device.bound,
        reserved_2: [0; 6],
        device: device.key,
        supplier: device.supplier,
        payout_owner: device.payout,
        payout_next,
        payout_next_at: Timestamp(payout_next_at),
        asks: offer.asks,
        coordinators: offer.coordinators,
        expires_at: offer.expires_at,
        generation: device.generation,
        registered_at: Timestamp(device.registered_at),
        rent_payer: device.rent_payer,
        reserved_3: [0; 64],
    }
}

fn lease_layout(lease: &Lease) -> layout::Lease {
    let clock = &lease.clock;
    layout::Lease {
        kind: Kind::Lease as u8,
        version: LAYOUT_VERSION,
        bump: lease.bump,
        vault_bump: lease.vault_bump,
        state: lease.state,
        vouch: lease.vouch,
        session_rights: SessionRights(lease.rights),
        mint_index: lease.mint_index,
        close_reason: lease.close_reason,
        accept_s: lease.accept_s,
        fee_bps: Bps(lease.fee_bps),
        slots_max: lease.slots_max,
        slots_live: lease.slots_live,
        pages_made: lease.pages_made,
        pages_live: lease.pages_live,
        claim_window_s: lease.claim_window_s,
        grace_s: lease.grace_s,
        reserved: [0; 4],
        counter: lease.counter,
        renter: lease.renter,
        session: lease.session,
        mint: lease.mint,
        vault: lease.vault,
        coordinator: lease.coordinator,
        policy_hash: lease.policy_hash,
        rent_payer: lease.rent_payer,
        deposit: units(clock.deposit),
        committed: units(clock.committed),
        gross_rate: Rate(narrow(clock.gross)),
        v: Seconds(narrow(clock.v)),
        changed_at: Timestamp(clock.changed_at),
        stands_since: Timestamp(clock.stands_since),
        rate_per_slot_max: Rate(lease.rate_per_slot_max),
        rate_total_max: Rate(lease.rate_total_max),
        rate_live: Rate(narrow(lease.rate_live)),
        opened_at: Timestamp(lease.opened_at),
        expires_at: Timestamp(clock.expires_at),
        closed_at: Timestamp(lease.closed_at),
        owed: units(lease.owed),
        paid: units(lease.paid),
        fees: units(lease.fees),
        fees_swept: units(lease.fees_swept),
        refunded: units(lease.refunded),
        epoch: lease.epoch,
        seen_at: Timestamp(clock.seen_at),
        reserved_2: [0; 48],
    }
}

fn line_layout(line: &Line) -> layout::Line {
    layout::Line {
        device: line.device,
        payout_owner: line.payout,
        rate: Rate(line.rate),
        generation: line.generation,
        bound_at: Timestamp(line.bound_at),
        started_at: Timestamp(line.started_at),
        v_start: Seconds(narrow(line.v_start)),
        v_end: Seconds(narrow(line.v_end)),
        served: Seconds(narrow(line.served)),
        paid: units(line.paid),
        units: line.units,
        state: line.state,
        reserved: [0; 5],
    }
}

fn page_bytes(page: &Page) -> Vec<u8> {
    let mut out = vec![0; page_len(page.capacity)];
    let header = layout::PageHeader {
        kind: Kind::Page as u8,
        version: LAYOUT_VERSION,
        bump: page.bump,
        capacity: page.capacity,
        count: u8::try_from(page.lines.len()).expect("at most 24 lines"),
        reserved: 0,
        number: page.number,
        lease: page.lease,
        rent_payer: page.rent_payer,
        reserved_2: [0; 8],
    };
    header.write(&mut out);
    for (line, place) in page.lines.iter().zip(out[80..].chunks_exact_mut(136)) {
        line_layout(line).write(place);
    }
    out
}

impl Token {
    /// Reads SPL Token's bytes: mint, owner, amount, delegate, state, native, delegated amount,
    /// close authority.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        if data.len() != 165 || data[108] == 0 || data[109] != 0 || data[129] != 0 {
            return None;
        }
        let key = |at: usize| -> Key { data[at..at + 32].try_into().expect("32 bytes") };
        let number = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().expect("8 bytes"));
        let delegate = (data[72] == 1).then(|| (key(76), number(121)));
        let (mint, owner, frozen) = (key(0), key(32), data[108] == 2);
        Some(Self { mint, owner, amount: number(64), frozen, delegate })
    }
}
