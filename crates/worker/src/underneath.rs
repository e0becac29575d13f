//! What this machine runs on and how its parts are numbered, for `ionet_trust::signals`. All of it
//! is the machine's own word. Raw numbers stay here: only salted hashes leave.

use crate::inventory::bounded;
use ionet_core::CHIPS_PER_DEVICE_MAX;
use ionet_trust::signals::{
    ChipFacts, Fingerprint, HostFacts, Hypervisor, Link, PRINTS_MAX, Purpose, Report, Salt,
};
use nvml_wrapper::enum_wrappers::device::GpuVirtualizationMode;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver};
use tokio_util::task::AbortOnDropHandle;

/// Of a file of the system, what is read: more than the flags of a processor.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Network cards that are looked at.
const CARDS_MAX: usize = 16;

/// What was found. It holds raw numbers, so it does not print and is not sent.
pub struct Underneath {
    /// The machine.
    pub host: HostFacts,
    /// Its chips, in the driver's order.
    pub chips: Vec<ChipFacts>,
    raw: Vec<(Purpose, String)>,
}

impl Underneath {
    /// Looks. `root` is where `proc` and `sys` are, `library` another NVML than the system's.
    /// Links are looked at only while the chips are `under_load`: idle ones slow theirs down.
    pub fn look(root: &Path, library: Option<&OsStr>, under_load: bool) -> Self {
        let mut raw = board(root);
        let chips = nvidia(library, under_load, &mut raw).unwrap_or_else(|error| {
            tracing::debug!(%error, "no NVIDIA driver, so nothing to see underneath");
            Vec::new()
        });
        let host = HostFacts { hypervisor: hypervisor(root) };
        Self { host, chips, raw }
    }

    /// What may be told to the coordinator whose salt it is.
    pub fn report(&self, salt: &Salt) -> Report {
        Report { host: self.host, chips: self.chips.clone(), prints: self.prints(salt) }
    }

    /// Fingerprints of chips, board and network cards under a coordinator's salt.
    pub fn prints(&self, salt: &Salt) -> Vec<Fingerprint> {
        let prints = self.raw.iter().filter_map(|(purpose, raw)| salt.print(*purpose, raw));
        let mut prints: Vec<_> = prints.collect();
        prints.sort();
        prints.dedup();
        prints.truncate(PRINTS_MAX);
        prints
    }
}

