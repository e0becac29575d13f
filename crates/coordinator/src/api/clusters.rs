//! A wallet's clusters.

use super::auth::{Owner, ToChange, ToReach, ToRead};
use super::edge::RequestId;
use super::extract::{Asked, ClusterPath, JsonBody, RawBody};
use super::idempotency::Once;
use super::limits::{CHUNK_BYTES, LOG_TAIL_MAX};
use super::problem::ApiError;
use super::streams::Slot;
use super::{App, Shared};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use ionet_api::{Access, Cluster, CreateCluster, ProblemCode, Vouch, Vouched};
use ionet_core::{ClusterId, DeviceId, Wallet};
use ionet_wire::message::Purpose;
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

/// A wallet's cluster; another's is as if it were not there.
pub(super) fn owned(app: &Shared, wallet: Wallet, id: ClusterId) -> Result<Cluster, ApiError> {
    let found = app.control.cluster(id).filter(|cluster| cluster.renter == wallet);
    found.ok_or_else(ApiError::no_cluster)
}

/// Opens a cluster on a quote. The lease need not exist yet.
#[utoipa::path(post, path = "/v1/clusters", request_body = CreateCluster,
    params(("idempotency-key" = String, Header, description = "1 to 64 printable characters")),
    responses((status = 201, body = Cluster)), security(("wallet" = ["clusters"])),
    tag = "clusters")]
pub(super) async fn create(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    owner: Owner<ToChange>,
    once: Once,
    JsonBody { value: body, bytes }: JsonBody<CreateCluster>,
) -> Result<Response, ApiError> {
    body.quote.spec.validate()?;
    let (control, renter) = (app.control.clone(), owner.wallet);
    let work =
        async move { control.create(renter, &request_id, body).await.map_err(ApiError::from) };
    once.run(&app, &owner, &bytes, StatusCode::CREATED, work).await
}

/// The wallet's clusters, newest first.
#[utoipa::path(get, path = "/v1/clusters", responses((status = 200, body = [Cluster])),
    security(("wallet" = ["clusters"]), ("wallet" = ["clusters-read"])), tag = "clusters")]
pub(super) async fn list(State(app): State<App>, owner: Owner<ToRead>) -> Json<Vec<Cluster>> {
    Json(app.control.clusters_of(owner.wallet))
}

/// One cluster.
#[utoipa::path(get, path = "/v1/clusters/{id}", params(("id" = String, Path)),
    responses((status = 200, body = Cluster)),
    security(("wallet" = ["clusters"]), ("wallet" = ["clusters-read"])), tag = "clusters")]
pub(super) async fn show(
    State(app): State<App>,
    owner: Owner<ToRead>,
    ClusterPath(id): ClusterPath,
) -> Result<Json<Cluster>, ApiError> {
    owned(&app, owner.wallet, id).map(Json)
}

/// Ends a cluster.
#[utoipa::path(post, path = "/v1/clusters/{id}/close", params(("id" = String, Path),
    ("idempotency-key" = String, Header, description = "1 to 64 printable characters")),
    responses((status = 200, body = Cluster)), security(("wallet" = ["clusters"])),
    tag = "clusters")]
pub(super) async fn close(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    owner: Owner<ToChange>,
    ClusterPath(id): ClusterPath,
    once: Once,
    RawBody(bytes): RawBody,
) -> Result<Response, ApiError> {
    owned(&app, owner.wallet, id)?;
    let (control, renter) = (app.control.clone(), owner.wallet);
    let work = async move { control.close(renter, id, &request_id).await.map_err(ApiError::from) };
    once.run(&app, &owner, &bytes, StatusCode::OK, work).await
}

/// The renter's side vouches for served seconds. Receipts only grow, so there is nothing to
/// keep for whoever repeats one.
#[utoipa::path(post, path = "/v1/clusters/{id}/receipts", request_body = Vouch,
    params(("id" = String, Path)), responses((status = 200, body = Vouched)),
    security(("wallet" = ["clusters"])), tag = "clusters")]
pub(super) async fn receipts(
    State(app): State<App>,
    owner: Owner<ToChange>,
    ClusterPath(id): ClusterPath,
    JsonBody { value: body, .. }: JsonBody<Vouch>,
) -> Result<Json<Vouched>, ApiError> {
    app.mutations.take(owner.wallet, app.now_ms()).map_err(ApiError::rate_limited)?;
    Ok(Json(app.control.vouch(owner.wallet, id, body.receipts).await?))
}

/// How to reach the cluster's Ray, its token included.
#[utoipa::path(get, path = "/v1/clusters/{id}/access", params(("id" = String, Path)),
    responses((status = 200, body = Access)), security(("wallet" = ["access"])),
    tag = "inside")]
pub(super) async fn access(
    State(app): State<App>,
    owner: Owner<ToReach>,
    ClusterPath(id): ClusterPath,
) -> Result<Json<Access>, ApiError> {
    Ok(Json(app.control.access(owner.wallet, id)?))
}

/// Which part of a log.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsQuery {
    /// Whose; without it, the head's.
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// Whether to go on with what comes.
    #[serde(default)]
    follow: bool,
    /// Begin with this many of the last lines.
    #[serde(default = "tail")]
    tail: u32,
}

fn tail() -> u32 {
    200
}

/// The log of one device's part, as it is written.
#[utoipa::path(get, path = "/v1/clusters/{id}/logs", params(("id" = String, Path), LogsQuery),
    responses((status = 200, body = String, content_type = "text/plain")),
    security(("wallet" = ["access"])), tag = "inside")]
pub(super) async fn logs(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    owner: Owner<ToReach>,
    ClusterPath(id): ClusterPath,
    Asked(query): Asked<LogsQuery>,
) -> Result<Response, ApiError> {
    owned(&app, owner.wallet, id)?;
    member_of(&app, id, query.device)?;
    let slot = app.streams.take(id, "streams into this cluster")?;
    let purpose = Purpose::Logs { follow: query.follow, tail: query.tail.min(LOG_TAIL_MAX) };
    let opened =
        app.control.open_stream(owner.wallet, id, query.device, purpose, &request_id).await?;
    let bytes = ReaderStream::with_capacity(opened, CHUNK_BYTES);
    let stopping = app.stopping.clone().cancelled_owned();
    let body = Body::from_stream(held(bytes, slot).take_until(stopping));
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}

/// A stream that keeps its place as long as it lives.
fn held(
    bytes: impl Stream<Item = std::io::Result<Bytes>>,
    slot: Slot<ClusterId>,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    bytes.map(move |chunk| {
        let _place = &slot;
        chunk
    })
}

/// Refuses a device that the cluster does not have.
pub(super) fn member_of(
    app: &Shared,
    id: ClusterId,
    device: Option<DeviceId>,
) -> Result<(), ApiError> {
    let Some(device) = device else { return Ok(()) };
    let cluster = app.control.cluster(id).ok_or_else(ApiError::no_cluster)?;
    if cluster.members.iter().any(|m| m.device == device) {
        return Ok(());
    }
    Err(ApiError::new(ProblemCode::NotFound, "the cluster has no such device"))
}
