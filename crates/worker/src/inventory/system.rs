//! Processor, memory, disk and network.

use super::bounded;
use crate::config::WorkerConfig;
use ionet_core::{Cpu, Disk, Inventory, NetworkCard};
use std::path::Path;
use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};

const CARDS_MAX: usize = 64;

pub(super) fn read(config: &WorkerConfig) -> Inventory {
    let wanted = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(wanted);
    let hostname = config.name.clone().or_else(System::host_name).unwrap_or_default();
    Inventory {
        hostname: bounded(&hostname),
        os: bounded(&System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned())),
        cpu: Cpu {
            model: bounded(system.cpus().first().map_or("", |cpu| cpu.brand())),
            threads: system.cpus().len() as u32,
            architecture: bounded(&System::cpu_arch()),
        },
        memory_bytes: system.total_memory(),
        disk: disk(&config.state_dir),
        network: network(Path::new("/sys/class/net")),
        chips: vec![],
        slice: config.slice,
        region: config.region,
        egress: config.egress,
    }
}

/// The file system that holds `folder`: of those mounted above it, the nearest.
fn disk(folder: &Path) -> Disk {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let disks = Disks::new_with_refreshed_list();
    let above = disks.list().iter().filter(|d| folder.starts_with(d.mount_point()));
    match above.max_by_key(|d| d.mount_point().as_os_str().len()) {
        Some(d) => Disk { total_bytes: d.total_space(), free_bytes: d.available_space() },
        None => statvfs(&folder),
    }
}

/// Overlays, as inside containers, are on no list of disks.
fn statvfs(folder: &Path) -> Disk {
    let found = folder.ancestors().find_map(|f| try_statvfs(f).ok());
    found.unwrap_or(Disk { total_bytes: 0, free_bytes: 0 })
}

fn try_statvfs(folder: &Path) -> Result<Disk, nix::errno::Errno> {
    let s = nix::sys::statvfs::statvfs(folder)?;
    let unit = s.fragment_size();
    Ok(Disk {
        total_bytes: s.blocks().saturating_mul(unit),
        free_bytes: s.blocks_available().saturating_mul(unit),
    })
}

/// The interfaces that are up, with the speed that their drivers tell. Linux only; elsewhere
/// the folder does not exist and the list is empty.
fn network(class: &Path) -> Vec<NetworkCard> {
    let Ok(entries) = std::fs::read_dir(class) else { return vec![] };
    let text = |card: &Path, file: &str| {
        std::fs::read_to_string(card.join(file)).map(|t| t.trim().to_owned())
    };
    let mut cards: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let (name, path) = (entry.file_name().into_string().ok()?, entry.path());
            let up = text(&path, "operstate").is_ok_and(|s| s == "up" || s == "unknown");
            // Drivers say -1 where they do not know.
            let speed = text(&path, "speed").ok().and_then(|s| s.parse::<u64>().ok());
            let card = NetworkCard { name: bounded(&name), speed_mbps: speed.filter(|s| *s > 0) };
            (up && name != "lo").then_some(card)
        })
        .collect();
    cards.sort_by(|a, b| a.name.cmp(&b.name));
    cards.truncate(CARDS_MAX);
    cards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_interfaces_that_are_up_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        for (name, state, speed) in [
            ("lo", "unknown", ""),
            ("eth0", "up", "25000"),
            ("wlan0", "up", "-1"),
            ("eth1", "down", "1000"),
        ] {
            let card = folder.path().join(name);
            std::fs::create_dir(&card).unwrap();
            std::fs::write(card.join("operstate"), format!("{state}\n")).unwrap();
            std::fs::write(card.join("speed"), format!("{speed}\n")).unwrap();
        }
        let cards = network(folder.path());
        let card = |name: &str, speed| NetworkCard { name: name.into(), speed_mbps: speed };
        assert_eq!(cards, [card("eth0", Some(25_000)), card("wlan0", None)]);
    }
}
