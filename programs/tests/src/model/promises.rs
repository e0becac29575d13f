//! What must hold after every step, whoever did what. Each is a sentence of `docs/money.md`.

use super::account::{Account, Lease, Line, Record};
use super::chain::rent;
use super::{Chain, Key};
use ionet_market_interface::account::{LeaseState, LineState};
use std::collections::BTreeMap;

/// The first that does not hold, if any.
pub(crate) type Kept = Result<(), String>;

fn holds(condition: bool, promise: impl FnOnce() -> String) -> Kept {
    if condition { Ok(()) } else { Err(promise()) }
}

impl Chain {
    /// Checks everything.
    pub(crate) fn keeps_its_promises(&self) -> Kept {
        for (at, _) in self.leases() {
            self.keeps_for(at)?;
        }
        self.no_unit_is_bound_twice()?;
        self.everything_is_exempt_from_rent()
    }

    /// Checks one lease.
    pub(crate) fn keeps_for(&self, at: &Key) -> Kept {
        let Some(lease) = self.lease(at) else { return Ok(()) };
        let pages = self.pages().filter(|(_, page)| page.lease == *at);
        let lines: Vec<&Line> = pages.flat_map(|(_, page)| &page.lines).collect();
        self.nobody_draws_more_than_rate_times_time(&lines)?;
        self.claims_are_covered(lease, &lines)?;
        ceilings_hold(lease, &lines)?;
        self.the_vault_holds_what_is_owed(lease)
    }

    /// In the chain's own time, not in the lease's.
    fn nobody_draws_more_than_rate_times_time(&self, lines: &[&Line]) -> Kept {
        for line in lines {
            let since = if line.started_at == 0 { self.latest } else { line.true_start };
            let time = i128::from(line.true_end.unwrap_or(self.latest)) - i128::from(since);
            let most = u128::from(line.rate) * u128::try_from(time).unwrap_or(0);
            holds(line.paid * 3_600 <= most, || format!("drawn above rate x time: {line:?}"))?;
            let rejected = line.state == LineState::Rejected;
            holds(!rejected || line.paid == 0, || format!("a rejected line was paid: {line:?}"))?;
        }
        Ok(())
    }

    /// What lines can claim is at most `committed`, and that at most the deposit.
    fn claims_are_covered(&self, lease: &Lease, lines: &[&Line]) -> Kept {
        let mut clock = lease.clock;
        if lease.state == LeaseState::Open {
            clock.advance(self.now).map_err(|why| format!("the clock does not move: {why:?}"))?;
        }
        holds(clock.committed <= clock.deposit, || format!("unfunded: {lease:?}"))?;
        let (mut owed, mut fees, mut paid, mut most) = (0, 0, 0, 0);
        for line in lines {
            owed += line.owed();
            fees += line.fee(lease.fee_bps);
            paid += line.paid;
            let end = Line { served: line.served_max(clock.v), ..(*line).clone() };
            holds(line.served <= end.served, || format!("past the clock: {line:?}"))?;
            most += end.owed() + end.fee(lease.fee_bps);
        }
        holds(most <= clock.committed, || format!("claims {most} of {}", clock.committed))?;
        let all = lease.pages_live == lease.pages_made;
        let sums = (owed, fees, paid) == (lease.owed, lease.fees, lease.paid);
        holds(!all || sums, || format!("its lines' sums are {owed} {fees} {paid}: {lease:?}"))
    }

    fn the_vault_holds_what_is_owed(&self, lease: &Lease) -> Kept {
        let held = self.token(&lease.vault).map_or(0, |token| u128::from(token.amount));
        let out = lease.paid + lease.fees_swept;
        let kept = match lease.state {
            LeaseState::Open => lease.clock.deposit - out,
            LeaseState::Closed => lease.clock.deposit - lease.refunded - out,
            LeaseState::Finalized => lease.reserved(),
        };
        holds(held >= kept, || format!("the vault holds {held} of {kept}: {lease:?}"))
    }

    /// Each device holds what its live lines say, and no more than it has.
    pub(crate) fn no_unit_is_bound_twice(&self) -> Kept {
        let mut bound = BTreeMap::<&Key, u64>::new();
        for line in self.pages().flat_map(|(_, page)| &page.lines).filter(|line| line.is_live()) {
            *bound.entry(&line.device).or_default() += u64::from(line.units);
        }
        for (_, device) in self.devices() {
            let lines = bound.remove(&device.key).unwrap_or(0);
            let within =
                lines == u64::from(device.bound) && device.bound <= device.offer.units_total;
            holds(within, || format!("{lines} units of live lines: {device:?}"))?;
        }
        holds(bound.is_empty(), || "a live line holds a device that is gone".to_owned())
    }

    pub(crate) fn everything_is_exempt_from_rent(&self) -> Kept {
        self.accounts.iter().try_for_each(|(at, account)| is_exempt_from_rent(at, account))
    }

    /// Sum of each mint over all token accounts, and of lamports over all accounts.
    pub(crate) fn in_circulation(&self) -> (BTreeMap<Key, u128>, u128) {
        let mut tokens = BTreeMap::<Key, u128>::new();
        let mut lamports = 0;
        for account in self.accounts.values() {
            lamports += u128::from(account.lamports);
            if let Record::Token(token) = &account.record {
                *tokens.entry(token.mint).or_default() += u128::from(token.amount);
            }
        }
        (tokens, lamports)
    }
}

/// An account that is there holds what keeps it there.
pub(crate) fn is_exempt_from_rent(at: &Key, account: &Account) -> Kept {
    let paid = match account.record {
        Record::Alien | Record::Mint => true,
        _ => account.lamports == 0 || account.lamports >= rent(account.len()),
    };
    holds(paid, || format!("{at:02x?} is left without its rent: {account:?}"))
}

/// Live lines stay within the renter's ceilings.
fn ceilings_hold(lease: &Lease, lines: &[&Line]) -> Kept {
    let live: Vec<&&Line> = lines.iter().filter(|line| line.is_live()).collect();
    let within = live.len() == usize::from(lease.slots_live) && lease.slots_live <= lease.slots_max;
    holds(within, || format!("{} slots are in use: {lease:?}", live.len()))?;
    let rate: u128 = live.iter().map(|line| line.gross(lease.fee_bps)).sum();
    let within = rate == lease.rate_live && rate <= u128::from(lease.rate_total_max);
    holds(within, || format!("{rate} an hour in total: {lease:?}"))?;
    let dear = lines.iter().find(|line| line.rate > lease.rate_per_slot_max);
    holds(dear.is_none(), || format!("a line too dear: {dear:?} in {lease:?}"))?;
    let started = live.iter().filter(|line| line.state == LineState::Started);
    let running: u128 = match lease.state {
        LeaseState::Open => started.map(|line| line.gross(lease.fee_bps)).sum(),
        LeaseState::Closed | LeaseState::Finalized => 0,
    };
    holds(running == lease.clock.gross, || format!("{running} an hour run: {lease:?}"))
}
