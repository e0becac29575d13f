//! `docs/benchmarks.md`: one part for each section, replaced when it is measured anew.

use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Section {
    /// From a signed lease to a live Ray cluster, beside containers started by hand
    ClusterStart,
    /// Compute units of the market program's instructions
    ProgramUnits,
    /// Whole lives of leases on the chain
    LeaseCosts,
    /// Quotes and heartbeats of one coordinator
    ControlPlane,
    /// Clusters of wallets among ten million transfers
    WalletGraph,
    /// Proofs of work done, made and checked
    Proving,
}

const SECTIONS: [Section; 6] = [
    Section::ClusterStart,
    Section::ProgramUnits,
    Section::LeaseCosts,
    Section::ControlPlane,
    Section::WalletGraph,
    Section::Proving,
];

impl Section {
    fn heading(self) -> &'static str {
        match self {
            Section::ClusterStart => "## Cluster start",
            Section::ProgramUnits => "## Compute units of the market program",
            Section::LeaseCosts => "## Leases on the chain",
            Section::ControlPlane => "## Control plane",
            Section::WalletGraph => "## Who funded whom",
            Section::Proving => "## Proofs",
        }
    }
}

/// The report's parts.
pub(crate) struct Report {
    machine: String,
    sections: BTreeMap<Section, String>,
}

impl Report {
    /// The report that is there, or an empty one.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| path.display().to_string()),
        };
        let mut sections = BTreeMap::new();
        for section in SECTIONS {
            let Some((_, rest)) = text.split_once(section.heading()) else { continue };
            let end = rest.find("\n## ").unwrap_or(rest.len());
            sections.insert(section, rest[..end].trim().to_owned());
        }
        Ok(Self { machine: String::new(), sections })
    }

    /// What the figures are measured on.
    pub(crate) fn machine(&mut self, machine: &str) {
        self.machine = machine.to_owned();
    }

    /// Replaces a section. The machine is written into it: sections may come from different
    /// runs.
    pub(crate) fn section(&mut self, section: Section, text: &str) {
        let text = format!("Measured on: {}.\n\n{}", self.machine, text.trim());
        self.sections.insert(section, text);
    }

    /// Writes the report.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = String::from(
            "# Benchmarks\n\nMade by `make bench`; do not edit. Whole-process figures: medians and \
             ratios are worth quoting,\nsingle times are not.\n",
        );
        for (section, body) in &self.sections {
            text.push_str(&format!("\n{}\n\n{body}\n", section.heading()));
        }
        fs::write(path, text).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("benchmarks.md");
        let mut report = Report::load(&path).unwrap();
        report.machine("m1");
        report.section(Section::ClusterStart, "one\n\n| a |");
        report.section(Section::ControlPlane, "two");
        report.save(&path).unwrap();
        let mut report = Report::load(&path).unwrap();
        report.machine("m2");
        report.section(Section::ControlPlane, "three");
        report.save(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("m1.\n\none\n\n| a |") && text.contains("m2.\n\nthree"));
        assert!(!text.contains("two"));
    }
}
