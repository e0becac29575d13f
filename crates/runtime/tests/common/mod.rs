//! What every test of this crate needs: an engine of our own, the Ray image, clusters that go
//! away again.
#![allow(dead_code, unreachable_pub)]

use futures_util::StreamExt;
use ionet_core::{ClusterId, DeviceId, ImageRef, Wallet};
use ionet_mesh::{ClusterNetwork, EgressPolicy, LocalMesh, NetworkHandle, NetworkSpec, Subnet};
use ionet_runtime::engine::{Engine, PodmanService, ServiceLife, serve_podman};
use ionet_runtime::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Clusters that one test may have.
const CLUSTERS: u8 = 4;

pub const DEADLINE: Duration = Duration::from_secs(120);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One engine, one runtime, one mesh. All its clusters are removed when it is dropped.
pub struct Bench {
    pub engine: Engine,
    pub runtime: ContainerRuntime,
    pub mesh: LocalMesh,
    seed: u8,
    _service: Option<PodmanService>,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// `seed` keeps the clusters of tests that run side by side apart; those of several test
    /// runs on one machine are kept apart by the process id.
    pub async fn new(seed: u8) -> Self {
        assert!(
            nix::unistd::Uid::effective().is_root(),
            "these tests make containers and packet filter rules: run them as root"
        );
        let folder = tempfile::tempdir().unwrap();
        let (socket, service) = match std::env::var_os(engine::SOCKET_VARIABLE) {
            Some(socket) => (PathBuf::from(socket), None),
            None => {
                let socket = folder.path().join("podman.sock");
                let conf = repository().join("scripts/containers.conf");
                let service = serve_podman(&socket, Some(&conf), ServiceLife::Owned)
                    .await
                    .expect("a container engine is needed: apt-get install podman runc netavark");
                (socket, Some(service))
            }
        };
        let engine = Engine::connect(&socket).await.unwrap();
        let runtime = ContainerRuntime::new(engine.clone(), Settings::default());
        let mesh = LocalMesh::new(engine.clone());
        let bench = Self { engine, runtime, mesh, seed, _service: service, _folder: folder };
        bench.image().await;
        bench
    }

    async fn image(&self) {
        if self.runtime.ensure_image(&ImageRef::default()).await.is_err() {
            let script = repository().join("images/ray/build.sh");
            let built = std::process::Command::new(script).status().unwrap();
            assert!(built.success(), "images/ray/build.sh failed: {built}");
        }
    }

    pub fn cluster(&self, n: u8) -> ClusterId {
        ClusterId::of_lease(&Wallet(self.key(n, 0)))
    }

    pub fn subnet(&self, n: u8) -> Subnet {
        Subnet::derive(&self.cluster(n), 8, 0)
    }

    pub fn network(&self, n: u8, egress: EgressPolicy) -> NetworkSpec {
        let subnet = self.subnet(n);
        let members = (0..4).filter_map(|i| subnet.member(i)).collect();
        NetworkSpec { cluster: self.cluster(n), subnet, members, egress }
    }

    pub async fn ensure(&self, n: u8) -> NetworkHandle {
        self.mesh.ensure(&self.network(n, EgressPolicy::None)).await.unwrap()
    }

    pub fn device(&self, n: u8, member: u8) -> DeviceId {
        DeviceId(self.key(n, member + 1))
    }

    fn key(&self, n: u8, member: u8) -> [u8; 32] {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&std::process::id().to_be_bytes());
        key[4..7].copy_from_slice(&[self.seed, n, member]);
        key
    }

    /// A member of cluster `n` that runs `shell`.
    pub fn spec(&self, n: u8, member: u8, shell: &str) -> ContainerSpec {
        let (cluster, device) = (self.cluster(n), self.device(n, member));
        ContainerSpec {
            name: ContainerName::of_part(&cluster, &device),
            device,
            cluster,
            generation: 1,
            labels: BTreeMap::new(),
            image: ImageRef::default(),
            command: ["bash", "-c", shell].map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            cpu_milli: 500,
            memory_bytes: 128 << 20,
            pids_max: 48,
            scratch_bytes: 32 << 20,
            shm_bytes: 8 << 20,
            gpus: vec![],
            network: Some(Attachment {
                network: ionet_mesh::network_name(&cluster),
                ip: self.subnet(n).member(usize::from(member)).unwrap(),
                dns: vec![],
            }),
            user: (1000, 1000),
            ulimits: vec![],
            hostname: format!("node-{member}"),
            extra_hosts: BTreeMap::new(),
        }
    }

    /// Starts a member that only waits.
    pub async fn idle(&self, n: u8, member: u8) -> ContainerSpec {
        let spec = self.spec(n, member, "exec sleep 600");
        self.runtime.start(&spec).await.unwrap();
        spec
    }

    /// Runs `shell` in a container: exit code and both outputs.
    pub async fn run(&self, name: &ContainerName, shell: &str) -> (i64, String) {
        let command = ["bash", "-c", shell].map(str::to_owned);
        let mut exec = self.runtime.exec(name, &command).await.unwrap();
        let mut text = String::new();
        while let Some(piece) = exec.output.next().await {
            match piece.unwrap() {
                ExecOutput::Stdout(bytes) | ExecOutput::Stderr(bytes) => {
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
            }
        }
        (self.code(&exec.id).await, text)
    }

    pub async fn code(&self, exec: &str) -> i64 {
        until("the exec to end", || async { self.runtime.exec_code(exec).await.unwrap() }).await
    }

    /// Whether a container can open a TCP connection.
    pub async fn reaches(&self, name: &ContainerName, ip: &str, port: u16) -> bool {
        let script = format!(
            "python3 -c 'import socket; s = socket.create_connection((\"{ip}\", {port}), 2); \
             s.sendall(b\"x\"); exit(0 if s.recv(1) else 3)'"
        );
        self.run(name, &script).await.0 == 0
    }

    /// Removes cluster `n` with all its containers.
    pub async fn clean(&self, n: u8) {
        for member in 0..4 {
            let name = ContainerName::of_part(&self.cluster(n), &self.device(n, member));
            self.runtime.remove(&name).await.unwrap();
        }
        self.mesh.remove(&self.cluster(n)).await.unwrap();
    }
}

impl Drop for Bench {
    /// Also after a failed assertion. The engine's service is still there: fields go later.
    fn drop(&mut self) {
        std::thread::scope(|scope| {
            let cleaner = scope.spawn(|| {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    for n in 0..CLUSTERS {
                        self.clean(n).await;
                    }
                });
            });
            if cleaner.join().is_err() {
                eprintln!("containers or networks of this test are left over");
            }
        });
    }
}

/// Asks until there is an answer; a test never waits without a deadline.
pub async fn until<T, F, Fut>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(DEADLINE, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// A shell line that answers every connection on `port` with the byte it got.
pub fn echo(port: u16) -> String {
    format!(
        "exec python3 -c '
import socketserver
class H(socketserver.BaseRequestHandler):
    def handle(self):
        while d := self.request.recv(65536): self.request.sendall(d)
class S(socketserver.ThreadingTCPServer): allow_reuse_address = True
S((\"0.0.0.0\", {port}), H).serve_forever()'"
    )
}

/// Sends `text` through a connection and reads it back.
pub async fn echoes(connection: &mut Connection, text: &[u8]) -> bool {
    connection.write_all(text).await.unwrap();
    let mut back = vec![0; text.len()];
    connection.read_exact(&mut back).await.is_ok() && back == text
}
