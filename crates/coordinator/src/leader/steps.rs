//! Steps of the plan, done beside the loop: one at a time for each cluster's money and for each
//! part. No step retries by itself: the next plan does, after a growing rest.

use super::{Done, Leader, meters, publish::key_of};
use crate::market::{BindOutcome, Market, MarketStepError, is_fenced};
use crate::sessions::Outgoing;
use ionet_core::{ClusterId, DeviceId, PartId, PartState, PartStatus, Vouch, Wallet};
use ionet_network::{
    At, AttestedLine, Cluster, Command, LeaseClockView, LeaseView, LineRef, Money, Placement, Plan,
    Step, plan,
};
use ionet_wire::message::{CommandBody, Outcome as Answer, PartSecrets};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;

/// Steps under way at once.
const FLIGHTS_MAX: usize = 512;
/// Rest after a step failed once, in milliseconds; doubled each time.
const REST_MS: u64 = 250;
/// Longest rest, in milliseconds.
const REST_MS_MAX: u64 = 30_000;
/// Rest before a command that a device accepted is repeated, in milliseconds: two heartbeats.
const ACCEPTED_REST_MS: u64 = 4_000;
/// Time for a device to answer a command: it only writes it down.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Seconds for a container to end by itself.
const GRACE_SECONDS: u32 = 10;
/// Milliseconds after the start in which the last attestation waits for devices' receipts: they
/// notice the end of their old connections after 30 s at the latest.
const RECEIPTS_WAIT_MS: u64 = 45_000;
/// Share of the claim window that must be left for the last attestation.
const WINDOW_LEFT: u64 = 4;

/// What is never under way twice at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StepKey {
    /// The money of a cluster.
    Money(ClusterId),
    /// A part of a cluster.
    Part(ClusterId, DeviceId),
}

/// Failures of steps, and until when they rest.
#[derive(Default)]
pub(super) struct Attempts {
    rests: BTreeMap<(StepKey, &'static str), (u32, At)>,
}

impl Attempts {
    fn may(&self, key: StepKey, kind: &'static str, now: At) -> bool {
        self.rests.get(&(key, kind)).is_none_or(|(_, until)| now >= *until)
    }

    fn failed(&mut self, key: StepKey, kind: &'static str, now: At) -> u32 {
        // What has rested long ago is forgotten.
        self.rests.retain(|_, (_, until)| now.ms_since(*until) < 20 * REST_MS_MAX);
        let (count, until) = self.rests.entry((key, kind)).or_insert((0, now));
        let rest = REST_MS.saturating_mul(1 << (*count).min(10)).min(REST_MS_MAX);
        (*count, *until) = (count.saturating_add(1), now.plus_ms(rest));
        *count
    }

    fn done(&mut self, key: StepKey, kind: &'static str) {
        self.rests.remove(&(key, kind));
    }

    fn accepted(&mut self, key: StepKey, kind: &'static str, now: At) {
        self.rests.insert((key, kind), (0, now.plus_ms(ACCEPTED_REST_MS)));
    }

    /// The chain answers again: its steps need not rest any longer.
    pub(super) fn wake_money(&mut self) {
        self.rests.retain(|(key, _), _| !matches!(key, StepKey::Money(_)));
    }
}

/// What a step brought.
pub(super) struct Outcome {
    key: StepKey,
    kind: &'static str,
    cluster: ClusterId,
    result: Result<Brought, StepError>,
}

/// Why a step did not happen.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Market(#[from] MarketStepError),
    #[error(transparent)]
    Ledger(#[from] ionet_ledger::LedgerError),
    #[error("the device does not answer")]
    Silent,
    #[error("the device answers: {0}")]
    Device(String),
}

enum Brought {
    Bound(BindOutcome),
    Started(Vec<LineRef>, At),
    Ended(Vec<LineRef>),
    Lease(Box<Option<(LeaseView, LeaseClockView)>>),
    Attested { page: u16, lines: Vec<AttestedLine>, last: bool },
    Withdrawn(Vec<LineRef>),
    Reclaimed,
    Released,
    Told { device: DeviceId, generation: u32, membership: u32 },
    Stopping,
    Refused { device: DeviceId, part: PartId, reason: String },
}

impl Leader {
    /// Does what the plan says, as far as it is not under way or resting.
    pub(super) async fn act(&mut self, now: At, mut plan_now: Plan) {
        let before = self.seq;
        for step in &plan_now.steps {
            if let Step::Record(command) = step {
                self.observe(now, (**command).clone()).await;
            }
        }
        if self.seq != before {
            plan_now = plan(&self.facts, &self.soft, now);
        }
        self.release_devices(now);
        for step in plan_now.steps {
            if self.flights.len() >= FLIGHTS_MAX || self.fatal.is_some() {
                return;
            }
            self.begin(now, step).await;
        }
    }

