//! One trial, from calling its devices to their verdicts.

use super::ask;
use super::shelf::State;
use super::talk::{Phase, Said, Talk};
use super::{Trials, TrialsError};
use crate::control::Prover;
use ionet_core::{DeviceId, Quantity, Task, TrialId, Units, Verdict};
use ionet_trust::record::{
    Entry, Lane, Mark, Outcome, Record, anchor_text, encode_proof, rate, shape_of,
};
use ionet_trust::verdict::{Claim, Finding, Miss, Trial, judge};
use ionet_trust::{Challenge, Commitment, Hour, Secret};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// Reports of devices that wait for the trial: each may hold its proofs.
const SAID_MAX: usize = 32;
/// Proofs that are checked at once.
const CHECKS: usize = 2;
/// For the block after the anchor.
const LATE_BLOCK_MAX: Duration = Duration::from_secs(30);
/// Between two looks for it.
const LATE_BLOCK_PAUSE: Duration = Duration::from_millis(100);
/// Between two devices' answers: far more than any of them may take. A fence against our own
/// mistakes.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// For the last words to every device.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// What one device committed to, one a task.
type Committed = Vec<Option<(Commitment, u64)>>;

/// A trial that is under way.
struct Held {
    phases: watch::Sender<Phase>,
    said: mpsc::Receiver<Said>,
    talks: JoinSet<()>,
    /// How many devices agreed.
    came: usize,
}

impl Trials {
    /// Holds a trial with these devices. What none of them can prevent: if the chain stands
    /// still, the trial is void, and nobody is judged.
    pub(super) async fn hold(
        &mut self,
        lane: Lane,
        devices: Vec<Prover>,
    ) -> Result<(), TrialsError> {
        let promised = self.promised(lane).await?;
        let trial = self.number(lane)?;
        let tasks = Arc::new(ask::tasks(&self.settings));
        let mut held = self.call(trial, &tasks, &devices).await;
        let genesis = self.market.chain().genesis.0;
        let start = self.newest_block().await?;
        let (began, started_ms) = (Instant::now(), self.clock.now().0);
        let beacon = start.beacon(&genesis);
        held.phases.send_replace(Phase::Working { beacon: beacon.0, start: began });
        let until = began + self.settings.commitments_max(&tasks);
        let entries = held.commitments(until).await;
        let next = Secret(rand::random());
        // On disk before anybody hears of it.
        let mut state = self.state.clone();
        let previous = state.line(lane).last();
        self.reserve(&mut state, lane, &next)?;
        let mut record = Record {
            trial,
            lane,
            genesis,
            coordinator: self.market.coordinator(),
            previous,
            promised: promised.secret.precommitment(),
            promise: promised.transaction,
            promise_slot: promised.slot,
            secret: promised.secret,
            basis: promised.basis,
            period_ms: if lane == Lane::Period { self.settings.window_ms() } else { 0 },
            start,
            anchor_slot: 0,
            anchor: [0; 64],
            late: Mark::default(),
            started_ms,
            grace_us: self.settings.grace_ms * 1_000,
            assignments: vec![tasks.to_vec()],
            entries,
        };
        let (root, promise) = (record.entries_root(), next.precommitment());
        let text = anchor_text(lane, trial, &root, &promise, &previous);
        (record.anchor, record.anchor_slot) = self.publish(&text).await?;
        record.late = self.block_after(record.anchor_slot).await?;
        // Its anchor is the promise of the next, which is drawn before the block after it.
        state.line(lane).landed(&record.anchor, record.anchor_slot, &record.late);
        let challenge = record.challenge().expect("the promise is the secret's own");
        let hours = Arc::new(hours(&tasks, beacon, challenge).await);
        let late = record.late.beacon(&genesis).0;
        held.phases.send_replace(Phase::Asking { late, secret: promised.secret.0, hours });
        held.answers(&mut record.entries, self.shelf.proofs_path(trial)).await?;
        state.line(lane).last = Some(hex::encode(record.hash()));
        self.shelf.put(&record, self.settings.keep)?;
        self.shelf.keep_state(&state)?;
        self.state = state;
        let verdicts = self.verdicts(&record, &devices);
        self.count(&record);
        self.control.judge_all(verdicts.clone()).await?;
        held.phases.send_replace(Phase::Judged(Arc::new(verdicts)));
        let goodbye = async { while held.talks.join_next().await.is_some() {} };
        let _ = timeout(GOODBYE_MAX, goodbye).await;
        Ok(())
    }

    /// Opens a stream to every device, and waits until each agreed or did not.
    async fn call(&self, trial: TrialId, tasks: &Arc<Vec<Task>>, devices: &[Prover]) -> Held {
        let (phases, watching) = watch::channel(Phase::Calling);
        let (said, mut hearing) = mpsc::channel(SAID_MAX);
        let checks = Arc::new(Semaphore::new(CHECKS));
        let mut talks = JoinSet::new();
        for prover in devices {
            let link = self.sessions.table().get(prover.device).map(|s| s.link.clone());
            let Some(link) = link else { continue };
            let talk = Talk {
                device: prover.device,
                trial,
                tasks: tasks.clone(),
                settings: self.settings,
                leader_epoch: self.sessions.leader_epoch,
                phases: watching.clone(),
                said: said.clone(),
                checks: checks.clone(),
            };
            talks.spawn(talk.run(link));
        }
        let mut came = 0;
        for _ in 0..talks.len() {
            match hearing.recv().await {
                Some(Said::Called(yes)) => came += usize::from(yes),
                Some(_) | None => break,
            }
        }
        Held { phases, said: hearing, talks, came }
    }

