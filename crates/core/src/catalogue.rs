//! The catalogue of chip classes: what a renter can ask for by name.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which family a class belongs to. Apple chips divide a reward pool of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChipKind {
    /// A processor without an accelerator.
    Cpu,
    /// An NVIDIA card.
    Nvidia,
    /// An Apple system on a chip.
    Apple,
}

/// One row of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Name that specs use.
    pub name: &'static str,
    /// Family.
    pub kind: ChipKind,
    /// Accelerator memory in GiB; 0 for a CPU, unified memory varies for Apple (0 too).
    pub memory_gib: u32,
    /// Words that must all stand in the name which the driver gives, lower case.
    pub driver_words: &'static [&'static str],
}

const fn nvidia(name: &'static str, memory_gib: u32, words: &'static [&'static str]) -> Row {
    Row { name, kind: ChipKind::Nvidia, memory_gib, driver_words: words }
}

const fn apple(name: &'static str, words: &'static [&'static str]) -> Row {
    Row { name, kind: ChipKind::Apple, memory_gib: 0, driver_words: words }
}

/// The table. Names are the field's; memory is the vendors' data sheets'. More words stand
/// before fewer, so that the first match is the closest.
pub const CATALOGUE: &[Row] = &[
    Row { name: "cpu", kind: ChipKind::Cpu, memory_gib: 0, driver_words: &[] },
    nvidia("b200", 180, &["b200"]),
    nvidia("gh200", 96, &["gh200"]),
    nvidia("h200", 141, &["h200"]),
    nvidia("h100-nvl", 94, &["h100", "nvl"]),
    nvidia("h100-pcie", 80, &["h100", "pcie"]),
    nvidia("h100-sxm-80", 80, &["h100"]),
    nvidia("a100-pcie-40", 40, &["a100", "pcie", "40gb"]),
    nvidia("a100-pcie-80", 80, &["a100", "80gb", "pcie"]),
    nvidia("a100-sxm-40", 40, &["a100", "sxm4", "40gb"]),
    nvidia("a100-sxm-80", 80, &["a100", "sxm4", "80gb"]),
    nvidia("l40s", 48, &["l40s"]),
    nvidia("l40", 48, &["l40"]),
    nvidia("l4", 24, &["nvidia l4"]),
    nvidia("rtx-6000-ada", 48, &["rtx 6000 ada"]),
    nvidia("a6000", 48, &["rtx a6000"]),
    nvidia("a4000", 16, &["rtx a4000"]),
    nvidia("a40", 48, &["nvidia a40"]),
    nvidia("a16", 16, &["nvidia a16"]),
    nvidia("a10", 24, &["nvidia a10"]),
    nvidia("rtx-5090", 32, &["rtx 5090"]),
    nvidia("rtx-5080", 16, &["rtx 5080"]),
    nvidia("rtx-4090", 24, &["rtx 4090"]),
    nvidia("rtx-4080-super", 16, &["rtx 4080 super"]),
    nvidia("rtx-4080", 16, &["rtx 4080"]),
    nvidia("rtx-4070-ti", 12, &["rtx 4070 ti"]),
    nvidia("rtx-4070", 12, &["rtx 4070"]),
    nvidia("rtx-4060-ti", 8, &["rtx 4060 ti"]),
    nvidia("rtx-4060", 8, &["rtx 4060"]),
    nvidia("rtx-3090-ti", 24, &["rtx 3090 ti"]),
    nvidia("rtx-3090", 24, &["rtx 3090"]),
    nvidia("rtx-3080", 10, &["rtx 3080"]),
    nvidia("rtx-3070", 8, &["rtx 3070"]),
    nvidia("rtx-3060", 12, &["rtx 3060"]),
    nvidia("v100", 16, &["v100"]),
    nvidia("t4", 16, &["t4"]),
    apple("m1", &["apple m1"]),
    apple("m2-ultra", &["apple m2 ultra"]),
    apple("m2", &["apple m2"]),
    apple("m3-ultra", &["apple m3 ultra"]),
    apple("m3-max", &["apple m3 max"]),
    apple("m3", &["apple m3"]),
    apple("m4-max", &["apple m4 max"]),
    apple("m4", &["apple m4"]),
];

/// The row named `name`.
pub fn find(name: &str) -> Option<&'static Row> {
    CATALOGUE.iter().find(|row| row.name == name)
}

/// The row that a driver's own name for a chip of `kind` falls into.
pub fn classify(kind: ChipKind, driver_name: &str) -> Option<ChipClass> {
    let name = driver_name.to_lowercase();
    let words: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let name = format!(" {} ", words.join(" "));
    let holds = |word: &&str| name.contains(&format!(" {word} "));
    CATALOGUE
        .iter()
        .enumerate()
        .filter(|(_, row)| row.kind == kind && row.driver_words.iter().all(holds))
        .max_by_key(|(i, row)| {
            (row.driver_words.iter().map(|w| w.len()).sum::<usize>(), usize::MAX - i)
        })
        .map(|(i, _)| ChipClass(i as u16))
}

/// A class that stands in the catalogue: the index of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChipClass(u16);

/// No such class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown chip `{name}`; `ionet device classes` lists them")]
pub struct UnknownChip {
    name: String,
}

impl ChipClass {
    /// The CPU itself, sold as one chip.
    pub const CPU: ChipClass = ChipClass(0);

    /// Its row.
    pub fn row(&self) -> &'static Row {
        &CATALOGUE[usize::from(self.0)]
    }

    /// Its name.
    pub fn as_str(&self) -> &'static str {
        self.row().name
    }
}

impl FromStr for ChipClass {
    type Err = UnknownChip;
    fn from_str(name: &str) -> Result<Self, UnknownChip> {
        CATALOGUE
            .iter()
            .position(|row| row.name == name)
            .map(|i| ChipClass(i as u16))
            .ok_or_else(|| UnknownChip { name: name.chars().take(32).collect() })
    }
}

impl TryFrom<String> for ChipClass {
    type Error = UnknownChip;
    fn try_from(name: String) -> Result<Self, UnknownChip> {
        name.parse()
    }
}

impl From<ChipClass> for String {
    fn from(class: ChipClass) -> String {
        class.as_str().to_owned()
    }
}

impl fmt::Display for ChipClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (i, row) in CATALOGUE.iter().enumerate() {
            assert!(CATALOGUE[i + 1..].iter().all(|other| other.name != row.name), "{}", row.name);
        }
    }

    #[test]
    fn drivers_names_find_their_rows() {
        for (driver, class) in [
            ("NVIDIA H100 80GB HBM3", "h100-sxm-80"),
            ("NVIDIA H100 PCIe", "h100-pcie"),
            ("NVIDIA A100-SXM4-80GB", "a100-sxm-80"),
            ("NVIDIA A100-PCIE-40GB", "a100-pcie-40"),
            ("NVIDIA GeForce RTX 4090", "rtx-4090"),
            ("NVIDIA GeForce RTX 4080 SUPER", "rtx-4080-super"),
            ("NVIDIA GeForce RTX 3090 Ti", "rtx-3090-ti"),
            ("NVIDIA L40S", "l40s"),
            ("NVIDIA L4", "l4"),
            ("Tesla T4", "t4"),
        ] {
            assert_eq!(classify(ChipKind::Nvidia, driver).unwrap().as_str(), class, "{driver}");
        }
        assert_eq!(classify(ChipKind::Apple, "Apple M3 Ultra").unwrap().as_str(), "m3-ultra");
        assert_eq!(classify(ChipKind::Nvidia, "Something Else"), None);
    }
}
