//! The same mutation twice, at once, with another body, and over a crash.

use crate::harness::{Net, create_body, key, problem, wallet};
use ed25519_dalek::Signer as _;
use ionet_api::{Cluster, ProblemCode, Receipt, StateName, Vouched};
use ionet_coordinator::api::Rates;
use ionet_core::{ClusterId, SignatureBytes, Wallet};
use ionet_ledger::interface::statement::Receipt as Statement;
use serde_json::json;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

#[tokio::test]
async fn the_same_key_is_worked_once_and_answered_alike_even_after_a_restart() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    let first = net.create(&token, "k1", 1).await;
    assert_eq!(first.status(), 201);
    assert!(!first.headers().contains_key("idempotent-replayed"));
    let first = first.bytes().await.unwrap();
    let cluster: Cluster = serde_json::from_slice(&first).unwrap();
    assert_eq!(cluster.id, ClusterId::of_lease(&Wallet([1; 32])));

    let again = net.create(&token, "k1", 1).await;
    assert_eq!(again.status(), 201);
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.bytes().await.unwrap(), first);
    assert_eq!(net.script.created.load(SeqCst), 1);

    let net = net.restart().await;
    let later = net.create(&token, "k1", 1).await;
    assert_eq!(later.headers()["idempotent-replayed"], "true");
    assert_eq!(later.bytes().await.unwrap(), first);
    assert_eq!(net.script.created.load(SeqCst), 0, "the new process did nothing");
    problem(net.create(&token, "k1", 2).await, 422, ProblemCode::IdempotencyMismatch).await;
}

#[tokio::test]
async fn a_key_belongs_to_its_body_its_route_and_its_wallet() {
    let net = Net::start().await;
    let (alice, bob) = (net.token(&key(1), &[]).await, net.token(&key(2), &[]).await);
    assert_eq!(net.create(&alice, "k", 1).await.status(), 201);
    problem(net.create(&alice, "k", 3).await, 422, ProblemCode::IdempotencyMismatch).await;
    assert_eq!(net.create(&bob, "k", 3).await.status(), 201, "another wallet's key");
    let close = format!("/v1/clusters/{}/close", ClusterId::of_lease(&Wallet([1; 32])));
    let closed = net.post(&close, &json!({})).bearer_auth(&alice).header("idempotency-key", "k");
    assert_eq!(closed.send().await.unwrap().status(), 200, "another route's key");
    assert_eq!(net.script.created.load(SeqCst), 2);
    net.advance(24 * 3_600 - 3_000);
    let token = net.token(&key(1), &[]).await;
    let kept = net.create(&token, "k", 1).await;
    assert_eq!(kept.headers()["idempotent-replayed"], "true");
    net.advance(3_500);
    let anew = net.create(&token, "k", 1).await;
    assert!(!anew.headers().contains_key("idempotent-replayed"), "kept for a day");
}

#[tokio::test]
async fn a_duplicate_in_flight_is_refused_and_the_work_outlives_its_client() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    net.script.gate.forget_permits(1_000);
    let request = net.post("/v1/clusters", &create_body(1)).bearer_auth(&token);
    let request = request.header("idempotency-key", "k");
    let first = tokio::spawn(request.send());
    // The duplicate may be the quicker of the two: ask until the first is seen at the gate.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let mut refused = false;
    while !refused {
        assert!(tokio::time::Instant::now() < deadline, "no duplicate was refused");
        let (other, token) = (net.post("/v1/clusters", &create_body(1)), token.clone());
        let other = other.bearer_auth(token).header("idempotency-key", "k").send();
        let other = tokio::time::timeout(Duration::from_secs(2), tokio::spawn(other)).await;
        // One that hangs was the quicker and is the one in flight.
        if let Ok(answer) = other {
            problem(answer.unwrap().unwrap(), 409, ProblemCode::IdempotencyInFlight).await;
            refused = true;
        }
    }
    first.abort();
    net.script.gate.add_permits(2);
    let answer = loop {
        assert!(tokio::time::Instant::now() < deadline, "the work never ended");
        let answer = net.create(&token, "k", 1).await;
        if answer.status() == 201 {
            break answer;
        }
        problem(answer, 409, ProblemCode::IdempotencyInFlight).await;
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.headers()["idempotent-replayed"], "true");
    assert_eq!(net.script.created.load(SeqCst), 1);
}

