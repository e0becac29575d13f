//! One session with a coordinator, from hello to its end.

use crate::agent::Agent;
use crate::store::{Number, StoreError};
use crate::streams;
use crate::underneath;
use crate::worker::Stop;
use ionet_core::{PartId, PartState};
use ionet_wire::endpoint::{Connection, RecvStream, SendStream};
use ionet_wire::frame::{self, FrameError};
use ionet_wire::message::{
    CommandAnswer, Heartbeat, Outcome, Refused, ToCoordinator, ToDevice, Welcome,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

/// How long a coordinator may take for its answer to a hello: it may be reading its log.
const WELCOME_MAX: Duration = Duration::from_secs(20);
/// How long one message may take on its way into the connection.
const WRITE_MAX: Duration = Duration::from_secs(20);
/// Messages of the coordinator that wait here; it waits when they are full.
const INBOX: usize = 64;
/// Heartbeats that may be without answer; above that, none is added until one is answered.
const UNANSWERED_MAX: usize = 16;
/// What a coordinator may ask for as heartbeat interval.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// See [`INTERVAL_MIN`].
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// A heartbeat without answer for this long ends the session: three hired intervals. A
/// coordinator that was killed leaves no word, and QUIC would wait for its idle timeout.
const ANSWER_MAX: Duration = Duration::from_secs(6);
/// Changes of state are told at once, but not more often than this.
const CHANGE_PAUSE: Duration = Duration::from_millis(50);

/// How a session ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The connection, or the coordinator's side of the protocol, broke.
    Lost(String),
    /// The coordinator does not want this device now.
    Refused(Refused),
    /// Our own wish.
    Stopped,
}

/// Why no session was possible at all.
pub(crate) type Fatal = StoreError;

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        End::Lost(error.to_string())
    }
}

/// Runs one session on a fresh connection. Returns whether it was ever admitted, and its end.
pub(crate) async fn run(
    agent: &Arc<Agent>,
    connection: &Connection,
    stop: &mut watch::Receiver<Stop>,
) -> Result<(bool, End), Fatal> {
    let (writer, reader, welcome) = match greet(agent, connection).await? {
        Ok(greeted) => greeted,
        Err(end) => return Ok((false, end)),
    };
    if agent.parts.admit_leader(welcome.leader_epoch).await?.is_err() {
        return Ok((false, End::Lost("this coordinator led before a newer one".to_owned())));
    }
    let session = welcome.session;
    let newest = agent.store.call(move |s| s.raise(Number::Session, session)).await?;
    if newest > session {
        return Ok((false, End::Lost(format!("session {session} is older than {newest}"))));
    }
    tracing::info!(session, device = %agent.key.id(), "admitted");
    agent.metrics.sessions.inc();
    agent.metrics.connected.set(1);
    let accept = streams::accept(agent.clone(), connection.clone());
    let _accept = AbortOnDropHandle::new(tokio::spawn(accept));
    let session = Session::new(agent, writer, welcome);
    let end = session.serve(reader, stop).await;
    agent.metrics.connected.set(0);
    Ok((true, end?))
}

type Greeted = (SendStream, RecvStream, Welcome);

/// Opens the control stream, says hello and waits for the answer.
async fn greet(agent: &Agent, connection: &Connection) -> Result<Result<Greeted, End>, Fatal> {
    let hello = agent.hello().await?;
    let talk = async {
        let (mut send, mut receive) =
            connection.open_bi().await.map_err(|e| End::Lost(e.to_string()))?;
        send.write_all(&[ionet_wire::PROTOCOL_VERSION])
            .await
            .map_err(|e| End::Lost(e.to_string()))?;
        frame::write(&mut send, &ToCoordinator::Hello(Box::new(hello))).await?;
        loop {
            match frame::read::<ToDevice>(&mut receive).await? {
                ToDevice::Welcome(welcome) => return Ok((send, receive, welcome)),
                ToDevice::Refused(refused) => return Err(End::Refused(refused)),
                ToDevice::Unknown => (),
                ToDevice::HeartbeatAnswer(_) | ToDevice::Command(_) | ToDevice::Echo(_) => {
                    return Err(End::Lost("the coordinator did not answer the hello".to_owned()));
                }
            }
        }
    };
    let late = || Err(End::Lost("no answer to the hello".to_owned()));
    Ok(timeout(WELCOME_MAX, talk).await.unwrap_or_else(|_| late()))
}

struct Session<'a> {
    agent: &'a Agent,
    writer: SendStream,
    welcome: Welcome,
    seq: u64,
    /// Heartbeats without answer: when they were sent, and the parts that they said were stopped.
    unanswered: BTreeMap<u64, (Instant, Vec<PartId>)>,
    told: Instant,
}

/// A session ends, or the worker's disk fails.
enum Broken {
    End(End),
    Fatal(Fatal),
}

impl From<FrameError> for Broken {
    fn from(error: FrameError) -> Self {
        Broken::End(error.into())
    }
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Broken::Fatal(error)
    }
}

impl<'a> Session<'a> {
    fn new(agent: &'a Agent, writer: SendStream, welcome: Welcome) -> Self {
        Self { agent, writer, welcome, seq: 0, unanswered: BTreeMap::new(), told: Instant::now() }
    }

