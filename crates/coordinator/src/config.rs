//! Settings of a coordinator, read from TOML.
//!
//! ```
//! let config = ionet_coordinator::Config::from_toml(r#"
//!     data_dir = "coordinator"
//!     keypair = "keys/coordinator.json"
//!     rpc_url = "http://127.0.0.1:8899"
//!     ws_url = "ws://127.0.0.1:8900"
//!     program = "11111111111111111111111111111112"
//!     usdc_mint = "11111111111111111111111111111113"
//!     io_mint = "11111111111111111111111111111114"
//! "#).unwrap();
//! assert_eq!(config.rest_addr.port(), 8420);
//! ```

use crate::trial::TrialSettings;
use ionet_core::{ProgramId, Wallet};
use ionet_network::Patience;
use ionet_network::limits::{
    DEPOSIT_GRACE_MS, HIRED_INTERVAL_MS, IDLE_INTERVAL_MS, VOUCH_GRACE_MS,
};
use ionet_trust::signals::Landmark;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("coordinator settings: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value is out of its bounds.
    #[error("coordinator settings: {name} must be {bounds}")]
    Bounds {
        /// Which.
        name: &'static str,
        /// Allowed values.
        bounds: &'static str,
    },
}

/// Settings of a coordinator. Unknown names are refused: a misspelt one must not be dropped.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the log and the QUIC key.
    pub data_dir: PathBuf,
    /// Solana keypair file of the coordinator's on-chain key: it binds, starts, vouches and
    /// pays the fees of its own transactions.
    pub keypair: PathBuf,
    /// Where REST is served.
    #[serde(default = "rest_addr")]
    pub rest_addr: SocketAddr,
    /// Where devices dial in, UDP.
    #[serde(default = "quic_addr")]
    pub quic_addr: SocketAddr,
    /// Addresses that devices are told; empty: the one that is bound.
    #[serde(default)]
    pub quic_advertise: Vec<SocketAddr>,
    /// Solana JSON-RPC of the chain.
    pub rpc_url: String,
    /// WebSocket beside it.
    pub ws_url: String,
    /// The market program.
    pub program: ProgramId,
    /// Mint of USDC.
    pub usdc_mint: Wallet,
    /// Mint of IO.
    pub io_mint: Wallet,
    /// Seconds that a quote lives.
    #[serde(default = "quote_seconds")]
    pub quote_seconds: u64,
    /// Milliseconds between two looks at the chain.
    #[serde(default = "chain_poll_ms")]
    pub chain_poll_ms: u64,
    /// Milliseconds between two plans when nothing happens.
    #[serde(default = "plan_ms")]
    pub plan_ms: u64,
    /// Milliseconds between heartbeats of a device without parts.
    #[serde(default = "idle_interval_ms")]
    pub idle_interval_ms: u64,
    /// Milliseconds between heartbeats of a device with parts.
    #[serde(default = "hired_interval_ms")]
    pub hired_interval_ms: u64,
    /// Seconds that parts go on, unpaid, after their deposit is used up.
    #[serde(default = "deposit_grace_s")]
    pub deposit_grace_s: u64,
    /// Seconds after which a cluster ends for which only the renter's side may vouch and does
    /// not.
    #[serde(default = "vouch_grace_s")]
    pub vouch_grace_s: u64,
    /// Whether devices must prove their chips before they get work.
    #[serde(default)]
    pub proofs_required: bool,
    /// Version of Ray in the default image, as clients are told.
    #[serde(default = "ray_version")]
    pub ray_version: String,
    /// Version of Python in the default image, as clients are told.
    #[serde(default = "python_version")]
    pub python_version: String,
    /// How devices prove their chips; left out: nobody is asked to.
    #[serde(default)]
    pub trials: Option<TrialSettings>,
    /// Where this coordinator stands, in thousandths of a degree: round trips to devices then say
    /// how far they are at the most. Left out: no claim of a region is doubted.
    #[serde(default)]
    pub landmark: Option<Landmark>,
}

fn rest_addr() -> SocketAddr {
    ([127, 0, 0, 1], 8420).into()
}

