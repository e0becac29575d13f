//! The parts of this device: which are wanted, and what commands may change about that.
//!
//! **Invariant:** a command is written to the store before anything acts upon it.

use crate::board::Board;
use crate::host::{Host, HostError};
use crate::store::{Intent, Number, Store, StoreError, StoredPart};
use crate::tend::tend;
use ionet_core::{
    ClusterId, DeviceId, Egress, Membership, PartId, PartSpec, PartState, PartStatus, Slice,
    Wallet, limits::DEVICES_MAX,
};
use ionet_wire::message::{Command, CommandBody, Outcome, PartSecrets, VOUCHERS_MAX};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Parts that one device holds at once, those that end included.
pub(crate) const PARTS_MAX: usize = 32;
/// Hex digits of Ray's token.
const TOKEN_HEX_LEN: usize = 64;
/// Longest time that a stop may give a container to end by itself, in seconds.
const GRACE_S_MAX: u32 = 600;
/// Bytes of a request's id that are kept.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// Between two tries to remove what nobody wants.
const SWEEP_RETRY: Duration = Duration::from_secs(5);

/// What this device may give.
#[derive(Debug, Clone)]
pub(crate) struct Capacity {
    pub(crate) device: DeviceId,
    pub(crate) slice: Slice,
    pub(crate) chips: u8,
    pub(crate) egress: Egress,
}

struct Held {
    part: Arc<StoredPart>,
    wanted: watch::Sender<Arc<StoredPart>>,
}

