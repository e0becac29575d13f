//! Instructions: a tag byte, fixed arguments, and for some a list until the end of the data.
//! The accounts of each stand in `build`.

use crate::account::{CloseReason, SessionRights, Settings, Vouch};
use crate::field::{Field, LayoutError, args, byte_enum};
use crate::limits::{COORDINATORS_MAX, LINES_PER_PAGE, MINTS};
use crate::{Address, BaseUnits, Rate, Seconds, Timestamp};
use core::fmt;
use core::marker::PhantomData;

byte_enum! {
    /// First byte of an instruction's data. Numbers are never reused.
    Tag {
        /// Makes the configuration.
        InitConfig = 0,
        /// Proposes settings.
        SetConfig = 1,
        /// Puts proposed settings into force after their cool-down.
        ApplyConfig = 2,
        /// Registers a device.
        RegisterDevice = 3,
        /// Changes a device's offer.
        UpdateDevice = 4,
        /// Removes a device.
        RetireDevice = 5,
        /// Opens a lease.
        OpenLease = 6,
        /// Adds money to a lease.
        TopUp = 7,
        /// Binds devices to slots.
        Bind = 8,
        /// Starts the meters of lines.
        Start = 9,
        /// Refuses lines in their acceptance window.
        Reject = 10,
        /// Ends lines.
        EndLine = 11,
        /// Vouches for served seconds.
        Attest = 12,
        /// The same by a signed receipt.
        ClaimReceipt = 13,
        /// Pays suppliers.
        Withdraw = 14,
        /// Closes a lease.
        Close = 15,
        /// Pays the renter what no line can claim, if closing did not.
        Refund = 16,
        /// Pays the renter what nobody claimed.
        Finalize = 17,
        /// Pays the fee owner.
        SweepFees = 18,
        /// Returns a page's rent.
        ReclaimPage = 19,
        /// Returns a lease's rent.
        ReclaimLease = 20,
    }
}

args! {
    /// Arguments of `init_config`.
    InitConfig {
        /// Bump of the configuration's address.
        bump: u8,
        /// Hash of the chain's first block.
        genesis_hash: Address,
        /// The settings, in force at once.
        settings: Settings,
    }
    /// Arguments of `set_config`.
    SetConfig {
        /// All settings, as they shall be.
        settings: Settings,
    }
    /// What a supplier offers; replaces the earlier offer as a whole.
    Offer {
        /// Units that can be bound.
        units_total: u16,
        /// Least rate per unit in each mint; zero: not for this mint.
        asks: [Rate; MINTS],
        /// Whose token accounts earnings go to.
        payout_owner: Address,
        /// When the offer ends.
        expires_at: Timestamp,
        /// Any coordinator may bind it.
        accepts_any: bool,
        /// How many of `coordinators` count.
        coordinators_len: u8,
        /// Who may bind it, unless `accepts_any`.
        coordinators: [Address; COORDINATORS_MAX],
    }
    /// Arguments of `register_device`.
    RegisterDevice {
        /// Bump of the device's address.
        bump: u8,
        /// When the device's statement expires; as signed.
        statement_expires: Timestamp,
        /// The offer.
        offer: Offer,
    }
    /// Arguments of `update_device`.
    UpdateDevice {
        /// The offer. Another `payout_owner` waits for the cool-down.
        offer: Offer,
    }
    /// Arguments of `open_lease`.
    OpenLease {
        /// Bump of the renter's counter's address.
        counter_bump: u8,
        /// Bump of the lease's address.
        lease_bump: u8,
        /// Bump of the vault's address.
        vault_bump: u8,
        /// Whose word about served seconds counts.
        vouch: Vouch,
        /// What the session key may do.
        session_rights: SessionRights,
        /// Seconds after a line's start in which it may be rejected, 0 to 120.
        accept_s: u8,
        /// Most live lines at once.
        slots_max: u16,
        /// The renter's counter.
        counter: u64,
        /// What is paid in.
        deposit: BaseUnits,
        /// Ceiling on a line's rate, without the fee.
        rate_per_slot_max: Rate,
        /// Ceiling on the sum of live lines' rates, with the fee.
        rate_total_max: Rate,
        /// When the lease ends.
        expires_at: Timestamp,
        /// A key that acts for the renter; zero for none.
        session: Address,
        /// Who binds and starts.
        coordinator: Address,
        /// Hash of the terms.
        policy_hash: Address,
    }
    /// Arguments of `top_up`.
    TopUp {
        /// How much.
        amount: BaseUnits,
    }
    /// Arguments of `bind`; a list of [`BindLine`] follows.
    Bind {
        /// The coordinator's leader epoch.
        epoch: u64,
        /// Number of the page: an existing one, or the next.
        page: u16,
        /// Bump of the page's address.
        page_bump: u8,
        /// Lines that a new page has room for, 1 to 24.
        capacity: u8,
    }
    /// One line to bind; its device stands at the same place among the accounts.
    BindLine {
        /// Units of the device.
        units: u16,
        /// Rate for all of them, without the fee.
        rate: Rate,
    }
    /// Arguments of `start` and `end_line`; a list of line indexes follows.
    Lines {
        /// The coordinator's leader epoch; ignored when someone else signs.
        epoch: u64,
    }
    /// Arguments of `attest`; a list of [`Served`] follows.
    Attest {
        /// The coordinator's leader epoch; ignored when someone else signs.
        epoch: u64,
    }
    /// Seconds that a line has served since its start.
    Served {
        /// The line's index in the page.
        index: u8,
        /// Seconds.
        served: Seconds,
    }
    /// Arguments of `claim_receipt`. The page, the lease and the line's generation, which the
    /// receipt names too, are read from the accounts.
    ClaimReceipt {
        /// The line's index in the page.
        index: u8,
        /// Seconds, as the receipt says.
        served: Seconds,
    }
    /// Arguments of `close`.
    Close {
        /// The coordinator's leader epoch; ignored when someone else signs.
        epoch: u64,
        /// The coordinator's reason; ignored when someone else signs.
        reason: CloseReason,
        /// Refund in the same call; else `refund` does it later. Leave it out when the renter's
        /// token account is missing or frozen.
        refund: bool,
    }
    /// No arguments.
    Nothing {}
}