fn quic_addr() -> SocketAddr {
    ([127, 0, 0, 1], 8421).into()
}

fn quote_seconds() -> u64 {
    60
}

fn chain_poll_ms() -> u64 {
    500
}

fn plan_ms() -> u64 {
    250
}

fn idle_interval_ms() -> u64 {
    IDLE_INTERVAL_MS
}

fn hired_interval_ms() -> u64 {
    HIRED_INTERVAL_MS
}

fn deposit_grace_s() -> u64 {
    DEPOSIT_GRACE_MS / 1_000
}

fn vouch_grace_s() -> u64 {
    VOUCH_GRACE_MS / 1_000
}

fn ray_version() -> String {
    "2.60.0".to_owned()
}

fn python_version() -> String {
    "3.11".to_owned()
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
        Self::from_toml(&text)
    }

    /// Reads and checks settings.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.validate()?;
        Ok(config)
    }

    /// Whether every value is within its bounds.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |fine: bool, name, bounds| {
            if fine { Ok(()) } else { Err(ConfigError::Bounds { name, bounds }) }
        };
        // A quote outlives a person's decision, not a change of the market.
        check((1..=3_600).contains(&self.quote_seconds), "quote_seconds", "1 to 3600")?;
        check((10..=60_000).contains(&self.chain_poll_ms), "chain_poll_ms", "10 to 60000")?;
        check((10..=10_000).contains(&self.plan_ms), "plan_ms", "10 to 10000")?;
        // Longer than the detector expects would look like silence.
        let idle = (50..=IDLE_INTERVAL_MS).contains(&self.idle_interval_ms);
        check(idle, "idle_interval_ms", "50 to 20000")?;
        let hired = (50..=HIRED_INTERVAL_MS).contains(&self.hired_interval_ms);
        check(hired, "hired_interval_ms", "50 to 2000")?;
        // Suppliers are asked to serve unpaid, or without a receipt, no longer than an hour.
        check(self.deposit_grace_s <= 3_600, "deposit_grace_s", "0 to 3600")?;
        check((1..=3_600).contains(&self.vouch_grace_s), "vouch_grace_s", "1 to 3600")?;
        check(
            self.trials.is_some() || !self.proofs_required,
            "proofs_required",
            "off where there are no [trials]",
        )?;
        let here = self.landmark.as_ref().is_none_or(|landmark| landmark.check().is_ok());
        check(here, "landmark", "a plain name and a place on the Earth")?;
        self.trials.map_or(Ok(()), |trials| trials.validate())
    }

    /// How long clusters go on without money, or without anyone's word.
    pub(crate) fn patience(&self) -> Patience {
        Patience { deposit_ms: self.deposit_grace_s * 1_000, vouch_ms: self.vouch_grace_s * 1_000 }
    }

    /// Time between two plans.
    pub(crate) fn plan_interval(&self) -> Duration {
        Duration::from_millis(self.plan_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        data_dir = "d"
        keypair = "k"
        rpc_url = "http://127.0.0.1:1"
        ws_url = "ws://127.0.0.1:2"
        program = "11111111111111111111111111111112"
        usdc_mint = "11111111111111111111111111111113"
        io_mint = "11111111111111111111111111111114"
    "#;

    #[test]
    fn bounds_and_misspellings_are_refused() {
        assert!(Config::from_toml(GOOD).is_ok());
        for bad in [
            "quote_seconds = 0",
            "plan_ms = 1",
            "quote_secs = 5",
            "rest_addr = \"here\"",
            "proofs_required = true",
            "[trials]\nside = 100",
            "[trials]\nwork = 1",
        ] {
            assert!(Config::from_toml(&format!("{GOOD}\n{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_survive_writing() {
        let mut config = Config::from_toml(GOOD).unwrap();
        config.trials = Some(TrialSettings::default());
        let text = toml::to_string(&config).unwrap();
        let read = Config::from_toml(&text).unwrap();
        assert_eq!((read.program, read.trials), (config.program, config.trials));
    }
}
