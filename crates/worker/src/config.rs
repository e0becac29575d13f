//! What a supplier sets.

use ionet_core::{DeviceId, Egress, Region, Slice};
use ionet_mesh::{Allow, EgressPolicy};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Most addresses of one coordinator that are tried at once.
const ADDRESSES_MAX: usize = 16;
/// Most places that an allow list names.
const MIRRORS_MAX: usize = 256;
/// Largest settings file.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// The settings of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// Where the key, the enrolment and the store live.
    pub state_dir: PathBuf,
    /// A name for the owner's eyes; default: the host's name.
    #[serde(default)]
    pub name: Option<String>,
    /// Where the machine stands.
    pub region: Region,
    /// The most that a workload may reach outside.
    #[serde(default)]
    pub egress: Egress,
    /// With `egress = "mirrors"` or more: what is reachable, as `ADDRESS[/PREFIX]:PORT`.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Where Prometheus metrics are served; none: nowhere.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
    /// Whom to dial.
    pub coordinator: CoordinatorAddress,
    /// What of the machine is for sale.
    pub slice: Slice,
    /// How containers run.
    #[serde(default)]
    pub containers: Containers,
}

/// Whom to dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinatorAddress {
    /// The coordinator's QUIC identity, printed like a device's.
    pub id: DeviceId,
    /// Where it listens: all are tried.
    pub addresses: Vec<SocketAddr>,
}

/// How containers run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Containers {
    /// Docker's or Podman's API socket; none: the first usual one that is there.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// OCI runtime, such as `runc`; none: the engine's own choice.
    #[serde(default)]
    pub runtime: Option<String>,
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a worker's settings.
    #[error("{path}: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of its bounds.
    #[error("worker settings: {0}")]
    Value(String),
}

impl WorkerConfig {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > CONFIG_BYTES_MAX {
            return Err(ConfigError::Value(format!("{} is too large", path.display())));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let config: Self = toml::from_str(&text)
            .map_err(|e| ConfigError::Toml { path: path.to_owned(), source: Box::new(e) })?;
        config.validate()?;
        Ok(config)
    }

    /// Whether every value is within its bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |text: &str| Err(ConfigError::Value(text.to_owned()));
        if !(1..=ADDRESSES_MAX).contains(&self.coordinator.addresses.len()) {
            return refuse(&format!("coordinator.addresses has 1 to {ADDRESSES_MAX} entries"));
        }
        if self.slice.cpu_milli == 0 || self.slice.memory_bytes == 0 {
            return refuse("slice.cpu_milli and slice.memory_bytes must be above 0");
        }
        if self.name.as_ref().is_some_and(|n| n.is_empty() || n.len() > 64) {
            return refuse("name has 1 to 64 bytes");
        }
        if self.mirrors.len() > MIRRORS_MAX {
            return refuse(&format!("mirrors has at most {MIRRORS_MAX} entries"));
        }
        self.allow_list().map(|_| ())
    }

    fn allow_list(&self) -> Result<Vec<Allow>, ConfigError> {
        let parse = |t: &String| {
            t.parse()
                .map_err(|e: ionet_mesh::SpecError| ConfigError::Value(format!("mirrors: {e}")))
        };
        self.mirrors.iter().map(parse).collect()
    }

    /// What a workload that asks for `wanted` may reach: never more than the supplier set.
    pub fn egress_policy(&self, wanted: Egress) -> Result<EgressPolicy, ConfigError> {
        Ok(match wanted.min(self.egress) {
            Egress::None => EgressPolicy::None,
            Egress::Mirrors => EgressPolicy::Mirrors(self.allow_list()?),
            Egress::Open => EgressPolicy::Open,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const EXAMPLE: &str = r#"
        state_dir = "state"
        region = "local"
        egress = "mirrors"
        mirrors = ["203.0.113.7:443"]
        metrics = "127.0.0.1:0"
        [coordinator]
        id = "dev_4wBqpZM9xaSheZzJSMawUKKwhdpChKbZ5eu5ky4Vigw"
        addresses = ["127.0.0.1:8421"]
        [slice]
        cpu_milli = 1000
        memory_bytes = 1073741824
        scratch_bytes = 1073741824
        [containers]
        runtime = "runc"
    "#;

    #[test]
    fn a_file_is_read_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.toml");
        let load = |text: &str| {
            std::fs::write(&path, text).unwrap();
            WorkerConfig::load(&path)
        };
        let config = load(EXAMPLE).unwrap();
        assert_eq!(config.containers.runtime.as_deref(), Some("runc"));
        let back: WorkerConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(back, config);
        for (from, to, why) in [
            ("local", "mars", "unknown region"),
            ("state_dir", "state_dri", "unknown field"),
            ("\"127.0.0.1:8421\"", "", "addresses"),
            ("cpu_milli = 1000", "cpu_milli = 0", "cpu_milli"),
            ("203.0.113.7:443", "203.0.113.7", "ADDRESS"),
        ] {
            let error = load(&EXAMPLE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(why), "{to}: {error}");
        }
    }

    #[test]
    fn egress_is_never_more_than_the_supplier_set() {
        let mut config: WorkerConfig = toml::from_str(EXAMPLE).unwrap();
        let reach = |c: &WorkerConfig, e| c.egress_policy(e).unwrap();
        assert_eq!(reach(&config, Egress::None), EgressPolicy::None);
        assert!(matches!(reach(&config, Egress::Open), EgressPolicy::Mirrors(l) if l.len() == 1));
        config.egress = Egress::None;
        assert_eq!(reach(&config, Egress::Open), EgressPolicy::None);
        config.egress = Egress::Open;
        assert_eq!(reach(&config, Egress::Open), EgressPolicy::Open);
    }
}
