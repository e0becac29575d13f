//! Devices, as anyone may see them, and their suppliers' wishes.

use super::auth::{Owner, ToSupply};
use super::edge::RequestId;
use super::extract::{Asked, DevicePath, JsonBody};
use super::idempotency::Once;
use super::limits::DEVICES_PAGE_MAX;
use super::problem::ApiError;
use super::{App, Shared, checks};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ionet_api::{Device, Drain, ProblemCode};
use ionet_core::{DeviceId, Wallet};
use serde::Deserialize;
use utoipa::IntoParams;

/// Which devices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct DevicesQuery {
    /// Begin after this one: the last of the page before.
    #[param(value_type = Option<String>)]
    after: Option<DeviceId>,
    /// Devices in the answer: 1 to 1000.
    limit: Option<usize>,
    /// Only those of this wallet.
    #[param(value_type = Option<String>)]
    supplier: Option<Wallet>,
}

/// Which clusters a device serves is its supplier's to know; what renters saw is everybody's.
fn seen_by(app: &Shared, viewer: Option<Wallet>, mut device: Device) -> Device {
    checks::put_beside(app, &mut device);
    if viewer != Some(device.supplier) {
        device.clusters.clear();
    }
    device
}

/// Devices in the order of their ids. A full page is followed by another.
#[utoipa::path(get, path = "/v1/devices", params(DevicesQuery),
    responses((status = 200, body = [Device])), security((), ("wallet" = ["devices"])),
    tag = "devices")]
pub(super) async fn list(
    State(app): State<App>,
    viewer: Option<Owner<ToSupply>>,
    Asked(query): Asked<DevicesQuery>,
) -> Json<Vec<Device>> {
    let viewer = viewer.map(|owner| owner.wallet);
    let limit = query.limit.unwrap_or(DEVICES_PAGE_MAX).clamp(1, DEVICES_PAGE_MAX);
    let mut all = app.control.devices();
    all.sort_unstable_by_key(|d| d.id);
    let later = |d: &Device| query.after.is_none_or(|after| d.id > after);
    let wanted = |d: &Device| query.supplier.is_none_or(|supplier| d.supplier == supplier);
    let page = all.into_iter().filter(|d| later(d) && wanted(d)).take(limit);
    Json(page.map(|d| seen_by(&app, viewer, d)).collect())
}

/// One device, with what it claims of itself.
#[utoipa::path(get, path = "/v1/devices/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Device)), security((), ("wallet" = ["devices"])),
    tag = "devices")]
pub(super) async fn show(
    State(app): State<App>,
    viewer: Option<Owner<ToSupply>>,
    DevicePath(id): DevicePath,
) -> Result<Json<Device>, ApiError> {
    let device = app.control.device(id);
    let device = device.ok_or_else(|| ApiError::new(ProblemCode::NotFound, "no such device"))?;
    Ok(Json(seen_by(&app, viewer.map(|owner| owner.wallet), device)))
}

/// Stops or resumes giving parts to a device.
#[utoipa::path(post, path = "/v1/devices/{id}/drain", params(("id" = String, Path),
    ("idempotency-key" = String, Header, description = "1 to 64 printable characters")),
    request_body = Drain, responses((status = 200, body = Device)),
    security(("wallet" = ["devices"])), tag = "devices")]
pub(super) async fn drain(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    owner: Owner<ToSupply>,
    DevicePath(id): DevicePath,
    once: Once,
    JsonBody { value: Drain { drain }, bytes }: JsonBody<Drain>,
) -> Result<Response, ApiError> {
    let (control, supplier) = (app.control.clone(), owner.wallet);
    let work = async move {
        tracing::info!(%request_id, device = %id, drain, "drain");
        control.drain(supplier, id, drain).await.map_err(ApiError::from)
    };
    once.run(&app, &owner, &bytes, StatusCode::OK, work).await
}
