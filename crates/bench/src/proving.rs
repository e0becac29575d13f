//! What a proof costs: the verifier beside two usual ways to check a product, and the prover.

use crate::stats::{median, thousands};
use anyhow::{Context as _, ensure};
use ionet_coordinator::trial::TrialSettings;
use ionet_core::DeviceId;
use ionet_prover::{Cpu, Kernel, Prover};
use ionet_trust::{
    Beacon, Challenge, Element, Entries, Hour, Proof, Secret, Seed, Shape, dot, shared_seed,
};
use std::hint::black_box;
use std::time::Instant;

/// Leaves that a proof opens.
const OPENINGS: usize = 64;
/// Entries in a leaf.
const WIDTH: u32 = 64;
/// Side and rounds of each proof: as many rounds as take some seconds here.
const PROOFS: [(u32, usize); 3] = [(512, 32), (2_048, 8), (4_096, 2)];
/// Checks of one proof; the median counts.
const RUNS: usize = 21;
/// Side of the product by which the kernel is measured.
const KERNEL_SIDE: u32 = 1_024;

/// Milliseconds of one run, the median of `runs`.
fn ms(runs: usize, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&times))
}

struct Row {
    side: u32,
    rounds: usize,
    bytes: usize,
    verify: f64,
    hour: f64,
    freivalds: f64,
    rows: f64,
}

fn row(side: u32, rounds: usize) -> anyhow::Result<Row> {
    let shape = Shape::new(Entries::Byte, side, WIDTH)?;
    let (start, late, device) = (Beacon([1; 32]), Beacon([2; 32]), DeviceId([3; 32]));
    let secret = Secret([4; 32]);
    let challenge = Challenge::new(&start, &late, &secret, &secret.precommitment())?;
    let Ok(mut prover) = Prover::start(Cpu::new(2), shape, start, device);
    for _ in 0..rounds {
        let Ok(done) = prover.round();
        ensure!(done, "a proof holds so many rounds");
    }
    let hour_ms = ms(3, || {
        black_box(Hour::new(shape, start, challenge, OPENINGS));
        Ok(())
    })?;
    let hour = Hour::new(shape, start, challenge, OPENINGS);
    let commitment = prover.commitment();
    let asked = hour.asks(device, prover.rounds());
    let bytes = prover.open(&asked).ok().context("every leaf was made")?.encode();
    let verify = ms(RUNS, || {
        let proof = Proof::decode(shape, OPENINGS, &bytes)?;
        ensure!(hour.verify(device, &commitment, &proof)? == rounds as u32);
        Ok(())
    })?;
    // The usual check holds all of A and C of a round, and does both products for each.
    let n = shape.side();
    let a = Seed([5; 32]).matrix(shape);
    let b = shared_seed(&start, shape).matrix(shape);
    let mut cpu = Cpu::new(2);
    let Ok(()) = cpu.load(shape, &b);
    let mut c = vec![0; n * n];
    let Ok(()) = cpu.product(&a, &mut c);
    let r = Seed([6; 32]).elements(n);
    let v: Vec<Element> = b.chunks_exact(n).map(|row| dot(row, &r)).collect();
    let freivalds = ms(3, || {
        let same = a.chunks_exact(n).zip(c.chunks_exact(n)).all(|(a, c)| dot(a, &v) == dot(c, &r));
        ensure!(same, "the product is right");
        Ok(())
    })?;
    let mut one = Cpu::new(1);
    let Ok(()) = one.load(shape, &b);
    let mut again = vec![0; OPENINGS * n];
    let rows = ms(3, || {
        let Ok(()) = one.product(&a[..OPENINGS * n], &mut again);
        ensure!(again[..] == c[..OPENINGS * n], "the rows are right");
        Ok(())
    })?;
    Ok(Row { side, rounds, bytes: bytes.len(), verify, hour: hour_ms, freivalds, rows })
}

/// Multiply-adds a second of the kernel, in thousands of millions.
fn kernel(threads: usize) -> anyhow::Result<f64> {
    let shape = Shape::new(Entries::Byte, KERNEL_SIDE, WIDTH)?;
    let (a, b) = (Seed([7; 32]).matrix(shape), Seed([8; 32]).matrix(shape));
    let mut cpu = Cpu::new(threads);
    let Ok(()) = cpu.load(shape, &b);
    let mut c = vec![0; a.len()];
    let took = ms(5, || {
        let Ok(()) = cpu.product(&a, &mut c);
        black_box(&c);
        Ok(())
    })?;
    Ok(shape.operations() as f64 / took / 1e6)
}

/// The same of one thread with the compiler's own code for any processor of the family, on
/// numbers that never leave the first cache.
fn plain() -> anyhow::Result<f64> {
    const LENGTH: usize = 2_048;
    const TIMES: usize = 200_000;
    let (a, b) = ([3i16; LENGTH], [5i16; LENGTH]);
    let took = ms(5, || {
        for _ in 0..TIMES {
            let (a, b) = (black_box(&a), black_box(&b));
            let sum: i32 = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            black_box(sum);
        }
        Ok(())
    })?;
    Ok((LENGTH * TIMES) as f64 / took / 1e6)
}

/// The section's text.
pub(crate) fn measure() -> anyhow::Result<String> {
    let rows: Vec<_> =
        PROOFS.iter().map(|(side, rounds)| row(*side, *rounds)).collect::<Result<_, _>>()?;
    let lines: String = rows
        .iter()
        .map(|r| {
            format!(
                "| {} x {0}, {} rounds | {} | {:.2} ms | {:.0} ms | {:.1} ms | {:.1} ms |\n",
                r.side,
                r.rounds,
                thousands(r.bytes as u64),
                r.verify,
                r.hour,
                r.freivalds,
                r.rows
            )
        })
        .collect();
    let slowest = rows.iter().map(|r| r.verify).fold(0.0, f64::max);
    let million = slowest * 1e6 / 3.6e6;
    let threads = std::thread::available_parallelism()?.get();
    let (one, two, usual) = (kernel(1)?, kernel(threads)?, plain()?);
    let settings = TrialSettings::default();
    let duty = |busy_ms: u32| f64::from(busy_ms) / (f64::from(settings.period_s) * 10.0);
    let (duty, chips_duty) = (duty(settings.busy_ms()), duty(settings.chip_busy_ms()));
    Ok(format!(
        "\
One proof of {OPENINGS} leaves of {WIDTH} entries, checked on one thread: reading and verifying its
bytes, the median of {RUNS}. Beside it, what is shared by all proofs of an hour, and two usual ways
to check one round: both products of Freivalds with all of A and C at hand (which a prover would
have to send: 4 bytes an entry), and the {OPENINGS} opened rows multiplied again.

| products | bytes | verify | once an hour | Freivalds, one round | rows again |
| --- | --- | --- | --- | --- | --- |
{lines}
Aims: under 4 ms and 64 kB a proof. At the slowest of these a million chips an hour take
{million:.2} cores.

The processor's kernel does {one:.2} thousand million multiply-adds a second on one thread and
{two:.2} on {threads} (side {KERNEL_SIDE}). Reference: the compiler's own code for a dot product
of numbers that never leave the first cache does {usual:.2} on one. With the default settings a
processor works {duty:.2} % of its time for trials, a chip at most {chips_duty:.2} %.",
    ))
}
