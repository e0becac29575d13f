//! Processes that die, and a chain that stands still: state, containers and money agree
//! afterwards, and the job that ran goes on.

use crate::harness::{Cluster, Network, create_args, said, succeeded, turn, until};
use serde_json::Value;

/// A job that counts for `seconds` and then says so. Returns its id.
fn counting(net: &Network, cluster: &str, seconds: u32) -> String {
    let script = net.home().join("counting.py");
    let code = "import sys, time\nfor i in range(int(sys.argv[1])):\n    \
                print('tick', i, flush=True)\n    time.sleep(1)\nprint('counted to the end')\n";
    std::fs::write(&script, code).unwrap();
    let script = script.to_str().unwrap();
    let seconds = seconds.to_string();
    let submit = ["cluster", "submit", cluster, script, "--detach", "--", &seconds];
    let made = net.ok(&submit);
    made["job"].as_str().unwrap().to_owned()
}

fn log(net: &Network, cluster: &str, job: &str) -> String {
    said(&net.run(&["cluster", "logs", cluster, "--job", job]))
}

/// Waits until the job is under way.
fn ticks(net: &Network, cluster: &str, job: &str) {
    until("the job counts", || log(net, cluster, job).contains("tick 1"));
}

/// Waits until it ended, and looks that it was never started anew.
fn counted(net: &Network, cluster: &str, job: &str) {
    until("the job counted to the end", || log(net, cluster, job).contains("counted to the end"));
    let text = log(net, cluster, job);
    assert_eq!(text.matches("tick 0").count(), 1, "{text}");
}

fn state(net: &Network, id: &str) -> String {
    let output = net.run(&["cluster", "show", id]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    shown["state"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_coordinator_killed_while_a_job_runs_costs_nothing() {
    let net = turn();
    let before = net.usdc(&[]);
    let cluster = net.create(2);
    let job = counting(&net, &cluster.id, 40);
    ticks(&net, &cluster.id, &job);
    let containers = cluster.containers();
    assert_eq!(containers.len(), 2);
    net.kill_coordinator();
    counted(&net, &cluster.id, &job);
    assert_eq!(cluster.containers(), containers, "no container noticed");
    until("the cluster is ready again", || state(&net, &cluster.id) == "ready");
    let served = |shown: &Value| -> Vec<u64> {
        let members = shown["members"].as_array().unwrap();
        members.iter().map(|m| m["served_s"].as_u64().unwrap()).collect()
    };
    let first = served(&net.show(&cluster.id));
    until("the meters go on", || {
        let now = served(&net.show(&cluster.id));
        assert!(first.iter().zip(&now).all(|(a, b)| a <= b), "{first:?} {now:?}");
        first.iter().zip(&now).all(|(a, b)| a < b)
    });
    assert_eq!(net.usdc(&[]).sum(), before.sum());
    net.close(&cluster.id);
    assert_eq!(net.usdc(&[]).sum(), before.sum());
}

#[test]
fn a_coordinator_killed_during_create_and_close_ends_where_it_was_going() {
    let net = turn();
    let before = net.usdc(&[]);
    let args = create_args("2");
    let create = net.spawn(&args);
    until("the create is under way", || {
        let output = net.run(&["cluster", "list"]);
        let clusters: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let state = |c: &Value| c["state"].as_str().unwrap_or_default().to_owned();
        clusters.as_array().is_some_and(|all| {
            all.iter().any(|c| ["funded", "starting"].contains(&state(c).as_str()))
        })
    });
    net.kill_coordinator();
    let output = create.wait_with_output().unwrap();
    let cluster = Cluster::of(&succeeded(&args, &output));
    assert_eq!(cluster.containers().len(), 2);

    let close = net.spawn(&["cluster", "close", &cluster.id]);
    until("the close is under way", || state(&net, &cluster.id) != "ready");
    net.kill_coordinator();
    let output = close.wait_with_output().unwrap();
    // The client may have been cut off; the close itself was signed and goes on.
    println!("close said: {}", said(&output));
    until("the cluster is over", || ["closed", "failed"].contains(&&*state(&net, &cluster.id)));
    until("no container is left", || cluster.containers().is_empty());
    assert_eq!(net.usdc(&[]).sum(), before.sum());
}

#[test]
fn a_worker_killed_while_it_serves_finds_its_container_again() {
    let net = turn();
    let cluster = net.create(2);
    let job = counting(&net, &cluster.id, 30);
    ticks(&net, &cluster.id, &job);
    let containers = cluster.containers();
    let workers = net.processes(&["worker", "start"]);
    for pid in &workers {
        let kill = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        assert!(kill.unwrap().success());
    }
    until("every worker is back", || {
        let now = net.processes(&["worker", "start"]);
        now.len() == workers.len() && now.iter().all(|pid| !workers.contains(pid))
    });
    counted(&net, &cluster.id, &job);
    assert_eq!(cluster.containers(), containers, "adopted, not made anew");
    until("the cluster is ready", || state(&net, &cluster.id) == "ready");
    net.close(&cluster.id);
}

#[test]
fn a_chain_that_stands_still_stops_no_job() {
    let net = turn();
    let before = net.usdc(&[]);
    let cluster = net.create(2);
    let job = counting(&net, &cluster.id, 70);
    ticks(&net, &cluster.id, &job);
    net.signal("-STOP", &["chain", "start"]);
    until("a minute of the job has passed", || log(&net, &cluster.id, &job).contains("tick 62"));
    assert_eq!(state(&net, &cluster.id), "ready");
    net.signal("-CONT", &["chain", "start"]);
    counted(&net, &cluster.id, &job);
    until("the coordinator sees the chain again", || net.run(&["wallet", "show"]).status.success());
    net.close(&cluster.id);
    assert_eq!(net.usdc(&[]).sum(), before.sum());
}
