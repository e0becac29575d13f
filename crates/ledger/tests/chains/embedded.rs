//! The chain node of a local network, with the market program in its first block.

use crate::network::{Network, Pace, admin};
use ionet_chain::{Chain, ChainConfig, GenesisProgram};
use ionet_ledger::interface::PROGRAM_ID;
use ionet_ledger::{Address, Ledger, Signer};
use std::net::{Ipv4Addr, SocketAddr};

/// The committed bytecode.
pub(crate) const SO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../programs/market/market.so");
/// The keys of a network on a chain of its own.
pub(crate) const SPACE: u8 = 1;

/// A node in this process; it stops when this is dropped.
pub(crate) struct Node {
    pub(crate) url: String,
    _folder: tempfile::TempDir,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Node {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let program = GenesisProgram {
            id: Address::from(PROGRAM_ID),
            elf: std::fs::read(SO).expect("the committed bytecode of the market program"),
            upgrade_authority: Some(admin(SPACE).address()),
        };
        let chain = Chain::open(ChainConfig {
            rpc_addr: anywhere,
            ws_addr: anywhere,
            slot_ms: 20,
            programs: vec![program],
            ..ChainConfig::new(folder.path())
        })
        .unwrap();
        let url = format!("http://{}", chain.rpc_addr());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(chain.serve(async move {
            let _ = stopped.await;
        }));
        Self { url, _folder: folder, _stop: stop }
    }
}

/// A node and a network on it.
pub(crate) async fn network() -> (Node, Network) {
    let node = Node::start();
    let ledger = Ledger::connect(&node.url);
    let network = Network::start(ledger, SPACE, Pace::QUICK).await;
    (node, network)
}
