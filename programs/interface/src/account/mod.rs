//! The program's accounts. Each begins with its kind and the version of its layout.

mod config;
mod device;
mod lease;
mod page;
mod renter;

pub use config::{Config, Settings};
pub use device::Device;
pub use lease::{CloseReason, Lease, LeaseState, SessionRights, Vouch};
pub use page::{Line, LineState, PageHeader, PageMut, PageRef};
pub use renter::RenterCounter;

use crate::field::{LayoutError, byte_enum};

byte_enum! {
    /// First byte of an account. Zero is an account that was never written.
    Kind {
        /// [`Config`].
        Config = 1,
        /// [`RenterCounter`].
        RenterCounter = 2,
        /// [`Device`].
        Device = 3,
        /// [`Lease`].
        Lease = 4,
        /// A page: [`PageRef`].
        Page = 5,
    }
}

/// Second byte of an account.
pub const LAYOUT_VERSION: u8 = 1;

/// Whether these bytes begin as an account of this kind and our version does.
pub(crate) fn check_head(bytes: &[u8], kind: Kind) -> Result<(), LayoutError> {
    let [found, version] = crate::field::array::<2>(bytes)?;
    if found != kind as u8 {
        return Err(LayoutError::Kind { expected: kind as u8, found });
    }
    if version != LAYOUT_VERSION {
        return Err(LayoutError::Version { found: version });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    fn field(fields: &[(&str, usize, usize)], name: &str) -> usize {
        fields.iter().find(|f| f.0 == name).unwrap().1
    }

    #[test]
    fn filters_point_at_their_fields() {
        assert_eq!(Lease::RENTER_AT, field(Lease::FIELDS, "renter"));
        assert_eq!(Lease::COORDINATOR_AT, field(Lease::FIELDS, "coordinator"));
        assert_eq!(Lease::STATE_AT, field(Lease::FIELDS, "state"));
        assert_eq!(Device::SUPPLIER_AT, field(Device::FIELDS, "supplier"));
        assert_eq!(PageHeader::LEASE_AT, field(PageHeader::FIELDS, "lease"));
    }

    proptest! {
        /// Whatever an endpoint answers is read or refused, and what is read writes back.
        #[test]
        fn hostile_bytes_are_read_or_refused(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..1_024), kind in 0u8..8,
        ) {
            if bytes.len() > 1 {
                bytes[0] = kind;
                bytes[1] = LAYOUT_VERSION;
            }
            for len in [Config::LEN, Lease::LEN, Device::LEN, RenterCounter::LEN, bytes.len()] {
                let bytes = &bytes[..len.min(bytes.len())];
                let mut back = std::vec![0u8; bytes.len()];
                if let Ok(lease) = Lease::decode(bytes) {
                    lease.encode(&mut back).unwrap();
                    prop_assert_eq!(&back[..], bytes);
                    let _ = lease.clock().now(crate::Timestamp(i64::MAX));
                }
                let _ = Config::decode(bytes);
                let _ = Device::decode(bytes);
                let _ = RenterCounter::decode(bytes);
                if let Ok(page) = PageRef::new(bytes) {
                    for index in 0..=u8::MAX {
                        let _ = page.line(index);
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_are_final() {
        assert_eq!(
            [Config::LEN, RenterCounter::LEN, Device::LEN, Lease::LEN, PageHeader::LEN, Line::LEN],
            [384, 80, 416, 464, 80, 136]
        );
        assert_eq!(PageRef::size(crate::limits::LINES_PER_PAGE), 3_344);
    }
}
