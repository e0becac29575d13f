//! `network.json`: what the local network of this home is.

use crate::context::parse_wallet;
use crate::doctor::{tcp_is_free, udp_is_free};
use crate::failure::{Failure, OrFail as _, Result};
use crate::home::{Home, read_json, write_atomic};
use ionet_core::{Asset, Egress, GenesisHash, Wallet};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// First port of the workers' metrics.
const METRICS_PORT: u16 = 8430;

/// Ports on 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    /// Chain, JSON-RPC.
    pub(crate) rpc: u16,
    /// Chain, WebSocket.
    pub(crate) ws: u16,
    /// Coordinator, REST.
    pub(crate) rest: u16,
    /// Coordinator, QUIC (UDP).
    pub(crate) quic: u16,
    /// Metrics of each worker.
    pub(crate) metrics: Vec<u16>,
}

/// The local network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LocalNetwork {
    #[serde(skip)]
    folder: PathBuf,
    /// Version of this file.
    pub(crate) version: u32,
    /// Ports.
    pub(crate) ports: Ports,
    /// How many workers.
    pub(crate) workers: u16,
    /// The chain, once it answered.
    pub(crate) genesis: Option<GenesisHash>,
    /// Mint of USDC, once made.
    pub(crate) usdc_mint: Option<Wallet>,
    /// Mint of IO, once made.
    pub(crate) io_mint: Option<Wallet>,
    /// Supplier of each worker, once made.
    pub(crate) suppliers: Vec<Wallet>,
    /// What each asks per hour, as decimal text.
    pub(crate) ask: String,
    /// What workloads may reach.
    pub(crate) egress: Egress,
    /// `up` made the renter's wallet: a purge may remove it.
    pub(crate) made_wallet: bool,
    /// `up` made the settings file.
    pub(crate) made_config: bool,
    /// `up` made the home folder itself.
    pub(crate) made_home: bool,
    /// The link on the PATH that `up` made.
    pub(crate) link: Option<PathBuf>,
    /// The Ray image was built or imported by `up`.
    pub(crate) made_image: bool,
    /// Socket of the engine: ours of Podman, or Docker's.
    pub(crate) socket: PathBuf,
    /// The engine's service is ours.
    pub(crate) own_engine: bool,
}

const VERSION: u32 = 1;

impl LocalNetwork {
    fn file(folder: &Path) -> PathBuf {
        folder.join("network.json")
    }

    /// As it stands on disk; `None` where there is no local network.
    pub(crate) fn load(home: &Home) -> Result<Option<Self>> {
        let folder = home.local();
        let Some(mut network) = read_json::<Self>(&Self::file(&folder))? else { return Ok(None) };
        if network.version != VERSION {
            return Err(Failure::refused(format!(
                "{} was made by another version of ionet",
                Self::file(&folder).display()
            ))
            .hint("use that version, or `ionet down --purge` and begin anew"));
        }
        network.folder = folder;
        Ok(Some(network))
    }

    /// A new one with the usual ports.
    pub(crate) fn new(home: &Home, workers: u16) -> Self {
        let folder = home.local();
        let metrics = (1..=workers).map(|n| METRICS_PORT.saturating_add(n)).collect();
        Self {
            version: VERSION,
            ports: Ports { rpc: 8899, ws: 8900, rest: 8420, quic: 8421, metrics },
            workers,
            genesis: None,
            usdc_mint: None,
            io_mint: None,
            suppliers: Vec::new(),
            ask: "0.05".into(),
            egress: Egress::None,
            made_wallet: false,
            made_config: false,
            made_home: !home.path().exists(),
            link: None,
            made_image: false,
            socket: socket(&folder),
            own_engine: true,
            folder,
        }
    }

