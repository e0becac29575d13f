//! What must hold after every decision, all its events folded: shared by the property tests,
//! the simulator and the running coordinator. Each says in words what is broken.

use crate::facts::holds_of;
use crate::{ClusterState, Facts, Hold, Money};
use ionet_core::{ClusterId, DeviceId};
use ionet_units::Rate;
use std::collections::{BTreeMap, BTreeSet};

/// Every chip of a device serves one cluster at most, and devices and clusters agree on who
/// holds what.
pub fn no_chip_leased_twice(facts: &Facts) -> Result<(), String> {
    let mut held: BTreeMap<DeviceId, BTreeMap<ClusterId, Hold>> = BTreeMap::new();
    for cluster in facts.clusters.values() {
        for (device, hold) in holds_of(cluster) {
            held.entry(device).or_default().insert(cluster.id, hold);
        }
    }
    for device in facts.devices.values() {
        let clusters_say = held.remove(&device.id).unwrap_or_default();
        if clusters_say != device.holds {
            return Err(format!("{} and its clusters disagree on what is held", device.id));
        }
        // What the chain's record or the machine shrank to later does not undo a lease.
        let most = u32::from(device.chips_total().max(device.chips_sold_max));
        // Bound on the chain, and given a part, each by itself: a binding that was on its way
        // while its slot was given up may land beside the next one's seat, and the next one's
        // own binding then fails.
        let (mut bound, mut seated) = (0u32, 0u32);
        for cluster in device.holds.keys().filter_map(|id| facts.clusters.get(id)) {
            let lines = cluster.live_lines().filter(|(_, line)| line.device == device.id);
            bound += lines.map(|(_, line)| u32::from(line.chips)).max().unwrap_or(0);
            let seat = cluster.seat_of(device.id).map(|(_, seat)| seat.chips);
            let leaving = cluster.leaving.get(&device.id).map(|leaving| leaving.chips);
            seated += u32::from(seat.or(leaving).unwrap_or(0));
        }
        if bound > most || seated > most {
            let id = device.id;
            return Err(format!("{id}: {bound} chips bound and {seated} seated of {most}"));
        }
    }
    match held.keys().next() {
        Some(device) => Err(format!("{device} is held but not known")),
        None => Ok(()),
    }
}

/// Seats and live lines stay within the renter's ceilings.
pub fn ceilings_hold(facts: &Facts) -> Result<(), String> {
    for cluster in facts.clusters.values() {
        let Some(terms) = &cluster.terms else { continue };
        let gross = |rate: Rate| terms.fee.gross_ceil(rate).unwrap_or(Rate::MAX);
        let add = |sum: Rate, rate: Rate| sum.checked_add(gross(rate)).unwrap_or(Rate::MAX);
        let seats = cluster.seats().fold(Rate::ZERO, |sum, (_, seat)| add(sum, seat.rate));
        let dearest = cluster.seats().map(|(_, seat)| seat.rate).max().unwrap_or_default();
        if seats > terms.rate_total_max || dearest > terms.rate_per_slot_max {
            return Err(format!("{} costs more than its lease allows", cluster.id));
        }
        if cluster.seats().count() > usize::from(terms.slots_max) {
            return Err(format!("{} has more devices than slots", cluster.id));
        }
    }
    Ok(())
}

/// A line that can earn belongs to a lease that is open.
pub fn every_bound_line_has_a_live_lease(facts: &Facts) -> Result<(), String> {
    for cluster in facts.clusters.values() {
        let open = matches!(cluster.money, Money::Open { .. });
        if !open && let Some((line, _)) = cluster.live_lines().next() {
            return Err(format!("{} has the live line {line} and no open lease", cluster.id));
        }
    }
    Ok(())
}

/// A cluster that is over, or has no money, holds no device: neither seat nor part. Only a
/// line that the chain has not ended yet may still hold units there.
pub fn closed_clusters_hold_no_device(facts: &Facts) -> Result<(), String> {
    for cluster in facts.clusters.values() {
        let may_hold = match cluster.state {
            ClusterState::Starting { .. }
            | ClusterState::Ready { .. }
            | ClusterState::Degraded { .. }
            | ClusterState::Stopping { .. } => true,
            ClusterState::Quoted { .. }
            | ClusterState::Funded { .. }
            | ClusterState::Closed { .. }
            | ClusterState::Failed { .. } => false,
        };
        let holds = cluster.seats().next().is_some() || !cluster.leaving.is_empty();
        if holds && !may_hold {
            return Err(format!("{} is {} and holds devices", cluster.id, cluster.state.name()));
        }
        let stopping = matches!(cluster.state, ClusterState::Stopping { .. });
        if stopping && cluster.seats().next().is_some() {
            return Err(format!("{} stops and has seats", cluster.id));
        }
    }
    Ok(())
}

/// A ready cluster has every slot taken, served and started; a degraded one lacks something.
pub fn ready_means_whole(facts: &Facts) -> Result<(), String> {
    for cluster in facts.clusters.values() {
        let missing = cluster.missing();
        match (&cluster.state, missing) {
            (ClusterState::Ready { .. }, Some(missing)) => {
                return Err(format!("{} is ready, but {missing}", cluster.id));
            }
            (ClusterState::Degraded { .. }, None) => {
                return Err(format!("{} is degraded and lacks nothing", cluster.id));
            }
            (
                ClusterState::Quoted { .. }
                | ClusterState::Funded { .. }
                | ClusterState::Starting { .. }
                | ClusterState::Ready { .. }
                | ClusterState::Degraded { .. }
                | ClusterState::Stopping { .. }
                | ClusterState::Closed { .. }
                | ClusterState::Failed { .. },
                _,
            ) => {}
        }
    }
    Ok(())
}

/// A device sits in a cluster once, and no two live clusters share a private network.
pub fn seats_and_networks_are_distinct(facts: &Facts) -> Result<(), String> {
    let mut networks = BTreeSet::new();
    for cluster in facts.clusters.values().filter(|c| !c.state.is_over()) {
        let mut devices = BTreeSet::new();
        for (_, seat) in cluster.seats() {
            if !devices.insert(seat.device) || cluster.leaving.contains_key(&seat.device) {
                return Err(format!("{} sits twice in {}", seat.device, cluster.id));
            }
        }
        if let Some(subnet) = cluster.subnet
            && !networks.insert(subnet)
        {
            return Err(format!("{} shares its network {subnet}", cluster.id));
        }
    }
    Ok(())
}

/// All of them; the first that is broken.
pub fn all(facts: &Facts) -> Result<(), String> {
    no_chip_leased_twice(facts)?;
    ceilings_hold(facts)?;
    every_bound_line_has_a_live_lease(facts)?;
    closed_clusters_hold_no_device(facts)?;
    ready_means_whole(facts)?;
    seats_and_networks_are_distinct(facts)
}
