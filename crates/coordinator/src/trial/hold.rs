//! One trial, from calling its devices to their verdicts.

use super::ask::{self, Assignment, Offers};
use super::shelf::{Promised, State};
use super::talk::{Phase, Questions, Said, Talk};
use super::{Trials, TrialsError};
use crate::control::{Judged, Prover};
use ionet_core::{ChipId, DeviceId, Quantity, Task, TrialId, Verdict};
use ionet_trust::record::{
    ASSIGNMENTS_MAX, Answer, Entry, Lane, Mark, Outcome, Question, Record, Start, anchor_text,
    encode_proof, figures, quantities,
};
use ionet_trust::verdict::{Claim, Finding, Miss, Trial, judge};
use ionet_trust::{Challenge, Secret, proving_key};
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

/// A trial that is under way.
struct Held {
    phases: watch::Sender<Phase>,
    said: mpsc::Receiver<Said>,
    talks: JoinSet<()>,
    /// What was asked: lists that differ.
    assignments: Vec<Arc<Assignment>>,
    /// The chips that agreed, each with the list that it has.
    came: BTreeMap<ChipId, u8>,
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
        let trial = self.number(lane, &promised)?;
        let mut held = self.call(trial, &devices).await;
        let mut record = self.record(lane, trial, &promised, &held);
        held.work(self, &mut record).await?;
        let mut state = self.anchor(&mut record).await?;
        let challenge = record.challenge().expect("the promise is the secret's own");
        let questions = Arc::new(questions(&record, challenge).await);
        let late = record.late.beacon(&record.genesis).0;
        held.phases.send_replace(Phase::Asking { late, secret: promised.secret.0, questions });
        held.answers(&mut record.entries, self.shelf.proofs_path(trial)).await?;
        state.line(lane).last = Some(hex::encode(record.hash()));
        self.shelf.put(&record, self.settings.keep)?;
        (state.recorded, state.begun) = (trial.0, None);
        self.shelf.keep_state(&state)?;
        self.state = state;
        let verdicts = self.verdicts(&record, &held, &devices);
        self.count(&record);
        let judged = |prover: &Prover| {
            let verdict = verdicts.get(&prover.device)?.clone();
            Some((prover.device, Judged { chips: prover.inventory.chips.clone(), verdict }))
        };
        self.control.judge_all(devices.iter().filter_map(judged).collect()).await?;
        held.phases.send_replace(Phase::Judged(Arc::new(verdicts)));
        let goodbye = async { while held.talks.join_next().await.is_some() {} };
        let _ = timeout(GOODBYE_MAX, goodbye).await;
        Ok(())
    }

    /// What is known of a trial before it starts.
    fn record(&mut self, lane: Lane, trial: TrialId, promised: &Promised, held: &Held) -> Record {
        Record {
            trial,
            before: TrialId(self.state.recorded),
            lane,
            genesis: self.market.chain().genesis.0,
            coordinator: self.market.coordinator(),
            previous: self.state.line(lane).last(),
            promised: promised.secret.precommitment(),
            promise: promised.transaction,
            promise_slot: promised.slot,
            secret: promised.secret,
            basis: promised.basis,
            period_ms: if lane == Lane::Period { self.settings.window_ms() } else { 0 },
            starts: Vec::new(),
            anchor_slot: 0,
            anchor: [0; 64],
            late: Mark::default(),
            started_ms: 0,
            grace_us: self.settings.grace_ms * 1_000,
            assignments: held.assignments.iter().map(|a| a.tasks.clone()).collect(),
            entries: Vec::new(),
        }
    }

    /// Puts the commitments' root on the chain, with the promise of the lane's next trial, which
    /// is on disk before anybody hears of it. The state is what follows from that.
    async fn anchor(&self, record: &mut Record) -> Result<State, TrialsError> {
        let (lane, next) = (record.lane, Secret(rand::random()));
        let mut state = self.state.clone();
        let begun_ms = match lane {
            Lane::Period => self.next_period(state.line(lane).begun_ms),
            Lane::Joining => self.clock.now().0,
        };
        state.line(lane).draw(&next, begun_ms);
        self.shelf.keep_state(&state)?;
        let (root, promise) = (record.entries_root(), next.precommitment());
        let text = anchor_text(lane, record.trial, &root, &promise, &record.previous);
        (record.anchor, record.anchor_slot) = self.publish(&text).await?;
        record.late = self.block_after(record.anchor_slot).await?;
        // Its anchor is the promise of the next, which is drawn before the block after it.
        state.line(lane).landed(&record.anchor, record.anchor_slot, &record.late);
        Ok(state)
    }

    /// Opens a stream to every chip, and waits until each agreed or did not.
    async fn call(&self, trial: TrialId, devices: &[Prover]) -> Held {
        let (phases, watching) = watch::channel(Phase::Calling);
        let (said, hearing) = mpsc::channel(SAID_MAX);
        let checks = Arc::new(Semaphore::new(CHECKS));
        let (mut talks, mut groups) = (JoinSet::new(), BTreeMap::new());
        let mut assignments: Vec<Arc<Assignment>> = Vec::new();
        for prover in devices {
            let link = self.sessions.table().get(prover.device).map(|s| s.link.clone());
            let Some(link) = link else { continue };
            let offers = Offers::of(&link.features);
            let asked = ask::assignment(&self.settings, &self.rows, &prover.inventory, offers);
            let group = assignments.iter().position(|known| **known == asked);
            if group.is_none() && assignments.len() == ASSIGNMENTS_MAX {
                tracing::warn!(device = %prover.device, "a record holds no more lists of tasks");
                continue;
            }
            let group = group.unwrap_or_else(|| {
                assignments.push(Arc::new(asked));
                assignments.len() - 1
            });
            for number in 0..ask::chips(&prover.inventory, &assignments[group]) {
                let chip = ChipId { device: prover.device, number };
                groups.insert(chip, group as u8);
                let talk = Talk {
                    chip,
                    trial,
                    assignment: assignments[group].clone(),
                    settings: self.settings,
                    leader_epoch: self.sessions.leader_epoch,
                    phases: watching.clone(),
                    said: said.clone(),
                    checks: checks.clone(),
                    group,
                };
                talks.spawn(talk.run(link.clone()));
            }
        }
        let mut held = Held { phases, said: hearing, talks, assignments, came: BTreeMap::new() };
        for _ in 0..held.talks.len() {
            match held.said.recv().await {
                Some(Said::Called(chip, true)) => {
                    held.came.extend(groups.get(&chip).map(|group| (chip, *group)));
                }
                Some(_) => (),
                None => break,
            }
        }
        held
    }

    /// Makes what the record shows into verdicts.
    fn verdicts(
        &self,
        record: &Record,
        held: &Held,
        devices: &[Prover],
    ) -> BTreeMap<DeviceId, Verdict> {
        let mut verdicts = BTreeMap::new();
        for prover in devices {
            // Whoever did not come to the trial is not judged by it.
            let entries = entries_of(record, prover.device);
            let Some(first) = entries.first() else { continue };
            let asked = &held.assignments[usize::from(first.assignment)];
            let class = ask::claimed(&prover.inventory);
            let (expected, memory_bytes) =
                ask::expected(&self.rows, &prover.inventory, asked.on_chip);
            let claim = Claim { class, memory_bytes, expected: &expected };
            let mut findings: Vec<_> = entries.iter().flat_map(|e| findings(record, e)).collect();
            let chips = usize::from(ask::chips(&prover.inventory, asked));
            findings.extend(unshown(&asked.tasks, chips, &findings));
            let trial = Trial { id: record.trial, at_ms: record.started_ms, findings };
            let earlier = prover.verdict.as_ref();
            let verdict = judge(&claim, &trial, earlier, &[], self.period());
            let why = ask::unasked(&self.rows, &prover.inventory, asked.on_chip);
            let verdict = match why {
                Some(why) => ask::only_claimed(verdict, why, self.period()),
                None => verdict,
            };
            verdicts.insert(prover.device, verdict);
        }
        verdicts
    }

    /// The newest block, which is later than `slot`.
    async fn newer_block(&self, slot: u64) -> Result<Mark, TrialsError> {
        let until = Instant::now() + LATE_BLOCK_MAX;
        loop {
            let mark = self.newest_block().await?;
            if mark.slot > slot {
                return Ok(mark);
            }
            if Instant::now() >= until {
                return Err(TrialsError::Standstill);
            }
            tokio::time::sleep(LATE_BLOCK_PAUSE).await;
        }
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
}

