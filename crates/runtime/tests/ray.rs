//! Real Ray in hardened containers: three nodes find each other, and nobody without the token
//! gets anything.

mod common;

use common::{Bench, until};
use ionet_core::{ImageRef, Role, Slice};
use ionet_runtime::ray::{self, RayPart};
use ionet_runtime::{ContainerSpec, Runtime, Secret};

const NODES: u8 = 3;

fn part(bench: &Bench, token: &str, member: u8) -> ContainerSpec {
    let subnet = bench.subnet(0);
    RayPart {
        cluster: bench.cluster(0),
        device: bench.device(0, member),
        generation: 1,
        role: if member == 0 { Role::Head } else { Role::Worker },
        image: ImageRef::default(),
        network: ionet_mesh::network_name(&bench.cluster(0)),
        node_ip: subnet.member(usize::from(member)).unwrap(),
        head_ip: subnet.member(0).unwrap(),
        slice: Slice { cpu_milli: 1_000, memory_bytes: 3 << 29, scratch_bytes: 512 << 20 },
        token: Secret::new(token),
        chips: ("cpu".to_owned(), 1),
        gpus: vec![],
        dns: vec![],
    }
    .container_spec()
}

/// Runs on the cluster and prints the device of each task; one CPU a node forces them apart.
const JOB: &str = "
import os, ray, time
ray.init(address=\"auto\", log_to_driver=False)
@ray.remote(num_cpus=1)
class Seat:
    def device(self): return os.environ[\"IONET_DEVICE\"]
seats = [Seat.remote() for _ in range(3)]
print(*sorted(ray.get([s.device.remote() for s in seats])))
";

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_form_a_cluster_and_strangers_get_nothing() {
    let bench = Bench::new(1).await;
    bench.ensure(0).await;
    let token = "5a".repeat(32);
    let specs: Vec<_> = (0..NODES).map(|m| part(&bench, &token, m)).collect();
    for spec in &specs {
        bench.runtime.start(spec).await.unwrap();
    }
    let head = &specs[0].name;
    let nodes = until("three Ray nodes", || async {
        let dashboard = bench.runtime.dial(head, ray::DASHBOARD_PORT).await.ok()?;
        let nodes = ray::alive_nodes(dashboard, &Secret::new(token.as_str())).await.ok()?;
        (nodes.len() == usize::from(NODES)).then_some(nodes)
    })
    .await;
    let devices: Vec<_> = nodes.iter().filter_map(|n| n.device).collect();
    assert_eq!(devices, specs.iter().map(|s| s.device).collect::<Vec<_>>());
    assert_eq!(nodes.iter().map(|n| n.is_head).collect::<Vec<_>>(), [true, false, false]);

    // Work reaches all three devices.
    let (code, text) = bench.run(head, &format!("python3 -c '{JOB}'")).await;
    assert_eq!(code, 0, "{text}");
    for device in devices {
        assert!(text.contains(&device.to_string()), "{text}");
    }

    // A wrong token, from outside.
    let dashboard = bench.runtime.dial(head, ray::DASHBOARD_PORT).await.unwrap();
    let refused = ray::alive_nodes(dashboard, &Secret::new("00".repeat(32))).await;
    assert!(matches!(refused, Err(ray::ProbeError::Status(401 | 403))), "{refused:?}");

    // A neighbour in the same cluster that has no token.
    let stranger = bench.spec(0, 3, "exec sleep 600");
    let stranger = ContainerSpec { memory_bytes: 1 << 30, pids_max: 512, ..stranger };
    bench.runtime.start(&stranger).await.unwrap();
    let ip = nodes[0].ip;
    for path in ["api/jobs/", "api/v0/nodes", "nodes?view=summary", "api/cluster_status"] {
        let ask = format!(
            "python3 -c 'import urllib.request as u, urllib.error as e
try: print(u.urlopen(\"http://{ip}:8265/{path}\", timeout=5).status)
except e.HTTPError as x: print(x.code)'"
        );
        let (_, text) = bench.run(&stranger.name, &ask).await;
        assert!(["401", "403"].contains(&text.trim()), "{path}: {text}");
    }
    let join = |env: &str| {
        format!(
            "{env} timeout 40 python3 -c 'import ray._raylet as r; \
             c = r.GcsClient(address=\"{ip}:6379\"); \
             print(\"GOT\", len(c.get_all_node_info(timeout=8)))'"
        )
    };
    for env in ["", "RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(printf '00%.0s' {1..32})"] {
        let (code, text) = bench.run(&stranger.name, &join(env)).await;
        assert!(code != 0 && !text.contains("GOT"), "{env}: {code}: {text}");
    }
    // The same call with the token works, so it is the token that was missing.
    let env = format!("RAY_AUTH_MODE=token RAY_AUTH_TOKEN={token}");
    let (code, text) = bench.run(&stranger.name, &join(&env)).await;
    assert!(code == 0 && text.contains("GOT 3"), "{code}: {text}");
    bench.clean(0).await;
}
