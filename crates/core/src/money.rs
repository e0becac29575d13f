//! Money whose asset is known only at run time: what crosses the API and the log.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a lease is paid in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Asset {
    /// The dollar coin; a facilitation fee is added.
    #[default]
    Usdc,
    /// The network's own token; no fee.
    Io,
}

impl Asset {
    /// Decimals of the asset's mint on every network we make. A client of another network reads
    /// them from the mint.
    pub fn decimals(self) -> u32 {
        match self {
            Asset::Usdc => 6,
            Asset::Io => 8,
        }
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Asset::Usdc => "USDC",
            Asset::Io => "IO",
        })
    }
}

/// An amount, or an hourly rate, of one asset in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amount {
    /// Which asset.
    pub asset: Asset,
    /// Base units: 0.000001 USDC, 0.00000001 IO.
    pub base_units: u64,
}

impl Amount {
    /// `base_units` of `asset`.
    pub fn new(asset: Asset, base_units: u64) -> Self {
        Self { asset, base_units }
    }

    /// From decimal text such as `0.05`, exact or refused: no float on the way.
    pub fn parse(asset: Asset, text: &str) -> Option<Self> {
        let decimals = asset.decimals() as usize;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > decimals {
            return None;
        }
        let padded = format!("{fraction:0<decimals$}");
        let scale = 10u64.checked_pow(asset.decimals())?;
        let base_units =
            whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(padded.parse().ok()?)?;
        Some(Self { asset, base_units })
    }
}

impl fmt::Display for Amount {
    /// `0.050000 USDC`: every decimal, so that nothing is hidden by rounding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10u64.pow(self.asset.decimals());
        let width = self.asset.decimals() as usize;
        let (whole, rest) = (self.base_units / scale, self.base_units % scale);
        write!(f, "{whole}.{rest:0width$} {}", self.asset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_back(base_units: u64, io: bool) {
            let asset = if io { Asset::Io } else { Asset::Usdc };
            let amount = Amount::new(asset, base_units);
            let text = amount.to_string();
            let number = text.split(' ').next().unwrap();
            prop_assert_eq!(Amount::parse(asset, number), Some(amount));
        }
    }

    #[test]
    fn refuses_what_is_not_exact() {
        for bad in ["", ".5", "-1", "1e3", "0.0000001", "1,0", "99999999999999999999"] {
            assert_eq!(Amount::parse(Asset::Usdc, bad), None, "{bad}");
        }
        assert_eq!(Amount::parse(Asset::Usdc, "0.05"), Some(Amount::new(Asset::Usdc, 50_000)));
    }
}
