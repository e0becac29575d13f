//! What ends a lease, as instructions: every call that needs no coordinator.
//!
//! Addresses come from the records themselves (the vault from the lease, pages from where they
//! were found), since whoever made them chose their bumps: none can be hidden from its owner.

use crate::error::LedgerError;
use crate::instructions::Instructions;
use crate::read::PlacedLine;
use crate::token::associated_account;
use crate::{Ledger, addresses};
use ionet_market_interface::account::{CloseReason, Kind, Lease, PageHeader, PageRef};
use ionet_market_interface::build::{self, Ix};
use ionet_market_interface::instruction::ClaimReceipt;
use ionet_market_interface::limits::{LINES_PER_PAGE, PAGES_MAX};
use ionet_market_interface::statement::{Receipt, ed25519_instruction};
use ionet_market_interface::{BaseUnits, ED25519_PROGRAM, LayoutError, Seconds};
use solana_address::Address;
use solana_instruction::Instruction;

/// A page where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its address.
    pub address: Address,
    /// Its number in the lease.
    pub number: u16,
    /// Who gets its rent back.
    pub rent_payer: Address,
    /// Its lines, in order.
    pub lines: Vec<PlacedLine>,
}

/// A receipt with whose word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedReceipt {
    /// What was signed.
    pub receipt: Receipt,
    /// Who signed.
    pub signer: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
}

impl Ledger {
    /// Every page of a lease that exists, in order. Those that are not where clients make them
    /// are searched for.
    pub async fn pages_of(
        &self,
        address: &Address,
        lease: &Lease,
    ) -> Result<Vec<Page>, LedgerError> {
        if lease.pages_made > PAGES_MAX || lease.pages_live > lease.pages_made {
            let why = format!("{} pages, {} live", lease.pages_made, lease.pages_live);
            return Err(LedgerError::Malformed { kind: "lease", address: *address, why });
        }
        if lease.pages_live == 0 {
            return Ok(Vec::new());
        }
        let usual: Vec<_> = (0..lease.pages_made)
            .map(|number| addresses::page(&self.program, address, number).0)
            .collect();
        let mut pages = self.pages_at(address, &usual).await?;
        if pages.len() < usize::from(lease.pages_live) {
            let found = self.find_heads(Kind::Page, PageHeader::LEASE_AT, address, Some(2)).await?;
            let odd: Vec<_> =
                found.into_iter().map(|(at, _)| at).filter(|at| !usual.contains(at)).collect();
            if odd.len() > usize::from(PAGES_MAX) {
                let why = format!("the endpoint shows {} pages of it", odd.len());
                return Err(LedgerError::Malformed { kind: "lease", address: *address, why });
            }
            pages.extend(self.pages_at(address, &odd).await?);
        }
        pages.sort_by_key(|page| page.number);
        if pages.windows(2).any(|two| two[0].number == two[1].number) {
            let why = "the endpoint shows two pages of one number".to_owned();
            return Err(LedgerError::Malformed { kind: "lease", address: *address, why });
        }
        Ok(pages)
    }

    async fn pages_at(&self, lease: &Address, at: &[Address]) -> Result<Vec<Page>, LedgerError> {
        let mut pages = Vec::new();
        for (address, data) in at.iter().zip(self.records("page", at).await?) {
            let Some(data) = data else { continue };
            pages.push(read_page(*address, lease, &data)?);
        }
        Ok(pages)
    }

    /// Leases with a line that pays `owner`. Each of a page's places is asked
    /// for by itself, because the chain filters by fixed offsets; answers hold page heads only.
    pub async fn leases_paying(&self, owner: &Address) -> Result<Vec<Address>, LedgerError> {
        const PAYOUT_OWNER_AT: usize = 32;
        self.leases_with_line(PAYOUT_OWNER_AT, owner).await
    }

    /// Leases with a line of the device with this key.
    pub async fn leases_of_device(&self, key: &[u8; 32]) -> Result<Vec<Address>, LedgerError> {
        const DEVICE_AT: usize = 0;
        self.leases_with_line(DEVICE_AT, &Address::from(*key)).await
    }

    async fn leases_with_line(
        &self,
        at: usize,
        key: &Address,
    ) -> Result<Vec<Address>, LedgerError> {
        let mut leases = Vec::new();
        for index in 0..LINES_PER_PAGE {
            // A page for so many lines ends where its next line would begin.
            let offset = PageRef::size(index) + at;
            let found = self.find_heads(Kind::Page, offset, key, Some(PageHeader::LEN)).await?;
            for (address, head) in found {
                let lease = head.get(PageHeader::LEASE_AT..PageHeader::LEASE_AT + 32);
                let lease = lease.and_then(|bytes| Address::try_from(bytes).ok());
                let why = || LedgerError::Malformed {
                    kind: "page",
                    address,
                    why: "shorter than its head".to_owned(),
                };
                leases.push(lease.ok_or_else(why)?);
            }
        }
        leases.sort();
        leases.dedup();
        Ok(leases)
    }

    /// Any instruction of the interface as Solana's, for calls that have no name here.
    pub fn instruction(&self, ix: &Ix) -> Instruction {
        self.instructions().wrap(ix)
    }

    /// The calls that end a lease.
    pub fn exits<'a>(&self, address: Address, lease: &'a Lease) -> Exits<'a> {
        Exits { of: self.instructions(), address, lease }
    }
}

