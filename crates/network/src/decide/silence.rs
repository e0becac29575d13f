//! Silence: suspected, lost, and what that means for clusters.

use super::{Draft, device_of};
use crate::{At, Event, Facts, Presence, Rejection, VacatedWhy};
use ionet_core::DeviceId;

pub(super) fn suspect(
    facts: &Facts,
    device: DeviceId,
    silent_since: At,
) -> Result<Vec<Event>, Rejection> {
    Ok(match device_of(facts, device)?.presence {
        Presence::Online { .. } => vec![Event::DeviceSuspected { device, silent_since }],
        Presence::Enrolled { .. } | Presence::Suspect { .. } | Presence::Offline { .. } => {
            Vec::new()
        }
    })
}

/// A connection that ended is no verdict on a hired device: it has its time to come back. An
/// idle one just left.
pub(super) fn session_closed(
    facts: &Facts,
    at: At,
    device: DeviceId,
    session: u64,
    silent_since: At,
) -> Result<Vec<Event>, Rejection> {
    let known = device_of(facts, device)?;
    if session != known.session {
        // The end of a session that a newer one fenced.
        return Ok(Vec::new());
    }
    if known.is_hired() {
        suspect(facts, device, silent_since)
    } else {
        lost(facts, at, device, silent_since)
    }
}

pub(super) fn lost(
    facts: &Facts,
    at: At,
    device: DeviceId,
    silent_since: At,
) -> Result<Vec<Event>, Rejection> {
    let known = device_of(facts, device)?;
    match known.presence {
        Presence::Online { .. } | Presence::Suspect { .. } => {}
        Presence::Enrolled { .. } | Presence::Offline { .. } => return Ok(Vec::new()),
    }
    let mut events = vec![Event::DeviceLost { device, silent_since }];
    let mut taken = std::collections::BTreeMap::new();
    for cluster in known.holds.keys() {
        let mut draft = Draft::new(facts, at, *cluster)?;
        draft.gone = Some(device);
        draft.taken = taken;
        if draft.cluster.seat_of(device).is_some() {
            draft.vacate(device, VacatedWhy::Lost);
            draft.refill();
        }
        draft.settle();
        taken = draft.taken.clone();
        for (device, chips) in draft.newly_held() {
            *taken.entry(device).or_insert(0) += chips;
        }
        events.append(&mut draft.events);
    }
    Ok(events)
}
