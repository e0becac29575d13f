//! [`Runtime`] over the Docker-compatible API.

use crate::create::{Machine, body, label};
use crate::engine::{Engine, EngineError, EngineKind};
use crate::inspect::Inspect;
use crate::{
    Connection, ContainerHandle, ContainerName, ContainerSpec, ContainerState, ContainerStats,
    Exec, ExecOutput, ImageProgress, LogRequest, Runtime, RuntimeError, create_podman, dial,
    seccomp,
};
use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptions, LogsOptions, RemoveContainerOptions,
    StartContainerOptions, StatsOptions, StopContainerOptions, WaitContainerOptions,
};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use ionet_core::{DeviceId, ImageRef};
use std::collections::BTreeMap;

/// Images of this prefix are made on the machine itself; no registry has them.
const LOCAL_PREFIX: &str = "localhost/";

/// How containers are run on this machine.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The OCI runtime: `runc`, `crun`, `runsc`; with none, the engine's own choice.
    pub oci_runtime: Option<String>,
    /// Never enter namespaces: dial through a relay inside the container.
    pub dial_by_relay: bool,
}

/// Containers of the local engine.
#[derive(Debug, Clone)]
pub struct ContainerRuntime {
    engine: Engine,
    settings: Settings,
}

impl ContainerRuntime {
    /// On this engine.
    pub fn new(engine: Engine, settings: Settings) -> Self {
        Self { engine, settings }
    }

    async fn look(&self, name: &ContainerName) -> Result<Option<Inspect>, RuntimeError> {
        let found = self.engine.get(&format!("/containers/{name}/json")).await?;
        Ok(found.map(|value| Inspect::read(&value)).transpose()?)
    }

    async fn look_running(&self, name: &ContainerName) -> Result<Inspect, RuntimeError> {
        let found = self.look(name).await?.ok_or_else(|| RuntimeError::Missing(name.clone()))?;
        match found.state().is_running() {
            true => Ok(found),
            false => Err(RuntimeError::NotRunning(name.clone())),
        }
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let docker = self.engine.docker();
        let options =
            CreateContainerOptions { name: Some(spec.name.to_string()), ..Default::default() };
        let filter = match self.engine.kind() {
            EngineKind::Docker => None,
            EngineKind::Podman => {
                Some(seccomp::file(self.engine.socket()).map_err(RuntimeError::Seccomp)?)
            }
        };
        let machine = Machine {
            engine: self.engine.kind(),
            oci_runtime: self.settings.oci_runtime.as_deref(),
            seccomp: filter.as_ref().and_then(|f| f.to_str()),
        };
        let own = !spec.gpus.is_empty() || machine.oci_runtime.is_some();
        let made = if machine.engine == EngineKind::Podman && own {
            let body = create_podman::body(spec, machine);
            self.engine.podman_post("/containers/create", &body).await
        } else {
            let made = docker.create_container(Some(options), body(spec, machine)).await;
            made.map(drop).map_err(EngineError::from)
        };
        match made {
            Ok(()) => Ok(()),
            Err(e) if e.is_missing() => Err(RuntimeError::ImageMissing {
                image: spec.image.clone(),
                hint: "bring it here first".to_owned(),
            }),
            Err(e) => Err(e.into()),
        }
    }

    /// Whether the container that is there may stay; a newer one refuses the spec.
    fn judge(spec: &ContainerSpec, there: &ContainerHandle) -> Result<bool, RuntimeError> {
        if there.generation > spec.generation {
            let (have, wanted) = (there.generation, spec.generation);
            return Err(RuntimeError::Stale { name: spec.name.clone(), have, wanted });
        }
        Ok(there.spec_hash == spec.hash())
    }
}

