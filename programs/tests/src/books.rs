//! The books of a whole chain, read from its accounts, and what must always hold in them.

use crate::{Key, Market, token};
use ionet_market_interface::account::{Device, Kind, Lease, LeaseState, Line, LineState, PageRef};
use ionet_market_interface::{BaseUnits, PROGRAM_ID, TOKEN_PROGRAM, Timestamp};
use std::collections::BTreeMap;

/// Everything of the program on a chain, in order of address.
#[derive(Debug, Default)]
pub struct Books {
    /// Devices.
    pub devices: BTreeMap<Key, Device>,
    /// Leases.
    pub leases: BTreeMap<Key, Lease>,
    /// Lines with their lease.
    pub lines: Vec<(Key, Line)>,
    /// Token accounts: mint, balance.
    pub tokens: BTreeMap<Key, (Key, u64)>,
}

/// Reads a chain's books.
pub fn books(market: &Market) -> Books {
    let mut books = Books::default();
    for (address, account) in &market.svm.accounts_db().inner {
        let (at, owner) = (address.to_bytes(), solana_account::ReadableAccount::owner(account));
        let data = solana_account::ReadableAccount::data(account);
        if owner.to_bytes() == TOKEN_PROGRAM {
            if let Some(found) = token::read(data) {
                books.tokens.insert(at, (found.mint, found.amount));
            }
        } else if owner.to_bytes() == PROGRAM_ID {
            books.take(at, data);
        }
    }
    books
}

impl Books {
    fn take(&mut self, at: Key, data: &[u8]) {
        match data.first().copied() {
            Some(kind) if kind == Kind::Device as u8 => {
                self.devices.insert(at, Device::decode(data).expect("a device"));
            }
            Some(kind) if kind == Kind::Lease as u8 => {
                self.leases.insert(at, Lease::decode(data).expect("a lease"));
            }
            Some(kind) if kind == Kind::Page as u8 => {
                let page = PageRef::new(data).expect("a page");
                let lease = page.header().lease;
                let lines = page.lines().map(|(_, line)| (lease, line.expect("a line")));
                self.lines.extend(lines);
            }
            Some(_) | None => {}
        }
    }

    /// Sum of a mint over all token accounts.
    pub fn in_circulation(&self, mint: &Key) -> u128 {
        self.tokens.values().filter(|t| t.0 == *mint).map(|t| u128::from(t.1)).sum()
    }

    /// Panics unless everything holds that must hold at `now`.
    #[track_caller]
    pub fn check(&self, now: i64) {
        for (at, lease) in &self.leases {
            let lines: Vec<&Line> =
                self.lines.iter().filter(|(of, _)| of == at).map(|(_, line)| line).collect();
            self.claims_are_covered(lease, &lines, now);
            ceilings_hold(lease, &lines);
        }
        self.no_unit_is_bound_twice();
    }

    /// Lines claim at most what is committed, that is at most the deposit, and the vault holds
    /// it.
    #[track_caller]
    fn claims_are_covered(&self, lease: &Lease, lines: &[&Line], now: i64) {
        let mut clock = lease.clock();
        if lease.state == LeaseState::Open {
            clock.advance(Timestamp(now)).expect("the clock moves");
        }
        assert!(clock.committed <= clock.deposit, "committed beyond the deposit");
        let (mut owed, mut fees, mut paid, mut most) = (0u128, 0u128, 0u128, 0u128);
        for line in lines {
            owed += wide(line.owed().expect("owed"));
            fees += wide(line.fee(lease.fee_bps).expect("fee"));
            paid += wide(line.paid);
            let end = Line { served: line.served_max(clock.v), ..**line };
            assert!(line.served <= end.served, "served past the clock");
            most += wide(end.owed().expect("owed")) + wide(end.fee(lease.fee_bps).expect("fee"));
        }
        assert!(most <= wide(clock.committed), "lines can claim more than is committed");
        if lease.state != LeaseState::Finalized || lease.pages_live == lease.pages_made {
            assert_eq!(owed, wide(lease.owed), "the lease's sum of what lines earned");
            assert_eq!(fees, wide(lease.fees), "the lease's sum of fees");
            assert_eq!(paid, wide(lease.paid), "the lease's sum of what was drawn");
        }
        assert!(lease.paid <= lease.owed && lease.fees_swept <= lease.fees);
        let held = u128::from(self.tokens[&lease.vault].1);
        let out = wide(lease.paid) + wide(lease.fees_swept);
        let kept = match lease.state {
            LeaseState::Open => wide(lease.deposit) - out,
            LeaseState::Closed => wide(lease.deposit) - wide(lease.refunded) - out,
            LeaseState::Finalized => wide(lease.reserved().expect("a sum")),
        };
        assert!(held >= kept, "the vault holds {held} of {kept}");
    }

    /// Each device holds exactly what its live lines say, and no more than it has.
    #[track_caller]
    fn no_unit_is_bound_twice(&self) {
        for device in self.devices.values() {
            let live = self.lines.iter().filter(|(_, l)| l.device == device.device && l.is_live());
            let held: u64 = live.map(|(_, line)| u64::from(line.units)).sum();
            assert_eq!(held, u64::from(device.units_bound), "units bound");
            assert!(device.units_bound <= device.units_total, "more units bound than there are");
        }
    }
}

/// Live lines stay within the renter's ceilings.
#[track_caller]
fn ceilings_hold(lease: &Lease, lines: &[&Line]) {
    let live: Vec<&&Line> = lines.iter().filter(|line| line.is_live()).collect();
    assert_eq!(live.len(), usize::from(lease.slots_live), "slots in use");
    assert!(lease.slots_live <= lease.slots_max, "more slots than ordered");
    let gross = |line: &Line| u128::from(lease.fee_bps.gross_ceil(line.rate).expect("gross").0);
    let all: u128 = live.iter().map(|line| gross(line)).sum();
    assert_eq!(all, u128::from(lease.rate_live.0), "the sum of live rates");
    assert!(lease.rate_live <= lease.rate_total_max, "dearer in total than ordered");
    assert!(lines.iter().all(|line| line.rate <= lease.rate_per_slot_max), "a line too dear");
    if lease.state == LeaseState::Open {
        let started = live.iter().filter(|line| line.state == LineState::Started);
        let running: u128 = started.map(|line| gross(line)).sum();
        assert_eq!(running, u128::from(lease.gross_rate.0), "the clock's rate");
    } else {
        assert_eq!(lease.gross_rate.0, 0, "a closed lease's clock stands");
    }
}

fn wide(amount: BaseUnits) -> u128 {
    u128::from(amount.0)
}
