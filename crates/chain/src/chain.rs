//! Opening and serving a chain.

use std::fs;
use std::future::{Future, IntoFuture};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use solana_address::Address;
use solana_hash::Hash;
use solana_keypair::Keypair;
use solana_signer::Signer;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};

use crate::config::ChainConfig;
use crate::error::ChainError;
use crate::events::Event;
use crate::faucet;
use crate::genesis::Genesis;
use crate::limits::WS_EVENTS_BEHIND_MAX;
use crate::metrics::Metrics;
use crate::node::{Command, Node, NodeHandle, NodeParts};
use crate::rpc;
use crate::store::{ChainState, Reader, Store};
use crate::view::Shared;
use crate::ws;

const DATABASE: &str = "chain.sqlite";
const LOCK: &str = "chain.lock";
/// How long answers under way may take once the chain shuts down.
const GRACE: Duration = Duration::from_secs(3);

/// What RPC and WebSocket handlers share.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) shared: Arc<Shared>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) node: NodeHandle,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) faucet: Address,
    pub(crate) airdrop_lamports_max: u64,
    pub(crate) rpc_addr: SocketAddr,
    pub(crate) ws_addr: SocketAddr,
    /// True once the chain shuts down: long connections end.
    pub(crate) closing: watch::Receiver<bool>,
}

/// An open chain: its node makes blocks from now on; [`Chain::serve`] answers clients.
///
/// Dropping it stops the node after the commit it is at.
pub struct Chain {
    services: Services,
    close: watch::Sender<bool>,
    rpc_listener: Option<TcpListener>,
    ws_listener: Option<TcpListener>,
    faucet: Keypair,
    node: Option<thread::JoinHandle<()>>,
    node_result: Option<oneshot::Receiver<Result<(), ChainError>>>,
    // Held while the chain is open: the system frees it with the process, however that ends.
    _lock: fs::File,
}

impl Chain {
    /// Creates the chain in `config.data_dir`, or goes on with the one that is there.
    ///
    /// Both ports are taken before anything is written. Must be called with the address free:
    /// see [`ChainError::PortTaken`].
    ///
    /// # Errors
    /// A taken port, a data directory in use, a damaged store, a genesis program that does not
    /// load.
    pub fn open(config: ChainConfig) -> Result<Self, ChainError> {
        check(&config)?;
        let rpc_listener = listen("rpc", config.rpc_addr)?;
        let ws_listener = listen("websocket", config.ws_addr)?;
        let rpc_addr = rpc_listener.local_addr().map_err(ChainError::Server)?;
        let ws_addr = ws_listener.local_addr().map_err(ChainError::Server)?;
        let lock = lock(&config.data_dir)?;
        let faucet = faucet::load_or_create(&config.data_dir)?;
        let path = config.data_dir.join(DATABASE);
        let mut store = Store::open(&path, config.write_hook.clone())?;
        let state = match store.load_state()? {
            Some(state) => state,
            None => create(&mut store, &config, faucet.pubkey())?,
        };
        let metrics = Arc::new(Metrics::default());
        let (events, _) = broadcast::channel(WS_EVENTS_BEHIND_MAX);
        let (node, sender, shared) = Node::start(NodeParts {
            state,
            store,
            faucet: faucet.insecure_clone(),
            slot_ms: config.slot_ms,
            blockhash_age_max: config.blockhash_age_max,
            events: events.clone(),
            metrics: Arc::clone(&metrics),
        })?;
        let (close, closing) = watch::channel(false);
        let (report, node_result) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("ionet-chain".to_owned())
            .spawn(move || {
                // Nobody waits for the result when the chain was dropped.
                let _ = report.send(node.run());
            })
            .map_err(ChainError::Server)?;
        let services = Services {
            shared,
            reader: Arc::new(Reader::new(path)),
            node: NodeHandle::new(sender),
            events,
            metrics,
            faucet: faucet.pubkey(),
            airdrop_lamports_max: config.airdrop_lamports_max,
            rpc_addr,
            ws_addr,
            closing,
        };
        Ok(Self {
            services,
            close,
            rpc_listener: Some(rpc_listener),
            ws_listener: Some(ws_listener),
            faucet,
            node: Some(thread),
            node_result: Some(node_result),
            _lock: lock,
        })
    }

    /// The chain's identity: drawn once, at creation.
    pub fn genesis_hash(&self) -> Hash {
        self.services.shared.genesis_hash
    }

    /// Where JSON-RPC answers.
    pub fn rpc_addr(&self) -> SocketAddr {
        self.services.rpc_addr
    }

    /// Where WebSocket subscriptions answer.
    pub fn ws_addr(&self) -> SocketAddr {
        self.services.ws_addr
    }

    /// The faucet's key: it holds the native supply at creation.
    pub fn faucet(&self) -> Keypair {
        self.faucet.insecure_clone()
    }

    /// The open slot.
    pub fn slot(&self) -> u64 {
        self.services.shared.view().slot
    }

    /// A handle that moves the chain on by hand, for tests with long slots.
    pub fn slots(&self) -> SlotControl {
        SlotControl { node: self.services.node.clone() }
    }

