//! `ionet verify replay`.

use super::marks;
use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use crate::output::number;
use ionet_core::{Task, TrialId, Units};
use ionet_trust::record::{Outcome, Proofs, Record, Replay, replay};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Longest record that is read: of a million devices.
const RECORD_BYTES_MAX: u64 = 256 << 20;
/// Most bytes of proofs that are read at once.
const PROOFS_BYTES_MAX: u64 = 4 << 30;

/// Which trial, and against what.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// Number of a trial that the coordinator keeps, or a record's file
    what: String,
    /// The proofs' file [default: beside the record's, ending in .proofs]
    #[arg(long, value_name = "FILE")]
    proofs: Option<PathBuf>,
    /// Compute only: look nothing up on the chain
    #[arg(long)]
    offline: bool,
}

/// What a replay came to.
#[derive(Serialize)]
struct Report {
    trial: u64,
    lane: &'static str,
    coordinator: String,
    started_ms: i64,
    /// The slot in which each task started.
    start_slots: Vec<u64>,
    /// Trials since the record before that came to nothing.
    voided: u64,
    anchor_slot: u64,
    /// What was looked up on the chain: `as the record says`, or why it was not.
    chain: String,
    tasks: Vec<TaskReport>,
    /// Everything that does not follow. Empty: the record is right.
    wrong: Vec<String>,
}

#[derive(Serialize)]
struct TaskReport {
    device: String,
    outcome: &'static str,
    rounds: u32,
    /// `integer`, `matrix` or `memory`.
    task: &'static str,
    /// Multiply-adds a second; bytes a second of memory.
    rate: u64,
    rate_by_slots: u64,
}

/// Reads, computes, looks up, tells.
pub(super) async fn run(context: &Context, args: ReplayArgs) -> Result<()> {
    let (record, proofs) = match args.what.parse() {
        Ok(number) if args.proofs.is_none() => from_coordinator(context, TrialId(number)).await?,
        _ => from_files(Path::new(&args.what), args.proofs.as_deref())?,
    };
    let malformed =
        |what: &str, e: &dyn std::fmt::Display| Failure::refused(format!("{what}: {e}"));
    let record = Record::decode(&record).map_err(|e| malformed("the record", &e))?;
    let proofs = Proofs::new(&proofs).map_err(|e| malformed("the proofs", &e))?;
    let found = replay(&record, |device, task| proofs.get(device, task).map(<[u8]>::to_vec));
    let mut wrong: Vec<_> = found.disagreements.iter().map(ToString::to_string).collect();
    let chain = if args.offline {
        "not looked up (--offline)".to_owned()
    } else {
        match marks::check(&context.chain(), &record).await {
            Ok(differs) if differs.is_empty() => "as the record says".to_owned(),
            Ok(differs) => {
                wrong.extend(differs.iter().map(ToString::to_string));
                "not as the record says".to_owned()
            }
            Err(e) => format!("not looked up: {e}"),
        }
    };
    let report = report(&record, &found, chain, wrong);
    context.out.answer(&report, || text(context, &report))?;
    if report.wrong.is_empty() {
        return Ok(());
    }
    let words = format!("{} things in this record do not follow", report.wrong.len());
    Err(Failure::refused(words))
}

