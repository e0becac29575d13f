//! What the fuzzer runs, without it: the committed corpus, and mutations of it from fixed seeds.

use ionet_fuzz::mutate::{Chance, mutate};
use ionet_fuzz::{TARGETS, Target, corpus};
use std::path::Path;

/// Most bytes of the whole corpus: it is committed.
const CORPUS_BYTES_MAX: usize = 1 << 20;

fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let files = corpus::files(target).expect("a folder of the corpus");
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn everything_in_the_corpus_keeps_its_promises() {
    let mut bytes = 0;
    for target in TARGETS {
        for file in corpus::files(target).unwrap() {
            println!("{}", file.display());
            let input = std::fs::read(file).unwrap();
            bytes += input.len();
            (target.run)(&input);
        }
    }
    assert!(bytes < CORPUS_BYTES_MAX, "{bytes}");
}

#[test]
fn seeds_are_what_honest_ends_send_today() {
    for target in TARGETS {
        let files = corpus::files(target).unwrap();
        let kept: Vec<_> = files.iter().filter(|file| corpus::is_seed(file)).collect();
        let kept: Vec<_> = kept.into_iter().map(|file| std::fs::read(file).unwrap()).collect();
        let name = target.name;
        assert!(kept == (target.seeds)(), "{name}: `cargo run -p ionet-fuzz` writes them anew");
        assert!(kept.iter().all(|seed| seed.len() <= target.bytes_max), "{name}");
    }
}

/// Mutations of each target: a few seconds of all of them together.
const MUTATIONS: usize = 4_000;

fn mutations(name: &str) {
    let target = ionet_fuzz::target(name).unwrap();
    let (inputs, mut chance) = (inputs(target), Chance::new(name));
    for _ in 0..MUTATIONS {
        let input = &inputs[chance.below(inputs.len())];
        let input = mutate(input, &inputs, target.bytes_max, &mut chance);
        if std::panic::catch_unwind(|| (target.run)(&input)).is_err() {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("found-{name}"));
            std::fs::write(&kept, &input).unwrap();
            panic!("{name}: {} breaks a promise", kept.display());
        }
    }
}

macro_rules! mutations {
    ($($name:ident)*) => {
        /// A test for each, so that they run beside each other.
        mod mutations_of {
            $(#[test] fn $name() { super::mutations(stringify!($name)); })*
        }

        #[test]
        fn every_target_is_mutated() {
            assert_eq!([$(stringify!($name)),*].to_vec(), names());
        }
    };
}

mutations! {
    proof memory record proofs promise replay classes hosting names score enrolment wire frames
    check
}

fn names() -> Vec<&'static str> {
    TARGETS.iter().map(|target| target.name).collect()
}
