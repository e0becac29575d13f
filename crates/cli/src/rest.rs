//! The coordinator's REST interface from the client's side.

use crate::failure::{Failure, Kind, OrFail as _, Result};
use ionet_api::{IDEMPOTENCY_KEY, Problem, REQUEST_ID};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// One request, streams apart. Quotes and views are answered in milliseconds.
const REQUEST_SECONDS_MAX: u64 = 30;
/// To a coordinator that is there at all.
const CONNECT_SECONDS_MAX: u64 = 5;
/// Of an answer that is not a stream: a list of a thousand clusters with their members.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A client of one coordinator.
#[derive(Clone)]
pub(crate) struct Rest {
    http: Client,
    base: String,
    request_id: String,
    token: Option<String>,
}

impl Rest {
    /// For the coordinator at `base`.
    pub(crate) fn new(base: &str, request_id: &str) -> Result<Self> {
        let url: url::Url = base
            .parse()
            .or_fail(Kind::Usage, format!("the coordinator's address `{base}`"))
            .map_err(|f| f.hint("it looks like http://127.0.0.1:8420"))?;
        if url.scheme() != "http" && url.scheme() != "https" || url.host_str().is_none() {
            return Err(Failure::usage(format!("`{base}` is not an http address")));
        }
        let mut builder = client()
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .user_agent(concat!("ionet/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().or_internal("HTTP client")?,
            base: base.trim_end_matches('/').to_owned(),
            request_id: request_id.to_owned(),
            token: None,
        })
    }

    /// The same, speaking with a wallet's token.
    pub(crate) fn with_token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    /// Where it speaks to.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Host and port, as a sign-in message names them.
    pub(crate) fn authority(&self) -> String {
        let url: url::Url = self.base.parse().expect("checked when it was made");
        let host = url.host_str().unwrap_or_default();
        match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header(REQUEST_ID, &self.request_id);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`, an answer of type `T`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let request = self.request(Method::GET, path);
        self.parsed(request.timeout(Duration::from_secs(REQUEST_SECONDS_MAX))).await
    }

    /// `GET`, an answer that is text.
    pub(crate) async fn text(&self, path: &str) -> Result<String> {
        let request = self.request(Method::GET, path);
        let request = request.timeout(Duration::from_secs(REQUEST_SECONDS_MAX));
        let bytes = bounded(checked(self.send(request).await?).await?).await?;
        String::from_utf8(bytes).or_internal("the coordinator's answer")
    }

    /// `POST` without an idempotency key: repeating it changes nothing.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T> {
        let request = self.request(Method::POST, path).json(body);
        self.parsed(request.timeout(Duration::from_secs(REQUEST_SECONDS_MAX))).await
    }

    /// `POST` of something that must happen once, however often it is sent with this key.
    pub(crate) async fn post_once<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        key: &str,
    ) -> Result<T> {
        let request = self.request(Method::POST, path).json(body).header(IDEMPOTENCY_KEY, key);
        self.parsed(request.timeout(Duration::from_secs(REQUEST_SECONDS_MAX))).await
    }

    /// `GET` of a stream: no time limit but on connecting.
    pub(crate) async fn stream(&self, path: &str, accept: &str) -> Result<Response> {
        let request = self.request(Method::GET, path).header("accept", accept);
        checked(self.send(request).await?).await
    }

    /// A WebSocket request for `path`, with everything that a plain request carries.
    pub(crate) fn websocket(
        &self,
        path: &str,
    ) -> Result<tokio_tungstenite::tungstenite::http::Request<()>> {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
        use tokio_tungstenite::tungstenite::http::HeaderValue;
        let url = format!("{}{path}", self.base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().or_internal("WebSocket address")?;
        let headers = request.headers_mut();
        let value = HeaderValue::from_str(&self.request_id).or_internal("request id")?;
        headers.insert(REQUEST_ID, value);
        if let Some(token) = &self.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).or_internal("token")?;
            headers.insert("authorization", value);
        }
        Ok(request)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        request.send().await.map_err(|e| self.unreachable(&e))
    }

    async fn parsed<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = checked(self.send(request).await?).await?;
        let bytes = bounded(response).await?;
        serde_json::from_slice(&bytes).or_internal("the coordinator's answer")
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() && !error.is_connect() {
            let message = format!("the coordinator at {} took too long to answer", self.base);
            return Failure::new(Kind::Timeout, message).hint("try again; repeating is safe");
        }
        let message = format!("no coordinator answers at {}", self.base);
        Failure::new(Kind::Unreachable, message).hint(
            "start the local network with `ionet up`, or name another with --coordinator; your \
             money needs none: `ionet lease --help`",
        )
    }
}

/// An HTTP client to be set up further.
pub(crate) fn client() -> reqwest::ClientBuilder {
    // TLS must be told whose cryptography it uses. An error means that it was told already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

/// Whether an address never leaves this machine: proxies have no business there.
pub(crate) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The body of an answer, up to the limit.
async fn bounded(mut response: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.or_fail(Kind::Unreachable, "reading")? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new(Kind::Internal, "the coordinator's answer is too long"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The response, or the problem that it carries.
async fn checked(response: Response) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let bytes = bounded(response).await?;
    if let Ok(problem) = serde_json::from_slice::<Problem>(&bytes) {
        return Err(problem.into());
    }
    let kind = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Kind::Auth,
        StatusCode::NOT_FOUND => Kind::NotFound,
        s if s.is_client_error() => Kind::Usage,
        _ => Kind::Internal,
    };
    let text: String = String::from_utf8_lossy(&bytes).chars().take(200).collect();
    Err(Failure::new(kind, format!("the coordinator answered {status}: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_use() {
        for bad in ["", "127.0.0.1:8420", "ftp://x", "http://"] {
            assert_eq!(Rest::new(bad, "r").err().map(|f| f.exit_code()), Some(2), "{bad}");
        }
        let rest = Rest::new("http://127.0.0.1:8420/", "r").unwrap();
        assert_eq!(rest.authority(), "127.0.0.1:8420");
        let socket = rest.with_token("t".into()).websocket("/v1/x").unwrap();
        assert_eq!(socket.uri().to_string(), "ws://127.0.0.1:8420/v1/x");
        assert_eq!(socket.headers()["authorization"], "Bearer t");
    }
}
