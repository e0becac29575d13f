//! `ionet local status`.

use super::network::LocalNetwork;
use super::supervisor::{FAILURES_MAX, Status, status_file};
use crate::context::{Context, now_unix};
use crate::failure::{Failure, Result};
use crate::home::{Home, read_json};
use crate::output::{Paint, duration, number};
use std::collections::BTreeMap;

/// What the supervisor wrote last.
pub(crate) fn read(home: &Home) -> Result<BTreeMap<String, Status>> {
    Ok(read_json(&status_file(home))?.unwrap_or_default())
}

/// Processes that failed so often that a person must look.
pub(crate) fn failing(home: &Home) -> Result<Vec<String>> {
    let failing = read(home)?.into_iter().filter(|(_, s)| s.failures >= FAILURES_MAX);
    Ok(failing.map(|(name, _)| name).collect())
}

/// Shows it.
pub(crate) fn show(context: &Context) -> Result<()> {
    let network = LocalNetwork::load(&context.home)?
        .ok_or_else(|| Failure::not_found("no local network here").hint("`ionet up` makes one"))?;
    if !super::is_running(&context.home) {
        return Err(Failure::refused("the local network is stopped").hint("`ionet up` starts it"));
    }
    let status = read(&context.home)?;
    let answer = serde_json::json!({
        "running": true, "rpc_url": network.rpc_url(), "coordinator_url": network.rest_url(),
        "ports": network.ports, "genesis": network.genesis, "services": status,
    });
    context.out.answer(&answer, || {
        let out = context.out;
        let mut table = out.table(["process", "pid", "up", "restarts", "log"]);
        for (name, s) in &status {
            let state = match (s.pid, s.failures >= FAILURES_MAX) {
                (Some(pid), _) => pid.to_string(),
                (None, true) => out.paint(Paint::Red, "fails again and again"),
                (None, false) => out.paint(Paint::Yellow, "starting"),
            };
            let age = (now_unix() - s.started).max(0).unsigned_abs();
            table.add_row([
                name.clone().into(),
                state.into(),
                number(duration(age)),
                number(s.restarts),
                network.log(name).display().to_string().into(),
            ]);
        }
        format!(
            "chain        {}\ncoordinator  {}\n\n{table}",
            network.rpc_url(),
            network.rest_url()
        )
    })
}
