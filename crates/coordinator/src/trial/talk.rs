//! The conversation with one chip of a device. Whatever it does or does not, the trial hears of it
//! in time: once about each of its tasks, and once about its proofs.

use super::ask::Assignment;
use super::settings::TrialSettings;
use crate::control::DeviceStream;
use crate::sessions::{Link, open_stream};
use ionet_core::{ChipId, DeviceId, TrialId, Verdict};
use ionet_trust::record::{Answer, Outcome, Question, due_us, proof_hash};
use ionet_trust::{Commitment, proving_key};
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
/// After a task's time its commitment is still read, to tell late from silent.
const LATE_MAX: Duration = Duration::from_secs(1);
/// Messages of a kind that this version does not know, in one conversation.
const UNKNOWN_MAX: usize = 8;

/// What is asked about each task: by assignment, then by number.
pub(super) type Questions = Vec<Vec<Option<Question>>>;

/// How far the trial is.
#[derive(Clone)]
pub(super) enum Phase {
    /// Streams are being opened.
    Calling,
    /// The beacon of everybody's task with this number has come.
    Working { number: usize, beacon: [u8; 32], start: Instant },
    /// The commitments stand on the chain.
    Asking { late: [u8; 32], secret: [u8; 32], questions: Arc<Questions> },
    /// All is over.
    Judged(Arc<BTreeMap<DeviceId, Verdict>>),
}

/// A commitment and its arrival, in microseconds after its task's start.
type Committed = Option<(Commitment, u64)>;

/// What it came to, for the trial.
pub(super) enum Said {
    /// It agreed to prove, or did not.
    Called(ChipId, bool),
    /// Its commitment to the task with this number.
    Committed(ChipId, usize, Committed),
    /// Its answers, and the bytes of its proofs by task.
    Answered(ChipId, Vec<Answer>, Vec<(u8, Vec<u8>)>),
}

/// One conversation.
pub(super) struct Talk {
    pub(super) chip: ChipId,
    pub(super) trial: TrialId,
    pub(super) assignment: Arc<Assignment>,
    /// The assignment's number.
    pub(super) group: usize,
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
    answers: Vec<Answer>,
}

