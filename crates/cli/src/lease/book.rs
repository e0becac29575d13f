//! A lease with everything on the chain that belongs to it, read at one time.

use super::market::{Market, text};
use crate::failure::{Failure, Result};
use ionet_core::{Asset, ClusterId, Wallet};
use ionet_ledger::interface::account::{CloseReason, Device, Lease, LeaseState};
use ionet_ledger::interface::{Seconds, Timestamp};
use ionet_ledger::token::{TokenAccount, associated_account};
use ionet_ledger::{Address, LedgerError, Page, PlacedLine};
use std::collections::{BTreeMap, BTreeSet};

/// Whether someone's token account can take what it is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payee {
    /// It can.
    Ready,
    /// It is not there: whoever pays out makes it, and pays its rent.
    Missing,
    /// It is frozen, or somebody else's by now: nobody can pay it.
    Blocked,
}

/// A lease and what belongs to it.
pub(crate) struct Book {
    /// Its address.
    pub(crate) address: Address,
    /// Its record.
    pub(crate) lease: Lease,
    /// Its pages that exist.
    pub(crate) pages: Vec<Page>,
    /// What it is paid in.
    pub(crate) asset: Asset,
    /// The chain's clock when it was read.
    pub(crate) now: Timestamp,
    /// Who gets the fees.
    pub(crate) fee_owner: Address,
    /// Token accounts of all who may be paid.
    payees: BTreeMap<Address, Payee>,
    /// Devices of the one who asks.
    mine: BTreeSet<[u8; 32]>,
}

impl Book {
    /// Reads a lease. `actor` is whoever will act on it.
    pub(crate) async fn read(
        market: &Market,
        address: Address,
        actor: Option<&Address>,
    ) -> Result<Self> {
        let lease = market.ledger.lease(&address).await.map_err(|error| match error {
            LedgerError::Malformed { .. } => {
                Failure::usage(format!("{address} is no lease: {error}"))
            }
            other => other.into(),
        })?;
        let lease = lease.ok_or_else(|| gone(&address))?;
        let devices = match actor {
            Some(actor) => market.ledger.devices_of_supplier(actor).await?,
            None => Vec::new(),
        };
        Self::read_all(market, address, lease, &devices).await
    }

    /// Reads what belongs to a lease that was read already.
    pub(crate) async fn read_all(
        market: &Market,
        address: Address,
        lease: Lease,
        mine: &[Device],
    ) -> Result<Self> {
        let asset = market.asset(&address, &lease)?;
        let pages = market.ledger.pages_of(&address, &lease).await?;
        let fee_owner = Address::from(market.config.now.fee_owner);
        let owners: BTreeSet<Address> = pages
            .iter()
            .flat_map(|page| page.lines.iter().map(|l| Address::from(l.line.payout_owner)))
            .chain([Address::from(lease.renter), fee_owner])
            .collect();
        let mint = Address::from(lease.mint);
        let owners: Vec<Address> = owners.into_iter().collect();
        let at: Vec<_> = owners.iter().map(|owner| associated_account(owner, &mint)).collect();
        let found = market.ledger.token_accounts(&at).await?;
        let payees = owners
            .iter()
            .zip(&found)
            .map(|(owner, found)| (*owner, payee(owner, &mint, found.as_ref())));
        Ok(Self {
            payees: payees.collect(),
            mine: mine.iter().map(|device| device.device).collect(),
            now: market.now,
            address,
            lease,
            pages,
            asset,
            fee_owner,
        })
    }

    /// A book as a test wants it.
    #[cfg(test)]
    pub(super) fn of(
        lease: Lease,
        pages: Vec<Page>,
        now: i64,
        payees: BTreeMap<Address, Payee>,
    ) -> Self {
        Self {
            address: Address::from([1; 32]),
            fee_owner: Address::from([2; 32]),
            asset: Asset::Usdc,
            now: Timestamp(now),
            mine: BTreeSet::new(),
            lease,
            pages,
            payees,
        }
    }

