//! The coordinator dies at any instant; another leads; the chain stops; the disk fails.

use crate::world::{ONE, TWO, USDC, World, eventually, spec_of, wallet_of};
use ionet_api::{CreateCluster, DeviceStateName, StateName};
use ionet_coordinator::{ControlError, CoordinatorError, LeaderError};
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_creates_runs_and_closes() {
    let world = World::with_window(16).await;
    let at = world.start().await;
    let suppliers = world.devices(&at, 2).await;
    let renter = world.wallet(10 * USDC).await;
    suppliers.iter().for_each(|(_, d)| d.with(|disk| disk.holds_back = true));
    let cluster = world.create(&at, &renter, TWO).await.unwrap();
    let id = cluster.id;
    // In the middle of the start: devices are bound and told, their containers are not up.
    eventually("both devices have their parts", || async {
        suppliers.iter().all(|(_, d)| d.with(|disk| disk.parts.len() == 1)).then_some(())
    })
    .await;
    at.crash().await;
    let at = world.start().await;
    for (_, device) in &suppliers {
        device.with(|disk| disk.holds_back = false);
        device.with(|disk| {
            for (spec, state, _) in disk.parts.values_mut() {
                let head = spec.role == ionet_core::Role::Head;
                let alive_nodes = head.then_some(spec.membership.members.len() as u32);
                *state = ionet_core::PartState::Ready { alive_nodes };
            }
        });
    }
    world.cluster_is(&at, id, StateName::Ready).await;
    let started: Vec<_> = suppliers.iter().map(|(_, d)| d.running()).collect();
    let served = || {
        let of = |d: &crate::device::Device| {
            d.with(|disk| disk.receipts.values().map(|r| r.served_s).max().unwrap_or(0))
        };
        suppliers.iter().map(|(_, d)| of(d)).min().unwrap()
    };
    eventually("seconds are served", || async { (served() >= 2).then_some(()) }).await;

    // While it runs: nothing is restarted, receipts go on from where they were.
    let before = served();
    at.crash().await;
    let at = world.start().await;
    eventually("receipts go on", || async { (served() > before).then_some(()) }).await;
    assert_eq!(suppliers.iter().map(|(_, d)| d.running()).collect::<Vec<_>>(), started);
    assert_eq!(at.control.cluster(id).unwrap().state, StateName::Ready);
    // Still with the same token.
    let token = at.control.access(wallet_of(&renter), id).unwrap().ray_token;
    assert!(suppliers.iter().all(|(_, d)| d.with(|disk| disk.tokens.iter().all(|t| *t == token))));

    // While it closes.
    at.control.close(wallet_of(&renter), id, "bye").await.unwrap();
    at.crash().await;
    let at = world.start().await;
    world.cluster_is(&at, id, StateName::Closed).await;
    world.settled(&at, id).await;
    world.assert_conserved().await;
    assert!(suppliers.iter().all(|(_, d)| d.running().is_empty()));
    for (supplier, _) in &suppliers {
        let least = before * crate::world::ASK / 3_600;
        assert!(world.tokens(supplier).await >= least, "a crash costs no second that was shown");
    }
    let epochs: BTreeSet<_> =
        suppliers[0].1.with(|disk| disk.welcomes.iter().map(|w| w.leader_epoch).collect());
    assert_eq!(epochs.len(), 4, "each process led under an epoch of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_leader_stops_at_its_next_decision() {
    let world = World::new().await;
    let first = world.start().await;
    let (_, device) = world.devices(&first, 1).await.pop().unwrap();
    // Another process on the same folder, elsewhere on the network.
    let mut config = world.config.clone();
    config.quic_addr = "127.0.0.1:0".parse().unwrap();
    let second = ionet_coordinator::Coordinator::open(config).await.unwrap();
    let control = second.control();
    let task = tokio::spawn(second.run(std::future::pending()));
    // The first one must not give what it no longer leads.
    let supplier = first.control.device(device.id).unwrap().supplier;
    let refused = first.control.drain(supplier, device.id, true).await.unwrap_err();
    assert!(matches!(refused, ControlError::Internal | ControlError::NotLeader), "{refused:?}");
    let ended = first.ended().await.unwrap_err();
    assert!(matches!(ended, CoordinatorError::Leader(LeaderError::Log(_))), "{ended:?}");
    assert!(control.is_leading());
    let kept = control.device(device.id).unwrap();
    assert_ne!(kept.state, DeviceStateName::Draining, "the stale wish is not in the log");
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_stops_for_a_while() {
    let mut world = World::new().await;
    let at = world.start().await;
    let suppliers = world.devices(&at, 2).await;
    let renter = world.wallet(10 * USDC).await;
    let cluster = world.create(&at, &renter, ONE).await.unwrap();
    let id = cluster.id;
    world.cluster_is(&at, id, StateName::Ready).await;
    let running: Vec<_> = suppliers.iter().map(|(_, d)| d.running()).collect();
    world.stop_chain().await;
    eventually("quotes say that the chain does not answer", || async {
        let quote = at.control.quote(spec_of(ONE)).await;
        matches!(quote, Err(ControlError::ChainUnavailable(_))).then_some(())
    })
    .await;
    // What runs goes on; a close is taken and waits for the chain.
    assert_eq!(at.control.cluster(id).unwrap().state, StateName::Ready);
    assert_eq!(suppliers.iter().map(|(_, d)| d.running()).collect::<Vec<_>>(), running);
    at.control.close(wallet_of(&renter), id, "bye").await.unwrap();
    eventually("the part is stopped without the chain", || async {
        suppliers.iter().all(|(_, d)| d.running().is_empty()).then_some(())
    })
    .await;
    world.resume_chain().await;
    world.settled(&at, id).await;
    world.assert_conserved().await;
    let again = world.create(&at, &renter, ONE).await.unwrap();
    world.cluster_is(&at, again.id, StateName::Ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_fails_once_at_every_write() {
    let world = World::new().await;
    let at = world.start().await;
    let _suppliers = world.devices(&at, 1).await;
    let renter = world.wallet(100 * USDC).await;
    // A cluster's life is some forty writes; each of the first ones fails once.
    for nth in 0..12 {
        world.faults.fail_after(nth);
        let cluster = eventually("the cluster is asked for", || async {
            let quote = at.control.quote(spec_of(ONE)).await.ok()?;
            let (lease, counter) = world.next_lease(&renter).await;
            let body = CreateCluster { quote: quote.clone(), lease };
            // A failed write is our fault and changes nothing: the same again works.
            let made = at.control.create(wallet_of(&renter), "f", body).await.ok()?;
            let order = world.order(&quote, counter);
            world.ledger.open_lease(&renter, &order).await.unwrap();
            Some(made)
        })
        .await;
        let id = cluster.id;
        world.cluster_is(&at, id, StateName::Ready).await;
        eventually("it closes", || async {
            at.control.close(wallet_of(&renter), id, "f").await.ok()
        })
        .await;
        world.cluster_is(&at, id, StateName::Closed).await;
        assert!(world.faults.has_failed() || nth > 8, "write {nth} was never reached");
        let idle = at.control.devices()[0].id;
        world.device_is(&at, idle, DeviceStateName::Idle).await;
    }
    let last: Vec<_> = at.control.clusters_of(wallet_of(&renter));
    for cluster in last {
        world.settled(&at, cluster.id).await;
    }
    world.assert_conserved().await;
}
