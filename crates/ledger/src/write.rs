//! Changing the market: one method per instruction, each in transactions that fit.

use crate::error::LedgerError;
use crate::instructions::{BoundLine, Instructions, OpenLeaseOrder};
use crate::read::PlacedLine;
use crate::signer::Signer;
use crate::token::{associated_account, create_associated_account};
use crate::{Ledger, addresses};
use ionet_market_interface::account::{CloseReason, Lease};
use ionet_market_interface::instruction::{Offer, Served};
use ionet_market_interface::limits::{ACCOUNT_LINES_MAX, BIND_LINES_MAX, LINES_PER_PAGE};
use ionet_market_interface::statement::{ed25519_instruction, registration};
use ionet_market_interface::{ED25519_PROGRAM, Seconds, Timestamp};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signature::Signature;

/// Payouts of one transaction: each may also have to make the supplier's token account.
const WITHDRAWALS_PER_SEND: usize = 4;

/// A device's signature under its registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationConsent {
    /// The device's key.
    pub device: [u8; 32],
    /// Unix seconds, as signed.
    pub expires: i64,
    /// Over the interface's registration statement.
    pub signature: [u8; 64],
}

impl Ledger {
    pub(crate) fn instructions(&self) -> Instructions {
        Instructions { program: self.program }
    }

    /// Registers a device under the supplier's wallet, with the device's own consent.
    pub async fn register_device(
        &self,
        supplier: &dyn Signer,
        consent: &RegistrationConsent,
        offer: Offer,
    ) -> Result<Signature, LedgerError> {
        let genesis = self.config().await?.genesis_hash;
        let wallet = supplier.address();
        let statement = registration(
            &genesis,
            self.program.as_array(),
            &consent.device,
            wallet.as_array(),
            Timestamp(consent.expires),
        );
        let proof = Instruction {
            program_id: Address::from(ED25519_PROGRAM),
            accounts: Vec::new(),
            data: ed25519_instruction(&consent.device, &consent.signature, &statement),
        };
        let register =
            self.instructions().register_device(&wallet, &consent.device, consent.expires, offer);
        self.connection.send(&[proof, register], &[supplier]).await
    }

    /// Replaces a device's offer.
    pub async fn update_device(
        &self,
        supplier: &dyn Signer,
        device: &[u8; 32],
        offer: Offer,
    ) -> Result<Signature, LedgerError> {
        let ix = self.instructions().update_device(&supplier.address(), device, offer);
        self.connection.send(&[ix], &[supplier]).await
    }

    /// Takes a device out of the market; its rent goes back to whoever paid it.
    pub async fn retire_device(
        &self,
        supplier: &dyn Signer,
        device: &[u8; 32],
    ) -> Result<Signature, LedgerError> {
        let address = addresses::device(&self.program, device).0;
        let missing = LedgerError::NotFound { kind: "device", address };
        let record = self.device(device).await?.ok_or(missing)?;
        let ix = self.instructions().retire_device(&supplier.address(), device, record.rent_payer);
        self.connection.send(&[ix], &[supplier]).await
    }

    /// Opens a lease. Its address follows from the renter and `order.counter`.
    pub async fn open_lease(
        &self,
        renter: &dyn Signer,
        order: &OpenLeaseOrder,
    ) -> Result<(Address, Signature), LedgerError> {
        let wallet = renter.address();
        let ix = self.instructions().open_lease(&wallet, order);
        let signature = self.connection.send(&[ix], &[renter]).await?;
        Ok((addresses::lease(&self.program, &wallet, order.counter).0, signature))
    }

    /// Adds `amount` base units from the signer's own token account.
    pub async fn top_up(
        &self,
        payer: &dyn Signer,
        address: &Address,
        lease: &Lease,
        amount: u64,
    ) -> Result<Signature, LedgerError> {
        let wallet = payer.address();
        let source = associated_account(&wallet, &Address::from(lease.mint));
        let ix = self.exits(*address, lease).top_up(&wallet, &source, amount);
        self.connection.send(&[ix], &[payer]).await
    }

