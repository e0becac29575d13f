//! The work of a trial, on a thread of its own: what it is told step by step, at low priority.

use ionet_core::{DeviceId, Task};
use ionet_prover::{AnyKernel, AnyStreamer, Cpu, Gpu, Passes, Prover, Ram, Rounds, Vram, until};
use ionet_trust::memory::Memory;
use ionet_trust::{Beacon, Challenge, Entries, Secret, Shape};
use ionet_wire::prove::FromProver;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};
use tokio::sync::mpsc;

/// Priority of the proving threads: a machine's other work goes first.
const NICE: i32 = 10;

/// What proves.
#[derive(Debug, Clone)]
pub(crate) enum Unit {
    /// Threads of the processor, and the machine's memory.
    Processor { threads: usize },
    /// A chip, and its own memory.
    Chip {
        chip: Arc<ionet_prover::Chip>,
        /// Whether its matrix units found the processor's bits.
        matrix: bool,
    },
}

/// How a task is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    Products(Shape),
    Passes {
        memory: Memory,
        of_machine: bool,
    },
    /// Not at all, and why.
    Skip(String),
}

/// What to do next.
pub(super) enum Step {
    /// These tasks will come, in this order.
    Begin { tasks: Vec<(Task, Plan)>, unit: Unit },
    /// The beacon of a task has come: its time runs from then, whatever is still being built.
    Work { number: usize, beacon: Beacon, came: Instant },
    /// The question has come: open what it asks for, of all tasks.
    Open { late: Beacon, secret: Secret },
}

/// What a task left behind, to be opened.
enum Done {
    Products(Rounds, Shape),
    Passes(Passes<AnyStreamer>),
}

/// A trial's work.
pub(super) struct Work {
    device: DeviceId,
    steps: std_mpsc::Receiver<Step>,
    said: mpsc::Sender<FromProver>,
    stop: Arc<AtomicBool>,
    /// Of the integer units, and of the matrix units.
    kernel: Option<AnyKernel>,
    matrix: Option<AnyKernel>,
    streamer: Option<AnyStreamer>,
    done: Vec<(u8, Task, Done)>,
    /// Of the processor, to open with.
    threads: usize,
}

impl Work {
    pub(super) fn new(
        device: DeviceId,
        steps: std_mpsc::Receiver<Step>,
        said: mpsc::Sender<FromProver>,
        stop: Arc<AtomicBool>,
        threads: usize,
    ) -> Self {
        let (kernel, matrix, streamer, done) = (None, None, None, Vec::new());
        Self { device, steps, said, stop, kernel, matrix, streamer, done, threads }
    }

    /// Until the conversation ends. Whatever it holds is given back then. A chip's kernels take
    /// their time to build: before the beacon comes.
    pub(super) fn run(mut self, chip: Option<&Unit>) {
        yield_to_others();
        if let Some(unit) = chip {
            // What fails here fails again when it is needed, and is said then.
            self.kernel = kernel(unit, Entries::Byte).ok();
            if matches!(unit, Unit::Chip { matrix: true, .. }) {
                self.matrix = kernel(unit, Entries::Nibble).ok();
            }
            self.streamer = streamer(unit).ok();
        }
        // The sender is gone when the conversation is.
        let Ok(Step::Begin { tasks, unit }) = self.steps.recv() else { return };
        if matches!(unit, Unit::Processor { .. }) {
            (self.kernel, self.matrix, self.streamer) = (None, None, None);
        }
        let mut first = None;
        while let Ok(step) = self.steps.recv() {
            let went_on = match step {
                Step::Begin { .. } => None,
                Step::Work { number, beacon, came } => {
                    first.get_or_insert(beacon);
                    let beacon = (beacon, came);
                    tasks.get(number).and_then(|(t, p)| self.task(number, t, p, &unit, beacon))
                }
                Step::Open { late, secret } => {
                    let promised = secret.precommitment();
                    let challenge = first
                        .and_then(|first| Challenge::new(&first, &late, &secret, &promised).ok());
                    challenge.and_then(|challenge| self.open(&challenge))
                }
            };
            if went_on.is_none() {
                return;
            }
        }
    }

    /// Does a task, and says what it commits to, or why it does not. None if it was told to stop.
    fn task(
        &mut self,
        number: usize,
        task: &Task,
        plan: &Plan,
        unit: &Unit,
        beacon: (Beacon, Instant),
    ) -> Option<()> {
        let number = number as u8;
        let worked = self.work(number, task, plan, unit, beacon);
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let message = match worked {
            Ok((done, hash)) => {
                self.done.push((number, *task, done));
                FromProver::Commitment { task: number, hash }
            }
            Err(reason) => {
                tracing::info!(task = number, reason, "skips a task");
                FromProver::Skipped { task: number, reason }
            }
        };
        self.said.blocking_send(message).ok()
    }

