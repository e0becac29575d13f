//! The tunnel: two ports on this machine that lead to the cluster's dashboard and Ray client.
//! It runs as a process of its own and outlives coordinators; each connection is one WebSocket.

use super::folder;
use crate::context::{Context, now_unix};
use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::{private_folder, read_json, write_atomic};
use crate::process::{Process, spawn_detached, this_program};
use crate::rest::Rest;
use futures_util::{SinkExt as _, StreamExt as _};
use ionet_api::{Access, Cluster, Network};
use ionet_core::ClusterId;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;

/// One read from the local socket.
const CHUNK_BYTES: usize = 32 * 1024;
/// A new tunnel needs a sign-in and two sockets.
const START: Duration = Duration::from_secs(20);
/// For how long a new connection waits for a coordinator that restarts.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries of it.
const RETRY: Duration = Duration::from_millis(300);
/// How often a tunnel looks whether its cluster is over.
const LOOK: Duration = Duration::from_secs(10);
/// How long a tunnel may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Options of `cluster tunnel`.
#[derive(Debug, clap::Args)]
pub(crate) struct TunnelArgs {
    /// The cluster
    id: ClusterId,
    /// Stay in front; without it a process in the background holds the ports
    #[arg(long)]
    foreground: bool,
    /// End it
    #[arg(long, conflicts_with = "foreground")]
    stop: bool,
}

/// A running tunnel, as its file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Running {
    process: Process,
    dashboard: u16,
    client: u16,
}

/// How to reach a cluster from this machine.
pub(crate) struct Reach {
    /// The cluster.
    pub(crate) id: ClusterId,
    /// What the coordinator says.
    pub(crate) access: Access,
    /// Local port of dashboard and jobs API.
    pub(crate) dashboard: u16,
    /// Local port of the Ray client.
    pub(crate) client: u16,
    /// Where the token is.
    pub(crate) token_path: PathBuf,
}

impl Reach {
    /// For `--json`. The token itself stays in its file.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "ray_address": format!("ray://127.0.0.1:{}", self.client),
            "dashboard_url": format!("http://127.0.0.1:{}", self.dashboard),
            "token_path": self.token_path,
            "ray_version": self.access.ray_version,
            "python_version": self.access.python_version,
            "env": { "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": self.token_path },
        })
    }

    /// For people.
    pub(crate) fn text(&self, context: &Context, _network: &Network) -> String {
        let id = self.id;
        let mut text = format!(
            "{id} is ready\n\n  Ray address   ray://127.0.0.1:{}\n  dashboard     \
             http://127.0.0.1:{}\n  token         {}\n\nwith Ray's own tools:\n  export \
             RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={}\n  ray job submit --address \
             http://127.0.0.1:{} -- python job.py\n\nwithout any Ray here:\n  ionet cluster submit \
             {id} examples/digits_search.py\n  ionet cluster logs {id} -f\n  ionet cluster close \
             {id}\n",
            self.client,
            self.dashboard,
            self.token_path.display(),
            self.token_path.display(),
            self.dashboard,
        );
        if let Some(warning) = version_warning(&self.access) {
            text.push_str(&context.out.paint(crate::output::Paint::Yellow, &warning));
            text.push('\n');
        }
        text
    }
}

/// What `python3` and its Ray on this machine say, if they differ from the cluster's.
fn version_warning(access: &Access) -> Option<String> {
    let code = "import sys, importlib.metadata as m\n\
                try: r = m.version('ray')\n\
                except Exception: r = ''\n\
                print('%d.%d' % sys.version_info[:2], r)";
    let asked = std::process::Command::new("python3").args(["-c", code]).output().ok()?;
    let answer = String::from_utf8(asked.stdout).ok()?;
    let mut words = answer.split_whitespace();
    let python = words.next()?;
    let ray = words.next()?; // without a local Ray there is nothing to warn of
    if ray == access.ray_version && python == minor(&access.python_version) {
        return None;
    }
    Some(format!(
        "\nnote: this machine has Ray {ray} on Python {python}; the cluster runs Ray {} on Python \
         {}.\n`ray job submit` and `ionet cluster submit` work; `ray.init(\"ray://...\")` needs \
         the same:\n  python{} -m venv ray && ray/bin/pip install 'ray[client]=={}'",
        access.ray_version,
        access.python_version,
        minor(&access.python_version),
        access.ray_version,
    ))
}

