//! The container engine: where its socket is, and one connection to it.
//!
//! Docker and Podman speak the same API. What both know is used through `bollard`; the one call
//! that Podman's compatible API lacks (a network without name service) is made in its own.

use bollard::{ClientVersion, Docker};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// The environment variable that names the engine's socket. Read by whoever calls
/// [`discover`], so that this crate itself depends on no environment.
pub const SOCKET_VARIABLE: &str = "IONET_CONTAINER_SOCKET";
/// The environment variable that names the settings which [`serve_podman`] passes to Podman.
pub const CONF_VARIABLE: &str = "IONET_CONTAINERS_CONF";

/// Podman's sockets come first: where both are installed, Podman's was made to be found.
const SOCKETS: [&str; 3] = ["/run/podman/podman.sock", "/var/run/docker.sock", "/run/docker.sock"];
/// Seconds after which an engine that accepted a call and says nothing is given up.
const CALL_SECONDS_MAX: u64 = 120;
/// How long a new Podman service may take until it answers.
const PODMAN_START_MAX: Duration = Duration::from_secs(30);
/// Pause between two looks at a starting service.
const PODMAN_POLL: Duration = Duration::from_millis(50);
/// Bytes of an answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why the engine cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No socket where one is usual.
    #[error(
        "no container engine answers: install podman (or Docker) and start its API socket, or set \
         {SOCKET_VARIABLE}"
    )]
    NotFound,
    /// The socket does not answer.
    #[error("the container engine at {socket} does not answer: {reason}")]
    NotAnswering {
        /// The socket.
        socket: String,
        /// Why.
        reason: String,
    },
    /// Podman's service did not start.
    #[error("`podman system service` did not start: {0}")]
    Service(String),
    /// Podman refused a call of its own API.
    #[error("Podman refused with status {status}: {message}")]
    Podman {
        /// HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// The engine refused a call.
    #[error("the container engine refused: {0}")]
    Refused(String),
    /// The engine answered, but with an error of its own.
    #[error("the container engine: {0}")]
    Api(#[source] Box<bollard::errors::Error>),
}

impl From<bollard::errors::Error> for EngineError {
    fn from(error: bollard::errors::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

impl EngineError {
    /// The HTTP status with which the engine refused, if it did.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(e) => match e.as_ref() {
                bollard::errors::Error::DockerResponseServerError { status_code, .. } => {
                    Some(*status_code)
                }
                _ => None,
            },
            Self::Podman { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the thing asked for is not there.
    pub fn is_missing(&self) -> bool {
        self.status() == Some(404)
    }
}

/// Which engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// Docker, or anything else that speaks its API.
    Docker,
    /// Podman.
    Podman,
}

/// A connection to the container engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    socket: PathBuf,
    kind: EngineKind,
}

/// The socket to use: `setting` if there is one, else the first usual one that exists.
pub fn discover(setting: Option<&Path>) -> Result<PathBuf, EngineError> {
    if let Some(path) = setting {
        return Ok(path.to_owned());
    }
    let user = nix::unistd::Uid::effective().as_raw();
    let own = PathBuf::from(format!("/run/user/{user}/podman/podman.sock"));
    SOCKETS.iter().map(PathBuf::from).chain([own]).find(|p| p.exists()).ok_or(EngineError::NotFound)
}

impl Engine {
    /// Connects to the engine at `socket` and asks for its version.
    pub async fn connect(socket: &Path) -> Result<Self, EngineError> {
        let text = socket.to_string_lossy();
        let not_answering = |reason: String| EngineError::NotAnswering {
            socket: text.clone().into_owned(),
            reason,
        };
        // 1.41 is what Podman 4 speaks; the call below raises or lowers it to what fits.
        let version = ClientVersion { major_version: 1, minor_version: 41 };
        let docker = Docker::connect_with_unix(&text, CALL_SECONDS_MAX, &version)
            .map_err(|e| not_answering(e.to_string()))?;
        let version = docker.version().await.map_err(|e| not_answering(e.to_string()))?;
        let podman = version.components.iter().flatten().any(|c| c.name.contains("Podman"));
        let docker = match podman {
            true => docker,
            false => docker.negotiate_version().await?,
        };
        let kind = if podman { EngineKind::Podman } else { EngineKind::Docker };
        Ok(Self { docker, socket: socket.to_owned(), kind })
    }

    /// The API client.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The socket that it is connected to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Which engine answers.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// One call of Podman's own API, with a JSON body. `path` must be encoded already.
    pub async fn podman_post(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<(), EngineError> {
        let request = Request::post(format!("/v4.0.0/libpod{path}"));
        let (status, text) = self.call(request, Bytes::from(body.to_string())).await?;
        match status.is_success() {
            true => Ok(()),
            false => Err(EngineError::Podman { status: status.as_u16(), message: text }),
        }
    }

    /// Reads one answer of the shared API as JSON; `None` where the engine has no such thing.
    /// For answers that the typed client is too strict for: Podman has states that Docker lacks.
    /// `path` must be encoded already.
    pub async fn get(&self, path: &str) -> Result<Option<serde_json::Value>, EngineError> {
        let (status, text) = self.call(Request::get(path), Bytes::new()).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            return Err(EngineError::Refused(text));
        }
        let value = serde_json::from_str(&text);
        value.map(Some).map_err(|e| EngineError::Refused(format!("{path}: {e}")))
    }

    async fn call(
        &self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<(StatusCode, String), EngineError> {
        let call = async {
            let stream = UnixStream::connect(&self.socket).await.map_err(|e| e.to_string())?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(|e| e.to_string())?;
            let driver = tokio::spawn(connection);
            let request = request
                .header("host", "localhost")
                .header("content-type", "application/json")
                .body(Full::new(body))
                .map_err(|e| e.to_string())?;
            let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
            let status = answer.status();
            let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|e| e.to_string())?
                .to_bytes();
            driver.abort();
            Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
        };
        let limit = Duration::from_secs(CALL_SECONDS_MAX);
        let reason = match tokio::time::timeout(limit, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => reason,
            Err(_) => "no answer in time".to_owned(),
        };
        Err(EngineError::NotAnswering { socket: self.socket.display().to_string(), reason })
    }
}

/// How a Podman service lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceLife {
    /// It ends when its [`PodmanService`] is dropped. Containers go on.
    Owned,
    /// It goes on after this process, in a session of its own.
    Detached,
}

