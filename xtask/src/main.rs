//! The house's own checks: `cargo xtask tidy`, also run by `cargo test -p xtask`.

mod faults;
mod ground;
mod length;
mod rooms;
mod text;
mod tree;

use anyhow::{Context, bail};
use std::process::{Command, ExitCode};
use tree::{Finding, Tree};

const HELP: &str = "\
cargo xtask tidy          check rooms, ground floor, lengths, markers, links
cargo xtask tidy --lower  the same, and lower the numbers of xtask/lengths.toml to what is there
cargo xtask openapi       write openapi/coordinator.json anew
cargo xtask idl           write programs/idl/market.json and its tables in docs/money.md anew
cargo xtask bench [..]    measure, and write docs/benchmarks.md anew
cargo xtask faults [..]   plant each fault of programs/faults.toml (or those whose name contains
                          one of these words), and see that its test catches it
cargo xtask faults --docs write the table of traps in docs/money.md anew";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["tidy"] => tidy(false),
        ["tidy", "--lower"] => tidy(true),
        ["openapi"] => openapi(),
        ["idl"] => idl(),
        ["bench", ..] => bench(&words[1..]),
        ["faults", "--docs"] => faults::write_docs(),
        ["faults", ..] => faults::run(&words[1..]),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tidy(lower: bool) -> anyhow::Result<()> {
    let tree = Tree::of_this_repository()?;
    if lower {
        length::lower(&tree)?;
    }
    let findings = all_findings(&tree)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("tidy: {} files", tree.files.len());
    Ok(())
}

fn all_findings(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let mut findings = rooms::check(tree)?;
    findings.extend(ground::check(tree)?);
    findings.extend(length::check(tree)?);
    findings.extend(text::check(tree));
    findings.extend(faults::check(tree)?);
    findings.extend(faults::check_docs(tree)?);
    findings.sort();
    Ok(findings)
}

/// The coordinator's own test writes the document: only it knows the handlers.
fn openapi() -> anyhow::Result<()> {
    let args = ["test", "-q", "-p", "ionet-coordinator", "--test", "api", "openapi::"];
    cargo(Command::new(env!("CARGO")).args(args).env("UPDATE_OPENAPI", "1"))
}

/// The crate's own test writes what it compares.
fn idl() -> anyhow::Result<()> {
    let args = ["test", "-q", "-p", "ionet-market-idl"];
    cargo(Command::new(env!("CARGO")).args(args).env("UPDATE_GOLDEN", "1"))
}

fn bench(args: &[&str]) -> anyhow::Result<()> {
    let run = ["run", "--release", "-q", "-p", "ionet-bench", "--"];
    cargo(Command::new(env!("CARGO")).args(run).args(args))
}

fn cargo(command: &mut Command) -> anyhow::Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let status = command.current_dir(root).status().context("cargo")?;
    if !status.success() {
        bail!("cargo failed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let tree = Tree::of_this_repository().unwrap();
        assert!(tree.files.len() > 50, "the checks saw {} files", tree.files.len());
        let findings = all_findings(&tree).unwrap();
        let text: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(text.is_empty(), "{}", text.join("\n"));
    }
}