fn minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Starts the tunnel if it does not run, keeps the token, and says how to reach the cluster.
pub(crate) async fn open(context: &Context, rest: &Rest, id: ClusterId) -> Result<Reach> {
    let access: Access = rest.get(&format!("/v1/clusters/{id}/access")).await?;
    let folder = folder(context, id);
    private_folder(&folder)?;
    let token_path = folder.join("ray-token");
    write_atomic(&token_path, access.ray_token.as_bytes(), 0o600)?;
    let running = match running(&folder) {
        Some(running) => running,
        None => start(context, id, &folder).await?,
    };
    Ok(Reach { id, access, dashboard: running.dashboard, client: running.client, token_path })
}

fn state_file(folder: &Path) -> PathBuf {
    folder.join("tunnel.json")
}

fn running(folder: &Path) -> Option<Running> {
    let kept: Running = read_json(&state_file(folder)).ok().flatten()?;
    kept.process.is_alive().then_some(kept)
}

async fn start(context: &Context, id: ClusterId, folder: &Path) -> Result<Running> {
    let mut command = std::process::Command::new(this_program()?);
    command
        .args(["cluster", "tunnel", "--foreground", &id.to_string()])
        .env("IONET_HOME", context.home.path())
        .env("IONET_COORDINATOR", context.coordinator_url())
        .env("IONET_RPC", context.rpc_url())
        .env("IONET_WALLET", context.wallet_path())
        .current_dir("/");
    let log = folder.join("tunnel.log");
    let process = spawn_detached(&mut command, &log)?;
    let deadline = tokio::time::Instant::now() + START;
    loop {
        if let Some(running) = running(folder).filter(|r| r.process == process) {
            return Ok(running);
        }
        if !process.is_alive() || tokio::time::Instant::now() > deadline {
            // Another command may have started one at the same time and won the ports' file.
            if let Some(other) = running(folder) {
                return Ok(other);
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last = said.lines().last().unwrap_or("it said nothing").to_owned();
            return Err(Failure::new(
                Kind::Unreachable,
                format!("the tunnel did not start: {last}"),
            )
            .hint(format!("try it in front: ionet cluster tunnel --foreground {id}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Ends a cluster's tunnel, if there is one.
pub(crate) async fn stop(context: &Context, id: ClusterId) {
    let folder = folder(context, id);
    if let Some(running) = running(&folder) {
        running.process.end(GRACE, true).await;
    }
    let _ = std::fs::remove_file(state_file(&folder));
}

/// Ends every tunnel of this home.
pub(crate) async fn stop_all(home: &crate::home::Home) {
    let Ok(entries) = std::fs::read_dir(home.clusters()) else { return };
    for folder in entries.flatten().map(|e| e.path()) {
        if let Some(running) = running(&folder) {
            running.process.end(GRACE, true).await;
        }
        let _ = std::fs::remove_file(state_file(&folder));
    }
}

/// `ionet cluster access`.
pub(crate) async fn access(context: &Context, id: ClusterId) -> Result<()> {
    let rest = context.signed_in().await?;
    let network: Network = rest.get("/v1/network").await?;
    let reach = open(context, &rest, id).await?;
    context.out.answer(&reach.to_json(), || reach.text(context, &network))
}

/// `ionet cluster tunnel`.
pub(crate) async fn run(context: &Context, args: TunnelArgs) -> Result<()> {
    if args.stop {
        stop(context, args.id).await;
        let answer = serde_json::json!({ "id": args.id, "running": false });
        return context.out.answer(&answer, || "the tunnel is closed".into());
    }
    if !args.foreground {
        return access(context, args.id).await;
    }
    serve(context, args.id).await
}

/// Someone who is signed in, for connection after connection.
struct Door {
    context_rest: Rest,
    wallet: ionet_ledger::KeypairFile,
    home: crate::home::Home,
    signed: Mutex<(Rest, i64)>,
    id: ClusterId,
}

/// A sign-in is looked at again after so many seconds.
const SIGNED_SECONDS: i64 = 300;

impl Door {
    async fn rest(&self, anew: bool) -> Result<Rest> {
        let mut signed = self.signed.lock().await;
        if anew || now_unix() > signed.1 + SIGNED_SECONDS {
            let rest = self.context_rest.clone();
            signed.0 = crate::session::sign_in(rest, &self.wallet, &self.home).await?;
            signed.1 = now_unix();
        }
        Ok(signed.0.clone())
    }
}

async fn serve(context: &Context, id: ClusterId) -> Result<()> {
    let wallet = context.key()?;
    let rest = context.signed_in().await?;
    let access: Access = rest.get(&format!("/v1/clusters/{id}/access")).await?;
    let door = Arc::new(Door {
        context_rest: context.rest()?,
        wallet,
        home: context.home.clone(),
        signed: Mutex::new((rest, now_unix())),
        id,
    });
    let dashboard = listen(access.dashboard_port).await?;
    let client = listen(access.client_port).await?;
    let running = Running {
        process: Process::current(),
        dashboard: port(&dashboard)?,
        client: port(&client)?,
    };
    let folder = folder(context, id);
    private_folder(&folder)?;
    let text = serde_json::to_vec(&running).expect("plain data");
    write_atomic(&state_file(&folder), &text, 0o600)?;
    context.out.say(format!(
        "{id}: dashboard http://127.0.0.1:{}, Ray client ray://127.0.0.1:{}",
        running.dashboard, running.client
    ));
    tokio::select! {
        result = accept(dashboard, door.clone(), access.dashboard_port) => result?,
        result = accept(client, door.clone(), access.client_port) => result?,
        () = over(&door) => (),
        () = crate::local::stop_signal() => (),
    }
    let _ = std::fs::remove_file(state_file(&folder));
    Ok(())
}

/// The wished port on this machine, or a free one.
async fn listen(wished: u16) -> Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", wished)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(("127.0.0.1", 0)).await.or_internal("a port for the tunnel"),
    }
}

fn port(listener: &TcpListener) -> Result<u16> {
    Ok(listener.local_addr().or_internal("the tunnel's port")?.port())
}

async fn accept(listener: TcpListener, door: Arc<Door>, port: u16) -> Result<()> {
    loop {
        match listener.accept().await {
            Ok((local, _)) => {
                let door = door.clone();
                tokio::spawn(async move {
                    if let Err(e) = carry(local, &door, port).await {
                        eprintln!("connection to port {port}: {e}");
                    }
                });
            }
            // Out of files, or the peer gave up: wait a little and go on.
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// Returns when the cluster is over.
async fn over(door: &Door) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(rest) = door.rest(false).await else { continue };
        match rest.get::<Cluster>(&format!("/v1/clusters/{}", door.id)).await {
            Ok(cluster) if cluster.state.is_final() => return,
            Err(f) if f.kind == Kind::NotFound => return,
            Ok(_) | Err(_) => (),
        }
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

/// A WebSocket to the part's port; waits for a coordinator that is about to come back.
async fn dial(door: &Door, port: u16) -> Result<Socket> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut anew = false;
    loop {
        let tried = match door.rest(anew).await {
            Ok(rest) => {
                let request = rest.websocket(&format!("/v1/clusters/{}/tunnel/{port}", door.id))?;
                tokio_tungstenite::connect_async(request).await.map(|(socket, _)| socket)
            }
            Err(f) if f.kind == Kind::Unreachable => {
                Err(tokio_tungstenite::tungstenite::Error::ConnectionClosed)
            }
            Err(f) => return Err(f),
        };
        match tried {
            Ok(socket) => return Ok(socket),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer))
                if answer.status() == 401 && !anew =>
            {
                anew = true;
                continue;
            }
            Err(e) if tokio::time::Instant::now() > deadline => {
                return Err(Failure::new(Kind::Unreachable, e.to_string()));
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn carry(mut local: TcpStream, door: &Door, port: u16) -> Result<()> {
    let _ = local.set_nodelay(true);
    let (mut to_remote, mut from_remote) = dial(door, port).await?.split();
    let (mut from_local, mut to_local) = local.split();
    let up = async {
        let mut buffer = vec![0u8; CHUNK_BYTES];
        loop {
            let n = from_local.read(&mut buffer).await.or_internal("local side")?;
            if n == 0 {
                let _ = to_remote.send(Message::Close(None)).await;
                return Ok(());
            }
            let message = Message::binary(buffer[..n].to_vec());
            to_remote.send(message).await.or_fail(Kind::Unreachable, "cluster's side")?;
        }
    };
    let down = async {
        while let Some(message) = from_remote.next().await {
            match message.or_fail(Kind::Unreachable, "cluster's side")? {
                Message::Binary(bytes) => {
                    to_local.write_all(&bytes).await.or_internal("local side")?;
                }
                Message::Close(_) => break,
                _ => (),
            }
        }
        let _ = to_local.shutdown().await;
        Ok::<(), Failure>(())
    };
    tokio::select! {
        result = up => result,
        result = down => result,
    }
}
