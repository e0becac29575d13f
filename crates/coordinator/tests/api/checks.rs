//! Checks that renters hand in: every hostile one is refused, an honest one stands beside its
//! device and can be computed again by anybody.

use crate::harness::{DEVICE, Net, START_MS, cluster, device, key, network, problem, wallet};
use ed25519_dalek::{Signer as _, SigningKey};
use ionet_api::{
    CHECK_BYTES_MAX, CheckSummary, Device, DeviceFigure, DeviceVerdict, HandedCheck, ProblemCode,
    StateName,
};
use ionet_core::{
    ChainRef, ClusterId, DeviceId, GenesisHash, Provenance, SignatureBytes, Tier, Wallet,
};
use ionet_trust::inside::{
    Check, Draw, Member, Paper, Plan, Seen, Transfer, Word, digest_of, key_of,
};
use reqwest::Response;
use serde_json::json;

const BYTES: u64 = 1_000;

fn chain() -> ChainRef {
    let network = network();
    ChainRef { genesis: network.genesis, program: network.program }
}

/// A check of the disk of the cluster whose lease is `lease`.
fn check(renter: &SigningKey, lease: u8, seed: u8) -> Check {
    let lease = Wallet([lease; 32]);
    let seed = Word([seed; 32]);
    let digest = digest_of(&key_of(&seed.0, "disk", 0), BYTES, &key_of(&seed.0, "disk-salt", 0));
    let mut member = Member::unseen(DEVICE, "0.05 USDC".to_owned(), Vec::new());
    let (elapsed_us, read_us, digest) = (500, 500, Word(digest));
    member.disk = Some(Seen::Done(Transfer { elapsed_us, read_us, digest }));
    let none = Draw { beacon: Word([0; 32]), late: Word([0; 32]), secret: Word([0; 32]) };
    Check {
        version: Check::VERSION,
        cluster: ClusterId::of_lease(&lease),
        lease,
        renter: wallet(renter),
        at_ms: START_MS,
        plan: Plan { disk_bytes: Some(BYTES), ..Plan::default() },
        rounds: none,
        passes: none,
        seed,
        members: vec![member],
        links: Vec::new(),
    }
}

fn signed(check: &Check, key: &SigningKey, chain: ChainRef) -> HandedCheck {
    let record = serde_json::to_string(check).unwrap();
    let signature = SignatureBytes(key.sign(&Paper::signing_bytes(&record, &chain)).to_bytes());
    HandedCheck { record, chain, signature }
}

async fn hand_in(net: &Net, token: &str, cluster: ClusterId, handed: &HandedCheck) -> Response {
    // No test here is about how often one may ask.
    net.advance(10);
    let body = serde_json::to_value(handed).unwrap();
    let path = format!("/v1/clusters/{cluster}/checks");
    net.post(&path, &body).bearer_auth(token).send().await.unwrap()
}

/// A device with a verdict.
fn judged() -> Device {
    let figure = DeviceFigure {
        name: "integer_multiply_adds_per_s".into(),
        value: 1_000,
        known: Provenance::Proven,
        at_ms: START_MS,
        trial: Some(1),
    };
    let verdict = DeviceVerdict {
        tier: Tier::Proven,
        score: 700,
        score_judged: 700,
        class: Some("cpu".into()),
        figures: vec![figure],
        signals: Vec::new(),
        reason: None,
        at_ms: START_MS,
        expires_at_ms: START_MS + 1_000_000,
    };
    Device { verdict: Some(verdict), ..device(wallet(&key(9))) }
}

async fn shown(net: &Net) -> Device {
    net.get(&format!("/v1/devices/{DEVICE}")).send().await.unwrap().json().await.unwrap()
}

