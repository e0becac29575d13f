//! Decide, append, fold.

use super::publish::Timeline;
use super::{Leader, LeaderError};
use crate::control::ControlError;
use crate::log::{Log, LogError, Record};
use ionet_core::ClusterId;
use ionet_network::{At, Command, Event, Facts, Rejection, Subject, decide};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Why a command came to nothing.
#[derive(Debug)]
pub(super) enum ApplyError {
    /// The core refused it.
    Rejected(Rejection),
    /// The log did not take it; nothing has changed.
    Log,
}

impl From<ApplyError> for ControlError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Log => ControlError::Internal,
            ApplyError::Rejected(rejection) => rejected(rejection),
        }
    }
}

/// What a renter or supplier is told of a rejection.
fn rejected(rejection: Rejection) -> ControlError {
    let reason = rejection.to_string();
    match rejection {
        Rejection::UnknownDevice(_) => ControlError::NotFound { what: "device" },
        Rejection::UnknownCluster(_) => ControlError::NotFound { what: "cluster" },
        Rejection::OtherOwner { .. } => ControlError::Forbidden(reason),
        Rejection::Spec(_) | Rejection::QuoteMismatch | Rejection::WrongId => {
            ControlError::BadRequest(reason)
        }
        Rejection::QuoteExpired { .. } => ControlError::QuoteExpired(reason),
        Rejection::NoCapacity(refusal) => no_capacity(&refusal),
        Rejection::Inventory
        | Rejection::Verdict
        | Rejection::Retired(_)
        | Rejection::Cloned(_)
        | Rejection::StaleSession { .. }
        | Rejection::ClusterExists(_)
        | Rejection::TooManyQuoted { .. }
        | Rejection::OtherLease(_)
        | Rejection::State { .. }
        | Rejection::UnknownLine { .. }
        | Rejection::LineMismatch { .. }
        | Rejection::TooEarly(_) => ControlError::Conflict { reason },
    }
}

/// A refusal of placement, for people and for programs.
pub(super) fn no_capacity(refusal: &ionet_placement::Refusal) -> ControlError {
    let detail = serde_json::to_value(refusal).unwrap_or_default();
    ControlError::NoCapacity { message: refusal.to_string(), detail }
}

/// What a log's events add up to.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) facts: Facts,
    pub(crate) seq: u64,
    pub(crate) timelines: BTreeMap<ClusterId, Timeline>,
    pub(crate) secrets: BTreeMap<ClusterId, Zeroizing<String>>,
}

impl Replay {
    /// Folds a whole log, and takes the secrets beside it.
    pub(crate) fn of(log: &Log) -> Result<Self, LeaderError> {
        let mut replay = Self { secrets: log.secrets()?.into_iter().collect(), ..Self::default() };
        log.replay::<LeaderError>(0, |entry| {
            let event = Event::from_json(entry.record.version, &entry.record.body)?;
            let at = At(entry.at_ms);
            replay.facts.fold(at, &event);
            replay.seq = entry.seq;
            let request_id = entry.record.request_id.as_deref();
            super::publish::note(
                &mut replay.timelines,
                &replay.facts,
                at,
                entry.seq,
                &event,
                request_id,
            );
            Ok(())
        })?;
        Ok(replay)
    }
}

impl Leader {
    /// Decides, and makes the decision true: in the log first, then here.
    pub(super) async fn apply(
        &mut self,
        at: At,
        command: Command,
        request_id: Option<&str>,
    ) -> Result<Vec<Event>, ApplyError> {
        let events = decide(&self.facts, at, command).map_err(ApplyError::Rejected)?;
        if events.is_empty() {
            return Ok(events);
        }
        let record = |event: &Event| Record {
            version: event.version(),
            body: event.to_json(),
            request_id: request_id.map(str::to_owned),
        };
        let records: Vec<_> = events.iter().map(record).collect();
        let (log, expected) = (self.log.clone(), self.seq + 1);
        let appended =
            tokio::task::spawn_blocking(move || log.append(expected, at.0, &records)).await;
        match appended {
            Ok(Ok(())) => (),
            Ok(Err(error)) => {
                self.log_failed(error);
                return Err(ApplyError::Log);
            }
            Err(panicked) => {
                self.log_failed(LogError::Unknown(panicked.to_string()));
                return Err(ApplyError::Log);
            }
        }
        for event in &events {
            self.take(at, event, request_id);
        }
        Ok(events)
    }

    /// The same where a rejection is nothing special: what was observed is stale or known.
    pub(super) async fn observe(&mut self, at: At, command: Command) -> bool {
        match self.apply(at, command, None).await {
            Ok(_) => true,
            Err(ApplyError::Rejected(rejection)) => {
                tracing::debug!(%rejection, "not taken");
                true
            }
            Err(ApplyError::Log) => false,
        }
    }

    fn take(&mut self, at: At, event: &Event, request_id: Option<&str>) {
        self.seq += 1;
        self.facts.fold(at, event);
        self.metrics.log_seq.set(self.seq as i64);
        tracing::info!(seq = self.seq, kind = event.kind(), request_id, subject = ?event.subject());
        match event.subject() {
            Subject::Network => self.changed_devices.extend(self.facts.devices.keys()),
            Subject::Device(device) => {
                self.changed_devices.insert(device);
            }
            Subject::Cluster(cluster) => {
                self.changed_clusters.insert(cluster);
                self.devices_of(event, cluster);
            }
        }
        let (timelines, facts) = (&mut self.timelines, &self.facts);
        super::publish::note(timelines, facts, at, self.seq, event, request_id);
        let asset = match event.subject() {
            Subject::Cluster(id) => self.facts.clusters.get(&id).map(|c| c.quote.asset),
            Subject::Device(_) | Subject::Network => None,
        };
        self.metrics.saw(event, asset);
    }

    /// Devices whose state an event about a cluster may change.
    fn devices_of(&mut self, event: &Event, cluster: ClusterId) {
        if let Event::SlotVacated { device, .. } = event {
            self.changed_devices.insert(*device);
        }
        if let Event::PartsStopped { devices, .. } = event {
            self.changed_devices.extend(devices);
        }
        if let Some(cluster) = self.facts.clusters.get(&cluster) {
            self.changed_devices.extend(cluster.seats().map(|(_, seat)| seat.device));
            self.changed_devices.extend(cluster.lines.values().map(|line| line.device));
        }
    }

    /// A write failed. One that changed nothing is tried again by the next plan; after any
    /// other this process no longer knows that it leads.
    pub(super) fn log_failed(&mut self, error: LogError) {
        self.metrics.log_errors.inc();
        tracing::error!(%error, "the log did not take it");
        match error {
            LogError::Storage(_) | LogError::Injected => (),
            LogError::Conflict(_)
            | LogError::Unknown(_)
            | LogError::Limit(_)
            | LogError::Format(_) => self.fatal = Some(error.into()),
        }
    }
}
