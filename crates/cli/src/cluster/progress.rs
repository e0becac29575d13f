//! Waiting for a cluster, with a bar for each step of its start.

use crate::context::Context;
use crate::failure::{Failure, Kind, Result};
use crate::rest::Rest;
use crate::sse;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use ionet_api::{Cluster, ClusterEvent, StateName};
use ionet_core::ClusterId;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The cluster is looked at this often even when no event comes: bars move between events.
const LOOK: Duration = Duration::from_millis(700);
/// Pause before a broken event stream is opened again.
const RECONNECT: Duration = Duration::from_millis(500);

/// Bars in the order of the steps.
struct Bars {
    all: MultiProgress,
    of: BTreeMap<String, ProgressBar>,
}

impl Bars {
    fn new(shown: bool) -> Self {
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { all: MultiProgress::with_draw_target(target), of: BTreeMap::new() }
    }

    fn show(&mut self, cluster: &Cluster) {
        for step in &cluster.steps {
            let bar = self.of.entry(step.name.clone()).or_insert_with(|| {
                let style = ProgressStyle::with_template("  {prefix:<11} [{bar:30}] {pos}/{len}")
                    .expect("a fixed template")
                    .progress_chars("=> ");
                let bar = self.all.add(ProgressBar::new(1)).with_style(style);
                bar.set_prefix(step.name.clone());
                bar
            });
            bar.set_length(step.total.max(step.done).max(1));
            bar.set_position(step.done);
        }
    }

    fn finish(self) {
        for bar in self.of.values() {
            bar.abandon();
        }
    }
}

/// Waits until the cluster serves, with bars for people and events as lines without a terminal.
pub(crate) async fn wait_ready(
    context: &Context,
    rest: &Rest,
    id: ClusterId,
    timeout_s: u64,
) -> Result<Cluster> {
    let interactive = context.out.interactive;
    let mut bars = Bars::new(interactive);
    let told = |event: &ClusterEvent| {
        if !interactive {
            context.out.say(format!("  {}", event.text));
        }
    };
    let done = wait(rest, id, timeout_s, told, |cluster| {
        bars.show(cluster);
        match cluster.state {
            StateName::Ready => Some(Ok(())),
            StateName::Failed | StateName::Closed | StateName::Stopping => {
                let why = cluster.reason.clone().unwrap_or_else(|| "no reason was given".into());
                Some(Err(Failure::refused(format!("the cluster did not start: {why}")).hint(
                    format!("the deposit comes back; `ionet cluster events {id}` tells all"),
                )))
            }
            _ => None,
        }
    })
    .await;
    bars.finish();
    done
}

/// Waits until `verdict` has one. Events are followed; the stream is opened again when it breaks.
pub(crate) async fn wait(
    rest: &Rest,
    id: ClusterId,
    timeout_s: u64,
    mut on_event: impl FnMut(&ClusterEvent),
    mut verdict: impl FnMut(&Cluster) -> Option<Result<()>>,
) -> Result<Cluster> {
    let deadline = Instant::now() + Duration::from_secs(timeout_s);
    let (mut after, mut stream) = (0, None);
    let mut parser = sse::Parser::default();
    loop {
        match rest.get::<Cluster>(&format!("/v1/clusters/{id}")).await {
            Ok(cluster) => {
                if let Some(result) = verdict(&cluster) {
                    return result.map(|()| cluster);
                }
            }
            // A coordinator that restarts is back in a moment.
            Err(f) if matches!(f.kind, Kind::Unreachable | Kind::Timeout) => (),
            Err(f) => return Err(f),
        }
        if Instant::now() >= deadline {
            let message = format!("{id} is not there after {timeout_s} s; it may still come");
            return Err(Failure::new(Kind::Timeout, message)
                .hint(format!("`ionet cluster show {id}`, or `ionet cluster close {id}`")));
        }
        if stream.is_none() {
            parser = sse::Parser::default();
            let path = format!("/v1/clusters/{id}/events?after={after}");
            stream = rest.stream(&path, "text/event-stream").await.ok();
        }
        let Some(open) = &mut stream else {
            tokio::time::sleep(RECONNECT).await;
            continue;
        };
        match tokio::time::timeout(LOOK, sse::next(open, &mut parser)).await {
            Err(_) => (),
            Ok(Ok(Some(events))) => {
                for data in events {
                    if let Ok(event) = serde_json::from_str::<ClusterEvent>(&data) {
                        after = after.max(event.seq);
                        on_event(&event);
                    }
                }
            }
            Ok(Ok(None) | Err(_)) => {
                stream = None;
                tokio::time::sleep(RECONNECT).await;
            }
        }
    }
}
