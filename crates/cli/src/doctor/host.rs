//! Checks of the machine itself.

use super::Check;
use crate::output::bytes;
use std::path::Path;

/// A Ray node of our image with a job of a few processes. Below it the kernel kills jobs.
pub(crate) const WORKER_MEMORY_BYTES: u64 = 1_288_490_188; // 1.2 GiB
/// Left for the system, chain and coordinator.
pub(crate) const HOST_MEMORY_BYTES: u64 = 1 << 30;
/// Image (1.5 GB), its layers while it is made, containers' scratch, the chain's growth.
const DISK_BYTES_MIN: u64 = 8 << 30;
/// Where a job is likely to run out soon.
const DISK_BYTES_WISHED: u64 = 20 << 30;
/// Seconds by which this clock and the chain's may differ: leases end by the chain's.
const CLOCK_SKEW_SECONDS_MAX: i64 = 5;
/// A Ray node opens about a thousand files.
const NOFILE_MIN: u64 = 4_096;

/// Operating system and kernel.
pub(crate) fn system() -> Check {
    const NAME: &str = "system";
    let kernel = sysinfo::System::kernel_version().unwrap_or_default();
    let name = sysinfo::System::long_os_version().unwrap_or_else(|| "unknown system".into());
    let seen = format!("{name}, kernel {kernel}, {}", std::env::consts::ARCH);
    if !cfg!(target_os = "linux") {
        return Check::fail(NAME, seen, "containers of ionet need Linux");
    }
    let version: Vec<u32> =
        kernel.split(['.', '-']).map_while(|n| n.parse().ok()).take(2).collect();
    match version[..] {
        [major, minor] if (major, minor) < (5, 10) => {
            Check::warn(NAME, seen, "kernels before 5.10 were never tried; update the system")
        }
        _ => Check::ok(NAME, seen),
    }
}

/// Memory for so many workers.
pub(crate) fn memory(workers: u16) -> Check {
    const NAME: &str = "memory";
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let limit = system.cgroup_limits().map_or(u64::MAX, |c| c.total_memory);
    let total = system.total_memory().min(limit);
    let needed = HOST_MEMORY_BYTES + u64::from(workers) * WORKER_MEMORY_BYTES;
    let seen = format!("{} in all; {workers} workers want {}", bytes(total), bytes(needed));
    if total >= needed {
        return Check::ok(NAME, seen);
    }
    let fit = total.saturating_sub(HOST_MEMORY_BYTES) / WORKER_MEMORY_BYTES;
    let todo = "a Ray node needs about 1.2 GiB";
    if fit == 0 {
        return Check::fail(NAME, seen, format!("{todo}: this machine is too small for one"));
    }
    Check::warn(NAME, seen, format!("{todo}: use --workers {fit}"))
}

/// Space where the state lies.
pub(crate) fn disk(home: &Path) -> Check {
    const NAME: &str = "disk";
    let there = home.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
    let free = match nix::sys::statvfs::statvfs(there) {
        Ok(fs) => fs.blocks_available() * fs.fragment_size(),
        Err(e) => {
            let seen = format!("{}: {e}", there.display());
            return Check::fail(NAME, seen, "set IONET_HOME to a folder that can be written");
        }
    };
    let seen = format!("{} free at {}", bytes(free), there.display());
    if free < DISK_BYTES_MIN {
        return Check::fail(NAME, seen, "free 8 GiB, or set IONET_HOME to a larger disk");
    }
    if free < DISK_BYTES_WISHED {
        return Check::warn(NAME, seen, "jobs may fill it; 20 GiB are comfortable");
    }
    Check::ok(NAME, seen)
}

/// The ports where tools look first.
pub(crate) fn ports(running: bool) -> Check {
    const NAME: &str = "ports";
    if running {
        return Check::ok(NAME, "held by the local network that runs");
    }
    let tcp = [8899, 8900, 8420].into_iter().filter(|p| !tcp_is_free(*p));
    let udp = [8421].into_iter().filter(|p| !udp_is_free(*p));
    let taken: Vec<String> = tcp.chain(udp).map(|p: u16| p.to_string()).collect();
    if taken.is_empty() {
        return Check::ok(NAME, "8899, 8900 (chain), 8420, 8421 (coordinator) are free");
    }
    let seen = format!("taken: {}", taken.join(", "));
    Check::warn(NAME, seen, "nothing: `ionet up` takes free ones and prints them")
}

/// Whether nobody listens there on this machine.
pub(crate) fn tcp_is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// The same for UDP.
pub(crate) fn udp_is_free(port: u16) -> bool {
    std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok()
}

