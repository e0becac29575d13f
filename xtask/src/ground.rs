//! The ground floor decides and never does: no I/O, no async, no clock, no entropy, no float,
//! no map whose order can leak. Its dependencies are checked in `rooms`, its words here.

use crate::rooms;
use crate::tree::{Finding, Tree};

/// Words that have no place there, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("tokio", "no async: take events in, give effects out"),
    ("async", "no async: take events in, give effects out"),
    ("Instant", "no clock: time comes in as an argument"),
    ("SystemTime", "no clock: time comes in as an argument"),
    ("std::fs", "no I/O: bytes come in as an argument"),
    ("std::net::Tcp", "no I/O: bytes come in as an argument"),
    ("std::net::Udp", "no I/O: bytes come in as an argument"),
    ("std::env", "no environment: settings come in as an argument"),
    ("std::process", "no I/O: bytes come in as an argument"),
    ("std::thread", "no threads: the edge schedules"),
    ("rand", "no entropy: a seeded generator comes in as an argument"),
    ("HashMap", "its order can leak into a decision: BTreeMap"),
    ("HashSet", "its order can leak into a decision: BTreeSet"),
    ("f32", "no floats near money: integers in the smallest unit"),
    ("f64", "no floats near money: integers in the smallest unit"),
];

/// clippy's bans for one ground-floor crate; all have the same.
const CLIPPY: &str = "crates/core/clippy.toml";

pub(crate) fn check(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let table = rooms::load(tree)?;
    let model = tree.get(CLIPPY)?;
    let mut findings = vec![];
    for room in table.rooms.iter().filter(|room| room.ground) {
        let clippy = format!("{}/clippy.toml", room.path);
        if tree.get(&clippy).ok() != Some(model) {
            findings.push(Finding::new(&clippy, 0, format!("must say what {CLIPPY} says")));
        }
        let sources = format!("{}/src", room.path);
        let rust = tree.under(&sources).filter(|f| f.path.ends_with(".rs"));
        for file in rust.filter(|f| !is_test(&f.path)) {
            findings.extend(words(&file.path, &file.text));
        }
    }
    Ok(findings)
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn words(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = vec![];
    // Tests stand last in a file, by habit.
    let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
    for (at, line) in code.enumerate() {
        let code = line.split("//").next().unwrap_or("");
        for (word, instead) in BANNED {
            if holds_word(code, word) {
                findings.push(Finding::new(path, at + 1, format!("`{word}`: {instead}")));
            }
        }
    }
    findings
}

/// Whether `word` stands in `line` by itself.
pub(crate) fn holds_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part);
        // `std::net::Tcp` stands for all names that begin so.
        let open = word.starts_with("std::net");
        let after = line[at + word.len()..].chars().next().is_some_and(part);
        !before && (open || !after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_code_only() {
        let found = |text: &str| words("x.rs", text).len();
        assert_eq!(found("let m: HashMap<u8, f64> = x;"), 2);
        assert_eq!(found("use std::net::TcpStream; use std::net::IpAddr;"), 1);
        assert_eq!(found("// a HashMap would leak\nlet operand = brand(3);"), 0);
        assert_eq!(found("fn a() {}\n#[cfg(test)]\nmod tests { use std::fs; }"), 0);
    }
}
