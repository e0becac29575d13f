//! Devices: enrolment, sessions, terms, draining, clones.

use super::device_of;
use crate::limits::STALE_HELLOS_MAX;
use crate::{DeviceTerms, Event, Facts, Rejection};
use ionet_core::{DeviceId, Inventory, Verdict, Wallet};
use std::collections::BTreeMap;

pub(super) fn enrol(
    facts: &Facts,
    device: DeviceId,
    owner: Wallet,
    inventory: Box<Inventory>,
    terms: DeviceTerms,
) -> Result<Vec<Event>, Rejection> {
    if !inventory.is_bounded() {
        return Err(Rejection::Inventory);
    }
    let Some(known) = facts.devices.get(&device) else {
        return Ok(vec![Event::DeviceEnrolled { device, owner, inventory, terms }]);
    };
    // A device's record on the chain never changes its supplier; one that was retired and
    // registered again by another wallet may, once no cluster holds it.
    if known.owner != owner {
        if known.retired.is_none() || known.is_hired() {
            return Err(Rejection::OtherOwner { device, owner: known.owner });
        }
        return Ok(vec![Event::DeviceEnrolled { device, owner, inventory, terms }]);
    }
    let mut events = Vec::new();
    if *inventory != known.inventory {
        events.push(Event::DeviceChanged { device, inventory });
    }
    if terms != known.terms || known.retired.is_some() {
        events.push(Event::TermsChanged { device, terms });
    }
    Ok(events)
}

pub(super) fn open_session(
    facts: &Facts,
    device: DeviceId,
    last_session: u64,
    inventory: Box<Inventory>,
) -> Result<Vec<Event>, Rejection> {
    let known = device_of(facts, device)?;
    if !inventory.is_bounded() {
        return Err(Rejection::Inventory);
    }
    if known.retired.is_some() {
        return Err(Rejection::Retired(device));
    }
    if known.cloned.is_some() {
        return Err(Rejection::Cloned(device));
    }
    // A machine that keeps its number on disk names the newest one. Two machines with one key
    // take turns in not knowing it.
    let stale = last_session != known.session;
    if stale && known.stale_hellos + 1 >= STALE_HELLOS_MAX {
        return Ok(vec![Event::CloneSuspected { device }]);
    }
    let mut events = Vec::new();
    if *inventory != known.inventory {
        events.push(Event::DeviceChanged { device, inventory });
    }
    // Beyond both numbers, so that a coordinator which lost its log fences no one by mistake.
    let session = known.session.max(last_session.min(u64::MAX - 1)) + 1;
    events.push(Event::SessionOpened { device, session, stale });
    Ok(events)
}

pub(super) fn update_terms(
    facts: &Facts,
    device: DeviceId,
    terms: Option<DeviceTerms>,
) -> Result<Vec<Event>, Rejection> {
    let known = device_of(facts, device)?;
    Ok(match terms {
        Some(terms) if terms != known.terms || known.retired.is_some() => {
            vec![Event::TermsChanged { device, terms }]
        }
        None if known.retired.is_none() => vec![Event::DeviceRetired { device }],
        Some(_) | None => Vec::new(),
    })
}

pub(super) fn drain(
    facts: &Facts,
    device: DeviceId,
    draining: bool,
) -> Result<Vec<Event>, Rejection> {
    let known = device_of(facts, device)?;
    let changes = known.draining.is_some() != draining;
    Ok(changes.then_some(Event::DrainChanged { device, draining }).into_iter().collect())
}

pub(super) fn clear_clone(facts: &Facts, device: DeviceId) -> Result<Vec<Event>, Rejection> {
    let known = device_of(facts, device)?;
    Ok(known.cloned.map(|_| Event::CloneCleared { device }).into_iter().collect())
}

/// The newest evidence counts: what comes late from an older trial changes nothing.
pub(super) fn judge(
    facts: &Facts,
    device: DeviceId,
    verdict: Box<Verdict>,
) -> Result<Vec<Event>, Rejection> {
    let known = device_of(facts, device)?;
    if !verdict.is_bounded() {
        return Err(Rejection::Verdict);
    }
    let news =
        known.verdict.as_ref().is_none_or(|old| verdict.at_ms >= old.at_ms && *verdict != *old);
    Ok(news.then_some(Event::DeviceJudged { device, verdict }).into_iter().collect())
}

pub(super) fn judge_all(
    facts: &Facts,
    verdicts: BTreeMap<DeviceId, Verdict>,
) -> Result<Vec<Event>, Rejection> {
    let mut events = Vec::new();
    for (device, verdict) in verdicts {
        if facts.devices.contains_key(&device) {
            events.extend(judge(facts, device, Box::new(verdict))?);
        }
    }
    Ok(events)
}