    fn work(
        &mut self,
        number: u8,
        task: &Task,
        plan: &Plan,
        unit: &Unit,
        (beacon, came): (Beacon, Instant),
    ) -> Result<(Done, [u8; 32]), String> {
        let end = came + Duration::from_millis(task.time_ms().into());
        match plan {
            Plan::Skip(reason) => Err(reason.clone()),
            Plan::Products(shape) => {
                let ready = match shape.entries() {
                    Entries::Byte => &mut self.kernel,
                    Entries::Nibble => &mut self.matrix,
                };
                let kernel = ready.take().map_or_else(|| kernel(unit, shape.entries()), Ok)?;
                let prover = Prover::start(kernel, *shape, beacon, self.device);
                let mut prover = prover.map_err(|e| e.to_string())?;
                until(end, || {
                    self.goes_on().and_then(|()| prover.round().map_err(|e| e.to_string()))
                })?;
                // A pass over all memory of a chip needs the room.
                let rounds = prover.set_aside();
                let hash = rounds.commitment().0;
                Ok((Done::Products(rounds, *shape), hash))
            }
            Plan::Passes { memory, of_machine } => {
                if *of_machine {
                    has_free(memory.bytes())?;
                }
                let streamer = self.streamer.take().map_or_else(|| streamer(unit), Ok)?;
                let passes = Passes::start(streamer, *memory, beacon, self.device, number);
                let mut passes = passes.map_err(|e| e.to_string())?;
                until(end, || {
                    self.goes_on().and_then(|()| passes.pass().map_err(|e| e.to_string()))
                })?;
                let hash = passes.commitment().0;
                Ok((Done::Passes(passes), hash))
            }
        }
    }

    fn goes_on(&self) -> Result<(), String> {
        let stopped = self.stop.load(Ordering::Relaxed);
        if stopped { Err("it was told to stop".to_owned()) } else { Ok(()) }
    }

    /// Opens what is asked for of each task. None if something could not be opened.
    fn open(&mut self, challenge: &Challenge) -> Option<()> {
        for (number, task, done) in std::mem::take(&mut self.done) {
            let (Task::Multiply { openings, .. } | Task::Stream { openings, .. }) = task;
            let openings = usize::from(openings);
            let bytes = match done {
                // A few rows: the processor has them sooner than a chip's kernel is built.
                Done::Products(rounds, shape) => {
                    let Ok(mut prover) = rounds.with(Cpu::new(self.threads));
                    let rounds = prover.rounds();
                    let asked = challenge.openings(shape, self.device, rounds, openings);
                    prover.open(&asked).ok()?.encode()
                }
                Done::Passes(passes) => {
                    let asked = passes.trail().openings(challenge, openings);
                    passes.open(&asked).ok()?.encode()
                }
            };
            self.said.blocking_send(FromProver::Proof { task: number, bytes }).ok()?;
        }
        Some(())
    }
}

/// What multiplies such entries. Of a chip half bytes are for the matrix units alone: their rate is
/// what a trial asks with them.
fn kernel(unit: &Unit, entries: Entries) -> Result<AnyKernel, String> {
    let opened = match (unit, entries) {
        (Unit::Processor { threads }, _) => return Ok(AnyKernel::Cpu(Cpu::new(*threads))),
        (Unit::Chip { chip, .. }, Entries::Byte) => Gpu::open(chip),
        (Unit::Chip { chip, .. }, Entries::Nibble) => Gpu::open_matrix(chip),
    };
    opened.map(|gpu| AnyKernel::Gpu(Box::new(gpu))).map_err(|e| e.to_string())
}

fn streamer(unit: &Unit) -> Result<AnyStreamer, String> {
    match unit {
        Unit::Processor { threads } => Ok(AnyStreamer::Ram(Ram::new(*threads))),
        Unit::Chip { chip, .. } => match Vram::open(chip) {
            Ok(vram) => Ok(AnyStreamer::Vram(Box::new(vram))),
            Err(e) => Err(e.to_string()),
        },
    }
}

/// Whether so much of the machine's memory is free that a pass leaves others enough.
fn has_free(bytes: u64) -> Result<(), String> {
    let ram = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let free = System::new_with_specifics(ram).available_memory();
    if bytes > free / super::MEMORY_PART {
        return Err(format!("a pass takes {bytes} bytes of memory, and {free} are free"));
    }
    Ok(())
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
    use ionet_trust::record::shape_of;

    /// A task with its plan.
    fn rounds(units: Units) -> (Task, Plan) {
        let task = Task::Multiply { units, side: 128, width: 64, openings: 4, time_ms: 1 };
        (task, Plan::Products(shape_of(&task).unwrap().unwrap()))
    }

    /// What is said of rounds with integers, then with matrix units.
    fn said(unit: &Unit) -> [FromProver; 2] {
        let (steps, told) = std_mpsc::sync_channel(4);
        let (said, mut saying) = mpsc::channel(4);
        let tasks = [Units::Integer, Units::Matrix].map(rounds).to_vec();
        steps.send(Step::Begin { tasks, unit: unit.clone() }).unwrap();
        for number in 0..2 {
            let beacon = Beacon([number as u8; 32]);
            steps.send(Step::Work { number, beacon, came: Instant::now() }).unwrap();
        }
        drop(steps);
        Work::new(DeviceId([3; 32]), told, said, Arc::default(), 1).run(Some(unit));
        [saying.blocking_recv().unwrap(), saying.blocking_recv().unwrap()]
    }

    #[test]
    fn a_chip_without_matrix_units_says_so_and_does_the_rest() {
        let Some(chip) = ionet_prover::chips().pop().map(Arc::new) else {
            assert!(std::env::var_os("IONET_NO_GPU_TESTS").is_some(), "scripts/setup.sh: no chip");
            return;
        };
        let matrix = Gpu::open_matrix(&chip).is_ok();
        let [integer, half] = said(&Unit::Chip { chip, matrix });
        assert!(matches!(integer, FromProver::Commitment { task: 0, .. }), "{integer:?}");
        match half {
            FromProver::Commitment { task: 1, .. } => assert!(matrix),
            FromProver::Skipped { task: 1, reason } => {
                assert!(!matrix && reason.contains("no matrix units"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
}
