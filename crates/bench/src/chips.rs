//! What each chip of this machine does in whole rounds and passes, beside the processor in the
//! same run; a row of calibration data for each card that the catalogue knows.

use crate::stats::median;
use anyhow::{Context as _, ensure};
use ionet_core::DeviceId;
use ionet_core::catalogue::{ChipKind, classify};
use ionet_prover::{
    AnyKernel, AnyStreamer, Chip, Cpu, Gpu, MatrixUnits, Passes, Prover, Ram, Streamer, Vram, chips,
};
use ionet_trust::classes::{CALIBRATION, Proven, Row, Rows, Source, fits};
use ionet_trust::memory::Memory;
use ionet_trust::{Beacon, Entries, Shape};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// Entries in a leaf.
const WIDTH: u32 = 64;
/// Side on processors and what they stand in for, and on cards, which smaller ones leave idle.
const SIDES: [u32; 2] = [1_024, 16_384];
/// Memory on those, and on cards of no known class.
const BYTES: [u64; 2] = [64 << 20, 4 << 30];
/// Rounds or passes, after one that is not counted; the median counts.
const RUNS: usize = 5;
/// What NVIDIA's cards have for a PCI vendor.
const NVIDIA: u32 = 0x10de;
/// What Apple's chips have.
const APPLE: u32 = 0x106b;
const BEACON: Beacon = Beacon([1; 32]);
const DEVICE: DeviceId = DeviceId([3; 32]);

/// Units a second.
struct Rates {
    integer: f64,
    nibble: f64,
    /// Of half bytes on matrix units, and in which way; none where no driver shows any that are
    /// exact.
    matrix: Option<(f64, MatrixUnits)>,
    stream: f64,
    memory: Memory,
}

/// Seconds of the median run.
fn seconds<E>(mut work: impl FnMut() -> Result<bool, E>) -> anyhow::Result<f64>
where
    anyhow::Error: From<E>,
{
    work()?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        ensure!(work()?, "a proof holds so many");
        times.push(started.elapsed().as_secs_f64());
    }
    Ok(median(&times))
}

fn multiplied(kernel: AnyKernel, entries: Entries, side: u32) -> anyhow::Result<f64> {
    let shape = Shape::new(entries, side, WIDTH)?;
    let mut prover = Prover::start(kernel, shape, BEACON, DEVICE)?;
    Ok(shape.operations() as f64 / seconds(|| prover.round())?)
}

fn streamed<S: Streamer>(streamer: S, memory: Memory) -> anyhow::Result<f64>
where
    anyhow::Error: From<S::Error>,
{
    let mut passes = Passes::start(streamer, memory, BEACON, DEVICE, 0)?;
    Ok(2.0 * memory.bytes() as f64 / seconds(|| passes.pass())?)
}

fn processor(threads: usize) -> anyhow::Result<Rates> {
    let kernel = || AnyKernel::Cpu(Cpu::new(threads));
    let memory = Memory::new(BYTES[0])?;
    Ok(Rates {
        integer: multiplied(kernel(), Entries::Byte, SIDES[0])?,
        nibble: multiplied(kernel(), Entries::Nibble, SIDES[0])?,
        matrix: None,
        stream: streamed(AnyStreamer::Ram(Ram::new(threads)), memory)?,
        memory,
    })
}

fn rates(chip: &Chip, claim: Option<&Row>) -> anyhow::Result<Rates> {
    let card = usize::from(!chip.software);
    let kernel = || Gpu::open(chip).map(|gpu| AnyKernel::Gpu(Box::new(gpu)));
    let bytes = claim.map_or(BYTES[card], |row| row.memory << 30);
    let memory = Memory::within(bytes).context("no memory")?;
    Ok(Rates {
        integer: multiplied(kernel()?, Entries::Byte, SIDES[card])?,
        nibble: multiplied(kernel()?, Entries::Nibble, SIDES[card])?,
        matrix: on_matrix_units(chip, SIDES[card])?,
        stream: streamed(AnyStreamer::Vram(Box::new(Vram::open(chip)?)), memory)?,
        memory,
    })
}

