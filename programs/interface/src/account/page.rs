//! A page: up to 24 lines of one lease. A line binds one device to one slot.

use super::{Kind, check_head};
use crate::field::{Field, LayoutError, byte_enum, layout};
use crate::limits::LINES_PER_PAGE;
use crate::{Address, BaseUnits, Bps, Rate, Seconds, Timestamp};

byte_enum! {
    /// Where a line stands.
    LineState {
        /// Its device is bound, the meter stands at zero.
        Bound = 1,
        /// It earns.
        Started = 2,
        /// It ended; what was vouched for is owed.
        Ended = 3,
        /// The renter refused it in the acceptance window: it owes nothing.
        Rejected = 4,
    }
}

layout! {
    /// One device in one slot. Lines are appended and never reused.
    Line, 136 {
        /// The device's key.
        0 device: Address,
        /// Who owns the token accounts that it is paid to: as of binding.
        32 payout_owner: Address,
        /// Base units per hour, without the fee, for all its units.
        64 rate: Rate,
        /// The device's generation at binding; stands in receipts.
        72 generation: u64,
        /// When it was bound.
        80 bound_at: Timestamp,
        /// When it was started; zero before.
        88 started_at: Timestamp,
        /// The lease's clock at its start.
        96 v_start: Seconds,
        /// The lease's clock at its end; zero while it runs.
        104 v_end: Seconds,
        /// Seconds that were vouched for.
        112 served: Seconds,
        /// What was drawn.
        120 paid: BaseUnits,
        /// Units of the device that it holds while bound or started.
        128 units: u16,
        /// Where it stands.
        130 state: LineState,
        /// Zero.
        131 reserved: [u8; 5],
    }
}

impl Line {
    /// Size of a line in bytes.
    pub const LEN: usize = <Self as Field>::LEN;

    /// Whether it holds units of its device.
    pub fn is_live(&self) -> bool {
        match self.state {
            LineState::Bound | LineState::Started => true,
            LineState::Ended | LineState::Rejected => false,
        }
    }

    /// What it has earned: rounded down, against the supplier. `None` on overflow.
    pub fn owed(&self) -> Option<BaseUnits> {
        match self.state {
            LineState::Bound | LineState::Rejected => Some(BaseUnits::ZERO),
            LineState::Started | LineState::Ended => self.rate.earned_floor(self.served),
        }
    }

    /// The fee on what it has earned: rounded up, against the renter. `None` on overflow.
    pub fn fee(&self, fee_bps: Bps) -> Option<BaseUnits> {
        fee_bps.fee_ceil(self.owed()?)
    }

    /// The most seconds that can be vouched for while the lease's clock shows `v`.
    pub fn served_max(&self, v: Seconds) -> Seconds {
        match self.state {
            LineState::Started => v.saturating_sub(self.v_start),
            LineState::Ended => self.v_end.saturating_sub(self.v_start),
            LineState::Bound | LineState::Rejected => Seconds::ZERO,
        }
    }

    /// The last second in which the renter may reject it.
    pub fn accept_until(&self, accept_s: u8) -> Timestamp {
        self.started_at.saturating_add(Seconds(u64::from(accept_s)))
    }
}

layout! {
    /// The head of a page; its lines follow.
    PageHeader, 80 {
        /// [`Kind::Page`].
        0 kind: u8,
        /// [`super::LAYOUT_VERSION`].
        1 version: u8,
        /// Bump of the address.
        2 bump: u8,
        /// Lines that fit, 1 to 24: the account's size.
        3 capacity: u8,
        /// Lines that were bound.
        4 count: u8,
        /// Zero.
        5 reserved: u8,
        /// Number of the page; part of the address.
        6 number: u16,
        /// Whose lines.
        8 lease: Address,
        /// Who paid the rent and gets it back.
        40 rent_payer: Address,
        /// Zero.
        72 reserved_2: [u8; 8],
    }
}

impl PageHeader {
    /// Size of the head in bytes.
    pub const LEN: usize = <Self as Field>::LEN;
    /// Offset of the lease, to find its pages.
    pub const LEASE_AT: usize = 8;
}

