//! Events: what an instruction changed, as one line of data in the transaction's log. Whoever
//! reads only logs can keep the books of every lease and every person.
//!
//! An event is [`EVENT_DOMAIN`], the tag of the instruction that emitted it, a fixed head, and
//! for some a tail until the end. The runtime writes the parts of one event in one line, in
//! base64, with spaces between them: join them before reading. Figures that are not called
//! "amount" are totals after the instruction, so a reader who missed events is right again with
//! the next one.
//!
//! Anyone can log such bytes: a reader takes only lines that the runtime attributes to the
//! market program, of transactions that succeeded.

use crate::account::{CloseReason, Config, Device, Lease, Line};
use crate::field::{Field, LayoutError, args};
use crate::instruction::{Indexes, Items, Served, Tag};
use crate::{Address, BaseUnits, Rate, Seconds, Timestamp};

/// How every event begins: its purpose, and the version of its layout.
pub const EVENT_DOMAIN: &[u8; 15] = b"ionet:event:v1\0";

/// Bytes before an event's head: the domain and the tag.
pub const EVENT_PREFIX: usize = EVENT_DOMAIN.len() + 1;

/// Most bytes of an event's head: where one is written, the compiler checks it.
pub const EVENT_HEAD_MAX: usize = 112;

args! {
    /// Head of an event whose tail is the account as it stands now.
    Of {
        /// The account.
        account: Address,
    }
    /// Head of `retire_device`'s event.
    DeviceRetired {
        /// The device's account.
        account: Address,
        /// Its rent in lamports, paid to whoever had paid it.
        rent: u64,
    }
    /// Head of `top_up`'s event.
    ToppedUp {
        /// The lease.
        lease: Address,
        /// Owner or delegate of the token account that it came from.
        authority: Address,
        /// How much.
        amount: BaseUnits,
        /// All that was paid in.
        deposit: BaseUnits,
        /// The most that lines can claim so far.
        committed: BaseUnits,
        /// The lease's clock.
        v: Seconds,
    }
    /// Head of `bind`'s event; the new [`Line`]s follow, as they stand in the page.
    Bound {
        /// The lease.
        lease: Address,
        /// Number of the page.
        page: u16,
        /// Index of the first new line.
        first: u8,
    }
    /// Head of the events of `start`, `reject` and `end_line`; the lines' indexes follow.
    Metered {
        /// The lease.
        lease: Address,
        /// Number of the page.
        page: u16,
        /// The lease's clock: where these lines' meters started or stopped.
        v: Seconds,
        /// The most that lines can claim so far.
        committed: BaseUnits,
        /// Sum of the started lines' rates with their fees.
        gross_rate: Rate,
    }
    /// Head of the events of `attest` and `claim_receipt`; what was vouched for follows. A
    /// figure below what is known changes nothing.
    Vouched {
        /// The lease.
        lease: Address,
        /// Number of the page.
        page: u16,
        /// Sum of what the lease's lines have earned.
        owed: BaseUnits,
        /// Sum of the fees on it.
        fees: BaseUnits,
    }
    /// Head of `withdraw`'s event; the payments follow.
    Paid {
        /// The lease.
        lease: Address,
        /// Number of the page.
        page: u16,
        /// Sum of what the lease's lines have drawn.
        paid: BaseUnits,
    }
    /// What a line was paid; zero when nothing was due.
    Payment {
        /// The line's index in the page.
        index: u8,
        /// Base units, to a token account of the line's payout owner.
        amount: BaseUnits,
    }
    /// Head of `close`'s event.
    Closed {
        /// The lease.
        lease: Address,
        /// Who closed it.
        actor: Address,
        /// On what ground.
        reason: CloseReason,
        /// When; the claim window begins.
        at: Timestamp,
        /// The lease's clock, for good.
        v: Seconds,
        /// The most that lines can claim.
        committed: BaseUnits,
        /// Paid back to the renter in the same call.
        amount: BaseUnits,
    }
    /// Head of the events of `refund` and `finalize`.
    Refunded {
        /// The lease.
        lease: Address,
        /// Paid to the renter now.
        amount: BaseUnits,
        /// All that was paid back to the renter.
        refunded: BaseUnits,
    }
    /// Head of `sweep_fees`' event.
    FeesSwept {
        /// The lease.
        lease: Address,
        /// The fee owner.
        owner: Address,
        /// Paid to it now.
        amount: BaseUnits,
        /// All fees that were swept.
        swept: BaseUnits,
    }
    /// Head of `reclaim_page`'s event.
    PageReclaimed {
        /// The lease.
        lease: Address,
        /// Number of the page.
        page: u16,
        /// Its rent in lamports, paid to whoever had paid it.
        rent: u64,
    }
    /// Head of `reclaim_lease`'s event.
    LeaseReclaimed {
        /// The lease.
        lease: Address,
        /// Base units that strangers had sent, paid to the renter.
        amount: BaseUnits,
        /// Rent of lease and vault in lamports, paid to whoever had paid it.
        rent: u64,
    }
}

