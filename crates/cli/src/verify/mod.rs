//! `ionet verify`: ask a device to prove its chips, and compute again what others proved.

mod marks;
mod replay;

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::{bytes as size, number};
use ionet_api::{Device, TrialAsked, TrialSummary};
use ionet_core::{DeviceId, TrialId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at a device that proves.
const POLL: Duration = Duration::from_millis(500);
/// For a device that was asked: it may have to be idle first.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// Ask a device to prove its chips now, or check what others proved.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct VerifyArgs {
    /// Ask this device for a proof
    device: Option<DeviceId>,
    /// Do not wait for what comes of it
    #[arg(long, requires = "device")]
    no_wait: bool,
    /// Or work with the records of trials.
    #[command(subcommand)]
    command: Option<VerifyCommand>,
}

/// Works with the records of trials.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum VerifyCommand {
    /// Compute a trial again, from its record and proofs alone
    Replay(replay::ReplayArgs),
    /// Keep a trial's record and proofs as files, to replay them anywhere
    Fetch {
        /// Its number.
        trial: u64,
        /// Where to.
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
    },
    /// Trials that the coordinator held, the newest first
    List {
        /// Those before this number.
        #[arg(long, value_name = "TRIAL")]
        before: Option<u64>,
    },
}

/// Does it.
pub(crate) async fn run(context: &Context, args: VerifyArgs) -> Result<()> {
    match (args.device, args.command) {
        (Some(device), None) => ask(context, device, args.no_wait).await,
        (_, Some(VerifyCommand::Replay(args))) => replay::run(context, args).await,
        (_, Some(VerifyCommand::Fetch { trial, dir })) => fetch(context, trial, dir).await,
        (_, Some(VerifyCommand::List { before })) => list(context, before).await,
        (None, None) => Err(Failure::usage("name a device, or `replay`, `fetch` or `list`")),
    }
}

async fn ask(context: &Context, id: DeviceId, no_wait: bool) -> Result<()> {
    let rest = context.signed_in().await?;
    let before: Device = rest.get(&format!("/v1/devices/{id}")).await?;
    let judged = |d: &Device| d.verdict.as_ref().map(|v| v.at_ms);
    let path = format!("/v1/devices/{id}/trials");
    let asked: TrialAsked = rest.post(&path, &serde_json::json!({})).await?;
    if no_wait {
        return context.out.answer(&asked, || asked.message.clone());
    }
    let until = Instant::now() + WAIT_MAX;
    loop {
        let now: Device = rest.get(&format!("/v1/devices/{id}")).await?;
        if judged(&now) > judged(&before) {
            return context.out.answer(&now, || crate::device::shown(context.out, &now));
        }
        if Instant::now() > until {
            let words = format!("device {id} has not proven anything yet; it is still asked to");
            return Err(Failure::new(crate::failure::Kind::Timeout, words));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn list(context: &Context, before: Option<u64>) -> Result<()> {
    let query = before.map(|n| format!("?before={n}")).unwrap_or_default();
    let found: Vec<TrialSummary> = context.rest()?.get(&format!("/v1/trials{query}")).await?;
    context.out.answer(&found, || {
        if found.is_empty() {
            return "no trials yet".to_owned();
        }
        let headings = ["trial", "lane", "started", "devices", "tasks proven"];
        let mut table = context.out.table(headings);
        for t in &found {
            let started = ionet_core::rfc3339(t.started_ms.div_euclid(1_000));
            table.add_row([
                number(t.trial.to_string()),
                t.lane.clone().into(),
                started.into(),
                number(t.devices.to_string()),
                match &t.void {
                    Some(why) => format!("void: {why}").into(),
                    None => number(format!("{}/{}", t.tasks_proven, t.tasks)),
                },
            ]);
        }
        format!("{table}\n\n{}`ionet verify replay TRIAL` computes one again", counted(&found))
    })
}

/// What came to nothing among these trials, lane by lane, and which numbers are not shown at all:
/// a coordinator numbers its trials one after the other.
fn counted(found: &[TrialSummary]) -> String {
    let mut lanes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for trial in found {
        let (all, void) = lanes.entry(&trial.lane).or_default();
        *all += 1;
        *void += usize::from(trial.void.is_some());
    }
    let said: Vec<_> = lanes
        .iter()
        .map(|(lane, (all, void))| format!("{void} of {all} {lane} trials came to nothing"))
        .collect();
    let numbers: BTreeSet<u64> = found.iter().map(|t| t.trial).collect();
    let (first, last) = (numbers.first().copied(), numbers.last().copied());
    let span = first.zip(last).map_or(0, |(first, last)| last.abs_diff(first).saturating_add(1));
    let unshown = span.saturating_sub(numbers.len() as u64);
    let unshown = match unshown {
        0 => String::new(),
        n => format!("; {n} numbers in between are not shown: neither a record nor a reason"),
    };
    format!("{}{unshown}\n", said.join(", "))
}

async fn fetch(context: &Context, trial: u64, dir: PathBuf) -> Result<()> {
    let (record, proofs) = replay::from_coordinator(context, TrialId(trial)).await?;
    std::fs::create_dir_all(&dir).map_err(|e| unwritten(&dir, &e))?;
    let paths = ["record", "proofs"].map(|kind| dir.join(format!("trial-{trial}.{kind}")));
    for (path, bytes) in paths.iter().zip([&record, &proofs]) {
        std::fs::write(path, bytes).map_err(|e| unwritten(path, &e))?;
    }
    let value = serde_json::json!({ "record": paths[0], "proofs": paths[1] });
    context.out.answer(&value, || {
        format!(
            "{} ({}) and {} ({})\n`ionet verify replay {}` computes it again, on any machine",
            paths[0].display(),
            size(record.len() as u64),
            paths[1].display(),
            size(proofs.len() as u64),
            paths[0].display()
        )
    })
}

fn unwritten(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(trial: u64, lane: &str, void: Option<&str>) -> TrialSummary {
        TrialSummary {
            trial,
            lane: lane.to_owned(),
            started_ms: 0,
            devices: 0,
            tasks_proven: 0,
            tasks: 0,
            record_hash: None,
            promise: String::new(),
            void: void.map(str::to_owned),
        }
    }

    #[test]
    fn what_came_to_nothing_is_counted_and_so_is_what_is_not_shown() {
        let all = [
            trial(9, "period", None),
            trial(8, "joining", Some("a crash")),
            trial(7, "joining", Some("the chain stands still")),
            trial(6, "joining", None),
        ];
        let whole = "2 of 3 joining trials came to nothing, 0 of 1 period trials came to nothing\n";
        assert_eq!(counted(&all), whole);
        let hidden = counted(&[trial(9, "period", None), trial(4, "period", None)]);
        assert!(hidden.contains("; 4 numbers in between are not shown"), "{hidden}");
        let far = counted(&[trial(u64::MAX, "period", None), trial(0, "period", None)]);
        assert!(far.contains("not shown"), "{far}");
    }
}
