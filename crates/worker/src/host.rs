//! What the worker needs of the machine that runs containers. The real one is
//! [`containers`](crate::containers); tests of sessions and of the reconciler use one in memory.

use crate::store::StoredPart;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use ionet_core::{PartId, PartSpec};
use ionet_runtime::Connection;
use tokio::sync::mpsc;

/// Bytes of a log that are reported when a part ends.
pub(crate) const TAIL_BYTES_MAX: usize = 4 * 1024;

/// Why the machine did not do it.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The container engine does not answer now; the same call may work later.
    #[error("the container engine does not answer: {0}")]
    Away(String),
    /// It will not work by trying again.
    #[error("{0}")]
    Refused(String),
}

/// A part's container as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// There is none.
    Missing,
    /// It runs.
    Running {
        /// Unix seconds.
        started_at: i64,
    },
    /// It ended.
    Exited {
        /// Unix seconds of its start.
        started_at: Option<i64>,
        /// Exit code, where there is one.
        code: Option<i64>,
        /// The last lines of its log, at most [`TAIL_BYTES_MAX`].
        tail: String,
    },
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Not there yet, or no longer.
    Silent,
    /// It serves; for a head: how many Ray nodes it counts as alive.
    Alive(Option<u32>),
}

/// Told while an image arrives: bytes here, bytes in all where known.
pub(crate) type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);

/// Something that an exec says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExecOutput {
    /// From the program's standard output.
    Stdout(Bytes),
    /// From its standard error.
    Stderr(Bytes),
    /// It ended. The last one.
    Exit(i64),
}

/// A running exec.
pub(crate) struct Exec {
    /// What it says.
    pub(crate) output: BoxStream<'static, Result<ExecOutput, HostError>>,
    /// What it reads; closed: end of input.
    pub(crate) input: mpsc::Sender<Bytes>,
}

/// Containers, their networks and what is inside them. Every call may be repeated.
#[async_trait]
pub(crate) trait Host: Send + Sync + 'static {
    /// Every container that this worker made, whoever still wants it.
    async fn list(&self) -> Result<Vec<PartId>, HostError>;
    /// Has the part's image here.
    async fn fetch_image(&self, spec: &PartSpec, progress: Progress<'_>) -> Result<(), HostError>;
    /// Has the part's network as its membership says.
    async fn set_network(&self, spec: &PartSpec) -> Result<(), HostError>;
    /// Makes and starts the container on its network; an older generation gives way.
    async fn start(&self, part: &StoredPart) -> Result<(), HostError>;
    /// The part's container.
    async fn look(&self, id: PartId) -> Result<Look, HostError>;
    /// Whether what runs in it serves.
    async fn probe(&self, part: &StoredPart) -> Result<Probe, HostError>;
    /// Removes the container after `grace_s` seconds for it to end by itself, and its network
    /// if nobody else is on it. None there: done.
    async fn remove(&self, id: PartId, grace_s: u32) -> Result<(), HostError>;
    /// A connection to a TCP port inside the part.
    async fn dial(&self, id: PartId, port: u16) -> Result<Connection, HostError>;
    /// The part's log: the last `tail` lines and, with `follow`, what comes.
    async fn logs(
        &self,
        id: PartId,
        follow: bool,
        tail: u32,
    ) -> Result<BoxStream<'static, Result<Bytes, HostError>>, HostError>;
    /// A command inside the part.
    async fn exec(&self, id: PartId, argv: Vec<String>, tty: bool) -> Result<Exec, HostError>;
}