    /// Writes it.
    pub(crate) fn save(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).or_internal("network.json")?;
        write_atomic(&Self::file(&self.folder), &text, 0o644)
    }

    /// Replaces ports that others hold by free ones. Returns which service moved where.
    pub(crate) fn choose_ports(&mut self) -> Result<Vec<(&'static str, u16)>> {
        let mut moved = Vec::new();
        let mut taken: Vec<u16> = Vec::new();
        self.ports.metrics.resize_with(usize::from(self.workers), || 0);
        let ports = &mut self.ports;
        let tcp = [
            ("chain RPC", &mut ports.rpc),
            ("chain WebSocket", &mut ports.ws),
            ("coordinator", &mut ports.rest),
        ];
        let metrics = ports.metrics.iter_mut().map(|p| ("worker metrics", p));
        for (name, port) in tcp.into_iter().chain(metrics) {
            if *port == 0 || taken.contains(port) || !tcp_is_free(*port) {
                *port = free_tcp(&taken)?;
                moved.push((name, *port));
            }
            taken.push(*port);
        }
        if !udp_is_free(ports.quic) {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").or_internal("a free port")?;
            ports.quic = socket.local_addr().or_internal("a free port")?.port();
            moved.push(("device sessions", ports.quic));
        }
        Ok(moved)
    }

    /// The state's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the chain answers.
    pub(crate) fn rpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.rpc)
    }

    /// WebSocket beside it.
    pub(crate) fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.ports.ws)
    }

    /// Where the coordinator answers.
    pub(crate) fn rest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.rest)
    }

    /// A key of the network's operator.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join("keys").join(format!("{name}.json"))
    }

    /// The key that makes development tokens.
    pub(crate) fn admin_key(&self) -> PathBuf {
        self.key("admin")
    }

    /// Keypair file of a worker's supplier, counted from 1.
    pub(crate) fn supplier_key(&self, n: u16) -> PathBuf {
        self.folder.join("suppliers").join(format!("supplier-{n}.json"))
    }

    /// State folder of a worker, counted from 1.
    pub(crate) fn worker_folder(&self, n: u16) -> PathBuf {
        self.folder.join("workers").join(n.to_string())
    }

    /// Settings of a worker.
    pub(crate) fn worker_config(&self, n: u16) -> PathBuf {
        self.worker_folder(n).join("worker.toml")
    }

    /// Settings of the coordinator.
    pub(crate) fn coordinator_config(&self) -> PathBuf {
        self.folder.join("coordinator.toml")
    }

    /// Podman's settings.
    pub(crate) fn containers_conf(&self) -> PathBuf {
        self.folder.join("containers.conf")
    }

    /// Log of a service.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// Wallets of the suppliers.
    pub(crate) fn suppliers(&self) -> Vec<Wallet> {
        self.suppliers.clone()
    }

    /// The mint of an asset.
    pub(crate) fn mint(&self, asset: Asset) -> Result<Wallet> {
        let mint = match asset {
            Asset::Usdc => self.usdc_mint,
            Asset::Io => self.io_mint,
        };
        mint.ok_or_else(|| Failure::refused("the local network is not set up; run `ionet up`"))
    }

    /// Its market program.
    pub(crate) fn program() -> Result<Wallet> {
        let program = ionet_ledger::Address::from(ionet_ledger::interface::PROGRAM_ID);
        parse_wallet(&program.to_string())
    }
}

/// Where our engine listens. The kernel takes no more than 107 bytes of a socket's path.
fn socket(folder: &Path) -> PathBuf {
    use sha2::{Digest as _, Sha256};
    const PATH_BYTES_MAX: usize = 107;
    let usual = folder.join("run/podman.sock");
    if usual.as_os_str().len() <= PATH_BYTES_MAX {
        return usual;
    }
    let hash = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    PathBuf::from(format!("/run/ionet-{}.sock", hex::encode(&hash[..8])))
}

fn free_tcp(taken: &[u16]) -> Result<u16> {
    loop {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").or_internal("a free port")?;
        let port = socket.local_addr().or_internal("a free port")?.port();
        if !taken.contains(&port) {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut network = LocalNetwork::new(&Home::at(folder.path()), 2);
        let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = holder.local_addr().unwrap().port();
        network.ports.rest = taken;
        let moved = network.choose_ports().unwrap();
        assert!(moved.iter().any(|(name, _)| *name == "coordinator"), "{moved:?}");
        assert_ne!(network.ports.rest, taken);
        let mut all = network.ports.metrics.clone();
        all.extend([network.ports.rpc, network.ports.ws, network.ports.rest]);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(LocalNetwork::load(&home).unwrap(), None);
        let network = LocalNetwork::new(&home, 3);
        network.save().unwrap();
        assert_eq!(LocalNetwork::load(&home).unwrap(), Some(network));
    }
}
