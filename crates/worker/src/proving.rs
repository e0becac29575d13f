//! A trial, on the device's side: rounds at low priority until the time is over, a commitment,
//! and the leaves that are asked for afterwards.
//!
//! Each task has a beacon of its own, and begins when it comes. What the device cannot do of it is
//! skipped with a reason.
//!
//! One trial at a time, on a thread of its own; of a machine with several chips, one for each chip,
//! all at once, on a stream for each. Work for a cluster comes first: a device that
//! serves declines, and one that is hired in the middle of a trial stops proving.

mod work;

pub(crate) use work::Unit;

use crate::agent::Agent;
use ionet_core::{ChipId, ChipKind, Inventory, TASKS_MAX, Task, Units, Verdict};
use ionet_prover::{Chip, Gpu};
use ionet_trust::memory::Memory;
use ionet_trust::record::shape_of;
use ionet_trust::{Beacon, Secret, proving_key};
use ionet_wire::endpoint::{RecvStream, SendStream};
use ionet_wire::frame::{self, FrameError};
use ionet_wire::message::Opened;
use ionet_wire::prove::{self, FromProver, ToProver};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use work::{Plan, Step, Work};

/// From the stream's opening to the beacon: everyone is called before it comes.
const START_MAX: Duration = Duration::from_secs(60);
/// From one task's commitment to the next task: all others do theirs meanwhile.
const NEXT_MAX: Duration = Duration::from_secs(90);
/// From the last commitment to the question: others may have two more tasks, and the chain has to
/// take the commitments in.
const ASK_MAX: Duration = Duration::from_secs(270);
/// Between two looks whether the machine is wanted for something else.
const TICK: Duration = Duration::from_millis(50);
/// From the last proof to the verdict: all others are checked meanwhile.
const VERDICT_MAX: Duration = Duration::from_secs(120);
/// Longest work that a trial may ask for.
const TIME_MS_MAX: u32 = 60_000;
/// Most leaves that are opened: a proof of more would not fit a frame anyway.
const OPENINGS_MAX: u16 = 256;
/// Largest side on a processor: its matrices take 128 MiB.
const SIDE_MAX: u32 = 4_096;
/// Largest side on a chip: its matrices take 2 GiB of the chip's memory.
const CHIP_SIDE_MAX: u32 = 16_384;
/// Of the machine's memory that is for sale, and of what is free, a pass takes this part at most.
const MEMORY_PART: u64 = 2;

/// What a device may be asked at once, and what it proves with.
#[derive(Debug)]
pub(crate) struct Proving {
    /// One for each chip; the first is the processor's, too.
    turns: Vec<Arc<Semaphore>>,
    processor: Unit,
    /// The machine's chips, if a kernel drives each.
    chips: Vec<Unit>,
    /// Bytes of the machine's memory that a pass may take.
    memory_bytes_max: u64,
}

impl Proving {
    /// With what the inventory's slice holds, and the chips that were found.
    pub(crate) fn new(inventory: &Inventory, chips: Vec<Unit>) -> Self {
        let threads = inventory.slice.cpu_milli.div_ceil(1_000).max(1) as usize;
        Self {
            turns: (0..chips.len().max(1)).map(|_| Arc::new(Semaphore::new(1))).collect(),
            processor: Unit::Processor { threads },
            chips,
            memory_bytes_max: inventory.slice.memory_bytes / MEMORY_PART,
        }
    }

    /// What it can be asked for, in the words of a hello.
    pub(crate) fn features(&self) -> Vec<String> {
        let chips = match self.chips.len() {
            0 => None,
            1 => Some(prove::CHIP_FEATURE),
            _ => Some(prove::CHIPS_FEATURE),
        };
        let matrix = self.has_matrix_units().then_some(prove::MATRIX_FEATURE);
        let all = [prove::FEATURE, prove::STREAM_FEATURE].into_iter().chain(chips).chain(matrix);
        all.map(str::to_owned).collect()
    }

    /// Whether the matrix units of all its chips found the processor's bits.
    fn has_matrix_units(&self) -> bool {
        let matrix = |unit: &Unit| matches!(unit, Unit::Chip { matrix: true, .. });
        !self.chips.is_empty() && self.chips.iter().all(matrix)
    }

    /// Threads of the processor for each chip's openings: all open at once.
    fn threads(&self) -> usize {
        match (&self.processor, self.chips.len()) {
            (Unit::Processor { threads }, chips) => (threads / chips.max(1)).max(1),
            (Unit::Chip { .. }, _) => 1,
        }
    }

