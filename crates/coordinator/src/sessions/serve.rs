//! The QUIC side of a session.

use super::book::ReportError;
use super::{
    COMMANDS_MAX, ECHO_MS, ECHOES, FEATURES_MAX, HELLO_SECONDS_MAX, HELLOS_MAX, Knock, Link,
    MESSAGES_BURST_MAX, MESSAGES_PER_SECOND_MAX, Outgoing, RETRY_MS, STREAMS_PER_DEVICE_MAX,
    Sessions, refused,
};
use ionet_core::DeviceId;
use ionet_network::At;
use ionet_trust::signals::Report;
use ionet_wire::frame::{self, FrameError};
use ionet_wire::message::{
    Command, Echo, Heartbeat, HeartbeatAnswer, Hello, Outcome, Refused, RefusedCode, SessionName,
    ToCoordinator, ToDevice,
};
use ionet_wire::{PROTOCOL_VERSION, endpoint};
use iroh::endpoint::{Connection, RecvStream, SendStream};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Time for a refusal to reach the device before the connection is closed.
const GOODBYE: Duration = Duration::from_secs(1);
/// Messages of a device that wait while one is worked on.
const MESSAGES_WAITING_MAX: usize = 16;

/// Accepts devices until the endpoint closes.
pub(crate) async fn serve(sessions: Arc<Sessions>, endpoint: endpoint::Endpoint) {
    let gate = Arc::new(Semaphore::new(HELLOS_MAX));
    let mut tasks = JoinSet::new();
    loop {
        let permit = gate.clone().acquire_owned().await.expect("the gate is never closed");
        let Some(incoming) = endpoint.accept().await else { return };
        let sessions = sessions.clone();
        tasks.spawn(async move {
            let accepted = tokio::time::timeout(Duration::from_secs(HELLO_SECONDS_MAX), incoming);
            if let Ok(Ok(connection)) = accepted.await {
                greet(sessions, connection, permit).await;
            }
        });
        while tasks.try_join_next().is_some() {}
    }
}

/// From a connection to a session.
async fn greet(
    sessions: Arc<Sessions>,
    connection: Connection,
    permit: tokio::sync::OwnedSemaphorePermit,
) {
    let device = endpoint::remote_device(&connection);
    let limit = Duration::from_secs(HELLO_SECONDS_MAX);
    let Ok(Ok((mut send, recv, hello))) = tokio::time::timeout(limit, hello(&connection)).await
    else {
        connection.close(1u32.into(), b"no hello");
        return;
    };
    let (commands, outgoing) = mpsc::channel(COMMANDS_MAX);
    let streams = Arc::new(Semaphore::new(STREAMS_PER_DEVICE_MAX));
    let features = match &hello {
        Ok(hello) => hello.features.iter().take(FEATURES_MAX).cloned().collect(),
        Err(_) => Arc::default(),
    };
    let link = Link { commands, connection: connection.clone(), streams, features };
    let welcome = match hello {
        Ok(hello) => knock(&sessions, device, hello, link).await,
        Err(no) => Err(no),
    };
    drop(permit);
    match welcome {
        Ok(welcome) => {
            let name = SessionName { device, session: welcome.session };
            tracing::info!(session = %name, "device admitted");
            let greeted = frame::write(&mut send, &ToDevice::Welcome(welcome)).await;
            if greeted.is_ok() {
                let mut talk = Talk::new(sessions.clone(), name, send, outgoing);
                let why = talk.run(recv).await;
                tracing::info!(session = %name, why, "session over");
            }
            sessions.over(name);
            connection.close(0u32.into(), b"session over");
        }
        Err(no) => {
            tracing::info!(%device, code = ?no.code, why = no.message, "device refused");
            goodbye(&mut send, no).await;
            connection.close(0u32.into(), b"refused");
        }
    }
}

type Greeting = (SendStream, RecvStream, Result<Box<Hello>, Refused>);

/// Reads version and hello.
async fn hello(connection: &Connection) -> Result<Greeting, FrameError> {
    let (send, mut recv) = connection.accept_bi().await.map_err(std::io::Error::other)?;
    let version = recv.read_u8().await?;
    if version != PROTOCOL_VERSION {
        let message = format!("this coordinator speaks version {PROTOCOL_VERSION}: update ionet");
        return Ok((send, recv, Err(refused(RefusedCode::Version, message, None))));
    }
    let malformed = |why: &str| Err(refused(RefusedCode::Malformed, why, None));
    let hello = match frame::read::<ToCoordinator>(&mut recv).await {
        Ok(ToCoordinator::Hello(hello)) if !hello.inventory.is_bounded() => {
            malformed("the inventory is over its limits, or offers no chip")
        }
        Ok(ToCoordinator::Hello(hello)) => Ok(hello),
        Ok(_) => malformed("the first message is a hello"),
        Err(FrameError::Malformed(why)) => malformed(&why),
        Err(FrameError::TooLong(bytes)) => malformed(&format!("a frame of {bytes} bytes")),
        Err(e) => return Err(e),
    };
    Ok((send, recv, hello))
}

