//! Facts as their owners see them: the REST interface's types.

mod story;
mod verdict;

pub(crate) use story::story;
pub(crate) use verdict::{figure as measured, name as figure_name};

use crate::config::Config;
use ionet_api as api;
use ionet_core::{Amount, Asset, ChipClass, DeviceId, PartState, PartStatus, Region, Wallet};
use ionet_network::{
    At, Cluster, ClusterState, Device, DeviceState, Facts, Line, LineState, PartFact, Presence,
    QuoteTerms, Seat, role_of, subnet,
};
use ionet_placement::Availability;
use ionet_trust::inside::Served;
use std::collections::BTreeMap;

/// What a quote or a lease is paid in.
pub(crate) fn mint(config: &Config, asset: Asset) -> Wallet {
    match asset {
        Asset::Usdc => config.usdc_mint,
        Asset::Io => config.io_mint,
    }
}

/// The terms that a wallet signs. `expires_at` is unix seconds.
pub(crate) fn lease_terms(
    config: &Config,
    coordinator: Wallet,
    spec: &ionet_core::ClusterSpec,
    terms: &QuoteTerms,
    expires_at: i64,
) -> api::LeaseTerms {
    let chips = u64::from(spec.chips_per_device);
    api::LeaseTerms {
        coordinator,
        asset: terms.asset,
        mint: mint(config, terms.asset),
        slots: u32::from(terms.slots),
        chips_per_slot: spec.chips_per_device,
        // Rounded up: all chips of a slot together must be able to reach the slot's ceiling.
        rate_per_chip_max: terms.rate_per_slot_max.0.div_ceil(chips),
        rate_total_max: terms.rate_total_max.0,
        deposit: terms.deposit.0,
        expires_at,
        policy_hash: hex::encode(spec.policy_hash()),
        fee_bps: terms.fee.0,
    }
}

/// When a lease on `terms` that is opened before the quote's end is over: unix seconds. The
/// time for opening and starting is not taken from the renter's.
pub(crate) fn lease_expiry(terms: &QuoteTerms, start_allowance_s: i64) -> i64 {
    let ttl = i64::try_from(terms.ttl.0).unwrap_or(i64::MAX);
    terms.until.timestamp().0.saturating_add(ttl).saturating_add(start_allowance_s)
}

pub(crate) fn state_name(state: &ClusterState) -> api::StateName {
    match state {
        ClusterState::Quoted { .. } => api::StateName::Quoted,
        ClusterState::Funded { .. } => api::StateName::Funded,
        ClusterState::Starting { .. } => api::StateName::Starting,
        ClusterState::Ready { .. } => api::StateName::Ready,
        ClusterState::Degraded { .. } => api::StateName::Degraded,
        ClusterState::Stopping { .. } => api::StateName::Stopping,
        ClusterState::Closed { .. } => api::StateName::Closed,
        ClusterState::Failed { .. } => api::StateName::Failed,
    }
}

fn reason(cluster: &Cluster) -> Option<String> {
    match &cluster.state {
        ClusterState::Degraded { reason, .. } => Some(reason.clone()),
        ClusterState::Stopping { reason, .. }
        | ClusterState::Closed { reason, .. }
        | ClusterState::Failed { reason, .. } => Some(reason.to_string()),
        ClusterState::Starting { .. } => cluster.missing(),
        ClusterState::Quoted { .. } => Some("waits for its lease".to_owned()),
        ClusterState::Funded { .. } | ClusterState::Ready { .. } => None,
    }
}

/// What is known beside the facts.
pub(crate) struct Soft<'a> {
    /// Parts as devices reported them last.
    pub(crate) parts: &'a BTreeMap<DeviceId, Vec<PartStatus>>,
    /// Served seconds of lines that are metered here.
    pub(crate) served: &'a dyn Fn(&Cluster, ionet_network::LineRef, &Line) -> u64,
    /// When it is looked at.
    pub(crate) now: At,
    /// Unix seconds until which the deposit lasts, as last read.
    pub(crate) paid_until: Option<i64>,
}

