//! The real [`Host`]: containers and networks of this machine.

use crate::config::{ConfigError, WorkerConfig};
use crate::host::{Exec, ExecOutput, Host, HostError, Look, Probe, Progress, TAIL_BYTES_MAX};
use crate::store::StoredPart;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use ionet_core::{Chip, DeviceId, PartId, PartSpec, Role};
use ionet_mesh::engine::{self, Engine, EngineError};
use ionet_mesh::{ClusterNetwork, LocalMesh, MeshError, NetworkHandle, NetworkSpec};
use ionet_runtime::ray::{self, RayPart};
use ionet_runtime::{
    CdiDevice, Connection, ContainerHandle, ContainerName, ContainerRuntime, ContainerState,
    LogRequest, Runtime, RuntimeError, Secret, Settings,
};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// Lines of a log that are looked at when a part ends.
const TAIL_LINES: u32 = 40;
/// Pieces of input that wait for a command inside a part.
const INPUT_QUEUE: usize = 16;
/// Pieces of output that wait for the renter.
const OUTPUT_QUEUE: usize = 16;
/// An engine tells the exit code a moment after the output has ended.
const EXIT_POLL: Duration = Duration::from_millis(20);
/// Looks for the exit code before it is given up.
const EXIT_POLLS: usize = 250;

/// Containers of the local engine, networks of the local mesh.
pub(crate) struct Containers {
    runtime: ContainerRuntime,
    mesh: LocalMesh,
    device: DeviceId,
    chips: Vec<Chip>,
    config: WorkerConfig,
}

impl Containers {
    /// On the engine that the settings name. `chips` are those of the inventory.
    pub(crate) async fn connect(
        config: &WorkerConfig,
        device: DeviceId,
        chips: Vec<Chip>,
    ) -> Result<Self, EngineError> {
        let socket = engine::discover(config.containers.socket.as_deref())?;
        let engine = Engine::connect(&socket).await?;
        let settings =
            Settings { oci_runtime: config.containers.runtime.clone(), ..Settings::default() };
        let runtime = ContainerRuntime::new(engine.clone(), settings);
        let mesh = LocalMesh::new(engine);
        Ok(Self { runtime, mesh, device, chips, config: config.clone() })
    }

    fn name(&self, id: PartId) -> ContainerName {
        ContainerName::of_part(&id.cluster, &self.device)
    }

