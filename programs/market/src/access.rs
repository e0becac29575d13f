//! Checked access to the accounts of an instruction.

use ionet_market_interface::account::{Config, Device, Lease, LeaseState, PageMut, RenterCounter};
use ionet_market_interface::instruction::{Items, exact, with_list};
use ionet_market_interface::{Address as Key, Field, LayoutError, MarketError, Timestamp};
use pinocchio::account::RefMut;
use pinocchio::sysvars::{Sysvar, clock::Clock};
use pinocchio::{AccountView, Address};

/// What an instruction comes to.
pub(crate) type Outcome = Result<(), MarketError>;

/// The first `N` accounts, and the others.
pub(crate) fn take<const N: usize>(
    accounts: &mut [AccountView],
) -> Result<(&mut [AccountView; N], &mut [AccountView]), MarketError> {
    accounts.split_first_chunk_mut::<N>().ok_or(MarketError::NotEnoughAccounts)
}

/// Arguments that fill the data.
pub(crate) fn args<T: Field>(data: &[u8]) -> Result<T, MarketError> {
    exact(data).map_err(|_| MarketError::BadInstruction)
}

/// Arguments, then a list.
pub(crate) fn args_and_list<T: Field, I: Field>(
    data: &[u8],
) -> Result<(T, Items<'_, I>), MarketError> {
    with_list(data).map_err(|_| MarketError::BadInstruction)
}

/// An item of a list.
pub(crate) fn item<T>(item: Result<T, LayoutError>) -> Result<T, MarketError> {
    item.map_err(|_| MarketError::BadInstruction)
}

/// The account's address as plain bytes.
#[inline(always)]
pub(crate) fn key(account: &AccountView) -> &Key {
    account.address().as_array()
}

/// It signed.
#[inline(always)]
pub(crate) fn signs(account: &AccountView) -> Outcome {
    if account.is_signer() { Ok(()) } else { Err(MarketError::MissingSigner) }
}

/// It may change.
#[inline(always)]
pub(crate) fn writable(account: &AccountView) -> Outcome {
    if account.is_writable() { Ok(()) } else { Err(MarketError::NotWritable) }
}

/// It is at this address.
#[inline(always)]
pub(crate) fn is_at(account: &AccountView, address: &Key) -> Outcome {
    if key(account) == address { Ok(()) } else { Err(MarketError::WrongAddress) }
}

/// It is a record of this program.
#[inline(always)]
fn is_ours(program: &Address, account: &AccountView) -> Outcome {
    if account.owned_by(program) { Ok(()) } else { Err(MarketError::WrongOwner) }
}

/// A record that is one fixed layout.
pub(crate) trait Record: Sized {
    fn read(bytes: &[u8]) -> Result<Self, LayoutError>;
    fn write(&self, bytes: &mut [u8]) -> Result<(), LayoutError>;
}

macro_rules! records {
    ($($name:ident),*) => {$(
        impl Record for $name {
            #[inline(always)]
            fn read(bytes: &[u8]) -> Result<Self, LayoutError> {
                Self::decode(bytes)
            }
            #[inline(always)]
            fn write(&self, bytes: &mut [u8]) -> Result<(), LayoutError> {
                self.encode(bytes)
            }
        }
    )*};
}
records!(Config, Device, Lease, RenterCounter);

/// Reads a record of ours.
pub(crate) fn load<T: Record>(program: &Address, account: &AccountView) -> Result<T, MarketError> {
    is_ours(program, account)?;
    let data = account.try_borrow().map_err(|_| MarketError::WrongKind)?;
    Ok(T::read(&data)?)
}

/// Reads a record of ours that will be written.
pub(crate) fn load_mut<T: Record>(
    program: &Address,
    account: &AccountView,
) -> Result<T, MarketError> {
    writable(account)?;
    load(program, account)
}

/// Writes a record back.
pub(crate) fn store<T: Record>(account: &mut AccountView, record: &T) -> Outcome {
    let mut data = account.try_borrow_mut().map_err(|_| MarketError::WrongKind)?;
    Ok(record.write(&mut data)?)
}

/// The bytes of a page of this lease, to be read and written through [`page`].
pub(crate) fn page_bytes<'a>(
    program: &Address,
    account: &'a mut AccountView,
) -> Result<RefMut<'a, [u8]>, MarketError> {
    writable(account)?;
    is_ours(program, account)?;
    account.try_borrow_mut().map_err(|_| MarketError::WrongKind)
}

/// The page in these bytes, if it is this lease's.
pub(crate) fn page<'a>(bytes: &'a mut [u8], lease: &Key) -> Result<PageMut<'a>, MarketError> {
    let page = PageMut::new(bytes)?;
    if page.header().lease == *lease { Ok(page) } else { Err(MarketError::WrongPage) }
}

/// The chain's time and slot.
pub(crate) fn clock() -> Result<(Timestamp, u64), MarketError> {
    let clock = Clock::get().map_err(|_| MarketError::BadSysvar)?;
    Ok((Timestamp(clock.unix_timestamp), clock.slot))
}

/// The chain's time.
pub(crate) fn now() -> Result<Timestamp, MarketError> {
    Ok(clock()?.0)
}

/// The lease is open.
pub(crate) fn is_open(lease: &Lease) -> Outcome {
    match lease.state {
        LeaseState::Open => Ok(()),
        LeaseState::Closed | LeaseState::Finalized => Err(MarketError::LeaseNotOpen),
    }
}

/// The lease is finalized.
pub(crate) fn is_finalized(lease: &Lease) -> Outcome {
    match lease.state {
        LeaseState::Finalized => Ok(()),
        LeaseState::Open | LeaseState::Closed => Err(MarketError::LeaseNotFinalized),
    }
}

/// The signer is the lease's coordinator, and no newer leader acted before it.
pub(crate) fn is_coordinator(lease: &mut Lease, signer: &Key, epoch: u64) -> Outcome {
    if lease.coordinator != *signer {
        return Err(MarketError::NotCoordinator);
    }
    if epoch < lease.epoch {
        return Err(MarketError::StaleEpoch);
    }
    lease.epoch = epoch;
    Ok(())
}

/// The same number of accounts as list items.
pub(crate) fn paired(accounts: &[AccountView], items: usize) -> Outcome {
    if accounts.len() >= items { Ok(()) } else { Err(MarketError::NotEnoughAccounts) }
}

/// Moves all lamports of a record of ours to `to` and closes it.
pub(crate) fn close_record(account: &mut AccountView, to: &mut AccountView) -> Outcome {
    writable(to)?;
    let sum = to.lamports().checked_add(account.lamports()).ok_or(MarketError::Overflow)?;
    to.set_lamports(sum);
    account.set_lamports(0);
    account.close().map_err(|_| MarketError::WrongKind)
}