/// In the first way that finds the processor's bits, as a worker does it.
fn on_matrix_units(chip: &Chip, side: u32) -> anyhow::Result<Option<(f64, MatrixUnits)>> {
    for units in &chip.matrix {
        match Gpu::open_matrix_with(chip, *units) {
            Ok(gpu) => {
                let kernel = AnyKernel::Gpu(Box::new(gpu));
                return Ok(Some((multiplied(kernel, Entries::Nibble, side)?, *units)));
            }
            Err(error) => eprintln!("{chip}, matrix units {units}: {error}"),
        }
    }
    Ok(None)
}

/// The claimed row of a card's class.
fn claim<'a>(rows: &'a Rows, chip: &Chip) -> Option<&'a Row> {
    let kind = match chip.vendor {
        NVIDIA => ChipKind::Nvidia,
        APPLE => ChipKind::Apple,
        _ => return None,
    };
    let class = classify(kind, &chip.name).filter(|_| !chip.software)?;
    rows.get(class)
}

/// A row of what was measured. The shader's rate of half bytes is no matrix rate: where no matrix
/// units were measured, the row keeps what was claimed of them, and says so.
fn row(chip: &str, claim: &Row, rates: &Rates, date: &str) -> Row {
    let giga = |rate: f64| ((rate / 1e9) as u64).max(1);
    let units = match rates.matrix {
        Some((_, units)) => format!("matrix units {units}"),
        None => "matrix rate not measured: as claimed".to_owned(),
    };
    Row {
        integer: giga(rates.integer),
        matrix: rates.matrix.map_or(claim.matrix, |(rate, _)| giga(rate)),
        stream: giga(rates.stream),
        memory: (rates.memory.bytes() >> 30).max(1),
        source: Source::Measured(format!(
            "{date}, {chip}, ionet-bench --only proving, wgpu shader integers, {units}"
        )),
        ..claim.clone()
    }
}

fn line(name: &str, rates: &Rates, claim: Option<&Row>) -> String {
    // The table's rates of integers and matrix units are half of the peaks.
    let share = |rate: Option<f64>, quantity: usize| match (rate, claim) {
        (Some(rate), Some(row)) => {
            format!("{:.0} %", rate / (2.0 * row.typical()[quantity] as f64) * 100.0)
        }
        _ => "not known".to_owned(),
    };
    let matrix = rates.matrix.map(|(rate, _)| rate);
    let on_units = rates
        .matrix
        .map_or("none shown".to_owned(), |(rate, units)| format!("{:.1} ({units})", rate / 1e9));
    format!(
        "| {name} | {:.1} | {:.1} | {on_units} | {:.2} in {} MiB | {} | {} |\n",
        rates.integer / 1e9,
        rates.nibble / 1e9,
        rates.stream / 1e9,
        rates.memory.bytes() >> 20,
        share(Some(rates.integer), 0),
        share(matrix, 1),
    )
}

/// In which class a card's rates place it: the first of those that they do not contradict.
fn placed(proven: &Proven) -> anyhow::Result<String> {
    let fits = fits(&Rows::parse(CALIBRATION)?, proven);
    let found: Vec<String> = fits.iter().map(|fit| fit.class.to_string()).collect();
    Ok(match found.split_first() {
        Some((class, [])) => format!("Its rates place it in {class}."),
        Some((class, others)) => {
            format!("Its rates place it in {class}; they also reach {}.", others.join(", "))
        }
        None => "Its rates are those of no class.".to_owned(),
    })
}

