//! A scripted device: real QUIC, real signatures, containers in memory.

use crate::manner::Manner;
use ed25519_dalek::SigningKey;
use ionet_core::{
    Chip, ChipClass, ChipId, ClusterId, Cpu, DeviceId, Disk, Egress, Enrolment, Inventory, PartId,
    PartSpec, PartState, PartStatus, Region, Role, Slice,
};
use ionet_trust::proving_key;
use ionet_trust::signals::{Report, Salt};
use ionet_wire::frame::{self, FrameError};
use ionet_wire::message::{
    CommandAnswer, CommandBody, Echo, Heartbeat, Hello, Open, Opened, Outcome, Purpose, Refused,
    RefusedCode, SignedReceipt, ToCoordinator, ToDevice, Welcome,
};
use ionet_wire::{PROTOCOL_VERSION, endpoint, prove};
use iroh::endpoint::{Connection, RecvStream, SendStream};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

/// Key and papers of a device.
#[derive(Clone)]
pub(crate) struct DeviceKeys {
    pub(crate) secret: [u8; 32],
    pub(crate) enrolment: Enrolment,
}

impl DeviceKeys {
    pub(crate) fn id(&self) -> DeviceId {
        DeviceId(SigningKey::from_bytes(&self.secret).verifying_key().to_bytes())
    }
}

/// What the device has on its disk and in its containers; survives its sessions.
#[derive(Default)]
pub(crate) struct Disk_ {
    pub(crate) session: u64,
    pub(crate) epoch: u64,
    pub(crate) parts: BTreeMap<ClusterId, (PartSpec, PartState, i64)>,
    pub(crate) receipts: BTreeMap<(ClusterId, u16, u8), SignedReceipt>,
    /// Sessions that were admitted.
    pub(crate) welcomes: Vec<Welcome>,
    /// Refusals that it was given.
    pub(crate) refusals: Vec<Refused>,
    /// Request ids of the commands that it was given.
    pub(crate) requests: Vec<String>,
    /// Says no to every part.
    pub(crate) refuses: bool,
    /// Containers start only when this is set.
    pub(crate) holds_back: bool,
    /// Every token that it was given.
    pub(crate) tokens: Vec<String>,
    /// What it tells of its machine, one after the other; none: it is older than that.
    pub(crate) reports: Option<fn(Salt) -> Vec<Report>>,
    /// What it says to echoes; none: what it heard.
    pub(crate) echo: Option<fn(Echo) -> Option<Echo>>,
    /// Where it claims to be; none: here.
    pub(crate) region: Option<Region>,
    /// How it behaves in trials; none: it does not say that it can prove.
    pub(crate) manner: Option<Manner>,
    /// Which of its chips really stand behind the further ones in trials.
    pub(crate) others: Others,
    /// What else it says that it knows.
    pub(crate) features: Vec<&'static str>,
    /// Its chips; none: its processor is sold.
    pub(crate) chips: Vec<Chip>,
}

/// What proves in the name of a device's further chips.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// Each is there.
    #[default]
    Themselves,
    /// The first one's work is shown again.
    First,
    /// They do not come.
    Nothing,
}

/// A device that runs until it is dropped.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) disk: Arc<Mutex<Disk_>>,
    task: JoinHandle<()>,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn inventory() -> Inventory {
    let chip = Chip {
        class: ChipClass::CPU,
        model: "scripted".into(),
        uuid: None,
        memory_bytes: 0,
        cdi: None,
    };
    Inventory {
        hostname: "scripted".into(),
        os: "test".into(),
        cpu: Cpu { model: "scripted".into(), threads: 1, architecture: "x86_64".into() },
        memory_bytes: 1 << 30,
        disk: Disk { total_bytes: 1 << 30, free_bytes: 1 << 30 },
        network: Vec::new(),
        chips: vec![chip],
        slice: Slice { cpu_milli: 1_000, memory_bytes: 1 << 30, scratch_bytes: 1 << 30 },
        region: Region::LOCAL,
        egress: Egress::None,
    }
}

fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs() as i64
}

impl Device {
    pub(crate) fn start(keys: DeviceKeys, network: &ionet_api::Network) -> Self {
        Self::start_with(keys, network, Arc::default())
    }

    /// With a disk that another run left.
    pub(crate) fn start_with(
        keys: DeviceKeys,
        network: &ionet_api::Network,
        disk: Arc<Mutex<Disk_>>,
    ) -> Self {
        let id = keys.id();
        let to: DeviceId = network.device_endpoint.parse().unwrap();
        let at: Vec<SocketAddr> =
            network.device_addresses.iter().map(|a| a.parse().unwrap()).collect();
        let task = tokio::spawn(live(keys, to, at, disk.clone()));
        Self { id, disk, task }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Disk_) -> T) -> T {
        look(&mut self.disk.lock().unwrap())
    }

    /// Parts that run.
    pub(crate) fn running(&self) -> Vec<PartId> {
        self.with(|disk| {
            let serving = disk.parts.values().filter(|(_, state, _)| state.is_serving());
            serving.map(|(spec, ..)| spec.id).collect()
        })
    }
}

