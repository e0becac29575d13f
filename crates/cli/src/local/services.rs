//! Which processes a local network has, and how each is started.

use super::network::LocalNetwork;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A process of the local network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// Name of its log and pid file.
    pub(crate) name: String,
    /// Program.
    pub(crate) program: PathBuf,
    /// Arguments.
    pub(crate) args: Vec<OsString>,
    /// Environment beyond the supervisor's.
    pub(crate) env: Vec<(&'static str, PathBuf)>,
    /// It is started once this file is there.
    pub(crate) needs: PathBuf,
}

/// All of them, in the order in which they are started.
pub(crate) fn all(network: &LocalNetwork, ionet: &Path) -> Vec<Service> {
    let mut services = Vec::new();
    if network.own_engine {
        services.push(Service {
            name: "podman".into(),
            program: "podman".into(),
            args: vec![
                "system".into(),
                "service".into(),
                "--time=0".into(),
                format!("unix://{}", network.socket.display()).into(),
            ],
            env: vec![("CONTAINERS_CONF", network.containers_conf())],
            needs: network.containers_conf(),
        });
    }
    let ours = |name: String, args: Vec<OsString>, needs: PathBuf| Service {
        name,
        program: ionet.to_owned(),
        args,
        env: Vec::new(),
        needs,
    };
    let authority = network.folder().join("keys/admin.address");
    let upgrade = std::fs::read_to_string(&authority).unwrap_or_default();
    services.push(ours(
        "chain".into(),
        vec![
            "chain".into(),
            "start".into(),
            "--data-dir".into(),
            network.folder().join("chain").into(),
            format!("--listen=127.0.0.1:{}", network.ports.rpc).into(),
            format!("--listen-ws=127.0.0.1:{}", network.ports.ws).into(),
            format!("--upgrade-authority={}", upgrade.trim()).into(),
        ],
        authority,
    ));
    let config = |path: &Path| vec!["--config".into(), OsString::from(path)];
    let settings = network.coordinator_config();
    let mut args: Vec<OsString> = vec!["coordinator".into(), "start".into()];
    args.extend(config(&settings));
    services.push(ours("coordinator".into(), args, settings));
    for n in 1..=network.workers {
        let settings = network.worker_config(n);
        let mut args: Vec<OsString> = vec!["worker".into(), "start".into()];
        args.extend(config(&settings));
        services.push(ours(format!("worker-{n}"), args, settings));
    }
    services
}
