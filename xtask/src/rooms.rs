//! Who imports whom: manifests against `docs/rooms.toml`, and dependencies against their reasons.

use crate::ground::holds_word;
use crate::tree::{Finding, Tree};
use anyhow::Context;
use serde::Deserialize;
use std::collections::BTreeMap;

const TABLE: &str = "docs/rooms.toml";
const REASONS: &str = "docs/dependencies.md";

/// `docs/rooms.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rooms {
    /// What ground-floor rooms may take from others.
    pub(crate) ground_dependencies: Vec<String>,
    /// In the order in which they build on each other.
    #[serde(rename = "room")]
    pub(crate) rooms: Vec<Room>,
}

/// One room.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Room {
    /// Its folder.
    pub(crate) path: String,
    /// Whether it stands on the ground floor: no I/O, no async, no clock, no entropy.
    #[serde(default)]
    pub(crate) ground: bool,
    /// Rooms that it may import.
    uses: Vec<String>,
    /// Rooms that only its tests may import besides.
    #[serde(default)]
    tests_use: Vec<String>,
    /// Dependencies that are named for their features only: others of it use them.
    #[serde(default)]
    for_features: Vec<String>,
}

pub(crate) fn load(tree: &Tree) -> anyhow::Result<Rooms> {
    toml::from_str(tree.get(TABLE)?).context(TABLE)
}

/// A manifest's dependencies: names, and whether only tests need them.
struct Manifest {
    path: String,
    dependencies: Vec<(String, toml::Value, bool)>,
}

