//! The binary as people and scripts meet it, without any network: exit codes, JSON, keys.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// Nobody listens there: port 1 needs root and is long forgotten.
const NOBODY: &str = "http://127.0.0.1:1";

fn ionet(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ionet"));
    command.args(args).env("IONET_HOME", home).env("IONET_COORDINATOR", NOBODY);
    command.env("IONET_RPC", NOBODY).env_remove("IONET_WALLET").env_remove("SUDO_UID");
    command.stdin(std::process::Stdio::null()).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn each_kind_of_failure_has_its_code_and_a_next_step() {
    let home = tempfile::tempdir().unwrap();
    let cases: [(&[&str], i32); 10] = [
        (&["cluster", "create", "--devices", "3", "--chip", "warp-drive"], 2),
        (&["cluster", "create", "--devices", "3"], 2),
        (&["cluster", "create", "--devices", "3", "--chip", "cpu", "--min-tier", "gold"], 2),
        (&["wallet", "show"], 3),
        (&["cluster", "list"], 3),
        (&["local", "status"], 3),
        (&["worker", "start"], 3),
        (&["device", "accept", "ionet-grant-1.nonsense"], 2),
        (&["device", "list"], 6),
        (&["coordinator", "status"], 6),
    ];
    for (args, code) in cases {
        let done = ionet(home.path(), args);
        assert_eq!(done.status.code(), Some(code), "{args:?}: {}", text(&done.stderr));
        assert!(done.stdout.is_empty(), "{args:?}: answers only on success");
    }
    let said = text(&ionet(home.path(), &["device", "list"]).stderr);
    assert!(said.contains("next: start the local network with `ionet up`"), "{said}");
}

#[test]
fn json_failures_are_one_object_with_the_callers_request_id() {
    let home = tempfile::tempdir().unwrap();
    let done = ionet(home.path(), &["device", "list", "--json", "--request-id", "mine-1"]);
    assert_eq!(done.status.code(), Some(6));
    let answer: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(answer["error"]["kind"], "unreachable");
    assert_eq!(answer["error"]["exit_code"], 6);
    assert_eq!(answer["error"]["request_id"], "mine-1");
    assert!(done.stderr.is_empty(), "{}", text(&done.stderr));
}

#[test]
fn a_wallet_is_made_once_and_for_its_owner_only() {
    let home = tempfile::tempdir().unwrap();
    let made = ionet(home.path(), &["wallet", "new", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let path = home.path().join("wallet.json");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let key = std::fs::read(&path).unwrap();
    let shown = ionet(home.path(), &["wallet", "address"]);
    assert_eq!(text(&shown.stdout).trim(), answer["address"].as_str().unwrap());

    let again = ionet(home.path(), &["wallet", "new"]);
    assert_eq!(again.status.code(), Some(4), "{}", text(&again.stderr));
    assert_eq!(std::fs::read(&path).unwrap(), key);
    let unreachable = ionet(home.path(), &["wallet", "show"]);
    assert_eq!(unreachable.status.code(), Some(6), "{}", text(&unreachable.stderr));
}

#[test]
fn nothing_is_signed_without_consent_when_nobody_can_be_asked() {
    let home = tempfile::tempdir().unwrap();
    assert!(ionet(home.path(), &["wallet", "new"]).status.success());
    let done = ionet(home.path(), &["cluster", "create", "--devices", "1", "--chip", "cpu"]);
    // It does not even come to the question: there is no chain to compare terms with.
    assert_eq!(done.status.code(), Some(6), "{}", text(&done.stderr));
    assert!(!home.path().join("intents").exists());
}

#[test]
fn a_spec_of_ten_megabytes_is_refused_before_it_is_read_as_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("spec.json");
    std::fs::write(&path, vec![b' '; 10 << 20]).unwrap();
    let done = ionet(home.path(), &["cluster", "create", "--spec", path.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("at most 16384 bytes"), "{}", text(&done.stderr));
}

#[test]
fn a_misspelt_setting_is_told_and_not_dropped() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "cordinator_url = \"x\"\n").unwrap();
    let done = ionet(home.path(), &["device", "classes"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("cordinator_url"), "{}", text(&done.stderr));
}

#[test]
fn no_escape_codes_reach_a_pipe() {
    let home = tempfile::tempdir().unwrap();
    let done = ionet(home.path(), &["device", "classes"]);
    assert!(done.status.success());
    assert!(text(&done.stdout).contains("h100-sxm-80"));
    assert!(!done.stdout.contains(&0x1b));
}

#[test]
fn completions_name_the_commands() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let done = ionet(home.path(), &["completions", shell]);
        assert!(done.status.success());
        assert!(text(&done.stdout).contains("cluster"), "{shell}");
    }
}

#[test]
fn the_readmes_exit_codes_are_those_of_the_help() {
    let home = tempfile::tempdir().unwrap();
    let help = text(&ionet(home.path(), &["--help"]).stdout);
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let rows = help.lines().skip_while(|l| !l.starts_with("Exit codes")).skip(1);
    let mut seen = 0;
    for row in rows.take_while(|l| l.starts_with("  ")) {
        let (code, meaning) = row.trim().split_once(' ').unwrap();
        let line = format!("| {code} | {} |", meaning.trim());
        assert!(readme.contains(&line), "README lacks: {line}");
        seen += 1;
    }
    assert_eq!(seen, 10);
}
