//! What anyone may ask: the network, its offers, a price.

use super::App;
use super::extract::{Asked, SpecBody};
use super::problem::ApiError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ionet_api::{Network, Offer, Problem, ProblemCode, Quote};
use ionet_core::{ChipClass, ClusterSpec, SpecError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What a client must know before it signs anything.
#[utoipa::path(get, path = "/v1/network", responses((status = 200, body = Network)),
    tag = "market")]
pub(super) async fn network(State(app): State<App>) -> Json<Network> {
    Json(app.control.network())
}

/// Which offers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct OffersQuery {
    /// Only this class of chip.
    #[param(value_type = Option<String>)]
    chip: Option<ChipClass>,
}

/// What the market has, by class and region.
#[utoipa::path(get, path = "/v1/offers", params(OffersQuery),
    responses((status = 200, body = [Offer])), tag = "market")]
pub(super) async fn offers(
    State(app): State<App>,
    Asked(query): Asked<OffersQuery>,
) -> Json<Vec<Offer>> {
    Json(app.control.offers(query.chip))
}

impl From<SpecError> for ApiError {
    fn from(error: SpecError) -> Self {
        let code = match error {
            SpecError::Size(_) => ProblemCode::TooLarge,
            _ => ProblemCode::BadRequest,
        };
        Self::new(code, error.to_string())
    }
}

/// Prices a cluster spec. It holds nothing.
#[utoipa::path(post, path = "/v1/quotes",
    request_body(content = Object, description = "A cluster spec, such as \
        `{\"devices\": 3, \"chip\": \"cpu\", \"region\": \"any\", \"ttl_seconds\": 3600}`."),
    responses((status = 200, body = Quote), (status = 422, body = Problem,
        description = "No set of devices fits; `detail` says what each constraint removed.")),
    tag = "market")]
pub(super) async fn quote(
    State(app): State<App>,
    SpecBody(bytes): SpecBody,
) -> Result<Json<Quote>, ApiError> {
    let spec = ClusterSpec::from_json(&bytes)?;
    Ok(Json(app.control.quote(spec).await?))
}

/// Whether the coordinator works.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or `standby` where another coordinator leads.
    status: &'static str,
}

/// 200 while this coordinator may act, else 503.
#[utoipa::path(get, path = "/healthz",
    responses((status = 200, body = Health), (status = 503, body = Problem)), tag = "operation")]
pub(super) async fn health(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    if app.control.is_leading() {
        return Ok(Json(Health { status: "ok" }));
    }
    let error = ApiError::new(ProblemCode::Internal, "this coordinator does not lead");
    Err(ApiError { status: StatusCode::SERVICE_UNAVAILABLE, ..error })
}
