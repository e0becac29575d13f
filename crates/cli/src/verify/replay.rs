//! `ionet verify replay`.

use super::marks;
use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use crate::output::{Output, number};
use ionet_core::{Task, TrialId, Units};
use ionet_trust::record::{
    CERTAIN, OPENINGS_MIN, Outcome, Proofs, Record, Replay, is_weak, pieces, replay, slips,
};
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
    /// Tasks that are proven and opened enough to count.
    proven: usize,
    /// Proven tasks that opened too little to count.
    weak: usize,
    /// What was opened of each kind of task that was asked for.
    opened: Vec<Opened>,
    /// Everything that does not follow. Empty: the record is right.
    wrong: Vec<String>,
}

#[derive(Serialize)]
struct TaskReport {
    device: String,
    outcome: &'static str,
    /// Whether it opened too little to prove anything, whatever came of it.
    weak: bool,
    rounds: u32,
    /// `integer`, `matrix` or `memory`.
    task: &'static str,
    /// Multiply-adds a second; bytes a second of memory.
    rate: u64,
    rate_by_slots: u64,
}

/// What the proofs of one kind of task opened, and what that finds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Opened {
    task: &'static str,
    /// Leaves of rounds, pages of passes.
    pieces: u32,
    weak: bool,
    /// How likely a proof finds nothing of a tenth, and of a hundredth, of the work that was left
    /// out: in millionths of a millionth, rounded up.
    tenth_slips: u64,
    hundredth_slips: u64,
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
    context.out.answer(&report, || text(context.out, &report))?;
    if report.wrong.is_empty() && report.weak == 0 {
        return Ok(());
    }
    if report.wrong.is_empty() {
        let words = format!(
            "the record follows, and is weak: {} proofs opened too little to prove anything",
            report.weak
        );
        return Err(Failure::refused(words));
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
            weak: is_weak(&t.task),
            rounds,
            task: name(&t.task),
            rate: t.rate,
            rate_by_slots: t.rate_by_slots,
        }
    };
    let tasks: Vec<_> = found.tasks.iter().map(task).collect();
    let (weak, strong) =
        tasks.iter().filter(|t| t.outcome == "proven").partition::<Vec<&TaskReport>, _>(|t| t.weak);
    let (weak, proven) = (weak.len(), strong.len());
    Report {
        trial: record.trial.0,
        lane: record.lane.name(),
        coordinator: record.coordinator.to_string(),
        started_ms: record.started_ms,
        start_slots: record.starts.iter().map(|s| s.mark.slot).collect(),
        voided: found.voided,
        anchor_slot: record.anchor_slot,
        chain,
        tasks,
        proven,
        weak,
        opened: opened(record),
        wrong,
    }
}

const fn name(task: &Task) -> &'static str {
    match task {
        Task::Multiply { units: Units::Integer, .. } => "integer",
        Task::Multiply { units: Units::Matrix, .. } => "matrix",
        Task::Stream { .. } => "memory",
    }
}

/// One line for each kind of task and number of openings.
fn opened(record: &Record) -> Vec<Opened> {
    let of = |task: &Task| Opened {
        task: name(task),
        pieces: pieces(task),
        weak: is_weak(task),
        tenth_slips: slips(task, 100),
        hundredth_slips: slips(task, 10),
    };
    let mut all: Vec<_> = record.assignments.iter().flatten().map(of).collect();
    all.sort();
    all.dedup();
    all
}

/// A chance for people, rounded up: in a hundred where it is no rare one, else once in so many.
fn chance(parts: u64) -> String {
    match parts {
        0 => "never".to_owned(),
        rare if rare < CERTAIN / 100 => format!("once in {} trials", CERTAIN / rare),
        often => {
            let per_mille = often.div_ceil(CERTAIN / 1_000);
            format!("in {}.{} % of trials", per_mille / 10, per_mille % 10)
        }
    }
}

/// What the proofs opened, in words.
fn opened_text(opened: &Opened) -> String {
    let what = if opened.task == "memory" { "pages" } else { "leaves" };
    let weak = if opened.weak { "; weak: too few to prove anything" } else { "" };
    format!(
        "{}: each proof shows {} {what}; who leaves out a tenth passes {}, a hundredth {}{weak}\n",
        opened.task,
        opened.pieces,
        chance(opened.tenth_slips),
        chance(opened.hundredth_slips)
    )
}

