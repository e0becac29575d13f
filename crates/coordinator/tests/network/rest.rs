//! The life of a cluster as its renter's command line sees it: over REST only.

use crate::world::{ONE, Running, USDC, World, wallet_of};
use futures_util::{SinkExt, StreamExt};
use ionet_api::{
    Challenge, Cluster, ClusterEvent, CreateCluster, Quote, StateName, Token, TokenRequest,
};
use ionet_core::SignatureBytes;
use ionet_ledger::KeypairFile;
use reqwest::{RequestBuilder, Response};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// A renter's client.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub(crate) async fn sign_in(at: &Running, renter: &KeypairFile) -> Self {
        // Another crate's features give reqwest TLS without saying whose. An error: it was said.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://{}", at.rest);
        let mut client = Self { http, base, token: String::new() };
        let asked = json!({"wallet": wallet_of(renter)});
        let challenge = client.post("/v1/auth/challenge", &asked).send().await.unwrap();
        let Challenge { message, .. } = challenge.json().await.unwrap();
        let signature = SignatureBytes(renter.sign_now(message.as_bytes()).into());
        let signed = serde_json::to_value(TokenRequest { message, signature }).unwrap();
        let token = client.post("/v1/auth/token", &signed).send().await.unwrap();
        client.token = token.json::<Token>().await.unwrap().token;
        client
    }

    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        request.bearer_auth(&self.token).header("x-request-id", "wish-1")
    }

    async fn once(&self, path: &str, body: &serde_json::Value, key: &str) -> Response {
        self.post(path, body).header("idempotency-key", key).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{path}", self.base));
        request.bearer_auth(&self.token).send().await.unwrap()
    }

    /// Follows the events until one has led to `state`, or the stream has ended.
    async fn follow(&self, id: &str, state: StateName) -> Vec<ClusterEvent> {
        let request = self.http.get(format!("{}/v1/clusters/{id}/events", self.base));
        let request = request.bearer_auth(&self.token).header("accept", "text/event-stream");
        let mut response = request.send().await.unwrap();
        let (mut text, mut events) = (String::new(), Vec::<ClusterEvent>::new());
        while events.last().is_none_or(|e| e.state != state) {
            let Some(chunk) = response.chunk().await.unwrap() else { break };
            text += std::str::from_utf8(&chunk).unwrap();
            let (whole, rest) = text.rsplit_once("\n\n").unwrap_or(("", &text));
            let data = whole.lines().filter_map(|line| line.strip_prefix("data: "));
            events.extend(data.map(|d| serde_json::from_str::<ClusterEvent>(d).unwrap()));
            text = rest.to_owned();
        }
        assert_eq!(events.last().map(|e| e.state), Some(state), "{events:#?}");
        events
    }

    async fn echo(&self, id: &str) {
        let url = format!("{}/v1/clusters/{id}/tunnel/8265", self.base);
        let mut request = url.replacen("http", "ws", 1).into_client_request().unwrap();
        let bearer = format!("Bearer {}", self.token).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let (mut socket, _) = connect_async(request).await.unwrap();
        socket.send(Message::binary(&b"ping"[..])).await.unwrap();
        let mut said = Vec::new();
        while said.len() < 4 {
            if let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() {
                said.extend_from_slice(&bytes);
            }
        }
        assert_eq!(said, b"ping");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_rented_over_rest_and_a_repeated_wish_survives_a_crash() {
    let world = World::new().await;
    let at = world.start().await;
    let _suppliers = world.devices(&at, 1).await;
    let renter = world.wallet(10 * USDC).await;
    let client = Client::sign_in(&at, &renter).await;
    let spec = serde_json::from_str(ONE).unwrap();
    let quote = client.post("/v1/quotes", &spec).send().await.unwrap();
    let quote: Quote = quote.json().await.unwrap();
    let (lease, counter) = world.next_lease(&renter).await;
    let order = world.order(&quote, counter);
    let body = serde_json::to_value(CreateCluster { quote, lease }).unwrap();
    let created = client.once("/v1/clusters", &body, "k").await;
    assert_eq!(created.status(), 201);
    let id = created.json::<Cluster>().await.unwrap().id.to_string();
    world.ledger.open_lease(&renter, &order).await.unwrap();
    let events = client.follow(&id, StateName::Ready).await;
    assert!(events.iter().any(|e| e.request_id.as_deref() == Some("wish-1")), "{events:#?}");
    client.echo(&id).await;

    at.crash().await;
    let at = world.start().await;
    let client = Client { base: format!("http://{}", at.rest), ..client };
    let again = client.once("/v1/clusters", &body, "k").await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.json::<Cluster>().await.unwrap().id.to_string(), id);
    // The lease names the cluster: another key makes no second one.
    let other = client.once("/v1/clusters", &body, "k2").await;
    assert_eq!(other.status(), 201);
    let mine: Vec<Cluster> = client.get("/v1/clusters").await.json().await.unwrap();
    assert_eq!(mine.iter().map(|c| c.id.to_string()).collect::<Vec<_>>(), [id.as_str()]);

    let close = format!("/v1/clusters/{id}/close");
    assert_eq!(client.once(&close, &json!({}), "c").await.status(), 200);
    client.follow(&id, StateName::Closed).await;
    let repeated = client.once(&close, &json!({}), "c").await;
    assert_eq!(repeated.headers()["idempotent-replayed"], "true");
    let text = client.get("/metrics").await.text().await.unwrap();
    assert!(text.contains("ionet_http_requests_total"), "{text}");
    world.settled(&at, mine[0].id).await;
    world.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_explained_over_rest() {
    let world = World::new().await;
    let at = world.start().await;
    let _suppliers = world.devices(&at, 1).await;
    let client = Client::sign_in(&at, &world.wallet(0).await).await;
    for spec in [json!({"devices": 2, "chip": "cpu"}), json!({"devices": 1, "chip": "h200"})] {
        let refused = client.post("/v1/quotes", &spec).send().await.unwrap();
        assert_eq!(refused.status(), 422, "{spec}");
        let problem: ionet_api::Problem = refused.json().await.unwrap();
        assert_eq!(problem.code, ionet_api::ProblemCode::NoCapacity);
        assert!(problem.detail.is_some() && !problem.message.is_empty(), "{problem:?}");
        assert_eq!(problem.request_id, "wish-1");
    }
}
