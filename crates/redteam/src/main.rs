//! `ionet-redteam`: runs the attackers and writes, or compares, what they found.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use ionet_redteam::experiments::{Effort, all};
use ionet_redteam::report::document;
use std::path::Path;

const TEMPLATE: &str = include_str!("verification.template");
const PAGE: &str = "docs/verification.md";
const DRAWINGS: &str = "docs/verification";

/// Attackers against the proofs of chips. Run it in the repository's root.
#[derive(Parser)]
struct Arguments {
    /// Write docs/verification.md and its drawings anew; else they are compared.
    #[arg(long)]
    docs: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sections = all(Effort::FULL);
    let mut wrong = 0;
    for section in &sections {
        println!("\n## {}\n\n{}", section.name, section.markdown());
        for (words, _) in section.must.iter().filter(|(_, holds)| !holds) {
            wrong += 1;
            println!("NOT SO: {words}");
        }
    }
    ensure!(wrong == 0, "{wrong} things that must hold do not");
    let mut files = vec![(PAGE.to_string(), document(TEMPLATE, &sections)?)];
    for section in &sections {
        if let Some(chart) = &section.chart {
            files.push((format!("{DRAWINGS}/{}.svg", section.name), chart.svg()?));
        }
    }
    for (path, text) in files {
        if arguments.docs {
            std::fs::create_dir_all(Path::new(DRAWINGS))?;
            std::fs::write(&path, text).with_context(|| path.clone())?;
        } else {
            let kept = std::fs::read_to_string(&path).with_context(|| path.clone())?;
            ensure!(kept == text, "{path} is not what was computed: run with --docs, and look");
        }
    }
    Ok(())
}
