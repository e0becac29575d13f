//! Events: one line of data in the transaction's log per instruction. What they hold is in
//! `ionet_market_interface::event`.

use crate::access::{Outcome, key};
use ionet_market_interface::account::{Lease, PageHeader};
use ionet_market_interface::event::{
    EVENT_HEAD_MAX, EVENT_PREFIX, Metered, Of, Payment, write_head,
};
use ionet_market_interface::instruction::{Items, Tag};
use ionet_market_interface::limits::LINES_PER_PAGE;
use ionet_market_interface::{Field, MarketError};
use pinocchio::AccountView;

/// Most bytes of a head that a [`Listed`] follows. What is not needed would still be zeroed.
const LISTED_HEAD_MAX: usize = 56;
/// Most bytes of a [`Listed`]'s list: an index and an amount for each line of a page.
const LISTED_MAX: usize = LINES_PER_PAGE as usize * Payment::LEN;

/// Logs an event without a tail.
#[inline(always)]
pub(crate) fn event<T: Field>(tag: Tag, head: &T) {
    let mut bytes = [0; EVENT_PREFIX + EVENT_HEAD_MAX];
    let len = write_head(tag, head, &mut bytes);
    log_data(&[&bytes[..len]]);
}

/// Logs an event with its tail, which is not copied.
#[inline(always)]
pub(crate) fn event_and<T: Field>(tag: Tag, head: &T, tail: &[u8]) {
    let mut bytes = [0; EVENT_PREFIX + EVENT_HEAD_MAX];
    let len = write_head(tag, head, &mut bytes);
    log_data(&[&bytes[..len], tail]);
}

/// An event with a list that is put together item by item: a second part would cost more.
pub(crate) struct Listed {
    bytes: [u8; EVENT_PREFIX + LISTED_HEAD_MAX + LISTED_MAX],
    len: usize,
}

impl Listed {
    /// Room for the head `T` and a list.
    #[inline(always)]
    pub(crate) fn after<T: Field>() -> Self {
        const { assert!(T::LEN <= LISTED_HEAD_MAX) };
        let bytes = [0; EVENT_PREFIX + LISTED_HEAD_MAX + LISTED_MAX];
        Self { bytes, len: EVENT_PREFIX + T::LEN }
    }

    /// One item more. That it does not fit cannot be: instructions have no longer lists.
    #[inline(always)]
    pub(crate) fn push<I: Field>(&mut self, item: &I) -> Outcome {
        let end = self.len + I::LEN;
        item.write(self.bytes.get_mut(self.len..end).ok_or(MarketError::BadInstruction)?);
        self.len = end;
        Ok(())
    }

    /// The items so far, behind the head `T`.
    #[inline(always)]
    pub(crate) fn items<T: Field, I: Field>(&self) -> Result<Items<'_, I>, MarketError> {
        let list = self.bytes.get(EVENT_PREFIX + T::LEN..self.len).unwrap_or(&[]);
        Items::new(list).map_err(|_| MarketError::BadInstruction)
    }

    /// Logs it with the head for which it was made.
    #[inline(always)]
    pub(crate) fn log<T: Field>(&mut self, tag: Tag, head: &T) {
        write_head(tag, head, &mut self.bytes);
        log_data(&[&self.bytes[..self.len]]);
    }
}

/// Logs an account of ours as it stands now.
#[inline(never)]
pub(crate) fn account(tag: Tag, account: &AccountView) -> Outcome {
    let data = account.try_borrow().map_err(|_| MarketError::WrongKind)?;
    event_and(tag, &Of { account: *key(account) }, &data);
    Ok(())
}

/// Logs that lines started or stopped; `indexes` are their bytes in the instruction.
#[inline(never)]
pub(crate) fn metered(tag: Tag, record: &Lease, page: &PageHeader, indexes: &[u8]) {
    let head = Metered {
        lease: page.lease,
        page: page.number,
        v: record.v,
        committed: record.committed,
        gross_rate: record.gross_rate,
    };
    event_and(tag, &head, indexes);
}

#[cfg(any(target_os = "solana", target_arch = "bpf"))]
fn log_data(parts: &[&[u8]]) {
    // SAFETY: the system call reads so many pairs of address and length, which is what slices
    // of slices are on this machine, and the bytes behind them; it keeps and writes nothing.
    unsafe { pinocchio::syscalls::sol_log_data(parts.as_ptr().cast(), parts.len() as u64) }
}

/// Only the virtual machine has a log.
#[cfg(not(any(target_os = "solana", target_arch = "bpf")))]
fn log_data(_parts: &[&[u8]]) {}