impl Default for BindLine {
    fn default() -> Self {
        Self { units: 0, rate: Rate::ZERO }
    }
}

/// A list in an instruction's data: no more items than a page has lines.
#[derive(Clone, Copy)]
pub struct Items<'a, T> {
    bytes: &'a [u8],
    item: PhantomData<T>,
}

impl<'a, T: Field> Items<'a, T> {
    /// Takes bytes whose length is a multiple of an item's.
    pub fn new(bytes: &'a [u8]) -> Result<Self, LayoutError> {
        let items = Self { bytes, item: PhantomData };
        let fits = items.len() * T::LEN == bytes.len() && items.len() <= LINES_PER_PAGE as usize;
        if fits && !bytes.is_empty() {
            Ok(items)
        } else {
            Err(LayoutError::Length { expected: T::LEN, found: bytes.len() })
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.bytes.len() / T::LEN
    }

    /// Never true: an empty list is refused.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// As it stands in the data.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Each, in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<T, LayoutError>> + use<'a, T> {
        self.bytes.chunks_exact(T::LEN).map(T::read)
    }
}

impl<T: Field + fmt::Debug> fmt::Debug for Items<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().flatten()).finish()
    }
}

impl<T> PartialEq for Items<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

/// Indexes of lines in a page.
pub type Indexes<'a> = Items<'a, u8>;

