//! The conversation with one device. Whatever it does or does not, the trial hears of it twice
//! and in time: once about its commitments, once about its proofs.

use super::settings::TrialSettings;
use crate::control::DeviceStream;
use crate::sessions::{Link, open_stream};
use ionet_core::{DeviceId, Task, TrialId, Verdict};
use ionet_trust::record::{Answer, Outcome, due_us, outcome_of, proof_hash};
use ionet_trust::{Commitment, Hour};
use ionet_wire::frame;
use ionet_wire::message::{Open, Purpose};
use ionet_wire::prove::{FromProver, ToProver};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// For a device to agree to the stream: who takes longer misses this trial.
const CALL_MAX: Duration = Duration::from_secs(5);
/// For one message of ours to go out.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// After the last task's time a commitment is still read, to tell late from silent.
const LATE_MAX: Duration = Duration::from_secs(1);
/// Messages of a kind that this version does not know, in one conversation.
const UNKNOWN_MAX: usize = 8;

/// What a device was asked to do in this trial, and by which moments.
#[derive(Clone)]
pub(super) enum Phase {
    /// Streams are being opened.
    Calling,
    /// The beacon has come.
    Working { beacon: [u8; 32], start: Instant },
    /// The commitments stand on the chain.
    Asking { late: [u8; 32], secret: [u8; 32], hours: Arc<Vec<Option<Hour>>> },
    /// All is over.
    Judged(Arc<BTreeMap<DeviceId, Verdict>>),
}

/// What it came to, for the trial.
pub(super) enum Said {
    /// It agreed to prove, or did not.
    Called(bool),
    /// Its commitments, one a task.
    Committed(DeviceId, Vec<Option<(Commitment, u64)>>),
    /// Its answers, and the bytes of its proofs by task.
    Answered(DeviceId, Vec<Answer>, Vec<(u8, Vec<u8>)>),
}

/// One conversation.
pub(super) struct Talk {
    pub(super) device: DeviceId,
    pub(super) trial: TrialId,
    pub(super) tasks: Arc<Vec<Task>>,
    pub(super) settings: TrialSettings,
    pub(super) leader_epoch: u64,
    pub(super) phases: watch::Receiver<Phase>,
    pub(super) said: mpsc::Sender<Said>,
    /// Proofs that are checked at once.
    pub(super) checks: Arc<Semaphore>,
}

/// What the device did so far. A stream that broke is gone.
struct Heard {
    stream: Option<DeviceStream>,
    declined: bool,
    committed: Vec<Option<(Commitment, u64)>>,
}

