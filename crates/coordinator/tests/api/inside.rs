//! Into a cluster: tunnels, logs, execs, the Ray token.

use crate::harness::{DEVICE, Net, key, problem, wallet};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt, StreamExt};
use ionet_api::{Access, ExecMessage, ProblemCode, StateName};
use ionet_core::{ClusterId, DeviceId};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn ready() -> (Net, String, ClusterId) {
    let net = Net::start().await;
    let token = net.token(&key(1), &[]).await;
    let id = net.put_cluster(wallet(&key(1)), 1, StateName::Ready);
    (net, token, id)
}

async fn connect(net: &Net, token: &str, path: &str) -> Result<Socket, u16> {
    let url = format!("ws://{}{path}", net.address);
    let mut request = url.into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

/// The bytes of binary messages up to the empty one that ends the direction.
async fn read_to_end(socket: &mut Socket) -> Vec<u8> {
    let mut all = vec![];
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Binary(bytes) if bytes.is_empty() => return all,
            Message::Binary(bytes) => all.extend_from_slice(&bytes),
            Message::Ping(_) | Message::Pong(_) => (),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_tunnel_carries_bytes_and_half_closes() {
    let (net, token, id) = ready().await;
    let path = format!("/v1/clusters/{id}/tunnel/8265");
    let mut socket = connect(&net, &token, &path).await.unwrap();
    let long = vec![b'a'; 300_000];
    for piece in long.chunks(50_000) {
        socket.send(Message::Binary(piece.to_vec().into())).await.unwrap();
    }
    socket.send(Message::Binary(Vec::new().into())).await.unwrap();
    let said = read_to_end(&mut socket).await;
    assert_eq!(&said[..10], b"port 8265;");
    assert_eq!(said.len(), 10 + long.len(), "the answer came after our end");
    assert!(said[10..].iter().all(|b| *b == b'A'));
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(_))) | None));
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_its_tunnel_only() {
    let (net, token, id) = ready().await;
    let path = format!("/v1/clusters/{id}/tunnel/10001");
    let mut socket = connect(&net, &token, &path).await.unwrap();
    let huge = Message::Binary(vec![0; 2 << 20].into());
    let sent = socket.send(huge).await;
    while let Some(Ok(message)) = socket.next().await {
        assert!(!matches!(message, Message::Binary(b) if b.len() > 100), "it was answered");
    }
    drop(sent);
    assert!(connect(&net, &token, &path).await.is_ok());
}

#[tokio::test]
async fn tunnels_go_to_two_ports_of_ones_own_cluster() {
    let (net, token, id) = ready().await;
    let mallory = net.token(&key(2), &[]).await;
    let reader = net.token(&key(1), &["clusters"]).await;
    let to = |port: &str| format!("/v1/clusters/{id}/tunnel/{port}");
    for (token, port, status) in [
        (&token, "22", 403),
        (&token, "6379", 403),
        (&token, "65536", 400),
        (&token, "x", 400),
        (&mallory, "8265", 404),
        (&reader, "8265", 403),
        (&"bogus".to_owned(), "8265", 401),
    ] {
        assert_eq!(connect(&net, token, &to(port)).await.err(), Some(status), "{port}");
    }
    // The refusals are problems, and so is the answer to plain HTTP.
    let plain = net.get(&to("8265")).bearer_auth(&token).send().await.unwrap();
    problem(plain, 426, ProblemCode::BadRequest).await;
}

#[tokio::test]
async fn tunnels_are_bounded_per_cluster() {
    let (net, token, id) = ready().await;
    let path = format!("/v1/clusters/{id}/tunnel/8265");
    let mut open = vec![];
    for _ in 0..128 {
        open.push(connect(&net, &token, &path).await.unwrap());
    }
    assert_eq!(connect(&net, &token, &path).await.err(), Some(429));
    let other = net.put_cluster(wallet(&key(1)), 2, StateName::Ready);
    let path_of_other = format!("/v1/clusters/{other}/tunnel/8265");
    assert!(connect(&net, &token, &path_of_other).await.is_ok());
    open.pop().unwrap().close(None).await.unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while connect(&net, &token, &path).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "no place came back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn logs_come_as_they_are() {
    let (net, token, id) = ready().await;
    let logs = |query: &str| net.get(&format!("/v1/clusters/{id}/logs{query}"));
    let text = logs("?tail=3").bearer_auth(&token).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, "line 0\nline 1\nline 2\n");
    let many = format!("?tail=50000&follow=true&device={DEVICE}");
    let text = logs(&many).bearer_auth(&token).send().await.unwrap().text().await.unwrap();
    assert_eq!(text.lines().count(), 50_000);
    let stranger = format!("?device={}", DeviceId([8; 32]));
    let response = logs(&stranger).bearer_auth(&token).send().await.unwrap();
    problem(response, 404, ProblemCode::NotFound).await;
    for bad in ["?tail=-1", "?device=dev_x", "?tall=1", "?follow=maybe"] {
        let response = logs(bad).bearer_auth(&token).send().await.unwrap();
        problem(response, 400, ProblemCode::BadRequest).await;
    }
}

#[tokio::test]
async fn an_exec_speaks_and_ends_with_the_programs_code() {
    let (net, token, id) = ready().await;
    let path = format!("/v1/clusters/{id}/exec?arg=wc&arg=-c");
    let mut socket = connect(&net, &token, &path).await.unwrap();
    for data in ["hello ", "world", ""] {
        let stdin = ExecMessage::Stdin { data: BASE64.encode(data) };
        let text = serde_json::to_string(&stdin).unwrap();
        socket.send(Message::Text(text.into())).await.unwrap();
    }
    let (mut out, mut err, mut exit) = (vec![], vec![], None);
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        match serde_json::from_str(&text).unwrap() {
            ExecMessage::Stdout { data } => out.extend(BASE64.decode(data).unwrap()),
            ExecMessage::Stderr { data } => err.extend(BASE64.decode(data).unwrap()),
            ExecMessage::Exit { code } => exit = Some(code),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((&out[..], &err[..], exit), (&b"hello world"[..], &b"wc -c"[..], Some(11)));
    let none = connect(&net, &token, &format!("/v1/clusters/{id}/exec")).await;
    assert_eq!(none.err(), Some(400));
}

#[tokio::test]
async fn access_needs_a_ray_to_reach() {
    let (net, token, id) = ready().await;
    let path = format!("/v1/clusters/{id}/access");
    let access: Access =
        net.get(&path).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert_eq!((access.ray_token.len(), access.dashboard_port), (64, 8265));
    let starting = net.put_cluster(wallet(&key(1)), 2, StateName::Starting);
    let path = format!("/v1/clusters/{starting}/access");
    let response = net.get(&path).bearer_auth(&token).send().await.unwrap();
    problem(response, 409, ProblemCode::Conflict).await;
}
