//! Who is silent, and who is lost: a pure function of what was heard when.
//!
//! With interval `i` and independent loss `p` of heartbeats, a device that is there is suspected
//! with probability `p^3` an interval, and a hired one (2 s, lost after 60 s) is declared lost
//! with `p^30`: the verdict comes 60 to 62 s after the last heartbeat plus one planning round.
//! Members' views of each other are not looked at yet: that comes with the mesh.

use crate::limits::{
    HIRED_INTERVAL_MS, IDLE_INTERVAL_MS, LOST_HIRED_MS, LOST_IDLE_MS, REGION_SILENT_DEVICES,
    REGION_SILENT_PERCENT, REPLACEMENTS_PER_MINUTE_MAX, START_GRACE_MS, SUSPECT_INTERVALS,
};
use crate::{At, Command, Device, Facts, Presence, Soft};
use ionet_core::{PartState, Region};
use std::collections::{BTreeMap, BTreeSet};

/// When a device was last heard. Before the coordinator's own start nobody listened, so that
/// is the earliest.
fn last_heard(device: &Device, soft: &Soft) -> At {
    let heard = soft.heard.get(&device.id).map(|heard| heard.at);
    let since = match device.presence {
        Presence::Online { since } => Some(since),
        Presence::Enrolled { .. } | Presence::Suspect { .. } | Presence::Offline { .. } => None,
    };
    heard.max(since).map_or(soft.started_at, |at| at.max(soft.started_at))
}

/// How often the device sends heartbeats: as its last one says, since it goes by the parts that
/// it has, not by what is decided about it here.
fn interval_ms(device: &Device, soft: &Soft) -> u64 {
    let heard = soft.heard.get(&device.id);
    let serves = heard.is_some_and(|h| h.parts.iter().any(|p| p.state != PartState::Stopped));
    if serves { HIRED_INTERVAL_MS } else { IDLE_INTERVAL_MS }
}

fn is_there(device: &Device) -> bool {
    match device.presence {
        Presence::Online { .. } | Presence::Suspect { .. } => true,
        Presence::Enrolled { .. } | Presence::Offline { .. } => false,
    }
}

/// Regions of which so much is silent that the fault is more likely on our side.
pub fn silent_regions(facts: &Facts, soft: &Soft, now: At) -> BTreeSet<Region> {
    let mut counts: BTreeMap<Region, (u64, u64)> = BTreeMap::new();
    for device in facts.devices.values().filter(|d| is_there(d)) {
        let count = counts.entry(device.inventory.region).or_default();
        let silence = now.ms_since(last_heard(device, soft));
        count.0 += u64::from(silence > interval_ms(device, soft) * SUSPECT_INTERVALS);
        count.1 += 1;
    }
    let broken = |(silent, all): &(u64, u64)| {
        *silent > REGION_SILENT_DEVICES && silent * 100 >= all * REGION_SILENT_PERCENT
    };
    counts.iter().filter(|(_, count)| broken(count)).map(|(region, _)| *region).collect()
}

/// Verdicts on silent devices, as commands: suspected ones, and lost ones within the cap.
pub fn verdicts(facts: &Facts, soft: &Soft, now: At) -> Vec<Command> {
    let in_grace = now.ms_since(soft.started_at) < START_GRACE_MS;
    let silent_regions = silent_regions(facts, soft, now);
    let lately = facts.losses_within_a_minute(now);
    let mut replacements_left = REPLACEMENTS_PER_MINUTE_MAX.saturating_sub(lately);
    let mut verdicts = Vec::new();
    for device in facts.devices.values().filter(|d| is_there(d)) {
        let silent_since = last_heard(device, soft);
        let silence = now.ms_since(silent_since);
        let (id, hired) = (device.id, device.is_hired());
        if silence > if hired { LOST_HIRED_MS } else { LOST_IDLE_MS }
            && !in_grace
            && !silent_regions.contains(&device.inventory.region)
            && (!hired || replacements_left > 0)
        {
            replacements_left -= usize::from(hired);
            verdicts.push(Command::DeviceLost { device: id, silent_since });
        } else if matches!(device.presence, Presence::Online { .. })
            && silence > interval_ms(device, soft) * SUSPECT_INTERVALS
        {
            verdicts.push(Command::DeviceSilent { device: id, silent_since });
        }
    }
    verdicts
}