/// A Podman API service.
#[derive(Debug)]
pub struct PodmanService {
    /// `None` when the service was there already, or is detached.
    _child: Option<Child>,
    /// Its process, where this call started it.
    pub pid: Option<u32>,
}

/// Serves Podman's API at `socket`, unless an engine answers there already, and waits until it
/// answers. `conf` is the containers.conf to use (see `scripts/containers.conf`).
pub async fn serve_podman(
    socket: &Path,
    conf: Option<&Path>,
    life: ServiceLife,
) -> Result<PodmanService, EngineError> {
    if socket.exists() && Engine::connect(socket).await.is_ok() {
        return Ok(PodmanService { _child: None, pid: None });
    }
    // The socket of a service that died is in the way of the next one.
    let _ = std::fs::remove_file(socket);
    if let Some(folder) = socket.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| EngineError::Service(format!("{}: {e}", folder.display())))?;
    }
    let mut command = Command::new("podman");
    command
        .args(["system", "service", "--time=0"])
        .arg(format!("unix://{}", socket.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(conf) = conf {
        command.env("CONTAINERS_CONF", conf);
    }
    match life {
        ServiceLife::Owned => command.kill_on_drop(true),
        // Its words would go to a pipe that nobody reads any more.
        ServiceLife::Detached => command.stderr(Stdio::null()),
    };
    let mut child = command.spawn().map_err(|e| EngineError::Service(e.to_string()))?;
    let deadline = tokio::time::Instant::now() + PODMAN_START_MAX;
    loop {
        if socket.exists() && Engine::connect(socket).await.is_ok() {
            break;
        }
        if let Ok(Some(status)) = child.try_wait() {
            let mut words = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                let _ = tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut words).await;
            }
            return Err(EngineError::Service(format!("{status}: {}", words.trim())));
        }
        if tokio::time::Instant::now() > deadline {
            let _ = child.start_kill();
            return Err(EngineError::Service("it does not answer".to_owned()));
        }
        tokio::time::sleep(PODMAN_POLL).await;
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(drain(stderr));
    }
    let pid = child.id();
    let child = (life == ServiceLife::Owned).then_some(child);
    Ok(PodmanService { _child: child, pid })
}

/// Passes the service's words on to our log; a full pipe would stop the service.
async fn drain(stderr: tokio::process::ChildStderr) {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::debug!(target: "podman", "{line}");
    }
}
