//! `ionet doctor`: can this machine run ionet? Plain words, and what to do.

mod checks;
mod container;
mod host;

pub(crate) use checks::{Check, State};
pub(crate) use container::on_path;
pub(crate) use host::{HOST_MEMORY_BYTES, tcp_is_free, udp_is_free};

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::{Output, Paint};
use std::path::Path;

/// Options of `doctor`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DoctorArgs {
    /// For how many workers
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) workers: u16,
}

/// What is looked at.
pub(crate) struct Subject<'a> {
    /// Folder whose file system holds the state.
    pub(crate) home: &'a Path,
    /// Workers that shall run here.
    pub(crate) workers: u16,
    /// A local network of ours runs already: its ports are taken by itself.
    pub(crate) running: bool,
    /// Where the chain answers, if it does.
    pub(crate) rpc_url: Option<&'a str>,
}

/// All checks, in the order in which a person would look.
pub(crate) async fn examine(subject: &Subject<'_>) -> Vec<Check> {
    let mut found = vec![
        host::system(),
        host::memory(subject.workers),
        host::disk(subject.home),
        host::ports(subject.running),
    ];
    found.push(host::clock(subject.rpc_url).await);
    found.extend([host::nofile(), host::cgroups(), host::tun(), host::kvm()]);
    found.extend(host::wsl());
    found.extend(container::tools());
    found.push(container::engine().await);
    found
}

/// `ionet doctor`.
pub(crate) async fn run(context: &Context, args: DoctorArgs) -> Result<()> {
    let running = crate::local::is_running(&context.home);
    let rpc = running.then(|| context.rpc_url());
    let subject =
        Subject { home: context.home.path(), workers: args.workers, running, rpc_url: rpc };
    let checks = examine(&subject).await;
    let failed = checks.iter().filter(|c| c.state == State::Fail).count();
    let answer = serde_json::json!({ "ok": failed == 0, "checks": &checks });
    context.out.answer(&answer, || render(context.out, &checks))?;
    match failed {
        0 => Ok(()),
        n => Err(Failure::refused(format!("{n} checks failed; this machine cannot run ionet yet"))
            .hint("do what stands behind the arrows above, then run `ionet doctor` again")),
    }
}

/// The checks as lines, with what to do below those that are not fine.
pub(crate) fn render(out: Output, checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = match check.state {
            State::Ok => out.paint(Paint::Green, "ok  "),
            State::Warn => out.paint(Paint::Yellow, "warn"),
            State::Fail => out.paint(Paint::Red, "FAIL"),
        };
        text.push_str(&format!("{mark}  {:<12} {}\n", check.name, check.message));
        if let Some(todo) = &check.todo {
            text.push_str(&format!("                    -> {todo}\n"));
        }
    }
    text
}