impl Talk {
    /// From the call to the verdict. Ends early when the trial is dropped.
    pub(super) async fn run(mut self, link: Link) {
        let open = Open {
            leader_epoch: self.leader_epoch,
            request_id: format!("trial-{}", self.trial),
            part: None,
            purpose: Purpose::Prove,
        };
        let called = timeout(CALL_MAX, open_stream(link, open)).await;
        let stream = match called {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(e)) => {
                tracing::debug!(device = %self.device, error = %e, "declines a trial");
                None
            }
            Err(_) => None,
        };
        let came = stream.is_some();
        if self.said.send(Said::Called(came)).await.is_err() || !came {
            return;
        }
        let committed = vec![None; self.tasks.len()];
        let mut heard = Heard { stream, declined: false, committed };
        let working = self.phase(|p| matches!(p, Phase::Working { .. })).await;
        let Some(Phase::Working { beacon, start }) = working else { return };
        self.commitments(&mut heard, beacon, start).await;
        let committed = heard.committed.clone();
        if self.said.send(Said::Committed(self.device, committed)).await.is_err() {
            return;
        }
        let asking = self.phase(|p| matches!(p, Phase::Asking { .. })).await;
        let Some(Phase::Asking { late, secret, hours }) = asking else { return };
        let ask = ToProver::Ask { late, secret };
        let (answers, proofs) = self.proofs(&mut heard, ask, hours).await;
        let said = Said::Answered(self.device, answers, proofs);
        if self.said.send(said).await.is_err() {
            return;
        }
        let judged = self.phase(|p| matches!(p, Phase::Judged(_))).await;
        if let Some(Phase::Judged(verdicts)) = judged
            && let Some(verdict) = verdicts.get(&self.device)
        {
            self.write(&mut heard, &ToProver::Judged { verdict: Box::new(verdict.clone()) }).await;
        }
    }

    /// Waits for a phase; none if the trial broke off.
    async fn phase(&mut self, wanted: impl Fn(&Phase) -> bool) -> Option<Phase> {
        self.phases.wait_for(|p| wanted(p)).await.ok().map(|p| p.clone())
    }

    async fn write(&self, heard: &mut Heard, message: &ToProver) {
        let Some(stream) = &mut heard.stream else { return };
        let written = timeout(WRITE_MAX, frame::write(stream, message)).await;
        if !matches!(written, Ok(Ok(()))) {
            heard.stream = None;
        }
    }

    /// The next message that this version knows; none, and no stream any more, if none comes.
    async fn next(&self, heard: &mut Heard, until: Instant) -> Option<FromProver> {
        for _ in 0..=UNKNOWN_MAX {
            let read = frame::read(heard.stream.as_mut()?);
            match timeout_at(until, read).await {
                Ok(Ok(FromProver::Unknown)) => (),
                Ok(Ok(message)) => return Some(message),
                // Half a frame may be lost: there is no way on.
                Ok(Err(_)) | Err(_) => break,
            }
        }
        heard.stream = None;
        None
    }

    async fn commitments(&self, heard: &mut Heard, beacon: [u8; 32], start: Instant) {
        let tasks = self.tasks.to_vec();
        self.write(heard, &ToProver::Start { trial: self.trial, beacon, tasks }).await;
        let grace_us = self.settings.grace_ms * 1_000;
        let last = due_us(&self.tasks, self.tasks.len(), grace_us);
        let until = start + Duration::from_micros(last) + LATE_MAX;
        for number in 0..self.tasks.len() {
            match self.next(heard, until).await {
                Some(FromProver::Commitment { task, hash }) if usize::from(task) == number => {
                    let arrived = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                    heard.committed[number] = Some((Commitment(hash), arrived));
                }
                Some(FromProver::Declined { .. }) => {
                    heard.declined = true;
                    return;
                }
                // Out of order: it broke the protocol, and there is no way on.
                Some(_) => {
                    heard.stream = None;
                    return;
                }
                None => return,
            }
        }
    }

    async fn proofs(
        &self,
        heard: &mut Heard,
        ask: ToProver,
        hours: Arc<Vec<Option<Hour>>>,
    ) -> (Vec<Answer>, Vec<(u8, Vec<u8>)>) {
        let grace_us = self.settings.grace_ms * 1_000;
        let in_time =
            |number: usize, arrived: u64| arrived <= due_us(&self.tasks, number, grace_us);
        let answer = |(number, committed): (usize, &Option<(Commitment, u64)>)| {
            let outcome = match committed {
                Some((_, arrived)) if !in_time(number, *arrived) => Outcome::Late,
                Some(_) => Outcome::Silent,
                None if heard.declined => Outcome::Declined,
                None => Outcome::Silent,
            };
            Answer { committed: *committed, outcome, proof: None }
        };
        let mut answers: Vec<_> = heard.committed.iter().enumerate().map(answer).collect();
        let mut kept = Vec::new();
        if heard.committed.iter().all(Option::is_none) {
            return (answers, kept);
        }
        self.write(heard, &ask).await;
        let until = Instant::now() + Duration::from_millis(self.settings.proof_ms.into());
        for number in 0..self.tasks.len() {
            let (task, bytes) = match self.next(heard, until).await {
                Some(FromProver::Proof { task, bytes }) => (task, bytes),
                Some(FromProver::Declined { .. }) => {
                    for answer in answers.iter_mut().filter(|a| a.outcome == Outcome::Silent) {
                        answer.outcome = Outcome::Declined;
                    }
                    break;
                }
                Some(_) => {
                    heard.stream = None;
                    break;
                }
                None => break,
            };
            let Some((commitment, _)) = heard.committed[number] else { break };
            if usize::from(task) != number {
                heard.stream = None;
                break;
            }
            if answers[number].outcome == Outcome::Late {
                continue;
            }
            let (outcome, bytes) = self.check(&hours, number, commitment, bytes).await;
            answers[number].outcome = outcome;
            answers[number].proof = Some(proof_hash(&bytes));
            kept.push((task, bytes));
        }
        (answers, kept)
    }

    /// Off the runtime's threads, and few at once.
    async fn check(
        &self,
        hours: &Arc<Vec<Option<Hour>>>,
        number: usize,
        commitment: Commitment,
        bytes: Vec<u8>,
    ) -> (Outcome, Vec<u8>) {
        let _permit = self.checks.acquire().await;
        let (hours, device) = (hours.clone(), self.device);
        let checked = tokio::task::spawn_blocking(move || {
            let outcome = hours[number]
                .as_ref()
                .map_or(Outcome::Rejected, |hour| outcome_of(hour, device, &commitment, &bytes));
            (outcome, bytes)
        });
        checked.await.unwrap_or((Outcome::Rejected, Vec::new()))
    }
}
