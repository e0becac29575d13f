//! A trial, on the device's side: rounds at low priority until the time is over, a commitment,
//! and the leaves that are asked for afterwards.
//!
//! One trial at a time, on a thread of its own. Work for a cluster comes first: a device that
//! serves declines, and one that is hired in the middle of a trial stops proving.

use crate::agent::Agent;
use ionet_core::{DeviceId, TASKS_MAX, Task, Verdict};
use ionet_prover::{Cpu, Prover};
use ionet_trust::record::shape_of;
use ionet_trust::{Beacon, Challenge, Secret, Shape};
use ionet_wire::endpoint::{RecvStream, SendStream};
use ionet_wire::frame::{self, FrameError};
use ionet_wire::message::Opened;
use ionet_wire::prove::{FromProver, ToProver};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// From the stream's opening to the beacon: everyone is called before it comes.
const START_MAX: Duration = Duration::from_secs(60);
/// From the last commitment to the question: the chain has to take the commitments in.
const ASK_MAX: Duration = Duration::from_secs(90);
/// From the last proof to the verdict: all others are checked meanwhile.
const VERDICT_MAX: Duration = Duration::from_secs(120);
/// Longest work that a trial may ask for.
const TIME_MS_MAX: u32 = 60_000;
/// Most leaves that are opened: a proof of more would not fit a frame anyway.
const OPENINGS_MAX: u16 = 256;
/// Largest side on a processor: its matrices take 128 MiB.
const SIDE_MAX: u32 = 4_096;
/// Part of a round that may be missing when the time is over: its estimate is that of the last.
const MARGIN: f64 = 1.1;
/// Priority of the proving threads: a machine's other work goes first.
const NICE: i32 = 10;

/// What a device may be asked at once.
#[derive(Debug)]
pub(crate) struct Proving {
    turn: Arc<Semaphore>,
    threads: usize,
}

impl Proving {
    /// With so many thousandths of a thread to prove with.
    pub(crate) fn new(cpu_milli: u32) -> Self {
        let threads = cpu_milli.div_ceil(1_000).max(1) as usize;
        Self { turn: Arc::new(Semaphore::new(1)), threads }
    }
}

/// Why a trial ended early. None of it is the owner's to mend, except what was declined.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrialError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("the coordinator did not go on: {0}")]
    Late(&'static str),
    #[error("the coordinator did not keep to the order: {0}")]
    Order(&'static str),
    #[error("declined: {0}")]
    Declined(String),
}

/// Why this device cannot take part now; none if it can.
fn hindrance(agent: &Agent) -> Option<&'static str> {
    if agent.parts.is_draining() {
        Some("the owner wants the machine back")
    } else if agent.parts.is_serving() {
        Some("it serves a cluster")
    } else {
        None
    }
}

/// Serves a trial from the opening of its stream to the verdict.
pub(crate) async fn serve(
    agent: &Agent,
    mut send: SendStream,
    mut receive: RecvStream,
) -> Result<(), TrialError> {
    let turn = agent.proving.turn.clone().try_acquire_owned();
    let busy = turn.is_err().then_some("it proves already").or(hindrance(agent));
    if let Some(reason) = busy {
        frame::write(&mut send, &Opened::Refused { reason: reason.to_owned() }).await?;
        send.shutdown().await?;
        return Err(TrialError::Declined(reason.to_owned()));
    }
    frame::write(&mut send, &Opened::Ok).await?;
    let ended = talk(agent, &mut send, &mut receive).await;
    if let Err(TrialError::Declined(reason)) = &ended {
        let declined = FromProver::Declined { reason: reason.clone() };
        frame::write(&mut send, &declined).await?;
    }
    send.shutdown().await?;
    ended
}

async fn next(
    receive: &mut RecvStream,
    limit: Duration,
    what: &'static str,
) -> Result<ToProver, TrialError> {
    let known = async {
        loop {
            match frame::read(receive).await? {
                ToProver::Unknown => (),
                message => return Ok(message),
            }
        }
    };
    // One limit for all: messages that nobody knows win no time.
    timeout(limit, known).await.map_err(|_| TrialError::Late(what))?
}

async fn talk(
    agent: &Agent,
    send: &mut SendStream,
    receive: &mut RecvStream,
) -> Result<(), TrialError> {
    let ToProver::Start { trial, beacon, tasks } = next(receive, START_MAX, "no start").await?
    else {
        return Err(TrialError::Order("the first message is a start"));
    };
    let shapes = checked(&tasks).map_err(TrialError::Declined)?;
    tracing::debug!(%trial, tasks = tasks.len(), "proving");
    let (said, mut saying) = mpsc::channel(2 * TASKS_MAX);
    let (ask, asked) = std_mpsc::sync_channel(1);
    let stop = Arc::new(StopOnDrop::default());
    let work = Work {
        device: agent.key.id(),
        beacon: Beacon(beacon),
        tasks: tasks.iter().copied().zip(shapes).collect(),
        threads: agent.proving.threads,
        stop: stop.0.clone(),
    };
    std::thread::Builder::new().name("prover".to_owned()).spawn(move || work.run(&said, &asked))?;
    // Each task's commitment, then after the question each task's proof.
    for part in ["commitment", "proof"] {
        for _ in &tasks {
            let message = loop {
                tokio::select! {
                    message = saying.recv() => break message,
                    () = tokio::time::sleep(Duration::from_millis(50)) => {
                        if let Some(reason) = hindrance(agent) {
                            return Err(TrialError::Declined(reason.to_owned()));
                        }
                    }
                }
            };
            let lost = || TrialError::Declined(format!("the prover broke down before its {part}"));
            frame::write(send, &message.ok_or_else(lost)?).await?;
        }
        if part == "commitment" {
            match next(receive, ASK_MAX, "no question").await? {
                ToProver::Ask { late, secret } => {
                    let _ = ask.send((Beacon(late), Secret(secret)));
                }
                _ => return Err(TrialError::Order("after the commitments comes the question")),
            }
        }
    }
    match next(receive, VERDICT_MAX, "no verdict").await? {
        ToProver::Judged { verdict } => tell(agent, &verdict),
        _ => return Err(TrialError::Order("after the proofs comes the verdict")),
    }
    Ok(())
}

