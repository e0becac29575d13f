//! `ionet local run`: starts the processes of the local network, starts them again when they
//! end, and ends them all when it is told to.

use super::network::LocalNetwork;
use super::services::{Service, all};
use super::{pid_file, stop_signal};
use crate::failure::{Failure, OrFail as _, Result};
use crate::home::{Home, write_atomic};
use crate::process::{Process, this_program};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How often everything is looked at: what was killed is back within a second.
const TICK: Duration = Duration::from_millis(150);
/// Pause before the second start in a row.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// Longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A process that ran so long is healthy: its failures are forgotten.
const HEALTHY: Duration = Duration::from_secs(20);
/// How long each process may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// A log is turned over at this size; one older piece is kept.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// Failures in a row after which people are told.
pub(crate) const FAILURES_MAX: u32 = 10;
/// The engine outlives the others: `down` needs it to remove containers.
const ENGINE: &str = "podman";

/// What `local status` shows of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Its pid, while it runs.
    pub(crate) pid: Option<i32>,
    /// Unix seconds of its last start.
    pub(crate) started: i64,
    /// Starts beyond the first.
    pub(crate) restarts: u32,
    /// Ends in a row soon after a start.
    pub(crate) failures: u32,
    /// How it ended last.
    pub(crate) last_end: Option<String>,
}

/// Where the statuses are.
pub(crate) fn status_file(home: &Home) -> PathBuf {
    home.local().join("run/status.json")
}

#[derive(Default)]
struct Slot {
    child: Option<Child>,
    since: Option<Instant>,
    not_before: Option<Instant>,
    /// When its settings were written that it runs with.
    settings: Option<SystemTime>,
    status: Status,
}

/// Runs until SIGTERM.
pub(crate) async fn run(home: &Home) -> Result<()> {
    let file = pid_file(home, "supervisor");
    if let Some(other) = Process::from_file(&file) {
        return Err(Failure::refused(format!("it runs already, as process {}", other.pid)));
    }
    Process::current().write(&file)?;
    let ionet = this_program()?;
    let mut slots: BTreeMap<String, Slot> = BTreeMap::new();
    let mut stop = Box::pin(stop_signal());
    let mut shown = String::new();
    loop {
        if let Some(network) = LocalNetwork::load(home)? {
            for service in all(&network, &ionet) {
                let slot = slots.entry(service.name.clone()).or_default();
                tend(home, &network, &service, slot).await?;
            }
            turn_logs(network.folder());
        }
        let status: BTreeMap<_, _> = slots.iter().map(|(name, s)| (name, &s.status)).collect();
        let text = serde_json::to_string_pretty(&status).or_internal("status")?;
        if text != shown {
            write_atomic(&status_file(home), text.as_bytes(), 0o644)?;
            shown = text;
        }
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(TICK) => (),
        }
    }
    end_all(home, slots).await;
    let _ = std::fs::remove_file(status_file(home));
    let _ = std::fs::remove_file(file);
    Ok(())
}

async fn tend(
    home: &Home,
    network: &LocalNetwork,
    service: &Service,
    slot: &mut Slot,
) -> Result<()> {
    if let Some(child) = &mut slot.child {
        let Some(ended) = child.try_wait().or_internal(&service.name)? else {
            let healthy = slot.since.is_some_and(|s| s.elapsed() > HEALTHY);
            if healthy {
                slot.status.failures = 0;
            }
            let settings = written(&service.needs);
            if settings.is_some() && settings != slot.settings && service.name != ENGINE {
                tracing::info!(service = service.name, "its settings changed: it starts anew");
                end(home, &service.name, child).await;
                slot.child = None;
            }
            return Ok(());
        };
        slot.child = None;
        slot.status.pid = None;
        slot.status.failures += 1;
        slot.status.last_end = Some(ended.to_string());
        let doublings = (slot.status.failures - 1).min(6);
        let pause = (BACKOFF_MIN * 2u32.pow(doublings)).min(BACKOFF_MAX);
        slot.not_before = Some(Instant::now() + pause);
        tracing::warn!(service = service.name, %ended, failures = slot.status.failures,
            "a process ended; it is started again");
    }
    if !service.needs.exists() || slot.not_before.is_some_and(|at| Instant::now() < at) {
        return Ok(());
    }
    let pid_path = pid_file(home, &service.name);
    if let Some(left) = Process::from_file(&pid_path) {
        // Of a supervisor that was killed: its children cannot be waited for, so begin anew.
        left.end(GRACE, true).await;
    }
    let first = slot.since.is_none();
    slot.settings = written(&service.needs);
    match start(network, service) {
        Ok((child, process)) => {
            process.write(&pid_path)?;
            tracing::info!(service = service.name, pid = process.pid, "started");
            slot.status.pid = Some(process.pid);
            slot.status.started = crate::context::now_unix();
            slot.status.restarts += u32::from(!first);
            slot.child = Some(child);
        }
        Err(failure) => {
            slot.status.failures += 1;
            slot.status.last_end = Some(failure.to_string());
            slot.not_before = Some(Instant::now() + BACKOFF_MAX);
        }
    }
    slot.since = Some(Instant::now());
    Ok(())
}

fn start(network: &LocalNetwork, service: &Service) -> Result<(Child, Process)> {
    let log = network.log(&service.name);
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).or_internal(folder.display())?;
    }
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .or_internal(log.display())?;
    let err = file.try_clone().or_internal(log.display())?;
    let mut command = Command::new(&service.program);
    command.args(&service.args).stdin(Stdio::null()).stdout(file).stderr(err).process_group(0);
    command.current_dir(network.folder());
    for (name, value) in &service.env {
        command.env(name, value);
    }
    if service.name == ENGINE {
        // Podman refuses to bind where the socket of a dead service lies.
        let _ = std::fs::remove_file(&network.socket);
    }
    let child = command.spawn().or_internal(&service.name)?;
    let pid = child.id().and_then(|p| i32::try_from(p).ok());
    let process = pid.and_then(Process::of).ok_or_else(|| {
        Failure::new(crate::failure::Kind::Internal, format!("{} ended at once", service.name))
    })?;
    Ok((child, process))
}

/// Workers first, while the coordinator still hears them; the chain last.
async fn end_all(home: &Home, mut slots: BTreeMap<String, Slot>) {
    let rank = |name: &str| match name {
        "chain" => 2,
        "coordinator" => 1,
        _ => 0,
    };
    for round in 0..=2 {
        let mut ending = Vec::new();
        for (name, slot) in &mut slots {
            if rank(name) != round || name == ENGINE {
                continue;
            }
            let Some(mut child) = slot.child.take() else { continue };
            ending.push(async move { end(home, name, &mut child).await });
        }
        futures_util::future::join_all(ending).await;
    }
}

/// SIGTERM, and after the grace SIGKILL.
async fn end(home: &Home, name: &str, child: &mut Child) {
    let path = pid_file(home, name);
    if let Some(process) = Process::from_file(&path) {
        process.signal(nix::sys::signal::Signal::SIGTERM, false);
    }
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
    let _ = std::fs::remove_file(path);
}

fn written(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// Turns over logs that have grown: the processes append, so the file can be emptied below them.
fn turn_logs(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder.join("logs")) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let large = entry.metadata().is_ok_and(|m| m.len() > LOG_BYTES_MAX);
        if large
            && path.extension().is_some_and(|e| e == "log")
            && std::fs::copy(&path, path.with_extension("log.1")).is_ok()
        {
            let _ = std::fs::OpenOptions::new().write(true).truncate(true).open(&path);
        }
    }
}