    async fn begin(&mut self, now: At, step: Step) {
        match step {
            Step::Record(_) => (),
            Step::RunPart { cluster, device, generation, membership, .. } => {
                let told = (generation, membership);
                self.run_part(now, cluster, device, told).await;
            }
            Step::SetMembers { cluster, device, generation, membership } => {
                self.set_members(now, cluster, device, (generation, membership));
            }
            Step::StopPart { cluster, device, generation } => {
                let id = PartId { cluster, generation };
                let body = CommandBody::StopPart { id, grace_seconds: GRACE_SECONDS };
                let brought = Brought::Stopping;
                self.command(now, (cluster, device, id), "stop-part", body, brought);
            }
            money => self.begin_money(now, money),
        }
    }

    fn begin_money(&mut self, now: At, step: Step) {
        let epoch = self.log.epoch();
        match step {
            Step::BindLines { cluster, lines } => {
                let wanted: Vec<_> = lines
                    .into_iter()
                    .map(|l| Placement {
                        slot: l.slot,
                        device: l.device,
                        chips: l.chips,
                        rate: l.rate,
                        reason: String::new(),
                    })
                    .collect();
                self.money(now, cluster, "bind", move |market: Market, lease| async move {
                    Ok(Brought::Bound(market.bind(lease, epoch, &wanted).await?))
                });
            }
            Step::StartLines { cluster, lines } => {
                self.money(now, cluster, "start", move |market: Market, lease| async move {
                    let at = market.start(lease, epoch, &lines).await?;
                    Ok(Brought::Started(lines, at))
                });
            }
            Step::EndLines { cluster, lines } => {
                self.money(now, cluster, "end-lines", move |market: Market, lease| async move {
                    market.end_lines(lease, epoch, &lines).await?;
                    Ok(Brought::Ended(lines))
                });
            }
            Step::CloseLease { cluster, reason } => {
                self.money(now, cluster, "close", move |market: Market, lease| async move {
                    market.close(lease, epoch, &reason).await?;
                    seen(&market, lease).await
                });
            }
            Step::Attest { cluster, page, lines, last } => {
                self.attest(now, cluster, page, &lines, last);
            }
            Step::Withdraw { cluster, lines } => {
                self.money(now, cluster, "withdraw", move |market: Market, lease| async move {
                    match market.withdraw(lease).await {
                        Ok(()) => (),
                        Err(e) if e.is_transient() => return Err(e.into()),
                        // Its owner can still draw it once its account can take it.
                        Err(e) => tracing::warn!(%lease, error = %e, "a payout was refused"),
                    }
                    Ok(Brought::Withdrawn(lines))
                });
            }
            Step::Finalize { cluster, not_before } => {
                // The chain takes claims up to and including that second.
                if self.clock.chain() > not_before.plus_ms(1_000) {
                    self.money(now, cluster, "finalize", move |market: Market, lease| async move {
                        market.finalize(lease).await?;
                        seen(&market, lease).await
                    });
                }
            }
            Step::Reclaim { cluster } => {
                self.money(now, cluster, "reclaim", move |market: Market, lease| async move {
                    // Fees that are not swept yet keep the lease from being reclaimed.
                    match market.finalize(lease).await {
                        Ok(()) | Err(MarketStepError::NoLease(_)) => (),
                        Err(e) => return Err(e.into()),
                    }
                    market.reclaim(lease, epoch).await?;
                    Ok(Brought::Reclaimed)
                });
            }
            Step::Record(_)
            | Step::RunPart { .. }
            | Step::SetMembers { .. }
            | Step::StopPart { .. } => (),
        }
    }

