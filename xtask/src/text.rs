//! Lines that fit, no stray markers, no paths of somebody's machine, links that lead somewhere.

use crate::ground::holds_word;
use crate::tree::{File, Finding, Tree};
use std::path::Path;

/// Columns of a line.
const LINE_CHARS_MAX: usize = 100;
/// Kinds of file whose lines are counted. Tables in Markdown and TOML may be longer.
const COUNTED: [&str; 3] = [".rs", ".sh", ".py"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let places = machine_places(tree);
    let mut findings = vec![];
    for file in tree.files.iter().filter(|f| !is_made(&f.path)) {
        let counted = COUNTED.iter().any(|kind| file.path.ends_with(kind));
        for (at, line) in file.text.lines().enumerate() {
            let mut found = |text: &str| findings.push(Finding::new(&file.path, at + 1, text));
            if counted && is_too_long(line) {
                found(&format!("over {LINE_CHARS_MAX} characters"));
            }
            if let Some(marker) = marker(line) {
                found(&format!("`{marker}`: do it, or write an issue"));
            }
            if places.iter().any(|place| line.contains(place.as_str())) || names_a_home(line) {
                found("a path of somebody's machine");
            }
        }
        if file.path.ends_with(".md") {
            findings.extend(dead_links(&tree.root, file));
        }
    }
    findings
}

/// Files that a tool wrote.
fn is_made(path: &str) -> bool {
    let endings = ["Cargo.lock", "package-lock.json", ".snap", "programs/idl/market.json"];
    path.starts_with("openapi/") || endings.iter().any(|ending| path.ends_with(ending))
}

/// A link cannot be broken, so it may be longer.
fn is_too_long(line: &str) -> bool {
    line.chars().count() > LINE_CHARS_MAX && !line.contains("https://")
}

/// Words that mean "not done". Put together here, so that this file does not hold them.
fn marker(line: &str) -> Option<String> {
    let words = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|halves| halves.concat());
    let bang = ["to", "do!"].concat();
    words
        .into_iter()
        .find(|word| holds_word(line, word))
        .or_else(|| line.contains(&bang).then_some(bang))
}

/// This clone's folder and the user's home: neither belongs into the project.
fn machine_places(tree: &Tree) -> Vec<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    // A folder right under the root may well be a word of its own elsewhere.
    let clone = (tree.root.components().count() > 2).then_some(tree.root.as_path());
    let home = Some(Path::new(&home)).filter(|home| home.components().count() > 1);
    // Root's home is in every container too; what tools keep in it is this machine's.
    let kept = home.map(|home| format!("{}/.", home.display()));
    clone.map(|clone| format!("{}/", clone.display())).into_iter().chain(kept).collect()
}

/// The home of somebody by name; the users inside containers are nobody.
fn names_a_home(line: &str) -> bool {
    let homes = [["/ho", "me/"].concat(), ["/Us", "ers/"].concat()];
    homes.iter().any(|home| {
        line.split(home.as_str()).skip(1).any(|rest| {
            let user = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
            !user.is_empty() && !["job", "ray"].contains(&user)
        })
    })
}

/// Relative links of Markdown whose file is not there.
fn dead_links(root: &Path, file: &File) -> Vec<Finding> {
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let mut findings = vec![];
    for (at, line) in file.text.lines().enumerate() {
        for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or("");
            let remote = target.is_empty() || link.contains("://") || link.starts_with("mailto:");
            if !remote && !root.join(folder).join(target).exists() {
                let text = format!("`{target}` is not there");
                findings.push(Finding::new(&file.path, at + 1, text));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_homes_and_links() {
        assert!(marker(&["// FIX", "ME later"].concat()).is_some());
        assert!(marker("mktemp /tmp/aXXXXXX").is_none());
        assert!(names_a_home(&["cd /ho", "me/alice/x"].concat()));
        assert!(!names_a_home(&["ENV H=/ho", "me/ray"].concat()));
        let file = File { path: "docs/a.md".into(), text: "[a](none.md) [b](https://x)".into() };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(dead_links(&root, &file).len(), 1);
        assert!(is_too_long(&"x".repeat(101)) && !is_too_long(&"x".repeat(100)));
    }
}
