//! Events: listed, followed, resumed, and ended.

use crate::harness::{Net, event, key, wallet};
use ionet_api::{ClusterEvent, StateName};
use ionet_coordinator::control::ClusterView;
use ionet_core::{ClusterId, Wallet};
use std::time::Duration;

/// What the API and the tests know of the cluster of lease 1.
fn publish(net: &Net, state: StateName, events: u64) {
    let lease = Wallet([1; 32]);
    let mut cluster = crate::harness::cluster(wallet(&key(1)), lease, state);
    cluster.last_event = events;
    let of = |seq| event(seq, if seq == events { state } else { StateName::Starting });
    let (told, served) = ((1..=events).map(of).collect(), Vec::new());
    let view = ClusterView { cluster, events: told, served, ray_token: None };
    net.script.views.put_cluster(view);
    let _ = net.script.announcements.send((ClusterId::of_lease(&lease), events));
}

fn path() -> String {
    format!("/v1/clusters/{}/events", ClusterId::of_lease(&Wallet([1; 32])))
}

/// Numbers of the events in server-sent text.
fn numbers(text: &str) -> Vec<u64> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.map(|d| serde_json::from_str::<ClusterEvent>(d.trim()).unwrap().seq).collect()
}

async fn follow(net: &Net, token: &str, query: &str) -> reqwest::Response {
    let request = net.get(&format!("{}{query}", path())).bearer_auth(token);
    request.header("accept", "text/event-stream").send().await.unwrap()
}

#[tokio::test]
async fn a_list_goes_on_from_where_it_is_told() {
    let net = Net::start().await;
    let token = net.token(&key(1), &["clusters-read"]).await;
    publish(&net, StateName::Ready, 3);
    for (query, expected) in [("", vec![1, 2, 3]), ("?after=2", vec![3]), ("?after=9", vec![])] {
        let request = net.get(&format!("{}{query}", path())).bearer_auth(&token);
        let events: Vec<ClusterEvent> = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), expected, "{query}");
    }
    for bad in ["?after=-1", "?after=x", "?aftr=1"] {
        let request = net.get(&format!("{}{bad}", path())).bearer_auth(&token);
        assert_eq!(request.send().await.unwrap().status(), 400, "{bad}");
    }
}

#[tokio::test]
async fn a_follower_hears_what_comes_until_the_end() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    publish(&net, StateName::Starting, 2);
    let mut response = follow(&net, &token, "").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while numbers(&text) != [1, 2] {
        text += std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap();
    }
    // Another cluster's news, then ours.
    net.put_cluster(wallet(&key(2)), 2, StateName::Ready);
    publish(&net, StateName::Ready, 3);
    while numbers(&text) != [1, 2, 3] {
        text += std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(text.contains("id: 3") || text.contains("id:3"), "{text}");
    publish(&net, StateName::Closed, 5);
    while let Some(chunk) = response.chunk().await.unwrap() {
        text += std::str::from_utf8(&chunk).unwrap();
    }
    assert_eq!(numbers(&text), [1, 2, 3, 4, 5], "then the stream ends by itself");
}

#[tokio::test]
async fn a_follower_resumes() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    publish(&net, StateName::Failed, 4);
    let whole = follow(&net, &token, "?after=2").await.text().await.unwrap();
    assert_eq!(numbers(&whole), [3, 4]);
    let request = net.get(&format!("{}?after=1", path())).bearer_auth(&token);
    let request = request.header("accept", "text/event-stream").header("last-event-id", "3");
    assert_eq!(numbers(&request.send().await.unwrap().text().await.unwrap()), [4]);
    let ended = follow(&net, &token, "?after=4").await.text().await.unwrap();
    assert_eq!(numbers(&ended), [0u64; 0]);
}

#[tokio::test]
async fn followers_are_bounded_and_end_with_the_server() {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    publish(&net, StateName::Ready, 1);
    let mut open = vec![];
    for _ in 0..32 {
        open.push(follow(&net, &token, "").await);
    }
    assert!(open.iter().all(|r| r.status() == 200));
    assert_eq!(follow(&net, &token, "").await.status(), 429);
    drop(open.split_off(1));
    // The server learns of a hung-up client when it next writes.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(50);
    while follow(&net, &token, "").await.status() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "no place came back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let last = open.pop().unwrap();
    let text = tokio::spawn(last.text());
    let _net = net.restart().await;
    assert_eq!(numbers(&text.await.unwrap().unwrap()), [1]);
}