fn manifest(tree: &Tree, room: &str) -> anyhow::Result<Manifest> {
    let path = format!("{room}/Cargo.toml");
    let table: toml::Table = tree.get(&path)?.parse().with_context(|| path.clone())?;
    let mut dependencies = vec![];
    let mut take = |table: &toml::Table| {
        for (name, tests) in
            [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
        {
            let all = table.get(name).and_then(toml::Value::as_table).into_iter().flatten();
            dependencies.extend(all.map(|(n, v)| (n.clone(), v.clone(), tests)));
        }
    };
    take(&table);
    for target in table.get("target").and_then(toml::Value::as_table).into_iter().flatten() {
        target.1.as_table().into_iter().for_each(&mut take);
    }
    Ok(Manifest { path, dependencies })
}

pub(crate) fn check(tree: &Tree) -> anyhow::Result<Vec<Finding>> {
    let table = load(tree)?;
    let workspace: toml::Table = tree.get("Cargo.toml")?.parse()?;
    let shared = workspace["workspace"]["dependencies"].as_table().context("no dependencies")?;
    let mut packages = BTreeMap::new();
    for room in &table.rooms {
        let manifest: toml::Table = tree.get(&format!("{}/Cargo.toml", room.path))?.parse()?;
        let name = manifest["package"]["name"].as_str().context("a package without a name")?;
        packages.insert(name.to_owned(), room.path.clone());
    }
    let mut findings = order(&table);
    findings.extend(strangers(tree, &table));
    let mut used = vec![];
    for room in &table.rooms {
        let manifest = manifest(tree, &room.path)?;
        findings.extend(edges(room, &manifest, &packages));
        let external: Vec<_> =
            manifest.dependencies.iter().filter(|d| !packages.contains_key(&d.0)).collect();
        for (name, value, tests) in &external {
            let inherits = value.get("workspace").is_some();
            if !inherits && shared.contains_key(name) && room.path != "programs/market" {
                let text = format!("`{name}` has a version of its own; say `workspace = true`");
                let alone = room.path == "crates/units";
                findings.extend((!alone).then(|| Finding::new(&manifest.path, 0, text)));
            }
            if room.ground && !tests && !table.ground_dependencies.contains(name) {
                let text = format!("ground floor: `{name}` is not in ground_dependencies");
                findings.push(Finding::new(&manifest.path, 0, text));
            }
        }
        findings.extend(unused(tree, room, &manifest));
        used.extend(external.into_iter().map(|d| d.0.clone()));
    }
    findings.extend(reasons(tree.get(REASONS)?, shared, &used, &packages));
    Ok(findings)
}

/// A room may import only rooms that stand before it: no cycle, and a reader can begin on top.
fn order(table: &Rooms) -> Vec<Finding> {
    let mut findings = vec![];
    for (at, room) in table.rooms.iter().enumerate() {
        for used in room.uses.iter().chain(&room.tests_use) {
            let place = table.rooms.iter().position(|r| r.path == *used);
            if place.is_none_or(|place| place >= at) {
                let text = format!("{}: `{used}` does not stand before it", room.path);
                findings.push(Finding::new(TABLE, 0, text));
            }
        }
        let ground = |path: &String| table.rooms.iter().any(|r| r.path == *path && r.ground);
        if room.ground && !room.uses.iter().all(ground) {
            let text = format!("{}: ground floor on top of an upper floor", room.path);
            findings.push(Finding::new(TABLE, 0, text));
        }
    }
    findings
}

/// Crates that the table does not know.
fn strangers(tree: &Tree, table: &Rooms) -> Vec<Finding> {
    let crates = tree.files.iter().filter_map(|f| f.path.strip_suffix("/Cargo.toml"));
    let unknown = crates.filter(|path| !table.rooms.iter().any(|r| r.path == **path));
    let text = |path| Finding::new(TABLE, 0, format!("the room `{path}` is not in the table"));
    unknown.map(text).collect()
}

fn edges(room: &Room, manifest: &Manifest, packages: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut findings = vec![];
    for (name, _, tests) in &manifest.dependencies {
        let Some(target) = packages.get(name) else { continue };
        if !(room.uses.contains(target) || *tests && room.tests_use.contains(target)) {
            let text = format!("a new edge to {target}: a decision, to be written in {TABLE}");
            findings.push(Finding::new(&manifest.path, 0, text));
        }
    }
    findings
}

/// Dependencies whose name stands nowhere in the room's code.
fn unused(tree: &Tree, room: &Room, manifest: &Manifest) -> Vec<Finding> {
    let rust = || tree.under(&room.path).filter(|f| f.path.ends_with(".rs"));
    let mut findings = vec![];
    let all = manifest.dependencies.iter().filter(|d| !room.for_features.contains(&d.0));
    for (name, _, tests) in all {
        let ident = name.replace('-', "_");
        let sources = format!("{}/src/", room.path);
        let mut places = rust().filter(|f| *tests || f.path.starts_with(&sources));
        if !places.any(|f| f.text.lines().any(|line| holds_word(line, &ident))) {
            findings.push(Finding::new(&manifest.path, 0, format!("`{name}` is not used")));
        }
    }
    findings
}

/// Each dependency that is not ours has its reason, and each reason its dependency.
fn reasons(
    document: &str,
    shared: &toml::Table,
    used: &[String],
    packages: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let named: Vec<&str> =
        rows.flat_map(|row| row.split('|').next().unwrap_or("").split('`').step_by(2)).collect();
    let mut findings = vec![];
    let mut names: Vec<_> = shared.keys().filter(|name| !packages.contains_key(*name)).collect();
    names.extend(used);
    names.sort();
    names.dedup();
    for name in &names {
        if !named.contains(&name.as_str()) {
            findings.push(Finding::new(REASONS, 0, format!("no reason for `{name}`")));
        }
        if !used.contains(name) {
            findings.push(Finding::new("Cargo.toml", 0, format!("nobody uses `{name}`")));
        }
    }
    for name in named.iter().filter(|n| !n.trim_matches([' ', ',']).is_empty()) {
        if !names.iter().any(|n| n == name) {
            findings.push(Finding::new(REASONS, 0, format!("`{name}` is no dependency")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Rooms {
        toml::from_str(&format!("ground_dependencies = []\n{text}")).unwrap()
    }

    #[test]
    fn a_cycle_and_a_floor_in_the_air_are_found() {
        let fine = "[[room]]\npath='a'\nground=true\nuses=[]\n[[room]]\npath='b'\nuses=['a']";
        assert_eq!(order(&table(fine)), []);
        let cycle = "[[room]]\npath='a'\nuses=['b']\n[[room]]\npath='b'\nuses=['a']";
        assert_eq!(order(&table(cycle)).len(), 1);
        let air = "[[room]]\npath='a'\nuses=[]\n[[room]]\npath='b'\nground=true\nuses=['a']";
        assert_eq!(order(&table(air)).len(), 1);
    }

    #[test]
    fn an_edge_outside_the_table_is_found() {
        let table =
            table("[[room]]\npath='a'\nuses=[]\n[[room]]\npath='b'\nuses=[]\ntests_use=['a']");
        let packages = BTreeMap::from([("pa".to_owned(), "a".to_owned())]);
        let with = |tests| Manifest {
            path: "b/Cargo.toml".into(),
            dependencies: vec![("pa".into(), toml::Value::Boolean(true), tests)],
        };
        assert_eq!(edges(&table.rooms[1], &with(true), &packages), []);
        assert_eq!(edges(&table.rooms[1], &with(false), &packages).len(), 1);
    }

    #[test]
    fn reasons_without_dependencies_and_dependencies_without_reasons() {
        let shared: toml::Table = "a = '1'\nb = '1'".parse().unwrap();
        let used = ["a".to_owned(), "b".to_owned()];
        let found = |document: &str| reasons(document, &shared, &used, &BTreeMap::new()).len();
        assert_eq!(found("| `a`, `b` | why |"), 0);
        assert_eq!(found("| `a` | why, not `b` |"), 1);
        assert_eq!(found("| `a` | why |\n| `b` | why |\n| `c` | why |"), 1);
    }
}