fn tell(agent: &Agent, verdict: &Verdict) {
    agent.metrics.score.set(verdict.score.into());
    let class = verdict.class.map_or("none yet", |c| c.as_str());
    let reason = verdict.reason.as_deref().unwrap_or("nothing is missing");
    let reason: String = reason.chars().take(256).collect();
    tracing::info!(tier = %verdict.tier, score = verdict.score, class, reason, "judged");
}

/// The shapes of the tasks, if this device does all of them; else why not.
fn checked(tasks: &[Task]) -> Result<Vec<Shape>, String> {
    if tasks.is_empty() || tasks.len() > TASKS_MAX {
        return Err(format!("a trial has 1 to {TASKS_MAX} tasks, not {}", tasks.len()));
    }
    tasks.iter().map(shape).collect()
}

fn shape(task: &Task) -> Result<Shape, String> {
    if !(1..=TIME_MS_MAX).contains(&task.time_ms()) {
        return Err(format!("a task takes 1 to {TIME_MS_MAX} ms, not {}", task.time_ms()));
    }
    let none = || "this device has no memory of its own to prove".to_owned();
    let Task::Multiply { side, openings, .. } = *task else { return Err(none()) };
    if !(1..=OPENINGS_MAX).contains(&openings) {
        return Err(format!("1 to {OPENINGS_MAX} leaves are opened, not {openings}"));
    }
    if side > SIDE_MAX {
        return Err(format!("a processor multiplies matrices of up to {SIDE_MAX}, not {side}"));
    }
    shape_of(task).ok_or_else(none)?.map_err(|e| e.to_string())
}

/// Tells the prover's thread to end when the conversation does.
#[derive(Debug, Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A trial's work, for a thread of its own.
struct Work {
    device: DeviceId,
    beacon: Beacon,
    tasks: Vec<(Task, Shape)>,
    threads: usize,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(self, said: &mpsc::Sender<FromProver>, asked: &std_mpsc::Receiver<(Beacon, Secret)>) {
        yield_to_others();
        let began = Instant::now();
        let mut end = began;
        let mut provers = Vec::with_capacity(self.tasks.len());
        for (number, (task, shape)) in self.tasks.iter().enumerate() {
            end += Duration::from_millis(task.time_ms().into());
            let Some(prover) = self.rounds(*shape, end) else { return };
            let hash = prover.commitment().0;
            let _ = said.blocking_send(FromProver::Commitment { task: number as u8, hash });
            provers.push(prover);
        }
        // The sender is gone when the conversation is.
        let Ok((late, secret)) = asked.recv() else { return };
        let promised = secret.precommitment();
        let Ok(challenge) = Challenge::new(&self.beacon, &late, &secret, &promised) else { return };
        for (number, ((task, shape), prover)) in self.tasks.iter().zip(&mut provers).enumerate() {
            let Task::Multiply { openings, .. } = *task else { return };
            let rounds = prover.rounds();
            let asked = challenge.openings(*shape, self.device, rounds, openings.into());
            let Ok(proof) = prover.open(&asked) else { return };
            let _ =
                said.blocking_send(FromProver::Proof { task: number as u8, bytes: proof.encode() });
        }
    }

    /// As many rounds as end before `end`, but one at least. None if it was told to stop.
    fn rounds(&self, shape: Shape, end: Instant) -> Option<Prover<Cpu>> {
        let Ok(mut prover) = Prover::start(Cpu::new(self.threads), shape, self.beacon, self.device);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let round = Instant::now();
            let Ok(more) = prover.round();
            let took = round.elapsed().mul_f64(MARGIN);
            if !more || Instant::now() + took > end {
                return Some(prover);
            }
        }
    }
}

/// Lowers the priority of this thread; those that it starts inherit it.
fn yield_to_others() {
    // SAFETY: the call takes three integers. 0 is the calling thread on Linux; elsewhere it is
    // the whole process, so there it is left out.
    #[cfg(target_os = "linux")]
    if unsafe { nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, NICE) } != 0 {
        tracing::debug!("the prover runs at the usual priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::Units;

    fn task(side: u32, width: u32, openings: u16, time_ms: u32) -> Task {
        Task::Multiply { units: Units::Integer, side, width, openings, time_ms }
    }

    #[test]
    fn tasks_beyond_a_limit_are_declined_with_a_reason() {
        let fine = task(128, 64, 8, 100);
        assert_eq!(checked(&[fine]).unwrap().len(), 1);
        for wrong in [
            vec![],
            vec![fine; TASKS_MAX + 1],
            vec![task(SIDE_MAX * 2, 64, 8, 100)],
            vec![task(100, 64, 8, 100)],
            vec![task(128, 63, 8, 100)],
            vec![task(128, 64, 0, 100)],
            vec![task(128, 64, OPENINGS_MAX + 1, 100)],
            vec![task(128, 64, 8, 0)],
            vec![task(128, 64, 8, TIME_MS_MAX + 1)],
            vec![fine, task(128, 64, 8, u32::MAX)],
            vec![Task::Stream { bytes: 1 << 30, openings: 4, time_ms: 100 }],
        ] {
            assert!(checked(&wrong).is_err(), "{wrong:?}");
        }
    }
}