    /// Binds devices to the next free lines of a lease. Returns where each stands. `existing`
    /// is every line that the lease has.
    pub async fn bind(
        &self,
        coordinator: &dyn Signer,
        address: &Address,
        existing: &[PlacedLine],
        epoch: u64,
        lines: &[BoundLine],
    ) -> Result<Vec<(u16, u8)>, LedgerError> {
        let mut placed = Vec::with_capacity(lines.len());
        let per_page = usize::from(LINES_PER_PAGE);
        let mut count = existing.len();
        let mut rest = lines;
        while !rest.is_empty() {
            let (page, used) = (count / per_page, count % per_page);
            let some = rest.len().min(per_page - used).min(BIND_LINES_MAX);
            let (now, later) = rest.split_at(some);
            let page = u16::try_from(page).expect("a lease has at most 4,096 pages");
            let ix = self.instructions().bind(&coordinator.address(), address, page, epoch, now);
            self.connection.send(&[ix], &[coordinator]).await?;
            placed.extend((used..used + some).map(|index| (page, index as u8)));
            count += some;
            rest = later;
        }
        Ok(placed)
    }

    /// Starts the meters of lines of one page.
    pub async fn start(
        &self,
        coordinator: &dyn Signer,
        address: &Address,
        page: u16,
        epoch: u64,
        lines: &[u8],
    ) -> Result<Signature, LedgerError> {
        let ix = self.instructions().start(&coordinator.address(), address, page, epoch, lines);
        self.connection.send(&[ix], &[coordinator]).await
    }

    /// Refuses lines of one page, free of charge, in their acceptance window.
    pub async fn reject(
        &self,
        actor: &dyn Signer,
        address: &Address,
        page: u16,
        lines: &[(u8, [u8; 32])],
    ) -> Result<Signature, LedgerError> {
        let ix = self.instructions().reject(&actor.address(), address, page, lines);
        self.connection.send(&[ix], &[actor]).await
    }

    /// Ends lines of one page and frees their devices.
    pub async fn end_lines(
        &self,
        actor: &dyn Signer,
        address: &Address,
        page: u16,
        epoch: u64,
        lines: &[(u8, [u8; 32])],
    ) -> Result<(), LedgerError> {
        for some in lines.chunks(ACCOUNT_LINES_MAX) {
            let ix = self.instructions().end_lines(&actor.address(), address, page, epoch, some);
            self.connection.send(&[ix], &[actor]).await?;
        }
        Ok(())
    }

    /// Vouches for served seconds of lines of one page: (index, seconds since its start).
    pub async fn attest(
        &self,
        actor: &dyn Signer,
        address: &Address,
        page: u16,
        epoch: u64,
        served: &[(u8, u64)],
    ) -> Result<Signature, LedgerError> {
        let served: Vec<_> = served
            .iter()
            .map(|(index, seconds)| Served { index: *index, served: Seconds(*seconds) })
            .collect();
        let ix = self.instructions().attest(&actor.address(), address, page, epoch, &served);
        self.connection.send(&[ix], &[actor]).await
    }

    /// Pays what lines have earned to their recorded payout owners. Anyone may send it; `payer`
    /// pays the chain's fee, and the rent of a token account that a supplier lacks.
    pub async fn withdraw(
        &self,
        payer: &dyn Signer,
        address: &Address,
        lease: &Lease,
        lines: &[PlacedLine],
    ) -> Result<(), LedgerError> {
        let mint = Address::from(lease.mint);
        let due: Vec<_> =
            lines.iter().filter(|l| l.line.owed().is_some_and(|o| o > l.line.paid)).collect();
        for page in due.chunk_by(|a, b| a.page == b.page) {
            for some in page.chunks(WITHDRAWALS_PER_SEND) {
                let owners: Vec<_> =
                    some.iter().map(|l| Address::from(l.line.payout_owner)).collect();
                let to: Vec<_> = owners.iter().map(|o| associated_account(o, &mint)).collect();
                let mut batch = self.missing_accounts(payer, &owners, &to, &mint).await?;
                let lines: Vec<_> = some.iter().copied().cloned().collect();
                let at = addresses::page(&self.program, address, lines[0].page).0;
                batch.push(self.exits(*address, lease).withdraw(&at, &lines));
                self.connection.send(&batch, &[payer]).await?;
            }
        }
        Ok(())
    }

