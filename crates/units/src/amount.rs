//! Amounts, rates and fees.

use crate::arith::{mul_div_ceil, mul_div_floor};
use crate::time::{SECONDS_PER_HOUR, Seconds};
use core::fmt;

/// Basis points in one whole.
const BPS_ONE: u64 = 10_000;

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The largest that can be written.
            pub const MAX: Self = Self(u64::MAX);

            /// The bare integer, in base units.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The sum, or `None` on overflow.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// The difference, or `None` when it would be negative.
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }

            /// The difference, or zero when it would be negative.
            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl fmt::Display for $name {
            /// The bare integer, in base units.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
pub(crate) use amount;

amount!(
    /// An amount of US dollar coin, in base units (0.000001 USDC).
    Usdc
);
amount!(
    /// An amount of the network's own token, in base units (0.00000001 IO).
    Io
);
amount!(
    /// An amount of an asset that only its mint names: what programs count in.
    BaseUnits
);
amount!(
    /// Base units per **hour**: with USDC, steps of 0.000001 dollars an hour.
    Rate
);

impl Rate {
    /// What this rate earns in `served`, rounded down: against the supplier, who asks for it.
    /// `None` on overflow.
    pub fn earned_floor(self, served: Seconds) -> Option<BaseUnits> {
        mul_div_floor(self.0, served.0, SECONDS_PER_HOUR).map(BaseUnits)
    }

    /// What must be set aside for `elapsed`, rounded up so that no claim on it exceeds it.
    /// `None` on overflow.
    pub fn reserved_ceil(self, elapsed: Seconds) -> Option<BaseUnits> {
        mul_div_ceil(self.0, elapsed.0, SECONDS_PER_HOUR).map(BaseUnits)
    }

    /// Whole seconds that `funds` last at this rate, rounded down: against the lease, which
    /// must never run longer than it can pay. Saturates; a rate of zero lasts for ever.
    pub fn lasts_floor(self, funds: BaseUnits) -> Seconds {
        mul_div_floor(funds.0, SECONDS_PER_HOUR, self.0).map_or(Seconds::MAX, Seconds)
    }
}

/// Basis points: hundredths of a per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Bps(pub u16);

impl Bps {
    /// The fee on `amount`, on top of it, rounded up: against whoever pays it, so that no
    /// splitting into small amounts saves any. `None` on overflow.
    pub fn fee_ceil(self, amount: BaseUnits) -> Option<BaseUnits> {
        mul_div_ceil(amount.0, u64::from(self.0), BPS_ONE).map(BaseUnits)
    }

    /// `rate` with the fee on top, rounded up like the fee itself. `None` on overflow.
    pub fn gross_ceil(self, rate: Rate) -> Option<Rate> {
        mul_div_ceil(rate.0, u64::from(self.0), BPS_ONE)?.checked_add(rate.0).map(Rate)
    }
}

impl fmt::Display for Bps {
    /// As a percentage with two decimals, such as `2.00%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}%", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn an_hour_earns_the_rate() {
        assert_eq!(Rate(100_000).earned_floor(Seconds(3_600)), Some(BaseUnits(100_000)));
        assert_eq!(Rate(1).earned_floor(Seconds(3_599)), Some(BaseUnits(0)));
        assert_eq!(Rate(1).reserved_ceil(Seconds(1)), Some(BaseUnits(1)));
        assert_eq!(Rate(0).lasts_floor(BaseUnits(1)), Seconds::MAX);
        assert_eq!(Bps(200).fee_ceil(BaseUnits(1)), Some(BaseUnits(1)));
        assert_eq!(Bps(0).fee_ceil(BaseUnits(u64::MAX)), Some(BaseUnits(0)));
        assert_eq!(Bps(205).to_string(), "2.05%");
    }

    proptest! {
        /// The step that keeps a lease solvent: what lasts, when reserved, never exceeds it.
        #[test]
        fn what_lasts_is_covered(rate in 1u64.., funds: u64) {
            let lasts = Rate(rate).lasts_floor(BaseUnits(funds));
            if lasts < Seconds::MAX {
                prop_assert!(Rate(rate).reserved_ceil(lasts).unwrap() <= BaseUnits(funds));
            }
        }

        /// One extra base unit covers the rounding of a line's fee, however long it served.
        #[test]
        fn gross_and_one_cover_owed_and_fee(
            rate in 0u64..1 << 40, served in 0u64..1 << 32, bps in 0u16..=10_000,
        ) {
            let owed = Rate(rate).earned_floor(Seconds(served)).unwrap();
            let fee = Bps(bps).fee_ceil(owed).unwrap();
            let gross = Bps(bps).gross_ceil(Rate(rate)).unwrap();
            let reserved = gross.reserved_ceil(Seconds(served)).unwrap();
            prop_assert!(owed.0 + fee.0 <= reserved.0 + 1);
        }
    }
}
