//! What renters saw from inside of their containers: handed in, listed, and served as evidence.

use super::App;
use super::auth::{Owner, ToChange};
use super::clusters::owned;
use super::extract::{CheckPath, ClusterPath, DevicePath, json_within};
use super::problem::ApiError;
use crate::checks::{Checks, ChecksError, Kept};
use crate::control::Control;
use crate::present::{figure_name, measured};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use ionet_api::{
    CHECK_BYTES_MAX, CheckSummary, CheckedDevice, CheckedFigure, Cluster, Device, DeviceSignal,
    HandedCheck, ProblemCode,
};
use ionet_core::{ChainRef, ChipClass, DeviceId, Provenance};
use ionet_trust::inside::{Check, Known, Looked, Outcome, Paper, Sold, admit, looked, share_of};
use std::collections::BTreeMap;

fn off() -> ApiError {
    ApiError::new(ProblemCode::NotFound, "this coordinator keeps no checks")
}

fn refused(error: ChecksError) -> ApiError {
    match error {
        ChecksError::Twice => ApiError::new(ProblemCode::Conflict, error.to_string()),
        ChecksError::Io(_) => ApiError::internal(error),
    }
}

/// Takes what a renter saw from inside of its cluster. Anybody can read it from then on.
#[utoipa::path(post, path = "/v1/clusters/{id}/checks", request_body = HandedCheck,
    params(("id" = String, Path)), responses((status = 201, body = CheckSummary)),
    security(("wallet" = ["clusters"])), tag = "checks")]
pub(super) async fn hand_in(
    State(app): State<App>,
    owner: Owner<ToChange>,
    ClusterPath(id): ClusterPath,
    request: Request,
) -> Result<Response, ApiError> {
    let checks = app.config.checks.clone().ok_or_else(off)?;
    let cluster = owned(&app, owner.wallet, id)?;
    app.mutations.take(owner.wallet, app.now_ms()).map_err(ApiError::rate_limited)?;
    // Before the body: each takes megabytes, and seconds of a processor.
    let _slot = app.evidence.take(owner.wallet, "checks of this wallet")?;
    let HandedCheck { record, chain, signature } = json_within(request, CHECK_BYTES_MAX).await?;
    let _turn = app.checking.acquire().await.map_err(ApiError::internal)?;
    let (control, now_ms) = (app.control.clone(), app.now_ms());
    let paper = Paper { record, chain, signature };
    let work = move || take(&checks, &control, &cluster, &paper, now_ms);
    let kept = tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)??;
    tracing::info!(cluster = %id, check = hex::encode(kept.id.0), "a check was handed in");
    Ok((StatusCode::CREATED, Json(summary(&kept))).into_response())
}

/// Checks, computes and keeps one.
fn take(
    checks: &Checks,
    control: &Control,
    cluster: &Cluster,
    paper: &Paper,
    now_ms: i64,
) -> Result<Kept, ApiError> {
    let network = control.network();
    let chain = ChainRef { genesis: network.genesis, program: network.program };
    let served = control.served(cluster.id);
    let known = Known {
        chain: &chain,
        cluster: cluster.id,
        lease: cluster.lease,
        renter: cluster.renter,
        served: &served,
        now_ms,
    };
    let check = admit(paper, &known).map_err(|e| ApiError::bad_request(e.to_string()))?;
    if checks.knows(&paper.id(), check.cluster, &check.seed) {
        return Err(refused(ChecksError::Twice));
    }
    let kept = Kept {
        id: paper.id(),
        seed: check.seed,
        cluster: check.cluster,
        lease: check.lease,
        renter: check.renter,
        at_ms: check.at_ms,
        received_ms: now_ms,
        bytes: paper.record.len() as u64,
        looked: computed(&check, cluster, control)?,
    };
    checks.put(kept.clone(), paper).map_err(refused)?;
    Ok(kept)
}