#[tokio::test]
async fn what_a_crash_left_in_flight_is_worked_anew() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    assert_eq!(net.create(&token, "k", 1).await.status(), 201);
    // A killed process leaves the claim without an answer.
    let db = rusqlite::Connection::open(net.data_dir().join("api.sqlite")).unwrap();
    let cleared = db.execute("UPDATE answer SET status = NULL, body = NULL", []).unwrap();
    assert_eq!(cleared, 1);
    problem(net.create(&token, "k", 1).await, 409, ProblemCode::IdempotencyInFlight).await;
    drop(db);
    let net = net.restart().await;
    let answer = net.create(&token, "k", 1).await;
    assert_eq!(answer.status(), 201);
    assert!(!answer.headers().contains_key("idempotent-replayed"));
    assert_eq!(net.script.created.load(SeqCst), 1);
}

#[tokio::test]
async fn refusals_are_kept_and_outages_are_not() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    let first = problem(net.create(&token, "e", 200).await, 409, ProblemCode::QuoteExpired).await;
    let kept = problem(net.create(&token, "e", 200).await, 409, ProblemCode::QuoteExpired).await;
    assert_eq!(kept, first, "with the id of the request that was worked");
    assert_eq!(net.script.created.load(SeqCst), 1);
    for tries in 2..4 {
        let outage = net.create(&token, "c", 201).await;
        let outage = problem(outage, 503, ProblemCode::ChainUnavailable).await;
        assert!(!outage.message.contains("secret-host"), "{outage:?}");
        assert_eq!(net.script.created.load(SeqCst), tries);
    }
    let broken = net.create(&token, "p", 202).await;
    assert!(broken.status().is_server_error());
    let text = broken.text().await.unwrap();
    assert!(!text.contains("panic") && !text.contains("own fault"), "{text}");
}

#[tokio::test]
async fn keys_are_asked_for_and_checked() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    let ask = || net.post("/v1/clusters", &create_body(1)).bearer_auth(&token);
    problem(ask().send().await.unwrap(), 400, ProblemCode::BadRequest).await;
    for bad in ["", "a b", &"x".repeat(65)] {
        let response = ask().header("idempotency-key", bad).send().await.unwrap();
        problem(response, 400, ProblemCode::BadRequest).await;
    }
    let two = ask().header("idempotency-key", "a").header("idempotency-key", "b");
    problem(two.send().await.unwrap(), 400, ProblemCode::BadRequest).await;
    assert_eq!(net.script.created.load(SeqCst), 0);
    assert_eq!(net.create(&token, &"x".repeat(64), 1).await.status(), 201);
}

#[tokio::test]
async fn another_wallets_cluster_is_not_there() {
    let net = Net::start().await;
    let id = net.put_cluster(wallet(&key(1)), 1, StateName::Ready);
    let mallory = net.token(&key(2), &[]).await;
    let missing = ClusterId::of_lease(&Wallet([99; 32]));
    for path in ["", "/events", "/access", "/logs"] {
        let mut told = vec![];
        for id in [id, missing] {
            let path = format!("/v1/clusters/{id}{path}");
            let response = net.get(&path).bearer_auth(&mallory).send().await.unwrap();
            let mut problem = problem(response, 404, ProblemCode::NotFound).await;
            problem.request_id.clear();
            told.push(problem);
        }
        assert_eq!(told[0], told[1], "the answers tell whether it is there");
    }
    let close = format!("/v1/clusters/{id}/close");
    let close = net.post(&close, &json!({})).bearer_auth(&mallory).header("idempotency-key", "k");
    problem(close.send().await.unwrap(), 404, ProblemCode::NotFound).await;
    assert_eq!(net.script.closed.load(SeqCst), 0);
    let theirs = net.get("/v1/clusters").bearer_auth(&mallory).send().await.unwrap();
    assert_eq!(theirs.json::<Vec<Cluster>>().await.unwrap(), vec![]);
}

