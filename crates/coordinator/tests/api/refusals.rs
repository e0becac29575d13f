//! Hostile and mistaken input, and the form of every refusal.

use crate::harness::{Net, create_body, key, problem};
use ionet_api::{Problem, ProblemCode};
use ionet_coordinator::api::{Rate, Rates};
use reqwest::{Body, Method};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn specs_that_are_not() {
    let net = Net::start().await;
    for (spec, word) in [
        (json!({"devices": 3, "chip": "warp-drive"}), "unknown chip `warp-drive`"),
        (json!({"devices": 3, "chip": "cpu", "region": "mars"}), "unknown region `mars`"),
        (json!({"devices": 3, "chip": "cpu", "image": "a b"}), "image"),
        (json!({"devices": 0, "chip": "cpu"}), "devices must be 1 to 1000"),
        (json!({"devices": 3, "chip": "cpu", "ttl_seconds": 1}), "ttl"),
        (json!({"devices": 3, "chip": "cpu", "ceiling": 1}), "unknown field `ceiling`"),
        (json!([1, 2]), "not a cluster spec"),
    ] {
        let response = net.post("/v1/quotes", &spec).send().await.unwrap();
        let told = problem(response, 400, ProblemCode::BadRequest).await;
        assert!(told.message.contains(word), "{spec}: {}", told.message);
    }
    let fine = net.post("/v1/quotes", &json!({"devices": 3, "chip": "cpu"}));
    assert_eq!(fine.send().await.unwrap().status(), 200);
    let rare = net.post("/v1/quotes", &json!({"devices": 3, "chip": "h200"}));
    let none = problem(rare.send().await.unwrap(), 422, ProblemCode::NoCapacity).await;
    assert_eq!(none.detail, Some(json!({"chip": 4})), "which constraint removed how many");
}

#[tokio::test]
async fn a_spec_within_a_creation_is_checked_too() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    for (field, value) in [("devices", json!(0)), ("chip", json!("x")), ("extra", json!(1))] {
        let mut body = create_body(1);
        body["quote"]["spec"][field] = value;
        let request = net.post("/v1/clusters", &body).bearer_auth(&token);
        let response = request.header("idempotency-key", "k").send().await.unwrap();
        problem(response, 400, ProblemCode::BadRequest).await;
    }
    assert_eq!(net.script.created.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    let spec = |bytes: usize| {
        let start = r#"{"devices":3,"chip":"cpu"}"#;
        format!("{start}{}", " ".repeat(bytes - start.len()))
    };
    let quote = |body: Body| {
        net.request(Method::POST, "/v1/quotes")
            .header("content-type", "application/json")
            .body(body)
    };
    let fits = quote(spec(16 * 1024).into()).send().await.unwrap();
    assert_eq!(fits.status(), 200);
    for bytes in [16 * 1024 + 1, 10 << 20] {
        let response = quote(spec(bytes).into()).send().await.unwrap();
        problem(response, 413, ProblemCode::TooLarge).await;
    }
    // The same without a declared length.
    let chunks = (0..10).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
    let chunked = quote(Body::wrap_stream(futures_util::stream::iter(chunks)));
    problem(chunked.send().await.unwrap(), 413, ProblemCode::TooLarge).await;
    let mut body = create_body(1);
    body["quote"]["seal"] = json!("x".repeat(64 * 1024));
    let create = net.post("/v1/clusters", &body).bearer_auth(&token).header("idempotency-key", "k");
    problem(create.send().await.unwrap(), 413, ProblemCode::TooLarge).await;
    // A length that nobody would read.
    let mut raw = TcpStream::connect(net.address).await.unwrap();
    let head = "POST /v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 99999999999\r\n\r\n";
    raw.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    raw.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn json_that_is_not() {
    let net = Net::start().await;
    let post = |kind: &str, body: &str| {
        let request = net.request(Method::POST, "/v1/auth/challenge");
        request.header("content-type", kind).body(body.to_owned()).send()
    };
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for bad in ["", "{", "null", "\u{0}", &deep, r#"{"wallet":"x"}"#, r#"{"wallet":1}"#] {
        let response = post("application/json", bad).await.unwrap();
        problem(response, 400, ProblemCode::BadRequest).await;
    }
    let long = format!(r#"{{"{}":1}}"#, "y".repeat(60_000));
    let told =
        problem(post("application/json", &long).await.unwrap(), 400, ProblemCode::BadRequest);
    assert!(told.await.message.len() < 1_000, "what it quotes is bounded");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let response = post(kind, "{}").await.unwrap();
        problem(response, 415, ProblemCode::BadRequest).await;
    }
}

#[tokio::test]
async fn ids_and_paths_that_are_not() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    for path in [
        "/v1/clusters/x",
        "/v1/clusters/clu_",
        "/v1/clusters/clu_AAAAAAAAAAAAAAAA",
        "/v1/clusters/dev_aaaaaaaaaaaaaaaa",
        "/v1/clusters/%FF%FE",
        "/v1/clusters/..%2F..%2Fetc",
        "/v1/devices/dev_0",
        "/v1/devices?limit=x",
        "/v1/devices?after=dev_0",
        "/v1/offers?chip=warp-drive",
    ] {
        let response = net.get(path).bearer_auth(&token).send().await.unwrap();
        problem(response, 400, ProblemCode::BadRequest).await;
    }
    let long = format!("/v1/clusters/clu_{}", "a".repeat(4_000));
    let response = net.get(&long).bearer_auth(&token).send().await.unwrap();
    problem(response, 400, ProblemCode::BadRequest).await;
    for path in ["/", "/v1", "/v2/network", "/v1/clusters/x/y", "/v1/network/"] {
        problem(net.get(path).send().await.unwrap(), 404, ProblemCode::NotFound).await;
    }
    for (method, path) in [(Method::DELETE, "/v1/clusters"), (Method::POST, "/v1/network")] {
        let response = net.request(method, path).send().await.unwrap();
        problem(response, 405, ProblemCode::BadRequest).await;
    }
}

