//! What a container may use, and how it is recognised again.

use ionet_core::{ClusterId, DeviceId, ImageRef};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use zeroize::Zeroizing;

/// Limits on a spec, each with its reason.
pub mod limits {
    /// Bytes of a container's name: also its host name, which Linux keeps in 64 bytes.
    pub const NAME_BYTES_MAX: usize = 63;
    /// Bytes of one argument or one variable; Linux takes 128 KiB.
    pub const TEXT_BYTES_MAX: usize = 64 * 1024;
    /// Arguments, or variables, of one container.
    pub const TEXTS_MAX: usize = 1_024;
    /// Below this the engine's own first process does not start.
    pub const MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;
    /// Below this a container is slower to start than to be useful.
    pub const CPU_MILLI_MIN: u32 = 10;
}

/// Why a spec is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not a container's name.
    #[error("a container name has 1 to 63 of a-z A-Z 0-9 _ . - and starts with a letter or digit")]
    Name,
    /// Not a device as CDI names it.
    #[error("not a CDI device such as nvidia.com/gpu=0: {0:?}")]
    Device(String),
    /// A limit that is too low or too high.
    #[error("{what} of {value} is out of bounds: {why}")]
    Bounds {
        /// Which.
        what: &'static str,
        /// What was asked for.
        value: u64,
        /// The bound.
        why: &'static str,
    },
    /// A text with a zero byte, or too long, or too many of them.
    #[error("{0} is too long or holds a zero byte")]
    Text(&'static str),
    /// A variable's name with an equals sign, or empty.
    #[error("not a variable's name: {0:?}")]
    Variable(String),
    /// Containers do not run as root.
    #[error("containers do not run as root")]
    Root,
}

/// The name of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerName(String);

impl ContainerName {
    /// Checks a name.
    pub fn new(text: impl Into<String>) -> Result<Self, SpecError> {
        let text = text.into();
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if !first || text.len() > limits::NAME_BYTES_MAX || !text.bytes().all(fine) {
            return Err(SpecError::Name);
        }
        Ok(Self(text))
    }

