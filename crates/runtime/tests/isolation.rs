//! What a job cannot do: reach the host, the supplier's network or another cluster; use more
//! than its share; gain rights. Each refusal stands beside a control that shows the probe works.

mod common;

use common::{Bench, echo, echoes, until};
use ionet_mesh::{Allow, ClusterNetwork, EgressPolicy, MeshError, NetworkSpec};
use ionet_runtime::{CdiDevice, ContainerSpec, ContainerState, Runtime};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

fn sh(line: &str) -> bool {
    Command::new("sh").args(["-c", line]).status().unwrap().success()
}

/// A machine in the supplier's network: a namespace behind a veth pair, with an echo server.
struct Lan {
    name: String,
    server: std::process::Child,
    ip: Ipv4Addr,
}

impl Lan {
    const PORT: u16 = 7_070;

    /// `net` is the third byte of its addresses, in a private or (for `public`) a public range.
    fn new(net: u8, public: bool) -> Self {
        let name = format!("iotestlan{net}");
        let prefix = if public { format!("44.1.{net}") } else { format!("172.30.{net}") };
        let _ = sh(&format!("ip netns del {name} 2>/dev/null; ip link del {name} 2>/dev/null"));
        let made = sh(&format!(
            "ip netns add {name} && ip link add {name} type veth peer name e0 netns {name} && \
             ip addr add {prefix}.1/24 dev {name} && ip link set {name} up && \
             ip -n {name} addr add {prefix}.2/24 dev e0 && ip -n {name} link set e0 up && \
             ip -n {name} link set lo up && ip -n {name} route add default via {prefix}.1"
        ));
        assert!(made, "cannot make a network namespace");
        let server = Command::new("ip")
            .args(["netns", "exec", &name, "bash", "-c", &echo(Self::PORT)])
            .spawn()
            .unwrap();
        Self { name, server, ip: format!("{prefix}.2").parse().unwrap() }
    }

    /// From the host itself, so that a refusal elsewhere means something.
    async fn answers(&self) {
        let address = SocketAddr::new(self.ip.into(), Self::PORT);
        until("the LAN host", || async { tokio::net::TcpStream::connect(address).await.ok() })
            .await;
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = sh(&format!("ip netns del {0}; ip link del {0} 2>/dev/null", self.name));
    }
}

/// Answers on every address of the host.
async fn host_echo() -> u16 {
    let listener = tokio::net::TcpListener::bind("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    for ip in host_addresses() {
        let own = tokio::net::TcpStream::connect((ip, port)).await;
        assert!(own.is_ok(), "the host itself does not reach {ip}: {own:?}");
    }
    port
}

fn host_addresses() -> Vec<Ipv4Addr> {
    nix::ifaddrs::getifaddrs()
        .unwrap()
        .filter_map(|a| Some(a.address?.as_sockaddr_in()?.ip()))
        .filter(|ip| !ip.is_loopback())
        .collect()
}