/// A receipt over `served_s` for lease `[lease; 32]` on the harness's chain, after `edit`.
fn receipt(signer: u8, lease: u8, served_s: u64, edit: impl FnOnce(&mut Receipt)) -> Receipt {
    let statement = Statement { lease: [lease; 32], page: 0, index: 1, generation: 2, served_s };
    // Genesis and program of the harness's network.
    let bytes = statement.signing_bytes(&[1; 32], &[2; 32]);
    let mut receipt = Receipt {
        page: 0,
        line: 1,
        generation: 2,
        served_s,
        signer: wallet(&key(signer)),
        signature: SignatureBytes(key(signer).sign(&bytes).to_bytes()),
    };
    edit(&mut receipt);
    receipt
}

#[tokio::test]
async fn receipts_are_checked_before_the_loop_hears_of_them() {
    let net = Net::start().await;
    let id = net.put_cluster(wallet(&key(1)), 7, StateName::Ready);
    let (owner, other) = (net.token(&key(1), &[]).await, net.token(&key(2), &[]).await);
    let path = format!("/v1/clusters/{id}/receipts");
    let send = |token: &str, receipts: Vec<Receipt>| {
        net.post(&path, &json!({ "receipts": receipts })).bearer_auth(token).send()
    };
    let vouched = |response: reqwest::Response| async {
        assert_eq!(response.status(), 200);
        response.json::<Vouched>().await.unwrap()
    };
    let good = || receipt(9, 7, 60, |_| ());
    let taken = vouched(send(&owner, vec![good()]).await.unwrap()).await;
    assert_eq!((taken.taken, taken.refused.len()), (1, 0));
    // Each lie is refused by itself; the good one beside it is taken.
    let lies = vec![
        receipt(9, 7, 60, |r| r.served_s += 1),
        receipt(9, 7, 60, |r| r.page = 1),
        receipt(9, 7, 60, |r| r.generation = 3),
        receipt(9, 7, 60, |r| r.signer = wallet(&key(8))),
        receipt(9, 8, 60, |_| ()),
        good(),
    ];
    let mixed = vouched(send(&owner, lies).await.unwrap()).await;
    assert_eq!((mixed.taken, mixed.refused.len()), (1, 5), "{mixed:?}");
    assert!(mixed.refused.iter().all(|r| r.reason.contains("signature")), "{mixed:?}");
    problem(send(&other, vec![good()]).await.unwrap(), 404, ProblemCode::NotFound).await;
    let many = vec![good(); ionet_api::RECEIPTS_MAX + 1];
    problem(send(&owner, many).await.unwrap(), 400, ProblemCode::BadRequest).await;
    let stranger = net.post(&path, &json!({ "receipts": [good()] })).send().await.unwrap();
    problem(stranger, 401, ProblemCode::Unauthenticated).await;
}

#[tokio::test]
async fn a_flood_of_receipts_is_slowed_down() {
    let net = Net::start().await;
    let id = net.put_cluster(wallet(&key(1)), 7, StateName::Ready);
    let token = net.token(&key(1), &[]).await;
    let (path, burst) = (format!("/v1/clusters/{id}/receipts"), Rates::default().mutation.burst);
    let send = || net.post(&path, &json!({ "receipts": [] })).bearer_auth(&token).send();
    for _ in 0..burst {
        assert_eq!(send().await.unwrap().status(), 200);
    }
    problem(send().await.unwrap(), 429, ProblemCode::RateLimited).await;
    net.advance(1);
    assert_eq!(send().await.unwrap().status(), 200, "and not shut out");
}