impl Talk {
    /// From the call to the verdict. Ends early when the trial is dropped.
    pub(super) async fn run(mut self, link: Link) {
        let open = Open {
            leader_epoch: self.leader_epoch,
            request_id: format!("trial-{}", self.trial),
            part: None,
            purpose: match self.chip.number {
                0 => Purpose::Prove,
                number => Purpose::ProveChip { number },
            },
        };
        let called = timeout(CALL_MAX, open_stream(link, open)).await;
        let stream = match called {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(e)) => {
                tracing::debug!(chip = %self.chip, error = %e, "declines a trial");
                None
            }
            Err(_) => None,
        };
        let came = stream.is_some();
        let called = Said::Called(self.chip, came);
        if self.said.send(called).await.is_err() || !came {
            return;
        }
        let nothing = Answer { committed: None, outcome: Outcome::Silent, proof: None };
        let answers = vec![nothing; self.assignment.tasks.len()];
        // None: the trial broke off.
        let _ = self.rest(Heard { stream, answers }).await;
    }

    async fn rest(&mut self, mut heard: Heard) -> Option<()> {
        for number in 0..heard.answers.len() {
            let mine = |p: &Phase| matches!(p, Phase::Working { number: n, .. } if *n == number);
            let working = self.phase(&mut heard, mine).await?;
            let Phase::Working { beacon, start, .. } = working else { return None };
            self.commitment(&mut heard, number, beacon, start).await;
            let committed = heard.answers[number].committed;
            self.said.send(Said::Committed(self.chip, number, committed)).await.ok()?;
        }
        let asking = self.phase(&mut heard, |p| matches!(p, Phase::Asking { .. })).await?;
        let Phase::Asking { late, secret, questions } = asking else { return None };
        let proofs = self.proofs(&mut heard, ToProver::Ask { late, secret }, questions).await;
        let said = Said::Answered(self.chip, heard.answers.clone(), proofs);
        self.said.send(said).await.ok()?;
        let judged = self.phase(&mut heard, |p| matches!(p, Phase::Judged(_))).await?;
        if let Phase::Judged(verdicts) = judged
            && let Some(verdict) = verdicts.get(&self.chip.device)
        {
            self.write(&mut heard, &ToProver::Judged { verdict: Box::new(verdict.clone()) }).await;
        }
        Some(())
    }

    /// Waits for a phase; none if the trial broke off. Nothing is due from the device meanwhile:
    /// it may decline, and anything else ends its part.
    async fn phase(&mut self, heard: &mut Heard, wanted: impl Fn(&Phase) -> bool) -> Option<Phase> {
        let mut phases = self.phases.clone();
        let come = async {
            let come = phases.wait_for(|p| wanted(p)).await;
            come.ok().map(|p| p.clone())
        };
        tokio::pin!(come);
        if heard.stream.is_some() {
            let far = Instant::now() + Duration::from_secs(3_600);
            tokio::select! {
                biased;
                message = self.next(heard, far) => match message {
                    Some(FromProver::Declined { .. }) => self.declined(heard),
                    Some(_) | None => heard.stream = None,
                },
                phase = &mut come => return phase,
            }
        }
        come.await
    }

    /// It goes no further: what was not proven yet was declined.
    fn declined(&self, heard: &mut Heard) {
        for answer in heard.answers.iter_mut().filter(|a| a.outcome == Outcome::Silent) {
            answer.outcome = Outcome::Declined;
        }
        heard.stream = None;
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

    async fn commitment(&self, heard: &mut Heard, number: usize, beacon: [u8; 32], start: Instant) {
        let message = match number {
            0 => ToProver::Start {
                trial: self.trial,
                beacon,
                tasks: self.assignment.tasks.clone(),
                on_chip: self.assignment.on_chip,
            },
            _ => ToProver::Next { task: number as u8, beacon },
        };
        self.write(heard, &message).await;
        let due = due_us(&self.assignment.tasks[number], self.settings.grace_ms * 1_000);
        let until = start + Duration::from_micros(due) + LATE_MAX;
        match self.next(heard, until).await {
            Some(FromProver::Commitment { task, hash }) if usize::from(task) == number => {
                let arrived = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                let outcome = if arrived > due { Outcome::Late } else { Outcome::Silent };
                let committed = Some((Commitment(hash), arrived));
                heard.answers[number] = Answer { committed, outcome, proof: None };
            }
            Some(FromProver::Skipped { task, .. }) if usize::from(task) == number => {
                heard.answers[number].outcome = Outcome::Declined;
            }
            Some(FromProver::Declined { .. }) => self.declined(heard),
            // Out of order: it broke the protocol, and there is no way on.
            Some(_) | None => heard.stream = None,
        }
    }

    /// Asks, and checks what comes. From the question on, what does not come is withheld.
    async fn proofs(
        &self,
        heard: &mut Heard,
        ask: ToProver,
        questions: Arc<Questions>,
    ) -> Vec<(u8, Vec<u8>)> {
        let mut kept = Vec::new();
        let committed = heard.answers.iter().any(|a| a.committed.is_some());
        if !committed || heard.stream.is_none() {
            return kept;
        }
        self.write(heard, &ask).await;
        if heard.stream.is_none() {
            return kept;
        }
        let asked = |a: &Answer| a.committed.is_some() && a.outcome == Outcome::Silent;
        for answer in heard.answers.iter_mut().filter(|a| asked(a)) {
            answer.outcome = Outcome::Withheld;
        }
        let until = Instant::now() + Duration::from_millis(self.settings.proof_ms.into());
        // All are read before any is checked: others' checks take none of its time.
        let mut came = Vec::new();
        for number in 0..heard.answers.len() {
            let Some((commitment, _)) = heard.answers[number].committed else { continue };
            let bytes = match self.next(heard, until).await {
                Some(FromProver::Proof { task, bytes }) if usize::from(task) == number => bytes,
                Some(_) | None => {
                    heard.stream = None;
                    break;
                }
            };
            if heard.answers[number].outcome != Outcome::Late {
                came.push((number, commitment, bytes));
            }
        }
        for (number, commitment, bytes) in came {
            let (outcome, bytes) = self.check(&questions, number, commitment, bytes).await;
            heard.answers[number].outcome = outcome;
            heard.answers[number].proof = Some(proof_hash(&bytes));
            kept.push((number as u8, bytes));
        }
        kept
    }

    /// Off the runtime's threads, and few at once.
    async fn check(
        &self,
        questions: &Arc<Questions>,
        number: usize,
        commitment: Commitment,
        bytes: Vec<u8>,
    ) -> (Outcome, Vec<u8>) {
        let _permit = self.checks.acquire().await;
        let (questions, group) = (questions.clone(), self.group);
        let key = proving_key(self.chip);
        let checked = tokio::task::spawn_blocking(move || {
            let question = questions.get(group).and_then(|tasks| tasks.get(number)?.as_ref());
            let outcome = question.map_or(Outcome::Rejected, |question| {
                question.outcome(key, number as u8, &commitment, &bytes)
            });
            (outcome, bytes)
        });
        checked.await.unwrap_or((Outcome::Rejected, Vec::new()))
    }
}
