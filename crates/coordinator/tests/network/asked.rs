//! Trials that somebody asks for over REST, and trials that a crash cuts off.

use crate::manner::{Manner, ROUNDS};
use crate::rest::Client;
use crate::trials::{device, disagreements, records, world};
use crate::world::{Running, World, eventually};
use ionet_api::DeviceStateName;
use ionet_core::DeviceId;
use ionet_trust::Secret;
use ionet_trust::record::{Lane, Outcome, Record};
use serde_json::{Value, json};

/// How many records name the device.
fn entries(world: &World, id: DeviceId) -> usize {
    let named =
        |(record, _): &(Record, Vec<u8>)| record.entries.iter().any(|e| e.chip.device == id);
    records(world).values().filter(|r| named(r)).count()
}

async fn ask(client: &Client, id: DeviceId) -> (u16, Value) {
    let answer = client.post(&format!("/v1/devices/{id}/trials"), &json!({})).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_asks_a_device_within_its_share_of_time() {
    let mut world = world(86_400).await;
    let trials = world.config.trials.as_mut().unwrap();
    // 0.6 s of work at most once a minute.
    trials.duty_per_mille = 10;
    let pause_s = i64::from(trials.work_ms) / i64::from(trials.duty_per_mille);
    let at = world.start().await;
    let asked = device(&world, &at, Manner::Honest).await;
    let other = device(&world, &at, Manner::Honest).await;
    for device in [&asked, &other] {
        world.device_is(&at, device.id, DeviceStateName::Idle).await;
    }
    let client = Client::sign_in(&at, &world.wallet(0).await).await;
    let (status, problem) = ask(&client, asked.id).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("its share of time"), "{problem}");
    assert_eq!(ask(&client, DeviceId([9; 32])).await.0, 404);
    // The period's trial comes when it comes, and uses up the device's time too: there is one.
    let mut answered = None;
    for _ in 0..2 {
        world.pass(&at, pause_s, &[&asked, &other]).await;
        let before = (entries(&world, asked.id), entries(&world, other.id));
        let (status, answer) = ask(&client, asked.id).await;
        answered = Some((status, answer, before));
        if status == 202 {
            break;
        }
    }
    let (status, answer, before) = answered.unwrap();
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["device"], asked.id.to_string());
    let again = || async { (entries(&world, asked.id) > before.0).then_some(()) };
    eventually("it proves again", again).await;
    assert_eq!(entries(&world, other.id), before.1, "nobody asked the other");
    assert_eq!(ask(&client, asked.id).await.0, 409, "once is enough");
    for (record, proofs) in records(&world).values() {
        assert_eq!(disagreements(record, proofs), vec![], "trial {}", record.trial);
        let served = client.get(&format!("/v1/trials/{}/record", record.trial)).await;
        assert_eq!(served.bytes().await.unwrap(), record.encode());
        let served = client.get(&format!("/v1/trials/{}/proofs", record.trial)).await;
        assert_eq!(served.bytes().await.unwrap(), proofs);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_trials_there_is_nothing_to_see_or_to_ask() {
    let world = World::new().await;
    let at = world.start().await;
    let supplier = world.wallet(0).await;
    // It is idle without having proven anything.
    let device = world.device(&at, &supplier).await;
    let client = Client::sign_in(&at, &supplier).await;
    for path in ["/v1/trials", "/v1/trials/1/record", "/v1/trials/1/proofs"] {
        assert_eq!(client.get(path).await.status(), 404, "{path}");
    }
    let (status, problem) = ask(&client, device.id).await;
    assert_eq!(status, 404, "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("no trials"), "{problem}");
}

/// The secret that the period's lane has promised and not begun to use, as it is on the disk.
fn promised(world: &World) -> Option<Secret> {
    let text = std::fs::read_to_string(world.config.data_dir.join("trials/state.json")).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    let mut secret = [0; 32];
    hex::decode_to_slice(state["period"]["secret"].as_str()?, &mut secret).unwrap();
    Some(Secret(secret))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_period_that_a_crash_cut_off_is_not_used_again() {
    let world = world(4).await;
    let at = world.start().await;
    let device = device(&world, &at, Manner::Honest).await;
    let period = |after: u64| {
        let later = records(&world).into_iter().filter(move |(number, _)| *number > after);
        later.map(|(_, (record, _))| record).find(|record| record.lane == Lane::Period)
    };
    let first = eventually("a period's trial", || async { period(0) }).await;
    // From now on it says nothing: the next trial lasts, and would end badly.
    device.with(|disk| disk.manner = Some(Manner::Stalls));
    let mut broken = promised(&world).unwrap();
    eventually("the next one has begun", || {
        let now = promised(&world);
        let begun = now.is_none().then_some(());
        broken = now.unwrap_or(broken);
        async move { begun }
    })
    .await;
    let judged_at = |at: &Running| at.control.device(device.id)?.verdict.map(|v| v.at_ms);
    assert_eq!(judged_at(&at), Some(first.started_ms));
    at.crash().await;
    assert_eq!(period(first.trial.0), None, "it left no record");
    device.with(|disk| disk.manner = Some(Manner::Honest));
    let at = world.start().await;
    let next = eventually("a period's trial", || async { period(first.trial.0) }).await;
    assert!(next.trial.0 > first.trial.0 + 1, "the broken one's number is not used again");
    assert_ne!(next.promised, broken.precommitment(), "nor is its secret");
    assert_eq!(next.previous, first.hash(), "records follow one another");
    let entry = next.entries.iter().find(|e| e.chip.device == device.id).unwrap();
    assert_eq!(entry.answers[0].outcome, Outcome::Proven(ROUNDS));
    let judged = async || (judged_at(&at) >= Some(next.started_ms)).then_some(());
    eventually("it is judged by that one", judged).await;
}