    async fn serve(
        mut self,
        reader: RecvStream,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<End, Fatal> {
        // Reading a frame must not be cancelled, so it has a task of its own.
        let (sender, mut inbox) = mpsc::channel(INBOX);
        let _reader = AbortOnDropHandle::new(tokio::spawn(read_all(reader, sender)));
        match self.talk(&mut inbox, stop).await {
            Ok(()) => {
                let _ = self.writer.shutdown().await;
                Ok(End::Stopped)
            }
            Err(Broken::End(end)) => Ok(end),
            Err(Broken::Fatal(e)) => Err(e),
        }
    }

    /// Returns when our own side wants to stop.
    async fn talk(
        &mut self,
        inbox: &mut mpsc::Receiver<Result<ToDevice, FrameError>>,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<(), Broken> {
        let mut changes = self.agent.parts.board().watch();
        let mut told_draining = self.agent.parts.is_draining();
        let (_looking, mut reports) = underneath::watch(self.welcome.salt);
        self.beat().await?;
        loop {
            let wanted = *stop.borrow_and_update();
            match wanted {
                Stop::No => (),
                Stop::Now => return Ok(()),
                Stop::Drain => {
                    if !told_draining {
                        told_draining = true;
                        self.agent.parts.drain();
                        self.write(&ToCoordinator::Draining).await?;
                    }
                    if self.agent.parts.count().await == 0 {
                        return Ok(());
                    }
                }
            }
            let interval = self.interval();
            let oldest = self.unanswered.first_key_value().map(|(_, (at, _))| *at);
            let next = self.told + interval;
            let wake = oldest.map_or(next, |at| next.min(at + ANSWER_MAX));
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message?).await?,
                    None => return Err(FrameError::Closed.into()),
                },
                () = tokio::time::sleep_until(wake) => {
                    if oldest.is_some_and(|at| at.elapsed() >= ANSWER_MAX) {
                        let words = format!("no answer for {} s", ANSWER_MAX.as_secs());
                        return Err(Broken::End(End::Lost(words)));
                    }
                    self.beat().await?;
                }
                _ = changes.changed() => {
                    tokio::time::sleep(CHANGE_PAUSE.saturating_sub(self.told.elapsed())).await;
                    changes.mark_unchanged();
                    self.beat().await?;
                }
                Some(report) = reports.recv() => {
                    self.write(&ToCoordinator::Report(Box::new(report))).await?;
                }
                changed = stop.changed() => if changed.is_err() {
                    return Ok(());
                },
            }
        }
    }

    fn interval(&self) -> Duration {
        let serving = self.agent.parts.is_serving();
        let ms =
            if serving { self.welcome.hired_interval_ms } else { self.welcome.idle_interval_ms };
        Duration::from_millis(ms).clamp(INTERVAL_MIN, INTERVAL_MAX)
    }

    async fn beat(&mut self) -> Result<(), Broken> {
        self.told = Instant::now();
        if self.unanswered.len() >= UNANSWERED_MAX {
            return Ok(());
        }
        self.seq += 1;
        let parts = self.agent.parts.board().all();
        let stopped = parts.iter().filter(|p| p.state == PartState::Stopped).map(|p| p.id);
        self.unanswered.insert(self.seq, (self.told, stopped.collect()));
        self.agent.metrics.heartbeats.inc();
        self.write(&ToCoordinator::Heartbeat(Heartbeat { seq: self.seq, parts })).await
    }

    async fn write(&mut self, message: &ToCoordinator) -> Result<(), Broken> {
        match timeout(WRITE_MAX, frame::write(&mut self.writer, message)).await {
            Ok(written) => Ok(written?),
            Err(_) => {
                let words = "the coordinator does not read".to_owned();
                Err(Broken::End(End::Lost(words)))
            }
        }
    }

    async fn take(&mut self, message: ToDevice) -> Result<(), Broken> {
        match message {
            ToDevice::HeartbeatAnswer(answer) => {
                let Some((_, stopped)) = self.unanswered.get(&answer.seq).cloned() else {
                    tracing::debug!(seq = answer.seq, "an answer to no heartbeat");
                    return Ok(());
                };
                // An answer also covers the heartbeats before its own.
                self.unanswered = self.unanswered.split_off(&(answer.seq + 1));
                self.agent.take_receipts(&self.welcome, answer.receipts).await?;
                self.agent.parts.forget_stopped(&stopped).await?;
            }
            ToDevice::Command(command) => {
                let (number, request_id) = (command.number, command.request_id.clone());
                let outcome = self.agent.parts.command(*command).await?;
                tracing::debug!(number, request_id, ?outcome, "command");
                let label = outcome_name(&outcome);
                self.agent.metrics.commands.with_label_values(&[label]).inc();
                self.write(&ToCoordinator::CommandAnswer(CommandAnswer { number, outcome }))
                    .await?;
            }
            ToDevice::Echo(echo) => self.write(&ToCoordinator::Echo(echo)).await?,
            ToDevice::Refused(refused) => return Err(Broken::End(End::Refused(refused))),
            ToDevice::Welcome(_) => {
                let words = "a second welcome in one session".to_owned();
                return Err(Broken::End(End::Lost(words)));
            }
            ToDevice::Unknown => tracing::debug!("a message of an unknown kind is skipped"),
        }
        Ok(())
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::StaleLeader { .. } => "stale-leader",
        Outcome::StaleGeneration { .. } => "stale-generation",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Unknown => "unknown",
    }
}

async fn read_all(mut reader: RecvStream, inbox: mpsc::Sender<Result<ToDevice, FrameError>>) {
    loop {
        let message = frame::read(&mut reader).await;
        let over = message.is_err();
        if inbox.send(message).await.is_err() || over {
            return;
        }
    }
}
