//! The handle through which the REST layer speaks to the control loop.
//!
//! Reads come from [`Views`], which the loop publishes after each decision; mutations are
//! [`Request`]s to the loop, which alone owns the facts. [`channel`] makes a handle and its
//! other end, so that the REST layer can be tested against a scripted loop.

mod stream;
mod views;

pub use stream::DeviceStream;
pub use views::{ClusterView, Views};

use crate::market::receipts::holds;
use ionet_api::{
    Access, Cluster, ClusterEvent, CreateCluster, Device, Network, Offer, Quote, RECEIPTS_MAX,
    Receipt, RefusedReceipt, Vouched,
};
use ionet_core::{
    ChainRef, Chip, ChipClass, ClusterId, ClusterSpec, DeviceId, Inventory, Verdict, Wallet,
};
use ionet_trust::inside::Served;
use ionet_wire::message::{Purpose, SignedReceipt};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Requests that may wait for the loop. A full queue answers [`ControlError::Busy`]: waiting
/// longer than that many decisions would outlive the client's patience.
const REQUESTS_MAX: usize = 1_024;
/// Verdicts of one write to the log: other requests wait no longer than for some hundred rows.
pub const JUDGED_AT_ONCE_MAX: usize = 500;
/// Announcements that a slow subscriber may lag behind before it must read the views anew.
const ANNOUNCEMENTS_MAX: usize = 4_096;

/// Why the control plane did not do what was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ControlError {
    /// No such thing, or not the caller's: which of both is not told.
    #[error("no such {what}")]
    NotFound {
        /// `cluster`, `device`.
        what: &'static str,
    },
    /// The caller may not do that.
    #[error("{0}")]
    Forbidden(String),
    /// Not in this state.
    #[error("{reason}")]
    Conflict {
        /// What stands against it.
        reason: String,
    },
    /// No set of devices fits.
    #[error("{message}")]
    NoCapacity {
        /// For people: which constraint removed how many.
        message: String,
        /// The same for programs.
        detail: serde_json::Value,
    },
    /// The quote has expired, or this coordinator did not make it.
    #[error("{0}")]
    QuoteExpired(String),
    /// The chain does not answer.
    #[error("the chain does not answer: {0}")]
    ChainUnavailable(String),
    /// The device does not answer, or the part is not there.
    #[error("{0}")]
    DeviceUnavailable(String),
    /// Not a valid request.
    #[error("{0}")]
    BadRequest(String),
    /// Too many requests wait already.
    #[error("too many requests wait; try again in a moment")]
    Busy,
    /// Another coordinator leads, or this one is ending.
    #[error("this coordinator does not lead")]
    NotLeader,
    /// Our fault; the log has the cause.
    #[error("internal error; the coordinator's log has the cause")]
    Internal,
}

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, ControlError>>;

/// A connected device that serves no cluster and can be asked to prove its chips.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prover {
    /// The device.
    pub device: DeviceId,
    /// Its session: another one by now means that it connected anew.
    pub session: u64,
    /// Whether it gets no work before it has proven its chips.
    pub proving: bool,
    /// What it claims of itself.
    pub inventory: Inventory,
    /// What is known of its chips, expired or not.
    pub verdict: Option<Verdict>,
}

/// What came of a trial for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The chips that it had when it was asked: of others the verdict says nothing.
    pub chips: Vec<Chip>,
    /// What came of it.
    pub verdict: Verdict,
}