    /// The container of this very part.
    async fn find(&self, id: PartId) -> Result<Option<ContainerHandle>, HostError> {
        match self.runtime.inspect(&self.name(id)).await {
            Ok(found) => Ok(Some(found)),
            Err(RuntimeError::Missing(_)) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    async fn network(&self, spec: &PartSpec) -> Result<NetworkHandle, HostError> {
        let egress = self.config.egress_policy(spec.egress)?;
        let network = NetworkSpec::new(spec.id.cluster, &spec.membership, egress)
            .map_err(|e| HostError::Refused(e.to_string()))?;
        Ok(self.mesh.ensure(&network).await?)
    }

    fn ray_part(&self, part: &StoredPart, network: String) -> Result<RayPart, HostError> {
        let (spec, refuse) = (&part.spec, |why: &str| HostError::Refused(why.to_owned()));
        let members = &spec.membership.members;
        let own = members.iter().find(|m| m.device == self.device);
        let node_ip = own.ok_or_else(|| refuse("this device is no member"))?.ip;
        let head_ip = spec.membership.head().ok_or_else(|| refuse("the cluster has no head"))?.ip;
        let held: Vec<&Chip> =
            part.chips.iter().filter_map(|i| self.chips.get(usize::from(*i))).collect();
        let class = held.first().map_or("cpu", |c| c.class.as_str());
        let gpus = held
            .iter()
            .filter_map(|c| c.cdi.as_ref())
            .map(CdiDevice::new)
            .collect::<Result<_, _>>();
        Ok(RayPart {
            cluster: spec.id.cluster,
            device: self.device,
            generation: spec.id.generation,
            role: spec.role,
            image: spec.image.clone(),
            network,
            node_ip,
            head_ip,
            slice: spec.slice,
            token: Secret::new(part.secrets.ray_token.as_str()),
            chips: (class.to_owned(), u32::from(spec.chips)),
            gpus: gpus.map_err(|e| HostError::Refused(e.to_string()))?,
            dns: vec![],
        })
    }

    /// The end of a container's log.
    async fn tail(&self, name: &ContainerName) -> String {
        let request = LogRequest { tail: Some(TAIL_LINES), ..LogRequest::default() };
        let Ok(mut log) = self.runtime.logs(name, request).await else { return String::new() };
        let mut bytes = Vec::new();
        while let Some(Ok(piece)) = log.next().await {
            bytes.extend_from_slice(&piece);
            let over = bytes.len().saturating_sub(TAIL_BYTES_MAX);
            bytes.drain(..over);
        }
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        // Replacing broken characters may have made it longer.
        while text.len() > TAIL_BYTES_MAX {
            text.remove(0);
        }
        text
    }

    /// Removes every container of this device, and every network that nobody else is on.
    pub(crate) async fn purge(&self) -> Result<usize, HostError> {
        let found = self.list().await?;
        for id in &found {
            self.remove(*id, 0).await?;
        }
        Ok(found.len())
    }
}

#[async_trait]
impl Host for Containers {
    async fn list(&self) -> Result<Vec<PartId>, HostError> {
        let found = self.runtime.list(&self.device).await?;
        let id = |c: &ContainerHandle| PartId { cluster: c.cluster, generation: c.generation };
        Ok(found.iter().map(id).collect())
    }

    async fn fetch_image(&self, spec: &PartSpec, progress: Progress<'_>) -> Result<(), HostError> {
        let mut pieces = self.runtime.ensure_image(&spec.image).await?;
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            progress(piece.done_bytes, (piece.total_bytes > 0).then_some(piece.total_bytes));
        }
        Ok(())
    }

    async fn set_network(&self, spec: &PartSpec) -> Result<(), HostError> {
        self.network(spec).await.map(|_| ())
    }

    async fn start(&self, part: &StoredPart) -> Result<(), HostError> {
        let network = self.network(&part.spec).await?;
        let spec = self.ray_part(part, network.name)?.container_spec();
        match self.runtime.start(&spec).await {
            Ok(_) => Ok(()),
            // Another worker of this machine may just have left the cluster and taken the
            // network with it: have it once more.
            Err(first) if part.spec.membership.members.len() > 1 => {
                tracing::debug!(error = %first, "starting once more");
                self.network(&part.spec).await?;
                Ok(self.runtime.start(&spec).await.map(|_| ())?)
            }
            Err(e) => Err(e.into()),
        }
    }

    async fn look(&self, id: PartId) -> Result<Look, HostError> {
        let Some(found) = self.find(id).await? else { return Ok(Look::Missing) };
        if found.generation < id.generation {
            return Ok(Look::Missing);
        }
        if found.generation > id.generation {
            let newer = format!("generation {} of this part is here", found.generation);
            return Err(HostError::Refused(newer));
        }
        Ok(match found.state {
            ContainerState::Created => Look::Missing,
            ContainerState::Running { started_at } => Look::Running { started_at },
            ContainerState::Exited { code, oom_killed, started_at, .. } => {
                let mut tail = self.tail(&found.name).await;
                if oom_killed {
                    tail.push_str("\n(ended by the kernel: out of its memory)");
                }
                Look::Exited { started_at: Some(started_at), code: Some(code), tail }
            }
        })
    }

    async fn probe(&self, part: &StoredPart) -> Result<Probe, HostError> {
        if part.spec.role == Role::Worker {
            // It runs; whether its Ray node is alive is what the head counts.
            return Ok(Probe::Alive(None));
        }
        let name = self.name(part.spec.id);
        let Ok(dashboard) = self.runtime.dial(&name, ray::DASHBOARD_PORT).await else {
            return Ok(Probe::Silent);
        };
        let token = Secret::new(part.secrets.ray_token.as_str());
        match ray::alive_nodes(dashboard, &token).await {
            Ok(nodes) if nodes.is_empty() => Ok(Probe::Silent),
            Ok(nodes) => Ok(Probe::Alive(Some(nodes.len() as u32))),
            Err(e) => {
                tracing::trace!(error = %e, "the head does not answer");
                Ok(Probe::Silent)
            }
        }
    }

    async fn remove(&self, id: PartId, grace_s: u32) -> Result<(), HostError> {
        if let Some(found) = self.find(id).await? {
            if found.generation > id.generation {
                return Ok(());
            }
            self.runtime.stop(&found.name, grace_s).await?;
            self.runtime.remove(&found.name).await?;
        }
        match self.mesh.remove(&id.cluster).await {
            Ok(()) | Err(MeshError::InUse(_)) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    async fn dial(&self, id: PartId, port: u16) -> Result<Connection, HostError> {
        Ok(self.runtime.dial(&self.name(id), port).await?)
    }

    async fn logs(
        &self,
        id: PartId,
        follow: bool,
        tail: u32,
    ) -> Result<BoxStream<'static, Result<Bytes, HostError>>, HostError> {
        let request = LogRequest { follow, since: None, tail: Some(tail) };
        let pieces = self.runtime.logs(&self.name(id), request).await?;
        Ok(pieces.map(|p| p.map_err(HostError::from)).boxed())
    }

    async fn exec(&self, id: PartId, argv: Vec<String>, _tty: bool) -> Result<Exec, HostError> {
        let mut exec = self.runtime.exec(&self.name(id), &argv).await?;
        let (input, mut pieces) = mpsc::channel::<Bytes>(INPUT_QUEUE);
        tokio::spawn(async move {
            while let Some(piece) = pieces.recv().await {
                if exec.stdin.write_all(&piece).await.is_err() {
                    return;
                }
            }
            let _ = exec.stdin.shutdown().await;
        });
        let (words, output) = mpsc::channel(OUTPUT_QUEUE);
        let runtime = self.runtime.clone();
        tokio::spawn(async move {
            while let Some(piece) = exec.output.next().await {
                let piece = piece.map_err(HostError::from).map(|p| match p {
                    ionet_runtime::ExecOutput::Stdout(bytes) => ExecOutput::Stdout(bytes),
                    ionet_runtime::ExecOutput::Stderr(bytes) => ExecOutput::Stderr(bytes),
                });
                if words.send(piece).await.is_err() {
                    return;
                }
            }
            let code = exit_code(&runtime, &exec.id).await.map(ExecOutput::Exit);
            let _ = words.send(code).await;
        });
        let output = futures_util::stream::unfold(output, |mut output| async move {
            output.recv().await.map(|piece| (piece, output))
        });
        Ok(Exec { output: output.boxed(), input })
    }
}

async fn exit_code(runtime: &ContainerRuntime, id: &str) -> Result<i64, HostError> {
    for _ in 0..EXIT_POLLS {
        if let Some(code) = runtime.exec_code(id).await? {
            return Ok(code);
        }
        tokio::time::sleep(EXIT_POLL).await;
    }
    Err(HostError::Refused("the engine does not tell the exit code".to_owned()))
}

impl From<EngineError> for HostError {
    fn from(error: EngineError) -> Self {
        // Without a status there was no answer at all; that may change.
        let refused = matches!(error, EngineError::Refused(_)) || error.status().is_some();
        if refused { Self::Refused(error.to_string()) } else { Self::Away(error.to_string()) }
    }
}

impl From<RuntimeError> for HostError {
    fn from(error: RuntimeError) -> Self {
        match error {
            RuntimeError::Engine(e) => e.into(),
            e => Self::Refused(e.to_string()),
        }
    }
}

impl From<MeshError> for HostError {
    fn from(error: MeshError) -> Self {
        match error {
            MeshError::Engine(e) => e.into(),
            e => Self::Refused(e.to_string()),
        }
    }
}

impl From<ConfigError> for HostError {
    fn from(error: ConfigError) -> Self {
        Self::Refused(error.to_string())
    }
}
