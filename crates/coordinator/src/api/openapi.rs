//! The OpenAPI document, made from the handlers. The committed copy is `openapi/coordinator.json`.

use super::problem::json_response;
use super::{auth, checks, clusters, devices, events, exec, market, metrics, trials, tunnel};
use axum::http::StatusCode;
use axum::response::Response;
use ionet_api::{Problem, ProblemCode};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ionet coordinator",
        description = "Rent clusters with a wallet. Amounts are whole base units. Every \
            mutation that a wallet makes carries an `idempotency-key`; `x-request-id` names a \
            request from the client to the container.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        market::network,
        auth::challenge,
        auth::token,
        market::offers,
        market::quote,
        clusters::create,
        clusters::list,
        clusters::show,
        clusters::close,
        clusters::receipts,
        checks::hand_in,
        events::events,
        clusters::access,
        tunnel::tunnel,
        clusters::logs,
        exec::exec,
        devices::list,
        devices::show,
        checks::of_device,
        checks::evidence,
        devices::drain,
        trials::ask,
        trials::list,
        trials::record,
        trials::proofs,
        market::health,
        metrics::metrics,
        document
    ),
    components(schemas(Problem, ProblemCode)),
    modifiers(&Common)
)]
struct Document;

/// What all operations share: how a wallet shows its token, and how problems look.
struct Common;

impl Modify for Common {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("wallet", SecurityScheme::Http(bearer));
        for item in openapi.paths.paths.values_mut() {
            item.get.iter_mut().chain(item.post.iter_mut()).for_each(add_problem);
        }
    }
}

fn add_problem(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem = ResponseBuilder::new()
        .description("What went wrong.")
        .content("application/problem+json", content)
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem));
}

/// The document as JSON text.
pub fn openapi_json() -> String {
    let mut text = Document::openapi().to_pretty_json().expect("the document is JSON");
    text.push('\n');
    text
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", responses((status = 200, body = Object)),
    tag = "operation")]
pub(super) async fn document() -> Response {
    json_response(StatusCode::OK, openapi_json().into_bytes())
}
