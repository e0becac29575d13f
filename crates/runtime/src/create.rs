//! A spec as the engine's request: a pure function, so that what is always closed can be tested.

use crate::spec::ContainerSpec;
use bollard::models::{
    ContainerCreateBody, DeviceRequest, EndpointIpamConfig, EndpointSettings, HostConfig,
    HostConfigLogConfig, NetworkingConfig, ResourcesUlimits,
};
use ionet_mesh::engine::EngineKind;
use std::collections::HashMap;

/// Labels of ours.
pub(crate) mod label {
    /// The device whose worker made the container.
    pub(crate) const DEVICE: &str = "io.ionet.device";
    /// The cluster.
    pub(crate) const CLUSTER: &str = "io.ionet.cluster";
    /// The part's generation.
    pub(crate) const GENERATION: &str = "io.ionet.generation";
    /// Hash of the whole spec.
    pub(crate) const SPEC: &str = "io.ionet.spec";
}

/// Where a job's home is. No image has this folder: runc gives scratch space over a folder that
/// is there that folder's mode, so over an image's own home the job could not write.
pub(crate) const HOME: &str = "/home/job";
/// Of the scratch space, this fraction's denominator is home's; the rest is /tmp's.
const HOME_SHARE: u64 = 4;
/// /run and /var/tmp: engines make them writable without a bound if they are not named.
const SMALL_BYTES: u64 = 1 << 20;
/// The host's kernel takes a container's process before one of the host's when memory is out.
pub(crate) const OOM_SCORE: i64 = 500;
/// A log's size where the engine has no setting of its own: printing must not fill the disk.
const LOG_BYTES: &str = "64m";

/// What of the machine's settings goes into a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine<'a> {
    /// The engine.
    pub(crate) engine: EngineKind,
    /// The OCI runtime, where it is not the engine's own choice.
    pub(crate) oci_runtime: Option<&'a str>,
    /// A file with the seccomp filter; with none, the engine's own.
    pub(crate) seccomp: Option<&'a str>,
}

/// All labels: ours last, so that a spec cannot forge them.
pub(crate) fn labels(spec: &ContainerSpec) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> =
        spec.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    labels.extend([
        (label::DEVICE.to_owned(), spec.device.to_string()),
        (label::CLUSTER.to_owned(), spec.cluster.to_string()),
        (label::GENERATION.to_owned(), spec.generation.to_string()),
        (label::SPEC.to_owned(), spec.hash()),
    ]);
    labels
}

/// The whole environment, secrets included: it goes to the engine and nowhere else.
pub(crate) fn environment(spec: &ContainerSpec) -> impl Iterator<Item = (String, String)> {
    let home = (!spec.env.contains_key("HOME")).then(|| ("HOME".to_owned(), HOME.to_owned()));
    let plain = spec.env.iter().map(|(k, v)| (k.clone(), v.clone()));
    let secret = spec.secrets.iter().map(|(k, v)| (k.clone(), v.expose().to_owned()));
    plain.chain(home).chain(secret)
}

/// Who answers look-ups of names.
pub(crate) fn name_servers(spec: &ContainerSpec) -> Vec<String> {
    let given = spec.network.iter().flat_map(|n| n.dns.iter().map(ToString::to_string));
    let mut servers: Vec<String> = given.collect();
    if servers.is_empty() {
        // Nobody listens there: a look-up is refused at once instead of timing out.
        servers.push("127.0.0.1".to_owned());
    }
    servers
}

/// A writable place in memory.
pub(crate) struct Scratch {
    /// Where.
    pub(crate) place: &'static str,
    bytes: u64,
    mode: &'static str,
}

impl Scratch {
    /// Its mount options.
    pub(crate) fn options(&self, engine: EngineKind) -> String {
        // Jobs install and load their own libraries there, so it is not `noexec`.
        let (bytes, mode) = (self.bytes, self.mode);
        let plain = format!("rw,exec,nosuid,nodev,size={bytes},mode={mode}");
        match engine {
            EngineKind::Docker => plain,
            // Podman would copy what the image has there, its owner and mode included.
            EngineKind::Podman => plain + ",notmpcopyup",
        }
    }
}

/// All writable places but /dev/shm.
pub(crate) fn scratch(spec: &ContainerSpec) -> [Scratch; 4] {
    let home = spec.scratch_bytes / HOME_SHARE;
    [
        Scratch { place: "/tmp", bytes: spec.scratch_bytes - home, mode: "1777" },
        Scratch { place: HOME, bytes: home, mode: "0777" },
        Scratch { place: "/run", bytes: SMALL_BYTES, mode: "0755" },
        Scratch { place: "/var/tmp", bytes: SMALL_BYTES, mode: "1777" },
    ]
}