    /// Answers clients until `shutdown` is done, then stops the node cleanly.
    ///
    /// # Errors
    /// If the servers fail, or the node had to stop because its store can no longer be read.
    pub async fn serve(
        mut self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ChainError> {
        let (Some(rpc), Some(ws), Some(node_result)) =
            (self.rpc_listener.take(), self.ws_listener.take(), self.node_result.take())
        else {
            return Err(ChainError::NodeStopped);
        };
        let rpc = tokio::net::TcpListener::from_std(rpc).map_err(ChainError::Server)?;
        let ws = tokio::net::TcpListener::from_std(ws).map_err(ChainError::Server)?;
        let rpc_server = axum::serve(rpc, rpc::router(self.services.clone()))
            .with_graceful_shutdown(closed(self.services.closing.clone()));
        let ws_server = axum::serve(ws, ws::router(self.services.clone()))
            .with_graceful_shutdown(closed(self.services.closing.clone()));
        let mut rpc_server = tokio::spawn(rpc_server.into_future());
        let mut ws_server = tokio::spawn(ws_server.into_future());
        let mut node_result = node_result;
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            result = &mut node_result => Err(match result {
                Ok(Err(error)) => error,
                Ok(Ok(())) | Err(_) => ChainError::NodeStopped,
            }),
            result = &mut rpc_server => Err(server_error(result)),
            result = &mut ws_server => Err(server_error(result)),
        };
        let _ = self.close.send(true);
        let servers = [rpc_server, ws_server];
        let aborts = servers.each_ref().map(JoinHandle::abort_handle);
        for (server, abort) in servers.into_iter().zip(aborts) {
            // Either it has ended (a result polled twice would panic), or it gets its grace.
            if !abort.is_finished() && tokio::time::timeout(GRACE, server).await.is_err() {
                abort.abort();
            }
        }
        ended?;
        let services = self.services.clone();
        let thread = self.node.take();
        let stopping = tokio::task::spawn_blocking(move || stop_node(&services.node, thread));
        stopping.await.map_err(|_| ChainError::NodeStopped)?;
        node_result.await.map_err(|_| ChainError::NodeStopped)?
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let _ = self.close.send(true);
        stop_node(&self.services.node, self.node.take());
    }
}

/// Moves a chain on by hand.
#[derive(Clone)]
pub struct SlotControl {
    node: NodeHandle,
}

impl SlotControl {
    /// Closes `count` slots and gives the slot that is open then.
    ///
    /// # Errors
    /// If the node is busy or has stopped.
    pub async fn advance(&self, count: u64) -> Result<u64, ChainError> {
        self.node
            .ask(|reply| Command::AdvanceSlots { count, reply })
            .await
            .map_err(|_| ChainError::NodeStopped)
    }
}

fn stop_node(node: &NodeHandle, thread: Option<thread::JoinHandle<()>>) {
    if let Some(thread) = thread {
        node.stop();
        // A panic of the node shows as a missing result.
        let _ = thread.join();
    }
}

fn check(config: &ChainConfig) -> Result<(), ChainError> {
    let positive = [("slot_ms", config.slot_ms), ("blockhash_age_max", config.blockhash_age_max)];
    for (setting, value) in positive {
        if value == 0 {
            return Err(ChainError::Setting { setting, reason: "must be at least 1".to_owned() });
        }
    }
    Ok(())
}

fn listen(service: &'static str, addr: SocketAddr) -> Result<TcpListener, ChainError> {
    let listener = TcpListener::bind(addr).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => ChainError::PortTaken { service, addr },
        _ => ChainError::Listen { service, addr, source },
    })?;
    listener.set_nonblocking(true).map_err(|source| ChainError::Listen {
        service,
        addr,
        source,
    })?;
    Ok(listener)
}

/// Makes sure that no other process has the directory open.
fn lock(data_dir: &Path) -> Result<fs::File, ChainError> {
    let file_error = |source| ChainError::File { path: data_dir.to_owned(), source };
    fs::create_dir_all(data_dir).map_err(file_error)?;
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(data_dir.join(LOCK))
        .map_err(file_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(ChainError::DataDirBusy { path: data_dir.to_owned() })
        }
        Err(fs::TryLockError::Error(source)) => Err(file_error(source)),
    }
}

fn create(
    store: &mut Store,
    config: &ChainConfig,
    faucet: Address,
) -> Result<ChainState, ChainError> {
    let genesis = Genesis::create(config, faucet)?;
    let state = ChainState::at_genesis(&genesis);
    store.create(&state, &genesis.accounts)?;
    tracing::info!(genesis = %state.genesis_hash, "a new chain is created");
    Ok(state)
}

/// Done once the chain shuts down.
pub(crate) async fn closed(mut closing: watch::Receiver<bool>) {
    // An error means that the chain is gone, which is the same.
    let _ = closing.wait_for(|closing| *closing).await;
}

fn server_error(result: Result<std::io::Result<()>, JoinError>) -> ChainError {
    match result {
        Ok(Err(error)) => ChainError::Server(error),
        Ok(Ok(())) | Err(_) => ChainError::NodeStopped,
    }
}