    async fn missing_accounts(
        &self,
        payer: &dyn Signer,
        owners: &[Address],
        accounts: &[Address],
        mint: &Address,
    ) -> Result<Vec<Instruction>, LedgerError> {
        let found = self.connection.accounts(accounts).await?;
        let mut missing: Vec<Address> = owners
            .iter()
            .zip(found)
            .filter(|(_, data)| data.is_none())
            .map(|(owner, _)| *owner)
            .collect();
        missing.sort();
        missing.dedup();
        let payer = payer.address();
        Ok(missing.iter().map(|owner| create_associated_account(&payer, owner, mint)).collect())
    }

    /// Closes a lease: every line ends, and what none can claim goes back to the renter at
    /// once if its token account can take it.
    pub async fn close(
        &self,
        actor: &dyn Signer,
        address: &Address,
        lease: &Lease,
        epoch: u64,
        reason: CloseReason,
    ) -> Result<Signature, LedgerError> {
        let refund_to = renter_account(lease);
        let there = self.token_account(&refund_to).await?.is_some();
        let vault = Address::from(lease.vault);
        let to = there.then_some((&vault, &refund_to));
        let ix = self.instructions().close(&actor.address(), address, to, epoch, reason);
        self.connection.send(&[ix], &[actor]).await
    }

    /// Pays the renter what no line can claim, if closing did not.
    pub async fn refund(
        &self,
        payer: &dyn Signer,
        address: &Address,
        lease: &Lease,
    ) -> Result<Signature, LedgerError> {
        let ix = self.exits(*address, lease).refund();
        self.connection.send(&[ix], &[payer]).await
    }

    /// Pays the renter what nobody claimed, after the claim window.
    pub async fn finalize(
        &self,
        payer: &dyn Signer,
        address: &Address,
        lease: &Lease,
    ) -> Result<Signature, LedgerError> {
        let ix = self.exits(*address, lease).finalize();
        self.connection.send(&[ix], &[payer]).await
    }

    /// Pays a lease's fees to the fee owner.
    pub async fn sweep_fees(
        &self,
        payer: &dyn Signer,
        address: &Address,
        lease: &Lease,
    ) -> Result<Signature, LedgerError> {
        let owner = Address::from(self.config().await?.now.fee_owner);
        let mint = Address::from(lease.mint);
        let account = associated_account(&owner, &mint);
        let mut batch = self.missing_accounts(payer, &[owner], &[account], &mint).await?;
        batch.push(self.exits(*address, lease).sweep_fees(&owner));
        self.connection.send(&batch, &[payer]).await
    }

    /// Closes the pages, then the lease and its vault; rent goes back to whoever paid it.
    /// Lines must have been ended, drawn and swept.
    pub async fn reclaim(
        &self,
        payer: &dyn Signer,
        address: &Address,
        lease: &Lease,
    ) -> Result<(), LedgerError> {
        for page in self.pages_of(address, lease).await? {
            let ix = self.exits(*address, lease).reclaim_page(&page);
            self.connection.send(&[ix], &[payer]).await?;
        }
        let ix = self.exits(*address, lease).reclaim_lease();
        self.connection.send(&[ix], &[payer]).await?;
        Ok(())
    }
}

fn renter_account(lease: &Lease) -> Address {
    associated_account(&Address::from(lease.renter), &Address::from(lease.mint))
}