/// The request that makes this container.
pub(crate) fn body(spec: &ContainerSpec, machine: Machine<'_>) -> ContainerCreateBody {
    let endpoints = spec.network.as_ref().map(|n| {
        let ipam =
            EndpointIpamConfig { ipv4_address: Some(n.ip.to_string()), ..Default::default() };
        let settings = EndpointSettings { ipam_config: Some(ipam), ..Default::default() };
        HashMap::from([(n.network.clone(), settings)])
    });
    ContainerCreateBody {
        image: Some(spec.image.to_string()),
        entrypoint: Some(vec![]),
        cmd: Some(spec.command.clone()),
        env: Some(environment(spec).map(|(k, v)| format!("{k}={v}")).collect()),
        user: Some(format!("{}:{}", spec.user.0, spec.user.1)),
        working_dir: Some(HOME.to_owned()),
        hostname: Some(spec.hostname.clone()),
        labels: Some(labels(spec)),
        host_config: Some(host_config(spec, machine)),
        networking_config: endpoints.map(|e| NetworkingConfig { endpoints_config: Some(e) }),
        ..Default::default()
    }
}

fn host_config(spec: &ContainerSpec, machine: Machine<'_>) -> HostConfig {
    let mut security = vec!["no-new-privileges".to_owned()];
    security.extend(machine.seccomp.map(|path| format!("seccomp={path}")));
    let memory = i64::try_from(spec.memory_bytes).unwrap_or(i64::MAX);
    let log = HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(HashMap::from([
            ("max-size".to_owned(), LOG_BYTES.to_owned()),
            ("max-file".to_owned(), "1".to_owned()),
        ])),
    };
    HostConfig {
        // What every container gets, whatever the spec says.
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(security),
        readonly_rootfs: Some(true),
        privileged: Some(false),
        ipc_mode: Some("private".to_owned()),
        oom_score_adj: Some(OOM_SCORE),
        tmpfs: Some(
            scratch(spec)
                .into_iter()
                .map(|s| (s.place.to_owned(), s.options(machine.engine)))
                .collect(),
        ),
        log_config: (machine.engine == EngineKind::Docker).then_some(log),
        // What the spec says.
        nano_cpus: Some(i64::from(spec.cpu_milli) * 1_000_000),
        memory: Some(memory),
        memory_swap: Some(memory),
        pids_limit: Some(i64::from(spec.pids_max)),
        shm_size: Some(i64::try_from(spec.shm_bytes).unwrap_or(i64::MAX)),
        ulimits: (!spec.ulimits.is_empty()).then(|| {
            let one = |u: &crate::Ulimit| ResourcesUlimits {
                name: Some(u.name.to_owned()),
                soft: Some(u.value),
                hard: Some(u.value),
            };
            spec.ulimits.iter().map(one).collect()
        }),
        device_requests: (!spec.gpus.is_empty()).then(|| {
            vec![DeviceRequest {
                driver: Some("cdi".to_owned()),
                device_ids: Some(spec.gpus.iter().map(|g| g.as_str().to_owned()).collect()),
                ..Default::default()
            }]
        }),
        runtime: machine.oci_runtime.map(str::to_owned),
        network_mode: Some(spec.network.as_ref().map_or("none".to_owned(), |n| n.network.clone())),
        dns: Some(name_servers(spec)),
        extra_hosts: Some(spec.extra_hosts.iter().map(|(n, ip)| format!("{n}:{ip}")).collect()),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::sample;

    fn on(engine: EngineKind) -> Machine<'static> {
        Machine { engine, oci_runtime: None, seccomp: None }
    }

    #[test]
    fn what_is_always_closed() {
        for engine in [EngineKind::Docker, EngineKind::Podman] {
            let host = body(&sample(), on(engine)).host_config.unwrap();
            assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
            assert_eq!(host.cap_add, None);
            assert_eq!(host.security_opt, Some(vec!["no-new-privileges".to_owned()]));
            assert_eq!(host.readonly_rootfs, Some(true));
            assert_eq!(host.privileged, Some(false));
            assert_eq!((host.binds, host.mounts, host.devices), (None, None, None));
            assert_eq!((host.port_bindings, host.pid_mode, host.uts_mode), (None, None, None));
            assert_eq!(host.network_mode.as_deref(), Some("none"));
            assert_eq!(host.memory, host.memory_swap);
        }
    }

    #[test]
    fn scratch_is_never_more_than_asked_for() {
        let mut spec = sample();
        spec.scratch_bytes = 64 * 1024 * 1024 + 3;
        let tmpfs = body(&spec, on(EngineKind::Podman)).host_config.unwrap().tmpfs.unwrap();
        let size = |at: &str| -> u64 {
            let size = tmpfs[at].split(',').find_map(|o| o.strip_prefix("size=")).unwrap();
            size.parse().unwrap()
        };
        assert_eq!(size("/tmp") + size(HOME), spec.scratch_bytes);
    }

    #[test]
    fn labels_of_ours_cannot_be_forged() {
        let mut spec = sample();
        spec.labels.insert(label::DEVICE.to_owned(), "dev_other".to_owned());
        let labels = body(&spec, on(EngineKind::Docker)).labels.unwrap();
        assert_eq!(labels[label::DEVICE], spec.device.to_string());
    }
}
