//! The reference: the same containers and `ray start`, as someone would type them.

use anyhow::{Context as _, bail, ensure};
use ionet_core::Slice;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

const NETWORK: &str = "ionet-bench-by-hand";
const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(100);

async fn podman(args: &[String]) -> anyhow::Result<String> {
    let output = Command::new("podman").args(args).stdin(Stdio::null()).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "podman {}: {said}", args.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn name(i: usize) -> String {
    format!("{NETWORK}-{i}")
}

/// `podman run` of node `i`; node 0 is the head.
fn run(image: &str, slice: &Slice, i: usize) -> Vec<String> {
    let (cpus, memory) = (f64::from(slice.cpu_milli) / 1_000.0, slice.memory_bytes);
    let store = (memory / 5).max(80 << 20);
    let shm = store + (32 << 20);
    let ip = format!("10.213.77.{}", i + 2);
    let ray = match i {
        0 => "--head --port=6379 --dashboard-host=0.0.0.0".to_owned(),
        _ => "--address=10.213.77.2:6379".to_owned(),
    };
    let node_cpus = (slice.cpu_milli / 1_000).max(1);
    words(&format!(
        "run -d --name {} --network {NETWORK} --ip {ip} --cpus {cpus} --memory {memory} \
         --shm-size {shm} --cap-drop all --security-opt no-new-privileges --user 1000:1000 \
         --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 \
         -e RAY_AUTH_MODE=token -e RAY_AUTH_TOKEN={TOKEN} {image} \
         ray start {ray} --node-ip-address={ip} --num-cpus={node_cpus} \
         --object-store-memory={store} --disable-usage-stats --block",
        name(i)
    ))
}

/// Starts `nodes` containers and returns the seconds until Ray counts every node as alive.
pub(crate) async fn start(image: &str, slice: &Slice, nodes: usize) -> anyhow::Result<f64> {
    // Another crate turns on reqwest's TLS without choosing who does the cryptography.
    let _ = rustls::crypto::ring::default_provider().install_default();
    clean(nodes).await;
    let started = Instant::now();
    let network = format!("network create --disable-dns --subnet 10.213.77.0/24 {NETWORK}");
    podman(&words(&network)).await?;
    podman(&run(image, slice, 0)).await?;
    // The head must listen before the others can join: a person would look, too.
    wait_for(|| async { tokio::net::TcpStream::connect("10.213.77.2:6379").await.is_ok() })
        .await
        .context("the head's port")?;
    let workers: Vec<_> = (1..nodes)
        .map(|i| run(image, slice, i))
        .map(|a| tokio::spawn(async move { podman(&a).await }))
        .collect();
    for worker in workers {
        worker.await??;
    }
    let client = reqwest::Client::new();
    wait_for(|| async { alive(&client).await.unwrap_or(0) >= nodes }).await.context("nodes")?;
    let seconds = started.elapsed().as_secs_f64();
    clean(nodes).await;
    Ok(seconds)
}

async fn wait_for<F: Future<Output = bool>>(mut done: impl FnMut() -> F) -> anyhow::Result<()> {
    let started = Instant::now();
    while !done().await {
        if started.elapsed() > PATIENCE {
            bail!("not there after {} s", PATIENCE.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn alive(client: &reqwest::Client) -> anyhow::Result<usize> {
    let answer = client
        .get("http://10.213.77.2:8265/api/v0/nodes?limit=100")
        .bearer_auth(TOKEN)
        .timeout(Duration::from_secs(5))
        .send()
        .await?
        .error_for_status()?;
    let answer: serde_json::Value = answer.json().await?;
    let nodes = answer["data"]["result"]["result"].as_array().context("no list")?;
    Ok(nodes.iter().filter(|n| n["state"] == "ALIVE").count())
}

/// Removes what an earlier run left; there may be nothing.
async fn clean(nodes: usize) {
    for i in 0..nodes {
        let _ = podman(&words(&format!("rm -f -t 0 {}", name(i)))).await;
    }
    let _ = podman(&words(&format!("network rm -f {NETWORK}"))).await;
}
