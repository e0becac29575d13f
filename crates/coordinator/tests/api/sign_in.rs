//! Challenges, tokens and scopes.

use crate::harness::{DEVICE, Net, device, key, problem, wallet};
use ionet_api::{ProblemCode, StateName, Token};
use ionet_coordinator::api::{Rate, Rates};
use ionet_core::{GenesisHash, SignatureBytes};
use serde_json::json;

#[tokio::test]
async fn a_wallet_signs_in_and_is_known_after_a_restart() {
    let net = Net::start().await;
    let alice = key(1);
    let challenge = net.challenge(&alice, &[]).await;
    let start = format!("{} wants you to sign in", net.address);
    assert!(challenge.message.starts_with(&start), "{}", challenge.message);
    assert!(challenge.message.contains(&GenesisHash([1; 32]).to_string()));
    let response = net.redeem(&alice, &challenge.message).await;
    let token: Token = response.json().await.unwrap();
    assert_eq!(token.scopes.len(), 4, "no scope named: all of them");
    let mine = net.get("/v1/clusters").bearer_auth(&token.token).send().await.unwrap();
    assert_eq!(mine.status(), 200);
    let kept = std::fs::read_dir(net.data_dir()).unwrap().map(|file| file.unwrap().path());
    // The records of trials are public, and in a folder of their own.
    for file in kept.filter(|path| path.is_file()) {
        let bytes = std::fs::read(file).unwrap();
        let secret = token.token.as_bytes();
        assert!(!bytes.windows(secret.len()).any(|w| w == secret), "a token is on disk");
    }
    let net = net.restart().await;
    let mine = net.get("/v1/clusters").bearer_auth(&token.token).send().await.unwrap();
    assert_eq!(mine.status(), 200);
}

#[tokio::test]
async fn a_challenge_is_used_once_in_time_and_by_its_own_wallet() {
    let net = Net::start().await;
    let (alice, mallory) = (key(1), key(2));
    let once = net.challenge(&alice, &[]).await.message;
    assert_eq!(net.redeem(&alice, &once).await.status(), 200);
    problem(net.redeem(&alice, &once).await, 401, ProblemCode::Unauthenticated).await;

    let stolen = net.challenge(&alice, &[]).await.message;
    problem(net.redeem(&mallory, &stolen).await, 401, ProblemCode::Unauthenticated).await;
    problem(net.redeem(&alice, &stolen).await, 401, ProblemCode::Unauthenticated).await;

    let late = net.challenge(&alice, &[]).await.message;
    net.advance(301);
    problem(net.redeem(&alice, &late).await, 401, ProblemCode::Unauthenticated).await;

    let scopes = net.challenge(&alice, &["clusters-read"]).await.message;
    let raised = scopes.replace("clusters-read", "clusters");
    problem(net.redeem(&alice, &raised).await, 401, ProblemCode::Unauthenticated).await;
    let elsewhere = scopes.replace(&net.address.to_string(), "evil.example");
    problem(net.redeem(&alice, &elsewhere).await, 401, ProblemCode::Unauthenticated).await;
    let short = json!({"message": scopes, "signature": "abc"});
    let response = net.post("/v1/auth/token", &short).send().await.unwrap();
    problem(response, 400, ProblemCode::BadRequest).await;
    assert_eq!(net.redeem(&alice, &scopes).await.status(), 200, "none of these used it up");
}

#[tokio::test]
async fn bad_tokens_are_refused() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    let forged = format!("{}{}", &token[..63], if token.ends_with('0') { '1' } else { '0' });
    for bad in ["", "x", &forged, &token.to_uppercase(), &"a".repeat(5_000)] {
        let response = net.get("/v1/clusters").bearer_auth(bad).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        problem(response, 401, ProblemCode::Unauthenticated).await;
    }
    let basic = net.get("/v1/clusters").header("authorization", format!("Basic {token}"));
    problem(basic.send().await.unwrap(), 401, ProblemCode::Unauthenticated).await;
    let none = net.get("/v1/clusters").send().await.unwrap();
    problem(none, 401, ProblemCode::Unauthenticated).await;
    // Where nobody needs a token, a bad one is refused all the same.
    let devices = net.get("/v1/devices").bearer_auth(&forged).send().await.unwrap();
    problem(devices, 401, ProblemCode::Unauthenticated).await;
    net.advance(3_600);
    let expired = net.get("/v1/clusters").bearer_auth(&token).send().await.unwrap();
    problem(expired, 401, ProblemCode::Unauthenticated).await;
}

#[tokio::test]
async fn a_scope_opens_its_own_routes_only() {
    let net = Net::start().await;
    let alice = key(9);
    let id = net.put_cluster(wallet(&alice), 1, StateName::Ready);
    net.script.views.put_device(device(wallet(&alice)));
    let (show, close) = (format!("/v1/clusters/{id}"), format!("/v1/clusters/{id}/close"));
    let (access, drain) = (format!("{show}/access"), format!("/v1/devices/{DEVICE}/drain"));
    let routes = [("GET", &show), ("POST", &close), ("GET", &access), ("POST", &drain)];
    for (scope, allowed) in [
        ("clusters", [true, true, false, false]),
        ("clusters-read", [true, false, false, false]),
        ("access", [false, false, true, false]),
        ("devices", [false, false, false, true]),
    ] {
        let token = net.token(&alice, &[scope]).await;
        for ((method, path), allowed) in routes.iter().zip(allowed) {
            let request = net.request(method.parse().unwrap(), path).bearer_auth(&token);
            let request = request.header("idempotency-key", scope).json(&json!({"drain": true}));
            let response = request.send().await.unwrap();
            if allowed {
                assert_eq!(response.status(), 200, "{scope} {path}");
            } else {
                problem(response, 403, ProblemCode::Forbidden).await;
            }
        }
    }
    let unknown = json!({"wallet": wallet(&alice), "scopes": ["everything"]});
    let response = net.post("/v1/auth/challenge", &unknown).send().await.unwrap();
    problem(response, 400, ProblemCode::BadRequest).await;
}

#[tokio::test]
async fn what_a_device_serves_is_its_suppliers_to_know() {
    let net = Net::start().await;
    let (supplier, other) = (key(9), key(1));
    net.script.views.put_device(device(wallet(&supplier)));
    let mine = net.token(&supplier, &["devices"]).await;
    let others = net.token(&other, &["devices"]).await;
    let path = format!("/v1/devices/{DEVICE}");
    for (token, seen) in [(Some(&mine), true), (Some(&others), false), (None, false)] {
        for path in [path.as_str(), "/v1/devices"] {
            let request = net.get(path);
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let text = request.send().await.unwrap().text().await.unwrap();
            assert!(text.contains(&DEVICE.to_string()));
            assert_eq!(text.contains("clu_secret"), seen, "{path}: {text}");
        }
    }
}

#[tokio::test]
async fn sign_ins_are_limited() {
    let sign_in = Rate { burst: 3, per_second: 1 };
    let net = Net::with_rates(Rates { sign_in, ..Rates::default() }).await;
    let asked = json!({"wallet": wallet(&key(1))});
    let bogus = json!({"message": "x", "signature": SignatureBytes([1; 64])});
    net.challenge(&key(1), &[]).await;
    for _ in 0..2 {
        let response = net.post("/v1/auth/token", &bogus).send().await.unwrap();
        problem(response, 401, ProblemCode::Unauthenticated).await;
    }
    let response = net.post("/v1/auth/challenge", &asked).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    problem(response, 429, ProblemCode::RateLimited).await;
    net.advance(1);
    net.challenge(&key(1), &[]).await;
}
