//! How Ray is run in a container, and how to see that it is alive.
//!
//! Ray's token is always on: whoever reaches the dashboard, the control store or an agent of a
//! Ray cluster without one runs code on every node of it.

use crate::{Attachment, CdiDevice, ContainerName, ContainerSpec, Secret};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use ionet_core::{ClusterId, DeviceId, ImageRef, Role, Slice};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The head's control store: what other nodes join.
pub const GCS_PORT: u16 = 6379;
/// The head's dashboard and jobs API.
pub const DASHBOARD_PORT: u16 = 8265;
/// The head's server for `ray://` clients.
pub const CLIENT_PORT: u16 = 10001;
/// The least memory in which a Ray node starts and has room for a small task: a head uses
/// 670 MB, a worker node 250 MB (measured with 2.60.0).
pub const MEMORY_BYTES_MIN: u64 = 1 << 30;

/// The Ray label that names a node's device.
pub const DEVICE_LABEL: &str = "ionet.io/device";
/// The variable that names it inside the container.
pub const DEVICE_VARIABLE: &str = "IONET_DEVICE";
/// The variable that names the cluster inside the container.
pub const CLUSTER_VARIABLE: &str = "IONET_CLUSTER";

/// The image's unprivileged user.
const USER: (u32, u32) = (1000, 1000);
/// The object store's share of a node's memory; Ray's own default is 30 %, of a whole machine.
const STORE_DIVISOR: u64 = 5;
/// Ray refuses a smaller object store than 75 MiB.
const STORE_BYTES_MIN: u64 = 80 << 20;
/// The object store's files are a little larger than their content.
const STORE_SLACK_BYTES: u64 = 32 << 20;
/// Scratch space is memory too: never more than this share of it.
const SCRATCH_DIVISOR: u64 = 3;
/// A head alone has 400 threads; each task's process has some 30.
const PIDS_BASE: u32 = 2_048;
/// Further processes and threads for each CPU.
const PIDS_PER_CPU: u32 = 256;

/// Waits until the head's control store listens (Ray's own first retry comes seconds late), puts
/// an init process in front where the image has one, and becomes Ray. Only Ray gets the signal to
/// stop: were its processes told too, it would wait for its control store, which is gone by then.
const LAUNCH: &str = "if [ \"$0\" != - ]; then for _ in $(seq 3000); do \
    (exec 3<>/dev/tcp/$0/6379) 2>/dev/null && break; sleep 0.1; done; fi; \
    if command -v tini >/dev/null; then exec tini -- \"$@\"; fi; exec \"$@\"";

/// Seconds that a node which is told to stop waits for its tasks to move elsewhere, Ray's own 30
/// being longer than the grace of a part. All of a cluster's nodes stop together, so a worker's
/// request to leave may find no head any more, and would wait for all of it.
const DRAIN_SECONDS: &str = "3";

/// One node of a Ray cluster.
#[derive(Debug, Clone)]
pub struct RayPart {
    /// The cluster.
    pub cluster: ClusterId,
    /// The device that runs it.
    pub device: DeviceId,
    /// The part's generation.
    pub generation: u32,
    /// Head or worker.
    pub role: Role,
    /// Image with Ray in it.
    pub image: ImageRef,
    /// Name of the cluster's network at the engine.
    pub network: String,
    /// This node's address.
    pub node_ip: Ipv4Addr,
    /// The head's address.
    pub head_ip: Ipv4Addr,
    /// What of the machine it gets.
    pub slice: Slice,
    /// Ray's token: 64 hexadecimal digits, one per cluster.
    pub token: Secret,
    /// The chip class and how many chips: a Ray resource of that name.
    pub chips: (String, u32),
    /// The GPUs among them.
    pub gpus: Vec<CdiDevice>,
    /// Name servers, where the egress policy has any.
    pub dns: Vec<Ipv4Addr>,
}

