//! Leases for which the renter's session key vouches, and what it may add to their deposits.

use crate::device::Device;
use crate::world::{ASK, Running, USDC, World, eventually, key, wallet_of};
use ionet_api::{Cluster, Receipt, StateName};
use ionet_coordinator::ControlError;
use ionet_core::{SignatureBytes, Wallet};
use ionet_ledger::interface::account::Vouch;
use ionet_ledger::interface::statement::Receipt as Statement;
use ionet_ledger::{Address, KeypairFile, OpenLeaseOrder, PlacedLine, SessionGrant, Signer as _};

const TWO: &str = r#"{"devices":2,"chip":"cpu","ttl_seconds":3600,"vouch":"session"}"#;
const ONE: &str = r#"{"devices":1,"chip":"cpu","ttl_seconds":3600,"vouch":"session"}"#;

fn session_only(order: &mut OpenLeaseOrder) {
    order.vouch = Vouch::Session;
}

/// Enough for a few transactions of the session key, and leave to add so much.
fn grant(session: &KeypairFile, top_up_max: u64) -> SessionGrant {
    SessionGrant { key: session.address(), lamports: 5_000_000, top_up_max }
}

fn at_lease(cluster: &Cluster) -> Address {
    Address::from(cluster.lease.0)
}

async fn lines(world: &World, cluster: &Cluster) -> Vec<PlacedLine> {
    let lease = world.ledger.lease(&at_lease(cluster)).await.unwrap().unwrap();
    world.ledger.lines(&at_lease(cluster), &lease).await.unwrap()
}

/// What the program's own clock shows of a line.
async fn clock_s(world: &World, cluster: &Cluster, line: &PlacedLine) -> u64 {
    let lease = world.ledger.lease(&at_lease(cluster)).await.unwrap().unwrap();
    let now = ionet_ledger::interface::Timestamp(world.now().await);
    line.line.served_max(lease.v_at(now)).0
}

fn receipt(
    world: &World,
    lease: Wallet,
    line: &PlacedLine,
    signer: &KeypairFile,
    served_s: u64,
) -> Receipt {
    let (page, index, generation) = (line.page, line.index, line.line.generation);
    let statement = Statement { lease: lease.0, page, index, generation, served_s };
    let chain = &world.chain_ref;
    let bytes = statement.signing_bytes(&chain.genesis.0, &chain.program.0);
    Receipt {
        page,
        line: index,
        generation,
        served_s,
        signer: wallet_of(signer),
        signature: SignatureBytes(signer.sign_now(&bytes).into()),
    }
}

fn served(cluster: &Cluster) -> Vec<u64> {
    cluster.members.iter().map(|m| m.served_s).collect()
}