    /// The name of a device's part of a cluster. Several devices may share a machine, so the
    /// device is in it: 48 bits of its key's hash.
    pub fn of_part(cluster: &ClusterId, device: &DeviceId) -> Self {
        let hash = Sha256::digest(device.0);
        Self(format!("ionet-{}-{}", cluster.short(), hex::encode(&hash[..6])))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret text: wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Say where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A device as the Container Device Interface names it: `nvidia.com/gpu=0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CdiDevice(String);

impl CdiDevice {
    /// Checks a name.
    pub fn new(text: impl Into<String>) -> Result<Self, SpecError> {
        let text = text.into();
        let fine = |s: &str, also: &[u8]| {
            !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
        };
        let parsed = text.split_once('/').and_then(|(vendor, rest)| {
            let (class, name) = rest.split_once('=')?;
            (fine(vendor, b".-_") && fine(class, b".-_") && fine(name, b".-_:")).then_some(())
        });
        match parsed {
            Some(()) if text.len() <= limits::NAME_BYTES_MAX * 2 => Ok(Self(text)),
            _ => Err(SpecError::Device(text.chars().take(64).collect())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One resource limit of every process in a container (`nofile`, `core`, ...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// Its name, as the engine knows it.
    pub name: &'static str,
    /// Soft and hard limit.
    pub value: i64,
}

/// The one network that a container is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The network's name at the engine.
    pub network: String,
    /// The container's address on it.
    pub ip: Ipv4Addr,
    /// Name servers; with none, every look-up fails at once.
    pub dns: Vec<Ipv4Addr>,
}

/// What runs, and what it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its name: there is one container of this name on a machine.
    pub name: ContainerName,
    /// The device whose worker runs it.
    pub device: DeviceId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The part's generation: newer replaces older.
    pub generation: u32,
    /// Further labels. Those that start with `io.ionet.` are ours.
    pub labels: BTreeMap<String, String>,
    /// The image.
    pub image: ImageRef,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// The secret part of its environment. Only root on this machine and the container itself
    /// can read it.
    pub secrets: BTreeMap<String, Secret>,
    /// Processor time, in thousandths of a hardware thread.
    pub cpu_milli: u32,
    /// Memory. There is no swap beyond it; scratch and shared memory count.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids_max: u32,
    /// Writable space at /tmp and at /home/job (`HOME`), together. It is memory.
    pub scratch_bytes: u64,
    /// Writable space at /dev/shm. It is memory.
    pub shm_bytes: u64,
    /// GPUs.
    pub gpus: Vec<CdiDevice>,
    /// Its network; with none it has only its own loopback.
    pub network: Option<Attachment>,
    /// User and group inside, never root.
    pub user: (u32, u32),
    /// Resource limits beside the engine's own.
    pub ulimits: Vec<Ulimit>,
    /// Host name inside.
    pub hostname: String,
    /// Lines of /etc/hosts.
    pub extra_hosts: BTreeMap<String, Ipv4Addr>,
}

impl ContainerSpec {
    /// Checks every field that the types do not check already.
    pub fn validate(&self) -> Result<(), SpecError> {
        let bounds = |fine: bool, what, value, why| match fine {
            true => Ok(()),
            false => Err(SpecError::Bounds { what, value, why }),
        };
        if self.user.0 == 0 || self.user.1 == 0 {
            return Err(SpecError::Root);
        }
        let (cpu, memory) = (self.cpu_milli, self.memory_bytes);
        bounds(cpu >= limits::CPU_MILLI_MIN, "cpu_milli", cpu.into(), "at least 10")?;
        bounds(memory >= limits::MEMORY_BYTES_MIN, "memory_bytes", memory, "at least 16 MiB")?;
        bounds(i64::try_from(memory).is_ok(), "memory_bytes", memory, "below 8 EiB")?;
        bounds(self.pids_max > 0, "pids_max", self.pids_max.into(), "at least 1")?;
        let (scratch, shm) = (self.scratch_bytes, self.shm_bytes);
        bounds(scratch <= memory, "scratch_bytes", scratch, "it is part of the memory")?;
        bounds(shm <= memory, "shm_bytes", shm, "it is part of the memory")?;
        ContainerName::new(self.hostname.as_str())?;
        for name in self.extra_hosts.keys() {
            ContainerName::new(name.as_str())?;
        }
        let text = |s: &str| s.len() <= limits::TEXT_BYTES_MAX && !s.contains('\0');
        let few = self.command.len().max(self.env.len() + self.secrets.len());
        if few > limits::TEXTS_MAX || !self.command.iter().all(|a| text(a)) {
            return Err(SpecError::Text("the command"));
        }
        if self.command.is_empty() {
            return Err(SpecError::Text("an empty command"));
        }
        for name in self.env.keys().chain(self.secrets.keys()) {
            if name.is_empty() || name.contains(['=', '\0', '\n']) || !text(name) {
                return Err(SpecError::Variable(name.chars().take(64).collect()));
            }
        }
        let values = self.env.values().map(String::as_str);
        if !values.chain(self.secrets.values().map(Secret::expose)).all(text) {
            return Err(SpecError::Text("a variable"));
        }
        match self.labels.iter().all(|(k, v)| text(k) && text(v)) {
            true => Ok(()),
            false => Err(SpecError::Text("a label")),
        }
    }

    /// Names this spec: two specs that make the same container have the same hash. The values
    /// of secrets are in it only through SHA-256, together with everything else.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        // `Debug` of these types shows every field and quotes texts, so it is unambiguous;
        // secrets do not print and are added by themselves.
        hash.update(format!("ionet:container-spec:v1:{self:?}"));
        for (name, secret) in &self.secrets {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update((secret.expose().len() as u64).to_be_bytes());
            hash.update(secret.expose());
        }
        hex::encode(&hash.finalize()[..16])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ionet_core::Wallet;

    pub(crate) fn sample() -> ContainerSpec {
        let cluster = ClusterId::of_lease(&Wallet([1; 32]));
        let device = DeviceId([2; 32]);
        ContainerSpec {
            name: ContainerName::of_part(&cluster, &device),
            device,
            cluster,
            generation: 1,
            labels: BTreeMap::new(),
            image: ImageRef::default(),
            command: vec!["sleep".into(), "1".into()],
            env: BTreeMap::from([("A".into(), "b".into())]),
            secrets: BTreeMap::from([("TOKEN".into(), Secret::new("hush-hush"))]),
            cpu_milli: 500,
            memory_bytes: 256 << 20,
            pids_max: 64,
            scratch_bytes: 64 << 20,
            shm_bytes: 16 << 20,
            gpus: vec![],
            network: None,
            user: (1000, 1000),
            ulimits: vec![],
            hostname: "node".into(),
            extra_hosts: BTreeMap::new(),
        }
    }

    #[test]
    fn names_from_outside_are_checked() {
        for good in ["a", "ionet-abc_1.2", &"x".repeat(63)] {
            assert!(ContainerName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-rm", "a b", "a;reboot", "a$(id)", "../a", "a/b", "a\n", &"x".repeat(64)] {
            assert_eq!(ContainerName::new(bad), Err(SpecError::Name), "{bad}");
        }
        for good in ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1a-2", "amd.com/gpu=all"] {
            assert!(CdiDevice::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/dev/sda", "nvidia.com/gpu", "a/b=c d", "a/b=/dev/mem", "a/b=c;d"] {
            assert!(CdiDevice::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_spec_out_of_bounds_is_refused() {
        assert_eq!(sample().validate(), Ok(()));
        let bad: [fn(&mut ContainerSpec); 10] = [
            |s| s.user = (0, 1000),
            |s| s.user = (1000, 0),
            |s| s.memory_bytes = 0,
            |s| s.memory_bytes = u64::MAX,
            |s| s.cpu_milli = 0,
            |s| s.pids_max = 0,
            |s| s.scratch_bytes = s.memory_bytes + 1,
            |s| s.hostname = "a\nb".into(),
            |s| s.command.clear(),
            |s| drop(s.env.insert("A=B".into(), String::new())),
        ];
        for (i, change) in bad.into_iter().enumerate() {
            let mut spec = sample();
            change(&mut spec);
            assert!(spec.validate().is_err(), "case {i}");
        }
    }

    #[test]
    fn secrets_do_not_print_and_still_count() {
        let one = sample();
        assert!(!format!("{one:?}").contains("hush"));
        let mut two = one.clone();
        assert_eq!(one.hash(), two.hash());
        two.secrets.insert("TOKEN".into(), Secret::new("other"));
        assert_ne!(one.hash(), two.hash());
    }
}