/// A decoded instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instruction<'a> {
    /// See [`Tag::InitConfig`].
    InitConfig(InitConfig),
    /// See [`Tag::SetConfig`].
    SetConfig(SetConfig),
    /// See [`Tag::ApplyConfig`].
    ApplyConfig,
    /// See [`Tag::RegisterDevice`].
    RegisterDevice(RegisterDevice),
    /// See [`Tag::UpdateDevice`].
    UpdateDevice(UpdateDevice),
    /// See [`Tag::RetireDevice`].
    RetireDevice,
    /// See [`Tag::OpenLease`].
    OpenLease(OpenLease),
    /// See [`Tag::TopUp`].
    TopUp(TopUp),
    /// See [`Tag::Bind`].
    Bind(Bind, Items<'a, BindLine>),
    /// See [`Tag::Start`].
    Start(Lines, Indexes<'a>),
    /// See [`Tag::Reject`].
    Reject(Indexes<'a>),
    /// See [`Tag::EndLine`].
    EndLine(Lines, Indexes<'a>),
    /// See [`Tag::Attest`].
    Attest(Attest, Items<'a, Served>),
    /// See [`Tag::ClaimReceipt`].
    ClaimReceipt(ClaimReceipt),
    /// See [`Tag::Withdraw`].
    Withdraw(Indexes<'a>),
    /// See [`Tag::Close`].
    Close(Close),
    /// See [`Tag::Refund`].
    Refund,
    /// See [`Tag::Finalize`].
    Finalize,
    /// See [`Tag::SweepFees`].
    SweepFees,
    /// See [`Tag::ReclaimPage`].
    ReclaimPage,
    /// See [`Tag::ReclaimLease`].
    ReclaimLease,
}

/// Exactly one `T`.
pub fn exact<T: Field>(bytes: &[u8]) -> Result<T, LayoutError> {
    if bytes.len() != T::LEN {
        return Err(LayoutError::Length { expected: T::LEN, found: bytes.len() });
    }
    T::read(bytes)
}

/// One `T`, then a list.
pub fn with_list<T: Field, I: Field>(bytes: &[u8]) -> Result<(T, Items<'_, I>), LayoutError> {
    if bytes.len() < T::LEN {
        return Err(LayoutError::Length { expected: T::LEN, found: bytes.len() });
    }
    let (head, list) = bytes.split_at(T::LEN);
    Ok((T::read(head)?, Items::new(list)?))
}

/// The tag and the rest of an instruction's data.
pub fn split_tag(data: &[u8]) -> Result<(Tag, &[u8]), LayoutError> {
    let (tag, rest) = data.split_first().ok_or(LayoutError::Length { expected: 1, found: 0 })?;
    Ok((Tag::from_byte(*tag).ok_or(LayoutError::Value { field: "Tag" })?, rest))
}

impl<'a> Instruction<'a> {
    /// Reads an instruction's data, which nobody has to trust.
    pub fn decode(data: &'a [u8]) -> Result<Self, LayoutError> {
        let (tag, rest) = split_tag(data)?;
        Ok(match tag {
            Tag::InitConfig => Self::InitConfig(exact(rest)?),
            Tag::SetConfig => Self::SetConfig(exact(rest)?),
            Tag::ApplyConfig => bare(rest, Self::ApplyConfig)?,
            Tag::RegisterDevice => Self::RegisterDevice(exact(rest)?),
            Tag::UpdateDevice => Self::UpdateDevice(exact(rest)?),
            Tag::RetireDevice => bare(rest, Self::RetireDevice)?,
            Tag::OpenLease => Self::OpenLease(exact(rest)?),
            Tag::TopUp => Self::TopUp(exact(rest)?),
            Tag::Bind => with_list(rest).map(|(head, list)| Self::Bind(head, list))?,
            Tag::Start => with_list(rest).map(|(head, list)| Self::Start(head, list))?,
            Tag::Reject => Self::Reject(Items::new(rest)?),
            Tag::EndLine => with_list(rest).map(|(head, list)| Self::EndLine(head, list))?,
            Tag::Attest => with_list(rest).map(|(head, list)| Self::Attest(head, list))?,
            Tag::ClaimReceipt => Self::ClaimReceipt(exact(rest)?),
            Tag::Withdraw => Self::Withdraw(Items::new(rest)?),
            Tag::Close => Self::Close(exact(rest)?),
            Tag::Refund => bare(rest, Self::Refund)?,
            Tag::Finalize => bare(rest, Self::Finalize)?,
            Tag::SweepFees => bare(rest, Self::SweepFees)?,
            Tag::ReclaimPage => bare(rest, Self::ReclaimPage)?,
            Tag::ReclaimLease => bare(rest, Self::ReclaimLease)?,
        })
    }
}

fn bare<'a>(rest: &[u8], value: Instruction<'a>) -> Result<Instruction<'a>, LayoutError> {
    exact::<Nothing>(rest).map(|_| value)
}

/// An instruction's data from its tag, arguments and list.
#[cfg(feature = "host")]
pub fn encode<T: Field, I: Field>(tag: Tag, args: &T, list: &[I]) -> alloc::vec::Vec<u8> {
    let mut out = alloc::vec![0; 1 + T::LEN + list.len() * I::LEN];
    out[0] = tag as u8;
    args.write(&mut out[1..]);
    for (item, bytes) in list.iter().zip(out[1 + T::LEN..].chunks_exact_mut(I::LEN)) {
        item.write(bytes);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hostile_data_is_read_or_refused(
            mut data in proptest::collection::vec(any::<u8>(), 0..300), tag in 0u8..24,
        ) {
            if let Some(first) = data.first_mut() {
                *first = tag;
            }
            let _ = Instruction::decode(&data);
        }
    }

    #[test]
    fn lists_come_back() {
        let lines = [BindLine { units: 1, rate: Rate(7) }, BindLine { units: 2, rate: Rate(9) }];
        let head = Bind { epoch: 5, page: 1, page_bump: 254, capacity: 24 };
        let data = encode(Tag::Bind, &head, &lines);
        let Ok(Instruction::Bind(back, items)) = Instruction::decode(&data) else { panic!() };
        assert_eq!(back, head);
        assert!(items.iter().map(Result::unwrap).eq(lines));
    }

    #[test]
    fn nothing_may_follow_and_nothing_may_lack() {
        let mut data = encode::<_, u8>(Tag::TopUp, &TopUp { amount: BaseUnits(1) }, &[]);
        assert!(Instruction::decode(&data).is_ok());
        data.push(0);
        assert!(Instruction::decode(&data).is_err());
        assert!(Instruction::decode(&data[..5]).is_err());
        let none = encode::<_, u8>(Tag::Start, &Lines { epoch: 0 }, &[]);
        assert!(Instruction::decode(&none).is_err(), "an empty list is no list");
        let many = encode(Tag::Withdraw, &Nothing {}, &[0u8; 25]);
        assert!(Instruction::decode(&many).is_err(), "more than a page holds");
    }
}
