//! Trials, from a coordinator that keeps to the order and from others.

use super::rig::{Coordinator, DEADLINE, Rig, Running, Talk};
use crate::worker::Stop;
use ionet_core::{ChipClass, PartState, TASKS_MAX, Task, Tier, TrialId, Units, Verdict};
use ionet_trust::record::{Outcome, Question};
use ionet_trust::{Beacon, Challenge, Commitment, Secret};
use ionet_wire::endpoint::{Connection, RecvStream, SendStream};
use ionet_wire::frame::{self, FrameError};
use ionet_wire::message::{CommandBody, Open, Opened, Purpose, ToCoordinator};
use ionet_wire::prove::{FEATURE, FromProver, STREAM_FEATURE, ToProver};
use serde::Serialize;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

const BEACON: [u8; 32] = [3; 32];
const LATE: [u8; 32] = [4; 32];
const SECRET: [u8; 32] = [5; 32];
const OPENINGS: u16 = 8;
/// Longer than any test waits: whoever works on to its end fails.
const ENDLESS_MS: u32 = 60_000;

fn task(units: Units, side: u32, time_ms: u32) -> Task {
    Task::Multiply { units, side, width: 64, openings: OPENINGS, time_ms }
}

fn small() -> Task {
    task(Units::Integer, 64, 50)
}

fn start(tasks: Vec<Task>) -> ToProver {
    ToProver::Start { trial: TrialId(1), beacon: BEACON, tasks, on_chip: false }
}

fn endless() -> ToProver {
    start(vec![task(Units::Integer, 64, ENDLESS_MS); TASKS_MAX])
}

const ASK: ToProver = ToProver::Ask { late: LATE, secret: SECRET };

fn judged() -> ToProver {
    let verdict = Verdict {
        tier: Tier::Proven,
        score: 900,
        class: Some(ChipClass::CPU),
        evidence: vec![],
        signals: vec![],
        reason: None,
        at_ms: 1,
        expires_at_ms: 2,
    };
    ToProver::Judged { verdict: Box::new(verdict) }
}

#[derive(Serialize)]
struct Newer {
    prove: &'static str,
    what: Vec<u32>,
}

fn newer() -> Newer {
    Newer { prove: "from-the-future", what: vec![1, 2] }
}

/// What a verifier says of the proof of a trial's only task, with the question that it was made
/// for.
fn verified(rig: &Rig, task: &Task, hash: [u8; 32], late: [u8; 32], bytes: &[u8]) -> Outcome {
    verified_at(rig, (0, task), BEACON, hash, late, bytes)
}

/// The same for a task with this number and beacon.
fn verified_at(
    rig: &Rig,
    (number, task): (u8, &Task),
    own: [u8; 32],
    hash: [u8; 32],
    late: [u8; 32],
    bytes: &[u8],
) -> Outcome {
    let (beacon, secret) = (Beacon(BEACON), Secret(SECRET));
    let promised = secret.precommitment();
    let challenge = Challenge::new(&beacon, &Beacon(late), &secret, &promised).unwrap();
    let question = Question::new(task, Beacon(own), challenge).unwrap();
    question.outcome(rig.key.id(), number, &Commitment(hash), bytes)
}

/// One trial's stream, from the coordinator's side.
struct Trial {
    send: SendStream,
    receive: RecvStream,
}

impl Trial {
    async fn open(connection: &Connection, leader_epoch: u64) -> Result<Self, String> {
        let work = async {
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            let request_id = "trial-1".to_owned();
            let open = Open { leader_epoch, request_id, part: None, purpose: Purpose::Prove };
            frame::write(&mut send, &open).await.unwrap();
            match frame::read(&mut receive).await.unwrap() {
                Opened::Ok => Ok(Self { send, receive }),
                Opened::Refused { reason } => Err(reason),
            }
        };
        timeout(DEADLINE, work).await.expect("the stream was not answered")
    }

