//! Where a device stands.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A region of the network, as an index into the list. `local` is the machine that runs a local
/// network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(u8);

/// Every region, in alphabetical order.
const REGIONS: [&str; 17] = [
    "africa",
    "asia-east",
    "asia-south",
    "asia-southeast",
    "canada",
    "eu-central",
    "eu-east",
    "eu-north",
    "eu-south",
    "eu-west",
    "local",
    "middle-east",
    "oceania",
    "sa-east",
    "us-central",
    "us-east",
    "us-west",
];

/// No such region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown region `{name}`; known are: any, {}", REGIONS.join(", "))]
pub struct RegionError {
    name: String,
}

impl Region {
    /// The machine that runs a local network.
    pub const LOCAL: Region = Region(10);

    /// Every region.
    pub fn all() -> impl Iterator<Item = Region> {
        (0..REGIONS.len()).map(|i| Region(i as u8))
    }

    /// Its name.
    pub fn as_str(&self) -> &'static str {
        REGIONS[usize::from(self.0)]
    }
}

impl FromStr for Region {
    type Err = RegionError;
    fn from_str(name: &str) -> Result<Self, RegionError> {
        let shown = || RegionError { name: name.chars().take(32).collect() };
        REGIONS.iter().position(|r| *r == name).map(|i| Region(i as u8)).ok_or_else(shown)
    }
}

impl TryFrom<String> for Region {
    type Error = RegionError;
    fn try_from(name: String) -> Result<Self, RegionError> {
        name.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> String {
        region.as_str().to_owned()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which regions a cluster may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(try_from = "String", into = "String")]
pub enum RegionFilter {
    /// Any region.
    #[default]
    Any,
    /// This one only.
    Only(Region),
}

impl RegionFilter {
    /// Whether `region` may be used.
    pub fn admits(&self, region: Region) -> bool {
        match self {
            RegionFilter::Any => true,
            RegionFilter::Only(only) => *only == region,
        }
    }
}

impl FromStr for RegionFilter {
    type Err = RegionError;
    fn from_str(name: &str) -> Result<Self, RegionError> {
        if name == "any" { Ok(RegionFilter::Any) } else { name.parse().map(RegionFilter::Only) }
    }
}

impl TryFrom<String> for RegionFilter {
    type Error = RegionError;
    fn try_from(name: String) -> Result<Self, RegionError> {
        name.parse()
    }
}

impl From<RegionFilter> for String {
    fn from(filter: RegionFilter) -> String {
        filter.to_string()
    }
}

impl fmt::Display for RegionFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionFilter::Any => f.write_str("any"),
            RegionFilter::Only(region) => region.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_back() {
        assert_eq!(Region::LOCAL.as_str(), "local");
        assert!(Region::all().all(|r| r.as_str().parse() == Ok(r)));
        assert!(REGIONS.is_sorted());
        assert!("mars".parse::<RegionFilter>().unwrap_err().to_string().contains("eu-west"));
    }
}
