//! A coordinator that does what the test says, over real QUIC, and a worker that dials it.

use super::memory::MemoryHost;
use crate::config::{Containers, CoordinatorAddress, WorkerConfig};
use crate::key::DeviceKey;
use crate::testing;
use crate::worker::{Stop, Worker, WorkerError};
use crate::{enrol, inventory};
use ionet_core::{
    DeviceId, Egress, PartId, PartSpec, PartState, PartStatus, Region, Slice, Wallet,
};
use ionet_wire::endpoint::{self, Connection, Endpoint, RecvStream, SendStream};
use ionet_wire::frame;
use ionet_wire::message::{
    Command, CommandBody, Heartbeat, HeartbeatAnswer, Hello, Open, Opened, Outcome, Purpose,
    SignedReceipt, ToCoordinator, ToDevice, Welcome,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here takes this long; a test that waits for it has failed.
pub(super) const DEADLINE: Duration = Duration::from_secs(150);

pub(super) struct Coordinator {
    pub(super) endpoint: Endpoint,
    secret: [u8; 32],
}

impl Coordinator {
    pub(super) async fn bind(secret: [u8; 32], address: SocketAddr) -> Self {
        Self { endpoint: endpoint::bind(&secret, &[address]).await.unwrap(), secret }
    }

    pub(super) fn id(&self) -> DeviceId {
        endpoint::device_id(self.endpoint.id())
    }

    pub(super) fn address(&self) -> SocketAddr {
        endpoint::local_addresses(&self.endpoint)[0]
    }

    /// Comes back at the same address after having gone without a word.
    pub(super) async fn come_back(self) -> Self {
        let (secret, address) = (self.secret, self.address());
        drop(self.endpoint);
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            assert!(tokio::time::Instant::now() < deadline, "{address} stays taken");
            if let Ok(endpoint) = endpoint::bind(&secret, &[address]).await {
                return Self { endpoint, secret };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The next device that dials, up to its hello.
    pub(super) async fn greet(&self) -> (Talk, Hello) {
        let work = async {
            let connection = self.endpoint.accept().await.unwrap().await.unwrap();
            let (send, mut receive) = connection.accept_bi().await.unwrap();
            assert_eq!(receive.read_u8().await.unwrap(), ionet_wire::PROTOCOL_VERSION);
            let hello = match frame::read(&mut receive).await.unwrap() {
                ToCoordinator::Hello(hello) => *hello,
                other => panic!("expected a hello, got {other:?}"),
            };
            (Talk { connection, send, receive, epoch: 1, number: 0 }, hello)
        };
        timeout(DEADLINE, work).await.expect("nobody dialled")
    }

    /// Greets and admits.
    pub(super) async fn admit(&self, session: u64) -> (Talk, Hello) {
        let (mut talk, hello) = self.greet().await;
        talk.say(ToDevice::Welcome(welcome(session, 1))).await;
        (talk, hello)
    }
}

pub(super) fn welcome(session: u64, leader_epoch: u64) -> Welcome {
    Welcome {
        session,
        leader_epoch,
        chain: testing::chain(),
        coordinator: testing::coordinator_wallet(),
        idle_interval_ms: 200,
        hired_interval_ms: 100,
        features: vec![],
        salt: None,
    }
}

/// A session, from the coordinator's side.
pub(super) struct Talk {
    pub(super) connection: Connection,
    pub(super) send: SendStream,
    pub(super) receive: RecvStream,
    pub(super) epoch: u64,
    number: u64,
}

impl Talk {
    pub(super) async fn say(&mut self, message: ToDevice) {
        frame::write(&mut self.send, &message).await.unwrap();
    }

    pub(super) async fn hear(&mut self) -> ToCoordinator {
        timeout(DEADLINE, frame::read(&mut self.receive)).await.expect("silence").unwrap()
    }

    /// The next heartbeat, answered with `receipts`.
    pub(super) async fn beat(&mut self, receipts: Vec<SignedReceipt>) -> Heartbeat {
        loop {
            if let ToCoordinator::Heartbeat(heartbeat) = self.hear().await {
                let seq = heartbeat.seq;
                self.say(ToDevice::HeartbeatAnswer(HeartbeatAnswer { seq, receipts })).await;
                return heartbeat;
            }
        }
    }

    /// Answers heartbeats until a part's status is as wanted.
    pub(super) async fn until(
        &mut self,
        id: PartId,
        wanted: impl Fn(&PartState) -> bool,
    ) -> PartStatus {
        let mut last = vec![];
        let work = async {
            loop {
                last = self.beat(vec![]).await.parts;
                let found = last.iter().find(|p| p.id == id && wanted(&p.state));
                if let Some(status) = found {
                    return status.clone();
                }
            }
        };
        let done = timeout(DEADLINE, work).await.ok();
        done.unwrap_or_else(|| panic!("the part never got there: {last:?}"))
    }

    /// Answers heartbeats until no part is reported.
    pub(super) async fn until_empty(&mut self) {
        let work = async { while !self.beat(vec![]).await.parts.is_empty() {} };
        timeout(DEADLINE, work).await.expect("parts are still reported");
    }

    /// Sends a command and waits for its outcome.
    pub(super) async fn command(&mut self, body: CommandBody) -> Outcome {
        self.number += 1;
        let (number, leader_epoch) = (self.number, self.epoch);
        let request_id = format!("req-{number}");
        let command = Command { leader_epoch, number, request_id, body };
        self.say(ToDevice::Command(Box::new(command))).await;
        loop {
            match self.hear().await {
                ToCoordinator::CommandAnswer(answer) if answer.number == number => {
                    return answer.outcome;
                }
                ToCoordinator::Heartbeat(beat) => {
                    let answer = HeartbeatAnswer { seq: beat.seq, receipts: vec![] };
                    self.say(ToDevice::HeartbeatAnswer(answer)).await;
                }
                _ => (),
            }
        }
    }

    pub(super) async fn run_part(&mut self, spec: PartSpec, lease: u8) -> Outcome {
        self.run_part_vouched_by(spec, lease, Vec::new()).await
    }

    pub(super) async fn run_part_vouched_by(
        &mut self,
        spec: PartSpec,
        lease: u8,
        vouchers: Vec<Wallet>,
    ) -> Outcome {
        let lease = testing::lease(lease);
        let secrets = testing::secrets();
        let spec = Box::new(spec);
        self.command(CommandBody::RunPart { spec, lease, vouchers, secrets }).await
    }

    /// Opens a stream.
    pub(super) async fn open(
        &self,
        part: PartId,
        purpose: Purpose,
    ) -> (SendStream, RecvStream, Opened) {
        let work = async {
            let (mut send, mut receive) = self.connection.open_bi().await.unwrap();
            let request_id = "req-s".to_owned();
            let part = Some(part);
            let open = Open { leader_epoch: self.epoch, request_id, part, purpose };
            frame::write(&mut send, &open).await.unwrap();
            let opened = frame::read(&mut receive).await.unwrap();
            (send, receive, opened)
        };
        timeout(DEADLINE, work).await.expect("the stream was not answered")
    }
}

/// A worker's folder, host and settings.
pub(super) struct Rig {
    pub(super) folder: TempDir,
    pub(super) host: Arc<MemoryHost>,
    pub(super) key: DeviceKey,
    pub(super) config: WorkerConfig,
}

/// A worker that runs.
pub(super) struct Running {
    pub(super) stop: watch::Sender<Stop>,
    pub(super) task: JoinHandle<Result<(), WorkerError>>,
}

impl Rig {
    pub(super) async fn new() -> (Self, Coordinator) {
        let address = "127.0.0.1:0".parse().unwrap();
        let coordinator = Coordinator::bind(rand::random(), address).await;
        let folder = tempfile::tempdir().unwrap();
        let key = DeviceKey::load_or_create(folder.path()).unwrap();
        enrol::save(folder.path(), &testing::enrolment(&key)).unwrap();
        let config = WorkerConfig {
            state_dir: folder.path().to_owned(),
            name: Some("rig".into()),
            region: Region::LOCAL,
            egress: Egress::Mirrors,
            mirrors: vec![],
            metrics: None,
            coordinator: CoordinatorAddress {
                id: coordinator.id(),
                addresses: vec![coordinator.address()],
            },
            slice: Slice { cpu_milli: 2_000, memory_bytes: 2 << 30, scratch_bytes: 1 << 30 },
            containers: Containers::default(),
        };
        let host = Arc::new(MemoryHost::default());
        (Self { folder, host, key, config }, coordinator)
    }

    pub(super) fn start(&self) -> Running {
        let (stop, stopped) = watch::channel(Stop::No);
        let mut inventory = inventory::read(&self.config);
        inventory.chips.truncate(1);
        let (config, key, host) = (self.config.clone(), self.key.clone(), self.host.clone());
        let task = tokio::spawn(Worker::run_on(config, key, inventory, host, stopped));
        Running { stop, task }
    }

    pub(super) fn spec(&self, lease: u8, generation: u32) -> PartSpec {
        testing::spec(self.key.id(), lease, generation)
    }
}

impl Running {
    pub(super) async fn end(self, how: Stop) -> Result<(), WorkerError> {
        self.stop.send_replace(how);
        self.ended().await
    }

    pub(super) async fn ended(self) -> Result<(), WorkerError> {
        timeout(DEADLINE, self.task).await.expect("the worker did not end").unwrap()
    }
}
