//! What is committed is what the interface says.

use ionet_market_idl::{document, errors_table, events_table, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Set to write the files anew: `cargo xtask idl`.
const UPDATE: &str = "UPDATE_GOLDEN";

fn at(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_committed_idl_is_current() {
    let path = at("market.json");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, text()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text(), "programs/idl/market.json is old: run `cargo xtask idl`");
}

#[test]
fn the_tables_in_the_docs_are_current() {
    let path = at("../../docs/money.md");
    for (name, table) in [("errors", errors_table()), ("events", events_table())] {
        let page = std::fs::read_to_string(&path).unwrap();
        let (begin, end) =
            (format!("<!-- generated: {name} -->\n"), format!("<!-- end: {name} -->"));
        let (before, rest) = page.split_once(&begin).expect("a marked place");
        let (found, after) = rest.split_once(&end).expect("its end");
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
        } else {
            assert!(found == table, "docs/money.md, {name}: run `cargo xtask idl`");
        }
    }
}

/// Calls `found` with every object of the document.
fn walk(value: &Value, found: &mut impl FnMut(&Value)) {
    found(value);
    match value {
        Value::Array(all) => all.iter().for_each(|item| walk(item, found)),
        Value::Object(all) => all.values().for_each(|item| walk(item, found)),
        _ => {}
    }
}

#[test]
fn every_link_leads_somewhere_and_no_name_is_used_twice() {
    let document = document();
    let names = |list: &str| -> BTreeSet<String> {
        let all = document["program"][list].as_array().unwrap();
        let names: BTreeSet<String> =
            all.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names.len(), all.len(), "a name twice in {list}");
        names
    };
    let (types, pdas) = (names("definedTypes"), names("pdas"));
    for list in ["accounts", "instructions", "events", "errors", "constants"] {
        assert!(!names(list).is_empty());
    }
    let mut links = 0;
    walk(&document, &mut |node| {
        let known = match node["kind"].as_str() {
            Some("definedTypeLinkNode") => &types,
            Some("pdaLinkNode") => &pdas,
            _ => return,
        };
        links += 1;
        assert!(known.contains(node["name"].as_str().unwrap()), "{node}");
    });
    assert!(links > 20, "{links} links");
}

#[test]
fn every_instruction_has_an_event_and_every_error_its_advice() {
    let document = document();
    let program = &document["program"];
    let names = |list: &str| -> Vec<&str> {
        program[list].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect()
    };
    assert_eq!(names("instructions"), names("events"));
    for error in program["errors"].as_array().unwrap() {
        assert!(error["code"].as_u64().unwrap() > 7_000);
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
}