async fn live(keys: DeviceKeys, to: DeviceId, at: Vec<SocketAddr>, disk: Arc<Mutex<Disk_>>) {
    let local = endpoint::local_side(&at);
    let own = endpoint::bind(&keys.secret, &local).await.unwrap();
    loop {
        if let Ok(connection) = endpoint::dial(&own, to, &at).await {
            let ended = session(&keys, &connection, &disk).await;
            connection.close(0u32.into(), b"bye");
            if let Ok(Some(refused)) = ended {
                let stop = refused.retry_after_ms.is_none();
                disk.lock().unwrap().refusals.push(refused);
                if stop {
                    return;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Says hello; the answer.
pub(crate) async fn greet(
    keys: &DeviceKeys,
    connection: &Connection,
    disk: &Mutex<Disk_>,
) -> Result<(SendStream, RecvStream, Result<Welcome, Refused>), FrameError> {
    let (mut send, mut recv) = connection.open_bi().await.map_err(std::io::Error::other)?;
    send.write_all(&[PROTOCOL_VERSION]).await.map_err(std::io::Error::other)?;
    let hello = {
        let disk = disk.lock().unwrap();
        let mut inventory = inventory();
        inventory.region = disk.region.unwrap_or(inventory.region);
        Hello {
            software: "test".into(),
            features: {
                let proves = disk.manner.map(|_| prove::FEATURE);
                proves.iter().chain(&disk.features).map(|f| (*f).to_owned()).collect()
            },
            enrolment: keys.enrolment.clone(),
            last_session: disk.session,
            boot: 1,
            inventory: match &disk.chips[..] {
                [] => inventory,
                chips => Inventory { chips: chips.to_vec(), ..inventory },
            },
            parts: statuses(&disk),
            receipts: disk.receipts.values().cloned().collect(),
            draining: false,
        }
    };
    frame::write(&mut send, &ToCoordinator::Hello(Box::new(hello))).await?;
    match frame::read::<ToDevice>(&mut recv).await? {
        ToDevice::Welcome(welcome) => Ok((send, recv, Ok(welcome))),
        ToDevice::Refused(refused) => Ok((send, recv, Err(refused))),
        other => panic!("no answer to a hello: {other:?}"),
    }
}

fn statuses(disk: &Disk_) -> Vec<PartStatus> {
    let status = |(spec, state, at): &(PartSpec, PartState, i64)| PartStatus {
        id: spec.id,
        state: state.clone(),
        started_at: Some(*at),
    };
    disk.parts.values().map(status).collect()
}

async fn session(
    keys: &DeviceKeys,
    connection: &Connection,
    disk: &Arc<Mutex<Disk_>>,
) -> Result<Option<Refused>, FrameError> {
    let (mut send, mut recv, welcome) = greet(keys, connection, disk).await?;
    let welcome = match welcome {
        Ok(welcome) => welcome,
        Err(refused) => return Ok(Some(refused)),
    };
    let telling = {
        let mut disk = disk.lock().unwrap();
        assert!(welcome.leader_epoch >= disk.epoch, "an older leader welcomed the device");
        (disk.session, disk.epoch) = (welcome.session, welcome.leader_epoch);
        let telling = disk.reports.zip(welcome.salt).map(|(reports, salt)| reports(salt));
        disk.welcomes.push(welcome);
        telling.unwrap_or_default()
    };
    for report in telling {
        frame::write(&mut send, &ToCoordinator::Report(Box::new(report))).await?;
    }
    let (inbox, mut messages) = tokio::sync::mpsc::channel(16);
    let reader = tokio::spawn(async move {
        while let Ok(message) = frame::read::<ToDevice>(&mut recv).await {
            if inbox.send(message).await.is_err() {
                return;
            }
        }
    });
    let streams = tokio::spawn(streams(keys.id(), connection.clone(), disk.clone()));
    let mut beat = tokio::time::interval(Duration::from_millis(150));
    let (mut seq, mut answered) = (0, 0);
    let ended = loop {
        tokio::select! {
            _ = beat.tick() => {
                // Whoever led is gone: dial anew rather than wait for the connection to die.
                if seq > answered + 20 {
                    break Err(FrameError::Closed);
                }
                seq += 1;
                let parts = statuses(&disk.lock().unwrap());
                let beat = ToCoordinator::Heartbeat(Heartbeat { seq, parts });
                if let Err(e) = frame::write(&mut send, &beat).await {
                    break Err(e);
                }
            }
            message = messages.recv() => {
                let Some(message) = message else { break Err(FrameError::Closed) };
                match hear(message, disk, &mut send, &mut answered).await {
                    Ok(None) => (),
                    Ok(Some(refused)) => break Ok(Some(refused)),
                    Err(e) => break Err(e),
                }
            }
        }
    };
    reader.abort();
    streams.abort();
    ended
}

/// Takes in what the coordinator says; a refusal is the end.
async fn hear(
    message: ToDevice,
    disk: &Mutex<Disk_>,
    send: &mut SendStream,
    answered: &mut u64,
) -> Result<Option<Refused>, FrameError> {
    match message {
        ToDevice::Refused(refused) => return Ok(Some(refused)),
        ToDevice::HeartbeatAnswer(answer) => {
            *answered = answer.seq;
            let mut disk = disk.lock().unwrap();
            for receipt in answer.receipts {
                let line = (receipt.cluster, receipt.page, receipt.line);
                let newest = disk.receipts.entry(line).or_insert(receipt.clone());
                assert!(receipt.served_s >= newest.served_s, "a receipt went back");
                *newest = receipt;
            }
        }
        ToDevice::Command(command) => {
            let outcome = obey(&mut disk.lock().unwrap(), &command);
            let answer = CommandAnswer { number: command.number, outcome };
            frame::write(send, &ToCoordinator::CommandAnswer(answer)).await?;
        }
        ToDevice::Echo(echo) => {
            let say = disk.lock().unwrap().echo;
            if let Some(said) = say.map_or(Some(echo), |say| say(echo)) {
                frame::write(send, &ToCoordinator::Echo(said)).await?;
            }
        }
        ToDevice::Welcome(_) | ToDevice::Unknown => (),
    }
    Ok(None)
}

fn obey(disk: &mut Disk_, command: &ionet_wire::message::Command) -> Outcome {
    if command.leader_epoch < disk.epoch {
        return Outcome::StaleLeader { seen: disk.epoch };
    }
    disk.requests.push(command.request_id.clone());
    match &command.body {
        CommandBody::RunPart { .. } if disk.refuses => {
            return Outcome::Rejected { reason: "not today".into() };
        }
        CommandBody::RunPart { spec, secrets, .. } => {
            let known = disk.parts.get(&spec.id.cluster).map(|(known, ..)| known.id.generation);
            if known.is_some_and(|known| known > spec.id.generation) {
                return Outcome::StaleGeneration { seen: known.unwrap() };
            }
            disk.tokens.push(secrets.ray_token.clone());
            if known != Some(spec.id.generation) {
                let state = if disk.holds_back { PartState::Starting } else { ready(spec) };
                disk.parts.insert(spec.id.cluster, ((**spec).clone(), state, now_s()));
            }
        }
        CommandBody::SetMembers { id, membership } => {
            if let Some((spec, state, _)) = disk.parts.get_mut(&id.cluster) {
                spec.membership = membership.clone();
                *state = ready(spec);
            }
        }
        CommandBody::StopPart { id, .. } => {
            disk.parts.remove(&id.cluster);
        }
        CommandBody::Unknown => (),
    }
    Outcome::Accepted
}

/// In memory every member joins at once.
fn ready(spec: &PartSpec) -> PartState {
    let head = spec.role == Role::Head;
    PartState::Ready { alive_nodes: head.then_some(spec.membership.members.len() as u32) }
}

/// Answers dialled ports with what they send, and logs with one line.
async fn streams(id: DeviceId, connection: Connection, disk: Arc<Mutex<Disk_>>) {
    while let Ok((mut send, mut recv)) = connection.accept_bi().await {
        let (manner, others) = {
            let disk = disk.lock().unwrap();
            (disk.manner, disk.others)
        };
        tokio::spawn(async move {
            let Ok(open) = frame::read::<Open>(&mut recv).await else { return };
            match open.purpose {
                Purpose::Dial { .. } => {
                    frame::write(&mut send, &Opened::Ok).await.unwrap();
                    let _ = tokio::io::copy(&mut recv, &mut send).await;
                }
                Purpose::Prove => {
                    if let Some(manner) = manner {
                        manner.behave(id, &mut send, &mut recv).await;
                    }
                }
                Purpose::ProveChip { number } => {
                    let (key, manner) = match others {
                        Others::Themselves => (proving_key(ChipId { device: id, number }), manner),
                        Others::First => (id, manner),
                        Others::Nothing => (id, Some(Manner::Refuses)),
                    };
                    if let Some(manner) = manner {
                        manner.behave(key, &mut send, &mut recv).await;
                    }
                }
                Purpose::Logs { .. } => {
                    frame::write(&mut send, &Opened::Ok).await.unwrap();
                    let line = format!("log of {}\n", open.part.unwrap().cluster);
                    let _ = send.write_all(line.as_bytes()).await;
                }
                _ => {
                    let reason = "not here".to_owned();
                    frame::write(&mut send, &Opened::Refused { reason }).await.unwrap();
                }
            }
            let _ = send.finish();
            let _ = send.shutdown().await;
        });
    }
}

/// Whether a refusal of this kind came.
pub(crate) fn was_refused(disk: &Disk_, code: RefusedCode) -> bool {
    disk.refusals.iter().any(|refused| refused.code == code)
}