/// A cluster as its owner sees it.
pub(crate) fn cluster(
    config: &Config,
    facts: &Facts,
    cluster: &Cluster,
    ready_at: Option<At>,
    last_event: u64,
    soft: &Soft<'_>,
) -> api::Cluster {
    let asset = cluster.quote.asset;
    let owed = cluster.lines.iter().try_fold(0u64, |sum, (at, line)| {
        let served = ionet_units::Seconds((soft.served)(cluster, *at, line));
        sum.checked_add(line.rate.earned_floor(served)?.0)
    });
    let expires_at = match &cluster.terms {
        Some(terms) => terms.expires_at.timestamp().0,
        None => lease_expiry(&cluster.quote, crate::START_ALLOWANCE_S),
    };
    let running = cluster.lines.values().any(|l| matches!(l.state, LineState::Started { .. }));
    api::Cluster {
        id: cluster.id,
        renter: cluster.renter,
        state: state_name(&cluster.state),
        reason: reason(cluster),
        spec: cluster.spec.clone(),
        lease: cluster.lease,
        terms: api::LeaseTerms {
            // What was paid in, not what was quoted.
            deposit: cluster.terms.as_ref().map_or(cluster.quote.deposit, |t| t.deposit).0,
            ..lease_terms(config, cluster.coordinator, &cluster.spec, &cluster.quote, expires_at)
        },
        members: members(facts, cluster, soft),
        steps: steps(cluster, soft),
        created_at_ms: cluster.requested_at.0,
        ready_at_ms: ready_at.map(|at| at.0),
        owed: owed.map(|units| Amount::new(asset, units).into()),
        paid_until: soft.paid_until.filter(|_| running),
        last_event,
    }
}

/// Which devices served a cluster when, by the lines that ever began.
pub(crate) fn served(cluster: &Cluster) -> Vec<Served> {
    // When a line that was refused had begun is not kept; it was within its acceptance window.
    let window_ms = cluster.terms.as_ref().map_or(0, |t| i64::from(t.accept_s) * 1_000);
    let span = |line: &Line| {
        let (from, until) = match line.state {
            LineState::Bound { .. } | LineState::Ended { started: None, .. } => return None,
            LineState::Started { at } => (at.0, None),
            LineState::Ended { started: Some(from), at } => (from.0, Some(at.0)),
            LineState::Rejected { at } => (at.0.saturating_sub(window_ms), Some(at.0)),
        };
        Some(Served { device: line.device, from_ms: from, until_ms: until })
    };
    cluster.lines.values().filter_map(span).collect()
}

fn status<'a>(soft: &'a Soft<'_>, cluster: &Cluster, seat: &Seat) -> Option<&'a PartStatus> {
    let parts = soft.parts.get(&seat.device)?;
    parts.iter().find(|p| p.id == cluster.part_id(seat))
}

fn members(facts: &Facts, cluster: &Cluster, soft: &Soft<'_>) -> Vec<api::MemberView> {
    let supplier =
        |device: &DeviceId| facts.devices.get(device).map_or(Wallet([0; 32]), |d| d.owner);
    let tier =
        |device: &DeviceId| facts.devices.get(device).map(|d| d.tier(soft.now)).unwrap_or_default();
    let chips = u64::from(cluster.spec.chips_per_device);
    let rate = |rate: u64| Amount::new(cluster.quote.asset, rate.div_ceil(chips)).into();
    if cluster.slots.is_empty() {
        // Over: who served, by their lines.
        let line = |(at, line): (&ionet_network::LineRef, &Line)| api::MemberView {
            device: line.device,
            supplier: supplier(&line.device),
            role: line.slot.map_or(ionet_core::Role::Worker, role_of),
            state: "stopped".to_owned(),
            detail: None,
            tier: tier(&line.device),
            ip: String::new(),
            rate: rate(line.rate.0),
            line: Some((u32::from(at.page), at.index)),
            served_s: (soft.served)(cluster, *at, line),
        };
        return cluster.lines.iter().map(line).collect();
    }
    let member = |(slot, seat): (u16, &Seat)| {
        let line = seat.line.and_then(|at| Some((at, cluster.lines.get(&at)?)));
        let (state, detail) = part_text(facts, status(soft, cluster, seat), seat);
        api::MemberView {
            device: seat.device,
            supplier: supplier(&seat.device),
            role: role_of(slot),
            state,
            detail,
            tier: tier(&seat.device),
            ip: cluster.subnet.map(|n| subnet::address(n, slot).to_string()).unwrap_or_default(),
            rate: rate(seat.rate.0),
            line: seat.line.map(|at| (u32::from(at.page), at.index)),
            served_s: line.map_or(0, |(at, line)| (soft.served)(cluster, at, line)),
        }
    };
    cluster.seats().map(member).collect()
}

