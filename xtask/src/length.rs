//! A file is about one thing and a function fits a screen. What is longer stands in
//! `xtask/lengths.toml` with its number of lines, which may only fall.

use crate::tree::{File, Finding, Tree};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const LIST: &str = "xtask/lengths.toml";
/// Lines of a file.
const FILE_LINES_MAX: usize = 700;
/// Lines of a function, its head included.
const FUNCTION_LINES_MAX: usize = 70;

/// What is longer than it should be, with its lines.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lengths {
    files: BTreeMap<String, usize>,
    functions: BTreeMap<String, usize>,
}

const HEAD: &str = "\
# Files and functions that are too long. The numbers may only fall: shorten the thing, then
# `cargo xtask tidy --lower`. Nothing may be added.
";

fn listed(tree: &Tree) -> anyhow::Result<Lengths> {
    toml::from_str(tree.get(LIST)?).context(LIST)
}

fn measured(tree: &Tree) -> Lengths {
    let mut lengths = Lengths::default();
    for file in tree.files.iter().filter(|f| f.path.ends_with(".rs")) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            lengths.files.insert(file.path.clone(), lines);
        }
        for (name, lines) in functions(file) {
            if lines > FUNCTION_LINES_MAX {
                let longest = lengths.functions.entry(format!("{}:{name}", file.path)).or_default();
                *longest = lines.max(*longest);
            }
        }
    }
    lengths
}

/// Names and lines of a file's functions. rustfmt puts the closing brace under the `fn`.
fn functions(file: &File) -> Vec<(String, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = vec![];
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let close = format!("{indent}}}");
        let rest = lines[at..].iter().take_while(|l| l.trim().is_empty() || l.starts_with(indent));
        let end = rest
            .enumerate()
            .find(|(i, l)| **l == close || (*i == 0 && (l.ends_with('}') || l.ends_with(';'))));
        found.extend(end.map(|(i, _)| (name.to_owned(), i + 1)));
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let word = words.find(|w| {
        !matches!(*w, "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"" | "default")
            && !w.starts_with("pub(")
    });
    if word != Some("fn") {
        return None;
    }
    words.next()?.split(['(', '<']).next()
}

fn compare(
    kind: &str,
    max: usize,
    have: &BTreeMap<String, usize>,
    may: &BTreeMap<String, usize>,
) -> Vec<Finding> {
    let mut findings = vec![];
    for (name, lines) in have {
        match may.get(name) {
            None => {
                let text = format!("a {kind} of {lines} lines; at most {max}");
                findings.push(Finding::new(name, 0, text));
            }
            Some(allowed) if lines > allowed => {
                let text = format!("has grown from {allowed} to {lines} lines; {LIST} only falls");
                findings.push(Finding::new(name, 0, text));
            }
            Some(_) => (),
        }
    }
    for (name, allowed) in may {
        let lines = have.get(name).copied();
        if lines.is_none_or(|lines| lines < *allowed) {
            let text = format!("{name} is shorter now: `cargo xtask tidy --lower`");
            findings.push(Finding::new(LIST, 0, text));
        }
    }
    findings
}

pub(crate) fn check(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let (have, may) = (measured(tree), listed(tree)?);
    let mut findings = compare("file", FILE_LINES_MAX, &have.files, &may.files);
    findings.extend(compare("function", FUNCTION_LINES_MAX, &have.functions, &may.functions));
    Ok(findings)
}

/// Writes the list anew with what has become shorter. Adds nothing, raises nothing.
pub(crate) fn lower(tree: &Tree) -> anyhow::Result<()> {
    let (have, mut may) = (measured(tree), listed(tree)?);
    fall(&mut may.files, &have.files);
    fall(&mut may.functions, &have.functions);
    std::fs::write(tree.root.join(LIST), format!("{HEAD}{}", toml::to_string(&may)?))?;
    println!("{LIST} is lowered; check again");
    Ok(())
}

fn fall(may: &mut BTreeMap<String, usize>, have: &BTreeMap<String, usize>) {
    may.retain(|name, _| have.contains_key(name));
    for (name, allowed) in may {
        *allowed = have[name].min(*allowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Vec<(String, usize)> {
        functions(&File { path: "x.rs".into(), text: text.into() })
    }

    #[test]
    fn functions_are_counted_from_head_to_brace() {
        let text = "impl A {\n    pub(crate) async fn one<T>(\n        a: T,\n    ) {\n        \
                    if a {\n        }\n    }\n\n    fn two() {}\n}\n\nfn three() {\n}\n";
        let expected = [("one".to_owned(), 6), ("two".to_owned(), 1), ("three".to_owned(), 2)];
        assert_eq!(count(text), expected);
        assert_eq!(
            count("trait A {\n    fn said(&self);\n}\n// a fn of note\n"),
            [("said".to_owned(), 1)]
        );
    }

    #[test]
    fn numbers_only_fall() {
        let map = |n: usize| BTreeMap::from([("a".to_owned(), n)]);
        let none = BTreeMap::new();
        assert_eq!(compare("file", 1, &map(5), &none).len(), 1, "new");
        assert_eq!(compare("file", 1, &map(6), &map(5)).len(), 1, "grown");
        assert_eq!(compare("file", 1, &map(4), &map(5)).len(), 1, "to be lowered");
        assert_eq!(compare("file", 1, &map(5), &map(5)).len(), 0);
        let mut may = map(5);
        fall(&mut may, &map(9));
        assert_eq!(may, map(5));
        fall(&mut may, &map(3));
        assert_eq!(may, map(3));
        fall(&mut may, &none);
        assert_eq!(may, none);
    }
}
