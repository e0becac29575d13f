//! A spec as a request of Podman's own API: the same container as [`crate::create`] makes.
//!
//! Podman 4's Docker-compatible call drops CDI devices and the choice of an OCI runtime without
//! a word, so a container that needs either is made with this one.

use crate::create::{Machine, environment, labels, name_servers, scratch};
use crate::spec::ContainerSpec;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Length of a scheduling period in microseconds, as both engines have it.
const CPU_PERIOD_MICROS: u64 = 100_000;

/// The request that makes this container.
pub(crate) fn body(spec: &ContainerSpec, machine: Machine<'_>) -> Value {
    let mounts: Vec<Value> = scratch(spec)
        .into_iter()
        .map(|s| {
            json!({
                "destination": s.place, "type": "tmpfs", "source": "tmpfs",
                "options": s.options(machine.engine).split(',').collect::<Vec<_>>(),
            })
        })
        .collect();
    let devices: Vec<Value> = spec.gpus.iter().map(|g| json!({ "path": g.as_str() })).collect();
    let limit = |u: &crate::Ulimit| json!({ "type": u.name, "soft": u.value, "hard": u.value });
    let hosts = spec.extra_hosts.iter().map(|(name, ip)| format!("{name}:{ip}"));
    let mut body = json!({
        "name": spec.name.as_str(),
        "image": spec.image.as_str(),
        "entrypoint": [],
        "command": spec.command,
        "env": environment(spec).collect::<BTreeMap<String, String>>(),
        "user": format!("{}:{}", spec.user.0, spec.user.1),
        "hostname": spec.hostname,
        "work_dir": crate::create::HOME,
        "labels": labels(spec),
        // What every container gets, whatever the spec says.
        "cap_drop": ["ALL"],
        "no_new_privileges": true,
        "read_only_filesystem": true,
        "privileged": false,
        "image_volume_mode": "ignore",
        "ipcns": { "nsmode": "private" },
        "oom_score_adj": crate::create::OOM_SCORE,
        "mounts": mounts,
        // What the spec says.
        "shm_size": spec.shm_bytes,
        "resource_limits": {
            "cpu": {
                "period": CPU_PERIOD_MICROS,
                // Rounded down; the least spec, 10 thousandths, is 1,000 microseconds.
                "quota": u64::from(spec.cpu_milli) * (CPU_PERIOD_MICROS / 1_000),
            },
            "memory": { "limit": spec.memory_bytes, "swap": spec.memory_bytes },
            "pids": { "limit": spec.pids_max },
        },
        "devices": devices,
        "dns_server": name_servers(spec),
        "hostadd": hosts.collect::<Vec<_>>(),
    });
    match &spec.network {
        None => body["netns"] = json!({ "nsmode": "none" }),
        Some(network) => {
            body["netns"] = json!({ "nsmode": "bridge" });
            let own = json!({ "static_ips": [network.ip.to_string()] });
            body["Networks"] =
                Value::Object([(network.network.clone(), own)].into_iter().collect());
        }
    }
    if !spec.ulimits.is_empty() {
        body["r_limits"] = spec.ulimits.iter().map(limit).collect();
    }
    if let Some(path) = machine.seccomp {
        body["seccomp_profile_path"] = path.into();
    }
    if let Some(runtime) = machine.oci_runtime {
        body["oci_runtime"] = runtime.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::sample;
    use ionet_mesh::engine::EngineKind;

    #[test]
    fn what_is_always_closed() {
        let machine =
            Machine { engine: EngineKind::Podman, oci_runtime: Some("runc"), seccomp: Some("/s") };
        let body = body(&sample(), machine);
        assert_eq!(body["cap_drop"], json!(["ALL"]));
        for (flag, value) in
            [("no_new_privileges", true), ("read_only_filesystem", true), ("privileged", false)]
        {
            assert_eq!(body[flag], value, "{flag}");
        }
        assert_eq!(body["netns"]["nsmode"], "none");
        assert_eq!(body["seccomp_profile_path"], "/s");
        let limits = &body["resource_limits"];
        assert_eq!(limits["cpu"]["quota"], 50_000);
        assert_eq!(limits["memory"]["limit"], limits["memory"]["swap"]);
        let all_tmpfs = |m: &Value| m["type"] == "tmpfs" && m["source"] == "tmpfs";
        assert!(body["mounts"].as_array().unwrap().iter().all(all_tmpfs));
    }
}