#[tokio::test]
async fn request_ids_are_taken_or_made_and_checked() {
    let net = Net::start().await;
    let ask = |id: &str| net.get("/v1/network").header("x-request-id", id).send();
    let given = ask("my-wish_1").await.unwrap();
    assert_eq!(given.headers()["x-request-id"], "my-wish_1");
    assert_eq!(given.headers()["x-content-type-options"], "nosniff");
    assert!(!given.headers().contains_key("access-control-allow-origin"));
    for bad in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
        let problem: Problem = problem(ask(bad).await.unwrap(), 400, ProblemCode::BadRequest).await;
        assert_ne!(problem.request_id, bad);
    }
    let made = net.get("/v1/network").send().await.unwrap();
    assert_eq!(made.headers()["x-request-id"].len(), 32);
}

#[tokio::test]
async fn callers_are_limited_and_recover() {
    let address = Rate { burst: 5, per_second: 2 };
    let net = Net::with_rates(Rates { address, ..Rates::default() }).await;
    for _ in 0..5 {
        assert_eq!(net.get("/healthz").send().await.unwrap().status(), 200);
    }
    let refused = net.get("/healthz").send().await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    problem(refused, 429, ProblemCode::RateLimited).await;
    net.advance(1);
    assert_eq!(net.get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn figures_name_routes_and_never_paths() {
    let net = Net::start().await;
    net.get("/v1/devices/dev_0").send().await.unwrap();
    net.get("/no-such-path-42").send().await.unwrap();
    net.request(Method::from_bytes(b"FROB").unwrap(), "/v1/network").send().await.unwrap();
    let text = net.get("/metrics").send().await.unwrap().text().await.unwrap();
    let line = r#"ionet_http_requests_total{method="GET",route="/v1/devices/{id}",status="400"} 1"#;
    assert!(text.contains(line), "{text}");
    assert!(text.contains("ionet_http_request_seconds_bucket"));
    assert!(!text.contains("no-such-path-42") && !text.contains("FROB"), "{text}");
}

#[tokio::test]
async fn a_coordinator_that_does_not_lead_says_so() {
    let net = Net::start().await;
    net.script.views.set_leading(false);
    problem(net.get("/healthz").send().await.unwrap(), 503, ProblemCode::Internal).await;
    let quote = net.post("/v1/quotes", &json!({"devices": 3, "chip": "cpu"}));
    problem(quote.send().await.unwrap(), 503, ProblemCode::Internal).await;
}
