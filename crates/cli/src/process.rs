//! Processes that outlive the command which started them: known by pid and start time, so that
//! a number which another process got after a reboot is not taken for ours.

use crate::failure::{Failure, Kind, OrFail as _, Result};
use crate::home::{read_json, write_atomic};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often something that was asked to end is looked at.
const POLL: Duration = Duration::from_millis(50);

/// A process: its number, and when it started in ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: i32,
    /// Its start in clock ticks after boot.
    pub(crate) started: u64,
    /// Hash of this boot's id: ticks alone may repeat.
    pub(crate) boot: u64,
}

impl Process {
    /// This process.
    pub(crate) fn current() -> Self {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        Self::of(pid).unwrap_or(Self { pid, started: 0, boot: 0 })
    }

    /// The process with this number, if it lives.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, even spaces and parentheses.
        let rest = &stat[stat.rfind(')')? + 1..];
        let mut fields = rest.split_whitespace();
        if matches!(fields.next()?, "Z" | "X") {
            return None; // dead, not yet collected
        }
        Some(Self { pid, started: fields.nth(18)?.parse().ok()?, boot: boot() })
    }

    /// From a file; `None` where there is none, or its process is gone.
    pub(crate) fn from_file(path: &Path) -> Option<Self> {
        let kept: Self = read_json(path).ok().flatten()?;
        kept.is_alive().then_some(kept)
    }

    /// Into a file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write_atomic(path, &serde_json::to_vec(self).expect("plain data"), 0o644)
    }

    /// Whether it is this very process that lives.
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal, to its whole group with `group`.
    pub(crate) fn signal(&self, signal: Signal, group: bool) {
        if self.is_alive() {
            let pid = Pid::from_raw(self.pid);
            // Gone in between is what we want anyway.
            let _ = if group { killpg(pid, signal) } else { kill(pid, signal) };
        }
    }

    /// SIGTERM, then after `grace` SIGKILL. Returns whether it ended by itself.
    pub(crate) async fn end(&self, grace: Duration, group: bool) -> bool {
        self.signal(Signal::SIGTERM, false);
        let deadline = tokio::time::Instant::now() + grace;
        while self.is_alive() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        let by_itself = !self.is_alive();
        self.signal(Signal::SIGKILL, group);
        while self.is_alive() {
            tokio::time::sleep(POLL).await;
        }
        by_itself
    }
}

fn boot() -> u64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&hex, 16).unwrap_or(0)
}

/// Starts `command` in a session of its own, with its output appended to `log`.
pub(crate) fn spawn_detached(command: &mut Command, log: &Path) -> Result<Process> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).or_internal(folder.display())?;
    }
    let open = || std::fs::OpenOptions::new().create(true).append(true).open(log);
    let out = open().or_internal(log.display())?;
    let err = out.try_clone().or_internal(log.display())?;
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    // A group of its own: Ctrl-C and the end of the terminal do not reach it.
    command.process_group(0);
    let child = command.spawn().or_internal("starting a process")?;
    let pid = i32::try_from(child.id()).or_internal("pid")?;
    Process::of(pid).ok_or_else(|| {
        Failure::new(Kind::Internal, format!("a process ended at once; see {}", log.display()))
    })
}

/// The program that runs now, by its path: what `current_exe` says after the file was replaced
/// has a mark that names no file.
pub(crate) fn this_program() -> Result<std::path::PathBuf> {
    let path = std::env::current_exe().or_internal("this program's path")?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or(path.clone(), Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_known_by_more_than_its_number() {
        let me = Process::current();
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive());
        assert!(!Process { boot: me.boot ^ 1, ..me }.is_alive());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.pid");
        me.write(&path).unwrap();
        assert_eq!(Process::from_file(&path), Some(me));
    }

    #[tokio::test]
    async fn what_ignores_the_first_signal_gets_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        let script = format!("trap '' TERM; : > {}; while :; do sleep 1; done", ready.display());
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        let process = spawn_detached(&mut command, &log).unwrap();
        while !ready.exists() {
            tokio::time::sleep(POLL).await;
        }
        assert!(!process.end(Duration::from_millis(200), true).await);
        assert!(!process.is_alive());
    }
}
