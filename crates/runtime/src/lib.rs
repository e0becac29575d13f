//! Isolates and runs workloads: containers over the Docker-compatible API.
//!
//! A [`ContainerSpec`] says what a part of a cluster may use; everything that it does not say is
//! closed: no capabilities, no new privileges, the engine's seccomp filter, a read-only root,
//! bounded writable memory, no mount of the host, one network. [`Runtime`] starts such
//! containers so that a restarted worker finds them again by their labels, and reaches into
//! them: logs, commands, and TCP connections made inside their network namespace, since the
//! host has no route to them.
//!
//! ```no_run
//! # async fn demo(spec: ionet_runtime::ContainerSpec) -> Result<(), Box<dyn std::error::Error>> {
//! use ionet_runtime::{ContainerRuntime, Runtime, engine};
//! let engine = engine::Engine::connect(&engine::discover(None)?).await?;
//! let runtime = ContainerRuntime::new(engine, Default::default());
//! runtime.start(&spec).await?;
//! let dashboard = runtime.dial(&spec.name, ionet_runtime::ray::DASHBOARD_PORT).await?;
//! let nodes = ionet_runtime::ray::alive_nodes(dashboard, &spec.secrets["RAY_AUTH_TOKEN"]).await?;
//! println!("{} Ray nodes are alive", nodes.len());
//! # Ok(()) }
//! ```

mod container;
mod create;
mod create_podman;
mod dial;
mod inspect;
pub mod ray;
mod seccomp;
mod spec;
mod time;

pub use container::{ContainerRuntime, Settings};
pub use ionet_mesh::engine;
pub use spec::{
    Attachment, CdiDevice, ContainerName, ContainerSpec, Secret, SpecError, Ulimit, limits,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use ionet_core::{ClusterId, DeviceId, ImageRef};
use std::fmt;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why a container could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The spec is refused.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The engine does not answer as it should.
    #[error(transparent)]
    Engine(#[from] engine::EngineError),
    /// The image is not on this machine and cannot be pulled.
    #[error("the image {image} is not here: {hint}")]
    ImageMissing {
        /// The image.
        image: ImageRef,
        /// What to do, or what the registry said.
        hint: String,
    },
    /// The seccomp filter could not be put where the engine reads it.
    #[error("cannot write the seccomp filter beside the engine's socket: {0}")]
    Seccomp(std::io::Error),
    /// A newer generation of this container is there.
    #[error("{name} is there with generation {have}, newer than {wanted}")]
    Stale {
        /// The container.
        name: ContainerName,
        /// What is there.
        have: u32,
        /// What was asked for.
        wanted: u32,
    },
    /// Another program's container has this name.
    #[error("a container named {0} is there that is not ours")]
    Foreign(ContainerName),
    /// There is no such container.
    #[error("there is no container {0}")]
    Missing(ContainerName),
    /// The container does not run.
    #[error("the container {0} does not run")]
    NotRunning(ContainerName),
    /// No connection to a port inside the container.
    #[error("port {port} in {name} does not answer: {reason}")]
    Dial {
        /// The container.
        name: ContainerName,
        /// The port.
        port: u16,
        /// Why.
        reason: String,
    },
}

/// A byte stream in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection into a container.
pub type Connection = Box<dyn Duplex>;

/// How a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Runs.
    Running {
        /// Unix seconds of its start.
        started_at: i64,
    },
    /// Ended.
    Exited {
        /// Exit code of its first process.
        code: i64,
        /// The engine saw that the kernel killed it for memory. Podman on cgroups v1 does not
        /// see it: there, code 137 of a container that nobody stopped says the same.
        oom_killed: bool,
        /// Unix seconds of its start.
        started_at: i64,
        /// Unix seconds of its end.
        finished_at: i64,
    },
}

impl ContainerState {
    /// Whether its first process is alive.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
}

/// A container that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerHandle {
    /// Its name.
    pub name: ContainerName,
    /// The engine's id of it.
    pub id: String,
    /// Whose device runs it.
    pub device: DeviceId,
    /// Of which cluster it is a part.
    pub cluster: ClusterId,
    /// The generation of that part.
    pub generation: u32,
    /// Hash of the spec that made it.
    pub spec_hash: String,
    /// How it is.
    pub state: ContainerState,
}

/// How far an image is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImageProgress {
    /// Bytes here.
    pub done_bytes: u64,
    /// Bytes of the layers known so far.
    pub total_bytes: u64,
}

/// Which log lines to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogRequest {
    /// Go on until the container ends.
    pub follow: bool,
    /// Not before these unix seconds.
    pub since: Option<i64>,
    /// Only so many of the last lines.
    pub tail: Option<u32>,
}

/// One piece of a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutput {
    /// From standard output.
    Stdout(Bytes),
    /// From standard error.
    Stderr(Bytes),
}

/// A command that runs in a container.
pub struct Exec {
    /// The engine's id of it, for [`Runtime::exec_code`].
    pub id: String,
    /// Its standard input.
    pub stdin: Pin<Box<dyn AsyncWrite + Send>>,
    /// Its output; ends with the command.
    pub output: BoxStream<'static, Result<ExecOutput, RuntimeError>>,
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exec").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a container uses at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContainerStats {
    /// Processor time since its start, in nanoseconds.
    pub cpu_nanos: u64,
    /// Memory, scratch space in memory included.
    pub memory_bytes: u64,
    /// Its memory limit.
    pub memory_limit_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

/// Runs the parts of clusters on this machine.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Brings the image here. The stream ends when it is; an error ends it too.
    async fn ensure_image(
        &self,
        image: &ImageRef,
    ) -> Result<BoxStream<'static, Result<ImageProgress, RuntimeError>>, RuntimeError>;

    /// Starts a container, or adopts the one that this very spec made (even if it has ended:
    /// a part runs once per generation). One of another spec or of an older generation is
    /// replaced; a newer one refuses.
    async fn start(&self, spec: &ContainerSpec) -> Result<ContainerHandle, RuntimeError>;

    /// How a container is.
    async fn inspect(&self, name: &ContainerName) -> Result<ContainerHandle, RuntimeError>;

    /// All containers of this device, ordered by name: what a restarted worker adopts.
    async fn list(&self, device: &DeviceId) -> Result<Vec<ContainerHandle>, RuntimeError>;

    /// Asks it to end, and ends it after `grace_seconds`. One that is gone is stopped.
    async fn stop(&self, name: &ContainerName, grace_seconds: u32) -> Result<(), RuntimeError>;

    /// Ends and removes it with all that it wrote. One that is gone is removed.
    async fn remove(&self, name: &ContainerName) -> Result<(), RuntimeError>;

    /// What it printed.
    async fn logs(
        &self,
        name: &ContainerName,
        request: LogRequest,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError>;

    /// Runs a command in it, as its own user and inside its own limits.
    async fn exec(&self, name: &ContainerName, command: &[String]) -> Result<Exec, RuntimeError>;

    /// The exit code of a command; `None` while it runs.
    async fn exec_code(&self, id: &str) -> Result<Option<i64>, RuntimeError>;

    /// What it uses.
    async fn stats(&self, name: &ContainerName) -> Result<ContainerStats, RuntimeError>;

    /// A TCP connection to a port inside its network namespace: to 127.0.0.1, else to its own
    /// address there.
    async fn dial(&self, name: &ContainerName, port: u16) -> Result<Connection, RuntimeError>;

    /// Ends when the container has ended.
    async fn wait(&self, name: &ContainerName) -> Result<ContainerState, RuntimeError>;
}