/// What the loop is asked to do.
#[derive(Debug)]
pub enum Request {
    /// Price a spec.
    Quote {
        /// What is wanted; already validated.
        spec: Box<ClusterSpec>,
        /// The answer.
        reply: Reply<Quote>,
    },
    /// Open a cluster on a quote.
    Create {
        /// Who.
        renter: Wallet,
        /// Follows the wish to the container's log.
        request_id: String,
        /// Quote and lease.
        body: Box<CreateCluster>,
        /// The answer.
        reply: Reply<Cluster>,
    },
    /// End a cluster.
    Close {
        /// Who.
        renter: Wallet,
        /// Which.
        cluster: ClusterId,
        /// Follows the wish.
        request_id: String,
        /// The answer.
        reply: Reply<Cluster>,
    },
    /// Take receipts of the renter's side.
    Vouch {
        /// Who.
        renter: Wallet,
        /// Which.
        cluster: ClusterId,
        /// The receipts; their signatures hold.
        receipts: Vec<SignedReceipt>,
        /// The answer.
        reply: Reply<Vouched>,
    },
    /// Stop or resume giving parts to a device.
    Drain {
        /// Who.
        supplier: Wallet,
        /// Which.
        device: DeviceId,
        /// Whether it shall take nothing new.
        drain: bool,
        /// The answer.
        reply: Reply<Device>,
    },
    /// List the devices that can be asked to prove their chips.
    Provers {
        /// The answer.
        reply: Reply<Vec<Prover>>,
    },
    /// Take note of what came of a device's trial.
    Judge {
        /// Which.
        device: DeviceId,
        /// What came of it.
        verdict: Box<Verdict>,
        /// The answer: the device as it is seen from then on.
        reply: Reply<Device>,
    },
    /// Take note of what came of a trial, for at most [`JUDGED_AT_ONCE_MAX`] devices.
    JudgeAll {
        /// What came of it.
        verdicts: BTreeMap<DeviceId, Judged>,
        /// The answer.
        reply: Reply<()>,
    },
    /// Open a stream into a part.
    OpenStream {
        /// Who.
        renter: Wallet,
        /// Into which cluster.
        cluster: ClusterId,
        /// On which device; none: the head's.
        device: Option<DeviceId>,
        /// What for.
        purpose: Purpose,
        /// Follows the wish.
        request_id: String,
        /// The answer: a stream whose `Opened::Ok` has been read.
        reply: Reply<DeviceStream>,
    },
}

struct Shared {
    requests: mpsc::Sender<Request>,
    views: Views,
    announcements: broadcast::Sender<(ClusterId, u64)>,
    metrics: prometheus::Registry,
}

/// A handle on the control loop. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

/// The loop's end of the channel.
pub struct Driver {
    /// What is asked.
    pub requests: mpsc::Receiver<Request>,
    /// Where the loop publishes.
    pub views: Views,
    /// Where it announces a cluster's new events.
    pub announcements: broadcast::Sender<(ClusterId, u64)>,
    /// Where its figures are registered.
    pub metrics: prometheus::Registry,
}

/// A handle and its other end.
pub fn channel(network: Network) -> (Control, Driver) {
    let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
    let (announcements, _) = broadcast::channel(ANNOUNCEMENTS_MAX);
    let (views, metrics) = (Views::new(network), prometheus::Registry::new());
    let shared = Shared {
        requests,
        views: views.clone(),
        announcements: announcements.clone(),
        metrics: metrics.clone(),
    };
    let driver = Driver { requests: receiver, views, announcements, metrics };
    (Control { shared: Arc::new(shared) }, driver)
}

