//! Records of trials, for anybody.

use crate::harness::{DEVICE, Net, device, key, problem, wallet};
use ionet_api::ProblemCode;
use ionet_core::{TrialId, Wallet};
use ionet_trust::Secret;
use ionet_trust::record::{Lane, Mark, Record, Start};

fn record(trial: u64) -> Record {
    let secret = Secret([1; 32]);
    Record {
        trial: TrialId(trial),
        before: TrialId(0),
        lane: Lane::Joining,
        genesis: [2; 32],
        coordinator: Wallet([3; 32]),
        previous: [0; 32],
        promised: secret.precommitment(),
        promise: [0; 64],
        promise_slot: 0,
        secret,
        basis: Mark::default(),
        period_ms: 0,
        starts: vec![Start::default()],
        anchor_slot: 1,
        anchor: [4; 64],
        late: Mark::default(),
        started_ms: 1_700_000_000_000,
        grace_us: 0,
        assignments: vec![],
        entries: vec![],
    }
}

#[tokio::test]
async fn records_are_listed_newest_first_and_come_as_they_are_kept() {
    let net = Net::start().await;
    let status = async |path: &str| net.get(path).send().await.unwrap().status().as_u16();
    let folder = net.data_dir().join("trials");
    for trial in [1, 2, 11] {
        let path = folder.join(format!("{trial:010}.record"));
        std::fs::write(path, record(trial).encode()).unwrap();
    }
    std::fs::write(folder.join("0000000011.proofs"), b"some proofs").unwrap();
    // Of a trial that goes on, or broke off.
    std::fs::write(folder.join("0000000012.proofs"), b"some").unwrap();
    std::fs::write(folder.join("0000000003.record"), b"no record").unwrap();
    let numbers = async |path: &str| {
        let all: serde_json::Value = net.get(path).send().await.unwrap().json().await.unwrap();
        all.as_array().unwrap().iter().map(|t| t["trial"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers("/v1/trials").await, [11, 2, 1], "what cannot be read is left out");
    assert_eq!(numbers("/v1/trials?before=11&limit=2").await, [2], "it counts as read");
    let bytes = net.get("/v1/trials/11/record").send().await.unwrap().bytes().await.unwrap();
    assert_eq!(Record::decode(&bytes).unwrap(), record(11));
    let bytes = net.get("/v1/trials/11/proofs").send().await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], b"some proofs");
    for missing in ["/v1/trials/12/proofs", "/v1/trials/12/record", "/v1/trials/4/record"] {
        assert_eq!(status(missing).await, 404, "{missing}");
    }
    for wrong in ["/v1/trials/x/record", "/v1/trials/-1/proofs", "/v1/trials?befor=1"] {
        assert_eq!(status(wrong).await, 400, "{wrong}");
    }
}

#[tokio::test]
async fn asking_for_a_proof_takes_a_wallet_and_a_coordinator_that_holds_trials() {
    let net = Net::start().await;
    net.script.views.put_device(device(wallet(&key(9))));
    let token = net.token(&key(1), &["clusters"]).await;
    let ask = |id: &str| net.post(&format!("/v1/devices/{id}/trials"), &serde_json::json!({}));
    let known = DEVICE.to_string();
    let refused = ask(&known).send().await.unwrap();
    problem(refused, 401, ProblemCode::Unauthenticated).await;
    let unknown = ionet_core::DeviceId([8; 32]).to_string();
    let refused = ask(&unknown).bearer_auth(&token).send().await.unwrap();
    problem(refused, 404, ProblemCode::NotFound).await;
    let refused = ask("dev_nonsense").bearer_auth(&token).send().await.unwrap();
    problem(refused, 400, ProblemCode::BadRequest).await;
    // Records of another time are there, but nobody holds trials now.
    let refused = ask(&known).bearer_auth(&token).send().await.unwrap();
    let refused = problem(refused, 409, ProblemCode::Conflict).await;
    assert!(refused.message.contains("holds no trials"), "{refused:?}");
}
