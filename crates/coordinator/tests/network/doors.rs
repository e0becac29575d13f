//! Devices that are not what they say.

use crate::device::{Device, DeviceKeys, greet, was_refused};
use crate::world::{Running, World, eventually};
use ed25519_dalek::SigningKey;
use ionet_api::DeviceStateName;
use ionet_core::{DeviceId, GenesisHash};
use ionet_wire::endpoint;
use ionet_wire::message::{Refused, RefusedCode};
use std::sync::{Arc, Mutex};

/// The answer to one hello; the connection is closed afterwards.
async fn answer(at: &Running, keys: &DeviceKeys) -> Result<u64, Refused> {
    let network = at.control.network();
    let to: DeviceId = network.device_endpoint.parse().unwrap();
    let addresses: Vec<_> = network.device_addresses.iter().map(|a| a.parse().unwrap()).collect();
    let local = endpoint::local_side(&addresses);
    let own = endpoint::bind(&keys.secret, &local).await.unwrap();
    let connection = endpoint::dial(&own, to, &addresses).await.unwrap();
    let (_send, _recv, welcome) =
        greet(keys, &connection, &Mutex::default()).await.expect("an answer");
    welcome.map(|w| w.session)
}

#[tokio::test(flavor = "multi_thread")]
async fn papers_that_do_not_hold_are_refused() {
    let world = World::new().await;
    let at = world.start().await;
    let (supplier, thief) = (world.wallet(0).await, world.wallet(0).await);
    let keys = world.register(&supplier).await;
    let secret = SigningKey::from_bytes(&keys.secret);
    let now = world.now().await;
    let with = |enrolment| DeviceKeys { enrolment, ..keys.clone() };

    // Another's key: the papers of one device, shown by another.
    let other = DeviceKeys { secret: [9; 32], ..keys.clone() };
    let refused = answer(&at, &other).await.unwrap_err();
    assert_eq!(refused.code, RefusedCode::Enrolment);
    assert!(refused.message.contains("showed it"), "{}", refused.message);

    // Signed by the wrong wallet.
    let mut stolen = world.enrolment(&secret, &thief, now, |_, _| ());
    stolen.grant.grant.supplier = keys.enrolment.grant.grant.supplier;
    stolen.request = keys.enrolment.request.clone();
    assert_eq!(answer(&at, &with(stolen)).await.unwrap_err().code, RefusedCode::Enrolment);

    // A thief's own papers for it, both signatures good: the chain names another owner.
    let foreign = world.enrolment(&secret, &thief, now, |_, _| ());
    let refused = answer(&at, &with(foreign)).await.unwrap_err();
    assert_eq!(refused.code, RefusedCode::NotRegistered);

    // For another chain.
    let elsewhere = world.enrolment(&secret, &supplier, now, |request, grant| {
        request.chain.genesis = GenesisHash([9; 32]);
        grant.chain.genesis = GenesisHash([9; 32]);
    });
    let refused = answer(&at, &with(elsewhere)).await.unwrap_err();
    assert!(refused.message.contains("another chain"), "{}", refused.message);

    // Expired.
    let old = world.enrolment(&secret, &supplier, now, |_, grant| {
        (grant.granted, grant.expires) = (now - 90, now - 60);
    });
    let refused = answer(&at, &with(old)).await.unwrap_err();
    assert!(refused.message.contains("expired"), "{}", refused.message);

    // Not registered at all.
    let unknown = SigningKey::from_bytes(&[7; 32]);
    let enrolment = world.enrolment(&unknown, &supplier, now, |_, _| ());
    let nobody = DeviceKeys { secret: unknown.to_bytes(), enrolment };
    assert_eq!(answer(&at, &nobody).await.unwrap_err().code, RefusedCode::NotRegistered);

    assert!(at.control.devices().is_empty(), "nobody was let in");
    assert_eq!(answer(&at, &keys).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_twice_is_fenced_and_then_suspect() {
    let world = World::new().await;
    let at = world.start().await;
    let supplier = world.wallet(0).await;
    let keys = world.register(&supplier).await;
    let network = at.control.network();
    let original = Device::start(keys.clone(), &network);
    eventually("the original is admitted", || async {
        original.with(|disk| disk.session == 1).then_some(())
    })
    .await;
    // A cloned disk: it has the same key and an old session number.
    let clone = Device::start_with(keys.clone(), &network, Arc::default());
    eventually("the original is fenced", || async {
        original.with(|disk| was_refused(disk, RefusedCode::Fenced)).then_some(())
    })
    .await;
    eventually("the clone is admitted", || async {
        clone.with(|disk| disk.session >= 2).then_some(())
    })
    .await;
    drop(clone);
    // Both come again and again with numbers that are not the newest.
    for _ in 0..3 {
        let _ = answer(&at, &keys).await;
    }
    let refused = answer(&at, &keys).await.unwrap_err();
    assert!(refused.message.contains("two machines"), "{}", refused.message);
    world.device_is(&at, original.id, DeviceStateName::Suspect).await;
    let reason = at.control.device(original.id).unwrap().reason.unwrap();
    assert!(reason.contains("two machines"), "{reason}");
}
