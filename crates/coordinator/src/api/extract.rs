//! What handlers take from a request, each checked and refused with a problem.

use super::App;
use super::edge::RequestId;
use super::limits::DISCARDED_BYTES_MAX;
use super::problem::ApiError;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use ionet_api::BODY_BYTES_MAX;
use ionet_core::{ClusterId, DeviceId, limits::SPEC_BYTES_MAX};
use ionet_trust::inside::{PaperId, Word};
use serde::de::DeserializeOwned;
use std::str::FromStr;

impl FromRequestParts<App> for RequestId {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let id = parts.extensions.get::<RequestId>().cloned();
        id.ok_or_else(|| ApiError::internal("a request without an id"))
    }
}

/// One segment of the path, parsed.
async fn segment<T: FromStr>(parts: &mut Parts, name: &str) -> Result<T, ApiError>
where
    T::Err: std::fmt::Display,
{
    let Path(all) = Path::<Vec<(String, String)>>::from_request_parts(parts, &())
        .await
        .map_err(|_| ApiError::bad_request("the path is not valid UTF-8"))?;
    let text = all.iter().find(|(n, _)| n == name).map_or("", |(_, text)| text);
    text.parse().map_err(|e| ApiError::bad_request(format!("{name}: {e}")))
}

/// `{id}` of a cluster.
pub(super) struct ClusterPath(pub(super) ClusterId);

impl FromRequestParts<App> for ClusterPath {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        segment(parts, "id").await.map(Self)
    }
}

/// `{id}` of a device.
pub(super) struct DevicePath(pub(super) DeviceId);

impl FromRequestParts<App> for DevicePath {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        segment(parts, "id").await.map(Self)
    }
}

/// `{check}`: the hash of a record, in hex.
pub(super) struct CheckPath(pub(super) PaperId);

impl FromRequestParts<App> for CheckPath {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let text: String = segment(parts, "check").await?;
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash)
            .map_err(|_| ApiError::bad_request("check: expected 32 bytes in hex"))?;
        Ok(Self(Word(hash)))
    }
}

/// `{port}`.
pub(super) struct PortPath(pub(super) u16);

impl FromRequestParts<App> for PortPath {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        segment(parts, "port").await.map(Self)
    }
}

/// The query, with unknown and malformed parameters refused.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, &()).await;
        query.map(|q| Self(q.0)).map_err(|e| ApiError::bad_request(e.body_text()))
    }
}

/// A body up to the limit of all requests.
pub(super) struct RawBody(pub(super) Bytes);

impl FromRequest<App> for RawBody {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        read(request, BODY_BYTES_MAX).await.map(Self)
    }
}

/// A JSON body, its bytes kept for its hash.
pub(super) struct JsonBody<T> {
    pub(super) value: T,
    pub(super) bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        must_be_json(request.headers())?;
        let bytes = read(request, BODY_BYTES_MAX).await?;
        let value =
            serde_json::from_slice(&bytes).map_err(|e| ApiError::bad_request(e.to_string()))?;
        Ok(Self { value, bytes })
    }
}

/// A JSON body with a limit of its own.
pub(super) async fn json_within<T: DeserializeOwned>(
    request: Request,
    bytes_max: usize,
) -> Result<T, ApiError> {
    must_be_json(request.headers())?;
    let bytes = read(request, bytes_max).await?;
    serde_json::from_slice(&bytes).map_err(|e| ApiError::bad_request(e.to_string()))
}

/// The bytes of a cluster spec: a smaller limit, checked before anything is parsed.
pub(super) struct SpecBody(pub(super) Bytes);

impl FromRequest<App> for SpecBody {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        must_be_json(request.headers())?;
        read(request, SPEC_BYTES_MAX).await.map(Self)
    }
}

/// A page of another origin can only send forms and text without asking: this refuses both.
fn must_be_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// A body of at most `bytes_max`. What is beyond is read up to a limit and thrown away.
async fn read(request: Request, bytes_max: usize) -> Result<Bytes, ApiError> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > DISCARDED_BYTES_MAX as u64) {
        return Err(ApiError::too_large(bytes_max));
    }
    let mut body: axum::body::BodyDataStream = Body::into_data_stream(request.into_body());
    let (mut bytes, mut seen) = (Vec::new(), 0usize);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the body broke off"))?;
        seen += chunk.len();
        if seen <= bytes_max {
            bytes.extend_from_slice(&chunk);
        } else if seen > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if seen > bytes_max {
        return Err(ApiError::too_large(bytes_max));
    }
    Ok(bytes.into())
}