impl RayPart {
    /// The container that runs it. Fails only through [`ContainerSpec::validate`], later.
    pub fn container_spec(&self) -> ContainerSpec {
        let memory = self.slice.memory_bytes;
        let store = (memory / STORE_DIVISOR).max(STORE_BYTES_MIN);
        let cpus = (self.slice.cpu_milli / 1_000).max(1);
        let env = [
            ("RAY_AUTH_MODE", "token".to_owned()),
            ("RAY_USAGE_STATS_ENABLED", "0".to_owned()),
            ("RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S", DRAIN_SECONDS.to_owned()),
            (DEVICE_VARIABLE, self.device.to_string()),
            (CLUSTER_VARIABLE, self.cluster.to_string()),
        ];
        let secrets = [("RAY_AUTH_TOKEN".to_owned(), self.token.clone())];
        let role = match self.role {
            Role::Head => "head",
            Role::Worker => "worker",
        };
        ContainerSpec {
            name: ContainerName::of_part(&self.cluster, &self.device),
            device: self.device,
            cluster: self.cluster,
            generation: self.generation,
            labels: BTreeMap::from([("io.ionet.role".to_owned(), role.to_owned())]),
            image: self.image.clone(),
            command: self.command(cpus, store),
            env: env.map(|(k, v)| (k.to_owned(), v)).into(),
            secrets: secrets.into(),
            cpu_milli: self.slice.cpu_milli,
            memory_bytes: memory,
            pids_max: PIDS_BASE.saturating_add(PIDS_PER_CPU.saturating_mul(cpus)),
            scratch_bytes: self.slice.scratch_bytes.min(memory / SCRATCH_DIVISOR),
            shm_bytes: store + STORE_SLACK_BYTES,
            gpus: self.gpus.clone(),
            network: Some(Attachment {
                network: self.network.clone(),
                ip: self.node_ip,
                dns: self.dns.clone(),
            }),
            user: USER,
            ulimits: vec![],
            hostname: format!("ray-{}", self.node_ip.to_string().replace('.', "-")),
            extra_hosts: BTreeMap::new(),
        }
    }

    fn command(&self, cpus: u32, store_bytes: u64) -> Vec<String> {
        let wait_for = match self.role {
            Role::Head => "-".to_owned(),
            Role::Worker => self.head_ip.to_string(),
        };
        let mut command: Vec<String> = ["bash", "-c", LAUNCH].map(str::to_owned).to_vec();
        command.extend([wait_for, "ray".to_owned(), "start".to_owned()]);
        match self.role {
            Role::Head => command.extend([
                "--head".to_owned(),
                format!("--port={GCS_PORT}"),
                "--dashboard-host=0.0.0.0".to_owned(),
                format!("--dashboard-port={DASHBOARD_PORT}"),
                format!("--ray-client-server-port={CLIENT_PORT}"),
            ]),
            Role::Worker => command.push(format!("--address={}:{GCS_PORT}", self.head_ip)),
        }
        let (class, count) = &self.chips;
        let resources = serde_json::json!({ class.as_str(): count });
        command.extend([
            format!("--node-ip-address={}", self.node_ip),
            format!("--num-cpus={cpus}"),
            format!("--num-gpus={}", self.gpus.len()),
            format!("--resources={resources}"),
            format!("--labels={DEVICE_LABEL}={}", self.device),
            format!("--object-store-memory={store_bytes}"),
            "--disable-usage-stats".to_owned(),
            "--block".to_owned(),
        ]);
        command
    }
}

/// A Ray node that the head counts as alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RayNode {
    /// Its address.
    pub ip: Ipv4Addr,
    /// Whether it is the head.
    pub is_head: bool,
    /// The device that it says it runs on: a claim, made with the cluster's token.
    pub device: Option<DeviceId>,
}

/// Why the head did not say who is alive.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No HTTP answer.
    #[error("the dashboard does not answer: {0}")]
    Http(String),
    /// Another status than 200.
    #[error("the dashboard answers with status {0}")]
    Status(u16),
    /// An answer of another shape.
    #[error("the dashboard's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
}

/// How long the dashboard may take; it answers in 0.1 s, and in seconds while it starts.
const PROBE_MAX: Duration = Duration::from_secs(10);
/// Nodes asked for: without a number Ray answers at most 100. It refuses more than this.
const NODES_MAX: usize = 10_000;
/// Bytes of an answer that are read: 1,000 nodes with labels take some 600 KB.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Asks a head's dashboard, over a connection to [`DASHBOARD_PORT`], which nodes are alive.
pub async fn alive_nodes<S>(dashboard: S, token: &Secret) -> Result<Vec<RayNode>, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let path = format!("/api/v0/nodes?limit={NODES_MAX}");
    let answer = tokio::time::timeout(PROBE_MAX, get(dashboard, &path, token))
        .await
        .map_err(|_| ProbeError::Http("no answer in time".to_owned()))??;
    parse_nodes(&answer)
}

