//! A real worker process, a real Ray head in a real container, and kill -9 between them.

use super::rig::{Rig, Talk};
use crate::config::WorkerConfig;
use crate::worker::{Stop, Worker, purge};
use ionet_core::{PartId, PartSpec, PartState, PartStatus};
use ionet_mesh::engine::{SOCKET_VARIABLE, ServiceLife, serve_podman};
use ionet_wire::frame;
use ionet_wire::message::{CommandBody, ExecFrame, Opened, Outcome, Purpose};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

/// Names the settings file for the worker's process.
const CONFIG_VARIABLE: &str = "IONET_TEST_WORKER";

/// The process that is killed: this test binary, running this "test" alone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process of the test below; it runs until it is killed"]
async fn worker_process() {
    let path = std::env::var(CONFIG_VARIABLE).expect("started by the test below");
    let (_stop, stopped) = watch::channel(Stop::No);
    Worker::run(WorkerConfig::load(path.as_ref()).unwrap(), stopped).await.unwrap();
}

/// Kills its process when dropped, so that a failed test leaves none.
struct Process(Child);

impl Process {
    fn start(config: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::podman::worker_process", "--ignored"])
            .env(CONFIG_VARIABLE, config)
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn wait_ready(talk: &mut Talk, id: PartId) -> PartStatus {
    let end = |s: &PartState| {
        let broken = matches!(s, PartState::Exited { .. } | PartState::Failed { .. });
        broken || matches!(s, PartState::Ready { .. })
    };
    let status = talk.until(id, end).await;
    assert_eq!(status.state, PartState::Ready { alive_nodes: Some(1) });
    status
}

/// The output of a command inside the part.
async fn shell(talk: &Talk, part: PartId, line: &str) -> (String, i64) {
    let argv = ["bash", "-c", line].map(str::to_owned).to_vec();
    let (mut send, mut receive, opened) = talk.open(part, Purpose::Exec { argv, tty: false }).await;
    assert_eq!(opened, Opened::Ok);
    frame::write(&mut send, &ExecFrame::Stdin { bytes: vec![] }).await.unwrap();
    let mut out = Vec::new();
    loop {
        match frame::read(&mut receive).await.unwrap() {
            ExecFrame::Stdout { bytes } => out.extend(bytes),
            ExecFrame::Exit { code } => return (String::from_utf8(out).unwrap(), code),
            _ => (),
        }
    }
}

/// The first line that Ray's dashboard answers.
async fn dashboard(talk: &Talk, part: PartId, token: Option<&str>) -> String {
    let (mut send, mut receive, opened) = talk.open(part, Purpose::Dial { port: 8265 }).await;
    assert_eq!(opened, Opened::Ok);
    let bearer = token.map_or(String::new(), |t| format!("Authorization: Bearer {t}\r\n"));
    let request =
        format!("GET /api/jobs/ HTTP/1.1\r\nHost: a\r\n{bearer}Connection: close\r\n\r\n");
    send.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    AsyncReadExt::read_to_end(&mut receive, &mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

/// Removes what a failed test leaves.
struct Cleaned(WorkerConfig);

impl Drop for Cleaned {
    fn drop(&mut self) {
        let config = self.0.clone();
        let clean = move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            drop(runtime.block_on(purge(&config)));
        };
        let _ = std::thread::spawn(clean).join();
    }
}

fn spec(rig: &Rig, lease: u8) -> PartSpec {
    let mut spec = rig.spec(lease, 1);
    spec.slice.memory_bytes = 3 << 29;
    spec.slice.cpu_milli = 2_000;
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_comes_back_to_its_containers() {
    assert!(nix::unistd::Uid::effective().is_root(), "run this as root: it makes containers");
    let (mut rig, coordinator) = Rig::new().await;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (socket, _service) = match std::env::var_os(SOCKET_VARIABLE) {
        Some(socket) => (PathBuf::from(socket), None),
        None => {
            let socket = rig.folder.path().join("podman.sock");
            let conf = repository.join("scripts/containers.conf");
            let service = serve_podman(&socket, Some(&conf), ServiceLife::Owned).await.unwrap();
            (socket, Some(service))
        }
    };
    rig.config.containers.socket = Some(socket);
    let path = rig.folder.path().join("worker.toml");
    std::fs::write(&path, toml::to_string(&rig.config).unwrap()).unwrap();

    let _cleaned = Cleaned(rig.config.clone());
    let process = Process::start(&path);
    let (mut talk, _) = coordinator.admit(1).await;
    // Another subnet each time, so that nothing on this machine is in the way.
    let lease = rand::random_range(100..=250);
    let spec = spec(&rig, lease);
    let id = spec.id;
    assert_eq!(talk.run_part(spec, lease).await, Outcome::Accepted);
    let before = wait_ready(&mut talk, id).await;
    let token = crate::testing::secrets().ray_token;
    assert_eq!(dashboard(&talk, id, Some(&token)).await, "HTTP/1.1 200 OK");
    assert_eq!(dashboard(&talk, id, None).await, "HTTP/1.1 401 Unauthorized");
    let (_, code) = shell(&talk, id, "echo here > /tmp/mark; exit 3").await;
    assert_eq!(code, 3);

    drop(process);
    drop(talk);
    let process = Process::start(&path);
    let (mut talk, hello) = coordinator.admit(2).await;
    assert_eq!((hello.last_session, hello.boot), (1, 2));
    assert_eq!(wait_ready(&mut talk, id).await, before, "the same container, the same start");
    assert_eq!(shell(&talk, id, "cat /tmp/mark").await, ("here\n".to_owned(), 0));
    let (_, mut log, opened) = talk.open(id, Purpose::Logs { follow: false, tail: 1_000 }).await;
    assert_eq!(opened, Opened::Ok);
    let mut words = String::new();
    AsyncReadExt::read_to_string(&mut log, &mut words).await.unwrap();
    assert!(words.contains("Ray"), "{words}");

    // What ends inside is reported with its code and its last words.
    let (_, _) = shell(&talk, id, "kill -9 -1").await;
    let ended = talk.until(id, |s| matches!(s, PartState::Exited { .. })).await;
    assert!(matches!(&ended.state, PartState::Exited { code: Some(_), tail } if !tail.is_empty()));
    let stop = CommandBody::StopPart { id, grace_seconds: 1 };
    assert_eq!(talk.command(stop).await, Outcome::Accepted);
    talk.until_empty().await;
    drop(process);
    assert_eq!(purge(&rig.config).await.unwrap(), 0, "nothing is left");
}
