//! The life of a cluster, and what it costs.

use crate::device::Device;
use crate::world::{ASK, ONE, TWO, USDC, World, eventually, spec_of, wallet_of};
use ionet_api::{CreateCluster, DeviceStateName, StateName};
use ionet_coordinator::ControlError;
use ionet_ledger::OpenLeaseOrder;
use ionet_wire::message::Purpose;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_rented_served_paid_and_refunded() {
    let world = World::new().await;
    let at = world.start().await;
    let suppliers = world.devices(&at, 2).await;
    let renter = world.wallet(10 * USDC).await;
    let cluster = world.create(&at, &renter, TWO).await.unwrap();
    let id = cluster.id;
    let ready = world.cluster_is(&at, id, StateName::Ready).await;
    assert_eq!(ready.members.len(), 2);
    assert!(suppliers.iter().all(|(_, device)| device.running().len() == 1));
    // The request's id reached the devices; the token is the same everywhere and secret.
    let access = at.control.access(wallet_of(&renter), id).unwrap();
    for (_, device) in &suppliers {
        device.with(|disk| {
            assert!(disk.requests.iter().all(|r| r == "test"));
            assert!(disk.tokens.iter().all(|t| *t == access.ray_token));
        });
    }
    // Somebody else's cluster is not there.
    let stranger = wallet_of(&world.wallet(0).await);
    let unseen = at.control.access(stranger, id).unwrap_err();
    assert_eq!(unseen, ControlError::NotFound { what: "cluster" });
    // A tunnel carries bytes both ways.
    let dial = Purpose::Dial { port: 8265 };
    let opened = at.control.open_stream(wallet_of(&renter), id, None, dial, "tunnel").await;
    let mut stream = opened.unwrap();
    stream.write_all(b"ping").await.unwrap();
    let mut pong = [0; 4];
    stream.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"ping");
    // Seconds pass and are vouched for off-chain.
    eventually("receipts over three seconds", || async {
        let most = suppliers.iter().map(|(_, device)| {
            device.with(|disk| disk.receipts.values().map(|r| r.served_s).max().unwrap_or(0))
        });
        most.min().filter(|served| *served >= 3)
    })
    .await;
    at.control.close(wallet_of(&renter), id, "bye").await.unwrap();
    world.cluster_is(&at, id, StateName::Closed).await;
    world.settled(&at, id).await;
    let mut paid = 0;
    for (supplier, device) in &suppliers {
        assert!(device.running().is_empty(), "its part was stopped");
        let earned = world.tokens(supplier).await;
        // Three seconds at a dollar an hour, rounded down.
        assert!(earned >= 3 * ASK / 3_600, "{earned}");
        paid += earned;
        world.device_is(&at, device.id, DeviceStateName::Idle).await;
    }
    let fee = world.tokens(&world.keys.fee_owner).await;
    assert!(fee > 0 && fee <= paid / 50 + 2, "{fee} on {paid}");
    assert_eq!(world.tokens(&renter).await, 10 * USDC - paid - fee);
    world.assert_conserved().await;
    // The devices can be hired again.
    let again = world.create(&at, &renter, TWO).await.unwrap();
    world.cluster_is(&at, again.id, StateName::Ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_renters_after_the_last_free_device() {
    let world = World::new().await;
    let at = world.start().await;
    let (_supplier, _device) = world.devices(&at, 1).await.pop().unwrap();
    let (one, two) = (world.wallet(10 * USDC).await, world.wallet(10 * USDC).await);
    let created = tokio::join!(world.create(&at, &one, ONE), world.create(&at, &two, ONE));
    let (first, second) = (created.0.unwrap().id, created.1.unwrap().id);
    let states = eventually("one is ready, the other failed", || async {
        let state = |id| at.control.cluster(id).unwrap().state;
        let both = [state(first), state(second)];
        let done = both.contains(&StateName::Ready) && both.contains(&StateName::Failed);
        done.then_some(both)
    })
    .await;
    let (loser, lost) = if states[0] == StateName::Failed { (&one, first) } else { (&two, second) };
    let cluster = at.control.cluster(lost).unwrap();
    assert!(cluster.reason.unwrap().contains("busy"), "it says what was missing");
    world.settled(&at, lost).await;
    assert_eq!(world.tokens(loser).await, 10 * USDC, "every base unit came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_that_nobody_funds_expires_and_costs_nothing() {
    let mut world = World::new().await;
    world.config.quote_seconds = 1;
    let at = world.start().await;
    let _devices = world.devices(&at, 1).await;
    let renter = world.wallet(10 * USDC).await;
    let quote = at.control.quote(spec_of(ONE)).await.unwrap();
    let (lease, _) = world.next_lease(&renter).await;
    // Another wallet cannot take the id of this renter's next cluster.
    let thief = wallet_of(&world.wallet(0).await);
    let body = CreateCluster { quote: quote.clone(), lease };
    let stolen = at.control.create(thief, "t", body.clone()).await.unwrap_err();
    assert!(matches!(stolen, ControlError::BadRequest(_)), "{stolen:?}");
    // A quote that was changed is not ours.
    let mut cheaper = body.clone();
    cheaper.quote.terms.deposit = 1;
    let refused = at.control.create(wallet_of(&renter), "t", cheaper).await.unwrap_err();
    assert!(matches!(refused, ControlError::QuoteExpired(_)), "{refused:?}");
    let cluster = at.control.create(wallet_of(&renter), "t", body.clone()).await.unwrap();
    // The same again is the same cluster.
    let again = at.control.create(wallet_of(&renter), "t", body.clone()).await.unwrap();
    assert_eq!(again.id, cluster.id);
    world.clock.jump(3_000);
    let other = world.wallet(10 * USDC).await;
    let late = CreateCluster { quote, lease: world.next_lease(&other).await.0 };
    let late = at.control.create(wallet_of(&other), "t", late).await.unwrap_err();
    assert!(matches!(late, ControlError::QuoteExpired(_)), "{late:?}");
    // A transaction signed in the last second gets its time to land; then it is over.
    world.clock.jump(60_000);
    world.cluster_is(&at, cluster.id, StateName::Closed).await;
    // A lease that turns up after all is refunded whole.
    let (_, counter) = world.next_lease(&renter).await;
    world.ledger.open_lease(&renter, &world.order(&body.quote, counter)).await.unwrap();
    world.settled(&at, cluster.id).await;
    assert_eq!(world.tokens(&renter).await, 10 * USDC);
}

#[tokio::test(flavor = "multi_thread")]
async fn ceilings_below_any_ask_are_refused_with_the_nearest_offer() {
    let world = World::new().await;
    let at = world.start().await;
    let _devices = world.devices(&at, 1).await;
    let low = format!(r#"{{"devices":1,"chip":"cpu","rate_per_chip_max":{}}}"#, ASK - 1);
    let Err(ControlError::NoCapacity { message, detail }) = at.control.quote(spec_of(&low)).await
    else {
        panic!("quoted below the ask");
    };
    assert!(message.contains("nearest: 1.000000 USDC"), "{message}");
    assert_eq!(detail["wanted"], 1);
    let three = r#"{"devices":3,"chip":"cpu"}"#;
    let few = at.control.quote(spec_of(three)).await.unwrap_err();
    assert!(few.to_string().starts_with("3 devices wanted, 1 fits"), "{few}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_refuses_its_part_is_replaced_or_the_start_fails_with_a_refund() {
    let world = World::new().await;
    let at = world.start().await;
    let (supplier, device) = world.devices(&at, 1).await.pop().unwrap();
    device.with(|disk| disk.refuses = true);
    let renter = world.wallet(10 * USDC).await;
    let cluster = world.create(&at, &renter, ONE).await.unwrap();
    let failed = world.cluster_is(&at, cluster.id, StateName::Failed).await;
    assert!(failed.reason.unwrap().contains("not today"));
    world.settled(&at, cluster.id).await;
    assert_eq!(world.tokens(&renter).await, 10 * USDC);
    assert_eq!(world.tokens(&supplier).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_device_is_replaced_by_a_free_one() {
    let world = World::new().await;
    let at = world.start().await;
    let mut devices = world.devices(&at, 2).await;
    let renter = world.wallet(10 * USDC).await;
    let cluster = world.create(&at, &renter, ONE).await.unwrap();
    let ready = world.cluster_is(&at, cluster.id, StateName::Ready).await;
    let hired = ready.members[0].device;
    // Its container ends for good.
    let (_, gone): (_, Device) = {
        let place = devices.iter().position(|(_, d)| d.id == hired).unwrap();
        devices.swap_remove(place)
    };
    gone.with(|disk| {
        disk.refuses = true;
        for (_, state, _) in disk.parts.values_mut() {
            *state = ionet_core::PartState::Failed { reason: "the disk died".into() };
        }
    });
    eventually("the other device serves", || async {
        let cluster = at.control.cluster(cluster.id)?;
        let serves = cluster.members.iter().all(|m| m.device == devices[0].1.id);
        (serves && cluster.state == StateName::Ready).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_below_its_terms_is_refunded_and_one_closed_on_the_chain_is_wound_up() {
    let world = World::new().await;
    let at = world.start().await;
    let (supplier, device) = world.devices(&at, 1).await.pop().unwrap();
    let renter = world.wallet(10 * USDC).await;

    // Not even a minute's money, or an acceptance window that ends with the claims: the cluster
    // fails and says so, every base unit comes back.
    type Edit = fn(&mut OpenLeaseOrder);
    let edits: [(Edit, &str); 2] =
        [(|o| o.deposit /= 100, "deposit"), (|o| o.accept_s = 1, "window of at most 0 s")];
    for (edit, says) in edits {
        let cluster = world.create_with(&at, &renter, ONE, None, edit).await.unwrap();
        let failed = world.cluster_is(&at, cluster.id, StateName::Failed).await;
        let why = failed.reason.unwrap();
        assert!(why.contains(says), "{why}");
        world.settled(&at, cluster.id).await;
        assert_eq!(world.tokens(&renter).await, 10 * USDC);
    }

    // A client that closes with its own wallet and dies before it tells the coordinator.
    let cluster = world.create(&at, &renter, ONE).await.unwrap();
    world.cluster_is(&at, cluster.id, StateName::Ready).await;
    eventually("seconds are served", || async {
        let served = |d: &crate::device::Disk_| d.receipts.values().map(|r| r.served_s).max();
        device.with(|disk| served(disk)).filter(|s| *s >= 2)
    })
    .await;
    let address = ionet_ledger::Address::from(cluster.lease.0);
    let record = world.ledger.lease(&address).await.unwrap().unwrap();
    let reason = ionet_ledger::interface::account::CloseReason::Renter;
    world.ledger.close(&renter, &address, &record, 0, reason).await.unwrap();
    let closed = world.cluster_is(&at, cluster.id, StateName::Closed).await;
    assert!(closed.reason.unwrap().contains("on the chain"));
    world.settled(&at, cluster.id).await;
    assert!(device.running().is_empty());
    assert!(world.tokens(&supplier).await >= 2 * ASK / 3_600);
    world.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_device_takes_nothing_new_and_only_its_owner_drains_it() {
    let world = World::new().await;
    let at = world.start().await;
    let (supplier, device) = world.devices(&at, 1).await.pop().unwrap();
    let stranger = wallet_of(&world.wallet(0).await);
    let refused = at.control.drain(stranger, device.id, true).await.unwrap_err();
    assert!(matches!(refused, ControlError::Forbidden(_)), "{refused:?}");
    let drained = at.control.drain(wallet_of(&supplier), device.id, true).await.unwrap();
    assert_eq!(drained.state, DeviceStateName::Draining);
    let none = at.control.quote(spec_of(ONE)).await.unwrap_err();
    assert!(none.to_string().contains("draining"), "{none}");
    at.control.drain(wallet_of(&supplier), device.id, false).await.unwrap();
    at.control.quote(spec_of(ONE)).await.unwrap();
}