impl Held {
    /// All tasks, one after the other: what each device that agreed committed to goes into the
    /// record, in the order of their keys.
    async fn work(&mut self, trials: &Trials, record: &mut Record) -> Result<(), TrialsError> {
        let nothing = Answer { committed: None, outcome: Outcome::Silent, proof: None };
        let entry = |(chip, assignment): (&ChipId, &u8)| {
            let tasks = self.assignments[usize::from(*assignment)].tasks.len();
            Entry { chip: *chip, assignment: *assignment, answers: vec![nothing; tasks] }
        };
        record.entries = self.came.iter().map(entry).collect();
        let most = self.assignments.iter().map(|a| a.tasks.len()).max().unwrap_or(0).max(1);
        let mut began = Instant::now();
        for number in 0..most {
            let mark = match record.starts.last() {
                None => trials.newest_block().await?,
                Some(before) => trials.newer_block(before.mark.slot).await?,
            };
            let start = Instant::now();
            if number == 0 {
                (began, record.started_ms) = (start, trials.clock.now().0);
            }
            let at_us = u64::try_from((start - began).as_micros()).unwrap_or(u64::MAX);
            record.starts.push(Start { mark, at_us });
            let beacon = record.beacon(number).expect("it just began").0;
            self.phases.send_replace(Phase::Working { number, beacon, start });
            let tasks = self.assignments.iter().filter_map(|a| a.tasks.get(number));
            let work_ms = tasks.map(Task::time_ms).max().unwrap_or(0);
            let until = start + trials.settings.commitments_max(work_ms);
            self.commitments(number, until, &mut record.entries).await;
        }
        Ok(())
    }

