//! Planted faults: `programs/faults.toml` names, for every check of the market program, a way to
//! take it out and the test on bytecode that must then fail. Here is the list, what of it can be
//! checked without building anything, and the tables that `docs/money.md` shows.

mod docs;
mod run;

pub(crate) use docs::{check as check_docs, write as write_docs};
pub(crate) use run::run;

use crate::tree::{Finding, Tree};
use anyhow::Context;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The list.
const LIST: &str = "programs/faults.toml";
/// Where faults may be planted: what the program is compiled from.
const PLACES: [&str; 3] = ["programs/market/src/", "programs/interface/src/", "crates/units/src/"];

/// `programs/faults.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    /// A test that fails when the program does nothing any more: a fault that it catches has
    /// broken more than one check.
    smoke: String,
    /// Binaries, and parts of names of tests, that take long: they run last.
    long: Vec<String>,
    trap: Vec<Trap>,
    fault: Vec<Fault>,
}

/// Something that could go wrong with the money, or a promise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trap {
    id: String,
    /// What an attacker tries.
    name: String,
    /// What stops it.
    stops: String,
    /// Tests of it that no fault names: where the trap is stopped by the runtime, say.
    #[serde(default)]
    tests: Vec<String>,
}

/// One check taken out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    name: String,
    /// The trap that it opens.
    trap: String,
    /// From the repository's root.
    file: String,
    /// Stands in the file exactly once.
    from: String,
    to: String,
    /// `binary::module::test` that fails with it.
    #[serde(default)]
    test: Option<String>,
    /// Why no test can see it.
    #[serde(default)]
    equivalent: Option<String>,
    /// It breaks the ordinary course of a lease too, and is meant to.
    #[serde(default)]
    blunt: bool,
}

impl Fault {
    /// The file's text with the fault in it.
    fn plant(&self, text: &str) -> Result<String, String> {
        match text.matches(self.from.as_str()).count() {
            1 => Ok(text.replacen(self.from.as_str(), &self.to, 1)),
            0 => Err(format!("`{}`: its text is not in {} any more", self.name, self.file)),
            n => Err(format!("`{}`: its text stands {n} times in {}", self.name, self.file)),
        }
    }
}

fn read(tree: &Tree) -> anyhow::Result<Faults> {
    toml::from_str(tree.get(LIST)?).context(LIST)
}

/// What can be wrong with the list itself; builds nothing.
pub(crate) fn check(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let faults = read(tree)?;
    let mut wrong = vec![];
    let traps: BTreeSet<&str> = faults.trap.iter().map(|trap| trap.id.as_str()).collect();
    let mut names = BTreeSet::new();
    for fault in &faults.fault {
        let name = &fault.name;
        if !names.insert(name) {
            wrong.push(format!("`{name}` stands twice"));
        }
        if !traps.contains(fault.trap.as_str()) {
            wrong.push(format!("`{name}`: there is no trap `{}`", fault.trap));
        }
        if fault.test.is_some() == fault.equivalent.is_some() {
            wrong.push(format!("`{name}`: name a test, or say why there is none"));
        }
        if !PLACES.iter().any(|place| fault.file.starts_with(place)) || fault.from == fault.to {
            wrong.push(format!("`{name}`: changes nothing of the program"));
        }
        wrong.extend(fault.plant(tree.get(&fault.file)?).err());
    }
    let named = faults.fault.iter().filter_map(|fault| fault.test.as_ref());
    let more = faults.trap.iter().flat_map(|trap| &trap.tests);
    for test in named.chain(more).chain([&faults.smoke]) {
        if !is_a_test(tree, test) {
            wrong.push(format!("there is no test `{test}`"));
        }
    }
    for trap in &faults.trap {
        if trap.tests.is_empty() && !faults.fault.iter().any(|fault| fault.trap == trap.id) {
            wrong.push(format!("no fault and no test for trap `{}`", trap.id));
        }
    }
    Ok(wrong.into_iter().map(|text| Finding::new(LIST, 0, text)).collect())
}

/// Whether `binary::module::test` is written somewhere in that module.
fn is_a_test(tree: &Tree, test: &str) -> bool {
    let Some((path, name)) = test.rsplit_once("::") else { return false };
    let path = format!("programs/tests/tests/{}", path.replace("::", "/"));
    let head = format!("fn {name}(");
    let files = [format!("{path}.rs"), format!("{path}/mod.rs"), format!("{path}/main.rs")];
    files.iter().any(|file| tree.get(file).is_ok_and(|text| text.contains(&head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_planted_at_one_place_only() {
        let fault: Fault = toml::from_str(
            "name = 'a'\ntrap = 'b'\nfile = 'c'\nfrom = 'x > 1'\nto = 'x > 2'\ntest = 'd'",
        )
        .unwrap();
        assert_eq!(fault.plant("if x > 1 {}").unwrap(), "if x > 2 {}");
        assert!(fault.plant("if y > 1 {}").is_err());
        assert!(fault.plant("x > 1, x > 1").is_err());
    }
}