/// This machine's clock beside the chain's, and whether something keeps it right.
pub(crate) async fn clock(rpc_url: Option<&str>) -> Check {
    const NAME: &str = "clock";
    let now = crate::context::now_unix();
    // The day this check was written: a clock before it stands.
    const WRITTEN: i64 = 1_795_392_000;
    if now < WRITTEN {
        return Check::fail(NAME, "the clock is in the past", "set it: timedatectl set-ntp true");
    }
    let Some(url) = rpc_url else {
        return Check::ok(NAME, ionet_core::rfc3339(now));
    };
    match ionet_ledger::Connection::new(url).clock().await {
        Ok(chain) if (chain - now).abs() > CLOCK_SKEW_SECONDS_MAX => Check::warn(
            NAME,
            format!("{} s away from the chain's clock", chain - now),
            "leases end by the chain's clock; after a pause of the machine it catches up by \
             itself, else run: timedatectl set-ntp true",
        ),
        Ok(chain) => Check::ok(NAME, format!("{} s away from the chain's clock", chain - now)),
        Err(e) => Check::warn(NAME, e.to_string(), "see `ionet local status`"),
    }
}

/// Open files that a process here may have.
pub(crate) fn nofile() -> Check {
    const NAME: &str = "open files";
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    // "Max open files            1024                 20000                files"
    let line = limits.lines().find(|l| l.starts_with("Max open files"));
    let hard = line.and_then(|l| l.split_whitespace().nth(4));
    match hard.map(str::parse::<u64>) {
        Some(Ok(hard)) if hard < NOFILE_MIN => Check::fail(
            NAME,
            format!("limit {hard}"),
            "Ray needs 4096: raise the hard limit (ulimit -Hn) in /etc/security/limits.conf",
        ),
        Some(Ok(hard)) => Check::ok(NAME, format!("limit {hard}")),
        Some(Err(_)) => Check::ok(NAME, "no limit"),
        None => Check::warn(NAME, "the limit could not be read", "nothing"),
    }
}

/// Whether limits on memory and CPU can be enforced.
pub(crate) fn cgroups() -> Check {
    const NAME: &str = "cgroups";
    let controllers = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
    if let Ok(list) = controllers {
        let missing: Vec<&str> = ["cpu", "memory", "pids"]
            .into_iter()
            .filter(|c| !list.split_whitespace().any(|l| l == *c))
            .collect();
        if missing.is_empty() {
            return Check::ok(NAME, "version 2, with cpu, memory and pids");
        }
        let seen = format!("version 2, without {}", missing.join(", "));
        return Check::fail(
            NAME,
            seen,
            "add systemd.unified_cgroup_hierarchy=1 to the kernel's \
             command line, or run on the host instead of in a container",
        );
    }
    let there = |c: &str| Path::new("/sys/fs/cgroup").join(c).is_dir();
    if there("memory") && there("cpu") && there("pids") {
        return Check::ok(NAME, "version 1, with cpu, memory and pids (runc is used)");
    }
    Check::fail(NAME, "no cgroups are mounted", "mount them: apt-get install cgroupfs-mount")
}

/// Whether tunnels between machines can be made.
pub(crate) fn tun() -> Check {
    const NAME: &str = "tun";
    if Path::new("/dev/net/tun").exists() {
        return Check::ok(NAME, "/dev/net/tun is there");
    }
    let todo = "modprobe tun; only clusters over several machines need it";
    Check::warn(NAME, "/dev/net/tun is missing", todo)
}

/// Whether VMs can be made.
pub(crate) fn kvm() -> Check {
    const NAME: &str = "kvm";
    match std::fs::File::options().read(true).write(true).open("/dev/kvm") {
        Ok(_) => Check::ok(NAME, "/dev/kvm opens"),
        Err(_) => Check::ok(NAME, "no /dev/kvm; containers do not need it"),
    }
}

/// Rules of Windows' Linux.
pub(crate) fn wsl() -> Option<Check> {
    const NAME: &str = "wsl";
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    if !release.to_lowercase().contains("microsoft") {
        return None;
    }
    if !release.to_lowercase().contains("wsl2") {
        let todo = "convert it on Windows: wsl --set-version <name> 2";
        return Some(Check::fail(NAME, "WSL 1 has no Linux kernel", todo));
    }
    let windows_drive = std::env::current_dir().is_ok_and(|d| d.starts_with("/mnt"));
    if windows_drive {
        let todo = "work in the Linux file system (your home folder): it is ten times as fast";
        return Some(Check::warn(NAME, "WSL 2, on a Windows drive", todo));
    }
    let todo = "in %UserProfile%\\.wslconfig give it memory= and processors=, and keep Windows \
                from sleeping while a lease runs";
    Some(Check::warn(NAME, "WSL 2", todo))
}
