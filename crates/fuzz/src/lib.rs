//! Parsers against hostile bytes: for each, what must hold whatever comes.
//!
//! A [`Target`] takes any bytes and panics where a promise is broken. libFuzzer looks for such
//! bytes, guided by coverage (`make fuzz-proofs`), and an ordinary test runs the same functions
//! over everything in `corpus/` and over mutations of it. What was found once lies in the corpus.
//!
//! ```
//! let target = ionet_fuzz::target("record").unwrap();
//! (target.run)(b"no record at all");
//! ```
//!
//! A parser of bytes from outside gets a function in `targets` and a row in [`TARGETS`]; then
//! `cargo run -p ionet-fuzz` writes its seeds.

pub mod corpus;
pub mod heap;
pub mod honest;
pub mod mutate;
mod targets;

use targets::{check, proof, record, replay, statement, text, wire};

/// One parser, or a few that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its folder in the corpus.
    pub name: &'static str,
    /// Panics if the bytes break a promise.
    pub run: fn(&[u8]),
    /// Bytes of honest ends, from which mutations begin.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Longest input that is tried.
    pub bytes_max: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "proof", run: proof::products, seeds: proof::product_seeds, bytes_max: 20_000 },
    Target { name: "memory", run: proof::memory, seeds: proof::memory_seeds, bytes_max: 16_384 },
    Target { name: "record", run: record::record, seeds: record::record_seeds, bytes_max: 8_192 },
    Target { name: "proofs", run: record::proofs, seeds: record::proofs_seeds, bytes_max: 8_192 },
    Target { name: "promise", run: record::promise, seeds: record::promise_seeds, bytes_max: 512 },
    Target { name: "replay", run: replay::replay, seeds: replay::seeds, bytes_max: 32_768 },
    Target { name: "classes", run: text::classes, seeds: text::classes_seeds, bytes_max: 16_384 },
    Target { name: "hosting", run: text::hosting, seeds: text::hosting_seeds, bytes_max: 4_096 },
    Target { name: "names", run: text::names, seeds: text::names_seeds, bytes_max: 128 },
    Target {
        name: "score",
        run: statement::score,
        seeds: statement::score_seeds,
        bytes_max: 2_048,
    },
    Target {
        name: "enrolment",
        run: statement::enrolment,
        seeds: statement::enrolment_seeds,
        bytes_max: 4_096,
    },
    Target { name: "wire", run: wire::message, seeds: wire::message_seeds, bytes_max: 8_192 },
    Target { name: "frames", run: wire::frames, seeds: wire::frames_seeds, bytes_max: 8_192 },
    Target { name: "check", run: check::check, seeds: check::seeds, bytes_max: 32_768 },
];

/// The one with this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