/// Between two looks: a card that is taken out is news, and nothing changes by the minute.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// Looks at this machine now and then, until the first value is dropped. Reports come when they
/// are new; none come without a salt.
pub(crate) fn watch(salt: Option<Salt>) -> (Option<AbortOnDropHandle<()>>, Receiver<Report>) {
    let (sender, reports) = mpsc::channel(1);
    let looking = salt.map(|salt| {
        AbortOnDropHandle::new(tokio::spawn(async move {
            let mut told = None;
            loop {
                // Drivers may take their time to answer.
                let look = move || Underneath::look(Path::new("/"), None, false).report(&salt);
                let Ok(report) = tokio::task::spawn_blocking(look).await else { return };
                if told.as_ref() != Some(&report) {
                    told = Some(report.clone());
                    if sender.send(report).await.is_err() {
                        return;
                    }
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }))
    });
    (looking, reports)
}

/// The start of a file, if it is there and may be read.
fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn hypervisor(root: &Path) -> Hypervisor {
    let read = |path: &str| text(&root.join(path)).unwrap_or_default();
    if read("proc/sys/kernel/osrelease").to_lowercase().contains("microsoft") {
        return Hypervisor::Wsl2;
    }
    if read("sys/hypervisor/type").trim() == "xen" {
        return Hypervisor::Xen;
    }
    let flags = read("proc/cpuinfo");
    let flags = flags.lines().find(|line| line.starts_with("flags")).unwrap_or("");
    let vendor = read("sys/class/dmi/id/sys_vendor");
    let product = read("sys/class/dmi/id/product_name");
    if !flags.split_whitespace().any(|flag| flag == "hypervisor") {
        return Hypervisor::None;
    }
    match (vendor.trim(), product.trim()) {
        ("QEMU", _) | (_, "KVM") => Hypervisor::Kvm,
        ("VMware, Inc.", _) => Hypervisor::Vmware,
        ("Microsoft Corporation", "Virtual Machine") => Hypervisor::HyperV,
        ("Xen", _) => Hypervisor::Xen,
        _ => Hypervisor::Other,
    }
}

/// Numbers of the board and of network cards that are hardware: bridges and tunnels have no
/// `device`.
fn board(root: &Path) -> Vec<(Purpose, String)> {
    let dmi = root.join("sys/class/dmi/id");
    let mut raw: Vec<_> = ["board_serial", "product_uuid"]
        .iter()
        .filter_map(|name| Some((Purpose::Board, text(&dmi.join(name))?)))
        .collect();
    let cards = std::fs::read_dir(root.join("sys/class/net")).into_iter().flatten().flatten();
    let mut cards: Vec<_> = cards.map(|card| card.path()).collect();
    cards.retain(|card| card.join("device").exists());
    cards.sort();
    let addresses = cards.iter().take(CARDS_MAX).filter_map(|card| text(&card.join("address")));
    raw.extend(addresses.map(|address| (Purpose::Network, address)));
    raw
}

fn nvidia(
    library: Option<&OsStr>,
    under_load: bool,
    raw: &mut Vec<(Purpose, String)>,
) -> Result<Vec<ChipFacts>, NvmlError> {
    let mut builder = Nvml::builder();
    if let Some(path) = library {
        builder.lib_path(path);
    }
    let nvml = builder.init()?;
    if let Ok(version) = nvml.sys_driver_version() {
        raw.push((Purpose::Driver, version));
    }
    let count = nvml.device_count()?.min(CHIPS_PER_DEVICE_MAX as u32);
    let mut chips = Vec::new();
    for index in 0..count {
        // A card that does not answer is the inventory's to report.
        let Ok(card) = nvml.device_by_index(index) else { continue };
        let Ok(model) = card.name() else { continue };
        let uuid = card.uuid().ok().map(|uuid| bounded(&uuid));
        raw.extend(uuid.iter().map(|uuid| (Purpose::Uuid, uuid.clone())));
        if let Ok(pci) = card.pci_info() {
            raw.push((Purpose::Pci, format!("{:08x}@{}", pci.pci_device_id, pci.bus_id)));
        }
        chips.push(ChipFacts {
            model: bounded(&model),
            uuid,
            vgpu: matches!(card.virtualization_mode(), Ok(GpuVirtualizationMode::Vgpu)),
            mig: card.mig_mode().is_ok_and(|mode| mode.current == 1),
            link: link(&card, under_load),
            link_best: best_link(&card),
        });
    }
    Ok(chips)
}

fn link(card: &Device<'_>, under_load: bool) -> Option<Link> {
    if !under_load {
        return None;
    }
    made(card.current_pcie_link_width().ok()?, card.current_pcie_link_gen().ok()?)
}

fn best_link(card: &Device<'_>) -> Option<Link> {
    made(card.max_pcie_link_width().ok()?, card.max_pcie_link_gen().ok()?)
}

fn made(width: u32, generation: u32) -> Option<Link> {
    Some(Link { width: width.try_into().ok()?, generation: generation.try_into().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::GenesisHash;
    use ionet_trust::signals::seen;
    use std::fs;
    use std::process::Command;

    /// A whole card in a narrow slot, and a vGPU guest.
    const FIXTURE: &str = include_str!("../fixtures/nvml_underneath.c");
    const NO_LIBRARY: &str = "/nonexistent/libnvidia-ml.so.1";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn look(root: &Path) -> Underneath {
        Underneath::look(root, Some(OsStr::new(NO_LIBRARY)), true)
    }

    #[test]
    fn hypervisors_are_told_apart() {
        let flags = "processor\t: 0\nflags\t\t: fpu hypervisor sse\n";
        for (vendor, product, expected) in [
            ("QEMU\n", "Standard PC (Q35 + ICH9, 2009)\n", Hypervisor::Kvm),
            ("VMware, Inc.\n", "VMware20,1\n", Hypervisor::Vmware),
            ("Microsoft Corporation\n", "Virtual Machine\n", Hypervisor::HyperV),
            ("Nobody\n", "Nothing\n", Hypervisor::Other),
        ] {
            let root = tempfile::tempdir().unwrap();
            write(root.path(), "proc/cpuinfo", flags);
            write(root.path(), "sys/class/dmi/id/sys_vendor", vendor);
            write(root.path(), "sys/class/dmi/id/product_name", product);
            assert_eq!(look(root.path()).host.hypervisor, expected, "{vendor}");
        }
        let root = tempfile::tempdir().unwrap();
        assert_eq!(look(root.path()).host.hypervisor, Hypervisor::None);
        write(root.path(), "proc/cpuinfo", "flags : fpu sse\n");
        assert_eq!(look(root.path()).host.hypervisor, Hypervisor::None);
        write(root.path(), "sys/hypervisor/type", "xen\n");
        assert_eq!(look(root.path()).host.hypervisor, Hypervisor::Xen);
        let wsl = "5.15.167.4-microsoft-standard-WSL2\n";
        write(root.path(), "proc/sys/kernel/osrelease", wsl);
        assert_eq!(look(root.path()).host.hypervisor, Hypervisor::Wsl2);
    }

    #[test]
    fn numbers_become_hashes_and_only_hardware_has_them() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "sys/class/dmi/id/board_serial", "PF3ABCDE\n");
        write(root.path(), "sys/class/dmi/id/product_uuid", "To Be Filled By O.E.M.\n");
        write(root.path(), "sys/class/net/eth0/address", "d8:5e:d3:00:11:22\n");
        write(root.path(), "sys/class/net/eth0/device/vendor", "0x8086\n");
        write(root.path(), "sys/class/net/docker0/address", "02:42:ac:11:00:02\n");
        let salt = Salt::new(&[1; 32], &GenesisHash([2; 32]), 3);
        let prints = look(root.path()).prints(&salt);
        let kinds: Vec<_> = prints.iter().map(|print| print.purpose).collect();
        assert_eq!(kinds, [Purpose::Board, Purpose::Network]);
        assert_eq!(Some(prints[0]), salt.print(Purpose::Board, "PF3ABCDE"));
        let other = Salt::new(&[1; 32], &GenesisHash([2; 32]), 4);
        assert_ne!(look(root.path()).prints(&other)[0].hash, prints[0].hash);
    }

    #[test]
    fn cards_are_looked_at_through_the_drivers_library() {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("nvml.c"), folder.path().join("libnvml.so"));
        fs::write(&source, FIXTURE).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
        assert!(compiler.status().expect("a C compiler, as `make setup` installs it").success());

        let found =
            |under_load| Underneath::look(folder.path(), Some(library.as_os_str()), under_load);
        let codes = |found: &Underneath| -> Vec<Vec<String>> {
            let of = |chip| seen(chip, &found.host, &[], 1).into_iter().map(|s| s.code).collect();
            found.chips.iter().map(of).collect()
        };
        let loaded = found(true);
        assert_eq!(loaded.chips[0].link, Some(Link { width: 4, generation: 3 }));
        assert_eq!(codes(&loaded), [vec!["pcie-narrow"], vec!["vgpu-profile"]]);
        let salt = Salt::new(&[1; 32], &GenesisHash([2; 32]), 3);
        assert_eq!(loaded.report(&salt).check(), Ok(()));
        assert_eq!(codes(&found(false)), [vec![], vec!["vgpu-profile"]]);
        let kinds: Vec<_> = loaded.prints(&salt).iter().map(|print| print.purpose).collect();
        assert_eq!(kinds, [Purpose::Uuid, Purpose::Uuid, Purpose::Driver]);
    }
}