/// A ready cluster whose session key alone vouches, and that key.
async fn rented(
    world: &World,
    at: &Running,
    renter: &KeypairFile,
    spec: &str,
) -> (Cluster, KeypairFile) {
    let session = key();
    let grant = Some(grant(&session, 0));
    let made = world.create_with(at, renter, spec, grant, session_only).await.unwrap();
    (world.cluster_is(at, made.id, StateName::Ready).await, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn suppliers_are_paid_what_the_session_key_signed_and_nothing_else() {
    let world = World::new().await;
    let mut at = world.start().await;
    let suppliers = world.devices(&at, 2).await;
    let renter = world.wallet(10 * USDC).await;
    let (cluster, session) = rented(&world, &at, &renter, TWO).await;
    let (id, wallet) = (cluster.id, wallet_of(&renter));
    let placed = lines(&world, &cluster).await;
    for line in &placed {
        eventually("six seconds on the line's clock", || async {
            (clock_s(&world, &cluster, line).await >= 6).then_some(())
        })
        .await;
    }
    // Nobody vouched: devices have no receipt, and nothing is owed.
    assert_eq!(served(&at.control.cluster(id).unwrap()), [0, 0]);
    assert!(suppliers.iter().all(|(_, d)| d.with(|disk| disk.receipts.is_empty())));
    let good = |line: usize, s: u64| receipt(&world, cluster.lease, &placed[line], &session, s);
    let send = |receipts: Vec<Receipt>| at.control.vouch(wallet, id, receipts);
    let lies = vec![
        receipt(&world, cluster.lease, &placed[0], &key(), 3),
        receipt(&world, cluster.lease, &placed[0], &world.keys.coordinator, 3),
        receipt(&world, Wallet([7; 32]), &placed[0], &session, 3),
        good(0, 1_000_000),
        Receipt { generation: 77, ..good(0, 3) },
        Receipt { line: 9, ..good(0, 3) },
    ];
    let all_lies = lies.len();
    let refused = send(lies).await.unwrap();
    assert_eq!((refused.taken, refused.refused.len()), (0, all_lies), "{refused:?}");
    let stranger = at.control.vouch(wallet_of(&key()), id, vec![good(0, 3)]).await.unwrap_err();
    assert_eq!(stranger, ControlError::NotFound { what: "cluster" });
    let taken = send(vec![good(0, 3), good(1, 4)]).await.unwrap();
    assert_eq!((taken.taken, taken.refused.len()), (2, 0), "{taken:?}");
    let older = send(vec![good(0, 2), good(1, 4)]).await.unwrap();
    assert_eq!((older.taken, older.refused.len()), (0, 2), "{older:?}");
    // They reach the devices with their next heartbeats, as they were signed.
    for (_, device) in &suppliers {
        eventually("a receipt of the session key", || async {
            let kept = device.with(|disk| disk.receipts.values().next().cloned())?;
            assert_eq!(kept.signer, wallet_of(&session));
            (kept.served_s >= 3).then_some(())
        })
        .await;
    }
    // A coordinator that forgot everything has them from the devices.
    at.crash().await;
    at = world.start().await;
    eventually("what was vouched for is known again", || async {
        let mut shown = served(&at.control.cluster(id)?);
        shown.sort_unstable();
        (shown == [3, 4]).then_some(())
    })
    .await;
    at.control.close(wallet, id, "bye").await.unwrap();
    world.cluster_is(&at, id, StateName::Closed).await;
    world.settled(&at, id).await;
    let mut earned = Vec::new();
    for (supplier, _) in &suppliers {
        earned.push(world.tokens(supplier).await);
    }
    earned.sort_unstable();
    assert_eq!(earned, [3 * ASK / 3_600, 4 * ASK / 3_600], "to the base unit");
    let fee = world.tokens(&world.keys.fee_owner).await;
    let paid: u64 = earned.iter().sum();
    assert_eq!(world.tokens(&renter).await, 10 * USDC - paid - fee);
    world.assert_conserved().await;
    let texts: Vec<_> = at.control.events(id, 0).into_iter().map(|e| e.text).collect();
    assert!(texts.iter().any(|t| t.contains("vouched for on the chain, up to 4 s")), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_for_which_nobody_vouches_ends_and_costs_nothing() {
    let mut world = World::new().await;
    world.config.vouch_grace_s = 6;
    let at = world.start().await;
    let suppliers = world.devices(&at, 1).await;
    let renter = world.wallet(10 * USDC).await;
    let (cluster, session) = rented(&world, &at, &renter, ONE).await;
    let id = cluster.id;
    // Silence; the renter is told, vouches once, and leaves.
    world.has_event(&at, id, "vouch-silent").await;
    let placed = lines(&world, &cluster).await;
    eventually("seconds on the line's clock", || async {
        (clock_s(&world, &cluster, &placed[0]).await >= 3).then_some(())
    })
    .await;
    let word = receipt(&world, cluster.lease, &placed[0], &session, 1);
    let taken = at.control.vouch(wallet_of(&renter), id, vec![word]).await.unwrap();
    assert_eq!(taken.taken, 1, "{taken:?}");
    world.has_event(&at, id, "vouch-heard").await;
    let over = world.cluster_is(&at, id, StateName::Closed).await;
    let reason = over.reason.unwrap();
    assert!(reason.contains("vouched for its served time"), "{reason}");
    assert!(suppliers[0].1.running().is_empty(), "its supplier stopped");
    world.settled(&at, id).await;
    let earned = world.tokens(&suppliers[0].0).await;
    assert_eq!(earned, ASK / 3_600, "the one second that was vouched for");
    let fee = world.tokens(&world.keys.fee_owner).await;
    assert_eq!(world.tokens(&renter).await, 10 * USDC - earned - fee);
    world.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_up_deposit_is_filled_by_the_session_key_alone_up_to_its_cap() {
    let mut world = World::new().await;
    world.config.deposit_grace_s = 60;
    let at = world.start().await;
    let suppliers = world.devices(&at, 1).await;
    let devices: Vec<&Device> = suppliers.iter().map(|(_, device)| device).collect();
    let renter = world.wallet(10 * USDC).await;
    let session = key();
    // Money for some 70 seconds of an hour; the session key may add as much as 100 cost.
    let (first, cap) = (70 * ASK / 3_600 + 1_000, 100 * ASK / 3_600);
    let spec = r#"{"devices":1,"chip":"cpu","ttl_seconds":3600}"#;
    let grant = Some(grant(&session, cap));
    let small = |order: &mut OpenLeaseOrder| order.deposit = first;
    let made = world.create_with(&at, &renter, spec, grant, small).await.unwrap();
    let cluster = world.cluster_is(&at, made.id, StateName::Ready).await;
    let id = cluster.id;
    assert_eq!(cluster.terms.deposit, first, "what was paid in, not what was quoted");
    world.has_event(&at, id, "deposit-low").await;
    world.pass(&at, 84, &devices).await;
    let spent = |e: &ionet_api::ClusterEvent| e.text.contains("used up");
    eventually("the renter is told that it is used up", || async {
        at.control.events(id, 0).iter().any(spent).then_some(())
    })
    .await;
    assert_eq!(at.control.cluster(id).unwrap().state, StateName::Ready, "it has its grace");
    let lease = world.ledger.lease(&at_lease(&cluster)).await.unwrap().unwrap();
    let before = world.tokens(&renter).await;
    let (ledger, address) = (&world.ledger, at_lease(&cluster));
    let add = |amount| ledger.top_up_as_delegate(&session, &address, &lease, amount);
    add(cap + 1).await.expect_err("more than the renter approved");
    add(cap).await.unwrap();
    add(1).await.expect_err("the cap is used up");
    assert_eq!(world.tokens(&renter).await, before - cap);
    world.has_event(&at, id, "topped-up").await;
    // What would have ended it is long past; it goes on, and ends when this money ends too.
    world.pass(&at, 48, &devices).await;
    assert_eq!(at.control.cluster(id).unwrap().state, StateName::Ready);
    world.pass(&at, 120, &devices).await;
    let over = world.cluster_is(&at, id, StateName::Closed).await;
    assert_eq!(over.reason.as_deref(), Some("its deposit is used up"));
    world.ledger.empty_key(&session, &renter.address()).await.unwrap();
    assert_eq!(world.ledger.connection().lamports(&session.address()).await.unwrap(), 0);
    world.settled(&at, id).await;
    world.assert_conserved().await;
}
