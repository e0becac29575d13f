//! The tables of `docs/money.md` that follow from the list.

use super::{Fault, Faults, LIST, read};
use crate::tree::{Finding, Tree};
use anyhow::Context;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The page that shows them.
pub(super) const PAGE: &str = "docs/money.md";

/// Whether the page shows what the list says.
pub(crate) fn check(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let page = tree.get(PAGE)?;
    let stale = replaced(page, "traps", &table(&read(tree)?))? != page;
    let text = format!("does not show what {LIST} says: `cargo xtask faults --docs`");
    Ok(stale.then(|| Finding::new(PAGE, 0, text)).into_iter().collect())
}

/// Writes the table of traps.
pub(crate) fn write() -> anyhow::Result<()> {
    let tree = Tree::of_this_repository()?;
    write_part(&tree, "traps", &table(&read(&tree)?))
}

/// Writes what stands between the markers of this name, in the page as it is now.
pub(super) fn write_part(tree: &Tree, name: &str, body: &str) -> anyhow::Result<()> {
    let path = tree.root.join(PAGE);
    let page = std::fs::read_to_string(&path).context(PAGE)?;
    std::fs::write(&path, replaced(&page, name, body)?).context(PAGE)
}

fn replaced(page: &str, name: &str, body: &str) -> anyhow::Result<String> {
    let (open, close) = (format!("<!-- generated: {name} -->"), format!("<!-- end: {name} -->"));
    let (before, rest) = page.split_once(&open).with_context(|| format!("{PAGE}: no {open}"))?;
    let (_, after) = rest.split_once(&close).with_context(|| format!("{PAGE}: no {close}"))?;
    Ok(format!("{before}{open}\n{body}\n{close}{after}"))
}

/// Each trap with what stops it and the tests that fail when that is taken out.
fn table(faults: &Faults) -> String {
    let mut out = "| trap | what stops it | faults | tests |\n| --- | --- | --- | --- |".to_owned();
    for trap in &faults.trap {
        let of: Vec<&Fault> = faults.fault.iter().filter(|f| f.trap == trap.id).collect();
        let named = of.iter().filter_map(|fault| fault.test.as_ref()).chain(&trap.tests);
        let tests: BTreeSet<String> = named.map(|test| format!("`{}`", short(test))).collect();
        let tests = Vec::from_iter(tests).join(", ");
        let _ = write!(out, "\n| {} | {} | {} | {tests} |", trap.name, trap.stops, of.len());
    }
    out
}

/// A test without its binary.
fn short(test: &str) -> &str {
    test.split_once("::").map_or(test, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = "a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb";
        let new = replaced(page, "x", "new").unwrap();
        assert_eq!(new, "a\n<!-- generated: x -->\nnew\n<!-- end: x -->\nb");
        assert!(replaced(page, "y", "new").is_err());
    }
}