fn report(record: &Record, found: &Replay, chain: String, wrong: Vec<String>) -> Report {
    let task = |t: &ionet_trust::record::Replayed| {
        let (outcome, rounds) = match t.outcome {
            Outcome::Proven(rounds) => ("proven", rounds),
            Outcome::Late => ("late", 0),
            Outcome::Silent => ("silent", 0),
            Outcome::Declined => ("declined", 0),
            Outcome::Rejected => ("rejected", 0),
            Outcome::Withheld => ("withheld", 0),
        };
        TaskReport {
            device: t.chip.to_string(),
            outcome,
            rounds,
            task: match t.task {
                Task::Multiply { units: Units::Integer, .. } => "integer",
                Task::Multiply { units: Units::Matrix, .. } => "matrix",
                Task::Stream { .. } => "memory",
            },
            rate: t.rate,
            rate_by_slots: t.rate_by_slots,
        }
    };
    Report {
        trial: record.trial.0,
        lane: record.lane.name(),
        coordinator: record.coordinator.to_string(),
        started_ms: record.started_ms,
        start_slots: record.starts.iter().map(|s| s.mark.slot).collect(),
        voided: found.voided,
        anchor_slot: record.anchor_slot,
        chain,
        tasks: found.tasks.iter().map(task).collect(),
        wrong,
    }
}

fn text(context: &Context, report: &Report) -> String {
    let mut table =
        context.out.table(["device", "task", "outcome", "rounds", "rate", "at least, by slots"]);
    for task in &report.tasks {
        let rate = |n: u64| match (n, task.task) {
            (0, _) => "-".to_owned(),
            (_, "memory") => format!("{}/s", crate::output::bytes(n)),
            _ => crate::device::multiply_adds(n),
        };
        table.add_row([
            task.device.clone().into(),
            task.task.into(),
            task.outcome.into(),
            number(task.rounds.to_string()),
            number(rate(task.rate)),
            number(rate(task.rate_by_slots)),
        ]);
    }
    let starts: Vec<_> = report.start_slots.iter().map(u64::to_string).collect();
    let voided = match report.voided {
        0 => String::new(),
        n => format!("{n} trials before it came to nothing: nobody was judged by them\n"),
    };
    let mut text = format!(
        "trial {} ({}), held by {}\ntasks started in slots {}, anchored in {}; on the chain: {}\n{}\
         \n{table}\n\n",
        report.trial,
        report.lane,
        report.coordinator,
        starts.join(", "),
        report.anchor_slot,
        report.chain,
        voided
    );
    if report.wrong.is_empty() {
        text.push_str("everything follows from what the record shows\n");
    } else {
        text.push_str("what does not follow:\n");
        report.wrong.iter().for_each(|wrong| text.push_str(&format!("  {wrong}\n")));
    }
    text
}

/// A record and its proofs, as the coordinator keeps them.
pub(super) async fn from_coordinator(
    context: &Context,
    trial: TrialId,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let rest = context.rest()?;
    let read = async |kind: &str, most: u64| {
        let path = format!("/v1/trials/{trial}/{kind}");
        let mut answer = rest.stream(&path, "application/octet-stream").await?;
        let mut bytes = Vec::new();
        let broken = |e: reqwest::Error| Failure::new(Kind::Unreachable, format!("{path}: {e}"));
        while let Some(some) = answer.chunk().await.map_err(broken)? {
            if bytes.len() as u64 + some.len() as u64 > most {
                return Err(Failure::refused(format!("{path} is longer than {most} bytes")));
            }
            bytes.extend_from_slice(&some);
        }
        Ok(bytes)
    };
    Ok((read("record", RECORD_BYTES_MAX).await?, read("proofs", PROOFS_BYTES_MAX).await?))
}

fn from_files(record: &Path, proofs: Option<&Path>) -> Result<(Vec<u8>, Vec<u8>)> {
    let beside = record.with_extension("proofs");
    let read = |path: &Path, most: u64| {
        let failed = |e: std::io::Error| {
            let words = format!("{}: {e}", path.display());
            let kind = match e.kind() {
                std::io::ErrorKind::NotFound => Kind::NotFound,
                _ => Kind::Usage,
            };
            Failure::new(kind, words)
        };
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > most {
            return Err(Failure::refused(format!("{} is too long", path.display())));
        }
        std::fs::read(path).map_err(failed)
    };
    let record = read(record, RECORD_BYTES_MAX)?;
    Ok((record, read(proofs.unwrap_or(&beside), PROOFS_BYTES_MAX)?))
}
