//! What a renter does with a cluster: the example, unmodified Ray tools, and what it costs.

use crate::harness::{runtime, said, turn, until};
use ionet_core::RAY_IMAGE;
use std::collections::BTreeSet;
use std::process::{Command, Output};

fn example(name: &str) -> String {
    format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_search_runs_on_three_devices_and_every_base_unit_is_somewhere() {
    let net = turn();
    let before = net.usdc(&[]);
    let cluster = net.create(3);
    let devices: BTreeSet<_> = cluster.devices().into_iter().collect();
    assert_eq!(devices.len(), 3);

    let output =
        net.run(&["cluster", "submit", &cluster.id, &example("digits_search.py"), "--follow"]);
    let log = said(&output);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("best model"), "{log}");
    for device in &devices {
        assert!(log.contains(device.as_str()), "no trial ran on {device}:\n{log}");
    }
    let kept = net.run(&["cluster", "logs", &cluster.id]);
    assert!(said(&kept).contains("best model"), "{}", said(&kept));

    until("every line has served", || {
        let shown = net.show(&cluster.id);
        let members = shown["members"].as_array().unwrap();
        members.iter().all(|m| m["served_s"].as_u64().unwrap_or(0) > 0)
    });
    let during = net.usdc(&[]);
    assert_eq!(during.sum(), before.sum(), "{before:?} {during:?}");
    assert!(during.vaults > 0);

    net.close(&cluster.id);
    let closed = net.usdc(&[]);
    assert_eq!(closed.sum(), before.sum(), "{before:?} {closed:?}");
    let (ledger, lease) = (net.ledger(), cluster.lease());
    let asked = runtime();
    until("the lease is settled and its accounts are gone", || {
        asked.block_on(ledger.lease(&lease)).is_ok_and(|l| l.is_none())
    });
    let after = net.usdc(&[]);
    assert_eq!(after.sum(), before.sum(), "{before:?} {after:?}");
    assert!(after.vaults <= before.vaults, "nothing of it is locked any more");
    assert!(after.suppliers > before.suppliers, "suppliers were paid: {before:?} {after:?}");
    assert!(after.renter < before.renter);
    let events = net.ok(&["cluster", "events", &cluster.id]);
    let kinds: Vec<_> =
        events.as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    for kind in ["cluster-requested", "lease-opened", "lines-bound", "cluster-ready"] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
}

/// Ray's own tools on "the renter's machine": the image's Ray in the host's network.
fn rays_own(token: &str, args: &[&str]) -> Output {
    let token = format!("RAY_AUTH_TOKEN={token}");
    let fixed = [
        "run",
        "--rm",
        "--network",
        "host",
        "--ulimit",
        "nofile=4096:4096",
        "--ulimit",
        "nproc=4096:4096",
        "-e",
        "RAY_AUTH_MODE=token",
        "-e",
        &token,
        RAY_IMAGE,
    ];
    Command::new("podman").args(fixed).args(args).output().unwrap()
}

#[test]
fn unmodified_ray_tools_reach_it_with_the_token_and_not_without() {
    let net = turn();
    let cluster = net.create(2);
    let job = ["ray", "job", "submit", "--address", &cluster.dashboard_url, "--"];
    let script = ["python", "-c", "print(6*7)"];
    let output = rays_own(&cluster.token, &[&job[..], &script[..]].concat());
    assert!(output.status.success() && said(&output).contains("42"), "{}", said(&output));

    let wrong = rays_own(&"0".repeat(64), &[&job[..], &script[..]].concat());
    assert!(!wrong.status.success(), "{}", said(&wrong));

    let client = format!(
        "import ray; ray.init('{}'); f = ray.remote(lambda x: x * x); print('got', \
         ray.get([f.remote(i) for i in range(4)]))",
        cluster.ray_address
    );
    // Ray's own proxy sometimes loses the first client server that it starts on a fresh head (it
    // finds a zombie, or says "Starting Ray client server failed"): a person would try again.
    let mut output = rays_own(&cluster.token, &["python", "-c", &client]);
    for _ in 0..2 {
        let text = said(&output);
        if text.contains("Initialization failure from server") || text.contains("server failed") {
            output = rays_own(&cluster.token, &["python", "-c", &client]);
        }
    }
    assert!(said(&output).contains("got [0, 1, 4, 9]"), "{}", said(&output));
    net.close(&cluster.id);
}