/// Checks who knocks, and asks the loop to let it in.
async fn knock(
    sessions: &Sessions,
    device: DeviceId,
    hello: Box<Hello>,
    link: Link,
) -> Result<ionet_wire::message::Welcome, Refused> {
    let now = sessions.clock.now().timestamp().0;
    let owner = hello
        .enrolment
        .verify(&sessions.chain, device, now)
        .map_err(|e| refused(RefusedCode::Enrolment, e.to_string(), None))?;
    let record = match sessions.market.devices(&[device]).await {
        Ok(mut records) => Some(records.pop().flatten()),
        Err(e) => {
            tracing::warn!(%device, error = %e, "the chain was not asked about a device");
            None
        }
    };
    let (reply, answer) = oneshot::channel();
    let knock = Knock { device, owner, hello, record, link, reply };
    let busy = |why: &str| refused(RefusedCode::Busy, why, Some(RETRY_MS));
    sessions.knocks.try_send(knock).map_err(|_| busy("too many devices knock at once"))?;
    answer.await.unwrap_or_else(|_| Err(busy("the coordinator is ending")))
}

async fn goodbye(send: &mut SendStream, no: Refused) {
    let said = frame::write(send, &ToDevice::Refused(no)).await;
    if said.is_ok() && send.finish().is_ok() {
        let _ = tokio::time::timeout(GOODBYE, send.stopped()).await;
    }
}

/// Average and burst of messages.
struct Allowance {
    tokens: f64,
    at: At,
}

impl Allowance {
    fn take(&mut self, now: At) -> bool {
        let refill = now.ms_since(self.at) as f64 / 1_000.0 * f64::from(MESSAGES_PER_SECOND_MAX);
        (self.tokens, self.at) = ((self.tokens + refill).min(f64::from(MESSAGES_BURST_MAX)), now);
        let fine = self.tokens >= 1.0;
        self.tokens -= if fine { 1.0 } else { 0.0 };
        fine
    }
}

/// One session's conversation.
struct Talk {
    sessions: Arc<Sessions>,
    name: SessionName,
    send: SendStream,
    outgoing: mpsc::Receiver<Outgoing>,
    answers: HashMap<u64, oneshot::Sender<Outcome>>,
    next: u64,
    allowance: Allowance,
    echo: Waiting,
}

/// The echo that a device owes.
struct Waiting {
    /// None: it owes none.
    sent: Option<(Echo, Instant)>,
    /// How many come back to back.
    quick: u32,
    next: Instant,
}

/// Why a conversation ended.
type Ended = &'static str;

impl Talk {
    fn new(
        sessions: Arc<Sessions>,
        name: SessionName,
        send: SendStream,
        outgoing: mpsc::Receiver<Outgoing>,
    ) -> Self {
        let allowance =
            Allowance { tokens: f64::from(MESSAGES_BURST_MAX), at: sessions.clock.now() };
        let echo = Waiting { sent: None, quick: ECHOES, next: Instant::now() };
        Self { sessions, name, send, outgoing, answers: HashMap::new(), next: 1, allowance, echo }
    }