    /// Closing walks over no lines, so the devices of a closed lease are still marked on-chain:
    /// frees them, once for each lease.
    fn release_devices(&mut self, now: At) {
        let epoch = self.log.epoch();
        let due = |c: &&Cluster| {
            matches!(c.money, Money::Closed { .. })
                && !c.lines.is_empty()
                && !self.released.contains(&c.id)
        };
        let due: Vec<_> = self.facts.clusters.values().filter(due).map(|c| c.id).collect();
        for id in due {
            let Some(cluster) = self.facts.clusters.get(&id) else { continue };
            let lines: Vec<_> = cluster.lines.keys().copied().collect();
            self.money(now, id, "release", move |market: Market, lease| async move {
                market.end_lines(lease, epoch, &lines).await?;
                Ok(Brought::Released)
            });
        }
    }

    fn attest(&mut self, now: At, id: ClusterId, page: u16, lines: &[LineRef], last: bool) {
        let Some(cluster) = self.facts.clusters.get(&id) else { return };
        let mut waits = false;
        let mut served = Vec::with_capacity(lines.len());
        for at in lines {
            let Some(line) = cluster.lines.get(at) else { continue };
            let key = key_of(cluster, *at, line);
            waits |= meters::awaits(self.sessions.table().meters(line.device), &key);
            let served_s = self.served(cluster, *at, line);
            served.push(AttestedLine { index: at.index, served_s });
        }
        let (since_start, clock) = (now.ms_since(self.soft.started_at), self.clock.chain());
        let in_time = match cluster.money {
            Money::Closed { closed_at, claims_until, .. } => {
                let window = claims_until.ms_since(closed_at);
                claims_until.ms_since(clock) > window / WINDOW_LEFT
            }
            Money::Unfunded
            | Money::Open { .. }
            | Money::Finalized { .. }
            | Money::Reclaimed { .. } => false,
        };
        if last && waits && in_time && since_start < RECEIPTS_WAIT_MS {
            return;
        }
        let epoch = self.log.epoch();
        if cluster.terms.as_ref().is_some_and(|terms| terms.vouch == Vouch::Session) {
            self.claim(now, id, page, lines, last);
            return;
        }
        self.money(now, id, "attest", move |market: Market, lease| async move {
            let lines = market.attest(lease, epoch, page, &served).await?;
            Ok(Brought::Attested { page, lines, last })
        });
    }

    /// Where our word does not count: what the renter's side signed is cashed for the suppliers.
    fn claim(&mut self, now: At, id: ClusterId, page: u16, lines: &[LineRef], last: bool) {
        let Some(cluster) = self.facts.clusters.get(&id) else { return };
        let receipts: Vec<_> = {
            let table = self.sessions.table();
            let kept = |at: &LineRef| {
                let line = cluster.lines.get(at)?;
                table.meter_of(line.device, &key_of(cluster, *at, line))?.vouched.clone()
            };
            lines.iter().filter_map(kept).collect()
        };
        let lines = lines.to_vec();
        self.money(now, id, "claim", move |market: Market, lease| async move {
            let lines = market.claim(lease, page, &lines, &receipts).await?;
            Ok(Brought::Attested { page, lines, last })
        });
    }

