//! What a renter gives to a lease's session key, and what that key does alone.

use crate::Ledger;
use crate::addresses;
use crate::error::LedgerError;
use crate::instructions::OpenLeaseOrder;
use crate::signer::Signer;
use crate::token::{TokenAccount, approve, associated_account, revoke, transfer_lamports};
use ionet_market_interface::account::Lease;
use solana_address::Address;
use solana_signature::Signature;

/// What the chain takes for each signature of a transaction, in lamports.
const LAMPORTS_PER_SIGNATURE: u64 = 5_000;

/// What a session key gets when its lease is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionGrant {
    /// The key.
    pub key: Address,
    /// Lamports for the fees of its own transactions.
    pub lamports: u64,
    /// Base units that it may add to leases from the renter's token account, in all; zero: none.
    pub top_up_max: u64,
}

impl Ledger {
    /// Opens a lease, and gives its session key what it needs, in one transaction: all or
    /// nothing. A delegate that the renter's token account had is replaced.
    pub async fn open_lease_with(
        &self,
        renter: &dyn Signer,
        order: &OpenLeaseOrder,
        grant: &SessionGrant,
    ) -> Result<(Address, Signature), LedgerError> {
        let wallet = renter.address();
        let mut batch = vec![self.instructions().open_lease(&wallet, order)];
        if grant.lamports > 0 {
            batch.push(transfer_lamports(&wallet, &grant.key, grant.lamports));
        }
        if grant.top_up_max > 0 {
            let account = associated_account(&wallet, &order.mint);
            batch.push(approve(&account, &grant.key, &wallet, grant.top_up_max));
        }
        let signature = self.connection().send(&batch, &[renter]).await?;
        Ok((addresses::lease(&self.program(), &wallet, order.counter).0, signature))
    }

    /// The renter's own token account for a lease's mint, if it is there.
    pub async fn renter_tokens(&self, lease: &Lease) -> Result<Option<TokenAccount>, LedgerError> {
        let (renter, mint) = (Address::from(lease.renter), Address::from(lease.mint));
        self.token_account(&associated_account(&renter, &mint)).await
    }

    /// Adds `amount` base units from the renter's token account, of which `delegate` may move so
    /// many. It signs alone and pays the chain's fee.
    pub async fn top_up_as_delegate(
        &self,
        delegate: &dyn Signer,
        address: &Address,
        lease: &Lease,
        amount: u64,
    ) -> Result<Signature, LedgerError> {
        let exits = self.exits(*address, lease);
        let ix = exits.top_up(&delegate.address(), &exits.renter_account(), amount);
        self.connection().send(&[ix], &[delegate]).await
    }

    /// Takes back a delegate's leave on the owner's token account.
    pub async fn revoke(
        &self,
        owner: &dyn Signer,
        mint: &Address,
    ) -> Result<Signature, LedgerError> {
        let wallet = owner.address();
        let ix = revoke(&associated_account(&wallet, mint), &wallet);
        self.connection().send(&[ix], &[owner]).await
    }

    /// Moves all lamports of a key that is not needed any more. Returns how many arrived; zero if
    /// it has no more than the fee.
    pub async fn empty_key(&self, key: &dyn Signer, to: &Address) -> Result<u64, LedgerError> {
        let held = self.connection().lamports(&key.address()).await?;
        let rest = held.saturating_sub(LAMPORTS_PER_SIGNATURE);
        if rest > 0 {
            let ix = transfer_lamports(&key.address(), to, rest);
            self.connection().send(&[ix], &[key]).await?;
        }
        Ok(rest)
    }
}