    async fn run(&mut self, mut recv: RecvStream) -> Ended {
        // A frame that is half read must not be dropped by `select`, so another task reads.
        let (messages, mut inbox) = mpsc::channel(MESSAGES_WAITING_MAX);
        let reader = tokio::spawn(async move {
            loop {
                let message = frame::read::<ToCoordinator>(&mut recv).await;
                let last = message.is_err();
                if messages.send(message).await.is_err() || last {
                    return;
                }
            }
        });
        let ended = loop {
            let step = tokio::select! {
                message = inbox.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(FrameError::Malformed(_) | FrameError::TooLong(_))) => {
                        self.refuse(RefusedCode::Malformed, "the message cannot be read").await
                    }
                    Some(Err(_)) | None => Err("the device hung up"),
                },
                wish = self.outgoing.recv() => match wish {
                    Some(wish) => self.say(wish).await,
                    None => Err("nobody speaks to it any more"),
                },
                () = tokio::time::sleep_until(self.echo.next) => self.call().await,
            };
            if let Err(ended) = step {
                break ended;
            }
        };
        reader.abort();
        ended
    }

    async fn hear(&mut self, message: ToCoordinator) -> Result<(), Ended> {
        if !self.allowance.take(self.sessions.clock.now()) {
            return self.refuse(RefusedCode::Malformed, "too many messages").await;
        }
        match message {
            ToCoordinator::Heartbeat(heartbeat) => self.heartbeat(heartbeat).await,
            ToCoordinator::CommandAnswer(answer) => {
                if let Some(reply) = self.answers.remove(&answer.number) {
                    let _ = reply.send(answer.outcome);
                }
                Ok(())
            }
            ToCoordinator::Draining => {
                self.sessions.put_draining(self.name);
                Ok(())
            }
            ToCoordinator::Report(report) => self.report(*report).await,
            ToCoordinator::Echo(echo) => {
                self.echoed(echo);
                Ok(())
            }
            ToCoordinator::Hello(_) => {
                self.refuse(RefusedCode::Malformed, "a hello comes once").await
            }
            ToCoordinator::Unknown => Ok(()),
        }
    }

    async fn report(&mut self, report: Report) -> Result<(), Ended> {
        let now = self.sessions.clock.now();
        let taken = self.sessions.book().report(now, self.name, report);
        match taken {
            Ok(()) => Ok(()),
            Err(e @ ReportError::Unbounded(_)) => {
                self.refuse(RefusedCode::Malformed, &e.to_string()).await
            }
            Err(error @ (ReportError::Soon | ReportError::Over)) => {
                tracing::debug!(session = %self.name, %error, "a report is passed over");
                Ok(())
            }
        }
    }

    /// Calls into the wood. What was not answered by now is not waited for.
    async fn call(&mut self) -> Result<(), Ended> {
        let echo = Echo { nonce: rand::random() };
        let now = Instant::now();
        self.echo.sent = Some((echo, now));
        self.echo.next = now + Duration::from_millis(ECHO_MS);
        self.write(&ToDevice::Echo(echo)).await
    }

    fn echoed(&mut self, echo: Echo) {
        // Any other bytes than those sent last are nobody's answer.
        let Some((_, at)) = self.echo.sent.take_if(|(sent, _)| *sent == echo) else { return };
        let us = u32::try_from(at.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.sessions.book().echoed(self.name, us);
        self.echo.quick = self.echo.quick.saturating_sub(1);
        if self.echo.quick > 0 {
            self.echo.next = Instant::now();
        }
    }

    async fn heartbeat(&mut self, heartbeat: Heartbeat) -> Result<(), Ended> {
        let (now, clock) = (self.sessions.clock.now(), self.sessions.clock.chain());
        self.sessions.heartbeats.inc();
        let beat = self.sessions.table().heartbeat(now, clock, self.name, &heartbeat);
        let beat = match beat {
            Ok(beat) => beat,
            Err(e @ super::TableError::Fenced) => {
                return self.refuse(RefusedCode::Fenced, &e.to_string()).await;
            }
            Err(e) => return self.refuse(RefusedCode::Malformed, &e.to_string()).await,
        };
        if beat.changed {
            self.sessions.changed.notify_one();
        }
        let sign = |(key, served): &(super::meter::LineKey, u64)| {
            super::meter::receipt(&self.sessions.receipts, key, *served)
        };
        let receipts = beat.served.iter().map(sign).chain(beat.carried).collect();
        let answer = HeartbeatAnswer { seq: heartbeat.seq, receipts };
        self.write(&ToDevice::HeartbeatAnswer(answer)).await
    }

    async fn say(&mut self, wish: Outgoing) -> Result<(), Ended> {
        match wish {
            Outgoing::Command { request_id, body, reply } => {
                let number = self.next;
                self.next += 1;
                self.answers.retain(|_, waiting| !waiting.is_closed());
                self.answers.insert(number, reply);
                let leader_epoch = self.sessions.leader_epoch;
                let command = Command { leader_epoch, number, request_id, body: *body };
                self.write(&ToDevice::Command(Box::new(command))).await
            }
            Outgoing::End(no) => {
                goodbye(&mut self.send, no).await;
                Err("ended by the coordinator")
            }
        }
    }

    async fn refuse(&mut self, code: RefusedCode, why: &str) -> Result<(), Ended> {
        let retry = (code == RefusedCode::Malformed).then_some(RETRY_MS);
        goodbye(&mut self.send, refused(code, why, retry)).await;
        Err("the device broke the protocol or was fenced")
    }

    async fn write(&mut self, message: &ToDevice) -> Result<(), Ended> {
        frame::write(&mut self.send, message).await.map_err(|_| "the device hung up")
    }
}
