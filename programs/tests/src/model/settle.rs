//! Money out: `withdraw`, `refund`, `finalize`, `sweep_fees`, `reclaim_page`, `reclaim_lease`.

use super::account::{Lease, Record};
use super::amounts::fits;
use super::lines::line;
use super::transaction::{Call, No, unless};
use ionet_market_interface::MarketError;
use ionet_market_interface::account::LeaseState;

impl Call<'_> {
    /// Pays from the vault, on the lease's own word.
    fn pay(&mut self, lease: usize, vault: usize, to: usize, amount: u128) -> Result<(), No> {
        let amount = u64::try_from(amount).map_err(|_| No::Elsewhere)?;
        let authority = self.key(lease);
        if amount > 0 { self.transfer(vault, to, &authority, amount) } else { Ok(()) }
    }

    pub(crate) fn withdraw(&mut self, lines: &[u8]) -> Result<(), No> {
        const LEASE: usize = 0;
        const PAGE: usize = 1;
        const VAULT: usize = 2;
        const TO: usize = 4;
        self.takes(TO)?;
        self.takes(TO + lines.len())?;
        let mut lease = self.lease(LEASE)?;
        self.vault(VAULT, 3, &lease)?;
        let mut page = self.page(PAGE, LEASE)?;
        let mut due = Vec::with_capacity(lines.len());
        for (i, index) in lines.iter().enumerate() {
            let line = line(&mut page, *index)?;
            let amount = line.owed() - line.paid;
            if amount > 0 {
                self.destination(TO + i, &lease, &line.payout)?;
            }
            line.paid += amount;
            lease.paid += amount;
            due.push(amount);
        }
        self.store(PAGE, Record::Page(page));
        self.store(LEASE, Record::Lease(lease));
        for (i, amount) in due.iter().enumerate() {
            self.pay(LEASE, VAULT, TO + i, *amount)?;
        }
        Ok(())
    }

    pub(crate) fn refund(&mut self) -> Result<(), No> {
        self.takes(4)?;
        let lease = self.lease(0)?;
        unless(lease.state == LeaseState::Closed, MarketError::LeaseNotClosed)?;
        self.pay_refund(*lease, 0, 1, 2, 3)
    }

    /// What no line can claim and was not paid back yet.
    pub(crate) fn pay_refund(
        &mut self,
        mut lease: Lease,
        at: usize,
        vault: usize,
        to: usize,
        program: usize,
    ) -> Result<(), No> {
        self.vault(vault, program, &lease)?;
        self.destination(to, &lease, &lease.renter)?;
        let unclaimable = lease.clock.deposit - lease.clock.committed;
        let due = unclaimable.saturating_sub(lease.refunded);
        lease.refunded += due;
        self.store(at, Record::Lease(Box::new(lease)));
        self.pay(at, vault, to, due)
    }

    pub(crate) fn finalize(&mut self) -> Result<(), No> {
        self.takes(4)?;
        let mut lease = self.lease(0)?;
        unless(lease.state == LeaseState::Closed, MarketError::LeaseNotClosed)?;
        unless(self.chain.now > lease.claims_until(), MarketError::ClaimWindowOpen)?;
        let held = u128::from(self.vault(1, 3, &lease)?.amount);
        let kept = lease.reserved();
        let rest = held.checked_sub(kept).ok_or(No::Market(MarketError::Overflow))?;
        if rest > 0 {
            self.destination(2, &lease, &lease.renter)?;
        }
        lease.state = LeaseState::Finalized;
        lease.refunded = fits(lease.refunded + rest)?;
        self.store(0, Record::Lease(lease));
        self.pay(0, 1, 2, rest)
    }

    pub(crate) fn sweep_fees(&mut self) -> Result<(), No> {
        const LEASE: usize = 1;
        self.takes(5)?;
        let owner = self.config(0)?.now.fee_owner;
        let mut lease = self.lease(LEASE)?;
        self.vault(2, 4, &lease)?;
        self.destination(3, &lease, &owner)?;
        let due = lease.fees - lease.fees_swept;
        lease.fees_swept = lease.fees;
        self.store(LEASE, Record::Lease(lease));
        self.pay(LEASE, 2, 3, due)
    }

    pub(crate) fn reclaim_page(&mut self) -> Result<(), No> {
        self.takes(3)?;
        let mut lease = self.lease(0)?;
        unless(lease.state == LeaseState::Finalized, MarketError::LeaseNotFinalized)?;
        let page = self.page(1, 0)?;
        self.is_at(2, &page.rent_payer)?;
        for line in &page.lines {
            unless(!line.is_live(), MarketError::UnitsHeld)?;
            unless(line.owed() == line.paid, MarketError::StillOwed)?;
        }
        self.writable(2)?;
        lease.pages_live -= 1;
        self.store(0, Record::Lease(lease));
        self.remove(1, 2);
        Ok(())
    }

    pub(crate) fn reclaim_lease(&mut self) -> Result<(), No> {
        const VAULT: usize = 1;
        const TO: usize = 2;
        const RENT: usize = 3;
        self.takes(5)?;
        let lease = self.lease(0)?;
        unless(lease.state == LeaseState::Finalized, MarketError::LeaseNotFinalized)?;
        unless(lease.pages_live == 0, MarketError::PagesRemain)?;
        let settled = lease.owed == lease.paid && lease.fees == lease.fees_swept;
        unless(settled, MarketError::StillOwed)?;
        self.is_at(RENT, &lease.rent_payer)?;
        self.writable(RENT)?;
        let left = u128::from(self.vault(VAULT, 4, &lease)?.amount);
        if left > 0 {
            self.destination(TO, &lease, &lease.renter)?;
            self.pay(0, VAULT, TO, left)?;
        }
        self.remove(VAULT, RENT);
        self.remove(0, RENT);
        Ok(())
    }
}