/// One GET request over a connection of its own, with the token as bearer. Returns the body.
async fn get<S>(stream: S, path: &str, token: &Secret) -> Result<Bytes, ProbeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = |e: &dyn std::fmt::Display| ProbeError::Http(e.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| http(&e))?;
    let driver = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", "dashboard")
        .header("authorization", format!("Bearer {}", token.expose()))
        .body(Empty::<Bytes>::new())
        .map_err(|e| http(&e))?;
    let answer = sender.send_request(request).await.map_err(|e| http(&e))?;
    if answer.status() != 200 {
        return Err(ProbeError::Status(answer.status().as_u16()));
    }
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    driver.abort();
    Ok(body.map_err(|e| http(&e))?.to_bytes())
}

fn parse_nodes(answer: &[u8]) -> Result<Vec<RayNode>, ProbeError> {
    #[derive(Deserialize)]
    struct Answer {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        result: List,
    }
    #[derive(Deserialize)]
    struct List {
        result: Vec<Node>,
    }
    #[derive(Deserialize)]
    struct Node {
        node_ip: Ipv4Addr,
        is_head_node: bool,
        state: String,
        #[serde(default)]
        labels: BTreeMap<String, String>,
    }
    let answer: Answer = serde_json::from_slice(answer)?;
    let alive = answer.data.result.result.into_iter().filter(|n| n.state == "ALIVE");
    let mut nodes: Vec<RayNode> = alive
        .map(|n| RayNode {
            ip: n.node_ip,
            is_head: n.is_head_node,
            device: n.labels.get(DEVICE_LABEL).and_then(|d| d.parse().ok()),
        })
        .collect();
    nodes.sort_by_key(|n| n.ip);
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::Wallet;

    fn part(role: Role) -> RayPart {
        RayPart {
            cluster: ClusterId::of_lease(&Wallet([1; 32])),
            device: DeviceId([2; 32]),
            generation: 3,
            role,
            image: ImageRef::default(),
            network: "ionet-x".into(),
            node_ip: Ipv4Addr::new(10, 130, 7, 3),
            head_ip: Ipv4Addr::new(10, 130, 7, 2),
            slice: Slice { cpu_milli: 1_500, memory_bytes: 3 << 29, scratch_bytes: 1 << 34 },
            token: Secret::new("ab".repeat(32)),
            chips: ("cpu\"}'; reboot #".into(), 1),
            gpus: vec![],
            dns: vec![],
        }
    }

    #[test]
    fn the_token_is_only_among_the_secrets() {
        for role in [Role::Head, Role::Worker] {
            let spec = part(role).container_spec();
            assert_eq!(spec.validate(), Ok(()));
            assert_eq!(spec.env["RAY_AUTH_MODE"], "token");
            assert!(!format!("{spec:?}").contains("abab"));
            assert_eq!(spec.secrets["RAY_AUTH_TOKEN"].expose().len(), 64);
        }
    }

    #[test]
    fn text_from_outside_stays_one_argument() {
        let command = part(Role::Worker).container_spec().command;
        let resources = r#"--resources={"cpu\"}'; reboot #":1}"#;
        assert!(command.iter().any(|a| a == resources), "{command:?}");
        assert_eq!(command[3], "10.130.7.2");
        assert!(command.contains(&"--num-cpus=1".to_owned()));
    }

    #[test]
    fn what_is_memory_fits_into_memory() {
        for gib in [1, 2, 64, 1_024] {
            let mut part = part(Role::Head);
            part.slice.memory_bytes = gib << 30;
            let spec = part.container_spec();
            assert!(spec.shm_bytes + spec.scratch_bytes < spec.memory_bytes, "{gib} GiB");
        }
    }

    #[test]
    fn only_nodes_that_are_alive_count() {
        let device = DeviceId([2; 32]);
        let node = |ip: &str, state: &str| {
            serde_json::json!({
                "node_id": "00", "node_ip": ip, "is_head_node": ip.ends_with(".2"),
                "state": state, "labels": { DEVICE_LABEL: device.to_string() },
            })
        };
        let list = [node("10.0.0.3", "DEAD"), node("10.0.0.4", "ALIVE"), node("10.0.0.2", "ALIVE")];
        let answer =
            serde_json::json!({ "result": true, "data": { "result": { "result": list } } });
        let nodes = parse_nodes(answer.to_string().as_bytes()).unwrap();
        assert_eq!(nodes.len(), 2);
        assert!(nodes[0].is_head && !nodes[1].is_head);
        assert_eq!(nodes[1].device, Some(device));
        assert!(parse_nodes(b"{}").is_err());
    }
}
