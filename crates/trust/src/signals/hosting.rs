//! Is a device's address one of a hosting provider's? A chip in a data centre is no fraud, but
//! whoever resells rented chips adds no supply.
//!
//! The ranges are a data file with its sources (`data/hosting.toml`); a reader may bring another.
//! An address that is in no range says nothing: no list is complete, and tunnels are cheap.

use super::signal;
use ionet_core::Signal;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The file that comes with this release.
const BUILT_IN: &str = include_str!("../../data/hosting.toml");
/// Bytes of a file.
const FILE_BYTES_MAX: usize = 4 << 20;
/// Ranges of all providers.
pub const RANGES_MAX: usize = 1 << 16;
/// Providers.
const PROVIDERS_MAX: usize = 256;
/// Characters of a provider's name, source or date.
const TEXT_MAX: usize = 200;
/// The widest ranges that one provider has: a typing mistake must not flag a continent.
const V4_BITS_MIN: u8 = 8;
const V6_BITS_MIN: u8 = 19;

/// Why a file of ranges is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostingError {
    /// Larger than what is read.
    #[error("the file of hosting ranges has over {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// Not TOML of this form.
    #[error("the file of hosting ranges: {0}")]
    Form(String),
    /// Too many rows.
    #[error("more than {RANGES_MAX} ranges or {PROVIDERS_MAX} providers")]
    TooMany,
    /// A name, source or date is empty, too long or not plain text.
    #[error("provider {0}: name, source and a date as 2026-11-24 are needed, in plain text")]
    Text(usize),
    /// Not `address/bits`, or bits are set behind the range's own.
    #[error("`{0}` is not a range such as 45.76.0.0/15")]
    Range(String),
    /// Wider than any provider's, or some of it is private, local, or for documentation.
    #[error("`{0}` cannot be a hosting provider's")]
    Reserved(String),
    /// It stands there twice.
    #[error("`{0}` is listed twice")]
    Twice(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provider: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    source: String,
    read_on: String,
    ranges: Vec<String>,
}

/// Who has a range, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// Where its ranges were read.
    pub source: String,
    /// On which day, as `2026-11-24`.
    pub read_on: String,
}

/// Ranges of addresses, by their length and their first address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosting {
    providers: Vec<Provider>,
    v4: BTreeMap<(u8, u32), u16>,
    v6: BTreeMap<(u8, u128), u16>,
}

/// The ranges that come with this release.
pub fn built_in() -> Result<Hosting, HostingError> {
    Hosting::parse(BUILT_IN)
}

impl Hosting {
    /// From a file's text.
    pub fn parse(text: &str) -> Result<Self, HostingError> {
        if text.len() > FILE_BYTES_MAX {
            return Err(HostingError::TooLarge);
        }
        let file: File = toml::from_str(text).map_err(|e| HostingError::Form(e.to_string()))?;
        let rows = file.provider.iter().map(|row| row.ranges.len()).sum::<usize>();
        if rows > RANGES_MAX || file.provider.len() > PROVIDERS_MAX {
            return Err(HostingError::TooMany);
        }
        let mut hosting = Self { providers: Vec::new(), v4: BTreeMap::new(), v6: BTreeMap::new() };
        for (at, row) in file.provider.into_iter().enumerate() {
            let Row { name, source, read_on, ranges } = row;
            let plain = |text: &String| {
                (1..=TEXT_MAX).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
            };
            if ![&name, &source].into_iter().all(plain) || !is_date(&read_on) {
                return Err(HostingError::Text(at));
            }
            hosting.providers.push(Provider { name, source, read_on });
            for range in ranges {
                hosting.add(&range, at as u16)?;
            }
        }
        Ok(hosting)
    }

    fn add(&mut self, range: &str, provider: u16) -> Result<(), HostingError> {
        let told = || super::shown(range, 64);
        let wrong = || HostingError::Range(told());
        let (address, bits) = range.split_once('/').ok_or_else(wrong)?;
        let digits = (1..=3).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_digit());
        let bits: u8 =
            Some(bits).filter(|_| digits).and_then(|b| b.parse().ok()).ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let before = match address {
            IpAddr::V4(at) => {
                let number = u32::from(at);
                if bits > 32 || number != head4(number, bits) {
                    return Err(wrong());
                }
                if bits < V4_BITS_MIN || !is_public4(number, bits) {
                    return Err(HostingError::Reserved(told()));
                }
                self.v4.insert((bits, number), provider)
            }
            IpAddr::V6(at) => {
                let number = u128::from(at);
                if bits > 128 || number != head6(number, bits) {
                    return Err(wrong());
                }
                if bits < V6_BITS_MIN || !is_public6(number, bits) {
                    return Err(HostingError::Reserved(told()));
                }
                self.v6.insert((bits, number), provider)
            }
        };
        if before.is_some() { Err(HostingError::Twice(told())) } else { Ok(()) }
    }

    /// How many ranges there are.
    pub fn ranges(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whose an address is: of ranges within each other the smallest one's.
    pub fn provider(&self, address: IpAddr) -> Option<&Provider> {
        let found = match address.to_canonical() {
            IpAddr::V4(at) => {
                let at = u32::from(at);
                (V4_BITS_MIN..=32).rev().find_map(|bits| self.v4.get(&(bits, head4(at, bits))))
            }
            IpAddr::V6(at) => {
                let at = u128::from(at);
                (V6_BITS_MIN..=128).rev().find_map(|bits| self.v6.get(&(bits, head6(at, bits))))
            }
        };
        found.and_then(|at| self.providers.get(usize::from(*at)))
    }

    /// A signal for a device that connects from `address`, which it does not tell.
    pub fn seen(&self, address: IpAddr, at_ms: i64) -> Option<Signal> {
        let Provider { name, source, read_on } = self.provider(address)?;
        let text = format!("connects from a range of {name} ({source}, read on {read_on})");
        Some(signal("hosting-range", text, at_ms))
    }
}

fn head4(address: u32, bits: u8) -> u32 {
    address & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

fn head6(address: u128, bits: u8) -> u128 {
    address & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

/// `2026-11-24`: four, two and two digits.
pub(crate) fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| match at {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        })
}

/// Nobody's, everybody's at home, or of documents: no provider's range may reach into any.
const RESERVED_V4: [(Ipv4Addr, u8); 11] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The same of global unicast, 2000::/3: documentation and tunnels.
const RESERVED_V6: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

fn is_public4(at: u32, bits: u8) -> bool {
    // Of two ranges that meet, the smaller one lies in the larger one.
    let meets = |(other, its): (Ipv4Addr, u8)| {
        let shorter = bits.min(its);
        head4(at, shorter) == head4(other.into(), shorter)
    };
    !RESERVED_V4.into_iter().any(meets)
}

fn is_public6(at: u128, bits: u8) -> bool {
    let meets = |(other, its): (Ipv6Addr, u8)| {
        let shorter = bits.min(its);
        head6(at, shorter) == head6(other.into(), shorter)
    };
    at >> 125 == 1 && !RESERVED_V6.into_iter().any(meets)
}