fn part_text(facts: &Facts, status: Option<&PartStatus>, seat: &Seat) -> (String, Option<String>) {
    let presence = facts.devices.get(&seat.device).map(|device| device.presence);
    if let Some(Presence::Offline { .. }) = presence {
        return ("lost".to_owned(), Some("the device is gone".to_owned()));
    }
    let (word, detail) = match status.map(|s| &s.state) {
        None if matches!(seat.part, PartFact::Serving { .. }) => ("running", None),
        None if seat.line.is_none() => ("binding", None),
        None => ("waiting", None),
        Some(PartState::Pulling { done_bytes, total_bytes }) => {
            let total = total_bytes.map(|t| format!(" of {t}")).unwrap_or_default();
            ("pulling", Some(format!("{done_bytes}{total} bytes")))
        }
        Some(PartState::Starting) => ("starting", None),
        Some(PartState::Running) => ("running", None),
        Some(PartState::Ready { alive_nodes }) => {
            ("ready", alive_nodes.map(|n| format!("{n} Ray nodes alive")))
        }
        Some(PartState::Exited { code, .. }) => {
            ("exited", Some(code.map_or("no exit code".into(), |c| format!("exit code {c}"))))
        }
        Some(PartState::Failed { reason }) => ("failed", Some(reason.clone())),
        Some(PartState::Stopped) => ("stopped", None),
    };
    (word.to_owned(), detail)
}

/// How far the start is. After it, every step is done.
fn steps(cluster: &Cluster, soft: &Soft<'_>) -> Vec<api::Step> {
    let all = u64::from(cluster.spec.devices);
    let funded = u64::from(cluster.terms.is_some());
    let count = |fits: &dyn Fn(&Seat) -> bool| {
        cluster.seats().filter(|(_, seat)| fits(seat)).count() as u64
    };
    let image = |seat: &Seat| {
        let serving = matches!(seat.part, PartFact::Serving { .. });
        let state = status(soft, cluster, seat).map(|s| &s.state);
        serving || state.is_some_and(|s| !matches!(s, PartState::Pulling { .. }))
    };
    let up = |seat: &Seat| {
        let running = status(soft, cluster, seat).is_some_and(|s| s.state.is_serving());
        running || matches!(seat.part, PartFact::Serving { .. })
    };
    let alive = u64::from(cluster.alive_nodes.unwrap_or(0)).min(all);
    let step = |name: &str, done, total| api::Step { name: name.to_owned(), done, total };
    vec![
        step("lease", funded, 1),
        step("devices", count(&|seat| seat.line.is_some()), all),
        step("image", count(&image), all),
        step("containers", count(&up), all),
        step("ray", alive, all),
    ]
}

