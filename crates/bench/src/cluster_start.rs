//! From a lease being signed to Ray counting every node as alive, beside the same containers
//! started by hand, in turn.

use crate::by_hand;
use crate::stats::{median, seconds};
use anyhow::{Context as _, bail, ensure};
use ionet_core::{RAY_IMAGE, Slice};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const NODES: usize = 3;
const WORKERS: usize = 4;
const LOOK: Duration = Duration::from_millis(500);
const LOOKS_MAX: usize = 120;

struct Network<'a> {
    ionet: &'a Path,
    home: tempfile::TempDir,
}

impl Network<'_> {
    async fn ionet(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(self.ionet)
            .arg("--json")
            .args(args)
            .env("IONET_HOME", self.home.path())
            .stdin(Stdio::null())
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let also = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ionet {}: {said} {also}", args.join(" "));
        Ok(said)
    }

    /// Waits until every device is idle: one may be stopping its part still.
    async fn idle(&self) -> anyhow::Result<()> {
        for _ in 0..LOOKS_MAX {
            let devices: Value = serde_json::from_str(&self.ionet(&["device", "list"]).await?)?;
            let devices = devices.as_array().context("a list of devices")?;
            if devices.iter().filter(|d| d["state"] == "idle").count() == WORKERS {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the devices are not idle");
    }

    /// Seconds from the renter's request, just before the wallet signs, to every node alive.
    async fn start(&self) -> anyhow::Result<(f64, Slice)> {
        self.idle().await?;
        let devices = NODES.to_string();
        let create = ["cluster", "create", "--devices", &devices, "--chip", "cpu", "--yes"];
        let made = self.ionet(&create).await?;
        let id = find(&made, "id").context("create answers with the cluster's id")?;
        let events = self.ionet(&["cluster", "events", &id]).await?;
        let at = |kind: &str| at_ms(&events, kind);
        let signed = at("cluster-requested").context("no request in the time line")?;
        let ready = at("nodes-alive").context("no live nodes in the time line")?;
        let shown = self.ionet(&["cluster", "show", &id]).await?;
        let device = find(&shown, "device").context("the cluster has members")?;
        let device = self.ionet(&["device", "show", &device]).await?;
        let device: Value = serde_json::from_str(&device)?;
        let slice = pointer(&device, "slice").context("the device has a slice")?;
        let slice: Slice = serde_json::from_value(slice.clone())?;
        self.ionet(&["cluster", "close", &id]).await?;
        Ok(((ready - signed) as f64 / 1_000.0, slice))
    }
}

/// Measures `runs` pairs.
pub(crate) async fn measure(ionet: &Path, runs: usize) -> anyhow::Result<String> {
    let network = Network { ionet, home: tempfile::tempdir()? };
    network.ionet(&["up", "--workers", &WORKERS.to_string()]).await?;
    let measured = pairs(&network, runs).await;
    let stopped = network.ionet(&["down", "--purge", "--yes"]).await;
    let (ours, hand) = measured?;
    stopped?;
    let ratios: Vec<f64> = ours.iter().zip(&hand).map(|(a, b)| a / b).collect();
    Ok(format!(
        "From the wallet's request to Ray counting {NODES} nodes as alive (`ionet cluster \
         create`), beside the same\nthree containers and `ray start` typed by hand; {runs} \
         pairs in turn, one warm-up pair not counted.\n\n\
         | | median (range) |\n| --- | --- |\n| ionet | {} |\n| by hand | {} |\n| ratio, pair by \
         pair | {:.2} (aim: at most 1.3) |\n",
        seconds(&ours),
        seconds(&hand),
        median(&ratios)
    ))
}

async fn pairs(network: &Network<'_>, runs: usize) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let (mut ours, mut hand) = (Vec::new(), Vec::new());
    for i in 0..=runs {
        let (a, slice) = network.start().await?;
        let b = by_hand::start(RAY_IMAGE, &slice, NODES).await?;
        println!("pair {i}: ionet {a:.2} s, by hand {b:.2} s");
        if i > 0 {
            ours.push(a);
            hand.push(b);
        }
    }
    Ok((ours, hand))
}

/// The newest value of a text field, in an answer of one or more JSON lines.
fn find(answer: &str, name: &str) -> Option<String> {
    let objects = serde_json::Deserializer::from_str(answer).into_iter::<Value>();
    let found = objects.flatten().filter_map(|o| Some(pointer(&o, name)?.as_str()?.to_owned()));
    found.last()
}

/// The first value of a field, wherever it stands.
fn pointer<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            fields.get(name).or_else(|| fields.values().find_map(|v| pointer(v, name)))
        }
        Value::Array(items) => items.iter().find_map(|v| pointer(v, name)),
        _ => None,
    }
}

/// The last instant of an event of this kind, in Unix milliseconds.
fn at_ms(events: &str, kind: &str) -> Option<i64> {
    let objects = serde_json::Deserializer::from_str(events).into_iter::<Value>();
    let mut found = None;
    for object in objects.flatten() {
        let list = match &object {
            Value::Array(items) => items.clone(),
            other => other["events"].as_array().cloned().unwrap_or_else(|| vec![other.clone()]),
        };
        for event in list {
            if event["kind"] == kind {
                found = event["at_ms"].as_i64();
            }
        }
    }
    found
}