/// What follows, against what this coordinator says of the devices.
fn computed(check: &Check, cluster: &Cluster, control: &Control) -> Result<Vec<Looked>, ApiError> {
    let findings = check.findings().map_err(|e| ApiError::bad_request(e.to_string()))?;
    let ids: Vec<DeviceId> = check.members.iter().map(|m| m.device).collect();
    let sold: BTreeMap<_, _> = ids
        .into_iter()
        .map(|id| (id, control.device(id).map(|d| sold(cluster, &d)).unwrap_or_default()))
        .collect();
    Ok(looked(check, &findings, |id| sold.get(id).copied().unwrap_or_default()))
}

fn sold(cluster: &Cluster, device: &Device) -> Sold {
    let chips = cluster.spec.chips_per_device;
    let part = |whole: u64| share_of(whole, chips, device.chips);
    let name = figure_name(ionet_core::Quantity::IntegerRate);
    let figures = device.verdict.iter().flat_map(|v| &v.figures);
    let proven = |f: &&ionet_api::DeviceFigure| f.name == name && f.known == Provenance::Proven;
    // The renter's program multiplies on the processor: of other chips it says nothing.
    let rate = figures.filter(|_| cluster.spec.chip == ChipClass::CPU).find(proven);
    Sold {
        rate: rate.map(|f| part(f.value)),
        memory_bytes: device.inventory.as_ref().map(|i| part(i.slice.memory_bytes)),
    }
}

fn summary(kept: &Kept) -> CheckSummary {
    let device = |looked: &Looked| CheckedDevice {
        device: looked.device,
        figures: looked
            .looks
            .iter()
            .map(|look| CheckedFigure {
                name: figure_name(look.quantity).to_owned(),
                value: look.value,
                outcome: outcome_name(look.outcome).to_owned(),
            })
            .collect(),
    };
    CheckSummary {
        check: hex::encode(kept.id.0),
        cluster: kept.cluster,
        lease: kept.lease,
        renter: kept.renter,
        at_ms: kept.at_ms,
        received_ms: kept.received_ms,
        light: kept.looked.iter().any(|l| l.light),
        devices: kept.looked.iter().map(device).collect(),
    }
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Fine => "fine",
        Outcome::Unknown => "unknown",
        Outcome::Short => "short",
        Outcome::Broken => "broken",
    }
}

/// Checks that speak of a device, the newest first.
#[utoipa::path(get, path = "/v1/devices/{id}/checks", params(("id" = String, Path)),
    responses((status = 200, body = [CheckSummary])), tag = "checks")]
pub(super) async fn of_device(
    State(app): State<App>,
    DevicePath(id): DevicePath,
) -> Result<Json<Vec<CheckSummary>>, ApiError> {
    let checks = app.config.checks.as_ref().ok_or_else(off)?;
    Ok(Json(checks.of(&id).iter().map(summary).collect()))
}

/// A check as its renter signed it: see `ionet cluster check --replay`.
#[utoipa::path(get, path = "/v1/checks/{check}", params(("check" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain")), tag = "checks")]
pub(super) async fn evidence(
    State(app): State<App>,
    CheckPath(id): CheckPath,
) -> Result<Response, ApiError> {
    let missing = || ApiError::new(ProblemCode::NotFound, "no such check, or not any more");
    let path = app.config.checks.as_ref().ok_or_else(off)?.path(&id).ok_or_else(missing)?;
    let text = match tokio::fs::read(path).await {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(missing()),
        Err(e) => return Err(ApiError::internal(e)),
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Puts what renters saw beside a device's verdict. Where there is no verdict, there is nothing
/// that it could stand beside.
pub(super) fn put_beside(app: &super::Shared, device: &mut Device) {
    let (Some(checks), Some(verdict)) = (&app.config.checks, &mut device.verdict) else { return };
    let found = checks.beside(&device.id, device.supplier, app.now_ms());
    verdict.signals.extend(found.signal.map(|s| DeviceSignal {
        code: s.code,
        text: s.text,
        at_ms: s.at_ms,
    }));
    verdict.figures.extend(found.figures.iter().map(measured));
}