fn read_page(address: Address, lease: &Address, data: &[u8]) -> Result<Page, LedgerError> {
    let malformed = |why: String| LedgerError::Malformed { kind: "page", address, why };
    let page = PageRef::new(data).map_err(|why| malformed(why.to_string()))?;
    let head = page.header();
    if head.lease != lease.to_bytes() {
        return Err(malformed("it is another lease's".to_owned()));
    }
    let number = head.number;
    let line = |(index, line): (u8, Result<_, _>)| {
        let line = line.map_err(|why: LayoutError| malformed(why.to_string()))?;
        Ok(PlacedLine { page: number, index, line })
    };
    let lines = page.lines().map(line).collect::<Result<Vec<_>, LedgerError>>()?;
    Ok(Page { address, number, rent_payer: Address::from(head.rent_payer), lines })
}

/// Makes the instructions that end one lease.
pub struct Exits<'a> {
    of: Instructions,
    address: Address,
    lease: &'a Lease,
}

impl Exits<'_> {
    fn vault(&self) -> [u8; 32] {
        self.lease.vault
    }

    fn at(&self) -> [u8; 32] {
        self.address.to_bytes()
    }

    fn wrap(&self, ix: &Ix) -> Instruction {
        self.of.wrap(ix)
    }

    fn devices(&self, lines: &[PlacedLine]) -> Vec<[u8; 32]> {
        lines.iter().map(|l| self.of.device(&l.line.device)).collect()
    }

    /// Where the renter's money goes: its associated account.
    pub fn renter_account(&self) -> Address {
        self.account_of(&Address::from(self.lease.renter))
    }

    /// The associated account of `owner` for the lease's mint.
    pub fn account_of(&self, owner: &Address) -> Address {
        associated_account(owner, &Address::from(self.lease.mint))
    }

    /// Adds money from `source`.
    pub fn top_up(&self, authority: &Address, source: &Address, amount: u64) -> Instruction {
        let (authority, source) = (authority.to_bytes(), source.to_bytes());
        self.wrap(&build::top_up(authority, source, self.at(), self.vault(), BaseUnits(amount)))
    }

    /// Cashes a receipt: the check of its signature, and the claim right behind it.
    pub fn claim(
        &self,
        page: &Address,
        signed: &SignedReceipt,
        genesis: &[u8; 32],
    ) -> [Instruction; 2] {
        let message = signed.receipt.signing_bytes(genesis, self.of.program.as_array());
        let check = Instruction {
            program_id: Address::from(ED25519_PROGRAM),
            accounts: Vec::new(),
            data: ed25519_instruction(&signed.signer, &signed.signature, &message),
        };
        let served = Seconds(signed.receipt.served_s);
        let args = ClaimReceipt { index: signed.receipt.index, served };
        let config = addresses::config(&self.of.program).0.to_bytes();
        let claim = build::claim_receipt(self.at(), page.to_bytes(), config, &args);
        [check, self.wrap(&claim)]
    }

    /// Ends lines of one page.
    pub fn end(&self, actor: &Address, page: &Address, lines: &[PlacedLine]) -> Instruction {
        let (actor, page, indexes) = (actor.to_bytes(), page.to_bytes(), indexes(lines));
        let devices = self.devices(lines);
        // The epoch counts only for a coordinator; this one is never older than its newest.
        let epoch = self.lease.epoch;
        self.wrap(&build::end_line(actor, self.at(), page, &devices, epoch, &indexes))
    }

    /// Rejects lines of one page.
    pub fn reject(&self, actor: &Address, page: &Address, lines: &[PlacedLine]) -> Instruction {
        let (actor, page, indexes) = (actor.to_bytes(), page.to_bytes(), indexes(lines));
        self.wrap(&build::reject(actor, self.at(), page, &self.devices(lines), &indexes))
    }

    /// Pays lines of one page to the associated accounts of their payout owners.
    pub fn withdraw(&self, page: &Address, lines: &[PlacedLine]) -> Instruction {
        let to = |l: &PlacedLine| self.account_of(&Address::from(l.line.payout_owner)).to_bytes();
        let to: Vec<_> = lines.iter().map(to).collect();
        let page = page.to_bytes();
        self.wrap(&build::withdraw(self.at(), page, self.vault(), &to, &indexes(lines)))
    }

    /// Closes; with `refund`, what no line can claim is paid back in the same call.
    pub fn close(&self, actor: &Address, refund: bool, reason: CloseReason) -> Instruction {
        let to = refund.then(|| self.renter_account().to_bytes());
        let (actor, epoch) = (actor.to_bytes(), self.lease.epoch);
        self.wrap(&build::close(actor, self.at(), self.vault(), to, epoch, reason))
    }

    /// Pays the renter what no line can claim.
    pub fn refund(&self) -> Instruction {
        self.wrap(&build::refund(self.at(), self.vault(), self.renter_account().to_bytes()))
    }

    /// Pays the renter what nobody claimed.
    pub fn finalize(&self) -> Instruction {
        self.wrap(&build::finalize(self.at(), self.vault(), self.renter_account().to_bytes()))
    }

    /// Pays the fees to the associated account of their owner.
    pub fn sweep_fees(&self, fee_owner: &Address) -> Instruction {
        let config = addresses::config(&self.of.program).0.to_bytes();
        let to = self.account_of(fee_owner).to_bytes();
        self.wrap(&build::sweep_fees(config, self.at(), self.vault(), to))
    }

    /// Closes a page.
    pub fn reclaim_page(&self, page: &Page) -> Instruction {
        let (at, payer) = (page.address.to_bytes(), page.rent_payer.to_bytes());
        self.wrap(&build::reclaim_page(self.at(), at, payer))
    }

    /// Closes the lease and its vault.
    pub fn reclaim_lease(&self) -> Instruction {
        let token = self.renter_account().to_bytes();
        self.wrap(&build::reclaim_lease(self.at(), self.vault(), token, self.lease.rent_payer))
    }
}

fn indexes(lines: &[PlacedLine]) -> Vec<u8> {
    lines.iter().map(|l| l.index).collect()
}