fn check(bytes: &[u8]) -> Result<PageHeader, LayoutError> {
    if bytes.len() < PageHeader::LEN {
        return Err(LayoutError::Length { expected: PageHeader::LEN, found: bytes.len() });
    }
    check_head(bytes, Kind::Page)?;
    let header = PageHeader::read(bytes)?;
    if header.capacity == 0 || header.capacity > LINES_PER_PAGE || header.count > header.capacity {
        return Err(LayoutError::Value { field: "PageHeader" });
    }
    let expected = PageRef::size(header.capacity);
    if bytes.len() != expected {
        return Err(LayoutError::Length { expected, found: bytes.len() });
    }
    Ok(header)
}

fn line_at(index: u8) -> usize {
    PageHeader::LEN + usize::from(index) * Line::LEN
}

/// A page's bytes, checked, to read.
#[derive(Clone, Copy, Debug)]
pub struct PageRef<'a> {
    header: PageHeader,
    bytes: &'a [u8],
}

impl<'a> PageRef<'a> {
    /// Size in bytes of a page for so many lines.
    pub const fn size(capacity: u8) -> usize {
        PageHeader::LEN + capacity as usize * Line::LEN
    }

    /// Reads an account's bytes, which nobody has to trust.
    pub fn new(bytes: &'a [u8]) -> Result<Self, LayoutError> {
        Ok(Self { header: check(bytes)?, bytes })
    }

    /// The head.
    pub fn header(&self) -> &PageHeader {
        &self.header
    }

    /// The line at `index`, or `None` when so many were not bound.
    pub fn line(&self, index: u8) -> Result<Option<Line>, LayoutError> {
        if index >= self.header.count {
            return Ok(None);
        }
        Line::read(&self.bytes[line_at(index)..]).map(Some)
    }

    /// Every line that was bound, with its index.
    pub fn lines(&self) -> impl Iterator<Item = (u8, Result<Line, LayoutError>)> + use<'a> {
        let (bytes, count) = (self.bytes, self.header.count);
        (0..count).map(move |index| (index, Line::read(&bytes[line_at(index)..])))
    }
}

/// A page's bytes, checked, to read and write.
#[derive(Debug)]
pub struct PageMut<'a> {
    header: PageHeader,
    bytes: &'a mut [u8],
}

impl<'a> PageMut<'a> {
    /// Takes an account's bytes.
    pub fn new(bytes: &'a mut [u8]) -> Result<Self, LayoutError> {
        Ok(Self { header: check(bytes)?, bytes })
    }

    /// Writes the head of a new page over zeroed bytes.
    pub fn create(bytes: &'a mut [u8], header: PageHeader) -> Result<Self, LayoutError> {
        let found = bytes.len();
        if found < PageHeader::LEN {
            return Err(LayoutError::Length { expected: PageHeader::LEN, found });
        }
        header.write(bytes);
        Self::new(bytes)
    }

    /// The head.
    pub fn header(&self) -> &PageHeader {
        &self.header
    }

    /// The line at `index`, or `None` when so many were not bound.
    pub fn line(&self, index: u8) -> Result<Option<Line>, LayoutError> {
        if index >= self.header.count {
            return Ok(None);
        }
        Line::read(&self.bytes[line_at(index)..]).map(Some)
    }

    /// Overwrites the line at `index`; `false` when so many were not bound.
    #[must_use]
    pub fn set_line(&mut self, index: u8, line: &Line) -> bool {
        if index >= self.header.count {
            return false;
        }
        line.write(&mut self.bytes[line_at(index)..]);
        true
    }

    /// The bytes of the lines from `first` on.
    pub fn bytes_from(&self, first: u8) -> &[u8] {
        let end = line_at(self.header.count);
        self.bytes.get(line_at(first)..end).unwrap_or(&[])
    }

    /// Appends a line and returns its index, or `None` when the page is full.
    #[must_use]
    pub fn push(&mut self, line: &Line) -> Option<u8> {
        let index = self.header.count;
        if index >= self.header.capacity {
            return None;
        }
        self.header.count += 1;
        self.header.write(self.bytes);
        line.write(&mut self.bytes[line_at(index)..]);
        Some(index)
    }
}