/// A device as anyone may see it.
pub(crate) fn device(device: &Device, at: At, proofs: bool, last_seen: Option<At>) -> api::Device {
    let state = match device.state(at, proofs) {
        DeviceState::Enrolled => api::DeviceStateName::Enrolled,
        DeviceState::Proving => api::DeviceStateName::Proving,
        DeviceState::Idle => api::DeviceStateName::Idle,
        DeviceState::Bound => api::DeviceStateName::Bound,
        DeviceState::Hired => api::DeviceStateName::Hired,
        DeviceState::Draining => api::DeviceStateName::Draining,
        DeviceState::Suspect | DeviceState::Cloned => api::DeviceStateName::Suspect,
        DeviceState::Offline | DeviceState::Retired => api::DeviceStateName::Offline,
    };
    let ask = |asset| device.terms.asks.of(asset).map(|rate| Amount::new(asset, rate).into());
    api::Device {
        id: device.id,
        supplier: device.owner,
        state,
        reason: device_reason(device, at, proofs),
        chip: device.inventory.chip_class().map_or("mixed", |c| c.as_str()).to_owned(),
        chips: device.chips_total(),
        chips_free: device.chips_free(),
        region: device.inventory.region.to_string(),
        egress: device.inventory.egress.to_string(),
        verdict: device.verdict.as_ref().map(|v| verdict::verdict(v, at)),
        // Told by whoever plans trials, when it is read.
        next_trial_ms: None,
        asks: [Asset::Usdc, Asset::Io].into_iter().filter_map(ask).collect(),
        last_seen_ms: last_seen.map(|at| at.0),
        clusters: device.holds.keys().map(ToString::to_string).collect(),
        inventory: Some(device.inventory.clone()),
    }
}

fn device_reason(device: &Device, at: At, proofs: bool) -> Option<String> {
    let text = match device.state(at, proofs) {
        DeviceState::Cloned => "two machines show its key",
        DeviceState::Retired => "the chain holds no record of it; register it again",
        DeviceState::Suspect => "it has been silent for a few heartbeats",
        DeviceState::Offline => "it is not connected",
        DeviceState::Draining => "its owner wants it back",
        DeviceState::Proving => return Some(proving_reason(device)),
        DeviceState::Enrolled | DeviceState::Idle | DeviceState::Bound | DeviceState::Hired => {
            if !device.terms.accepts_us {
                "its supplier does not accept this coordinator"
            } else if at >= device.terms.expires_at {
                "its offer on the chain has expired; its supplier must renew it"
            } else if device.availability(at, proofs) == Availability::Withheld {
                "binding it failed a moment ago"
            } else {
                return None;
            }
        }
    };
    Some(text.to_owned())
}

fn proving_reason(device: &Device) -> String {
    let Some(verdict) = &device.verdict else {
        return "it proves its chips before it gets work".to_owned();
    };
    // One that never counted says why by itself.
    let expired = verdict.expires_at_ms > verdict.at_ms;
    let expired = expired.then(|| "its proof has expired; it proves its chips anew".to_owned());
    let all: Vec<_> = expired.into_iter().chain(verdict.reason.clone()).collect();
    match all.as_slice() {
        [] => "it proves its chips before it gets work".to_owned(),
        all => all.join("; "),
    }
}

/// Devices, free chips, and the lowest asks in USDC and IO.
type Supply = (u32, u32, [Option<u64>; 2]);

/// What the market has, by class and region.
pub(crate) fn offers(facts: &Facts, at: At) -> Vec<api::Offer> {
    let mut found: BTreeMap<(ChipClass, Region), Supply> = BTreeMap::new();
    for candidate in facts.candidates(at) {
        let Some(chip) = candidate.chip else { continue };
        if candidate.availability != Availability::Available {
            continue;
        }
        let row = found.entry((chip, candidate.region)).or_default();
        row.0 += 1;
        row.1 += u32::from(candidate.chips_free);
        if candidate.chips_free > 0 {
            for (lowest, asset) in row.2.iter_mut().zip([Asset::Usdc, Asset::Io]) {
                *lowest = match (*lowest, candidate.asks.of(asset)) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
    }
    let offer = |((chip, region), (devices, chips_free, lowest)): (_, Supply)| {
        let (chip, region): (ChipClass, Region) = (chip, region);
        let lowest = lowest.into_iter().zip([Asset::Usdc, Asset::Io]);
        let money = |(rate, asset): (Option<u64>, _)| Some(Amount::new(asset, rate?).into());
        api::Offer {
            chip: chip.as_str().to_owned(),
            region: region.as_str().to_owned(),
            devices,
            chips_free,
            lowest: lowest.filter_map(money).collect(),
        }
    };
    found.into_iter().map(offer).collect()
}