    /// The cluster that it pays for.
    pub(crate) fn cluster(&self) -> ClusterId {
        ClusterId::of_lease(&Wallet(self.address.to_bytes()))
    }

    /// Its renter.
    pub(crate) fn renter(&self) -> Address {
        Address::from(self.lease.renter)
    }

    /// Every line.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &PlacedLine> {
        self.pages.iter().flat_map(|page| &page.lines)
    }

    /// How the token account of `owner` stands.
    pub(crate) fn payee(&self, owner: &Address) -> Payee {
        self.payees.get(owner).copied().unwrap_or(Payee::Missing)
    }

    /// Whether a line is `actor`'s as a supplier: its device, or its money.
    pub(crate) fn is_mine(&self, line: &PlacedLine, actor: &Address) -> bool {
        self.mine.contains(&line.line.device) || line.line.payout_owner == actor.to_bytes()
    }

    /// Whether a line's device was registered by the one who asks.
    pub(crate) fn supplies(&self, line: &PlacedLine) -> bool {
        self.mine.contains(&line.line.device)
    }

    /// The lease's state in a word.
    pub(crate) fn state(&self) -> &'static str {
        state(self.lease.state)
    }

    /// An amount of this lease's asset for people.
    pub(crate) fn text(&self, units: u64) -> String {
        text(self.asset, units)
    }

    /// What is set aside for lines and fees by now; it can only grow while lines run.
    pub(crate) fn committed(&self) -> u64 {
        let mut clock = self.lease.clock();
        if self.lease.state == LeaseState::Open && clock.advance(self.now).is_err() {
            return self.lease.deposit.get(); // sums beyond 64 bits: nothing is free
        }
        clock.committed.get()
    }

    /// From when on anyone may close it, as things stand. `None` where it is not open.
    pub(crate) fn anyone_closes_at(&self) -> Option<Timestamp> {
        let clock = self.lease.clock();
        let since = clock.stood_since(self.now).unwrap_or_else(|| clock.runs_until());
        let open = self.lease.state == LeaseState::Open;
        open.then(|| since.saturating_add(Seconds(u64::from(self.lease.grace_s))))
    }

    /// On what ground `actor` may close it now.
    pub(crate) fn may_close(&self, actor: &Address) -> Option<CloseReason> {
        use ionet_ledger::interface::account::SessionRights;
        let key = actor.to_bytes();
        if self.lease.renter == key {
            return Some(CloseReason::Renter);
        }
        if self.lease.is_session(&key, SessionRights::CLOSE) {
            return Some(CloseReason::Session);
        }
        if self.lease.coordinator == key {
            return Some(CloseReason::CoordinatorLeaves);
        }
        let stood = self.lease.clock().stood_since(self.now).is_some();
        let due = self.anyone_closes_at().is_some_and(|at| self.now >= at);
        (stood && due).then_some(CloseReason::ClockStood)
    }

    /// Whether the claim window of a closed lease is over.
    pub(crate) fn window_over(&self) -> bool {
        self.now > self.lease.claims_until()
    }
}

/// A state in a word.
pub(crate) fn state(state: LeaseState) -> &'static str {
    match state {
        LeaseState::Open => "open",
        LeaseState::Closed => "closed",
        LeaseState::Finalized => "finalized",
    }
}

/// What a line has earned and not been paid, in base units.
pub(crate) fn due(line: &PlacedLine) -> u64 {
    let owed = line.line.owed().map_or(0, |owed| owed.get());
    owed.saturating_sub(line.line.paid.get())
}

/// There is no such lease.
pub(crate) fn gone(address: &Address) -> Failure {
    Failure::not_found(format!(
        "no lease at {address} on this chain: never opened, or reclaimed because all was paid"
    ))
    .hint("`ionet lease list` names yours; --rpc names another chain")
}

fn payee(owner: &Address, mint: &Address, account: Option<&TokenAccount>) -> Payee {
    match account {
        None => Payee::Missing,
        Some(a) if a.usable && a.owner == *owner && a.mint == *mint => Payee::Ready,
        Some(_) => Payee::Blocked,
    }
}