/// Every part, each with the task that looks after it.
pub(crate) struct Parts {
    host: Arc<dyn Host>,
    store: Store,
    board: Arc<Board>,
    capacity: Capacity,
    held: Mutex<BTreeMap<ClusterId, Held>>,
    epoch: AtomicU64,
    draining: AtomicBool,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Parts {
    /// Takes up what the store holds, adopts the containers that are wanted and begins to remove
    /// those that are not.
    pub(crate) async fn adopt(
        host: Arc<dyn Host>,
        store: Store,
        capacity: Capacity,
    ) -> Result<Arc<Self>, StoreError> {
        let (stored, epoch) =
            store.call(|s| Ok((s.parts()?, s.number(Number::LeaderEpoch)?))).await?;
        let parts = Arc::new(Self {
            host,
            store,
            board: Arc::new(Board::new()),
            capacity,
            held: Mutex::default(),
            epoch: AtomicU64::new(epoch),
            draining: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let mut held = parts.held.lock().await;
        for part in stored {
            parts.want(&mut held, part);
        }
        drop(held);
        let sweep = parts.clone().sweep();
        parts.tasks.spawn(parts.stop.clone().run_until_cancelled_owned(sweep));
        Ok(parts)
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Refuses new clusters from now on.
    pub(crate) fn drain(&self) {
        if !self.draining.swap(true, Ordering::Relaxed) {
            let clusters = self.board.all().len();
            tracing::info!(clusters, "draining: serving what runs here until it ends");
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// How many parts are held.
    pub(crate) async fn count(&self) -> usize {
        self.held.lock().await.len()
    }

    /// Whether a part is here that has not stopped: its heartbeats come at the shorter interval,
    /// as the coordinator expects of a device that last showed one.
    pub(crate) fn is_serving(&self) -> bool {
        self.board.all().iter().any(|p| p.state != PartState::Stopped)
    }

    /// The part, if this very generation of it shall run.
    pub(crate) async fn running(&self, id: PartId) -> Option<Arc<StoredPart>> {
        let held = self.held.lock().await;
        let part = &held.get(&id.cluster)?.part;
        (part.spec.id == id && part.intent == Intent::Run).then(|| part.clone())
    }

    /// Ends the tasks; containers stay.
    pub(crate) async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Whether `epoch` may command: an older one than the newest seen may not. A newer one is
    /// written down.
    pub(crate) async fn admit_leader(&self, epoch: u64) -> Result<Result<(), u64>, StoreError> {
        let seen = self.epoch.load(Ordering::SeqCst);
        if epoch < seen {
            return Ok(Err(seen));
        }
        if epoch > seen {
            self.store.call(move |s| s.raise(Number::LeaderEpoch, epoch)).await?;
            self.epoch.fetch_max(epoch, Ordering::SeqCst);
        }
        Ok(Ok(()))
    }

    /// Obeys a command, or says why not.
    pub(crate) async fn command(&self, command: Command) -> Result<Outcome, StoreError> {
        if let Err(seen) = self.admit_leader(command.leader_epoch).await? {
            return Ok(Outcome::StaleLeader { seen });
        }
        match command.body {
            CommandBody::RunPart { spec, lease, mut vouchers, secrets } => {
                vouchers.truncate(VOUCHERS_MAX);
                let cluster = spec.id.cluster;
                self.store.call(move |s| s.set_vouchers(cluster, &vouchers)).await?;
                let mut request_id = command.request_id;
                while request_id.len() > REQUEST_ID_BYTES_MAX {
                    request_id.pop();
                }
                self.run_part(*spec, lease, secrets, request_id).await
            }
            CommandBody::StopPart { id, grace_seconds } => {
                self.stop_part(id, grace_seconds.min(GRACE_S_MAX)).await
            }
            CommandBody::SetMembers { id, membership } => self.set_members(id, membership).await,
            CommandBody::Unknown => Ok(rejected("this worker does not know the command")),
        }
    }

    async fn run_part(
        &self,
        spec: PartSpec,
        lease: Wallet,
        secrets: PartSecrets,
        request_id: String,
    ) -> Result<Outcome, StoreError> {
        let mut held = self.held.lock().await;
        let id = spec.id;
        let seen = self.store.call(move |s| s.seen(id.cluster)).await?;
        let newest = seen.map_or(0, |(generation, _)| generation);
        if id.generation < newest {
            return Ok(Outcome::StaleGeneration { seen: newest });
        }
        let now = held.get(&id.cluster).map(|h| h.part.clone());
        if seen.is_some() && id.generation == newest {
            // The same generation again: nothing new, a change of members, or a part that was
            // stopped already and must not come back.
            return match now {
                Some(now) if now.intent == Intent::Run && now.spec.id == id => {
                    let same = PartSpec { membership: now.spec.membership.clone(), ..spec.clone() };
                    if same != now.spec || lease != now.lease {
                        return Ok(rejected("this generation runs already with another spec"));
                    }
                    if now.spec.membership == spec.membership {
                        return Ok(Outcome::Accepted);
                    }
                    if let Err(reason) = self.check_members(&spec) {
                        return Ok(rejected(reason));
                    }
                    self.put(&mut held, StoredPart { spec, ..(*now).clone() }).await
                }
                _ => Ok(Outcome::StaleGeneration { seen: newest }),
            };
        }
        let chips = match self.check(&held, &spec, lease, &secrets) {
            Ok(chips) => chips,
            Err(reason) => return Ok(rejected(reason)),
        };
        tracing::info!(cluster = %id.cluster, generation = id.generation, request_id, "run part");
        let part = StoredPart { spec, lease, secrets, request_id, intent: Intent::Run, chips };
        self.put(&mut held, part).await
    }

    async fn put(
        &self,
        held: &mut BTreeMap<ClusterId, Held>,
        part: StoredPart,
    ) -> Result<Outcome, StoreError> {
        let copy = part.clone();
        self.store.call(move |s| s.put_part(&copy)).await?;
        self.want(held, part);
        Ok(Outcome::Accepted)
    }

    /// Hands a part that is in the store to its task.
    fn want(&self, held: &mut BTreeMap<ClusterId, Held>, part: StoredPart) {
        let (cluster, part) = (part.spec.id.cluster, Arc::new(part));
        if let Some(there) = held.get_mut(&cluster) {
            there.part = part.clone();
            there.wanted.send_replace(part);
            return;
        }
        let first = PartStatus { id: part.spec.id, state: PartState::Starting, started_at: None };
        self.board.set(first);
        let (wanted, receiver) = watch::channel(part.clone());
        let task = tend(self.host.clone(), self.board.clone(), receiver);
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(task));
        held.insert(cluster, Held { part, wanted });
    }

    async fn stop_part(&self, id: PartId, grace_s: u32) -> Result<Outcome, StoreError> {
        let mut held = self.held.lock().await;
        let now = held.get(&id.cluster).map(|h| h.part.clone());
        match now {
            Some(now) if now.spec.id.generation > id.generation => {
                Ok(Outcome::StaleGeneration { seen: now.spec.id.generation })
            }
            Some(now) if now.intent == Intent::Run => {
                tracing::info!(cluster = %id.cluster, generation = id.generation, "stop part");
                if id.generation > now.spec.id.generation {
                    self.store.call(move |s| s.note_generation(id)).await?;
                }
                let intent = Intent::Stop { grace_s };
                self.put(&mut held, StoredPart { intent, ..(*now).clone() }).await
            }
            Some(_) | None => {
                self.store.call(move |s| s.note_generation(id)).await?;
                Ok(Outcome::Accepted)
            }
        }
    }

    async fn set_members(&self, id: PartId, membership: Membership) -> Result<Outcome, StoreError> {
        let mut held = self.held.lock().await;
        let now = held.get(&id.cluster).map(|h| h.part.clone());
        match now {
            Some(now) if now.spec.id.generation > id.generation => {
                Ok(Outcome::StaleGeneration { seen: now.spec.id.generation })
            }
            Some(now) if now.spec.id == id && now.intent == Intent::Run => {
                let spec = PartSpec { membership, ..now.spec.clone() };
                if let Err(reason) = self.check_members(&spec) {
                    return Ok(rejected(reason));
                }
                self.put(&mut held, StoredPart { spec, ..(*now).clone() }).await
            }
            Some(_) | None => Ok(rejected("this part does not run here")),
        }
    }

    /// Whether the part may run here; and on which chips.
    fn check(
        &self,
        held: &BTreeMap<ClusterId, Held>,
        spec: &PartSpec,
        lease: Wallet,
        secrets: &PartSecrets,
    ) -> Result<Vec<u8>, &'static str> {
        let others: Vec<_> =
            held.iter().filter(|(c, _)| **c != spec.id.cluster).map(|(_, h)| &h.part).collect();
        if self.is_draining() && others.len() == held.len() {
            return Err("the owner drains this device: no new clusters");
        }
        if others.len() >= PARTS_MAX {
            return Err("this device holds too many parts");
        }
        if ClusterId::of_lease(&lease) != spec.id.cluster {
            return Err("the lease does not pay for this cluster");
        }
        let token = &secrets.ray_token;
        if token.len() != TOKEN_HEX_LEN || !token.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("the cluster's token is not 64 hex digits");
        }
        if spec.egress > self.capacity.egress {
            return Err("the supplier does not allow this egress");
        }
        self.check_members(spec)?;
        let all = self.capacity.slice;
        let sum = |of: fn(&Slice) -> u64| {
            let others = others.iter().map(|p| of(&p.spec.slice));
            others.fold(of(&spec.slice), u64::saturating_add) <= of(&all)
        };
        let fits =
            sum(|s| u64::from(s.cpu_milli)) && sum(|s| s.memory_bytes) && sum(|s| s.scratch_bytes);
        if !fits {
            return Err("the part needs more than what is free here");
        }
        let taken = |c: &u8| others.iter().any(|p| p.chips.contains(c));
        let free: Vec<u8> = (0..self.capacity.chips).filter(|c| !taken(c)).collect();
        match spec.chips {
            0 => Err("a part has at least one chip"),
            n => free.get(..usize::from(n)).map(<[u8]>::to_vec).ok_or("too few chips are free"),
        }
    }

    fn check_members(&self, spec: &PartSpec) -> Result<(), &'static str> {
        let members = &spec.membership.members;
        if spec.device != self.capacity.device {
            return Err("the part is for another device");
        }
        if members.len() > usize::from(DEVICES_MAX) {
            return Err("the cluster has too many members");
        }
        let own = members.iter().find(|m| m.device == self.capacity.device);
        if own.is_none_or(|m| m.role != spec.role) || spec.membership.head().is_none() {
            return Err("the membership lacks this device in its role, or a head");
        }
        Ok(())
    }

    /// The coordinator has read that these are stopped: forgets them.
    pub(crate) async fn forget_stopped(&self, ids: &[PartId]) -> Result<(), StoreError> {
        let mut held = self.held.lock().await;
        for id in ids.iter().copied() {
            let stopped = self.board.get(id).is_some_and(|p| p.state == PartState::Stopped);
            let current = held.get(&id.cluster).is_some_and(|h| h.part.spec.id == id);
            if stopped && current {
                self.store.call(move |s| s.forget_part(id)).await?;
                held.remove(&id.cluster);
                self.board.remove(id);
            }
        }
        Ok(())
    }

    /// Removes the containers of this device that nobody wants.
    async fn sweep(self: Arc<Self>) {
        loop {
            match self.sweep_once().await {
                Ok(()) => return,
                Err(e) => tracing::warn!(error = %e, "cannot look for leftovers yet"),
            }
            tokio::time::sleep(SWEEP_RETRY).await;
        }
    }

    async fn sweep_once(&self) -> Result<(), HostError> {
        for id in self.host.list().await? {
            // Held while removing, so that no command wants it back meanwhile.
            let held = self.held.lock().await;
            if !held.contains_key(&id.cluster) {
                tracing::info!(cluster = %id.cluster, "removing a container that nobody wants");
                self.host.remove(id, 0).await?;
            }
        }
        Ok(())
    }
}

fn rejected(reason: &str) -> Outcome {
    Outcome::Rejected { reason: reason.to_owned() }
}