    /// Opens one as soon as the trial before has left its turn.
    async fn next(connection: &Connection) -> Self {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match Self::open(connection, 1).await {
                Ok(trial) => return trial,
                Err(reason) => assert_eq!(reason, "it proves already"),
            }
            assert!(Instant::now() < deadline, "the turn is never free again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn say(&mut self, message: &impl Serialize) {
        frame::write(&mut self.send, message).await.unwrap();
    }

    async fn read(&mut self) -> Result<FromProver, FrameError> {
        timeout(DEADLINE, frame::read(&mut self.receive)).await.expect("silence")
    }

    async fn commitment(&mut self, number: u8) -> [u8; 32] {
        match self.read().await.unwrap() {
            FromProver::Commitment { task, hash } if task == number => hash,
            other => panic!("not the commitment to task {number}: {other:?}"),
        }
    }

    async fn proof(&mut self, number: u8) -> Vec<u8> {
        match self.read().await.unwrap() {
            FromProver::Proof { task, bytes } if task == number => bytes,
            other => panic!("not the proof of task {number}: {other:?}"),
        }
    }

    /// Why the device does not go on.
    async fn declined(&mut self) -> String {
        let FromProver::Declined { reason } = self.read().await.unwrap() else {
            panic!("it goes on");
        };
        self.ended().await;
        reason
    }

    /// Nothing more comes, and the device said so.
    async fn ended(&mut self) {
        let read = self.read().await;
        assert!(matches!(read, Err(FrameError::Closed)), "{read:?}");
    }

    /// A whole one, with one task.
    async fn hold(&mut self, rig: &Rig) {
        self.say(&start(vec![small()])).await;
        let hash = self.commitment(0).await;
        self.say(&ASK).await;
        let bytes = self.proof(0).await;
        assert!(matches!(verified(rig, &small(), hash, LATE, &bytes), Outcome::Proven(_)));
        self.say(&judged()).await;
        self.ended().await;
    }
}

/// A session whose heartbeats are answered beside the test.
struct Kept {
    connection: Connection,
    leave: watch::Sender<bool>,
    beats: JoinHandle<Talk>,
}

fn keep(mut talk: Talk) -> Kept {
    let connection = talk.connection.clone();
    let (leave, left) = watch::channel(false);
    // Between two heartbeats only: a frame that is read half is lost.
    let beats = tokio::spawn(async move {
        while !*left.borrow() {
            talk.beat(vec![]).await;
        }
        talk
    });
    Kept { connection, leave, beats }
}

impl Kept {
    async fn back(self) -> Talk {
        self.leave.send_replace(true);
        self.beats.await.unwrap()
    }
}

async fn session() -> (Rig, Coordinator, Running, Talk) {
    let (rig, coordinator) = Rig::new().await;
    let running = rig.start();
    let (talk, hello) = coordinator.admit(1).await;
    // The rig has no chip, so it offers none, whatever stands in for one on this machine.
    assert_eq!(hello.features, [FEATURE, STREAM_FEATURE]);
    (rig, coordinator, running, talk)
}

#[tokio::test]
async fn what_it_commits_to_and_opens_is_verified() {
    let (rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    let mut trial = Trial::next(&kept.connection).await;
    let pass = Task::Stream { bytes: 1 << 20, openings: OPENINGS, time_ms: 2_000 };
    let tasks = vec![task(Units::Integer, 128, 150), task(Units::Matrix, 64, 100), pass];
    let beacons = [BEACON, [31; 32], [32; 32]];
    trial.say(&newer()).await;
    trial.say(&start(tasks.clone())).await;
    let mut hashes = vec![trial.commitment(0).await];
    for number in [1, 2] {
        trial.say(&newer()).await;
        trial.say(&ToProver::Next { task: number, beacon: beacons[usize::from(number)] }).await;
        hashes.push(trial.commitment(number).await);
    }
    trial.say(&newer()).await;
    trial.say(&ASK).await;
    for (number, (task, hash)) in tasks.iter().zip(hashes).enumerate() {
        let (n, own) = (number as u8, beacons[number]);
        let bytes = trial.proof(n).await;
        let outcome = verified_at(&rig, (n, task), own, hash, LATE, &bytes);
        assert!(matches!(outcome, Outcome::Proven(_)), "{task:?}: {outcome:?}");
        // The same bytes are no answer to another question, nor with another beacon.
        for (own, late) in [(own, [6; 32]), ([7; 32], LATE)] {
            let outcome = verified_at(&rig, (n, task), own, hash, late, &bytes);
            assert_eq!(outcome, Outcome::Rejected);
        }
    }
    trial.say(&newer()).await;
    trial.say(&judged()).await;
    trial.ended().await;
    // And it is ready for the next.
    Trial::next(&kept.connection).await.hold(&rig).await;
}

#[tokio::test]
async fn an_early_question_does_not_change_what_was_done_before_it() {
    let (rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    let mut trial = Trial::next(&kept.connection).await;
    trial.say(&start(vec![small()])).await;
    trial.say(&ASK).await;
    let hash = trial.commitment(0).await;
    let bytes = trial.proof(0).await;
    let outcome = verified(&rig, &small(), hash, LATE, &bytes);
    assert!(matches!(outcome, Outcome::Proven(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_coordinator_out_of_order_gets_nothing_and_blocks_nothing() {
    let (rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    for first in [ASK, judged()] {
        let mut trial = Trial::next(&kept.connection).await;
        trial.say(&first).await;
        trial.ended().await;
    }
    for second in [start(vec![small()]), judged()] {
        let mut trial = Trial::next(&kept.connection).await;
        trial.say(&start(vec![small()])).await;
        trial.commitment(0).await;
        trial.say(&second).await;
        trial.ended().await;
    }
    for third in [start(vec![small()]), ASK] {
        let mut trial = Trial::next(&kept.connection).await;
        trial.say(&start(vec![small()])).await;
        trial.commitment(0).await;
        trial.say(&ASK).await;
        trial.proof(0).await;
        trial.say(&third).await;
        trial.ended().await;
    }
    Trial::next(&kept.connection).await.hold(&rig).await;
}

#[tokio::test]
async fn nonsense_and_hanging_up_end_a_trial_only() {
    let (rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    for bytes in [&[0xff; 8][..], &[0, 0, 0, 1, 0xff], &[0, 0], &[]] {
        let mut trial = Trial::next(&kept.connection).await;
        trial.send.write_all(bytes).await.unwrap();
        trial.send.finish().unwrap();
        assert!(trial.read().await.is_err(), "{bytes:?}");
    }
    // Between commitment and question.
    let mut trial = Trial::next(&kept.connection).await;
    trial.say(&start(vec![small()])).await;
    trial.commitment(0).await;
    drop(trial);
    Trial::next(&kept.connection).await.hold(&rig).await;
}

#[tokio::test]
async fn what_goes_beyond_a_limit_is_declined() {
    let (rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    let integers = |side, time_ms| task(Units::Integer, side, time_ms);
    let stream = Task::Stream { bytes: (1 << 40) + 1, openings: 4, time_ms: 50 };
    for (tasks, words) in [
        (vec![], "1 to 3 tasks, not 0"),
        (vec![small(); TASKS_MAX + 1], "1 to 3 tasks, not 4"),
        (vec![small(); 1_000], "1 to 3 tasks, not 1000"),
        (vec![integers(1 << 31, 50)], "up to 4096"),
        (vec![integers(8_192, 50)], "up to 4096"),
        (vec![small(), integers(64, u32::MAX)], "1 to 60000 ms"),
        (vec![integers(64, 0)], "1 to 60000 ms"),
        (vec![small(), stream], "pages of 512 bytes"),
    ] {
        let mut trial = Trial::next(&kept.connection).await;
        trial.say(&start(tasks)).await;
        let reason = trial.declined().await;
        assert!(reason.contains(words), "{reason}");
    }
    Trial::next(&kept.connection).await.hold(&rig).await;
}

#[tokio::test]
async fn a_task_that_does_not_fit_is_skipped_and_the_others_are_proven() {
    let (rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    let mut trial = Trial::next(&kept.connection).await;
    // Half a tebibyte: more than the owner gives.
    let stream = Task::Stream { bytes: 1 << 39, openings: 4, time_ms: 50 };
    trial.say(&start(vec![small(), stream, small()])).await;
    let first = trial.commitment(0).await;
    trial.say(&ToProver::Next { task: 1, beacon: [31; 32] }).await;
    match trial.read().await.unwrap() {
        FromProver::Skipped { task: 1, reason } => assert!(reason.contains("memory"), "{reason}"),
        other => panic!("{other:?}"),
    }
    trial.say(&ToProver::Next { task: 2, beacon: [32; 32] }).await;
    let third = trial.commitment(2).await;
    trial.say(&ASK).await;
    for (number, own, hash) in [(0, BEACON, first), (2, [32; 32], third)] {
        let bytes = trial.proof(number).await;
        let outcome = verified_at(&rig, (number, &small()), own, hash, LATE, &bytes);
        assert!(matches!(outcome, Outcome::Proven(_)), "task {number}: {outcome:?}");
    }
    trial.say(&judged()).await;
    trial.ended().await;
}

#[tokio::test]
async fn the_next_task_waits_for_its_beacon() {
    let (_rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    for wrong in [ToProver::Next { task: 2, beacon: [31; 32] }, ASK] {
        let mut trial = Trial::next(&kept.connection).await;
        trial.say(&start(vec![small(), small()])).await;
        trial.commitment(0).await;
        trial.say(&wrong).await;
        trial.ended().await;
    }
    let mut trial = Trial::next(&kept.connection).await;
    trial.say(&start(vec![small(), small()])).await;
    let first = trial.commitment(0).await;
    trial.say(&ToProver::Next { task: 1, beacon: [31; 32] }).await;
    assert_ne!(trial.commitment(1).await, first, "each beacon has its own work");
}

#[tokio::test]
async fn one_trial_at_a_time() {
    let (rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    let mut first = Trial::next(&kept.connection).await;
    let second = Trial::open(&kept.connection, 1).await.err();
    assert_eq!(second.as_deref(), Some("it proves already"));
    first.say(&start(vec![small()])).await;
    first.commitment(0).await;
    let second = Trial::open(&kept.connection, 1).await.err();
    assert_eq!(second.as_deref(), Some("it proves already"));
    first.say(&ASK).await;
    first.proof(0).await;
    first.say(&judged()).await;
    first.ended().await;
    Trial::next(&kept.connection).await.hold(&rig).await;
}

#[tokio::test]
async fn an_older_leader_holds_no_trial() {
    let (rig, _coordinator, _running, talk) = session().await;
    let kept = keep(talk);
    let reason = Trial::open(&kept.connection, 0).await.err().unwrap();
    assert!(reason.contains("leader"), "{reason}");
    Trial::next(&kept.connection).await.hold(&rig).await;
}

#[tokio::test]
async fn work_for_a_cluster_goes_first() {
    let (rig, _coordinator, _running, mut talk) = session().await;
    let mut trial = Trial::next(&talk.connection).await;
    trial.say(&endless()).await;
    let spec = rig.spec(1, 1);
    assert_eq!(talk.run_part(spec.clone(), 1).await, ionet_wire::message::Outcome::Accepted);
    talk.until(spec.id, |s| *s == PartState::Running).await;
    let mut kept = keep(talk);
    assert_eq!(trial.declined().await, "it serves a cluster");
    let refused = Trial::open(&kept.connection, 1).await.err();
    assert_eq!(refused.as_deref(), Some("it serves a cluster"));
    let mut talk = kept.back().await;
    let stop = CommandBody::StopPart { id: spec.id, grace_seconds: 0 };
    talk.command(stop).await;
    talk.until_empty().await;
    kept = keep(talk);
    Trial::next(&kept.connection).await.hold(&rig).await;
}

#[tokio::test]
async fn an_owner_who_wants_the_machine_back_does_not_wait_for_a_trial() {
    let (_rig, _coordinator, running, talk) = session().await;
    let mut trial = Trial::next(&talk.connection).await;
    trial.say(&endless()).await;
    running.end(Stop::Drain).await.unwrap();
    assert!(trial.read().await.is_err());
}

#[tokio::test]
async fn a_device_that_drains_takes_no_trial() {
    let (rig, _coordinator, running, mut talk) = session().await;
    let spec = rig.spec(1, 1);
    talk.run_part(spec.clone(), 1).await;
    talk.until(spec.id, |s| *s == PartState::Running).await;
    running.stop.send_replace(Stop::Drain);
    while !matches!(talk.hear().await, ToCoordinator::Draining) {}
    let refused = Trial::open(&talk.connection, 1).await.err();
    assert_eq!(refused.as_deref(), Some("the owner wants the machine back"));
    talk.command(CommandBody::StopPart { id: spec.id, grace_seconds: 0 }).await;
    talk.until(spec.id, |s| *s == PartState::Stopped).await;
    running.ended().await.unwrap();
}