/// What follows an event's head.
pub trait Tail<'a>: Sized {
    /// Reads all bytes that are left.
    fn read_tail(bytes: &'a [u8]) -> Result<Self, LayoutError>;
}

/// Nothing.
impl Tail<'_> for () {
    fn read_tail(bytes: &[u8]) -> Result<Self, LayoutError> {
        let found = bytes.len();
        if found == 0 { Ok(()) } else { Err(LayoutError::Length { expected: 0, found }) }
    }
}

impl<'a, T: Field> Tail<'a> for Items<'a, T> {
    fn read_tail(bytes: &'a [u8]) -> Result<Self, LayoutError> {
        Self::new(bytes)
    }
}

macro_rules! records {
    ($($name:ident),*) => {$(
        impl Tail<'_> for $name {
            fn read_tail(bytes: &[u8]) -> Result<Self, LayoutError> {
                Self::decode(bytes)
            }
        }
    )*};
}
records!(Config, Device, Lease);

macro_rules! events {
    ($($(#[doc = $doc:literal])* $($tag:ident)|+ => $name:ident($head:ty, $tail:ty),)*) => {
        /// A decoded event: its head and its tail.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Event<'a> {
            $($(#[doc = $doc])* $name($head, $tail)),*
        }

        impl<'a> Event<'a> {
            /// Every event: which instructions emit it, and what it holds.
            #[cfg(feature = "idl")]
            pub fn all() -> alloc::vec::Vec<crate::idl::EventDoc> {
                alloc::vec![$(crate::idl::EventDoc {
                    name: stringify!($name),
                    docs: &[$($doc),*],
                    tags: &[$(Tag::$tag),+],
                    head: <$head>::describe(),
                    tail: <$tail as crate::idl::DescribeTail>::tail(),
                }),*]
            }

            /// Reads the joined parts of a line of data, which nobody has to trust. Tells the
            /// instruction too, since some share an event.
            pub fn decode(bytes: &'a [u8]) -> Result<(Tag, Self), LayoutError> {
                let rest = bytes.strip_prefix(EVENT_DOMAIN);
                let (tag, rest) = rest
                    .and_then(|rest| rest.split_first())
                    .ok_or(LayoutError::Value { field: "Event" })?;
                let tag = Tag::from_byte(*tag).ok_or(LayoutError::Value { field: "Tag" })?;
                Ok((tag, match tag {
                    $($(Tag::$tag)|+ => {
                        let (head, tail) = split::<$head>(rest)?;
                        Self::$name(head, Tail::read_tail(tail)?)
                    })*
                }))
            }
        }
    };
}

events! {
    /// The configuration as it stands.
    InitConfig | SetConfig | ApplyConfig => Config(Of, Config),
    /// A device as it stands.
    RegisterDevice | UpdateDevice => Device(Of, Device),
    /// A device is gone.
    RetireDevice => DeviceRetired(DeviceRetired, ()),
    /// A lease as it was opened.
    OpenLease => Opened(Of, Lease),
    /// Money came in.
    TopUp => ToppedUp(ToppedUp, ()),
    /// Devices were bound.
    Bind => Bound(Bound, Items<'a, Line>),
    /// Lines started, were rejected, or ended.
    Start | Reject | EndLine => Metered(Metered, Indexes<'a>),
    /// Served seconds were vouched for.
    Attest | ClaimReceipt => Vouched(Vouched, Items<'a, Served>),
    /// Suppliers were paid.
    Withdraw => Paid(Paid, Items<'a, Payment>),
    /// A lease was closed.
    Close => Closed(Closed, ()),
    /// The renter was paid back; after `finalize` the lease is final.
    Refund | Finalize => Refunded(Refunded, ()),
    /// Fees went to their owner.
    SweepFees => FeesSwept(FeesSwept, ()),
    /// A page is gone.
    ReclaimPage => PageReclaimed(PageReclaimed, ()),
    /// A lease is gone.
    ReclaimLease => LeaseReclaimed(LeaseReclaimed, ()),
}

fn split<T: Field>(bytes: &[u8]) -> Result<(T, &[u8]), LayoutError> {
    let found = bytes.len();
    let parts = bytes.split_at_checked(T::LEN);
    let (head, tail) = parts.ok_or(LayoutError::Length { expected: T::LEN, found })?;
    Ok((T::read(head)?, tail))
}

/// Writes domain, tag and head to the front of `bytes`; returns how many they are.
#[inline(always)]
pub fn write_head<T: Field, const N: usize>(tag: Tag, head: &T, bytes: &mut [u8; N]) -> usize {
    const { assert!(EVENT_PREFIX + T::LEN <= N) };
    bytes[..EVENT_DOMAIN.len()].copy_from_slice(EVENT_DOMAIN);
    bytes[EVENT_DOMAIN.len()] = tag as u8;
    head.write(&mut bytes[EVENT_PREFIX..]);
    EVENT_PREFIX + T::LEN
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn event<T: Field>(tag: Tag, head: &T, tail: &[u8]) -> Vec<u8> {
        let mut bytes = [0; EVENT_PREFIX + EVENT_HEAD_MAX];
        let len = write_head(tag, head, &mut bytes);
        [&bytes[..len], tail].concat()
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_read_or_refused(
            rest in proptest::collection::vec(any::<u8>(), 0..700), tag in 0u8..24,
        ) {
            let _ = Event::decode(&rest);
            let _ = Event::decode(&[&EVENT_DOMAIN[..], &[tag], &rest].concat());
        }
    }

    #[test]
    fn events_come_back() {
        let (lease, owed, fees) = ([7; 32], BaseUnits(1 << 40), BaseUnits(3));
        let head = Vouched { lease, page: 258, owed, fees };
        let mut tail = [0; 18];
        let all = [(3, 60), (9, u64::MAX)].map(|(index, s)| Served { index, served: Seconds(s) });
        for (item, bytes) in all.iter().zip(tail.chunks_exact_mut(Served::LEN)) {
            item.write(bytes);
        }
        let bytes = event(Tag::ClaimReceipt, &head, &tail);
        let Ok((Tag::ClaimReceipt, Event::Vouched(back, items))) = Event::decode(&bytes) else {
            panic!("{:?}", Event::decode(&bytes))
        };
        assert_eq!(back, head);
        assert!(items.iter().map(Result::unwrap).eq(all));
    }

    #[test]
    fn nothing_may_lack_or_follow_and_the_domain_counts() {
        let head = Refunded { lease: [1; 32], amount: BaseUnits(2), refunded: BaseUnits(3) };
        let good = event(Tag::Refund, &head, &[]);
        assert_eq!(Event::decode(&good), Ok((Tag::Refund, Event::Refunded(head, ()))));
        assert!(Event::decode(&event(Tag::Refund, &head, &[0])).is_err());
        assert!(Event::decode(&good[..good.len() - 1]).is_err());
        assert!(Event::decode(&good[1..]).is_err());
        assert!(Event::decode(&event(Tag::Attest, &head, &[])).is_err(), "an empty list");
    }
}