async fn listed(net: &Net) -> Vec<CheckSummary> {
    let path = format!("/v1/devices/{DEVICE}/checks");
    net.get(&path).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn an_honest_check_is_kept_shown_and_served_as_it_was_signed() {
    let net = Net::start().await;
    net.script.views.put_device(judged());
    let before = shown(&net).await.verdict.unwrap();
    let mut handed = Vec::new();
    for n in 1..=3 {
        let renter = key(n);
        let id = net.put_cluster(wallet(&renter), n, StateName::Ready);
        let token = net.token(&renter, &["clusters"]).await;
        let paper = signed(&check(&renter, n, n), &renter, chain());
        let response = hand_in(&net, &token, id, &paper).await;
        assert_eq!(response.status(), 201);
        let summary: CheckSummary = response.json().await.unwrap();
        assert_eq!((summary.cluster, summary.renter), (id, wallet(&renter)));
        let figure = &summary.devices[0].figures[0];
        assert_eq!((figure.name.as_str(), figure.value), ("disk_bytes_per_s", Some(2_000_000)));
        let path = format!("/v1/checks/{}", summary.check);
        let text = net.get(&path).send().await.unwrap().text().await.unwrap();
        let read = Paper::from_text(&text).unwrap();
        assert_eq!((read.record, read.chain), (paper.record, paper.chain));
        assert_eq!(Paper::from_text(&text).unwrap().check().unwrap(), check(&renter, n, n));
        handed.insert(0, summary);
    }
    assert_eq!(listed(&net).await, handed, "the newest first");
    let after = shown(&net).await.verdict.unwrap();
    let [signal] = &after.signals[..] else { panic!("{after:?}") };
    assert_eq!(signal.code, "renter-check");
    assert!(signal.text.starts_with("3 renters looked from inside"), "{}", signal.text);
    let [_, disk] = &after.figures[..] else { panic!("{after:?}") };
    assert_eq!((disk.name.as_str(), disk.value), ("disk_bytes_per_s", 2_000_000));
    assert_eq!((disk.known, disk.trial), (Provenance::Measured, None));
    // Nothing else of the verdict is touched.
    let untouched = DeviceVerdict { signals: Vec::new(), figures: before.figures.clone(), ..after };
    assert_eq!(untouched, before);
    let net = net.restart().await;
    assert_eq!(listed(&net).await, handed);
}

#[tokio::test]
async fn hostile_checks_are_refused_and_leave_nothing() {
    let net = Net::start().await;
    net.script.views.put_device(judged());
    let (renter, stranger) = (key(1), key(2));
    let mine = net.put_cluster(wallet(&renter), 1, StateName::Ready);
    let his = net.put_cluster(wallet(&stranger), 2, StateName::Ready);
    let token = net.token(&renter, &["clusters"]).await;
    let honest = signed(&check(&renter, 1, 1), &renter, chain());

    let path = format!("/v1/clusters/{mine}/checks");
    let body = serde_json::to_value(&honest).unwrap();
    let nobody = net.post(&path, &body).send().await.unwrap();
    problem(nobody, 401, ProblemCode::Unauthenticated).await;
    let reader = net.token(&renter, &["clusters-read"]).await;
    let reads = hand_in(&net, &reader, mine, &honest).await;
    problem(reads, 403, ProblemCode::Forbidden).await;
    // Another's cluster, as if it were not there; and another's check of mine.
    let theirs = hand_in(&net, &token, his, &signed(&check(&renter, 2, 1), &renter, chain())).await;
    problem(theirs, 404, ProblemCode::NotFound).await;

    type Edit = fn(&mut Check);
    let edits: [(Edit, &str); 6] = [
        (|c| c.renter = Wallet([9; 32]), "did not sign"),
        (|c| (c.lease, c.cluster) = other_lease(), "another cluster"),
        (|c| c.members[0].device = DeviceId([8; 32]), "did not serve this cluster"),
        (|c| c.at_ms += 3_600_000, "later time than now"),
        (|c| c.at_ms -= 3_700_000, "hour old"),
        (|c| c.plan.disk_bytes = Some(u64::MAX), "bytes for the disk"),
    ];
    for (edit, says) in edits {
        let mut check = check(&renter, 1, 1);
        edit(&mut check);
        let refused = hand_in(&net, &token, mine, &signed(&check, &renter, chain())).await;
        let refused = problem(refused, 400, ProblemCode::BadRequest).await;
        assert!(refused.message.contains(says), "{says}: {}", refused.message);
    }
    let foreign = ChainRef { genesis: GenesisHash([8; 32]), ..chain() };
    let strange = signed(&check(&stranger, 1, 1), &stranger, chain());
    let forged = HandedCheck { signature: SignatureBytes([1; 64]), ..honest.clone() };
    let malformed = HandedCheck { record: "{".into(), ..honest.clone() };
    for (handed, says) in [
        (signed(&check(&renter, 1, 1), &renter, foreign), "another chain"),
        (strange, "renter is another wallet"),
        (forged, "did not sign"),
        (malformed, "the record"),
    ] {
        let refused = hand_in(&net, &token, mine, &handed).await;
        let refused = problem(refused, 400, ProblemCode::BadRequest).await;
        assert!(refused.message.contains(says), "{says}: {}", refused.message);
    }
    let long = HandedCheck { record: "x".repeat(CHECK_BYTES_MAX), ..honest.clone() };
    problem(hand_in(&net, &token, mine, &long).await, 413, ProblemCode::TooLarge).await;
    let more = net.post(&path, &json!({"record": "", "more": 1})).bearer_auth(&token);
    problem(more.send().await.unwrap(), 400, ProblemCode::BadRequest).await;
    assert_eq!(listed(&net).await, []);
    assert_eq!(shown(&net).await, judged_as_seen());

    let unknown = net.get(&format!("/v1/checks/{}", "0".repeat(64))).send().await.unwrap();
    problem(unknown, 404, ProblemCode::NotFound).await;
    for wrong in ["/v1/checks/x", "/v1/checks/..%2F..%2Fapi.sqlite", "/v1/devices/x/checks"] {
        assert_eq!(net.get(wrong).send().await.unwrap().status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn one_check_is_taken_once() {
    let net = Net::start().await;
    let renter = key(1);
    let mine = net.put_cluster(wallet(&renter), 1, StateName::Ready);
    let token = net.token(&renter, &["clusters"]).await;
    let honest = signed(&check(&renter, 1, 1), &renter, chain());
    assert_eq!(hand_in(&net, &token, mine, &honest).await.status(), 201);
    // The same, and the same draws with another time.
    let mut again = check(&renter, 1, 1);
    again.at_ms += 1;
    for twice in [honest, signed(&again, &renter, chain())] {
        let refused = hand_in(&net, &token, mine, &twice).await;
        let refused = problem(refused, 409, ProblemCode::Conflict).await;
        assert!(refused.message.contains("before"), "{}", refused.message);
    }
    assert_eq!(listed(&net).await.len(), 1);
}

fn other_lease() -> (Wallet, ClusterId) {
    let other = cluster(wallet(&key(1)), Wallet([3; 32]), StateName::Ready);
    (other.lease, other.id)
}

fn judged_as_seen() -> Device {
    Device { clusters: Vec::new(), ..judged() }
}
