//! Stories: commands in, events and plans out. Run with `UPDATE_GOLDEN=1` after a wanted
//! change, and read the difference.

mod common;

use common::*;
use ionet_core::{PartState, Tier};
use ionet_network::*;
use ionet_units::BaseUnits;

#[test]
fn rent_run_and_close() {
    let mut w = World::new();
    w.say("Four devices join; a renter takes a quote for three and funds the lease.");
    for n in 1..=4 {
        w.join(n, 40_000 + u64::from(n) * 1_000);
    }
    w.request(1, spec(3));
    w.plan();
    w.pass(1_200);
    w.fund(1);
    assert_eq!(w.state(1), "starting");
    assert_eq!(w.seats(1), [1, 2, 3]);
    w.say("Lines are bound, parts run, Ray counts every node.");
    w.bind(1);
    w.plan();
    w.pass(2_000);
    w.hear_part(2, 1, PartState::Pulling { done_bytes: 1, total_bytes: None });
    w.hear_part(1, 1, PartState::Running);
    w.all_serve(1);
    w.start_and_end();
    assert_eq!(w.state(1), "ready");
    for (_, seat) in w.facts.clusters[&cluster_id(1)].clone().seats() {
        let told = (seat.generation, w.facts.clusters[&cluster_id(1)].membership);
        w.soft.told.insert((cluster_id(1), seat.device), told);
    }
    w.say("Nothing to do while it runs, until it is time to attest.");
    let steps = w.plan().steps;
    assert!(steps.is_empty(), "{steps:?}");
    w.pass(600_000);
    for n in w.seats(1) {
        let alive_nodes = Some(3);
        w.hear_part(n, 1, PartState::Ready { alive_nodes });
    }
    w.plan();
    w.say("The renter closes on the chain; parts stop, seconds are vouched for and drawn.");
    w.close_on_chain(1);
    assert_eq!(w.state(1), "stopping");
    w.plan();
    for n in 1..=3 {
        w.hear(n, Vec::new());
    }
    assert_eq!(w.state(1), "closed");
    let cluster = cluster_id(1);
    let lines = (0..3).map(|index| AttestedLine { index, served_s: 600 }).collect();
    w.tell(Command::Attested { cluster, page: 0, lines, last: true });
    w.plan();
    let lines = (0..3).map(|index| LineRef { page: 0, index }).collect();
    w.tell(Command::Withdrawn { cluster, lines });
    w.pass(60_000);
    w.plan();
    let mut view = w.view(1);
    view.status = LeaseStatus::Finalized { refunded: BaseUnits(7) };
    w.tell(Command::LeaseSeen { cluster, view: Box::new(view) });
    w.plan();
    w.tell(Command::Reclaimed { cluster });
    w.plan();
    w.golden("rent_run_and_close");
}

#[test]
fn a_worker_is_lost_and_replaced() {
    let mut w = World::new();
    for n in 1..=4 {
        w.join(n, 40_000);
    }
    w.ready(1, 3);
    w.text.clear();
    w.say("Device 3 falls silent; the others go on.");
    let mut mark = 0;
    for round in 0..31 {
        // The rounds in the middle say nothing new.
        if (5..30).contains(&round) {
            w.text.truncate(mark);
        }
        mark = w.text.len();
        w.pass(2_000);
        for n in [1, 2, 4] {
            let parts = w.soft.heard[&device_id(n)].parts.clone();
            w.hear(n, parts);
        }
        w.records();
    }
    assert_eq!(w.seats(1), [1, 2, 4]);
    assert_eq!(w.state(1), "degraded");
    w.say("The lost line ends before its substitute's is bound.");
    w.plan();
    w.start_and_end();
    w.bind(1);
    w.say("It comes back: what it still runs is stopped.");
    let cluster = cluster_id(1);
    let id = ionet_core::PartId { cluster, generation: 1 };
    let stray = ionet_core::PartStatus { id, state: PartState::Running, started_at: None };
    w.hear(3, vec![stray]);
    w.plan();
    w.hear(3, Vec::new());
    w.all_serve(1);
    w.start_and_end();
    assert_eq!(w.state(1), "ready");
    w.golden("a_worker_is_lost_and_replaced");
}

