//! Random histories: the bytecode and the model of it live through the same thousands of steps,
//! and after each they must agree to the byte and keep the promises of `docs/money.md`.
//!
//! A step is made by a generator of its own, from the history's seed and its number, in view of
//! where the chain stands: so a history is named by its seed, and can be replayed with steps left
//! out, which is how a failure is made small.

mod cast;
mod driver;
mod ending;
mod lease_moves;
mod line_moves;
mod moves;
mod offer_moves;
mod schedules;
mod shrink;
mod spoil;
mod tally;
mod world;

use cast::Stage;
use driver::Driver;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

pub use shrink::Replay;
pub use tally::Tally;
pub use world::Listener;

/// Steps of one history unless asked otherwise: a lease's whole life fits many times, and an
/// early slip does not shadow millions of later steps.
pub const STEPS: usize = 600;
/// All promises are checked after so many steps, those of the leases in question after each.
const ALL_EVERY: usize = 32;

/// Where a history failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Names the history.
    pub seed: u64,
    /// Steps that it was to have.
    pub steps: usize,
    /// The step that failed; as many as there are when the ending did.
    pub step: usize,
    /// What was wrong.
    pub why: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, steps, step, why } = self;
        write!(f, "IONET_FUZZ_SEED={seed} IONET_FUZZ_STEPS={steps} fails at step {step}: {why}")
    }
}

/// Runs histories; each begins with a copy of the same bare chain.
pub struct Histories {
    stage: Stage,
}

/// What of a history is run, and what is told about it.
struct Plan<'a> {
    seed: u64,
    steps: usize,
    /// Steps that are left out.
    without: &'a [bool],
    /// Tells every step.
    aloud: bool,
}

impl Histories {
    /// With the features of Solana that `IONET_FEATURES` names.
    pub fn new() -> Self {
        Self { stage: Stage::new(crate::Features::from_env()) }
    }

    /// Runs a history to its end, and counts.
    pub fn run(&self, seed: u64, steps: usize, tally: &mut Tally) -> Result<(), Failure> {
        self.play(&Plan { seed, steps, without: &[], aloud: false }, tally)
    }

    /// The same while somebody listens.
    pub fn run_heard(&self, seed: u64, steps: usize, listener: Listener) -> Result<(), Failure> {
        let plan = Plan { seed, steps, without: &[], aloud: false };
        self.play_to(&plan, &mut Tally::default(), Some(listener))
    }

    /// Two random schedules of the same facts end with the same totals for everyone.
    pub fn compare_schedules(&self, seed: u64, tally: &mut Tally) -> Result<(), String> {
        schedules::compare(&self.stage, seed, tally)
    }

    fn play(&self, plan: &Plan, tally: &mut Tally) -> Result<(), Failure> {
        self.play_to(plan, tally, None)
    }

    fn play_to(
        &self,
        plan: &Plan,
        tally: &mut Tally,
        listener: Option<Listener>,
    ) -> Result<(), Failure> {
        let mut at = 0;
        let run = || -> Result<(), String> {
            let mut world = self.stage.world(begins_at(plan));
            if let Some(listener) = listener {
                world.listen(listener);
            }
            for step in 0..plan.steps {
                at = step;
                if step == 0 || !plan.without.get(step).is_some_and(|left_out| *left_out) {
                    self.step(&mut world, plan, step, tally)?;
                }
            }
            at = plan.steps;
            ending::end(&mut world, tally)
        };
        let told = catch_unwind(AssertUnwindSafe(run));
        let why = match told {
            Ok(Ok(())) => {
                tally.histories += 1;
                return Ok(());
            }
            Ok(Err(why)) => why,
            Err(panic) => panic_text(&*panic),
        };
        Err(Failure { seed: plan.seed, steps: plan.steps, step: at, why })
    }

    fn step(
        &self,
        world: &mut World,
        plan: &Plan,
        step: usize,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let made = {
            let mut driver = Driver::new(world, generator(plan.seed, step as u64));
            if step == 0 { driver.begin() } else { driver.next() }
        };
        let result = world.act(&made, tally);
        if plan.aloud {
            let told = result.clone().map_or_else(|why| why, |()| world.told());
            eprintln!("step {step}: {made}: {told}");
        }
        result?;
        if step.is_multiple_of(ALL_EVERY) { world.agrees_everywhere() } else { Ok(()) }
    }
}

impl Default for Histories {
    fn default() -> Self {
        Self::new()
    }
}

/// When a history begins: now and then soon after the first second that a chain can tell, or so
/// close to the last that what is to end later saturates. Long ones would come to that end.
fn begins_at(plan: &Plan) -> i64 {
    match plan.seed % 16 {
        5 => 500_000,
        6 if plan.steps <= STEPS => i64::MAX - 12_000_000,
        _ => crate::START,
    }
}

/// One generator per step, so that leaving a step out changes no other's dice.
fn generator(seed: u64, step: u64) -> StdRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&step.to_le_bytes());
    StdRng::from_seed(bytes)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without words"))
}