    /// The turn of the chip with this number; why not, if it cannot be had.
    fn turn(&self, number: u8) -> Result<OwnedSemaphorePermit, &'static str> {
        let turn = self.turns.get(usize::from(number)).ok_or("it drives no such chip")?;
        turn.clone().try_acquire_owned().map_err(|_| "it proves already")
    }
}

/// The chips that trials drive: those of the inventory, all of one class, if drivers show as many
/// of their vendor. Whatever a processor stands in for is none. Loads drivers, and compares what
/// matrix units find: may take a few seconds.
pub(crate) fn find_chips(inventory: &Inventory) -> Vec<Unit> {
    let Some(class) = inventory.chip_class() else { return Vec::new() };
    let vendor = match class.row().kind {
        ChipKind::Cpu => return Vec::new(),
        ChipKind::Nvidia => 0x10de,
        ChipKind::Apple => 0x106b,
    };
    let mut found = ionet_prover::chips();
    found.retain(|chip| !chip.software && chip.vendor == vendor);
    let (chips, drivers) = (inventory.chips.len(), found.len());
    if drivers != chips {
        tracing::warn!(%class, chips, drivers, "no driver for each chip: they stay claimed");
        return Vec::new();
    }
    found.into_iter().map(opened).collect()
}

/// A chip, with whether its matrix units can be asked.
fn opened(chip: Chip) -> Unit {
    let matrix = Gpu::open_matrix(&chip);
    if let Err(error) = &matrix {
        tracing::warn!(%chip, %error, "its matrix units are not asked");
    }
    Unit::Chip { matrix: matrix.is_ok(), chip: Arc::new(chip) }
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

/// Serves a trial of the chip with this number, from the opening of its stream to the verdict.
pub(crate) async fn serve(
    agent: &Agent,
    number: u8,
    mut send: SendStream,
    mut receive: RecvStream,
) -> Result<(), TrialError> {
    let turn = agent.proving.turn(number);
    let busy = turn.as_ref().err().copied().or(hindrance(agent));
    if let Some(reason) = busy {
        frame::write(&mut send, &Opened::Refused { reason: reason.to_owned() }).await?;
        send.shutdown().await?;
        return Err(TrialError::Declined(reason.to_owned()));
    }
    frame::write(&mut send, &Opened::Ok).await?;
    let ended = talk(agent, number, &mut send, &mut receive).await;
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

/// Waits for something, unless the machine is wanted for something else meanwhile.
async fn unless_hindered<T>(
    agent: &Agent,
    wanted: impl Future<Output = Result<T, TrialError>>,
) -> Result<T, TrialError> {
    tokio::pin!(wanted);
    loop {
        tokio::select! {
            found = &mut wanted => return found,
            () = tokio::time::sleep(TICK) => {
                if let Some(reason) = hindrance(agent) {
                    return Err(TrialError::Declined(reason.to_owned()));
                }
            }
        }
    }
}

async fn heard(
    saying: &mut mpsc::Receiver<FromProver>,
    part: &'static str,
) -> Result<FromProver, TrialError> {
    let lost = || TrialError::Declined(format!("the prover broke down before its {part}"));
    saying.recv().await.ok_or_else(lost)
}

async fn talk(
    agent: &Agent,
    number: u8,
    send: &mut SendStream,
    receive: &mut RecvStream,
) -> Result<(), TrialError> {
    let (said, mut saying) = mpsc::channel(2 * TASKS_MAX);
    let (steps, told) = std_mpsc::sync_channel(TASKS_MAX + 2);
    let stop = Arc::new(StopOnDrop::default());
    let key = proving_key(ChipId { device: agent.key.id(), number });
    let work = Work::new(key, told, said, stop.0.clone(), agent.proving.threads());
    let chip = agent.proving.chips.get(usize::from(number)).cloned();
    let run = move || work.run(chip.as_ref());
    std::thread::Builder::new().name("prover".to_owned()).spawn(run)?;
    let start = next(receive, START_MAX, "no start").await?;
    let ToProver::Start { trial, beacon, tasks, on_chip } = start else {
        return Err(TrialError::Order("the first message is a start"));
    };
    let plans = checked(&agent.proving, &tasks, on_chip).map_err(TrialError::Declined)?;
    tracing::debug!(%trial, tasks = tasks.len(), on_chip, "proving");
    let unit = unit(&agent.proving, number, on_chip).map_err(TrialError::Declined)?;
    let all: Vec<_> = tasks.into_iter().zip(plans).collect();
    let count = all.len();
    let _ = steps.send(Step::Begin { tasks: all, unit });
    let (mut beacon, mut committed) = (Beacon(beacon), 0);
    for number in 0..count {
        if number > 0 {
            let begun = next(receive, NEXT_MAX, "no next task");
            match unless_hindered(agent, begun).await? {
                ToProver::Next { task, beacon: later } if usize::from(task) == number => {
                    beacon = Beacon(later);
                }
                _ => return Err(TrialError::Order("after a commitment comes the next task")),
            }
        }
        let _ = steps.send(Step::Work { number, beacon, came: Instant::now() });
        let message = unless_hindered(agent, heard(&mut saying, "commitment")).await?;
        committed += usize::from(matches!(message, FromProver::Commitment { .. }));
        frame::write(send, &message).await?;
    }
    if committed > 0 {
        let asked = next(receive, ASK_MAX, "no question");
        match unless_hindered(agent, asked).await? {
            ToProver::Ask { late, secret } => {
                let _ = steps.send(Step::Open { late: Beacon(late), secret: Secret(secret) });
            }
            _ => return Err(TrialError::Order("after the commitments comes the question")),
        }
        // From here on a proof that does not come counts as a wrong one: whatever else the
        // machine is wanted for waits for this moment.
        for _ in 0..committed {
            let message = heard(&mut saying, "proof").await?;
            frame::write(send, &message).await?;
        }
    }
    drop(steps);
    match next(receive, ASK_MAX.max(VERDICT_MAX), "no verdict").await? {
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

/// What does the work: the machine has one processor, which the first chip's trial may ask.
fn unit(proving: &Proving, number: u8, on_chip: bool) -> Result<Unit, String> {
    match (on_chip, number) {
        (true, _) => {
            let chip = proving.chips.get(usize::from(number));
            chip.cloned().ok_or_else(|| "this device drives no such chip".to_owned())
        }
        (false, 0) => Ok(proving.processor.clone()),
        (false, _) => Err("a further chip's trial is for that chip".to_owned()),
    }
}

/// How the tasks are done, if they are such as this device does; else why not.
fn checked(proving: &Proving, tasks: &[Task], on_chip: bool) -> Result<Vec<Plan>, String> {
    if tasks.is_empty() || tasks.len() > TASKS_MAX {
        return Err(format!("a trial has 1 to {TASKS_MAX} tasks, not {}", tasks.len()));
    }
    tasks.iter().map(|task| plan(proving, task, on_chip)).collect()
}

fn plan(proving: &Proving, task: &Task, on_chip: bool) -> Result<Plan, String> {
    if !(1..=TIME_MS_MAX).contains(&task.time_ms()) {
        return Err(format!("a task takes 1 to {TIME_MS_MAX} ms, not {}", task.time_ms()));
    }
    let (Task::Multiply { openings, .. } | Task::Stream { openings, .. }) = *task;
    if !(1..=OPENINGS_MAX).contains(&openings) {
        return Err(format!("1 to {OPENINGS_MAX} leaves are opened, not {openings}"));
    }
    match *task {
        Task::Multiply { units, side, .. } => {
            let most = if on_chip { CHIP_SIDE_MAX } else { SIDE_MAX };
            if side > most {
                return Err(format!("it multiplies matrices of up to {most}, not {side}"));
            }
            let shape = shape_of(task).ok_or("no shape")?.map_err(|e| e.to_string())?;
            // Its integer units could do it too; but that would be another rate.
            if on_chip && units == Units::Matrix && !proving.has_matrix_units() {
                return Ok(Plan::Skip("its chip shows no matrix units that are exact".to_owned()));
            }
            Ok(Plan::Products(shape))
        }
        Task::Stream { bytes, .. } => {
            let memory = Memory::new(bytes).map_err(|e| e.to_string())?;
            // A chip says itself what it has.
            let most = if on_chip { u64::MAX } else { proving.memory_bytes_max };
            if bytes > most {
                let why = format!("a pass takes at most {most} bytes of memory, not {bytes}");
                return Ok(Plan::Skip(why));
            }
            Ok(Plan::Passes { memory, of_machine: !on_chip })
        }
    }
}

/// Tells the prover's thread to end when the conversation does.
#[derive(Debug, Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(side: u32, width: u32, openings: u16, time_ms: u32) -> Task {
        Task::Multiply { units: Units::Integer, side, width, openings, time_ms }
    }

    fn proving(memory_bytes_max: u64) -> Proving {
        Proving {
            turns: vec![Arc::new(Semaphore::new(1))],
            processor: Unit::Processor { threads: 1 },
            chips: Vec::new(),
            memory_bytes_max,
        }
    }

    #[test]
    fn tasks_beyond_a_limit_are_declined_with_a_reason() {
        let fine = task(128, 64, 8, 100);
        let proving = proving(1 << 20);
        assert_eq!(checked(&proving, &[fine], false).unwrap().len(), 1);
        assert!(unit(&proving, 0, true).is_err(), "it has no chip");
        let pass = |bytes, openings| Task::Stream { bytes, openings, time_ms: 100 };
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
            vec![pass(1 << 20, 0)],
            vec![pass((1 << 20) + 1, 4)],
            vec![pass(u64::MAX, 4)],
        ] {
            assert!(checked(&proving, &wrong, false).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn half_bytes_are_asked_of_matrix_units_and_of_nothing_else_of_a_chip() {
        let Some(chip) = ionet_prover::chips().pop().map(Arc::new) else {
            assert!(std::env::var_os("IONET_NO_GPU_TESTS").is_some(), "scripts/setup.sh: no chip");
            return;
        };
        let (fine, ms) = (task(128, 64, 8, 100), 100);
        let half =
            Task::Multiply { units: Units::Matrix, side: 128, width: 64, openings: 8, time_ms: ms };
        for matrix in [false, true] {
            let unit = Unit::Chip { chip: chip.clone(), matrix };
            let proving = Proving { chips: vec![unit], ..proving(1 << 20) };
            let says = proving.features().contains(&prove::MATRIX_FEATURE.to_owned());
            assert_eq!(says, matrix);
            let plans = checked(&proving, &[fine, half], true).unwrap();
            assert!(matches!(plans[0], Plan::Products(_)));
            assert_eq!(matches!(plans[1], Plan::Products(_)), matrix, "{plans:?}");
            // Its processor can do either.
            let plans = checked(&proving, &[fine, half], false).unwrap();
            assert!(plans.iter().all(|plan| matches!(plan, Plan::Products(_))), "{plans:?}");
        }
    }

    #[test]
    fn each_of_several_chips_has_a_turn_and_the_processor_shares_the_firsts() {
        let Some(chip) = ionet_prover::chips().pop().map(Arc::new) else {
            assert!(std::env::var_os("IONET_NO_GPU_TESTS").is_some(), "scripts/setup.sh: no chip");
            return;
        };
        let found = Unit::Chip { chip, matrix: true };
        let of = |chips: Vec<Unit>| Proving {
            turns: chips.iter().map(|_| Arc::new(Semaphore::new(1))).collect(),
            chips,
            ..proving(1 << 20)
        };
        let one = of(vec![found.clone()]);
        let says = |proving: &Proving, what: &str| proving.features().iter().any(|f| f == what);
        assert!(says(&one, prove::CHIP_FEATURE) && !says(&one, prove::CHIPS_FEATURE));
        let two = of(vec![found.clone(), found.clone()]);
        assert!(!says(&two, prove::CHIP_FEATURE) && says(&two, prove::CHIPS_FEATURE));
        assert!(says(&two, prove::MATRIX_FEATURE));
        let Unit::Chip { chip, .. } = found.clone() else { panic!() };
        let mixed = of(vec![found, Unit::Chip { chip, matrix: false }]);
        assert!(!says(&mixed, prove::MATRIX_FEATURE), "all of them, or none");

        let (first, second) = (two.turn(0).unwrap(), two.turn(1).unwrap());
        assert_eq!(two.turn(0).err(), Some("it proves already"));
        assert_eq!(two.turn(2).err(), Some("it drives no such chip"));
        drop(second);
        assert!(two.turn(1).is_ok() && two.turn(0).is_err());
        drop(first);
        for (number, on_chip, fine) in [
            (0, true, true),
            (1, true, true),
            (2, true, false),
            (0, false, true),
            (1, false, false),
        ] {
            assert_eq!(unit(&two, number, on_chip).is_ok(), fine, "{number} {on_chip}");
        }
    }

    #[test]
    fn a_pass_over_more_than_the_owner_gives_is_skipped_and_the_rest_is_done() {
        let pass = Task::Stream { bytes: 2 << 20, openings: 4, time_ms: 100 };
        let tasks = [task(128, 64, 8, 100), pass];
        let less = checked(&proving(1 << 20), &tasks, false).unwrap();
        assert!(matches!(&less[..], [Plan::Products(_), Plan::Skip(_)]), "{less:?}");
        let enough = checked(&proving(2 << 20), &tasks, false).unwrap();
        assert!(matches!(&enough[..], [Plan::Products(_), Plan::Passes { .. }]), "{enough:?}");
    }
}