#[test]
fn the_head_is_lost() {
    let mut w = World::new();
    for n in 1..=3 {
        w.join(n, 40_000);
    }
    w.ready(1, 3);
    let head = w.seats(1)[0];
    w.text.clear();
    w.say("The head is lost and no substitute is free: a worker's device becomes the head.");
    w.pass(61_000);
    let cluster = cluster_id(1);
    let (device, silent_since) = (device_id(head), At(0));
    w.tell(Command::DeviceLost { device, silent_since });
    assert_eq!(w.state(1), "degraded");
    assert_eq!(w.seats(1).len(), 2);
    let facts = &w.facts.clusters[&cluster];
    assert!(facts.seats().all(|(_, seat)| seat.generation == facts.generation));
    w.start_and_end();
    w.say("A new device joins and takes the vacant slot.");
    w.pass(11_000);
    for n in w.seats(1) {
        w.hear(n, Vec::new());
    }
    w.join(5, 40_000);
    w.records();
    assert_eq!(w.seats(1).len(), 3);
    w.bind(1);
    w.plan();
    w.all_serve(1);
    w.start_and_end();
    assert_eq!(w.state(1), "ready");
    w.golden("the_head_is_lost");
}

#[test]
fn two_renters_after_the_last_free_device() {
    let mut w = World::new();
    w.join(1, 40_000);
    w.text.clear();
    w.say("Both get a quote: quotes hold nothing. Money does.");
    w.request(1, spec(1));
    w.request(2, spec(1));
    w.fund(1);
    w.fund(2);
    assert_eq!((w.state(1), w.state(2)), ("starting", "failed"));
    w.say("The second is refunded at once.");
    w.plan();
    w.golden("two_renters_after_the_last_free_device");
}

#[test]
fn a_binding_fails_and_nothing_else_is_free() {
    let mut w = World::new();
    for n in 1..=3 {
        w.join(n, 40_000);
    }
    w.request(1, spec(2));
    w.fund(1);
    w.text.clear();
    let cluster = cluster_id(1);
    w.say("The first was sold elsewhere: the third takes its place.");
    let reason = "DeviceUnits".to_owned();
    w.tell(Command::BindFailed { cluster, device: device_id(1), reason: reason.clone() });
    assert_eq!(w.state(1), "starting");
    w.say("And that one too: nothing is left, the renter is refunded.");
    w.tell(Command::BindFailed { cluster, device: device_id(3), reason });
    assert_eq!(w.state(1), "stopping");
    w.plan();
    w.close_on_chain(1);
    assert_eq!(w.state(1), "failed");
    w.golden("a_binding_fails_and_nothing_else_is_free");
}

#[test]
fn devices_prove_their_chips_before_they_get_work() {
    let mut w = World::new();
    w.say("This coordinator requires proofs: whoever joins is proving, and not for hire.");
    w.tell(Command::RequireProofs { required: true });
    for n in 1..=3 {
        w.join(n, 40_000);
    }
    assert_eq!(w.device_state(1), DeviceState::Proving);
    let refused = quote(&spec(1), &w.facts.candidates(w.now), w.now, FEE).unwrap_err();
    w.say(&refused.to_string());
    w.say("All prove. The renter wants proven chips: the second proved only some of its figures.");
    w.prove(1, Tier::Proven);
    w.prove(2, Tier::Measured);
    w.prove(3, Tier::Proven);
    assert_eq!(w.device_state(2), DeviceState::Idle);
    let wanted = ionet_core::ClusterSpec { min_tier: Tier::Proven, ..spec(3) };
    let refused = quote(&wanted, &w.facts.candidates(w.now), w.now, FEE).unwrap_err();
    w.say(&refused.to_string());
    let wanted = ionet_core::ClusterSpec { min_tier: Tier::Proven, ..spec(1) };
    w.request(1, wanted);
    w.fund(1);
    w.bind(1);
    w.all_serve(1);
    w.start_and_end();
    assert_eq!((w.state(1), w.seats(1)), ("ready", vec![1]));
    w.say("Every verdict expires. The device that serves goes on; the others prove anew.");
    w.pass(VERDICT_MS);
    for n in 1..=3 {
        let parts = w.soft.heard[&device_id(n)].parts.clone();
        w.hear(n, parts);
    }
    w.records();
    assert_eq!([1, 2, 3].map(|n| w.device_state(n)), {
        use DeviceState::{Hired, Proving};
        [Hired, Proving, Proving]
    });
    assert_eq!(w.state(1), "ready");
    w.say("It is lost: nobody is proven, so the cluster waits, and takes who proves first.");
    w.tell(Command::DeviceLost { device: device_id(1), silent_since: w.now });
    assert_eq!(w.state(1), "degraded");
    w.pass(11_000);
    w.prove(2, Tier::Measured);
    w.prove(3, Tier::Proven);
    w.records();
    assert_eq!(w.seats(1), [3], "of tier proven, as was asked for");
    w.golden("devices_prove_their_chips_before_they_get_work");
}