#[async_trait]
impl Runtime for ContainerRuntime {
    async fn ensure_image(
        &self,
        image: &ImageRef,
    ) -> Result<BoxStream<'static, Result<ImageProgress, RuntimeError>>, RuntimeError> {
        match self.engine.docker().inspect_image(image.as_str()).await.map_err(EngineError::from) {
            Ok(_) => return Ok(stream::empty().boxed()),
            Err(e) if e.is_missing() => {}
            Err(e) => return Err(e.into()),
        }
        let missing = |hint: String| RuntimeError::ImageMissing { image: image.clone(), hint };
        if image.as_str().starts_with(LOCAL_PREFIX) {
            return Err(missing("build it with images/ray/build.sh".to_owned()));
        }
        let options =
            CreateImageOptions { from_image: Some(image.to_string()), ..Default::default() };
        let image = image.clone();
        let mut layers: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let pulled = self.engine.docker().create_image(Some(options), None, None);
        Ok(pulled
            .map(move |step| {
                let step = step.map_err(|e| RuntimeError::ImageMissing {
                    image: image.clone(),
                    hint: e.to_string(),
                })?;
                if let (Some(layer), Some(detail)) = (step.id, step.progress_detail) {
                    let bytes = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
                    let entry = layers.entry(layer).or_default();
                    entry.1 = bytes(detail.total).unwrap_or(entry.1);
                    entry.0 = bytes(detail.current).unwrap_or(entry.0).min(entry.1);
                }
                let sum = |f: fn(&(u64, u64)) -> u64| layers.values().map(f).sum();
                Ok(ImageProgress { done_bytes: sum(|l| l.0), total_bytes: sum(|l| l.1) })
            })
            .boxed())
    }

    async fn start(&self, spec: &ContainerSpec) -> Result<ContainerHandle, RuntimeError> {
        spec.validate()?;
        let there = self.look(&spec.name).await?;
        let keep = match &there {
            None => false,
            Some(inspect) => {
                let foreign = || RuntimeError::Foreign(spec.name.clone());
                let handle = inspect.handle().ok_or_else(foreign)?;
                if handle.device != spec.device {
                    return Err(foreign());
                }
                let keep = Self::judge(spec, &handle)?;
                if !keep {
                    self.remove(&spec.name).await?;
                }
                keep
            }
        };
        if !keep {
            self.create(spec).await?;
        }
        let handle = self.inspect(&spec.name).await?;
        if handle.state != ContainerState::Created {
            return Ok(handle);
        }
        let docker = self.engine.docker();
        let started =
            docker.start_container(spec.name.as_str(), None::<StartContainerOptions>).await;
        if let Err(e) = started {
            // A container that cannot start keeps its address; it must not stay in the way.
            let error = EngineError::from(e);
            self.remove(&spec.name).await?;
            return Err(error.into());
        }
        self.inspect(&spec.name).await
    }

    async fn inspect(&self, name: &ContainerName) -> Result<ContainerHandle, RuntimeError> {
        let found = self.look(name).await?.ok_or_else(|| RuntimeError::Missing(name.clone()))?;
        found.handle().ok_or_else(|| RuntimeError::Foreign(name.clone()))
    }

    async fn list(&self, device: &DeviceId) -> Result<Vec<ContainerHandle>, RuntimeError> {
        let filters = format!(r#"{{"label":["{}={device}"]}}"#, label::DEVICE);
        let path = format!("/containers/json?all=true&filters={}", percent(&filters));
        let found = self.engine.get(&path).await?.unwrap_or_default();
        let first = |c: &serde_json::Value| Some(c["Names"][0].as_str()?.to_owned());
        let mut handles = Vec::new();
        for name in found.as_array().into_iter().flatten().filter_map(first) {
            let Ok(name) = ContainerName::new(name.trim_start_matches('/')) else { continue };
            // Between the two calls a container may vanish.
            if let Some(inspect) = self.look(&name).await? {
                handles.extend(inspect.handle());
            }
        }
        handles.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(handles)
    }

    async fn stop(&self, name: &ContainerName, grace_seconds: u32) -> Result<(), RuntimeError> {
        let options = StopContainerOptions {
            t: Some(i32::try_from(grace_seconds).unwrap_or(i32::MAX)),
            ..Default::default()
        };
        let stopped = self.engine.docker().stop_container(name.as_str(), Some(options)).await;
        match stopped.map_err(EngineError::from) {
            Ok(()) => Ok(()),
            // 304: it had ended already.
            Err(e) if e.is_missing() || e.status() == Some(304) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    async fn remove(&self, name: &ContainerName) -> Result<(), RuntimeError> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let removed = self.engine.docker().remove_container(name.as_str(), Some(options)).await;
        match removed.map_err(EngineError::from) {
            Ok(()) => Ok(()),
            Err(e) if e.is_missing() => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    async fn logs(
        &self,
        name: &ContainerName,
        request: LogRequest,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError> {
        self.look(name).await?.ok_or_else(|| RuntimeError::Missing(name.clone()))?;
        let since = request.since.unwrap_or(0).clamp(0, i32::MAX.into());
        let options = LogsOptions {
            follow: request.follow,
            stdout: true,
            stderr: true,
            since: i32::try_from(since).unwrap_or(0),
            tail: request.tail.map_or("all".to_owned(), |n| n.to_string()),
            ..Default::default()
        };
        let lines = self.engine.docker().logs(name.as_str(), Some(options));
        Ok(lines
            .map(|piece| match piece {
                Ok(piece) => Ok(piece.into_bytes()),
                Err(e) => Err(EngineError::from(e).into()),
            })
            .boxed())
    }

    async fn exec(&self, name: &ContainerName, command: &[String]) -> Result<Exec, RuntimeError> {
        self.look_running(name).await?;
        let docker = self.engine.docker();
        let options = CreateExecOptions {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.to_vec()),
            ..Default::default()
        };
        let id = docker.create_exec(name.as_str(), options).await.map_err(EngineError::from)?.id;
        let start = StartExecOptions { detach: false, tty: false, output_capacity: None };
        match docker.start_exec(&id, Some(start)).await.map_err(EngineError::from)? {
            StartExecResults::Attached { output, input } => {
                let output = output
                    .map(|piece| match piece {
                        Ok(LogOutput::StdErr { message }) => Ok(ExecOutput::Stderr(message)),
                        Ok(other) => Ok(ExecOutput::Stdout(other.into_bytes())),
                        Err(e) => Err(EngineError::from(e).into()),
                    })
                    .boxed();
                Ok(Exec { id, stdin: input, output })
            }
            StartExecResults::Detached => {
                let words = "it ran the command detached".to_owned();
                Err(EngineError::Refused(words).into())
            }
        }
    }

    async fn exec_code(&self, id: &str) -> Result<Option<i64>, RuntimeError> {
        let found = self.engine.docker().inspect_exec(id).await.map_err(EngineError::from)?;
        Ok(if found.running == Some(true) { None } else { found.exit_code })
    }

    async fn stats(&self, name: &ContainerName) -> Result<ContainerStats, RuntimeError> {
        self.look_running(name).await?;
        let options = StatsOptions { stream: false, one_shot: true };
        let mut answers = self.engine.docker().stats(name.as_str(), Some(options));
        let Some(answer) = answers.next().await else {
            return Err(RuntimeError::NotRunning(name.clone()));
        };
        let answer = answer.map_err(EngineError::from)?;
        let memory = answer.memory_stats.unwrap_or_default();
        let cpu = answer.cpu_stats.and_then(|c| c.cpu_usage).and_then(|u| u.total_usage);
        Ok(ContainerStats {
            cpu_nanos: cpu.unwrap_or(0),
            memory_bytes: memory.usage.unwrap_or(0),
            memory_limit_bytes: memory.limit.unwrap_or(0),
            pids: answer.pids_stats.and_then(|p| p.current).unwrap_or(0),
        })
    }

    async fn dial(&self, name: &ContainerName, port: u16) -> Result<Connection, RuntimeError> {
        let found = self.look_running(name).await?;
        let own = found.own_address();
        let refused = |reason: String| RuntimeError::Dial { name: name.clone(), port, reason };
        let pid = found.pid();
        if !self.settings.dial_by_relay && pid > 0 {
            let namespace = dial::namespace(pid);
            // The process may have ended meanwhile and its number be someone else's: what was
            // opened counts only if the container still has that process.
            let again = self.look_running(name).await?;
            let connected = match namespace {
                Ok(file) if again.pid() == pid => dial::connect(file, own, port).await,
                Ok(_) => return Err(RuntimeError::NotRunning(name.clone())),
                Err(e) => Err(e),
            };
            match connected {
                Ok(connection) => return Ok(connection),
                Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {}
                Err(e) => return Err(refused(e.to_string())),
            }
        }
        let exec = self.exec(name, &dial::relay_command(own, port)).await?;
        dial::relay(exec).await.map_err(|e| refused(e.to_string()))
    }

    async fn wait(&self, name: &ContainerName) -> Result<ContainerState, RuntimeError> {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut ended = self.engine.docker().wait_container(name.as_str(), Some(options));
        match ended.next().await {
            None | Some(Ok(_)) => {}
            // The client's way to say that the exit code was not 0.
            Some(Err(bollard::errors::Error::DockerContainerWaitError { .. })) => {}
            Some(Err(e)) => {
                let e = EngineError::from(e);
                return Err(match e.is_missing() {
                    true => RuntimeError::Missing(name.clone()),
                    false => e.into(),
                });
            }
        }
        Ok(self.inspect(name).await?.state)
    }
}

/// Text as part of a query: everything but letters and digits is encoded.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
