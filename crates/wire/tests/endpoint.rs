//! Two endpoints on loopback.

use ionet_core::DeviceId;
use ionet_wire::ALPN;
use ionet_wire::endpoint::{self, EndpointError, bind, dial, local_addresses, local_side};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);

fn loopback() -> [SocketAddr; 1] {
    ["127.0.0.1:0".parse().unwrap()]
}

#[tokio::test]
async fn both_ends_know_each_other_by_their_keys() {
    let (near, far) = (bind(&[1; 32], &loopback()).await.unwrap(), [2; 32]);
    let far = bind(&far, &loopback()).await.unwrap();
    let (near_id, far_id) = (endpoint::device_id(near.id()), endpoint::device_id(far.id()));
    assert_eq!(endpoint::endpoint_id(far_id).unwrap(), far.id());
    assert!(local_addresses(&far)[0].ip().is_loopback() && local_addresses(&far)[0].port() != 0);

    let addresses = local_addresses(&far);
    let accept = async { far.accept().await.unwrap().await.unwrap() };
    let both = async { tokio::join!(dial(&near, far_id, &addresses), accept) };
    let (dialled, accepted) = timeout(DEADLINE, both).await.unwrap();
    let dialled = dialled.unwrap();
    assert_eq!(endpoint::remote_device(&dialled), far_id);
    assert_eq!(endpoint::remote_device(&accepted), near_id);
    assert_eq!(accepted.alpn(), ALPN);

    let (mut send, _) = dialled.open_bi().await.unwrap();
    send.write_all(b"hello").await.unwrap();
    send.finish().unwrap();
    let (_, mut receive) = timeout(DEADLINE, accepted.accept_bi()).await.unwrap().unwrap();
    assert_eq!(receive.read_to_end(16).await.unwrap(), b"hello");
}

#[tokio::test]
async fn whoever_lacks_the_key_is_not_taken_for_its_owner() {
    let near = bind(&[3; 32], &loopback()).await.unwrap();
    let impostor = bind(&[4; 32], &loopback()).await.unwrap();
    let serve = impostor.clone();
    let accept = tokio::spawn(async move {
        while let Some(incoming) = serve.accept().await {
            let _ = incoming.await;
        }
    });
    let real = bind(&[5; 32], &loopback()).await.unwrap();
    let wanted = endpoint::device_id(real.id());
    let result = dial(&near, wanted, &local_addresses(&impostor)).await;
    assert!(
        matches!(result, Err(EndpointError::Dial { .. } | EndpointError::DialTimeout { .. })),
        "{result:?}"
    );
    accept.abort();
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let near = bind(&[6; 32], &loopback()).await.unwrap();
    // The y-coordinate 2 is on no point of the curve.
    let mut bytes = [0; 32];
    bytes[0] = 2;
    let result = dial(&near, DeviceId(bytes), &loopback()).await;
    assert!(matches!(result, Err(EndpointError::Key(_))), "{result:?}");
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let first = bind(&[7; 32], &loopback()).await.unwrap();
    let taken = local_addresses(&first);
    let result = bind(&[8; 32], &taken).await;
    assert!(matches!(result, Err(EndpointError::Bind { .. })), "{result:?}");
}

#[test]
fn the_local_side_fits_the_other() {
    let side = |targets: &[&str]| {
        let targets: Vec<SocketAddr> = targets.iter().map(|t| t.parse().unwrap()).collect();
        local_side(&targets).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(side(&["127.0.0.1:1"]), ["127.0.0.1:0"]);
    assert_eq!(side(&["127.0.0.1:1", "203.0.113.1:1"]), ["0.0.0.0:0"]);
    assert_eq!(side(&["203.0.113.1:1", "[2001:db8::1]:1"]), ["0.0.0.0:0", "[::]:0"]);
}