    /// Makes what the record shows into verdicts.
    fn verdicts(&self, record: &Record, devices: &[Prover]) -> BTreeMap<DeviceId, Verdict> {
        let mut verdicts = BTreeMap::new();
        for prover in devices {
            let found = record.entries.binary_search_by_key(&prover.device, |e| e.device);
            // Whoever did not come to the trial is not judged by it.
            let Ok(place) = found else { continue };
            let class = ask::claimed(&prover.inventory);
            let expected = ask::expected(class, &prover.inventory);
            let claim = Claim { class, memory_bytes: 0, expected: &expected };
            let findings = findings(record, &record.entries[place]);
            let trial = Trial { id: record.trial, at_ms: record.started_ms, findings };
            let earlier = prover.verdict.as_ref();
            let verdict = judge(&claim, &trial, earlier, &[], self.period());
            verdicts.insert(prover.device, ask::only_claimed(verdict, class, self.period()));
        }
        verdicts
    }

    pub(super) async fn block_after(&self, slot: u64) -> Result<Mark, TrialsError> {
        let connection = self.market.ledger().connection();
        let until = Instant::now() + LATE_BLOCK_MAX;
        loop {
            match connection.block_after(slot).await {
                Ok(Some(mark)) => return Ok(Mark { slot: mark.slot, hash: mark.hash }),
                Ok(None) if Instant::now() >= until => return Err(TrialsError::Standstill),
                Ok(None) => tokio::time::sleep(LATE_BLOCK_PAUSE).await,
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn reserve(&self, state: &mut State, lane: Lane, next: &Secret) -> Result<(), TrialsError> {
        let begun_ms = match lane {
            Lane::Period => self.next_period(state.line(lane).begun_ms),
            Lane::Joining => self.clock.now().0,
        };
        state.line(lane).draw(next, begun_ms);
        Ok(self.shelf.keep_state(state)?)
    }
}

impl Held {
    /// What each device that agreed committed to, in the order of their keys.
    async fn commitments(&mut self, until: Instant) -> Vec<Entry> {
        let mut all: BTreeMap<DeviceId, Committed> = BTreeMap::new();
        for _ in 0..self.came {
            match timeout_at(until, self.said.recv()).await {
                Ok(Some(Said::Committed(device, committed))) => {
                    all.insert(device, committed);
                }
                Ok(_) | Err(_) => break,
            }
        }
        let answer = |committed| ionet_trust::record::Answer {
            committed,
            outcome: Outcome::Silent,
            proof: None,
        };
        let entry = |(device, committed): (DeviceId, Committed)| Entry {
            device,
            assignment: 0,
            answers: committed.into_iter().map(answer).collect(),
        };
        all.into_iter().map(entry).collect()
    }

    /// What came of each, while proofs go to the file as they come.
    async fn answers(
        &mut self,
        entries: &mut [Entry],
        path: std::path::PathBuf,
    ) -> Result<(), TrialsError> {
        let mut file = tokio::fs::File::create(path).await?;
        for _ in 0..self.came {
            let said = timeout(ANSWER_MAX, self.said.recv()).await;
            let Ok(Some(Said::Answered(device, answers, proofs))) = said else {
                break;
            };
            let Ok(place) = entries.binary_search_by_key(&device, |e| e.device) else { continue };
            for (task, bytes) in &proofs {
                file.write_all(&encode_proof(&device, *task, bytes)).await?;
            }
            entries[place].answers = answers;
        }
        file.sync_all().await?;
        Ok(())
    }
}

/// What all proofs of a task share; a task that is not a product has none.
async fn hours(
    tasks: &Arc<Vec<Task>>,
    beacon: ionet_trust::Beacon,
    challenge: Challenge,
) -> Vec<Option<Hour>> {
    let tasks = tasks.clone();
    let made = tokio::task::spawn_blocking(move || {
        let hour = |task: &Task| {
            let Task::Multiply { openings, .. } = *task else { return None };
            let shape = shape_of(task)?.ok()?;
            Some(Hour::new(shape, beacon, challenge, openings.into()))
        };
        tasks.iter().map(hour).collect()
    });
    made.await.unwrap_or_default()
}

/// What a record says of one device, in the words of verdicts.
fn findings(record: &Record, entry: &Entry) -> Vec<Finding> {
    let tasks = &record.assignments[usize::from(entry.assignment)];
    let mut findings = Vec::new();
    for (task, answer) in tasks.iter().zip(&entry.answers) {
        // From the start, as replay counts it: an earlier commitment may have been held back.
        let took = answer.committed.map_or(u64::MAX, |(_, at)| at);
        let quantity = match task {
            Task::Multiply { units: Units::Integer, .. } => Quantity::IntegerRate,
            Task::Multiply { units: Units::Matrix, .. } => Quantity::MatrixRate,
            Task::Stream { .. } => Quantity::MemoryRate,
        };
        let result = match (answer.outcome, shape_of(task)) {
            (Outcome::Proven(rounds), Some(Ok(shape))) => Ok(rate(shape, rounds, took)),
            (Outcome::Late, _) => Err(Miss::Late),
            (Outcome::Silent, _) => Err(Miss::Silent),
            (Outcome::Declined, _) => Err(Miss::Declined),
            (Outcome::Rejected | Outcome::Proven(_), _) => Err(Miss::Rejected),
        };
        findings.push(Finding { quantity, result });
    }
    findings
}