fn text(out: Output, report: &Report) -> String {
    let mut table =
        out.table(["device", "task", "outcome", "rounds", "rate", "at least, by slots"]);
    for task in &report.tasks {
        let rate = |n: u64| match (n, task.task) {
            (0, _) => "-".to_owned(),
            (_, "memory") => format!("{}/s", crate::output::bytes(n)),
            _ => crate::device::multiply_adds(n),
        };
        table.add_row([
            task.device.clone().into(),
            task.task.into(),
            if task.weak { format!("{}, weak", task.outcome) } else { task.outcome.into() }.into(),
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
    report.opened.iter().for_each(|opened| text.push_str(&opened_text(opened)));
    let (all, proven) = (report.tasks.len(), report.proven);
    text.push_str(&format!("{proven} of {all} tasks are proven"));
    text.push_str(&match report.weak {
        0 => "\n".to_owned(),
        n => format!("; {n} more would be, had they opened {OPENINGS_MIN} pieces or more\n"),
    });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;
    use ionet_core::{DeviceId, Wallet};
    use ionet_trust::Secret;
    use ionet_trust::record::{Lane, Mark, Replayed, Start};

    const OUT: Output = Output { json: false, colour: false, interactive: false };

    fn rounds(openings: u16) -> Task {
        Task::Multiply { units: Units::Integer, side: 64, width: 16, openings, time_ms: 1_000 }
    }

    fn passes(openings: u16) -> Task {
        Task::Stream { bytes: 1 << 20, openings, time_ms: 1_000 }
    }

    /// The report of a record that asked for these tasks, each proven by one device.
    fn reported(tasks: &[Task]) -> Report {
        let secret = Secret([1; 32]);
        let record = Record {
            trial: TrialId(7),
            before: TrialId(6),
            lane: Lane::Joining,
            genesis: [2; 32],
            coordinator: Wallet([3; 32]),
            previous: [0; 32],
            promised: secret.precommitment(),
            promise: [0; 64],
            promise_slot: 0,
            secret,
            basis: Mark::default(),
            period_ms: 0,
            starts: vec![Start::default()],
            anchor_slot: 1,
            anchor: [4; 64],
            late: Mark::default(),
            started_ms: 0,
            grace_us: 0,
            assignments: tasks.iter().map(|t| vec![*t]).collect(),
            entries: Vec::new(),
        };
        let done = |(number, task): (usize, &Task)| Replayed {
            chip: DeviceId([number as u8; 32]).into(),
            number: 0,
            task: *task,
            outcome: Outcome::Proven(3),
            rate: 9_000_000_000,
            rate_by_slots: 1_000_000_000,
        };
        let found = Replay {
            tasks: tasks.iter().enumerate().map(done).collect(),
            disagreements: Vec::new(),
            wait_ms: 0,
            voided: 0,
        };
        report(&record, &found, "not looked up".to_owned(), Vec::new())
    }

    #[test]
    fn a_record_of_few_openings_is_weak_and_proves_nothing() {
        let strong = reported(&[rounds(64), rounds(64), passes(24)]);
        assert_eq!((strong.proven, strong.weak, strong.opened.len()), (3, 0, 2));
        let shown = text(OUT, &strong);
        for part in [
            "integer: each proof shows 64 leaves; who leaves out a tenth passes once in 848 \
             trials, a hundredth in 52.6 % of trials",
            "memory: each proof shows 48 pages; who leaves out a tenth passes once in 157 trials",
            "3 of 3 tasks are proven\n",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        assert!(!shown.contains("weak"), "{shown}");

        let one = reported(&[rounds(1), passes(24)]);
        assert_eq!((one.proven, one.weak), (1, 1));
        let shown = text(OUT, &one);
        for part in [
            "proven, weak",
            "integer: each proof shows 1 leaves; who leaves out a tenth passes in 90.0 % of \
             trials",
            "weak: too few to prove anything",
            "1 of 2 tasks are proven; 1 more would be",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        let json = serde_json::to_value(&one).unwrap();
        assert_eq!((&json["proven"], &json["weak"]), (&1.into(), &1.into()));
        assert_eq!(json["tasks"][0]["weak"], true);
    }

    #[test]
    fn chances_are_rounded_against_the_record() {
        assert_eq!(chance(0), "never");
        assert_eq!(chance(CERTAIN), "in 100.0 % of trials");
        assert_eq!(chance(CERTAIN / 2 + 1), "in 50.1 % of trials");
        assert_eq!(chance(1_179_018_458), "once in 848 trials");
        assert_eq!(chance(1), "once in 1000000000000 trials");
    }
}
