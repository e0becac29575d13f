//! What an engine says of a container, as far as we need it.
//!
//! Read by types of our own: Podman reports states that Docker's schema does not have (`stopped`,
//! between the end of the process and the clean-up), and a strict reader would fail on them.

use crate::create::label;
use crate::engine::EngineError;
use crate::time::unix_seconds;
use crate::{ContainerHandle, ContainerName, ContainerState};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The engine's answer to "inspect".
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inspect {
    id: String,
    name: String,
    config: Config,
    state: State,
    #[serde(default)]
    network_settings: NetworkSettings,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    running: bool,
    #[serde(default)]
    pid: i64,
    #[serde(default)]
    exit_code: i64,
    #[serde(default, rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: Option<BTreeMap<String, Endpoint>>,
}

#[derive(Debug, Deserialize)]
struct Endpoint {
    #[serde(default, rename = "IPAddress")]
    ip_address: String,
}

impl Inspect {
    /// Reads an answer.
    pub(crate) fn read(value: &serde_json::Value) -> Result<Self, EngineError> {
        Self::deserialize(value).map_err(|e| EngineError::Refused(format!("inspect: {e}")))
    }

    /// The first process, 0 where none is alive.
    pub(crate) fn pid(&self) -> i64 {
        self.state.pid
    }

    /// Its address on its one network.
    pub(crate) fn own_address(&self) -> Option<Ipv4Addr> {
        let networks = self.network_settings.networks.as_ref()?;
        networks.values().find_map(|n| n.ip_address.parse().ok())
    }

    /// How it is.
    pub(crate) fn state(&self) -> ContainerState {
        let state = &self.state;
        let started_at = unix_seconds(&state.started_at);
        if state.running {
            return ContainerState::Running { started_at: started_at.unwrap_or(0) };
        }
        // Names of both engines for "not started yet".
        let waits = ["created", "configured", "initialized"].contains(&state.status.as_str());
        match started_at {
            Some(started_at) if !waits => ContainerState::Exited {
                code: state.exit_code,
                oom_killed: state.oom_killed,
                started_at,
                finished_at: unix_seconds(&state.finished_at).unwrap_or(started_at),
            },
            Some(_) | None => ContainerState::Created,
        }
    }

    /// What we know of it, if it is one of ours.
    pub(crate) fn handle(&self) -> Option<ContainerHandle> {
        let labels = self.config.labels.as_ref()?;
        Some(ContainerHandle {
            name: ContainerName::new(self.name.trim_start_matches('/')).ok()?,
            id: self.id.clone(),
            device: labels.get(label::DEVICE)?.parse().ok()?,
            cluster: labels.get(label::CLUSTER)?.parse().ok()?,
            generation: labels.get(label::GENERATION)?.parse().ok()?,
            spec_hash: labels.get(label::SPEC)?.clone(),
            state: self.state(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podmans_own_states_are_understood() {
        let answer = |status: &str, running: bool, started: &str| {
            let value = serde_json::json!({
                "Id": "1", "Name": "/a", "Config": { "Labels": null },
                "State": {
                    "Status": status, "Running": running, "Pid": 0, "ExitCode": 7,
                    "OOMKilled": false, "StartedAt": started, "FinishedAt": started,
                },
            });
            Inspect::read(&value).unwrap().state()
        };
        let (at, never) = ("1970-01-01T00:00:05Z", "0001-01-01T00:00:00Z");
        assert_eq!(answer("running", true, at), ContainerState::Running { started_at: 5 });
        for ended in ["exited", "stopped", "dead", "stopping"] {
            let state = answer(ended, false, at);
            assert!(matches!(state, ContainerState::Exited { code: 7, .. }), "{ended}");
        }
        for waits in ["created", "configured", "initialized"] {
            assert_eq!(answer(waits, false, never), ContainerState::Created, "{waits}");
        }
    }
}