impl Control {
    async fn ask<T>(&self, make: impl FnOnce(Reply<T>) -> Request) -> Result<T, ControlError> {
        if !self.is_leading() {
            return Err(ControlError::NotLeader);
        }
        let (reply, answer) = oneshot::channel();
        self.shared.requests.try_send(make(reply)).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => ControlError::Busy,
            mpsc::error::TrySendError::Closed(_) => ControlError::NotLeader,
        })?;
        // A loop that ends drops what waits: it leads no more.
        answer.await.unwrap_or(Err(ControlError::NotLeader))
    }

    /// What a client must know before it signs anything.
    pub fn network(&self) -> Network {
        self.shared.views.network()
    }

    /// Prices `spec` against what is free now. Sealed by the coordinator; holds nothing.
    pub async fn quote(&self, spec: ClusterSpec) -> Result<Quote, ControlError> {
        spec.validate().map_err(|e| ControlError::BadRequest(e.to_string()))?;
        self.ask(|reply| Request::Quote { spec: Box::new(spec), reply }).await
    }

    /// Opens a cluster on a quote of ours. Repeating it with the same quote and lease answers
    /// the same cluster.
    pub async fn create(
        &self,
        renter: Wallet,
        request_id: &str,
        body: CreateCluster,
    ) -> Result<Cluster, ControlError> {
        let (request_id, body) = (request_id.to_owned(), Box::new(body));
        self.ask(|reply| Request::Create { renter, request_id, body, reply }).await
    }

    /// A cluster, whoever owns it: the caller checks the renter.
    pub fn cluster(&self, id: ClusterId) -> Option<Cluster> {
        self.shared.views.cluster(id, |view| view.cluster.clone())
    }

    /// Which devices served a cluster when.
    pub fn served(&self, id: ClusterId) -> Vec<Served> {
        self.shared.views.cluster(id, |view| view.served.clone()).unwrap_or_default()
    }

    /// Clusters of a renter, newest first.
    pub fn clusters_of(&self, renter: Wallet) -> Vec<Cluster> {
        self.shared.views.clusters_of(renter)
    }

    /// Events of a cluster with a number above `after`, in order.
    pub fn events(&self, id: ClusterId, after: u64) -> Vec<ClusterEvent> {
        self.shared.views.cluster(id, |view| view.events_after(after)).unwrap_or_default()
    }

    /// Announces each new event: its cluster and number. Subscribe first, then read
    /// [`Control::events`]; after a lag read them again.
    pub fn subscribe(&self) -> broadcast::Receiver<(ClusterId, u64)> {
        self.shared.announcements.subscribe()
    }

    /// Ends a cluster: the same whoever closed the lease on-chain, and before or after.
    pub async fn close(
        &self,
        renter: Wallet,
        cluster: ClusterId,
        request_id: &str,
    ) -> Result<Cluster, ControlError> {
        let request_id = request_id.to_owned();
        self.ask(|reply| Request::Close { renter, cluster, request_id, reply }).await
    }

    /// Takes receipts of the renter's side for a cluster that `renter` owns. Signatures are
    /// checked here, before the loop is asked: it has other things to do.
    pub async fn vouch(
        &self,
        renter: Wallet,
        cluster: ClusterId,
        receipts: Vec<Receipt>,
    ) -> Result<Vouched, ControlError> {
        let known = self.cluster(cluster).filter(|c| c.renter == renter);
        let lease = known.ok_or(ControlError::NotFound { what: "cluster" })?.lease;
        if receipts.len() > RECEIPTS_MAX {
            let why = format!("{} receipts; at most {RECEIPTS_MAX}", receipts.len());
            return Err(ControlError::BadRequest(why));
        }
        let network = self.network();
        let chain = ChainRef { genesis: network.genesis, program: network.program };
        let signed = receipts.into_iter().map(|r| SignedReceipt {
            cluster,
            lease,
            page: r.page,
            line: r.line,
            generation: r.generation,
            served_s: r.served_s,
            signer: r.signer,
            signature: r.signature,
        });
        let (receipts, forged): (Vec<_>, Vec<_>) = signed.partition(|r| holds(&chain, r));
        let make = |reply| Request::Vouch { renter, cluster, receipts, reply };
        let mut vouched = self.ask(make).await?;
        let refused = |r: SignedReceipt| RefusedReceipt {
            page: r.page,
            line: r.line,
            reason: "the signature does not hold for this lease, program and chain".to_owned(),
        };
        vouched.refused.extend(forged.into_iter().map(refused));
        Ok(vouched)
    }

    /// How to reach the Ray of a cluster that `renter` owns.
    pub fn access(&self, renter: Wallet, id: ClusterId) -> Result<Access, ControlError> {
        let network = self.network();
        let unknown = Err(ControlError::NotFound { what: "cluster" });
        let found = self.shared.views.cluster(id, |view| {
            if view.cluster.renter != renter {
                return Err(ControlError::NotFound { what: "cluster" });
            }
            let Some(ray_token) = view.ray_token.clone() else {
                let state = view.cluster.state;
                let reason = format!("the cluster has no Ray to reach; it is {state:?}");
                return Err(ControlError::Conflict { reason: reason.to_lowercase() });
            };
            let [dashboard_port, client_port] = ionet_wire::message::DIALLABLE_PORTS;
            Ok(Access {
                ray_token,
                dashboard_port,
                client_port,
                ray_version: network.ray_version,
                python_version: network.python_version,
            })
        });
        found.unwrap_or(unknown)
    }

    /// Opens a stream into a part of a cluster that `renter` owns; without `device`, into the
    /// head's.
    pub async fn open_stream(
        &self,
        renter: Wallet,
        cluster: ClusterId,
        device: Option<DeviceId>,
        purpose: Purpose,
        request_id: &str,
    ) -> Result<DeviceStream, ControlError> {
        let request_id = request_id.to_owned();
        let make =
            |reply| Request::OpenStream { renter, cluster, device, purpose, request_id, reply };
        self.ask(make).await
    }

    /// Every device, without inventories.
    pub fn devices(&self) -> Vec<Device> {
        self.shared.views.devices()
    }

    /// One device with its inventory.
    pub fn device(&self, id: DeviceId) -> Option<Device> {
        self.shared.views.device(id)
    }

    /// What the market has, by class and region.
    pub fn offers(&self, chip: Option<ChipClass>) -> Vec<Offer> {
        self.shared.views.offers(chip)
    }

    /// Stops or resumes giving parts to a device of `supplier`.
    pub async fn drain(
        &self,
        supplier: Wallet,
        device: DeviceId,
        drain: bool,
    ) -> Result<Device, ControlError> {
        self.ask(|reply| Request::Drain { supplier, device, drain, reply }).await
    }

    /// Every connected device that is idle or owes a proof, and says that it can prove.
    pub async fn provers(&self) -> Result<Vec<Prover>, ControlError> {
        self.ask(|reply| Request::Provers { reply }).await
    }

    /// Publishes when which device is asked to prove its chips, in unix milliseconds: all of
    /// them at once.
    pub fn set_next_trials(&self, trials: BTreeMap<DeviceId, i64>) {
        self.shared.views.set_next_trials(trials);
    }

    /// Takes note of what came of a device's trial. One that is older than what is known changes
    /// nothing.
    pub async fn judge(&self, device: DeviceId, verdict: Verdict) -> Result<Device, ControlError> {
        let verdict = Box::new(verdict);
        self.ask(|reply| Request::Judge { device, verdict, reply }).await
    }

    /// The same for all devices of a trial, some hundreds in each write to the log. Devices that
    /// are not enrolled any more, or have other chips by now, are passed over.
    pub async fn judge_all(
        &self,
        mut verdicts: BTreeMap<DeviceId, Judged>,
    ) -> Result<(), ControlError> {
        while !verdicts.is_empty() {
            let rest = verdicts.keys().nth(JUDGED_AT_ONCE_MAX).copied();
            let rest = rest.map(|first| verdicts.split_off(&first)).unwrap_or_default();
            let some = std::mem::replace(&mut verdicts, rest);
            self.ask(|reply| Request::JudgeAll { verdicts: some, reply }).await?;
        }
        Ok(())
    }

    /// Figures for Prometheus.
    pub fn metrics(&self) -> &prometheus::Registry {
        &self.shared.metrics
    }

    /// Whether this process may act.
    pub fn is_leading(&self) -> bool {
        self.shared.views.is_leading()
    }
}
