//! Transactions, and what an instruction sees of the accounts that it was given.

use super::account::{Account, Config, Device, Lease, Page, Record, Token};
use super::address::Derived;
use super::chain::rent;
use super::{Chain, Key};
use ionet_market_interface::build::Ix;
use ionet_market_interface::{
    Instruction, MarketError, SYSTEM_PROGRAM, TOKEN_PROGRAM, account::LeaseState,
};

/// Who refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// The market program, for this reason.
    Market(MarketError),
    /// The runtime, or a program that it calls.
    Elsewhere,
    /// The runtime, since the seeds lead elsewhere or nowhere: it may stop the program for that.
    Seeds,
}

/// One part of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// An instruction of the market program.
    Market(Ix),
    /// A statement before the Ed25519 precompile.
    Signed(Proof),
}

/// A signed statement as it is given to the precompile.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) signer: Key,
    pub(crate) message: Vec<u8>,
    /// The precompile's data.
    pub(crate) data: Vec<u8>,
    /// The signature is good.
    pub(crate) valid: bool,
    /// The part that its indexes name, if not simply "this one", which is the only form that the
    /// program takes.
    pub(crate) points_at: Option<u8>,
}

impl Proof {
    /// Whether the precompile takes it: by what stands where its indexes point.
    pub(crate) fn is_taken(&self, parts: &[Part]) -> bool {
        let Some(at) = self.points_at else { return self.valid };
        let len = self.message.len();
        match parts.get(usize::from(at)) {
            Some(Part::Signed(other)) => other.valid && other.message.len() == len,
            Some(Part::Market(_)) | None => false,
        }
    }
}

/// Who signs and what may change, for the whole transaction: the runtime keeps one answer per
/// account, however often it is named.
#[derive(Debug)]
pub(crate) struct Flags(Vec<(Key, bool, bool)>);

impl Flags {
    pub(crate) fn of(parts: &[Part]) -> Self {
        let mut all: Vec<(Key, bool, bool)> = Vec::with_capacity(16);
        for part in parts {
            let Part::Market(ix) = part else { continue };
            for meta in &ix.accounts {
                match all.iter_mut().find(|known| known.0 == meta.address) {
                    Some(known) => {
                        known.1 |= meta.signer;
                        known.2 |= meta.writable;
                    }
                    None => all.push((meta.address, meta.signer, meta.writable)),
                }
            }
        }
        Self(all)
    }

    fn of_account(&self, address: &Key) -> (bool, bool) {
        self.0.iter().find(|known| known.0 == *address).map_or((false, false), |k| (k.1, k.2))
    }
}

pub(crate) fn no<T>(why: MarketError) -> Result<T, No> {
    Err(No::Market(why))
}

pub(crate) fn unless(holds: bool, why: MarketError) -> Result<(), No> {
    if holds { Ok(()) } else { no(why) }
}

/// An instruction under way.
pub(crate) struct Call<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) flags: &'a Flags,
    pub(crate) ix: &'a Ix,
    pub(crate) before: Option<&'a Proof>,
    /// What this transaction has changed so far.
    pub(crate) changed: &'a mut Vec<(Key, Account)>,
}