    /// Notes what each device says of one task.
    async fn commitments(&mut self, number: usize, until: Instant, entries: &mut [Entry]) {
        let having = entries.iter().filter(|e| number < e.answers.len()).count();
        let mut heard = 0;
        while heard < having {
            match timeout_at(until, self.said.recv()).await {
                Ok(Some(Said::Committed(chip, task, committed))) if task == number => {
                    let place = entries.binary_search_by_key(&chip, |e| e.chip);
                    if let Ok(place) = place {
                        entries[place].answers[number].committed = committed;
                    }
                    heard += 1;
                }
                // What was too late even for the fence is not waited for again.
                Ok(Some(_)) => (),
                Ok(None) | Err(_) => break,
            }
        }
    }

    /// What came of each, while proofs go to the file as they come.
    async fn answers(
        &mut self,
        entries: &mut [Entry],
        path: std::path::PathBuf,
    ) -> Result<(), TrialsError> {
        let mut file = tokio::fs::File::create(path).await?;
        for _ in 0..self.came.len() {
            let said = timeout(ANSWER_MAX, self.said.recv()).await;
            let Ok(Some(Said::Answered(chip, answers, proofs))) = said else {
                break;
            };
            let Ok(place) = entries.binary_search_by_key(&chip, |e| e.chip) else { continue };
            // Nothing is shown of commitments that are not those on the chain.
            let same = entries[place].answers.iter().map(|a| a.committed);
            if !same.eq(answers.iter().map(|a| a.committed)) {
                continue;
            }
            for (task, bytes) in &proofs {
                file.write_all(&encode_proof(&proving_key(chip), *task, bytes)).await?;
            }
            entries[place].answers = answers;
        }
        file.sync_all().await?;
        Ok(())
    }
}

