//! Moves one part from what is to what is wanted, and watches it. Idempotent: it begins by
//! looking, so that a restarted worker goes on with the container that it finds.

use crate::board::Board;
use crate::host::{Host, HostError, Look, Probe};
use crate::store::{Intent, StoredPart};
use ionet_core::{PartId, PartState, PartStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

/// Between two looks at a part that is not ready yet.
const LOOK_SOON: Duration = Duration::from_millis(500);
/// Between two looks at a part that is: as often as a hired device's heartbeat.
const LOOK: Duration = Duration::from_secs(2);
/// Before the engine is asked again when it did not answer.
const ENGINE_RETRY: Duration = Duration::from_secs(1);
/// How often a network's rules are put back, should somebody have flushed them.
const NETWORK_REPEAT: Duration = Duration::from_secs(30);
/// Looks or probes in a row without an answer after which a part is no longer called ready.
const MISSES_MAX: u32 = 3;
/// Times that a container that vanished is made again within one generation.
const REMAKES_MAX: u32 = 3;
/// An image's arrival is reported each time that so many further bytes are here.
const PROGRESS_BYTES: u64 = 32 << 20;
/// Bytes of a failure's reason that are reported.
const REASON_BYTES_MAX: usize = 1_024;

/// Looks after one cluster's part until `wanted` is closed.
pub(crate) async fn tend(
    host: Arc<dyn Host>,
    board: Arc<Board>,
    mut wanted: watch::Receiver<Arc<StoredPart>>,
) {
    loop {
        let part = wanted.borrow_and_update().clone();
        let tender = Tender { host: &*host, board: &board, part: &part, remakes: 0 };
        let (id, request_id) = (part.spec.id, &part.request_id);
        let span = tracing::info_span!("part", cluster = %id.cluster, id.generation, request_id);
        tokio::select! {
            biased;
            changed = wanted.changed() => if changed.is_err() { return },
            () = tender.pursue().instrument(span) => {
                // As it should be; nothing to do until something else is wanted.
                if wanted.changed().await.is_err() { return }
            }
        }
    }
}

struct Tender<'a> {
    host: &'a dyn Host,
    board: &'a Board,
    part: &'a StoredPart,
    remakes: u32,
}

/// Whether a step is done for good or the loop goes on.
enum Step {
    Again,
    Done,
}

impl Tender<'_> {
    fn id(&self) -> PartId {
        self.part.spec.id
    }

    fn report(&self, state: PartState, started_at: Option<i64>) {
        self.board.set(PartStatus { id: self.id(), state, started_at });
    }

    fn fail(&self, error: &HostError) -> Step {
        let mut reason = error.to_string();
        while reason.len() > REASON_BYTES_MAX {
            reason.pop();
        }
        tracing::warn!(reason, "part failed");
        self.report(PartState::Failed { reason }, None);
        Step::Done
    }

    async fn pursue(mut self) {
        if let Intent::Stop { grace_s } = self.part.intent {
            return self.stop(grace_s).await;
        }
        loop {
            let step = match self.host.look(self.id()).await {
                Ok(Look::Missing) => self.make().await,
                Ok(Look::Running { started_at }) => self.watch(started_at).await,
                Ok(Look::Exited { started_at, code, tail }) => {
                    self.report(PartState::Exited { code, tail }, started_at);
                    Step::Done
                }
                Err(HostError::Away(reason)) => self.engine_away(&reason).await,
                Err(e) => self.fail(&e),
            };
            if matches!(step, Step::Done) {
                return;
            }
        }
    }

    async fn engine_away(&self, reason: &str) -> Step {
        tracing::warn!(reason, "waiting for the container engine");
        sleep(ENGINE_RETRY).await;
        Step::Again
    }

    async fn stop(&self, grace_s: u32) {
        loop {
            match self.host.remove(self.id(), grace_s).await {
                Ok(()) => return self.report(PartState::Stopped, None),
                Err(e) => {
                    tracing::warn!(error = %e, "the part is not gone yet");
                    sleep(ENGINE_RETRY).await;
                }
            }
        }
    }

    async fn make(&mut self) -> Step {
        if self.remakes == REMAKES_MAX {
            let gone = "its container vanished again and again";
            return self.fail(&HostError::Refused(gone.to_owned()));
        }
        self.remakes += 1;
        self.report(PartState::Pulling { done_bytes: 0, total_bytes: None }, None);
        let reported = AtomicU64::new(0);
        let progress = |done_bytes: u64, total_bytes: Option<u64>| {
            if done_bytes.saturating_sub(reported.load(Ordering::Relaxed)) >= PROGRESS_BYTES {
                reported.store(done_bytes, Ordering::Relaxed);
                self.report(PartState::Pulling { done_bytes, total_bytes }, None);
            }
        };
        let made = async {
            self.host.fetch_image(&self.part.spec, &progress).await?;
            self.report(PartState::Starting, None);
            self.host.start(self.part).await
        };
        match made.await {
            Ok(()) => Step::Again,
            Err(HostError::Away(reason)) => {
                // What did not reach the engine made nothing.
                self.remakes -= 1;
                self.engine_away(&reason).await
            }
            Err(e) => self.fail(&e),
        }
    }

    /// The container runs: probes it until it no longer does.
    async fn watch(&self, started_at: i64) -> Step {
        let known = self.board.get(self.id());
        // After a change of members the part is as ready as it was.
        let mut ready = known.is_some_and(|k| {
            k.started_at == Some(started_at) && matches!(k.state, PartState::Ready { .. })
        });
        if !ready {
            self.report(PartState::Running, Some(started_at));
        }
        let (mut misses, mut network_at) = (0, None::<Instant>);
        loop {
            if network_at.is_none_or(|at| at.elapsed() >= NETWORK_REPEAT) {
                network_at = Some(Instant::now());
                if let Err(e) = self.host.set_network(&self.part.spec).await {
                    tracing::warn!(error = %e, "the network is not as it should be");
                }
            }
            match self.host.probe(self.part).await {
                Ok(Probe::Alive(alive_nodes)) => {
                    (ready, misses) = (true, 0);
                    self.report(PartState::Ready { alive_nodes }, Some(started_at));
                }
                Ok(Probe::Silent) | Err(_) => misses += 1,
            }
            if ready && misses >= MISSES_MAX {
                ready = false;
                self.report(PartState::Running, Some(started_at));
            }
            sleep(if ready { LOOK } else { LOOK_SOON }).await;
            match self.host.look(self.id()).await {
                Ok(Look::Running { started_at: now }) if now == started_at => (),
                Err(HostError::Away(_)) => misses += 1,
                // Another start, an end or nothing at all: begin anew.
                Ok(_) | Err(_) => return Step::Again,
            }
        }
    }
}