impl Call<'_> {
    /// Decides and does what the instruction says.
    pub(crate) fn run(&mut self) -> Result<(), No> {
        let data = &self.ix.data;
        let read = Instruction::decode(data).map_err(|_| No::Market(MarketError::BadInstruction));
        match read? {
            Instruction::InitConfig(args) => self.init_config(&args),
            Instruction::SetConfig(args) => self.set_config(&args),
            Instruction::ApplyConfig => self.apply_config(),
            Instruction::RegisterDevice(args) => self.register_device(&args),
            Instruction::UpdateDevice(args) => self.update_device(&args),
            Instruction::RetireDevice => self.retire_device(),
            Instruction::OpenLease(args) => self.open_lease(&args),
            Instruction::TopUp(args) => self.top_up(args.amount.0),
            Instruction::Bind(args, lines) => self.bind(&args, &items(&lines)?),
            Instruction::Start(args, lines) => self.start(args.epoch, &items(&lines)?),
            Instruction::Reject(lines) => self.reject(&items(&lines)?),
            Instruction::EndLine(args, lines) => self.end_line(args.epoch, &items(&lines)?),
            Instruction::Attest(args, served) => self.attest(args.epoch, &items(&served)?),
            Instruction::ClaimReceipt(args) => self.claim_receipt(&args),
            Instruction::Withdraw(lines) => self.withdraw(&items(&lines)?),
            Instruction::Close(args) => self.close(&args),
            Instruction::Refund => self.refund(),
            Instruction::Finalize => self.finalize(),
            Instruction::SweepFees => self.sweep_fees(),
            Instruction::ReclaimPage => self.reclaim_page(),
            Instruction::ReclaimLease => self.reclaim_lease(),
        }
    }

    /// At least so many accounts were given.
    pub(crate) fn takes(&self, accounts: usize) -> Result<(), No> {
        unless(self.ix.accounts.len() >= accounts, MarketError::NotEnoughAccounts)
    }

    pub(crate) fn key(&self, at: usize) -> Key {
        self.ix.accounts[at].address
    }

    pub(crate) fn has_signed(&self, at: usize) -> bool {
        self.flags.of_account(&self.key(at)).0
    }

    pub(crate) fn signs(&self, at: usize) -> Result<(), No> {
        unless(self.has_signed(at), MarketError::MissingSigner)
    }

    pub(crate) fn writable(&self, at: usize) -> Result<(), No> {
        unless(self.flags.of_account(&self.key(at)).1, MarketError::NotWritable)
    }

    pub(crate) fn is_at(&self, at: usize, address: &Key) -> Result<(), No> {
        unless(self.key(at) == *address, MarketError::WrongAddress)
    }

    /// The account at this place as this transaction has left it so far.
    pub(crate) fn account(&self, at: usize) -> &Account {
        self.account_of(&self.ix.accounts[at].address)
    }

    fn account_of(&self, address: &Key) -> &Account {
        match self.changed.iter().find(|known| known.0 == *address) {
            Some(known) => &known.1,
            None => self.chain.at(address),
        }
    }

    fn change(&mut self, address: &Key, change: impl FnOnce(&mut Account)) {
        let at = match self.changed.iter().position(|known| known.0 == *address) {
            Some(at) => at,
            None => {
                self.changed.push((*address, self.chain.at(address).clone()));
                self.changed.len() - 1
            }
        };
        change(&mut self.changed[at].1);
    }

    /// Writes what the account at this place holds.
    pub(crate) fn store(&mut self, at: usize, record: Record) {
        let address = self.key(at);
        self.change(&address, |account| account.record = record);
    }

    /// An account of the program, which is of another kind when the given one is not `T`.
    fn ours<T>(&self, at: usize, read: impl FnOnce(&Record) -> Option<T>) -> Result<T, No> {
        let record = &self.account(at).record;
        match record {
            Record::Wallet | Record::Token(_) | Record::Mint | Record::Alien => {
                no(MarketError::WrongOwner)
            }
            Record::Config(_)
            | Record::Counter(_)
            | Record::Device(_)
            | Record::Lease(_)
            | Record::Page(_) => read(record).ok_or(No::Market(MarketError::WrongKind)),
        }
    }

    pub(crate) fn config(&self, at: usize) -> Result<Config, No> {
        self.ours(at, |r| if let Record::Config(c) = r { Some(c.clone()) } else { None })
    }

    pub(crate) fn device(&self, at: usize) -> Result<Device, No> {
        self.writable(at)?;
        self.ours(at, |r| if let Record::Device(d) = r { Some(d.clone()) } else { None })
    }

    pub(crate) fn counter(&self, at: usize) -> Result<super::account::Counter, No> {
        self.writable(at)?;
        self.ours(at, |r| if let Record::Counter(c) = r { Some(c.clone()) } else { None })
    }

    pub(crate) fn lease(&self, at: usize) -> Result<Box<Lease>, No> {
        self.writable(at)?;
        self.ours(at, |r| if let Record::Lease(l) = r { Some(l.clone()) } else { None })
    }

    /// A lease that is open.
    pub(crate) fn open(&self, at: usize) -> Result<Box<Lease>, No> {
        let lease = self.lease(at)?;
        unless(lease.state == LeaseState::Open, MarketError::LeaseNotOpen)?;
        Ok(lease)
    }

    /// A page of the lease at the other place.
    pub(crate) fn page(&self, at: usize, lease: usize) -> Result<Page, No> {
        self.writable(at)?;
        let found =
            self.ours(at, |r| if let Record::Page(p) = r { Some(p.clone()) } else { None })?;
        unless(found.lease == self.key(lease), MarketError::WrongPage)?;
        Ok(found)
    }

    /// A token account that exists.
    pub(crate) fn token(&self, at: usize) -> Result<&Token, No> {
        match &self.account(at).record {
            Record::Token(token) => Ok(token),
            _ => no(MarketError::BadTokenAccount),
        }
    }

    /// The lease's vault, with SPL Token beside it.
    pub(crate) fn vault(&self, at: usize, program: usize, lease: &Lease) -> Result<Token, No> {
        unless(self.key(program) == TOKEN_PROGRAM, MarketError::WrongTokenProgram)?;
        self.writable(at)?;
        self.is_at(at, &lease.vault)?;
        self.token(at).cloned()
    }

    /// A token account from which `amount` of `mint` can be taken.
    pub(crate) fn source(&self, at: usize, mint: &Key, amount: u64) -> Result<(), No> {
        self.writable(at)?;
        let token = self.token(at)?;
        unless(token.mint == *mint, MarketError::WrongMint)?;
        unless(!token.frozen, MarketError::BadTokenAccount)?;
        unless(token.amount >= amount, MarketError::InsufficientFunds)
    }

    /// A token account of `owner` that takes the lease's mint.
    pub(crate) fn destination(&self, at: usize, lease: &Lease, owner: &Key) -> Result<(), No> {
        self.writable(at)?;
        unless(self.key(at) != lease.vault, MarketError::WrongAddress)?;
        let token = self.token(at)?;
        unless(token.mint == lease.mint, MarketError::WrongMint)?;
        unless(token.owner == *owner, MarketError::WrongTokenOwner)?;
        unless(!token.frozen, MarketError::BadTokenAccount)
    }

    fn change_token(&mut self, address: &Key, change: impl FnOnce(&mut Token)) {
        self.change(address, |account| {
            if let Record::Token(token) = &mut account.record {
                change(token);
            }
        });
    }

    /// SPL Token's transfer: the authority owns the source or is its delegate, nothing is
    /// frozen, the mints agree.
    pub(crate) fn transfer(
        &mut self,
        from: usize,
        to: usize,
        authority: &Key,
        amount: u64,
    ) -> Result<(), No> {
        let (source, target) = (self.token(from)?.clone(), self.token(to)?);
        let by_delegate = source.owner != *authority;
        let allowed = if by_delegate {
            source.delegate.filter(|(who, _)| who == authority).map_or(0, |(_, most)| most)
        } else {
            u64::MAX
        };
        let able = source.amount >= amount && allowed >= amount && source.mint == target.mint;
        let known = !by_delegate || source.delegate.is_some_and(|(who, _)| who == *authority);
        if !able || !known || source.frozen || target.frozen {
            return Err(No::Elsewhere);
        }
        let (from, to) = (self.key(from), self.key(to));
        self.change_token(&from, |token| {
            token.amount -= amount;
            if by_delegate {
                let left = allowed - amount;
                token.delegate = token.delegate.filter(|_| left > 0).map(|(who, _)| (who, left));
            }
        });
        self.change_token(&to, |token| token.amount += amount);
        Ok(())
    }

    /// Whether the account is still nobody's.
    pub(crate) fn is_unused(&self, at: usize) -> bool {
        self.account(at).record == Record::Wallet
    }

    /// Makes an account at the address that `derived` and `bump` lead to; the payer adds what
    /// strangers have not sent there.
    pub(crate) fn create(
        &mut self,
        payer: usize,
        at: usize,
        derived: Derived,
        bump: u8,
        record: Record,
    ) -> Result<(), No> {
        self.signs(payer)?;
        self.writable(payer)?;
        self.writable(at)?;
        unless(self.is_unused(at), MarketError::AlreadyExists)?;
        // Nobody holds the key of an address that follows from seeds.
        unless(!self.has_signed(at), MarketError::WrongAddress)?;
        let made = Account { lamports: 0, record };
        let needs = rent(made.len());
        let there = self.account(at).lamports;
        let missing = needs.saturating_sub(there);
        let (payer, address) = (self.key(payer), self.key(at));
        let from = self.account_of(&payer);
        if !derived.leads_to(bump, &address) {
            return Err(No::Seeds);
        }
        let able = self.ix.accounts.iter().any(|meta| meta.address == SYSTEM_PROGRAM)
            && from.record == Record::Wallet
            && from.lamports >= missing;
        if !able {
            return Err(No::Elsewhere);
        }
        self.change(&payer, |account| account.lamports -= missing);
        self.change(&address, |account| {
            account.lamports = there + missing;
            account.record = made.record;
        });
        Ok(())
    }

    /// Closes the account at this place; all its lamports go to `to`.
    pub(crate) fn remove(&mut self, at: usize, to: usize) {
        let (gone, to) = (self.key(at), self.key(to));
        let lamports = self.account(at).lamports;
        self.change(&gone, |account| *account = Account::UNUSED);
        self.change(&to, |account| account.lamports += lamports);
    }
}

fn items<T: ionet_market_interface::Field>(
    list: &ionet_market_interface::instruction::Items<'_, T>,
) -> Result<Vec<T>, No> {
    let read: Result<Vec<T>, _> = list.iter().collect();
    read.map_err(|_| No::Market(MarketError::BadInstruction))
}