fn host_addresses_v6(interface: &str) -> Vec<std::net::Ipv6Addr> {
    nix::ifaddrs::getifaddrs()
        .unwrap()
        .filter(|a| a.interface_name == interface)
        .filter_map(|a| Some(a.address?.as_sockaddr_in6()?.ip()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_reaches_its_cluster_and_nothing_else() {
    let bench = Bench::new(2).await;
    let lan = Lan::new(21, false);
    lan.answers().await;
    for n in 0..2 {
        bench.ensure(n).await;
    }
    let job = bench.idle(0, 0).await;
    let mate = bench.spec(0, 1, &echo(5_000));
    let other = bench.spec(1, 0, &echo(5_000));
    bench.runtime.start(&mate).await.unwrap();
    bench.runtime.start(&other).await.unwrap();
    let ip = |spec: &ContainerSpec| spec.network.as_ref().unwrap().ip.to_string();
    let listens = |spec: &ContainerSpec| {
        let name = spec.name.clone();
        let bench = &bench;
        async move {
            let dialled = || async { bench.runtime.dial(&name, 5_000).await.ok() };
            until("a server", dialled).await
        }
    };
    // Both servers answer through `dial`, from the host that has no route to them.
    for spec in [&mate, &other] {
        assert!(echoes(&mut listens(spec).await, b"through the namespace").await);
        let direct = tokio::net::TcpStream::connect((ip(spec), 5_000));
        let direct = tokio::time::timeout(Duration::from_secs(2), direct).await;
        assert!(!matches!(direct, Ok(Ok(_))), "the host reaches a container by its address");
    }
    assert!(bench.reaches(&job.name, &ip(&mate), 5_000).await, "cluster mates are apart");
    assert!(!bench.reaches(&job.name, &ip(&other), 5_000).await, "another cluster is reachable");
    let port = host_echo().await;
    for address in host_addresses() {
        let reached = bench.reaches(&job.name, &address.to_string(), port).await;
        assert!(!reached, "the host is reachable at {address}");
    }
    // The bridge has an IPv6 address of its own, which nobody gave it.
    let bridge = bench.mesh.ensure(&bench.network(0, EgressPolicy::None)).await.unwrap().interface;
    let six = host_addresses_v6(&bridge);
    assert!(!six.is_empty(), "the bridge {bridge} has no IPv6 address: nothing was tested");
    for address in six {
        let reached = bench.reaches(&job.name, &format!("{address}%eth0"), port).await;
        assert!(!reached, "the host is reachable at {address}");
    }
    let lan_ip = lan.ip.to_string();
    assert!(!bench.reaches(&job.name, &lan_ip, Lan::PORT).await, "the LAN is reachable");
    // The LAN does not reach in, even with a route through the host.
    let inward = format!(
        "ip netns exec {} timeout 3 bash -c 'exec 3<>/dev/tcp/{}/5000' 2>/dev/null",
        lan.name,
        ip(&mate)
    );
    assert!(!sh(&inward), "the LAN reaches a container");
    for n in 0..2 {
        bench.clean(n).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn egress_is_what_the_supplier_set() {
    let bench = Bench::new(3).await;
    // One place in a private range, one in a public range that the host is attached to, and one
    // public place behind a router: only that last one is "the internet".
    let (private, attached) = (Lan::new(31, false), Lan::new(32, true));
    let internet = Lan::new(33, true);
    let far = Ipv4Addr::new(45, 1, 1, 1);
    assert!(sh(&format!(
        "ip -n {0} addr add {far}/32 dev lo && ip route replace {far}/32 via {1}",
        internet.name, internet.ip
    )));
    for lan in [&private, &attached, &internet] {
        lan.answers().await;
    }
    let port = host_echo().await;
    let allow: Allow = format!("{}:{}", private.ip, Lan::PORT).parse().unwrap();
    let cases = [
        (EgressPolicy::None, false, false),
        (EgressPolicy::Mirrors(vec![allow]), true, false),
        (EgressPolicy::Open, false, true),
    ];
    for (n, (egress, to_private, to_far)) in (0u8..).zip(cases) {
        let spec: NetworkSpec = bench.network(n, egress.clone());
        bench.mesh.ensure(&spec).await.unwrap();
        let job = bench.idle(n, 0).await;
        let reached = async |ip: Ipv4Addr, port| {
            let ip = ip.to_string();
            bench.reaches(&job.name, &ip, port).await
        };
        assert_eq!(reached(private.ip, Lan::PORT).await, to_private, "{egress:?}: private");
        assert_eq!(reached(far, Lan::PORT).await, to_far, "{egress:?}: the internet");
        assert!(!reached(attached.ip, Lan::PORT).await, "{egress:?}: the host's own network");
        for ip in host_addresses() {
            assert!(!reached(ip, port).await, "{egress:?}: the host at {ip}");
        }
        bench.clean(n).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_are_made_once_however_many_ask() {
    let bench = Bench::new(4).await;
    let spec = bench.network(0, EgressPolicy::None);
    let asks = (0..4).map(|_| {
        let (mesh, spec) = (bench.mesh.clone(), spec.clone());
        tokio::spawn(async move { mesh.ensure(&spec).await })
    });
    let asks: Vec<_> = asks.collect();
    let mut handles = Vec::new();
    for ask in asks {
        handles.push(ask.await.unwrap().unwrap());
    }
    assert!(handles.windows(2).all(|w| w[0] == w[1]), "{handles:?}");
    let listed = bench.mesh.list().await.unwrap();
    assert_eq!(listed.iter().filter(|h| h.cluster == spec.cluster).count(), 1);

    // Another cluster that wants the same addresses, and the same cluster with others.
    let thief = NetworkSpec { cluster: bench.cluster(1), ..spec.clone() };
    let refused = bench.mesh.ensure(&thief).await;
    assert!(matches!(refused, Err(MeshError::SubnetTaken { .. })), "{refused:?}");
    let moved = NetworkSpec { subnet: bench.subnet(2), members: vec![], ..spec.clone() };
    let refused = bench.mesh.ensure(&moved).await;
    assert!(matches!(refused, Err(MeshError::Conflict { .. })), "{refused:?}");

    bench.idle(0, 0).await;
    let refused = bench.mesh.remove(&spec.cluster).await;
    assert!(matches!(refused, Err(MeshError::InUse(_))), "{refused:?}");
    bench.clean(0).await;
    bench.clean(1).await;
    bench.mesh.remove(&spec.cluster).await.unwrap();
    let rules = Command::new("nft").args(["list", "table", "inet", "ionet"]).output().unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    assert!(!rules.contains(&spec.cluster.short()), "rules are left: {rules}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_no_rights() {
    let bench = Bench::new(5).await;
    let job = ContainerSpec { network: None, ..bench.spec(0, 0, "exec sleep 600") };
    bench.runtime.start(&job).await.unwrap();
    assert_no_rights(&bench, &job).await;
    bench.clean(0).await;
}

/// A container with a device goes another way through Podman: it must be as closed, limits
/// included, and have its device. The device is a stand-in that CDI makes of /dev/null.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_a_gpu_has_the_gpu_and_no_more_rights() {
    let bench = Bench::new(14).await;
    bench.ensure(0).await;
    let folder = std::path::Path::new("/var/run/cdi");
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join("ionet-test.json");
    let cdi = r#"{"cdiVersion": "0.5.0", "kind": "ionet.test/gpu", "devices": [{"name": "0",
        "containerEdits": {"env": ["STAND_IN=yes"],
        "deviceNodes": [{"path": "/dev/stand-in", "hostPath": "/dev/null"}]}}]}"#;
    std::fs::write(&file, cdi).unwrap();
    let gpu = |name: &str| vec![CdiDevice::new(name).unwrap()];
    let plain = bench.spec(0, 0, "exec sleep 600");
    let job = ContainerSpec { gpus: gpu("ionet.test/gpu=0"), ..plain.clone() };
    bench.runtime.start(&job).await.unwrap();
    let ask = "grep -zc STAND_IN=yes /proc/1/environ; test -c /dev/stand-in && echo here";
    assert_eq!(bench.run(&job.name, ask).await, (0, "1\nhere\n".to_owned()));
    assert_no_rights(&bench, &job).await;
    let probe = "cd /sys/fs/cgroup; hostname -I; hostname; df -k --output=size /tmp /dev/shm; \
        cat memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes pids/pids.max \
        cpu/cpu.cfs_quota_us memory.max memory.swap.max pids.max cpu.max 2>/dev/null; \
        cat /etc/resolv.conf; ulimit -n";
    let with = bench.run(&job.name, probe).await;
    // The same spec by the other way is limited alike.
    bench.runtime.start(&plain).await.unwrap();
    assert_eq!(with, bench.run(&plain.name, probe).await);
    // A device that is not there is an error, never a container without it.
    let absent = ContainerSpec { gpus: gpu("ionet.test/gpu=7"), generation: 2, ..plain };
    assert!(bench.runtime.start(&absent).await.is_err());
    std::fs::remove_file(&file).unwrap();
    bench.clean(0).await;
}

async fn assert_no_rights(bench: &Bench, job: &ContainerSpec) {
    let (_, status) = bench.run(&job.name, "cat /proc/self/status").await;
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000")), "{status}");
    }
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "Uid:\t1000\t1000\t1000\t1000"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let (code, _) = bench.run(&job.name, "touch /x /usr/x /etc/x /root/x").await;
    assert_ne!(code, 0, "the root is writable");
    for place in ["/tmp", "/home/job", "/dev/shm"] {
        let (code, text) = bench.run(&job.name, &format!("echo yes > {place}/x")).await;
        assert_eq!(code, 0, "{place}: {text}");
    }
    // Nothing else can be written, and nothing of the host is mounted but the engine's own
    // three small files.
    let find = "for m in $(cut -d' ' -f5 /proc/self/mountinfo); do \
                test -d $m && test -w $m && echo $m; done";
    let (_, writable) = bench.run(&job.name, find).await;
    for place in writable.split_whitespace() {
        let fine = ["/tmp", "/home/job", "/dev/shm", "/var/tmp", "/run", "/dev/mqueue"];
        assert!(fine.contains(&place), "{place} is writable");
    }
    let (_, mounts) = bench.run(&job.name, "grep ' / / ' -v /proc/mounts | grep ^/dev/").await;
    for line in mounts.lines() {
        let at = line.split(' ').nth(1).unwrap();
        let fine = ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/run/.containerenv"];
        assert!(fine.contains(&at), "{line}");
    }
    for escape in ["mount -t tmpfs x /tmp", "unshare -Ur true", "mknod /tmp/d c 1 3", "chroot /"] {
        let (code, _) = bench.run(&job.name, escape).await;
        assert_ne!(code, 0, "{escape} works");
    }
    let (_, setuid) = bench.run(&job.name, "find / -xdev -perm /6000 -type f 2>/dev/null").await;
    assert_eq!(setuid.trim(), "", "programs that change their user");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold() {
    let bench = Bench::new(6).await;
    bench.ensure(0).await;
    let neighbour = bench.idle(0, 1).await;
    let job = bench.idle(0, 0).await;

    // Processes: a bomb ends at the limit, the neighbour goes on.
    let bomb = "f() { f | f & }; f; sleep 1; ls -d /proc/[0-9]* | wc -l";
    let bomb = ["timeout", "-s", "KILL", "5", "bash", "-c", bomb].map(str::to_owned);
    let exec = bench.runtime.exec(&job.name, &bomb).await.unwrap();
    let stats = until("the bomb to reach its limit", || async {
        let stats = bench.runtime.stats(&job.name).await.ok()?;
        (stats.pids >= u64::from(job.pids_max) - 1).then_some(stats)
    })
    .await;
    assert!(stats.pids <= u64::from(job.pids_max), "{stats:?}");
    assert_eq!(bench.run(&neighbour.name, "echo fine").await, (0, "fine\n".to_owned()));
    drop(exec);
    bench.runtime.remove(&job.name).await.unwrap();

    // Disk: the scratch space ends, not the host's disk.
    let job = bench.idle(0, 0).await;
    for place in ["/tmp", "/home/job", "/dev/shm", "/var/tmp", "/run"] {
        let fill = format!("dd if=/dev/zero of={place}/x bs=1M count=64 2>&1; rm -f {place}/x");
        let (_, text) = bench.run(&job.name, &fill).await;
        let refused = text.contains("No space left") || text.contains("Permission denied");
        assert!(refused, "{place}: {text}");
    }

    // Processor: half a thread is half a thread.
    let (_, quota) = bench
        .run(
            &job.name,
            "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cat /sys/fs/cgroup/cpu.max",
        )
        .await;
    assert!(quota.starts_with("50000"), "{quota}");

    // Memory: the hog dies, alone.
    let hog = "python3 -c 'x = []\nwhile True: x.append(bytearray(1 << 20))'";
    let (code, _) = bench.run(&job.name, hog).await;
    assert_eq!(code, 137, "the hog was not killed");
    assert_eq!(bench.run(&neighbour.name, "echo fine").await, (0, "fine\n".to_owned()));
    let hog = ContainerSpec { generation: 2, ..bench.spec(0, 0, hog) };
    bench.runtime.start(&hog).await.unwrap();
    let state = bench.runtime.wait(&hog.name).await.unwrap();
    assert!(matches!(state, ContainerState::Exited { code: 137, .. }), "{state:?}");
    assert!(bench.runtime.inspect(&neighbour.name).await.unwrap().state.is_running());
    bench.clean(0).await;
}
