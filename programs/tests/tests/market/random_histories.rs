//! Random histories of the program and of its model, as many as `make test` has time for.
//! `make fuzz-market` runs them for as long as told.

use ionet_program_tests::histories::{Failure, Histories, STEPS, Tally};

/// Steps of a default run: half a minute at most where nothing is optimised, and enough that
/// each instruction is taken many times.
const ALL_STEPS: usize = 12_000;
/// Sets of facts, each played on several schedules.
const FACTS: u64 = 12;

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Steps that are needed for it to fail, told one by one.
fn told(histories: &Histories, failure: &Failure) -> String {
    let small = histories.shrink(failure);
    let needed: Vec<String> = small.needed.iter().map(usize::to_string).collect();
    let _fails = histories.tell(failure.seed, failure.steps, &small.needed);
    format!("{failure}\nThese steps are enough: IONET_FUZZ_KEEP={}", needed.join(","))
}

#[test]
fn model_and_bytecode_agree_and_every_promise_holds() {
    let all = env("IONET_FUZZ_STEPS").map_or(ALL_STEPS, |steps| steps as usize);
    let first = env("IONET_FUZZ_SEED").unwrap_or(1);
    let (histories, mut tally) = (Histories::new(), Tally::default());
    for seed in (first..).take(all.div_ceil(STEPS)) {
        if let Err(failure) = histories.run(seed, STEPS.min(all), &mut tally) {
            panic!("{}", told(&histories, &failure));
        }
    }
    eprintln!("{tally}");
    let never = tally.never_taken();
    assert!(never.is_empty() || all < ALL_STEPS, "never taken: {never:?}");
}

#[test]
fn the_order_of_claims_and_withdrawals_cannot_matter() {
    let first = env("IONET_FUZZ_SEED").unwrap_or(1);
    let (histories, mut tally) = (Histories::new(), Tally::default());
    for seed in (first..).take(FACTS as usize) {
        if let Err(why) = histories.compare_schedules(seed, &mut tally) {
            panic!("IONET_FUZZ_SEED={seed}: {why}");
        }
    }
    let never = tally.never_taken();
    for told in ["Attest", "ClaimReceipt", "Withdraw", "SweepFees"] {
        assert!(!never.contains(&told), "{told} was never taken");
    }
}
