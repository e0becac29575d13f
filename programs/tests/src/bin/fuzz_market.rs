//! Random histories of the market program for as long as told, on every core.
//!
//! `make fuzz-market MINUTES=10`, or `STEPS=1000000`. `IONET_FUZZ_SEED` names the first history,
//! `IONET_FUZZ_STEPS` the steps of each; with `IONET_FUZZ_KEEP` (numbers of steps, by commas)
//! one history is told step by step.

use ionet_program_tests::histories::{Failure, Histories, STEPS, Tally};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{available_parallelism, scope};
use std::time::{Duration, Instant};

/// How often progress is printed.
const PROGRESS: Duration = Duration::from_secs(60);
/// Every so many histories, one set of facts is played on several schedules.
const SCHEDULES_EVERY: u64 = 16;
/// After so many steps every instruction must have been taken.
const LONG: u64 = 20_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|why| panic!("{name}={text}: {why}")))
}

struct Run {
    /// Steps of one history.
    steps: usize,
    most: Option<u64>,
    until: Option<Instant>,
    next: AtomicU64,
    stop: AtomicBool,
    state: Mutex<State>,
}

struct State {
    tally: Tally,
    told: Instant,
    failures: Vec<Failure>,
}

impl Run {
    fn work(&self, began: Instant) {
        let histories = Histories::new();
        while !self.stop.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let mut tally = Tally::default();
            let mut result = histories.run(seed, self.steps, &mut tally);
            if result.is_ok() && seed.is_multiple_of(SCHEDULES_EVERY) {
                let compared = histories.compare_schedules(seed, &mut tally);
                result = compared.map_err(|why| Failure { seed, steps: 0, step: 0, why });
            }
            self.note(&tally, result, began);
        }
    }

    fn note(&self, tally: &Tally, result: Result<(), Failure>, began: Instant) {
        let mut state = self.state.lock().expect("no thread panics while it counts");
        state.tally.add(tally);
        if let Err(failure) = result {
            eprintln!("{failure}");
            state.failures.push(failure);
            self.stop.store(true, Ordering::Relaxed);
        }
        let enough = self.most.is_some_and(|most| state.tally.steps >= most)
            || self.until.is_some_and(|until| Instant::now() >= until);
        if enough {
            self.stop.store(true, Ordering::Relaxed);
        }
        if state.told.elapsed() >= PROGRESS {
            state.told = Instant::now();
            let (tried, taken) = state.tally.transactions;
            let seconds = began.elapsed().as_secs().max(1);
            println!(
                "{seconds} s: {} steps, {} histories, {taken} of {tried} transactions taken, \
                 {} steps a second",
                state.tally.steps,
                state.tally.histories,
                state.tally.steps / seconds,
            );
        }
    }
}

/// Tells one history's chosen steps.
fn tell(keep: &str) {
    let seed = number("IONET_FUZZ_SEED").expect("IONET_FUZZ_SEED names the history");
    let steps = number("IONET_FUZZ_STEPS").map_or(STEPS, |steps| steps as usize);
    let needed: Vec<usize> =
        keep.split(',').map(|step| step.trim().parse().expect("a step's number")).collect();
    match Histories::new().tell(seed, steps, &needed) {
        Ok(()) => println!("it holds"),
        Err(failure) => println!("{failure}"),
    }
}

fn main() -> std::process::ExitCode {
    if let Ok(keep) = std::env::var("IONET_FUZZ_KEEP") {
        tell(&keep);
        return std::process::ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let minutes = number("MINUTES");
    let most = number("STEPS").or(if minutes.is_none() { Some(1_000_000) } else { None });
    let first = number("IONET_FUZZ_SEED").unwrap_or(1);
    let threads = number("THREADS").map(|threads| threads as usize);
    let threads = threads.or(available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let run = Run {
        steps: number("IONET_FUZZ_STEPS").map_or(STEPS, |steps| steps as usize),
        most,
        until: minutes.map(|minutes| began + Duration::from_secs(60 * minutes)),
        next: AtomicU64::new(first),
        stop: AtomicBool::new(false),
        state: Mutex::new(State { tally: Tally::default(), told: began, failures: Vec::new() }),
    };
    scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run.work(began));
        }
    });
    let last = run.next.load(Ordering::Relaxed) - 1;
    let state = run.state.into_inner().expect("no thread panics while it counts");
    println!("seeds {first} to {last}, {threads} threads, {} s", began.elapsed().as_secs());
    println!("{}", state.tally);
    for failure in state.failures.iter().filter(|failure| failure.steps > 0) {
        let small = Histories::new().shrink(failure);
        let needed: Vec<String> = small.needed.iter().map(usize::to_string).collect();
        println!("{}\n\n{} steps are enough:", small.failure, needed.len());
        let Failure { seed, steps, .. } = failure;
        let keep = needed.join(",");
        println!("IONET_FUZZ_SEED={seed} IONET_FUZZ_STEPS={steps} IONET_FUZZ_KEEP={keep}\n");
        let _fails = Histories::new().tell(*seed, *steps, &small.needed);
    }
    let never = state.tally.never_taken();
    let unproven = !never.is_empty() && state.tally.steps >= LONG;
    if unproven {
        println!("a run that shows too little: never taken: {never:?}");
    }
    let good = state.failures.is_empty() && !unproven;
    if good { std::process::ExitCode::SUCCESS } else { 1.into() }
}
