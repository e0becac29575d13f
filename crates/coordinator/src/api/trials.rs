//! Records of trials, for whoever wants to check them, and asking for another.

use super::App;
use super::auth::{Owner, ToChange};
use super::extract::{Asked, DevicePath};
use super::problem::ApiError;
use crate::trial::Void;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use ionet_api::{ProblemCode, TrialAsked, TrialSummary};
use ionet_core::TrialId;
use ionet_ledger::Signature;
use ionet_trust::record::{Outcome, Record};
use serde::Deserialize;
use std::path::PathBuf;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

/// Trials in one answer: each is read from its record.
const PAGE_MAX: usize = 50;

/// Which trials.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct TrialsQuery {
    /// Those before this number: the last of the page before.
    before: Option<u64>,
    /// Trials in the answer: 1 to 50.
    limit: Option<usize>,
}

fn off() -> ApiError {
    ApiError::new(ProblemCode::NotFound, "this coordinator holds no trials")
}

fn unreadable(error: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%error, "the folder of trials");
    ApiError::new(ProblemCode::Internal, "the records cannot be read")
}

fn summary(record: &Record) -> TrialSummary {
    let outcomes = || record.entries.iter().flat_map(|e| &e.answers).map(|a| a.outcome);
    let proven = outcomes().filter(|o| matches!(o, Outcome::Proven(_))).count();
    TrialSummary {
        trial: record.trial.0,
        lane: record.lane.name().to_owned(),
        started_ms: record.started_ms,
        devices: record.entries.len() as u32,
        tasks_proven: proven as u32,
        tasks: outcomes().count() as u32,
        record_hash: Some(hex::encode(record.hash())),
        promise: Signature::from(record.promise).to_string(),
        void: None,
    }
}

fn nothing(void: Void) -> TrialSummary {
    let mut promise = [0; 64];
    let known = hex::decode_to_slice(&void.begun.promise, &mut promise).is_ok();
    TrialSummary {
        trial: void.begun.trial.0,
        lane: void.begun.lane,
        started_ms: void.begun.began_ms,
        devices: 0,
        tasks_proven: 0,
        tasks: 0,
        record_hash: None,
        promise: if known { Signature::from(promise).to_string() } else { String::new() },
        void: Some(void.why),
    }
}

/// Trials whose records are kept, and those that came to nothing, the newest first.
#[utoipa::path(get, path = "/v1/trials", params(TrialsQuery),
    responses((status = 200, body = [TrialSummary])), tag = "trials")]
pub(super) async fn list(
    State(app): State<App>,
    Asked(query): Asked<TrialsQuery>,
) -> Result<Json<Vec<TrialSummary>>, ApiError> {
    let shelf = app.config.trials.as_ref().ok_or_else(off)?.shelf.clone();
    let limit = query.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let read = tokio::task::spawn_blocking(move || {
        let earlier = |trial: &TrialId| query.before.is_none_or(|before| trial.0 < before);
        let mut all = [shelf.trials()?, shelf.voids()?].concat();
        all.sort_by(|a, b| b.cmp(a));
        all.dedup();
        let shown = |trial: TrialId| {
            let record = shelf.record(trial);
            record.as_ref().map(summary).or_else(|| shelf.void(trial).map(nothing))
        };
        let found = all.into_iter().filter(earlier).take(limit);
        Ok::<_, std::io::Error>(found.filter_map(shown).collect())
    });
    let found = read.await.map_err(|e| unreadable(&e))?.map_err(|e| unreadable(&e))?;
    Ok(Json(found))
}

async fn bytes(path: PathBuf) -> Result<Response, ApiError> {
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let words = "no record: the trial came to nothing, or is not kept any more";
            return Err(ApiError::new(ProblemCode::NotFound, words));
        }
        Err(e) => return Err(unreadable(&e)),
    };
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, Body::from_stream(ReaderStream::new(file))).into_response())
}

/// A trial's record: see `ionet verify replay`.
#[utoipa::path(get, path = "/v1/trials/{trial}/record", params(("trial" = u64, Path)),
    responses((status = 200, content_type = "application/octet-stream")), tag = "trials")]
pub(super) async fn record(
    State(app): State<App>,
    Path(trial): Path<u64>,
) -> Result<Response, ApiError> {
    let shelf = &app.config.trials.as_ref().ok_or_else(off)?.shelf;
    bytes(shelf.record_path(TrialId(trial))).await
}

/// The proofs beside it.
#[utoipa::path(get, path = "/v1/trials/{trial}/proofs", params(("trial" = u64, Path)),
    responses((status = 200, content_type = "application/octet-stream")), tag = "trials")]
pub(super) async fn proofs(
    State(app): State<App>,
    Path(trial): Path<u64>,
) -> Result<Response, ApiError> {
    let shelf = &app.config.trials.as_ref().ok_or_else(off)?.shelf;
    // Proofs of a trial without a record are those of one that goes on, or broke off.
    if !tokio::fs::try_exists(shelf.record_path(TrialId(trial))).await.unwrap_or(false) {
        return bytes(shelf.record_path(TrialId(trial))).await;
    }
    bytes(shelf.proofs_path(TrialId(trial))).await
}

/// Asks a device to prove its chips in the next trial, within its share of time for it.
#[utoipa::path(post, path = "/v1/devices/{id}/trials", params(("id" = String, Path)),
    responses((status = 202, body = TrialAsked)), security(("wallet" = ["clusters"])),
    tag = "trials")]
pub(super) async fn ask(
    State(app): State<App>,
    owner: Owner<ToChange>,
    DevicePath(id): DevicePath,
) -> Result<(StatusCode, Json<TrialAsked>), ApiError> {
    let archive = app.config.trials.as_ref().ok_or_else(off)?;
    let missing = || ApiError::new(ProblemCode::NotFound, "no such device");
    app.control.device(id).ok_or_else(missing)?;
    let asked = archive.asked.ask(id, app.now_ms());
    asked.map_err(|e| ApiError::new(ProblemCode::Conflict, e.to_string()))?;
    tracing::info!(device = %id, wallet = %owner.wallet, "asked to prove");
    let message = "it proves its chips as soon as it is idle and connected".to_owned();
    Ok((StatusCode::ACCEPTED, Json(TrialAsked { device: id.to_string(), message })))
}