    /// Spawns a money step, if its cluster has none under way and the chain answers.
    fn money<F, T>(&mut self, now: At, id: ClusterId, kind: &'static str, step: F)
    where
        F: FnOnce(Market, Wallet) -> T,
        T: Future<Output = Result<Brought, StepError>> + Send + 'static,
    {
        let key = StepKey::Money(id);
        let free = !self.flights.contains(&key) && self.attempts.may(key, kind, now);
        if !free || self.chain_down.is_some() {
            return;
        }
        let Some(cluster) = self.facts.clusters.get(&id) else { return };
        let (market, lease) = (self.market.clone(), cluster.lease);
        tracing::info!(cluster = %id, kind, request_id = cluster.request_id, "step");
        self.flights.insert(key);
        let step = step(market, lease);
        self.tasks.spawn(async move {
            let result = step.await;
            Done::Step(Outcome { key, kind, cluster: id, result })
        });
    }

    async fn run_part(&mut self, now: At, id: ClusterId, device: DeviceId, told: (u32, u32)) {
        let key = StepKey::Part(id, device);
        if self.flights.contains(&key) || !self.attempts.may(key, "run-part", now) {
            return;
        }
        let Some(spec) = self.facts.part_spec(id, device) else { return };
        let Some(ray_token) = self.secret(id).await else { return };
        let Some(cluster) = self.facts.clusters.get(&id) else { return };
        let part = spec.id;
        let body = CommandBody::RunPart {
            spec: Box::new(spec),
            lease: cluster.lease,
            vouchers: vouchers_of(cluster),
            secrets: PartSecrets { ray_token },
        };
        let brought = Brought::Told { device, generation: told.0, membership: told.1 };
        self.command(now, (id, device, part), "run-part", body, brought);
    }

    fn set_members(&mut self, now: At, id: ClusterId, device: DeviceId, told: (u32, u32)) {
        let Some(spec) = self.facts.part_spec(id, device) else { return };
        let body = CommandBody::SetMembers { id: spec.id, membership: spec.membership };
        let brought = Brought::Told { device, generation: told.0, membership: told.1 };
        self.command(now, (id, device, spec.id), "set-members", body, brought);
    }

    /// Ray's token of a cluster: made once, kept beside the log.
    async fn secret(&mut self, id: ClusterId) -> Option<String> {
        if let Some(kept) = self.secrets.get(&id) {
            return Some(kept.to_string());
        }
        let log = self.log.clone();
        let made = tokio::task::spawn_blocking(move || {
            let fresh = zeroize::Zeroizing::new(hex::encode(rand::random::<[u8; 32]>()));
            log.secret(id, &fresh)
        });
        match made.await {
            Ok(Ok(kept)) => {
                let text = kept.to_string();
                self.secrets.insert(id, kept);
                self.changed_clusters.insert(id);
                Some(text)
            }
            Ok(Err(error)) => {
                self.log_failed(error);
                None
            }
            Err(_) => None,
        }
    }

    /// Sends a command, if its part has none under way and its device is connected.
    fn command(
        &mut self,
        now: At,
        (id, device, part): (ClusterId, DeviceId, PartId),
        kind: &'static str,
        body: CommandBody,
        brought: Brought,
    ) {
        let key = StepKey::Part(id, device);
        if self.flights.contains(&key) || !self.attempts.may(key, kind, now) {
            return;
        }
        let link = self.sessions.table().get(device).map(|s| s.link.commands.clone());
        let Some(commands) = link else { return };
        let known = self.facts.clusters.get(&id);
        let request_id = known.map_or_else(String::new, |c| c.request_id.clone());
        tracing::info!(cluster = %id, %device, kind, request_id, "step");
        self.flights.insert(key);
        self.tasks.spawn(async move {
            let (reply, answer) = oneshot::channel();
            let wish = Outgoing::Command { request_id, body: Box::new(body), reply };
            // A full queue drops the wish, and its answer with it.
            drop(commands.try_send(wish));
            let answer = tokio::time::timeout(ANSWER_TIME_MAX, answer).await;
            let result = match answer {
                Ok(Ok(Answer::Accepted)) => Ok(brought),
                Ok(Ok(Answer::Rejected { reason })) => {
                    Ok(Brought::Refused { device, part, reason })
                }
                Ok(Ok(other)) => Err(StepError::Device(format!("{other:?}"))),
                Ok(Err(_)) | Err(_) => Err(StepError::Silent),
            };
            Done::Step(Outcome { key, kind, cluster: id, result })
        });
    }

    /// A step came back.
    pub(super) async fn step_done(&mut self, outcome: Outcome) {
        let Outcome { key, kind, cluster, result } = outcome;
        self.flights.remove(&key);
        let now = self.clock.now();
        match result {
            Ok(brought) => {
                self.metrics.steps.with_label_values(&[kind, "done"]).inc();
                match brought {
                    Brought::Told { .. } | Brought::Stopping => {
                        self.attempts.accepted(key, kind, now);
                    }
                    _ => self.attempts.done(key, kind),
                }
                self.brought(now, cluster, brought).await;
            }
            Err(error) => {
                self.metrics.steps.with_label_values(&[kind, "failed"]).inc();
                let count = self.attempts.failed(key, kind, now);
                tracing::warn!(%cluster, kind, count, %error, "a step failed");
                if let StepError::Market(error) = &error {
                    self.metrics.chain_errors.inc();
                    if is_fenced(error) {
                        self.fatal = Some(super::LeaderError::Fenced);
                    }
                }
            }
        }
    }

    async fn brought(&mut self, now: At, cluster: ClusterId, brought: Brought) {
        match brought {
            Brought::Bound(BindOutcome { bound, failed }) => {
                if !bound.is_empty() {
                    self.observe(now, Command::LinesBound { cluster, lines: bound }).await;
                }
                for (device, reason) in failed {
                    self.observe(now, Command::BindFailed { cluster, device, reason }).await;
                    self.devices_due = now;
                }
            }
            Brought::Started(lines, started_at) => {
                let started = Command::LinesStarted { cluster, lines, started_at };
                self.observe(now, started).await;
            }
            Brought::Ended(lines) => {
                self.observe(now, Command::LinesEnded { cluster, lines }).await;
            }
            Brought::Lease(seen) => {
                if let Some((view, clock)) = *seen {
                    self.lease_seen(now, cluster, view, clock).await;
                }
            }
            Brought::Attested { page, lines, last } => {
                self.observe(now, Command::Attested { cluster, page, lines, last }).await;
            }
            Brought::Withdrawn(lines) => {
                self.observe(now, Command::Withdrawn { cluster, lines }).await;
            }
            Brought::Reclaimed => self.reclaimed(now, cluster).await,
            Brought::Released => {
                self.released.insert(cluster);
                self.devices_due = now;
            }
            Brought::Told { device, generation, membership } => {
                self.soft.told.insert((cluster, device), (generation, membership));
            }
            Brought::Stopping => (),
            Brought::Refused { device, part, reason } => {
                self.part_refused(now, device, part, reason).await;
            }
        }
    }

    /// The accounts are gone, and with them what only a running cluster needs.
    pub(super) async fn reclaimed(&mut self, now: At, cluster: ClusterId) {
        self.observe(now, Command::Reclaimed { cluster }).await;
        self.soft.leases.remove(&cluster);
        self.soft.told.retain(|(id, _), _| *id != cluster);
        self.soft.vouched.remove(&cluster);
        self.stood_before.retain(|(id, _), _| *id != cluster);
        self.released.remove(&cluster);
        self.secrets.remove(&cluster);
        let log = self.log.clone();
        self.tasks.spawn_blocking(move || Done::Alive(log.forget_secret(cluster)));
    }

    /// A device that will not run a part has failed it.
    async fn part_refused(&mut self, now: At, device: DeviceId, part: PartId, reason: String) {
        let seat = self.facts.clusters.get(&part.cluster).and_then(|c| c.seat_of(device));
        if seat.is_none_or(|(_, seat)| seat.generation != part.generation) {
            return;
        }
        let Some(session) = self.facts.devices.get(&device).map(|d| d.session) else { return };
        let reason = format!("the device refused it: {reason}");
        let failed = PartStatus { id: part, state: PartState::Failed { reason }, started_at: None };
        let mut parts = {
            let table = self.sessions.table();
            table.get(device).map_or_else(Vec::new, |s| s.parts().to_vec())
        };
        parts.retain(|p| p.id != part);
        parts.push(failed);
        self.observe(now, Command::DeviceReport { device, session, parts }).await;
    }

    /// Clusters of which money steps are under way.
    pub(super) fn busy(&self) -> BTreeSet<ClusterId> {
        let money = |key: &StepKey| match key {
            StepKey::Money(cluster) => Some(*cluster),
            StepKey::Part(..) => None,
        };
        self.flights.iter().filter_map(money).collect()
    }
}

/// Whose receipts count for a cluster's lease.
fn vouchers_of(cluster: &Cluster) -> Vec<Wallet> {
    let terms = cluster.terms.as_ref();
    terms.map_or_else(Vec::new, |terms| terms.vouchers(cluster.coordinator, cluster.renter))
}

async fn seen(market: &Market, lease: Wallet) -> Result<Brought, StepError> {
    let seen = market.leases(&[lease]).await?.pop().flatten();
    Ok(Brought::Lease(Box::new(seen)))
}