/// A card's row, and where its rates place it: by its matrix units too, if they were measured. A
/// row that could not be read again is an error.
fn calibrated(row: &Row, measured: bool, into: Option<&Path>) -> anyhow::Result<String> {
    Rows::default().merge(row.clone())?;
    let [integer, matrix, stream, bytes] = row.typical().map(Some);
    let proven = Proven { integer, matrix: matrix.filter(|_| measured), stream, bytes };
    if let Some(path) = into {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        write!(file, "\n{}", row.appended())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(format!("\n    {row}\n\n{}\n", placed(&proven)?))
}

/// Where the rates of a card of no known class place it. Of its memory nothing is known.
fn stranger(chip: &Chip, rates: &Rates) -> anyhow::Result<String> {
    let proven = Proven {
        integer: Some(rates.integer as u64),
        matrix: rates.matrix.map(|(rate, _)| rate as u64),
        stream: Some(rates.stream as u64),
        bytes: None,
    };
    Ok(format!("\n{chip} is in no class by its name. {}\n", placed(&proven)?))
}

/// Text for the section; rows of cards are appended to `into`.
pub(crate) fn measure(into: Option<&Path>) -> anyhow::Result<String> {
    let threads = std::thread::available_parallelism()?.get();
    let known = Rows::parse(CALIBRATION)?;
    let output = std::process::Command::new("date").args(["-u", "+%F"]).output()?;
    let date = String::from_utf8(output.stdout)?.trim().to_owned();
    let mut lines = line(&format!("processor, {threads} threads"), &processor(threads)?, None);
    let mut cards = String::new();
    for chip in chips() {
        let claim = claim(&known, &chip);
        let rates = match rates(&chip, claim) {
            Ok(rates) => rates,
            Err(error) => {
                writeln!(lines, "| {chip} | failed: {error} | | | | | |")?;
                continue;
            }
        };
        let kind = if chip.software { " (software)" } else { "" };
        lines += &line(&format!("{chip}{kind}"), &rates, claim);
        if let Some(claim) = claim {
            let row = row(&chip.name, claim, &rates, &date);
            cards += &calibrated(&row, rates.matrix.is_some(), into)?;
        } else if !chip.software {
            cards += &stranger(&chip, &rates)?;
        }
    }
    Ok(format!(
        "\
Whole rounds and passes, as trials count them (expanding, multiplying or mixing, hashing), on
everything that multiplies here; medians of {RUNS}. Sides {} on processors and software chips,
{} on cards. Thousand millions a second.

| chip | multiply-adds of bytes | of half bytes | of those on matrix units | bytes streamed | \
share of integer peak | of matrix peak |
| --- | --- | --- | --- | --- | --- | --- |
{lines}{cards}",
        SIDES[0], SIDES[1]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ionet_prover::MatrixEntry;

    #[test]
    fn a_measured_row_is_read_again_and_fits_its_class() {
        let known = Rows::parse(CALIBRATION).unwrap();
        let class = classify(ChipKind::Nvidia, "NVIDIA GeForce RTX 4090").unwrap();
        let claim = known.get(class).unwrap();
        let units = MatrixUnits { side: 16, entry: MatrixEntry::Half };
        let rates = Rates {
            integer: 10.3e12,
            nibble: 9.9e12,
            matrix: Some((82.1e12, units)),
            stream: 705e9,
            memory: Memory::new(22 << 30).unwrap(),
        };
        let row = row("NVIDIA GeForce RTX 4090", claim, &rates, "2026-11-24");
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = calibrated(&row, true, Some(file.path())).unwrap();
        assert!(text.contains("place it in rtx-4090"), "{text}");
        // As it stands in the data, behind the claim of its class.
        let written = std::fs::read_to_string(file.path()).unwrap();
        let written = Rows::parse(&[CALIBRATION, &written].concat()).unwrap();
        assert_eq!(written.get(class), Some(&row));
        assert!(matches!(row.source, Source::Measured(_)));
    }

    #[test]
    fn the_shaders_rate_of_half_bytes_is_never_a_matrix_rate() {
        let known = Rows::parse(CALIBRATION).unwrap();
        let claim = known.rows().next().unwrap();
        let memory = Memory::new(1 << 30).unwrap();
        let rates = Rates { integer: 1e12, nibble: 2e12, matrix: None, stream: 1e9, memory };
        let units = MatrixUnits { side: 8, entry: MatrixEntry::Single };
        let without = row("a card", claim, &rates, "2026-11-24");
        assert_eq!(without.matrix, claim.matrix);
        assert!(without.to_string().contains("not measured: as claimed"), "{without}");
        let rates = Rates { matrix: Some((3e12, units)), ..rates };
        let with = row("a card", claim, &rates, "2026-11-24");
        assert_eq!(with.matrix, 3_000);
        assert!(with.to_string().contains("matrix units 8x8 f32"), "{with}");
    }
}