/// What is asked about each task, by assignment and number.
async fn questions(record: &Record, challenge: Challenge) -> Questions {
    let assignments = record.assignments.clone();
    let beacons: Vec<_> = (0..record.starts.len()).map(|n| record.beacon(n)).collect();
    let made = tokio::task::spawn_blocking(move || {
        let of = |tasks: &Vec<Task>| {
            let tasks = tasks.iter().zip(&beacons);
            tasks.map(|(task, beacon)| Question::new(task, (*beacon)?, challenge)).collect()
        };
        assignments.iter().map(of).collect()
    });
    made.await.unwrap_or_default()
}

/// The entries of a device's chips.
fn entries_of(record: &Record, device: DeviceId) -> &[Entry] {
    let first = record.entries.partition_point(|e| e.chip.device < device);
    let after = record.entries.partition_point(|e| e.chip.device <= device);
    &record.entries[first..after]
}

/// What some of a device's `chips` showed and others did not, since they did not come or did too
/// little: a device is what all of its chips are.
fn unshown(tasks: &[Task], chips: usize, findings: &[Finding]) -> Vec<Finding> {
    let asked = tasks.iter().flat_map(|task| quantities(task));
    let shown = |quantity| findings.iter().filter(|f| f.quantity == quantity).count();
    let lacking = asked.filter(|quantity| (1..chips).contains(&shown(**quantity)));
    // Not as if it had declined: what all of its chips proved before would be worth all of it.
    lacking.map(|q| Finding { quantity: *q, result: Err(Miss::Silent) }).collect()
}

/// What a record says of one chip, in the words of verdicts.
fn findings(record: &Record, entry: &Entry) -> Vec<Finding> {
    let tasks = &record.assignments[usize::from(entry.assignment)];
    let mut findings = Vec::new();
    for (task, answer) in tasks.iter().zip(&entry.answers) {
        let miss = match answer.outcome {
            Outcome::Proven(rounds) => {
                let took = answer.committed.map_or(u64::MAX, |(_, at)| at);
                let shown = figures(task, rounds, took).into_iter();
                findings.extend(shown.map(|(quantity, v)| Finding { quantity, result: Ok(v) }));
                continue;
            }
            Outcome::Late => Miss::Late,
            Outcome::Silent => Miss::Silent,
            Outcome::Declined => Miss::Declined,
            Outcome::Rejected | Outcome::Withheld => Miss::Rejected,
        };
        let missed = |quantity: &Quantity| Finding { quantity: *quantity, result: Err(miss) };
        findings.extend(quantities(task).iter().map(missed));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_core::Units;

    #[test]
    fn what_one_chip_of_several_did_not_show_is_missing_and_not_merely_declined() {
        let rounds =
            Task::Multiply { units: Units::Integer, side: 64, width: 16, openings: 32, time_ms: 1 };
        let passes = Task::Stream { bytes: 1 << 20, openings: 16, time_ms: 1 };
        let shown = |quantity| Finding { quantity, result: Ok(7) };
        // Both did the rounds; of the passes one chip did too few to show anything.
        let found = [
            shown(Quantity::IntegerRate),
            shown(Quantity::IntegerRate),
            shown(Quantity::MemoryRate),
            shown(Quantity::MemoryBytes),
        ];
        let lacking = unshown(&[rounds, passes], 2, &found);
        let silent = |quantity| Finding { quantity, result: Err(Miss::Silent) };
        assert_eq!(lacking, [silent(Quantity::MemoryRate), silent(Quantity::MemoryBytes)]);
        // The only chip of a device may do too little without harm.
        assert_eq!(unshown(&[rounds, passes], 1, &found[..1]), []);
        // None of several did any: nothing is shown, and nothing hidden.
        assert_eq!(unshown(&[passes], 2, &[]), []);
    }
}
